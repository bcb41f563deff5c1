"""A node as a child: ready, giving up in its own words, silent, stubborn; and its passphrase."""

from __future__ import annotations

import os
import signal
import stat
import sys
from pathlib import Path

import pytest

from tui.cli.failures import CliError
from tui.cli.nodeproc import node_command, passphrase_pipe, running_node, start_node
from tui.cli.storekey import passphrase_for

READY = "print('booting'); print('ready {\"node\": \"ab\"}', flush=True);"


def child(script: str) -> list[str]:
    return [sys.executable, "-c", f"import os, signal, sys, time\n{script}"]


def test_a_node_that_serves_is_stopped_at_the_end(home: Path) -> None:
    with running_node(home, command=child(READY + "signal.pause()")) as node:
        assert node.ready == {"node": "ab"}
        assert node.process.poll() is None
        assert stat.S_IMODE(os.stat(home / "run" / "node.out").st_mode) == 0o600
    assert node.process.returncode == -signal.SIGTERM


def test_a_stubborn_node_is_killed(home: Path) -> None:
    script = "signal.signal(signal.SIGTERM, signal.SIG_IGN);" + READY + "signal.pause()"
    node = start_node(home, command=child(script))
    node.stop(grace_s=0.05)
    assert node.process.returncode == -signal.SIGKILL


def test_a_node_that_gives_up_is_quoted(home: Path) -> None:
    script = (
        'print(\'error {"code": "store_locked", "message": "Locked.", "kept": "k", "hint": "h",'
        ' "exit_code": 3}\', flush=True); sys.exit(3)'
    )
    with pytest.raises(CliError) as caught:
        start_node(home, command=child(script))
    error = caught.value
    assert (error.code, error.message, error.kept, error.hint, error.exit_code) == (
        "store_locked",
        "Locked.",
        "k",
        "h",
        3,
    )


@pytest.mark.parametrize(("status", "exit_code"), [(3, 3), (77, 1), (0, 1)])
def test_a_node_that_just_ends_is_an_error(home: Path, status: int, exit_code: int) -> None:
    with pytest.raises(CliError, match="stopped before it was ready") as caught:
        start_node(home, command=child(f"sys.exit({status})"))
    assert caught.value.exit_code == exit_code


@pytest.mark.parametrize("line", ["error nonsense", "error [1]", "error {}"])
def test_a_node_that_fails_badly_still_gets_a_sentence(home: Path, line: str) -> None:
    with pytest.raises(CliError, match="could not start"):
        start_node(home, command=child(f"print({line!r}, flush=True); signal.pause()"))


def test_a_silent_node_is_ended(home: Path) -> None:
    with pytest.raises(CliError, match="not ready after"):
        start_node(home, command=child("signal.pause()"), timeout_s=0.1)


def test_a_node_knows_its_parent_unless_it_is_kept(home: Path) -> None:
    script = (
        "import json; print('ready ' + json.dumps({'p':"
        " os.environ.get('PEER2PROMPT_PARENT_PID')}), flush=True); signal.pause()"
    )
    with running_node(home, command=child(script)) as node:
        assert node.ready == {"p": str(os.getpid())}
    with running_node(home, command=child(script), keep=True) as node:
        assert node.ready == {"p": None}
    assert node.process.poll() is None
    node.stop()


def test_the_passphrase_travels_over_a_pipe_only(home: Path) -> None:
    """The child reads it from the descriptor; neither its arguments nor environment hold it."""
    reader = passphrase_pipe("open sesame ü")
    assert os.read(reader, 100).decode() == "open sesame ü"
    assert os.read(reader, 100) == b""
    os.close(reader)
    command = node_command(home, config=Path("c.toml"), passphrase_fd=9)
    assert command[1:] == [
        "-P",
        "-m",
        "engine",
        "--home",
        str(home),
        "--config",
        "c.toml",
        "--passphrase-fd",
        "9",
    ]


def test_a_home_that_cannot_be_made_is_a_sentence(home: Path) -> None:
    (home / "file").write_text("")
    with pytest.raises(CliError, match="cannot be written"):
        start_node(home / "file" / "deeper", command=child(""))


@pytest.mark.parametrize(
    "config", ['[store]\nkey_file = "k"', '[store]\npassphrase_file = "p"', "not toml ="]
)
def test_no_passphrase_is_asked_where_the_node_has_its_secret(home: Path, config: str) -> None:
    (home / "config.toml").write_text(config)
    assert passphrase_for(home, None) is None


def test_the_environment_names_the_secret(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEER2PROMPT_PASSPHRASE_FILE", "/some/file")
    assert passphrase_for(home, None) is None


def test_a_new_store_asks_twice_and_an_old_one_once(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PEER2PROMPT_PASSPHRASE_FILE", raising=False)
    asked: list[bool] = []

    def ask(*, new: bool) -> str:
        asked.append(new)
        return "x"

    monkeypatch.setattr("tui.cli.storekey.ask_passphrase", ask)
    assert passphrase_for(home, None) == "x"
    (home / "store.db.kdf").write_text("{}")
    assert passphrase_for(home, None) == "x"
    assert asked == [True, False]
