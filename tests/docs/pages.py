"""What stands on the pages: commands in running text and in blocks, and blocks marked to be run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    ]
)
FENCE = re.compile(
    r"^(?:<!-- (run(?:: \w+)?) -->\n)?(?P<fence>```+)(\w*)[^\n]*\n(.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
INLINE = re.compile(r"`([^`\n]+)`")
ENDS = {"|", "||", "&&", "&", ";", ">", ">>", "<", "#", ")"}
OURS = ("peer2prompt", ".venv/bin/peer2prompt")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, whether it is to be run, its language and lines."""

    page: str
    line: int
    run: str
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A call of ours as it stands on a page, without the program's name."""

    page: str
    line: int
    words: tuple[str, ...]
    whole: bool
    """In a block, where it can be copied; in running text it may be cut short."""


def blocks(path: Path) -> Iterator[Block]:
    """Every fenced block of a page."""
    text = path.read_text("utf-8")
    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start("fence")) + 1
        yield Block(path.name, line, found[1] or "", found[3], found[4])


def commands(path: Path, names: frozenset[str]) -> Iterator[Command]:
    """Every call of ours on a page. `names` are the commands, by which short forms in running text
    (`wallet fund`) are known."""
    text = path.read_text("utf-8")
    for block in blocks(path):
        for words in calls(block.text):
            yield Command(block.page, block.line, words, whole=True)
    for found in INLINE.finditer(FENCE.sub(lambda m: "\n" * m[0].count("\n"), text)):
        line = text.count("\n", 0, found.start()) + 1
        for words in calls(found[1]):
            yield Command(path.name, line, words, whole=False)
        first, *rest = found[1].split()
        if first in names and rest and re.fullmatch(r"--[a-z-]+|[a-z-]+", rest[0]):
            yield Command(path.name, line, tuple(found[1].split()), whole=False)


def calls(text: str) -> Iterator[tuple[str, ...]]:
    """The calls in lines of shell: after a prompt, a pipe, `$(` or an assignment; continued lines
    joined, redirections and what follows a pipe left out."""
    for line in text.replace("\\\n", " ").splitlines():
        if not any(name in line for name in OURS):
            continue
        lexer = shlex.shlex(line.replace("$(", " ; "), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        try:
            words = list(lexer)
        except ValueError:  # an apostrophe of running text
            words = line.split()
        yield from _calls(words)


def _calls(words: list[str]) -> Iterator[tuple[str, ...]]:
    for at, word in enumerate(words):
        before = words[at - 1] if at else "$"
        if word in OURS and (before in ENDS or before == "$" or "=" in before):
            end = next((i for i in range(at, len(words)) if words[i] in ENDS), len(words))
            yield tuple(words[at + 1 : end])
