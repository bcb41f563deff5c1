"""`peer2prompt network`: the relays and ghosts this node knows, by short id."""

from __future__ import annotations

import argparse

from engine.control.protocol import Network
from tui.cli import style
from tui.cli.call import call, call_as, print_json


def run(args: argparse.Namespace) -> int:
    """Print the known nodes and what is wrong with the directory."""
    if args.json:
        print_json(call(args, "network"))
        return 0
    network = call_as(args, Network, "network")
    known = {node.id: node for node in [*network.relays, *network.ghosts]}
    rows = [(node.id, ", ".join(node.roles), style.age(node.age_s)) for node in known.values()]
    style.table(("node", "roles", "advert age"), rows, empty="No other node is known.")
    if network.directory.source:
        print(f"directory: {style.clean(network.directory.source)}")
    for error in network.directory.errors:
        print(f"directory: {style.clean(error)}")
    return 0
