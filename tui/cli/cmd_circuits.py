"""`peer2prompt circuits`: the open circuits, and a way to have new ones."""

from __future__ import annotations

import argparse
from typing import Any

from engine.control.client import ControlClient
from engine.control.protocol import Circuit
from tui.cli import style
from tui.cli.call import print_json, with_node

_HEADINGS = ("circuit", "for", "state", "hops", "age", "cells up/down", "rtt ms", "shape")


def run(args: argparse.Namespace) -> int:
    """Print each circuit on one line, after replacing them when asked to."""

    async def work(client: ControlClient) -> tuple[Any, list[Circuit]]:
        if args.rotate:
            await client.call("circuit.rotate")
        if args.json:
            return await client.call("circuits"), []
        return None, await client.call_as(list[Circuit], "circuits")

    plain, circuits = with_node(args, work)
    if args.json:
        print_json(plain)
        return 0
    rows = [
        (
            circuit.circuit_id,
            circuit.purpose,
            circuit.state,
            " > ".join(f"{hop.role} {hop.id}" for hop in circuit.hops),
            style.age(circuit.age_s),
            f"{circuit.cells_up}/{circuit.cells_down}",
            None if circuit.rtt_ms is None else round(circuit.rtt_ms, 1),
            circuit.shape_class,
        )
        for circuit in circuits
    ]
    style.table(_HEADINGS, rows, empty="No circuit is open.")
    return 0
