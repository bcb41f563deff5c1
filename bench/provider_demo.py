"""Runs a demo whose ghosts answer from `bench.provider`: for measurements of whole answers."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bench.ours import read_line
from bench.processes import Children, free_port
from tui.demo.main import Demo

D = TypeVar("D", bound=Demo)
_ROOT = Path(__file__).resolve().parent.parent


def run_demo(name: str, make: Callable[[int], D]) -> D:
    """Start the provider and the demo that `make` gives for its port, stop both when the demo is
    over. Returns the demo with what it found."""
    with tempfile.TemporaryDirectory(prefix=f"{name}-") as folder, Children() as children:
        port = free_port("127.0.0.1")
        provider = children.start(
            [sys.executable, "-m", "bench.provider", str(port)],
            log=Path(folder) / "provider.log",
            cwd=_ROOT,
        )
        read_line(provider, 20.0, "ready")
        demo = make(port)
        try:
            demo.run()
        finally:
            demo.hurry()
            demo.stop()
        return demo
