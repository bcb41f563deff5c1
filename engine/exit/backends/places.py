"""Which upstream gets the next question: weighted least in flight, sessions where they were.

A session goes back to the upstream that answered it last, because that one has its prefix in the
cache. When all that are well are full, questions wait in the order they came; when none is well,
there is nothing to wait for. Pure, but for the events that wake who waits.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import trio

from engine.exit.backends.base import Backend
from engine.exit.backends.health import Health
from engine.exit.backends.upstream import Upstream

MAX_SESSIONS = 8192
"""Sessions whose upstream is remembered; the longest unused is forgotten first."""


@dataclass(slots=True)
class Member:
    """One upstream with its backend, its health and its load."""

    upstream: Upstream
    backend: Backend
    health: Health = field(default_factory=Health)
    in_flight: int = 0
    turn: int = 0
    """When it was last chosen, so that equals take turns."""

    @property
    def full(self) -> bool:
        return 0 < self.upstream.max_concurrent <= self.in_flight

    @property
    def load(self) -> float:
        """The load it would have with one more."""
        return (self.in_flight + 1) / self.upstream.weight


@dataclass(slots=True)
class _Waiter:
    model: str
    session: bytes | None
    barred: frozenset[int]
    woken: trio.Event = field(default_factory=trio.Event)
    member: Member | None = None


class Places:
    """The places at all upstreams."""

    def __init__(self, members: Sequence[Member], now: Callable[[], float]) -> None:
        self.members = members
        self._now = now
        self._pinned: OrderedDict[bytes, Member] = OrderedDict()
        self._waiting: list[_Waiter] = []
        self._turns = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def serving(self, model: str, barred: Iterable[int] = ()) -> list[Member]:
        """Those that serve the model, but for the barred ones."""
        return [
            member
            for index, member in enumerate(self.members)
            if index not in barred and member.upstream.serves(model)
        ]

    async def take(
        self, model: str, session: bytes | None, barred: frozenset[int], wait_s: float
    ) -> Member | None:
        """A place, or None when nobody well serves the model or no place came free in time. Give
        it back with `leave`."""
        member = self._choose(model, session, barred)
        if member is not None or not self._may_wait(model, barred):
            return self._seat(member, session)
        waiter = _Waiter(model, session, barred)
        self._waiting.append(waiter)
        try:
            with trio.move_on_after(wait_s):
                await waiter.woken.wait()
        except BaseException:
            if waiter.member is not None:
                self.leave(waiter.member)
            raise
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
        return waiter.member

    def leave(self, member: Member) -> None:
        """The place is free again."""
        member.in_flight -= 1
        self.wake()

    def wake(self) -> None:
        """Seat who waits, as far as there is room; send away whom nobody can serve any more."""
        for waiter in list(self._waiting):
            member = self._choose(waiter.model, waiter.session, waiter.barred)
            if member is not None:
                waiter.member = self._seat(member, waiter.session)
            elif self._may_wait(waiter.model, waiter.barred):
                continue
            self._waiting.remove(waiter)
            waiter.woken.set()

    def _seat(self, member: Member | None, session: bytes | None) -> Member | None:
        if member is None:
            return None
        self._turns += 1
        member.turn = self._turns
        member.in_flight += 1
        member.health.began()
        if session is not None:
            self._pinned[session] = member
            self._pinned.move_to_end(session)
            if len(self._pinned) > MAX_SESSIONS:
                self._pinned.popitem(last=False)
        return member

    def _choose(self, model: str, session: bytes | None, barred: frozenset[int]) -> Member | None:
        now = self._now()
        able = [
            member
            for member in self.serving(model, barred)
            if member.health.usable(now) and not member.full
        ]
        pinned = self._pinned.get(session) if session is not None else None
        if pinned is not None and any(member is pinned for member in able):
            return pinned
        return min(able, key=lambda member: (member.load, member.turn), default=None)

    def _may_wait(self, model: str, barred: frozenset[int]) -> bool:
        """Whether somebody that is well is merely full."""
        return any(m.health.state == "well" and m.full for m in self.serving(model, barred))
