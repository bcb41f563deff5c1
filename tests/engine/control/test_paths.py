"""Where the state and the socket lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.control.paths import MAX_SOCKET_PATH, control_socket, default_home


def test_home_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PEER2PROMPT_HOME", str(tmp_path))
    assert default_home() == tmp_path


def test_home_of_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PEER2PROMPT_HOME", raising=False)
    assert default_home().name == "peer2prompt"


def test_a_short_home_holds_its_socket() -> None:
    assert control_socket("/h") == Path("/h/run/control.sock")


def test_relative_and_absolute_names_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert control_socket("srv/p2p") == control_socket("/srv/p2p") == control_socket("/srv/./p2p")


@pytest.mark.parametrize("runtime", ["", "/run/user/1000", "/" + "r" * 120, "relative"])
def test_a_long_home_gets_a_short_private_name(
    monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    home = "/h" + "o" * 120
    path = control_socket(home)
    assert path == control_socket(home)
    assert path != control_socket(home + "x")
    assert path.is_absolute()
    assert path.parent.name == f"peer2prompt-{os.getuid()}"
    assert len(os.fsencode(path)) <= MAX_SOCKET_PATH
    assert path.is_relative_to(runtime) == (runtime == "/run/user/1000")
