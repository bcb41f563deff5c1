"""The screen in a real terminal (tmux): starting, leaving, signals, copying, the editor."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import tmux
from tests.helpers.patience import PATIENCE_S
from tests.helpers.scripted_node import ScriptedNode

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Terminal(tmux.Terminal):
    """A terminal that opens the screen on a socket in its folder."""

    def run_screen(self) -> None:
        code = (
            "import os,sys;from pathlib import Path;from tui.app.main import run_tui;"
            "Path(sys.argv[2]).write_text(str(os.getpid()));sys.exit(run_tui(Path(sys.argv[1])))"
        )
        words = [sys.executable, "-c", f'"{code}"', self.folder / "c.sock", self.folder / "pid"]
        self.type(" ".join(map(str, words)) + '; echo "left $?"')
        self.until(lambda: "F2 Chat" in self.seen(), "first paint")

    def pid(self) -> int:
        return int((self.folder / "pid").read_text())


@pytest.fixture
def terminal(folder: Path) -> Iterator[Terminal]:
    opened = Terminal(folder)
    yield opened
    opened.close()


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] == "Z"


def test_leaving_gives_the_terminal_back(terminal: Terminal) -> None:
    terminal.run_screen()
    terminal.tmux("send-keys", "C-q")
    terminal.until(lambda: "left 0" in terminal.seen(), "left")
    assert terminal.is_clean()
    terminal.type("echo sti''ll here")
    terminal.until(lambda: "still here" in terminal.seen(), "echo works")


@pytest.mark.parametrize("name", ["TERM", "HUP"])
def test_signals_end_it_in_order(terminal: Terminal, name: str) -> None:
    terminal.run_screen()
    terminal.until(lambda: "not connected" in terminal.seen(), "running")
    subprocess.run(["kill", f"-{name}", str(terminal.pid())], check=True)
    terminal.until(lambda: "left 130" in terminal.seen(), "left")
    assert terminal.is_clean()


def test_a_closed_terminal_ends_it(terminal: Terminal) -> None:
    terminal.run_screen()
    terminal.until(lambda: "not connected" in terminal.seen(), "running")
    pid = terminal.pid()
    terminal.tmux("kill-session")
    terminal.until(lambda: _gone(pid), "gone")


def test_copying_in_tmux_reaches_its_buffer(terminal: Terminal, node: ScriptedNode) -> None:
    node.answer, node.pause_s = "The answer.", 0.0
    terminal.run_screen()
    terminal.until(lambda: "at most 20 sat" in terminal.seen(), "connected")
    terminal.type("hello")
    terminal.until(lambda: "cost 0.412 sat" in terminal.seen(), "answered")
    terminal.tmux("send-keys", "C-y")
    terminal.until(lambda: "tmux's buffer" in terminal.seen(), "said how")
    assert terminal.tmux("show-buffer") == "The answer."


def test_the_question_can_be_written_in_an_editor(terminal: Terminal, node: ScriptedNode) -> None:
    editor = terminal.folder / "editor.sh"
    editor.write_text(
        '#!/bin/sh\nprintf "%s and more" "$(cat "$1")" > "$1.new"\nmv "$1.new" "$1"\n'
    )
    editor.chmod(0o700)
    terminal.type(f"export VISUAL={editor}; clear")
    terminal.run_screen()
    terminal.until(lambda: "at most 20 sat" in terminal.seen(), "connected")
    terminal.tmux("send-keys", "-l", "short")
    terminal.until(lambda: "short" in terminal.seen(), "typed")
    terminal.tmux("send-keys", "C-g")
    terminal.until(lambda: "short and more" in terminal.seen(), "edited")
    terminal.tmux("send-keys", "Enter")
    terminal.until(lambda: bool(node.called("ask")), "asked")
    assert node.called("ask")[0]["text"] == "short and more"


def test_without_a_terminal_it_says_what_to_do(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tui.app.main", str(folder / "c.sock")],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 2
    assert "needs a real terminal" in done.stderr
    assert "Traceback" not in done.stderr
