"""Copying, with an honest word about how it was done.

Inside tmux `tmux load-buffer -w` is what works with default settings; elsewhere OSC 52 is. A
terminal never confirms OSC 52, so the words say "asked", not "copied".
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable

TMUX_TIMEOUT_S = 3.0
OSC52_LIMIT = 74_000  # terminals drop longer sequences without a word


def copy(text: str, what: str, osc52: Callable[[str], None]) -> tuple[str, bool]:
    """Copy and say what was done. False when nothing was."""
    if os.environ.get("TMUX") and (tmux := shutil.which("tmux")):
        try:
            done = subprocess.run(
                [tmux, "load-buffer", "-w", "-"],
                input=text.encode(),
                capture_output=True,
                check=False,
                timeout=TMUX_TIMEOUT_S,
            )
        except (OSError, subprocess.TimeoutExpired):
            done = None
        if done is not None and done.returncode == 0:
            return f"{what} is in tmux's buffer, and tmux passed it on to the terminal.", True
    if len(text.encode()) > OSC52_LIMIT:
        return f"{what} is too long for the terminal's clipboard. Nothing was copied.", False
    osc52(text)
    return f"{what}: asked the terminal to copy it (OSC 52). Some terminals ignore that.", True
