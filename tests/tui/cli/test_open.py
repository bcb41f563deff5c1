"""Opening the screen and becoming a node: who is started, who is stopped, what is passed on."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.control.listen import control_listener
from engine.control.paths import control_socket
from tui.cli import cmd_node, cmd_open
from tui.cli.main import main

pytestmark = pytest.mark.usefixtures("scene")


@pytest.fixture
def scene(home: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The screen and the node replaced by notes of what was done to them."""
    notes = SimpleNamespace(home=home, done=[], node_options={})

    @contextlib.contextmanager
    def running_node(at: Path, **options: Any) -> Iterator[None]:
        assert at == home
        notes.node_options = options
        notes.done.append("node up")
        yield
        notes.done.append("node down")

    def run_tui(path: Path, *, theme: str | None = None) -> int:
        notes.done.append(f"screen {path.name} {theme}")
        return 5

    monkeypatch.setenv("PEER2PROMPT_HOME", str(home))
    monkeypatch.setattr(cmd_open, "running_node", running_node)
    monkeypatch.setattr(cmd_open, "passphrase_for", lambda _home, _config: "secret")
    monkeypatch.setattr(cmd_open, "_end_cleanly_on_signals", lambda: None)
    monkeypatch.setitem(sys.modules, "tui.app.main", SimpleNamespace(run_tui=run_tui))
    return notes


def test_a_node_is_started_for_the_screen_and_stopped(scene: SimpleNamespace) -> None:
    assert main(["--theme", "paper"]) == 5
    assert scene.done == ["node up", "screen control.sock paper", "node down"]
    assert scene.node_options == {"passphrase": "secret", "keep": False}
    assert main(["--keep-node"]) == 5
    assert scene.node_options["keep"] is True


def test_a_running_node_is_used(scene: SimpleNamespace) -> None:
    import trio

    async def with_listener() -> None:
        with control_listener(control_socket(scene.home)):
            assert await trio.to_thread.run_sync(main, []) == 5
            assert await trio.to_thread.run_sync(main, ["attach", "--theme", "midnight"]) == 5

    trio.run(with_listener)
    assert scene.done == ["screen control.sock None", "screen control.sock midnight"]


def test_attach_starts_nothing(scene: SimpleNamespace, capsys: Any) -> None:
    assert main(["attach"]) == 8
    assert scene.done == []
    assert "peer2prompt node" in capsys.readouterr().err


def test_the_screen_has_no_json(scene: SimpleNamespace, capsys: Any) -> None:
    assert main(["--json"]) == 2
    assert '"usage"' in capsys.readouterr().out
    assert scene.done == []


def test_node_becomes_the_engine(scene: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(cmd_node, "passphrase_for", lambda _home, _config: None)
    monkeypatch.setattr(os, "execv", lambda _path, argv: ran.append(argv))
    with contextlib.suppress(TypeError):
        main(["node", "--config", "c.toml", "--passphrase-fd", "7"])
    assert ran[0][1:4] == ["-P", "-m", "engine"]
    assert ran[0][4:] == ["--home", str(scene.home), "--config", "c.toml", "--passphrase-fd", "7"]


def test_node_hands_a_typed_passphrase_over_a_pipe(
    scene: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cmd_node, "passphrase_for", lambda _home, _config: "sesame")

    def execv(_path: str, argv: list[str]) -> None:
        assert "sesame" not in " ".join(argv) + repr(os.environ)
        reader = int(argv[argv.index("--passphrase-fd") + 1])
        assert os.get_inheritable(reader)
        assert os.read(reader, 100) == b"sesame"
        os.close(reader)
        raise InterruptedError

    monkeypatch.setattr(os, "execv", execv)
    args = argparse.Namespace(home=scene.home, config=None, rest=[])
    with pytest.raises(InterruptedError):
        cmd_node.run(args)
