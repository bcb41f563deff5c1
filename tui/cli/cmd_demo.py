"""`peer2prompt demo`: hands over to the demo."""

from __future__ import annotations

import argparse


def run(args: argparse.Namespace) -> int:
    """Run the local network and the screen or the one question."""
    from tui.demo.main import run_demo

    return int(run_demo(args))
