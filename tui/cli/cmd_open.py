"""`peer2prompt` and `peer2prompt attach`: the screen, on a running node or on one of its own."""

from __future__ import annotations

import argparse
import signal
import socket
import sys
from pathlib import Path
from types import FrameType

from tui.cli.call import home_of, socket_of
from tui.cli.failures import NODE, CliError, usage
from tui.cli.nodeproc import running_node
from tui.cli.storekey import passphrase_for


def run(args: argparse.Namespace) -> int:
    """Open the screen; start a node for it when none runs, and stop that one afterwards."""
    _need_screen(args)
    path = socket_of(args)
    if _answers(path):
        return _screen(path, args.theme)
    home = home_of(args)
    passphrase = passphrase_for(home, None)
    _end_cleanly_on_signals()
    print("Starting a node ...", file=sys.stderr)
    with running_node(home, passphrase=passphrase, keep=args.keep_node):
        return _screen(path, args.theme)


def attach(args: argparse.Namespace) -> int:
    """Open the screen on the running node only."""
    _need_screen(args)
    return _screen(need_node(args), args.theme)


def need_node(args: argparse.Namespace) -> Path:
    """The socket of the running node. Raises `CliError` when none runs."""
    path = socket_of(args)
    if not _answers(path):
        raise CliError(
            "No Peer2Prompt node is running here.",
            code="node_not_running",
            exit_code=NODE,
            hint="Start one with `peer2prompt node`, or use `peer2prompt` alone.",
        )
    return path


def _need_screen(args: argparse.Namespace) -> None:
    if args.json:
        raise usage(
            "The screen has no --json.", hint="Use `peer2prompt status --json` or `ask --json`."
        )


def _screen(path: Path, theme: str | None) -> int:
    from tui.app.main import run_tui

    return run_tui(path, theme=theme)


def _answers(path: Path) -> bool:
    """Whether somebody listens on the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _end_cleanly_on_signals() -> None:
    """A closed terminal or a SIGTERM still stops the node that was started here."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
