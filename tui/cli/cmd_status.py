"""`peer2prompt status`: how the node is doing, for a person, a program or a monitor."""

from __future__ import annotations

import argparse
from typing import Any

from engine.control.protocol.node import Status
from engine.control.protocol.overview import Overview
from tui.cli import style
from tui.cli.call import print_json, with_node
from tui.cli.failures import WARNED
from tui.cli.status_words import api, draining, ghost, guard, log, mints, reach, relay, shape

OLDER = frozenset({"unknown_method", "unavailable"})


def run(args: argparse.Namespace) -> int:
    """Print the node's state. With --check the exit code tells whether anything warns."""
    raw = _ask(args)
    overview = _read(raw)
    print_json(raw) if args.json else _show(overview)
    return WARNED if args.check and overview.health != "ok" else 0


def _ask(args: argparse.Namespace) -> Any:
    """The overview; a node of an earlier version answers less."""
    from engine.control.client import ControlClient, RemoteError

    async def work(client: ControlClient) -> Any:
        try:
            return await client.call("node.overview")
        except RemoteError as error:
            if error.code not in OLDER:
                raise
            return await client.call("status")

    return with_node(args, work, patience_s=args.timeout)


def _read(raw: Any) -> Overview:
    import msgspec

    found = msgspec.convert(raw, Overview)
    if "health" in raw or not found.warnings:
        return found
    return msgspec.structs.replace(found, health="warning")


def _show(found: Overview) -> None:
    relays, ghosts = found.relays_known, found.ghosts_known
    banned = f" ({found.ghosts_quarantined} in quarantine)" if found.ghosts_quarantined else ""
    known = f"{style.many(relays, 'relay')}, {style.many(ghosts, 'ghost')}"
    last = None if found.last_cost_msat is None else style.sat(found.last_cost_msat)
    spent = style.sat(found.spent_msat) if found.spent_msat else None
    style.facts(
        [
            ("node", f"{found.node}  ({', '.join(found.roles)})"),
            ("health", found.health),
            ("ending", draining(found.draining)),
            ("version", found.version),
            ("up for", style.age(found.uptime_s)),
            ("home", found.home),
            ("process", found.pid),
            ("store", found.store),
            ("log", log(found.log)),
            ("clock", found.clock.warning),
            ("address", reach(found.reach)),
            ("network", f"knows {known}{banned}"),
            ("links", f"{found.links_open} open" if found.links_open else None),
            ("circuits", f"{found.circuits_open} open"),
            ("passing on", relay(found.relay)),
            ("mailboxes", _mailboxes(found)),
            ("ghost", ghost(found.ghost)),
            ("earned", _earned(found)),
            ("wallet", None if found.wallet_sat is None else f"{found.wallet_sat} sat"),
            ("mints", mints(found.mints)),
            ("spent", spent),
            ("last message", last),
            ("guard", guard(found)),
            ("path set", f"{found.set_size} relays"),
            ("tier", found.tier),
            ("shape", shape(found.shape_class, found.tick_ms)),
            ("shape leaks", found.shape_leak_bound),
            ("local API", api(found.api)),
            ("metrics", found.metrics.socket or found.metrics.url),
        ]
    )
    for warning in found.warnings:
        print(f"warning: {style.clean(warning)}")


def _earned(found: Overview) -> str | None:
    earned = found.earnings
    if earned is None:
        return None
    answers = "answer" if earned.answers == 1 else "answers"
    return (
        f"{style.sat(earned.total_msat)} for {earned.answers} {answers}; today "
        f"{style.sat(earned.today_msat)}, in a week {style.sat(earned.week_msat)}"
    )


def _mailboxes(status: Status) -> str | None:
    kept = status.mailboxes
    if kept is None:
        return None
    return (
        f"{kept.boxes} boxes, {kept.slots} slots; packets: {kept.packets_held} held, "
        f"{kept.packets_passed} passed on, {kept.packets_dropped} dropped"
    )
