"""The out-of-memory policy: when queued data passes its budget, the oldest goes first.

Looked at once a second at most, never per cell. How old the head of a queue is follows from how
much had come in at earlier looks and how much has gone out since, so a reader that takes a byte now
and then does not look young, and a busy circuit whose queue is long but moves does not look old.
Circuits die whole: data of a stream cannot be dropped without its end noticing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from engine.link.queues import Holding

LOOK_CLOSER = 4  # ages are kept from a quarter of the budget on
LOOK_OFTEN = 8  # an eighth of the budget in use: look each second
LOOK_S = 0.9  # a little less than the tick that asks
CALM_LOOK_S = 4.9
RELIEVED = 0.9  # of the budget: how far down circuits are destroyed
LOOKS_KEPT = 64  # for each queue; beyond that the oldest two are joined


class Holder(Protocol):
    """A circuit (or a link, for its own cells), as far as its memory goes."""

    def holdings(self) -> Iterable[Holding]:
        """Its queues, in bytes."""


_T = TypeVar("_T", bound=Holder)


@dataclass
class _Ages:
    """When the heads of queues came, as far as looks now and then can tell."""

    looks: dict[Hashable, deque[tuple[float, int]]] = field(default_factory=dict)

    def look(self, key: Hashable, gone: int, waiting: int, now: float) -> float:
        """Note a queue; the latest time at which its head can have come."""
        looks = self.looks.setdefault(key, deque())
        while looks and looks[0][1] <= gone:
            looks.popleft()
        if not looks or looks[-1][1] < gone + waiting:
            looks.append((now, gone + waiting))
        if len(looks) > LOOKS_KEPT:
            del looks[1]
        return looks[0][0]

    def keep_only(self, seen: set[Hashable]) -> None:
        """Forget the queues that were not seen at the last look."""
        for key in self.looks.keys() - seen:
            del self.looks[key]


class MemoryWatch:
    """Measures queued data and says which circuits must go."""

    def __init__(self, budget: int, others: Sequence[Callable[[], int]] = ()) -> None:
        self.budget = budget
        self.used = 0  # bytes at the last look
        self._next_look = 0.0
        self.others = list(others)  # what else counts: a mailbox's packets
        self._ages = _Ages()

    def due(self, now: float) -> bool:
        """Whether to look again: each second, or each five while most of the budget is free.

        A look at 2,000 circuits takes 2 to 7 milliseconds.
        """
        if now < self._next_look:
            return False
        self._next_look = now + (LOOK_S if self.used * LOOK_OFTEN > self.budget else CALM_LOOK_S)
        return True

    def look(self, circuits: Iterable[_T], now: float) -> list[_T]:
        """The circuits to destroy now, oldest queued data first; none within the budget."""
        held = [(circuit, list(_waiting(circuit))) for circuit in circuits]
        total = sum(waiting for _circuit, queues in held for _name, _gone, waiting in queues)
        self.used = total + sum(other() for other in self.others)
        if self.used * LOOK_CLOSER <= self.budget:
            self._ages.looks.clear()
            return []
        aged = self._age(held, now)
        if self.used <= self.budget:
            return []
        return self._oldest(aged)

    def _age(self, held: list[tuple[_T, list[Holding]]], now: float) -> list[tuple[float, int, _T]]:
        """(when its oldest data came, its bytes, circuit) of each that holds anything."""
        aged: list[tuple[float, int, _T]] = []
        seen: set[Hashable] = set()
        for circuit, queues in held:
            times = []
            for name, gone, waiting in queues:
                key = (id(circuit), name)
                seen.add(key)
                times.append(self._ages.look(key, gone, waiting, now))
            if times:
                aged.append((min(times), sum(waiting for _n, _g, waiting in queues), circuit))
        self._ages.keep_only(seen)
        return aged

    def _oldest(self, aged: list[tuple[float, int, _T]]) -> list[_T]:
        """Enough of them, the oldest first and of equal age the largest first."""
        doomed = []
        left = self.used
        for _since, size, circuit in sorted(aged, key=lambda entry: (entry[0], -entry[1])):
            if left <= self.budget * RELIEVED:
                break
            doomed.append(circuit)
            left -= size
        return doomed


def _waiting(circuit: Holder) -> Iterator[Holding]:
    return (holding for holding in circuit.holdings() if holding[2])
