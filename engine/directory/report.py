"""What the user may know of guards and paths: names, ages, counts; never an address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.directory.guard import Guard
from engine.directory.guards import BUILDING, USE, GuardList
from engine.directory.networks import TableFacts


@dataclass(frozen=True)
class GuardFacts:
    """One guard. Ages in seconds; shares from 0 to 1, None where nothing was counted."""

    id: str
    state: str  # in use, primary, reserve, unlisted, avoided, dropped
    age_s: float
    left_s: float
    confirmed: bool
    reachable: bool
    circuits: int
    builds: int
    builds_good: float | None
    uses: int
    uses_good: float | None


@dataclass(frozen=True)
class GuardReport:
    """Everything about the choice of paths that can be shown."""

    guards: tuple[GuardFacts, ...]
    in_use: str | None
    age_s: float | None
    layer2: int
    layer2_change_s: float | None
    set_size: int
    measured: int
    build_timeout_s: float
    table: TableFacts | None
    refusals: tuple[str, ...]
    suspects: tuple[str, ...]


def guard_facts(guards: GuardList, now: float) -> tuple[GuardFacts, ...]:
    """The sample in the order in which its guards would serve, unusable ones last."""
    primary = {guard.node_id for guard in guards.primaries()}
    order = {guard.node_id: place for place, guard in enumerate(guards.primaries())}
    ranked = sorted(guards.sample, key=lambda guard: order.get(guard.node_id, len(order)))
    return tuple(_facts(guard, _state(guard, guards, primary), now) for guard in ranked)


def suspicions(guards: Sequence[Guard]) -> tuple[str, ...]:
    """Sentences about guards that fail more circuits than honest ones should."""
    return tuple(
        f"Guard {guard.short_id} "
        + (
            f"was dropped: too many circuits failed behind it in {guard.dropped}."
            if guard.dropped
            else "lets fewer circuits through than an honest guard should."
        )
        for guard in guards
    )


def silence(guards: Sequence[GuardFacts]) -> tuple[str, ...]:
    """A sentence when no guard that paths begin with answers."""
    first = [guard for guard in guards if guard.state in ("in use", "primary")]
    if not first or any(guard.reachable for guard in first):
        return ()
    return (
        "No guard answers, so nothing can be asked; they are tried again every few seconds, and "
        "nothing else in their place. Most likely this machine's network is down.",
    )


def _state(guard: Guard, guards: GuardList, primary: set[str]) -> str:
    if guard.dropped:
        return "dropped"
    if not guard.listed:
        return "unlisted"
    if not guard.allowed:
        return "avoided"
    if guard is guards.in_use:
        return "in use"
    return "primary" if guard.node_id in primary else "reserve"


def _facts(guard: Guard, state: str, now: float) -> GuardFacts:
    builds, uses = guard.total(BUILDING), guard.total(USE)
    return GuardFacts(
        id=guard.short_id,
        state=state,
        age_s=max(0.0, now - guard.added),
        left_s=max(0.0, guard.expires - now),
        confirmed=guard.confirmed is not None,
        reachable=not guard.failures,
        circuits=guard.circuits,
        builds=round(builds.tried),
        builds_good=builds.rate,
        uses=round(uses.tried),
        uses_good=uses.rate,
    )
