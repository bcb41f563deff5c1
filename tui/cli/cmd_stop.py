"""`peer2prompt stop`: ends the running node and waits until it is gone."""

from __future__ import annotations

import argparse

import anyio

from engine.control.client import ControlClient, ControlClosed
from tui.cli.call import print_json, with_node
from tui.cli.failures import NODE, CliError

_MARGIN_S = 15.0
"""How long after the drain time the node may take to close its store and its links."""


def run(args: argparse.Namespace) -> int:
    """Ask the node to stop; its closing the link says that it has."""

    async def work(client: ControlClient) -> bool:
        try:
            await client.call("stop", drain_s=args.drain, patient=True)
        except ControlClosed:
            return True
        with anyio.move_on_after(args.drain + _MARGIN_S):
            await client.wait_closed()
        return client.closed

    if not with_node(args, work):
        raise CliError(
            "The node was told to stop and has not finished yet.",
            code="still_stopping",
            exit_code=NODE,
            kept="It is still letting open answers end.",
            hint="Look again with `peer2prompt status`.",
        )
    print_json({"stopped": True}) if args.json else print("The node has stopped.")
    return 0
