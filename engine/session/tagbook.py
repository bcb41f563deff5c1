"""Which ghosts have seen which isolation tag, and when a tag may be forgotten. Pure; has no clock.

A ghost that has seen one tag is kept from all others for as long as that tag stands here. A tag is
let go of in two steps, so that its ghosts are free only when its last session has been left:
`retire`, and when that is done `forget`. A tag that is at work is never retired.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import trio

MAX_TAGS = 256


@dataclass
class Tag:
    """One tag. `last_used` is of the clock that `begin` and `end` are given, in seconds."""

    name: str
    last_used: float
    ghosts: set[bytes] = field(default_factory=set)
    choosing: trio.Lock = field(default_factory=trio.Lock)
    """Held while its first ghost is chosen: its other questions go to the same one."""
    under_way: int = 0
    asked: int = 0
    spent_msat: int = 0


class TagBook:
    """The tags that are kept apart now."""

    def __init__(self) -> None:
        self._tags: dict[str, Tag] = {}
        self._leaving: list[Tag] = []

    def __len__(self) -> int:
        return len(self._tags)

    def all(self) -> tuple[Tag, ...]:
        """The one used last comes last."""
        return tuple(sorted(self._tags.values(), key=lambda tag: tag.last_used))

    def knows(self, name: str) -> bool:
        return name in self._tags

    def has_room_for(self, name: str) -> bool:
        return name in self._tags or len(self._tags) < MAX_TAGS

    def begin(self, name: str, now: float) -> Tag:
        """A question of this tag is asked."""
        tag = self._tags.setdefault(name, Tag(name, now))
        tag.last_used = now
        tag.under_way += 1
        tag.asked += 1
        return tag

    def end(self, tag: Tag, now: float, cost_msat: int = 0) -> None:
        """It has its end. A tag that no ghost has seen anything of is not kept."""
        tag.last_used = now
        tag.under_way -= 1
        tag.spent_msat += cost_msat
        if not tag.under_way and not tag.ghosts and self._tags.get(tag.name) is tag:
            del self._tags[tag.name]

    def foreign(self, name: str) -> frozenset[bytes]:
        """The ghosts that have seen something of another tag, also of one that is being left."""
        others = [*self._tags.values(), *self._leaving]
        return frozenset().union(*(tag.ghosts for tag in others if tag.name != name))

    def idle_since(self, before: float) -> tuple[str, ...]:
        """Tags that rest since `before` or longer, the longest first."""
        resting = (tag for tag in self.all() if not tag.under_way and tag.last_used <= before)
        return tuple(tag.name for tag in resting)

    def retire(self, name: str) -> Tag | None:
        """Let go of a tag; None when there is none of this name, or it is at work. Its ghosts are
        others' only after `forget`."""
        tag = self._tags.get(name)
        if tag is None or tag.under_way:
            return None
        del self._tags[name]
        self._leaving.append(tag)
        return tag

    def forget(self, tag: Tag) -> None:
        """Its sessions have been left."""
        self._leaving.remove(tag)
