"""The raw numbers behind the metrics: from one look at the node, from the process, from the log."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterable, Iterator
from pathlib import Path

from engine.control.protocol.circuits import LinkTraffic, RelayTraffic
from engine.control.protocol.earnings import Earnings
from engine.control.protocol.ghost import GhostStatus
from engine.log import said
from engine.metrics.families import REFUSALS
from engine.metrics.snapshot import Figure
from engine.overview import Seen

_STATM = Path("/proc/self/statm")
_DESCRIPTORS = Path("/proc/self/fd")
_MSAT = 1_000


def of_node(seen: Seen, spent_msat: int | None) -> Iterator[Figure]:
    """What the node's own methods say."""
    status, traffic = seen.status, seen.traffic
    yield Figure("uptime_seconds", status.uptime_s)
    yield Figure("draining", float(status.state == "draining"))
    yield Figure("clock_off_seconds", abs(status.clock_off_s))
    yield Figure("warnings", len(status.warnings))
    yield Figure("nodes_known", status.relays_known, ("relay",))
    yield Figure("nodes_known", status.ghosts_known, ("ghost",))
    directory = seen.network.directory
    if directory is not None and directory.reach is not None:
        yield Figure("reachable", float(directory.reach.state in ("reachable", "set")))
    if traffic.relay is not None:
        yield from _relay(traffic.relay)
    if status.mailboxes is not None:
        kept = status.mailboxes
        yield Figure("mailbox_slots", kept.slots)
        yield Figure("mailbox_packets_total", kept.packets_passed, ("passed",))
        yield Figure("mailbox_packets_total", kept.packets_boxed, ("boxed",))
        yield Figure("mailbox_packets_total", kept.packets_dropped, ("dropped",))
    if seen.ghost is not None and seen.earnings is not None:
        yield from _ghost(seen.ghost, seen.earnings)
    if "client" in status.roles:
        yield from _client(seen, spent_msat)


def of_process(store: Path, lag_s: float) -> Iterator[Figure]:
    """What the system says of this process and of its store."""
    with contextlib.suppress(OSError):
        pages = int(_STATM.read_text("ascii").split()[1])
        yield Figure("memory_bytes", pages * resource.getpagesize())
    with contextlib.suppress(OSError):
        yield Figure("open_files", len(os.listdir(_DESCRIPTORS)))
    yield Figure("loop_lag_seconds", lag_s)
    yield Figure("store_bytes", _size(store))


def of_log() -> Iterator[Figure]:
    """How often the log warned, and of what."""
    for name, times in said.loud.items():
        yield Figure("events_total", times, (name,))
    for code, times in said.codes.items():
        yield Figure("errors_total", times, (code,))


def _relay(relay: RelayTraffic) -> Iterator[Figure]:
    yield Figure("relay_circuits", relay.circuits)
    yield Figure("relay_circuits_total", relay.circuits_created, ("made",))
    yield Figure("relay_circuits_total", relay.circuits_refused, ("refused",))
    yield Figure("relay_cells_total", relay.cells_forward, ("forward",))
    yield Figure("relay_cells_total", relay.cells_backward, ("backward",))
    yield Figure("relay_cells_rejected_total", relay.cells_rejected)
    yield Figure("relay_links", relay.links.links)
    yield from _bytes("relay_link_bytes_total", relay.links)
    yield Figure("exit_bytes_total", relay.served_bytes)
    yield Figure("relay_queue_bytes", relay.memory_bytes)
    yield Figure("relay_queue_limit_bytes", relay.memory_budget)
    yield Figure("relay_circuits_killed_total", relay.out_of_memory)
    yield Figure("handshakes_refused_total", relay.handshakes_refused)
    yield Figure("work_bits", relay.work_bits)


def _ghost(ghost: GhostStatus, earnings: Earnings) -> Iterator[Figure]:
    yield Figure("ghost_sessions", ghost.sessions_open)
    yield Figure("ghost_questions", ghost.running, ("running",))
    yield Figure("ghost_questions", ghost.waiting, ("waiting",))
    yield Figure("ghost_paused", float(ghost.paused))
    yield Figure("ghost_answers_total", earnings.answers)
    yield Figure("ghost_earned_sat_total", earnings.total_msat / _MSAT)
    yield Figure("ghost_cost_sat_total", earnings.cost_msat / _MSAT)
    for code, times in earnings.refusals.items():
        yield Figure("ghost_refusals_total", times, (_refusal(code),))
    failing = [bool(upstream.failure) for upstream in ghost.upstreams]
    yield Figure("ghost_upstreams_failing_percent", _percent(failing))


def _client(seen: Seen, spent_msat: int | None) -> Iterator[Figure]:
    relayed = seen.traffic.relay.circuits if seen.traffic.relay is not None else 0
    yield Figure("client_circuits", max(0, seen.status.circuits_open - relayed))
    if seen.traffic.links is not None:
        yield from _bytes("client_link_bytes_total", seen.traffic.links)
    if seen.network.paths is not None:
        in_use = [guard for guard in seen.network.paths.guards if guard.state == "in use"]
        yield Figure("client_guard_reachable", float(any(guard.reachable for guard in in_use)))
    if seen.balance is not None:
        yield Figure("wallet_sat", seen.balance.total_sat)
        failing = [not mint.healthy for mint in seen.balance.mints]
        yield Figure("mints_failing_percent", _percent(failing))
    yield Figure("client_spent_sat_total", (spent_msat or 0) / _MSAT)
    if seen.api is not None:
        yield Figure("api_on", float(seen.api.on))
        yield Figure("api_questions_total", seen.api.asked)


def _bytes(name: str, links: LinkTraffic) -> Iterator[Figure]:
    yield Figure(name, links.bytes_in, ("in",))
    yield Figure(name, links.bytes_out, ("out",))


def _refusal(code: str) -> str:
    short = "provider" if code.startswith("provider") else code
    return short if short in REFUSALS else "other"


def _percent(failing: Iterable[bool]) -> float:
    found = list(failing)
    return 100 * sum(found) / len(found) if found else 0.0


def _size(store: Path) -> int:
    total = 0
    for path in (store, store.with_name(store.name + "-wal")):
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total
