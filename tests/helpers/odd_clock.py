"""A node whose clock is wrong by what a file says (`python -m tests.helpers.odd_clock FILE ...`).

The wall clock is replaced before anything of ours is loaded, so every part of the node sees it; the
file can be written again while the node runs, as somebody sets a clock. Timers are left alone.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

_real = time.time


def set_clock(file: Path) -> None:
    """From now on `time.time` is off by the seconds in `file`."""

    def wrong() -> float:
        return _real() + float(file.read_text() or 0)

    time.time = wrong


if __name__ == "__main__":
    set_clock(Path(sys.argv.pop(1)))
    from engine.__main__ import main

    sys.exit(main())
