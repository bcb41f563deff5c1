"""Phrases for the lines of `peer2prompt status`; None where there is nothing to say."""

from __future__ import annotations

from collections.abc import Sequence

from engine.control.protocol.api import ApiStatus
from engine.control.protocol.circuits import RelayTraffic
from engine.control.protocol.ghost import GhostStatus
from engine.control.protocol.network import ReachInfo
from engine.control.protocol.overview import LogInfo, Overview
from engine.control.protocol.roles import Draining
from engine.control.protocol.wallet import MintInfo
from tui.cli import style


def draining(found: Draining | None) -> str | None:
    """What a node that ends still waits for."""
    if found is None:
        return None
    return (
        f"in {style.age(found.left_s)} at the latest; still "
        f"{style.many(found.questions, 'question')}, "
        f"{style.many(found.answers, 'answer')}, {style.many(found.circuits, 'circuit')}"
    )


def log(found: LogInfo) -> str | None:
    """Where it goes, and whether there is something to read in it."""
    if not found.to:
        return None
    errors, warnings = style.many(found.errors, "error"), style.many(found.warnings, "warning")
    return f"{found.to}  ({errors}, {warnings} since the start)"


def reach(found: ReachInfo | None) -> str | None:
    """The address that others use, and whether it works."""
    if found is None:
        return None
    return f"{found.address or 'none yet'}  ({found.state})"


def relay(found: RelayTraffic | None) -> str | None:
    """What goes through for others."""
    if found is None:
        return None
    busy = f"; new circuits must bring work ({found.work_bits} bits)" if found.work_bits else ""
    return (
        f"{style.many(found.circuits, 'circuit')}, {style.many(found.links.links, 'link')}, "
        f"{found.circuits_created} made since the start, {found.circuits_refused} refused{busy}"
    )


def ghost(found: GhostStatus | None) -> str | None:
    """What is answered now, and how full it is."""
    if found is None:
        return None
    state = "paused" if found.paused else "serving"
    models = ", ".join(style.clean(model) for model in found.models) or "no model"
    return (
        f"{state} {models}; {style.many(found.running, 'answer')} running, {found.waiting} "
        f"waiting, {style.many(found.sessions_open, 'session')}"
    )


def mints(found: Sequence[MintInfo]) -> str | None:
    """How many mints answer, and which do not."""
    if not found:
        return None
    silent = [style.one_line(mint.url, 60) for mint in found if not mint.healthy]
    bad = f"; no answer from {', '.join(silent)}" if silent else ""
    return f"{len(found) - len(silent)} of {len(found)} answer{bad}"


def guard(found: Overview) -> str | None:
    """The guard in use, how long it is kept, and how many others stand by."""
    if found.guard is None:
        return None
    age = f", {style.age(found.guard_age_s)} old" if found.guard_age_s is not None else ""
    others = sum(1 for one in found.guards if one.state == "primary" and one.reachable)
    return f"{found.guard}{age}; {others} others stand by" if found.guards else found.guard + age


def shape(label: str, tick_ms: int) -> str:
    """The traffic shape of chats."""
    return f"{label}, a cell every {tick_ms} ms" if tick_ms else label


def api(found: ApiStatus | None) -> str | None:
    """Whether other programs can ask, and how busy they are."""
    if found is None:
        return None
    if not found.on:
        return "off"
    return f"{found.socket or found.url}  ({found.under_way} under way, {found.asked} asked)"
