"""The demo: a whole Peer2Prompt network as separate processes on one machine.

It only starts, watches and stops processes and talks to nodes over their control sockets; it knows
nothing of circuits or ecash. `run_demo` is the way in.
"""

from __future__ import annotations

import argparse


def run_demo(args: argparse.Namespace) -> int:
    """Run the demo as the options say and return the exit code."""
    from tui.demo.main import run_demo as run

    return run(args)
