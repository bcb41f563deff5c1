"""A real terminal for tests: a tmux server of its own with one window running a shell."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
OTHERS = ("TMUX", "NO_COLOR", "COLUMNS", "LINES")
"""Of this process: the window has a terminal and a size of its own."""


class Terminal:
    """Keys go in, the text of the window comes out. `more` adds to the shell's environment."""

    def __init__(
        self, folder: Path, size: tuple[int, int] = (80, 24), name: str = "tmux", **more: str
    ) -> None:
        self.folder = folder
        self.socket = folder / f"{name}.sock"
        environment = {k: v for k, v in os.environ.items() if k not in OTHERS}
        environment |= {"PEER2PROMPT_HOME": str(folder), "PYTHONPATH": str(ROOT), "PS1": "$ "}
        self._environment = environment | more
        width, height = (str(number) for number in size)
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", width, "-y", height, "sh")

    def tmux(self, *arguments: str) -> str:
        command = ["tmux", "-S", str(self.socket), *arguments]
        done = subprocess.run(
            command,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        return done.stdout

    def type(self, text: str) -> None:
        self.put(text)
        self.press("Enter")

    def put(self, text: str) -> None:
        """Type without Enter."""
        self.tmux("send-keys", "-l", text)

    def press(self, *keys: str) -> None:
        """Keys by tmux's names: Enter, C-q, F3."""
        self.tmux("send-keys", *keys)

    def seen(self) -> str:
        return self.tmux("capture-pane", "-p")

    def is_clean(self) -> bool:
        """Out of the alternate screen, the mouse released, the cursor back, the shell answering."""
        flags = self.tmux("display", "-p", "#{alternate_on} #{mouse_any_flag} #{cursor_flag}")
        return flags.split() == ["0", "0", "1"]

    def until(self, true: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
        pause, deadline = threading.Event(), time.monotonic() + patience_s
        while not true():
            if time.monotonic() > deadline:
                pytest.fail(f"did not happen: {what}\n{self.seen()}")
            pause.wait(0.05)

    def until_seen(self, words: str, patience_s: float = PATIENCE_S) -> None:
        self.until(lambda: words in self.seen(), words, patience_s)

    def close(self) -> None:
        """Hang up: everything in the window gets SIGHUP."""
        self.tmux("kill-server")
