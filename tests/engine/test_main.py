"""`python -m engine` as whoever starts it sees it: one line, one exit code, never a traceback."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.patience import PATIENCE_S

Start = Callable[..., "subprocess.Popen[str]"]


def write_config(home: Path, port: int, store: str = 'key_file = "key"') -> None:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(
        f'roles = ["relay"]\n[store]\n{store}\n[link]\nlisten = "127.1.0.1:{port}"\n'
        "[network]\ntest_network = true\n"
    )


def free_port(host: str = "127.1.0.1") -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def begin(home: Path, *args: str, **env: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "engine", "--home", str(home), *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **env},
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def first_line(process: subprocess.Popen[str]) -> tuple[str, dict[str, Any]]:
    """(word, object) of what the node says first."""
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], PATIENCE_S)
    assert readable, "the node said nothing"
    word, _, rest = process.stdout.readline().partition(" ")
    return word, json.loads(rest)


def failure(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The error a node ends with; its exit code matches and nothing else is printed."""
    word, error = first_line(process)
    assert word == "error"
    _, stderr = process.communicate(timeout=PATIENCE_S)
    assert stderr == ""
    assert process.returncode == error["exit_code"]
    return error


def test_it_says_ready_and_stops_when_told(start: Start, tmp_path: Path) -> None:
    write_config(tmp_path, free_port())
    process = start(tmp_path)
    word, ready = first_line(process)
    assert word == "ready"
    assert ready["pid"] == process.pid
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert stderr == ""
    assert not Path(ready["socket"]).exists()
    modes = {p.name: p.stat().st_mode & 0o777 for p in tmp_path.iterdir() if p.suffix != ".toml"}
    assert all(mode in (0o600, 0o700) for mode in modes.values()), modes


def test_it_keeps_its_identity_after_kill_9(start: Start, tmp_path: Path) -> None:
    write_config(tmp_path, free_port())
    first = start(tmp_path)
    _, ready = first_line(first)
    first.kill()
    first.wait()
    assert first_line(start(tmp_path))[1]["node"] == ready["node"]


def test_a_port_in_use(start: Start, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.1.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        write_config(tmp_path, port)
        error = failure(start(tmp_path))
    assert error["exit_code"] == 9
    assert str(port) in error["message"]
    assert error["hint"]


def test_an_address_of_another_machine(start: Start, tmp_path: Path) -> None:
    write_config(tmp_path, 9)
    text = (tmp_path / "config.toml").read_text().replace("127.1.0.1", "203.0.113.1")
    (tmp_path / "config.toml").write_text(text)
    assert failure(start(tmp_path))["exit_code"] == 2


def test_two_nodes_on_one_home(start: Start, tmp_path: Path) -> None:
    write_config(tmp_path, free_port())
    first_line(start(tmp_path))
    error = failure(start(tmp_path))
    assert error["code"] == "store_locked"
    assert error["exit_code"] == 3


def test_another_key_file(start: Start, tmp_path: Path) -> None:
    write_config(tmp_path, free_port())
    first = start(tmp_path)
    first_line(first)
    first.terminate()
    first.wait()
    (tmp_path / "key").write_text("00" * 32)
    error = failure(start(tmp_path))
    assert error["code"] == "wrong_passphrase"
    assert "not changed" in error["kept"]


def test_a_passphrase_from_a_file_and_a_wrong_one(start: Start, tmp_path: Path) -> None:
    home = tmp_path / "home"
    write_config(home, free_port(), store="")
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("correct horse\n")
    wrong.write_text("battery staple\n")
    first = start(home, PEER2PROMPT_PASSPHRASE_FILE=str(right))
    assert first_line(first)[0] == "ready"
    first.terminate()
    first.wait()
    error = failure(start(home, PEER2PROMPT_PASSPHRASE_FILE=str(wrong)))
    assert error["exit_code"] == 3
    assert "horse" not in json.dumps(error)
    assert "staple" not in json.dumps(error)


def test_no_secret_at_all(start: Start, tmp_path: Path) -> None:
    write_config(tmp_path, free_port(), store="")
    error = failure(start(tmp_path, PEER2PROMPT_PASSPHRASE_FILE=""))
    assert error["exit_code"] == 2
    assert "PEER2PROMPT_PASSPHRASE_FILE" in error["hint"]


def test_a_mistake_in_the_settings(start: Start, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('rolls = ["relay"]')
    assert "rolls" in failure(start(tmp_path))["message"]


def test_a_foreign_file_in_place_of_the_store(start: Start, tmp_path: Path) -> None:
    write_config(tmp_path, free_port())
    (tmp_path / "store.db").write_bytes(b"SQLite format 3\0" + bytes(4_080))
    error = failure(start(tmp_path))
    assert error["code"] == "store_foreign"
    assert (tmp_path / "store.db").read_bytes()[:6] == b"SQLite"


def test_it_ends_when_its_parent_is_gone(start: Start, tmp_path: Path) -> None:
    write_config(tmp_path, free_port())
    process = start(tmp_path, PEER2PROMPT_PARENT_PID="1")
    assert first_line(process)[0] == "ready"
    process.wait(timeout=PATIENCE_S)
    assert process.returncode == 0
