"""Every command has help with an example and stands in the reference; mistakes get kind words."""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from tui.cli import cmd_ghost
from tui.cli.failures import EXIT_CODES, CliError
from tui.cli.parser import build_parser, commands
from tui.cli.reference import reference

ALL = {parser.prog: (parser, runs) for parser, runs in commands()}
ROOT = Path(__file__).resolve().parents[3]

EXPECTED = [
    *("attach", "node", "demo", "ask", "status", "models", "network", "circuits", "earnings"),
    *("stop", "sessions list", "sessions show", "sessions delete", "sessions export"),
    *("wallet info", "wallet balance", "wallet mints", "wallet add-mint", "wallet fund"),
    *("wallet check", "wallet send", "wallet receive", "wallet pay", "wallet restore"),
    *("wallet history", "wallet seed"),
]


@pytest.mark.parametrize("name", EXPECTED)
def test_the_promised_commands_exist(name: str) -> None:
    assert f"peer2prompt {name}" in ALL


@pytest.mark.parametrize("prog", sorted(ALL))
def test_every_command_has_help_and_an_example(prog: str) -> None:
    parser, _ = ALL[prog]
    assert parser.description
    text = parser.format_help()
    assert "examples:" in text
    assert f"\n  {prog}" in text
    for action in parser._actions:
        assert action.help or isinstance(action, argparse._SubParsersAction), action


@pytest.mark.parametrize("prog", sorted(prog for prog, (_, runs) in ALL.items() if runs))
def test_every_command_takes_home_and_json_and_names_a_function(prog: str) -> None:
    parser, _ = ALL[prog]
    options = {option for action in parser._actions for option in action.option_strings}
    assert {"--home", "--json"} <= options
    module, _, function = parser.get_default("target").partition(":")
    source = ROOT / (module.replace(".", "/") + ".py")
    assert f"\ndef {function}(" in source.read_text("utf-8")
    if module != "tui.cli.cmd_demo":
        assert callable(getattr(importlib.import_module(module), function))


def test_the_reference_is_in_the_docs() -> None:
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")
    assert page == reference(), "run: python -m tui.cli.reference > docs/cli.md"
    for prog, (_, runs) in ALL.items():
        assert not runs or f"`{prog}" in page


def test_exit_codes_are_in_the_help() -> None:
    text = build_parser().format_help()
    for code, meaning in EXIT_CODES:
        assert f"{code:>3}  {meaning}" in text


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["statsu"], "Did you mean status"),
        (["wallet", "blance"], "Did you mean balance"),
        (["xyzzy"], "Use attach"),
        (["wallet"], "required"),
        (["wallet", "send", "-5"], "whole number"),
        (["wallet", "send", "0"], "above zero"),
        (["wallet", "send", "9" * 40], "above zero"),
        (["ask", "x", "--max-tokens", "many"], "whole number"),
        (["stop", "--drain", "nan"], "seconds"),
        (["status", "--verbose"], "unrecognized arguments: --verbose"),
        (["--jso", "status"], "--jso"),
    ],
)
def test_mistakes_get_kind_words(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from tui.cli.main import main

    with pytest.raises(SystemExit) as left:
        main(argv)
    assert left.value.code == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert "--help" in shown


def test_home_and_json_stand_before_or_after() -> None:
    for argv in (["--home", "/h", "--json", "status"], ["status", "--home", "/h", "--json"]):
        args = build_parser().parse_args(argv)
        assert (args.home, args.json) == (Path("/h"), True)


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from tui.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'anyio', 'asyncio', 'trio', 'msgspec', 'textual', 'segno', 'engine', 'wallet',"
        " 'platformdirs', 'importlib.metadata'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("what", "change"),
    [("prices", "--margin=7"), ("caps", "--queue=7"), ("policy", "--jurisdiction=CH")],
)
def test_the_ghosts_settings_are_shown_or_set_by_word_too(
    what: str, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def call_as(_args: object, kind: type, method: str, **_given: object) -> object:
        asked.append(method)
        return kind()

    monkeypatch.setattr(cmd_ghost, "call_as", call_as)
    monkeypatch.setattr(cmd_ghost, "print_json", lambda _found: None)

    def run(*words: str) -> None:
        args = build_parser().parse_args(["ghost", what, "--json", *words])
        getattr(cmd_ghost, what)(args)

    for words in ([], ["show"], [change], ["set", change]):
        run(*words)
    assert asked == [f"ghost.{what}"] * 2 + [f"ghost.{what}.set"] * 2
    for wrong in (["show", change], ["set"]):
        with pytest.raises(CliError):
            run(*wrong)
    assert len(asked) == 4
