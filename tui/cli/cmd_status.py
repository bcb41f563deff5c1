"""`peer2prompt status`: how the node is doing."""

from __future__ import annotations

import argparse

from engine.control.protocol.node import Status
from tui.cli import style
from tui.cli.call import call, call_as, print_json


def run(args: argparse.Namespace) -> int:
    """Print the node's state in names and values."""
    if args.json:
        print_json(call(args, "status"))
        return 0
    status = call_as(args, Status, "status")
    relays, ghosts = status.relays_known, status.ghosts_known
    wallet = None if status.wallet_sat is None else f"{status.wallet_sat} sat"
    guard = None if status.guard_age_s is None else style.age(status.guard_age_s)
    last = None if status.last_cost_msat is None else style.sat(status.last_cost_msat)
    banned = f" ({status.ghosts_quarantined} in quarantine)" if status.ghosts_quarantined else ""
    style.facts(
        [
            ("node", f"{status.node}  ({', '.join(status.roles)})"),
            ("version", status.version),
            ("up for", style.age(status.uptime_s)),
            ("home", status.home),
            ("process", status.pid),
            ("store", status.store),
            ("wallet", wallet),
            ("network", f"knows {_count(relays, 'relay')}, {_count(ghosts, 'ghost')}{banned}"),
            ("circuits", f"{status.circuits_open} open"),
            ("mailboxes", _mailboxes(status)),
            ("path set", f"{status.set_size} relays"),
            ("guard", status.guard),
            ("guard age", guard),
            ("tier", status.tier),
            ("shape", _shape(status)),
            ("shape leaks", status.shape_leak_bound),
            ("last message", last),
        ]
    )
    for warning in status.warnings:
        print(f"warning: {style.clean(warning)}")
    return 0


def _mailboxes(status: Status) -> str | None:
    kept = status.mailboxes
    if kept is None:
        return None
    return (
        f"{kept.boxes} boxes, {kept.slots} slots; packets: {kept.packets_held} held, "
        f"{kept.packets_passed} passed on, {kept.packets_dropped} dropped"
    )


def _shape(status: Status) -> str:
    tick = f", a cell every {status.tick_ms} ms" if status.tick_ms else ""
    return f"{status.shape_class}{tick}"


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"
