"""Who keeps which place in the model's memory: the books of the key-value cache. Pure.

A conversation keeps its computed tokens in a sequence of its own, so that its next question is read
from where it differs. Nothing is ever shared between conversations, not even equal beginnings: the
time to the first token would tell one user what another has asked. Resting conversations make room
for running ones, the one that rested longest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Place:
    """One sequence of the cache. `tokens` are those that are computed, in order."""

    seq: int
    owner: bytes = field(default=b"", repr=False)
    tokens: list[int] = field(default_factory=list, repr=False)
    reserved: int = 0
    """Cells that a running answer may need; zero while the conversation rests."""
    rested_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Taken:
    """A place for an answer. `reuse` of its prompt's tokens are computed already; the rest of the
    sequence, and the sequences `dropped`, must be removed from the cache."""

    place: Place
    reuse: int
    dropped: tuple[int, ...]


class CellBook:
    """Hands out the sequences and cells of one context."""

    def __init__(self, sequences: int, cells: int) -> None:
        self.cells = cells
        self._free = list(range(sequences))
        self._running: dict[int, Place] = {}
        self._resting: dict[bytes, Place] = {}

    def __repr__(self) -> str:
        return f"CellBook(running={len(self._running)}, resting={len(self._resting)})"

    @property
    def resting(self) -> int:
        """Conversations that rest in the cache."""
        return len(self._resting)

    @property
    def used(self) -> int:
        """Cells that are reserved by running answers or hold resting conversations."""
        return sum(place.reserved for place in self._running.values()) + sum(
            len(place.tokens) for place in self._resting.values()
        )

    def take(self, owner: bytes, prompt: Sequence[int], reserve: int) -> Taken | None:
        """A place for an answer that may grow to `reserve` tokens; None if running answers leave no
        room. At least one token of the prompt is left to compute, since its logits are needed."""
        running = sum(place.reserved for place in self._running.values())
        if running + reserve > self.cells or not (self._free or self._resting):
            return None
        place = self._resting.pop(owner, None)
        dropped: list[int] = []
        if place is None and not self._free:
            dropped.append(self._drop_oldest())
        if place is None:
            place = Place(self._free.pop(0), owner)
        reuse = min(_common(place.tokens, prompt), len(prompt) - 1)
        del place.tokens[reuse:]
        place.reserved = reserve
        self._running[place.seq] = place
        while self.used > self.cells:
            dropped.append(self._drop_oldest())
        return Taken(place, reuse, tuple(dropped))

    def rest(self, place: Place, now: float) -> None:
        """The answer paused or is over; its conversation may go on later. `now` never goes back."""
        del self._running[place.seq]
        place.reserved = 0
        place.rested_at = now
        self._resting[place.owner] = place

    def free(self, place: Place) -> int:
        """Nobody will come back for it. Returns the sequence to remove from the cache."""
        self._running.pop(place.seq, None)
        if self._resting.get(place.owner) is place:
            del self._resting[place.owner]
        self._free.append(place.seq)
        return place.seq

    def forget(self, owner: bytes) -> int | None:
        """Drop a resting conversation. Returns the sequence to remove, if there was one."""
        place = self._resting.get(owner)
        return None if place is None else self.free(place)

    def forget_older(self, than: float) -> list[int]:
        """Drop the conversations that rest since then or longer. Returns their sequences."""
        old = [place for place in self._resting.values() if place.rested_at <= than]
        return [self.free(place) for place in old]

    def is_running(self, owner: bytes) -> bool:
        """Whether this owner's place is in use at this moment."""
        return any(place.owner == owner for place in self._running.values())

    def _drop_oldest(self) -> int:
        return self.free(min(self._resting.values(), key=lambda place: place.rested_at))


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """The length of the common beginning."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
