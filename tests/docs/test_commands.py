"""No page names a command or an option that does not exist: the real parser reads every call."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, Command, commands
from tui.cli.parser import build_parser
from tui.cli.parser import commands as tree

PARSER = build_parser()
NAMES = frozenset(parser.prog.split()[1] for parser, _ in tree() if len(parser.prog.split()) == 2)
BRANCHES = {tuple(parser.prog.split()[1:]) for parser, runs in tree() if not runs}
DOTS = {"...", "…"}
PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9_-]+|N|T|H")


def complaint(words: tuple[str, ...]) -> str:
    """What the parser says against it, empty if it is content."""
    if words in BRANCHES:
        return ""  # alone it prints what stands below it
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            args, rest = PARSER.parse_known_args(words)
    except SystemExit as left:
        return said.getvalue() if left.code else ""
    return f"not understood: {rest}" if rest and not getattr(args, "passes_on", False) else ""


def judged(command: Command) -> str:
    """The complaint that counts. Words in capitals stand for values: 1 is tried for them; of `a|b`
    the first is taken, and brackets are left out. Running text may leave out what is required."""
    words = [word for word in command.words if word not in DOTS]
    first = complaint(tuple(words))
    if first:
        bare = [word.strip("[]").partition("|")[0] for word in words]
        first = complaint(tuple("1" if PLACEHOLDER.fullmatch(word) else word for word in bare))
    if "there is no value '1'" in first:
        return ""  # a placeholder for one of a few words
    if not command.whole and ("required" in first or "expected" in first):
        return ""
    return first


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_command_on_the_page_is_understood(page: Path) -> None:
    wrong = [
        f"{command.page}:{command.line}: peer2prompt {' '.join(command.words)}: {said.strip()}"
        for command in commands(page, NAMES)
        if (said := judged(command))
    ]
    assert not wrong, "\n".join(wrong)


def test_the_pages_are_full_of_commands() -> None:
    """The reader of pages finds them: a broken one would let every test here pass."""
    found = [command for page in PAGES for command in commands(page, NAMES)]
    assert len(found) > 300
    assert {"README.md", "api.md", "cli.md", "install.md", "wallet.md"} <= {c.page for c in found}
    assert any(c.words == ("ask", "--session", "3f2a", "And a leek?") for c in found)


@pytest.mark.parametrize(
    "words",
    [("statsu",), ("status", "--verbose"), ("wallet", "blance"), ("ask", "--shape", "round", "x")],
)
def test_mistakes_are_found(words: tuple[str, ...]) -> None:
    assert judged(Command("page", 1, words, whole=True))
    assert judged(Command("page", 1, words, whole=False))
