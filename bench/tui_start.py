"""Time from starting the screen to its first paint, beside a minimal Textual app.

Both run in a pseudo-terminal of their own, in turn, and are ended after the paint. A run is timed
from the start of the process until a word of its own stands on the terminal.

    python bench/tui_start.py --json
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 30.0
MINIMAL = """
from textual.app import App
from textual.widgets import Static
class Minimal(App):
    def compose(self):
        yield Static("first paint")
Minimal().run()
"""
SCREEN = """
import sys
from pathlib import Path
from tui.app.main import run_tui
sys.exit(run_tui(Path(sys.argv[1])))
"""


def first_paint_s(code: str, word: bytes, folder: Path) -> float:
    """Seconds from the start of the process to `word` on its terminal."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {
        **os.environ,
        "TERM": "xterm-256color",
        "PEER2PROMPT_HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        # Both run from compiled modules, as an installed program does; the first pair makes them.
        "PYTHONPYCACHEPREFIX": str(folder / "compiled"),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder / "none.sock")],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment,
        cwd=ROOT,
        start_new_session=True,
    )
    os.close(slave)
    try:
        return _until(master, word) - started
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        os.close(master)


def _until(master: int, word: bytes) -> float:
    seen = b""
    deadline = time.perf_counter() + PATIENCE_S
    while time.perf_counter() < deadline:
        if not select.select([master], [], [], 1.0)[0]:
            continue
        seen += os.read(master, 65536)
        if word in seen:
            return time.perf_counter()
    raise SystemExit(f"{word!r} was not painted within {PATIENCE_S:.0f} s")


def measure(runs: int) -> dict[str, float | int]:
    """Medians of both, taken in turn so that a busy machine is busy for both."""
    ours: list[float] = []
    minimal: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(runs + 1):
            pair = (
                first_paint_s(MINIMAL, b"first paint", folder),
                first_paint_s(SCREEN, b"Earnings", folder),
            )
            if number:  # the first pair compiles the modules and warms the disk's caches
                minimal.append(pair[0])
                ours.append(pair[1])
    return {
        "ratio": round(statistics.median(ours) / statistics.median(minimal), 3),
        "ours_ms": round(1000 * statistics.median(ours), 1),
        "minimal_ms": round(1000 * statistics.median(minimal), 1),
        "runs": runs,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=7, help="pairs to time (default 7)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    result = measure(max(1, options.runs))
    if options.json:
        print(json.dumps(result))
    else:
        print(
            f"first paint after {result['ours_ms']} ms, a minimal Textual app after "
            f"{result['minimal_ms']} ms: {result['ratio']} times (median of {result['runs']})"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
