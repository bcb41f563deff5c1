"""`peer2prompt traffic`: what the node sent and received, by traffic shape and over its links."""

from __future__ import annotations

import argparse

from engine.control.protocol.circuits import (
    ClassTraffic,
    CoverInfo,
    DayTraffic,
    LinkTraffic,
    RelayTraffic,
    Traffic,
)
from tui.cli import style
from tui.cli.call import call, call_as, print_json
from tui.sizes import data_size

_HEADINGS = ("shape", "open", "cells up", "cells down", "bytes up", "bytes down", "dummies")


def run(args: argparse.Namespace) -> int:
    """Print sums since the node started."""
    if args.json:
        print_json(call(args, "traffic"))
        return 0
    traffic = call_as(args, Traffic, "traffic")
    if traffic.links is not None:
        rows = [_row(one) for one in traffic.classes]
        style.table(_HEADINGS, rows, empty="No circuit has carried anything yet.")
        style.facts([("links", _links(traffic.links)), ("cover", _cover(traffic.cover))])
    if traffic.relay is not None:
        style.facts(_relay(traffic.relay))
    if traffic.days:
        roles = sorted({role for day in traffic.days for role in day.mib})
        headings = ("day (UTC)", *(f"{role} MiB" for role in roles), "circuits")
        style.table(headings, [_day(day, roles) for day in traffic.days], empty="")
    return 0


def _day(day: DayTraffic, roles: list[str]) -> tuple[object, ...]:
    return (day.day, *(day.mib.get(role, 0) for role in roles), f"{day.circuits:,}")


def _row(one: ClassTraffic) -> tuple[object, ...]:
    share = None if one.padding_share is None else f"{100 * one.padding_share:.0f} %"
    return (
        one.shape,
        one.circuits,
        one.cells_up,
        one.cells_down,
        data_size(one.bytes_up),
        data_size(one.bytes_down),
        share,
    )


def _links(links: LinkTraffic) -> str:
    return (
        f"{links.links} open, {data_size(links.bytes_out)} up ({links.padding_out} padding cells), "
        f"{data_size(links.bytes_in)} down ({links.padding_in} padding cells)"
    )


def _cover(cover: CoverInfo | None) -> str:
    if cover is None or not cover.enabled:
        return "off; [cover] in config.toml turns talks that nobody has on"
    return (
        f"about {cover.per_hour:.0f} talks an hour that nobody has, at most "
        f"{data_size(cover.bytes_per_hour)} an hour; {cover.talks} so far, "
        f"{data_size(cover.bytes_spent)}"
    )


def _relay(relay: RelayTraffic) -> list[tuple[str, object]]:
    return [
        ("relayed for others", f"{relay.cells_forward:,} cells out, {relay.cells_backward:,} back"),
        ("circuits", f"{relay.circuits} open, {relay.circuits_created:,} in all"),
        ("refused", f"{relay.circuits_refused:,} circuits, {relay.cells_rejected:,} cells"),
        ("relay links", _links(relay.links)),
        ("served here", data_size(relay.served_bytes)),
        ("queued data", f"{data_size(relay.memory_bytes)} of {data_size(relay.memory_budget)}"),
        ("under load", _load(relay)),
    ]


def _load(relay: RelayTraffic) -> str:
    """What the relay does against floods now, and has done."""
    now = f"asks {relay.work_bits} bits of work of everybody" if relay.work_bits else "calm"
    if relay.draining:
        now = "shutting down, takes no new circuits"
    return (
        f"{now}; {relay.creates_waiting} circuits wait, work was asked for {relay.work_asked:,} "
        f"times, {relay.handshakes_refused:,} links refused, "
        f"{relay.out_of_memory:,} circuits ended for memory"
    )
