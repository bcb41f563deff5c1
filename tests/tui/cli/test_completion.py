"""Completion as a shell does it: our script in a real bash, and in fish and zsh where they are."""

from __future__ import annotations

import argparse
import os
import pty
import select
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.helpers.patience import PATIENCE_S
from tui.cli.completion.quoting import quoted
from tui.cli.completion.scripts import WRITERS, script
from tui.cli.main import main
from tui.cli.parser import commands

COMMON = {"--home", "--json", "--help"}
TREE = {tuple(parser.prog.split()[1:]): parser for parser, _ in commands()}


def in_bash(lines: Iterable[list[str]], folder: Path) -> list[set[str]]:
    """What bash would offer after each line; the words are as readline splits them."""
    (folder / "script").write_text(script("bash"), "utf-8")
    asked = [
        f"COMP_WORDS=({' '.join(map(quoted, ['peer2prompt', *words]))}); COMP_CWORD={len(words)};"
        ' _peer2prompt peer2prompt; echo "${COMPREPLY[*]}"'
        for words in lines
    ]
    program = "\n".join(["source ./script", *asked])
    done = subprocess.run(
        ["bash", "--norc", "-c", program],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [set(line.split()) for line in done.stdout.split("\n")[:-1]]


def test_bash_offers_what_the_parsers_take(tmp_path: Path) -> None:
    """Every command of the tree: exactly its commands, and after a dash exactly its options."""
    children = in_bash(([*place, ""] for place in TREE), tmp_path)
    options = in_bash(([*place, "-"] for place in TREE), tmp_path)
    for parser, offered, dashed in zip(TREE.values(), children, options, strict=True):
        groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
        wanted = {name for group in groups for name in group.choices}
        taken = {name for action in parser._actions for name in action.option_strings}
        assert dashed == taken - {"-h"} | COMMON, parser.prog
        assert not groups or offered == wanted, parser.prog


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["wallet", "ba"], {"balance"}),
        (["ask", "--shape", ""], {"text", "always-on", "bulk"}),
        (["ask", "--shape", "=", "a"], {"always-on"}),
        (["ask", "--shape", "="], {"text", "always-on", "bulk"}),
        (["completion", ""], {"bash", "zsh", "fish"}),
        (["--theme", "pap"], {"paper"}),
        (["--home", "wallet", "wal"], {"wallet"}),
        (["--home", "=", "wallet", "wal"], {"wallet"}),
        (["ask", "--model", "wallet", ""], set()),
        (["ask", "--model", ""], set()),
        (["config", "check", "--config", "re"], {"relay.toml"}),
        (["--home", "s"], {"state"}),
        (["wallet", "nonsense", "ba"], {"balance"}),
    ],
)
def test_bash_knows_values(words: list[str], offered: set[str], tmp_path: Path) -> None:
    (tmp_path / "relay.toml").touch()
    (tmp_path / "state").mkdir()
    assert in_bash([words], tmp_path) == [offered]


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("wallet ba", {"balance"}),
        ("ask --shape ", {"text", "always-on", "bulk"}),
        ("--home wallet wal", {"wallet"}),
        ("ask --model wallet ", set()),
        ("stop --d", {"--drain"}),
        ("config check --config re", {"relay.toml"}),
    ],
)
def test_fish(line: str, offered: set[str], tmp_path: Path) -> None:
    (tmp_path / "relay.toml").touch()
    (tmp_path / "script").write_text(script("fish"), "utf-8")
    program = f"source ./script; complete -C {shlex.quote(f'peer2prompt {line}')}"
    done = subprocess.run(
        ["fish", "--no-config", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert done.stderr == ""
    assert {answer.partition("\t")[0] for answer in done.stdout.splitlines()} == offered


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
@pytest.mark.parametrize(
    ("typed", "becomes"),
    [
        ("peer2prompt wallet bal", "wallet balance "),
        ("peer2prompt ask --shape alw", "--shape always-on "),
        ("peer2prompt ask --shape=alw", "--shape=always-on "),
        ("peer2prompt --home wallet circ", "--home wallet circuits "),
        ("peer2prompt stop --dr", "stop --drain "),
        ("peer2prompt config check --config rel", "--config relay.toml "),
    ],
)
def test_zsh_at_its_prompt(typed: str, becomes: str, tmp_path: Path) -> None:
    assert becomes in typed_in_zsh(typed, tmp_path, "compinit -D -u; source ./_peer2prompt")


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_finds_it_in_a_folder(tmp_path: Path) -> None:
    """As an installation has it: the file is loaded at the first Tab, and must serve that one."""
    setting_up = f"fpath=({shlex.quote(str(tmp_path))} $fpath); compinit -D -u"
    assert "wallet balance " in typed_in_zsh("peer2prompt wallet bal", tmp_path, setting_up)


def typed_in_zsh(typed: str, tmp_path: Path, setting_up: str) -> str:
    """The line after it was typed at a terminal with a Tab; a key of our own writes it down."""
    (tmp_path / "relay.toml").touch()
    (tmp_path / "_peer2prompt").write_text(script("zsh"), "utf-8")
    lines = [
        f"autoload -U compinit; {setting_up}",
        'shown() { print -r -- "<<$BUFFER>>" > shown; }; zle -N shown; bindkey "^X" shown',
        "touch ready",
    ]
    (tmp_path / ".zshrc").write_text("\n".join(lines))
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        os.execvpe("zsh", ["zsh", "-i"], {**os.environ, "ZDOTDIR": ".", "TERM": "dumb"})
    try:
        wait_for(tmp_path / "ready", terminal)
        os.write(terminal, f"{typed}\t\x18".encode())
        return wait_for(tmp_path / "shown", terminal)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(terminal)


def wait_for(file: Path, terminal: int) -> str:
    """The file's text once it is there; meanwhile what the terminal shows is taken off it."""
    deadline = time.monotonic() + PATIENCE_S
    while not (file.exists() and (file.name == "ready" or file.read_text())):
        assert time.monotonic() < deadline, f"zsh never wrote {file.name}"
        if select.select([terminal], [], [], 0.05)[0]:
            os.read(terminal, 65536)
    return file.read_text()


@pytest.mark.parametrize("shell", sorted(WRITERS))
def test_the_command_prints_the_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out == script(shell)


def test_no_help_text_gets_out_of_its_quotes() -> None:
    """A quote in a help text is the way a script would break; bash says so by parsing."""
    assert quoted("it's $(x) `y`") == "'it'\\''s $(x) `y`'"
    for shell in WRITERS:
        if program := shutil.which(shell):
            command = [program, "-n", "/dev/stdin"]
            done = subprocess.run(command, input=script(shell), capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, "")
