"""The manual page: every command is in it, and the formatters have nothing to say against it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers.patience import PATIENCE_S
from tui.cli.failures import EXIT_CODES
from tui.cli.main import main
from tui.cli.manpage import ENVIRONMENT, manual
from tui.cli.parser import commands
from tui.cli.reference import arguments

ROOT = Path(__file__).resolve().parents[3]
REQUESTS = {".TH", ".SH", ".SS", ".PP", ".TP", ".B", ".RS", ".RE", ".nf", ".fi", '.\\"'}
ESCAPES = re.compile(r"\\(?:-|e|&|f[BIR]|\[u[0-9A-F]{4,6}\]|\((?:aq|dq|ga))")


def plain(page: str) -> str:
    """The page's words as they are read, without requests and escapes."""
    for escape, letter in (
        ("\\-", "-"),
        ("\\(aq", "'"),
        ("\\(dq", '"'),
        ("\\(ga", "`"),
        ("\\&", ""),
    ):
        page = page.replace(escape, letter)
    return re.sub(r"\\\[u([0-9A-F]+)\]", lambda m: chr(int(m[1], 16)), page)


def test_only_known_requests_and_escapes() -> None:
    """What any formatter of man pages understands; a help text cannot smuggle in another."""
    inside = False
    for line in manual().splitlines():
        if line.startswith((".", "'")):
            assert line.split()[0] in REQUESTS, line
            inside = {".nf": True, ".fi": False}.get(line, inside)
        if not line.startswith('.\\"'):
            assert "\\" not in ESCAPES.sub("", line), line
            assert line.isascii()
    assert not inside


def test_every_command_argument_exit_code_and_variable_is_there() -> None:
    page = plain(manual())
    for parser, runs in commands():
        if not runs or parser.prog == "peer2prompt":
            continue
        assert f'.SS "{parser.prog.removeprefix("peer2prompt ")}' in page
        for shown, _, _ in arguments(parser):
            assert f"\\fB{shown}\\fR" in page
    for code, meaning in EXIT_CODES:
        words = meaning.replace("`", "")  # prose in a manual page has no quotes of code
        assert f"\\fB{code}\\fR\n{words}" in page
    variables = {name for names, _ in ENVIRONMENT for name in names.split(", ")}
    source = "".join(
        path.read_text("utf-8")
        for folder in ("engine", "wallet", "tui")
        for path in (ROOT / folder).rglob("*.py")
    )
    internal = {"PEER2PROMPT_PARENT_PID", "PEER2PROMPT_MINT_ENV", "PEER2PROMPT_PROVIDER_ENV"}
    assert set(re.findall(r"PEER2PROMPT_[A-Z_]+[A-Z]", source)) - internal <= variables


@pytest.mark.parametrize(
    "command",
    [
        ["groff", "-man", "-Tutf8", "-ww", "-z"],
        ["mandoc", "-T", "lint", "-W", "error"],
    ],
)
def test_the_formatters_are_content(command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(
        command, input=manual(), capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_it_reads_as_it_should() -> None:
    command = ["groff", "-man", "-Tascii", "-P-c", "-P-b", "-P-u"]
    done = subprocess.run(
        command, input=manual(), capture_output=True, text=True, timeout=PATIENCE_S
    )
    text = " ".join(done.stdout.split())
    assert "peer2prompt - ask AI models without being the one who asked" in text
    assert 'peer2prompt ask "What is an onion?"' in text
    assert "--temperature T how freely to answer, 0 to 2" in text


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["manual"]) == 0
    assert capsys.readouterr().out == manual()
