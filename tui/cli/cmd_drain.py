"""`peer2prompt node drain | upgrade`: end the node when what runs has finished."""

from __future__ import annotations

import argparse
import time

import anyio

from engine.control.client import ControlClient, ControlClosed, NodeNotRunning
from engine.control.protocol.node import Status
from tui.cli import style
from tui.cli.call import call_as, print_json, with_node
from tui.cli.failures import NODE, CliError

_MARGIN_S = 30.0
"""How long after the waiting time the node may take to close its store and its links."""
_BACK_S = 120.0
_POLL_S = 0.2


def drain(args: argparse.Namespace) -> int:
    """Returns when the node is gone."""

    async def work(client: ControlClient) -> bool:
        try:
            await client.call("stop", drain_s=args.wait, patient=True)
        except ControlClosed:
            return True
        return await _gone(client, args.wait)

    if not with_node(args, work):
        raise _still(args)
    print_json({"stopped": True}) if args.json else print("The node has drained and ended.")
    return 0


def upgrade(args: argparse.Namespace) -> int:
    """Returns when the new program serves."""

    async def work(client: ControlClient) -> bool:
        try:
            await client.call("upgrade", wait_s=args.wait)
        except ControlClosed:
            return True
        return await _gone(client, args.wait)

    if not with_node(args, work):
        raise _still(args)
    status = _back(args)
    if args.json:
        print_json({"version": status.version, "pid": status.pid})
    else:
        print(f"Version {style.clean(status.version)} serves, in process {status.pid}.")
    return 0


async def _gone(client: ControlClient, wait_s: float) -> bool:
    with anyio.move_on_after(wait_s + _MARGIN_S):
        await client.wait_closed()
    return client.closed


def _back(args: argparse.Namespace) -> Status:
    deadline = time.monotonic() + _BACK_S
    while True:
        try:
            return call_as(args, Status, "status")
        except (NodeNotRunning, ControlClosed):
            if time.monotonic() > deadline:
                raise CliError(
                    "The old program has ended, and the new one does not answer.",
                    code="upgrade",
                    exit_code=NODE,
                    kept="Ecash and chats are in the encrypted store; a copy of it from before "
                    "an upgrade of its form lies beside it.",
                    hint="Look at the log in the home, or start it: peer2prompt node",
                ) from None
        time.sleep(_POLL_S)


def _still(args: argparse.Namespace) -> CliError:
    return CliError(
        "The node was told to end and has not finished yet.",
        code="still_stopping",
        exit_code=NODE,
        kept=f"It lets what runs finish; {args.wait:g} seconds were not enough.",
        hint="Look again with `peer2prompt status`; `peer2prompt stop` ends it at once.",
    )
