"""What happened to circuits, by what they were for, so that one kind does not crowd out the others.

A node visits its mailboxes again and again: those events are kept, and not shown until asked for.
Headless.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

EVENTS = 60
"""Kept of each kind."""
CROWDING = "mailbox"
USUAL, ALL = "", "all"


def kind_of(purpose: str) -> str:
    """The first word of what a circuit is for: `mailbox` for every visit to one."""
    return purpose.replace("-", " ").replace(":", " ").split(" ", 1)[0]


class Happenings:
    """Events with the wall clock's time, in their order."""

    def __init__(self) -> None:
        self.view = USUAL
        """USUAL (all but the crowding kind), ALL, or one kind."""
        self._kept: dict[str, deque[tuple[int, float, str]]] = {}
        self._next = 0
        self._first = 0

    def add(self, wall: float, text: str, kind: str = "") -> None:
        """Something happened after all that is known."""
        self._keep(kind).append((self._next, wall, text))
        self._next += 1

    def add_before(self, older: Iterable[tuple[float, str, str]]) -> None:
        """(time, words, kind) of what happened before all that is known, oldest first."""
        for wall, text, kind in reversed(list(older)):
            self._first -= 1
            kept = self._keep(kind)
            if len(kept) < EVENTS:
                kept.appendleft((self._first, wall, text))

    def _keep(self, kind: str) -> deque[tuple[int, float, str]]:
        return self._kept.setdefault(kind, deque(maxlen=EVENTS))

    @property
    def first(self) -> float:
        """When the earliest was; infinity without any."""
        return min((kept[0][1] for kept in self._kept.values() if kept), default=float("inf"))

    def all(self) -> list[tuple[float, str]]:
        return self._of(self._kept)

    def shown(self) -> list[tuple[float, str]]:
        """Those of the view."""
        return self._of(kind for kind in self._kept if self._is_shown(kind))

    def hidden(self) -> int:
        """How many others there are."""
        return sum(len(kept) for kind, kept in self._kept.items() if not self._is_shown(kind))

    def _is_shown(self, kind: str) -> bool:
        if self.view == USUAL:
            return kind != CROWDING
        return self.view in (ALL, kind)

    def _of(self, kinds: Iterable[str]) -> list[tuple[float, str]]:
        found = sorted(event for kind in kinds for event in self._kept[kind])
        return [(wall, text) for _order, wall, text in found]

    def turn(self) -> str:
        """Go on to the next view: all but mailboxes, all, then each kind there is."""
        views = [USUAL, ALL, *sorted(kind for kind in self._kept if kind)]
        place = views.index(self.view) if self.view in views else 0
        self.view = views[(place + 1) % len(views)]
        return self.view

    @property
    def title(self) -> str:
        """The view in words, for beside the heading."""
        if self.view == USUAL:
            return "without mailbox visits" if self.hidden() else ""
        return "everything" if self.view == ALL else f"{self.view} circuits only"
