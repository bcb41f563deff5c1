"""Time from starting the screen to its first paint, beside a minimal Textual app.

Both run in a pseudo-terminal of their own, in turn, and are ended after the paint. A run is timed
from the start of the process until a word of its own stands on the terminal.

    python -m bench.tui_start --json
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.tui_terminal import ROOT, PtyProgram

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


def first_paint_s(code: str, word: str, folder: Path) -> float:
    """Seconds from the start of the process to `word` on its terminal."""
    environment = {
        **os.environ,
        "TERM": "xterm-256color",
        "PEER2PROMPT_HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        # Both run from compiled modules, as an installed program does; the first pair makes them.
        "PYTHONPYCACHEPREFIX": str(folder / "compiled"),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    argv = [sys.executable, "-c", code, str(folder / "none.sock")]
    with PtyProgram(argv, environment, 80, 24) as program:
        return program.until(word) - program.started


def measure(runs: int) -> dict[str, float | int]:
    """Medians of both, taken in turn so that a busy machine is busy for both."""
    ours: list[float] = []
    minimal: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(runs + 1):
            pair = (
                first_paint_s(MINIMAL, "first paint", folder),
                first_paint_s(SCREEN, "Earnings", folder),
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
