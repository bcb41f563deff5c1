"""Errors as sentences; nothing of the user's in what an unforeseen one shows."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from tui.cli import names
from tui.cli.failures import CliError, report, usage
from tui.cli.main import main
from tui.cli.style import age, clean, moment, one_line, sat


def test_the_unforeseen_shows_its_type_and_nothing_else(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="secret") as caught:
        raise ValueError("my secret prompt")
    assert report(caught.value, as_json=False) == 1
    plain = capsys.readouterr()
    monkeypatch.setenv("PEER2PROMPT_DEBUG", "1")
    assert report(caught.value, as_json=True) == 1
    debug = capsys.readouterr()
    assert "(ValueError)" in plain.err
    assert "Traceback" not in plain.err + debug.err
    assert "test_failures.py" in debug.err
    assert json.loads(debug.out)["error"]["code"] == "internal"
    assert "my secret prompt" not in plain.err + plain.out + debug.out


def test_the_meaningful_error_of_a_group_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    group = ExceptionGroup("g", [ValueError("x"), ExceptionGroup("h", [usage("Wrong.")])])
    assert report(group, as_json=False) == 2
    assert capsys.readouterr().err == "peer2prompt: Wrong.\n"


def test_an_error_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    report(CliError("a\x1b[2Jb\x07", code="x", exit_code=3, hint="\x9b1m"), as_json=False)
    shown = capsys.readouterr().err
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "\x9b" not in shown


@pytest.mark.parametrize(
    "exc",
    [KeyboardInterrupt(), BaseExceptionGroup("tasks", [ValueError("x"), KeyboardInterrupt()])],
)
def test_ctrl_c_is_130(exc: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_args: object) -> int:
        raise exc

    monkeypatch.setattr("tui.cli.cmd_models.run", interrupted)
    assert main(["models"]) == 130


def test_our_names_are_ours() -> None:
    names.check_names()


def test_a_foreign_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wallet").mkdir()
    (tmp_path / "wallet" / "__init__.py").write_text("")
    real = importlib.util.find_spec

    def find(name: str) -> object:
        if name != "wallet":
            return real(name)
        return importlib.util.spec_from_file_location(name, tmp_path / "wallet" / "__init__.py")

    monkeypatch.setattr(importlib.util, "find_spec", find)
    with pytest.raises(CliError, match=r"`wallet` would be loaded from") as caught:
        names.check_names()
    assert caught.value.exit_code == 2
    assert "pipx" in caught.value.hint


def test_a_package_written_over_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in names.NAMES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / "tui" / "cli").mkdir()
    monkeypatch.setattr(names, "__file__", str(tmp_path / "tui" / "cli" / "names.py"))
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: importlib.util.spec_from_file_location(name, tmp_path / name / "__init__.py"),
    )
    for dist, listed in (("peer2prompt-0.1.0", "engine/__init__.py,,\n"), ("other-1", "o.py,,\n")):
        (tmp_path / f"{dist}.dist-info").mkdir()
        (tmp_path / f"{dist}.dist-info" / "RECORD").write_text(listed)
    names.check_names()
    (tmp_path / "other-1.dist-info" / "RECORD").write_text("o.py,,\nengine/__init__.py,,\n")
    with pytest.raises(CliError, match="`engine` also belongs to `other`"):
        names.check_names()


def test_words_for_amounts_and_times() -> None:
    assert (sat(1000), sat(1500), sat(0)) == ("1 sat", "1.500 sat", "0 sat")
    assert (age(0), age(59), age(3700), age(90000)) == ("0 s", "59 s", "1 h 1 min", "1 d 1 h")
    assert moment(1e20) == "?"
    assert one_line("a\nb  c" + "x" * 100, 10) == "a b cxxxx…"
    assert clean("tab\tline\nesc\x1b[0m\u202e") == "tab\tline\nesc[0m"
