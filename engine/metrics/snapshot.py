"""A window's worth of metrics: raw numbers in, coarse ones out. No I/O, no clock of its own.

What a family does not know of a label's value becomes `other` or is left out, so that no word from
elsewhere can become one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from engine.metrics.families import BY_NAME, OWN_WINDOW_S, WINDOW_S, Family

_OUR_WORD = re.compile("[a-z][a-z_]{0,39}")
"""Names of events and codes of errors, which stand in our source (engine.log)."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One raw number, by the name of its family."""

    name: str
    value: float
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """One number as it may be read."""

    family: Family
    labels: tuple[str, ...]
    value: float


class Snapshot:
    """The last window's numbers; those of the node's own user change less often. Counters never
    fall: what was told once is the least that is told later."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, tuple[str, ...]], Told] = {}
        self._taken: float | None = None
        self._own_taken: float | None = None

    def due(self, now: float) -> bool:
        """Whether a window has ended at `now` (seconds)."""
        return self._taken is None or now - self._taken >= WINDOW_S

    def take(self, figures: Iterable[Figure], now: float) -> None:
        """A new window begins."""
        own_due = self._own_taken is None or now - self._own_taken >= OWN_WINDOW_S
        fresh: dict[tuple[str, tuple[str, ...]], float] = {}
        for figure in figures:
            family = BY_NAME[figure.name]
            if family.own and not own_due:
                continue
            key = (family.name, _labels(family, figure.labels))
            fresh[key] = fresh.get(key, 0.0) + figure.value
        gone = [
            key
            for key, told in self._told.items()
            if key not in fresh and told.family.kind == "gauge" and (own_due or not told.family.own)
        ]
        for key in gone:
            del self._told[key]
        for (name, labels), value in fresh.items():
            self._keep(BY_NAME[name], labels, value)
        self._taken = now
        if own_due:
            self._own_taken = now

    def _keep(self, family: Family, labels: tuple[str, ...], value: float) -> None:
        earlier = self._told.get((family.name, labels))
        told = family.told(value)
        if earlier is not None and family.kind == "counter":
            told = max(told, earlier.value)
        self._told[(family.name, labels)] = Told(family, labels, told)

    def __iter__(self) -> Iterator[Told]:
        return iter(sorted(self._told.values(), key=lambda told: (told.family.name, told.labels)))


def _labels(family: Family, values: tuple[str, ...]) -> tuple[str, ...]:
    pairs = zip(family.labels, values, strict=True)
    return tuple(_word(allowed, value) for (_, allowed), value in pairs)


def _word(allowed: tuple[str, ...], value: str) -> str:
    if allowed:
        return value if value in allowed else "other"
    return value if _OUR_WORD.fullmatch(value) else "other"
