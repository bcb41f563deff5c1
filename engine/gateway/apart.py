"""Who is kept apart from whom now: the tags that programs ask under, and when each is let go of.

A ghost that has seen one tag is no other's for as long as the tag stands. A tag goes when it has
rested for long, when its key is revoked, when the user says so, and when there are too many: then
the one that has rested longest. Its sessions are left first, so a ghost never has two tags at the
same time, nor on one circuit, nor paid with the same coins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

import trio

from engine.control.protocol.api import ApiTag
from engine.gateway.problems import Problem
from engine.gateway.tags import Label
from engine.identity import short_id
from engine.session.raw import MAX_BESIDE
from engine.session.tagbook import MAX_TAGS, Tag, TagBook

BESIDE = MAX_BESIDE // 2
"""Questions of one tag at a time: each has a circuit of its own."""
SWEEP_S = 30.0
SHOWN = 8
"""Digits of a tag that its user sees."""


class Tags(Protocol):
    """What the session layer knows of tags."""

    @property
    def book(self) -> TagBook: ...

    def circuits(self, tag: str) -> int: ...

    async def release(self, tag: str) -> bool: ...


@dataclass
class Place:
    """What the API knows of one tag."""

    tag: str
    label: Label
    gate: trio.Semaphore = field(default_factory=lambda: trio.Semaphore(BESIDE))
    purposes: set[str] = field(default_factory=set)
    inside: int = 0
    """Requests that wait at the gate or are past it."""
    revoked: bool = False


class Apart:
    """The tags in use. `run` frees those that rest."""

    def __init__(
        self, tags: Tags, idle_s: float, now: Callable[[], float] = trio.current_time
    ) -> None:
        self._tags = tags
        self._idle_s = idle_s
        self._now = now
        self._places: dict[str, Place] = {}
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Free what rests too long, until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            task_status.started()
            try:
                while True:
                    await trio.sleep(SWEEP_S)
                    await self._sweep()
            finally:
                self._nursery = None

    def __len__(self) -> int:
        return len(self._tags.book)

    @property
    def places(self) -> int:
        """How many tags requests stand for."""
        return len(self._places)

    # -- requests --------------------------------------------------------------------------------

    async def enter(self, tag: str, label: Label) -> Place:
        """A request of this tag comes; it must `leave`. Raises Problem when there are too many
        tags at work."""
        while tag not in self._places and self._is_full_for(tag):
            if not await self._free_oldest():
                raise _too_many()
        place = self._places.setdefault(tag, Place(tag, label))
        place.inside += 1
        place.revoked = False
        place.purposes.add(label.purpose)
        return place

    def leave(self, place: Place) -> None:
        """It has its answer, or none. What no ghost has seen is not kept."""
        place.inside -= 1
        self._tidy(place)

    def _is_full_for(self, tag: str) -> bool:
        book = self._tags.book
        return not book.has_room_for(tag) or len(self._places) >= MAX_TAGS

    def _tidy(self, place: Place) -> None:
        if not place.inside and not self._tags.book.knows(place.tag):
            self._places.pop(place.tag, None)

    # -- letting go ------------------------------------------------------------------------------

    async def release(self, beginning: str) -> int:
        """Let go of the tags whose name begins so and that rest; how many they were."""
        resting = self._tags.book.idle_since(self._now())
        return await self._release(name for name in resting if name.startswith(beginning))

    async def release_key(self, key: str) -> int:
        """A key is worth nothing any more: let go of its tags, of those at work as soon as they
        rest."""
        for place in self._places.values():
            place.revoked = place.revoked or place.label.key == key
        return await self._release(self._revoked())

    async def _sweep(self) -> None:
        await self._release(self._revoked())
        if self._idle_s:
            await self._release(self._tags.book.idle_since(self._now() - self._idle_s))

    def _revoked(self) -> list[str]:
        resting = self._tags.book.idle_since(self._now())
        return [tag for tag in resting if tag in self._places and self._places[tag].revoked]

    async def _free_oldest(self) -> bool:
        return bool(await self._release(self._tags.book.idle_since(self._now())[:1]))

    async def _release(self, names: Iterable[str]) -> int:
        """In tasks of our own: whoever asked for it may go away meanwhile."""
        done: list[bool] = []
        async with trio.open_nursery() as waiting:
            for name in tuple(names):
                waiting.start_soon(self._release_one, name, done)
        return sum(done)

    async def _release_one(self, name: str, done: list[bool]) -> None:
        over = trio.Event()

        async def work() -> None:
            try:
                done.append(await self._tags.release(name))
            finally:
                if (place := self._places.get(name)) is not None:
                    self._tidy(place)
                over.set()

        if self._nursery is not None:
            self._nursery.start_soon(work)
            await over.wait()

    # -- for the user's eyes ---------------------------------------------------------------------

    def listed(self) -> list[ApiTag]:
        """Every tag, the one used last first."""
        return [self._told(tag) for tag in reversed(self._tags.book.all())]

    def _told(self, tag: Tag) -> ApiTag:
        place = self._places.get(tag.name)
        return ApiTag(
            tag=tag.name[:SHOWN],
            key=place.label.key if place is not None else "",
            purposes=sorted(place.purposes) if place is not None else [],
            session=place.label.session if place is not None else "",
            circuits=self._tags.circuits(tag.name),
            ghosts=sorted(short_id(ghost) for ghost in tag.ghosts),
            asked=tag.asked,
            under_way=tag.under_way,
            spent_msat=tag.spent_msat,
            idle_s=round(max(0.0, self._now() - tag.last_used), 1),
        )


def _too_many() -> Problem:
    return Problem(
        503,
        "too_many_sessions",
        f"{MAX_TAGS} API sessions are at work and are kept apart; this node takes no more.",
        "Use fewer X-Peer2Prompt-Session values, or wait for some to end.",
    )
