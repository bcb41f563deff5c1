"""How much a node carried, by role and day: for the operator's bill, and useless for anything else.

Whole MiB and hundreds of circuits, a number for each day and role; no address, no node, no circuit,
no time of day. Sans-IO: running totals and the date come in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

DAYS_KEPT = 31
MIB = 1 << 20
CIRCUITS_ROUNDED = 100


class Day(msgspec.Struct, frozen=True):
    """What was carried on a day, rounded up. `day` is YYYY-MM-DD in UTC."""

    day: str
    mib: dict[str, int] = {}
    circuits: int = 0


@dataclass
class _Running:
    """A day as it is counted: exact, and in memory only."""

    counts: dict[str, int] = field(default_factory=dict)  # bytes of roles
    circuits: int = 0


class Accounts:
    """Totals of the last days; feed it running sums now and then."""

    def __init__(self, saved: bytes | None = None) -> None:
        self._days: dict[str, _Running] = {}
        self._last: dict[str, int] = {}
        self._last_circuits = 0
        for day in _load(saved):
            counts = {role: mib * MIB for role, mib in day.mib.items()}
            self._days[day.day] = _Running(counts, day.circuits)

    def note(self, day: str, totals: Mapping[str, int], circuits: int) -> None:
        """`totals` are bytes of each role, `circuits` those made, both since the node, or the
        role, started: a sum that has fallen counts from nothing."""
        running = self._days.setdefault(day, _Running())
        for role, total in totals.items():
            if more := _more(total, self._last.get(role, 0)):
                running.counts[role] = running.counts.get(role, 0) + more
            self._last[role] = total
        running.circuits += _more(circuits, self._last_circuits)
        self._last_circuits = circuits
        for old in sorted(self._days)[:-DAYS_KEPT]:
            del self._days[old]

    def days(self) -> list[Day]:
        """The days, oldest first, rounded."""
        return [
            Day(
                day=day,
                mib={role: -(-count // MIB) for role, count in sorted(running.counts.items())},
                circuits=-(-running.circuits // CIRCUITS_ROUNDED) * CIRCUITS_ROUNDED,
            )
            for day, running in sorted(self._days.items())
        ]

    def dump(self) -> bytes:
        """The rounded days, for the store."""
        return msgspec.json.encode(self.days())


def _more(total: int, before: int) -> int:
    return total - before if total >= before else total


def _load(saved: bytes | None) -> list[Day]:
    if saved is None:
        return []
    try:
        return msgspec.json.decode(saved, type=list[Day])
    except msgspec.MsgspecError:  # of another version: totals are no loss
        return []
