"""One-time slots at a relay: handle -> key and where the packet goes next. Using one deletes it.

Sans-IO, `now` in seconds of any steady clock. A batch is registered by seeds, which are expanded at
once and not kept; keys and onward handles lie in one buffer per batch and are overwritten as slots
are used. In memory only: a restart forgets every slot, which is forward secrecy. docs/protocol.md,
"Slots".
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.crypto.packets import (
    HANDLE_BYTES,
    KEY_BYTES,
    owner_tag,
    slot_handles,
    slot_keys,
    slot_order,
)
from engine.mailbox.deadlines import Deadlines
from engine.wire.mailbox import Batch

MAX_SLOTS = 65_536  # per relay; a slot costs some 300 bytes
_ZERO_KEY = bytes(KEY_BYTES)
_ZERO_HANDLE = bytes(HANDLE_BYTES)


class NoRoom(Exception):
    """The table is full: nothing was registered."""


class Taken(Exception):
    """A handle or an owner of the batch exists already: nothing was registered."""


@dataclass(frozen=True, slots=True)
class NextRelay:
    """The relay that the packets of a batch go to."""

    node_id: bytes = field(repr=False)
    host: str = field(repr=False)
    port: int = field(repr=False)


@dataclass(frozen=True, slots=True)
class Used:
    """What a slot was for. `onward` is None where the packet goes into the box named `tag`."""

    key: bytes = field(repr=False)
    place: int
    tag: bytes = field(repr=False)
    onward: NextRelay | None = field(repr=False)
    next_handle: bytes = field(repr=False)


class _Batch:
    """The slots of one registration; what is used up leaves no trace in it."""

    __slots__ = ("expires", "handles", "keys", "left", "next_handles", "onward", "tag")

    def __init__(self, batch: Batch, onward: NextRelay | None, next_seed: bytes, expires: float):
        self.tag = owner_tag(batch.owner)
        self.expires = expires
        self.onward = onward
        self.left = batch.cells
        self.handles = slot_handles(batch.handle_seed, batch.cells)
        self.keys = bytearray().join(slot_keys(batch.key_seed, batch.cells))
        self.next_handles = bytearray()
        if onward is not None:
            onwards = slot_handles(next_seed, batch.cells)
            order = slot_order(batch.key_seed, batch.cells)
            self.next_handles += b"".join(onwards[place] for place in order)

    def take(self, place: int) -> Used:
        """The slot's content; what is left in the buffers is zeros."""
        key_at = slice(place * KEY_BYTES, (place + 1) * KEY_BYTES)
        handle_at = slice(place * HANDLE_BYTES, (place + 1) * HANDLE_BYTES)
        key, handle = bytes(self.keys[key_at]), bytes(self.next_handles[handle_at])
        self.keys[key_at] = _ZERO_KEY
        self.handles[place] = b""
        if handle:
            self.next_handles[handle_at] = _ZERO_HANDLE
        self.left -= 1
        return Used(key, place, self.tag, self.onward, handle)

    def erase(self) -> None:
        """Overwrite what has not been used."""
        self.keys[:] = bytes(len(self.keys))
        self.next_handles[:] = bytes(len(self.next_handles))


class SlotTable:
    """Every slot of a relay, bounded, each until it is used or its batch expires."""

    def __init__(self, max_slots: int = MAX_SLOTS) -> None:
        self.max_slots = max_slots
        self._slots: dict[bytes, tuple[_Batch, int]] = {}
        self._batches: dict[bytes, _Batch] = {}
        self._deadlines = Deadlines()

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def fill(self) -> float:
        """How full the table is, from 0 to 1."""
        return len(self._slots) / self.max_slots

    def register(
        self, batch: Batch, now: float, *, onward: NextRelay | None = None, next_seed: bytes = b""
    ) -> bytes:
        """Add a batch; returns the tag of its owner. Raises NoRoom or Taken."""
        self.expire(now)
        if len(self._slots) + batch.cells > self.max_slots:
            raise NoRoom
        new = _Batch(batch, onward, next_seed, now + batch.ttl_s)
        if new.tag in self._batches or any(handle in self._slots for handle in new.handles):
            raise Taken
        self._batches[new.tag] = new
        self._slots.update((handle, (new, place)) for place, handle in enumerate(new.handles))
        self._deadlines.set(new.tag, new.expires)
        return new.tag

    def use(self, handle: bytes, now: float) -> Used | None:
        """Take a slot out of the table; None for a handle that is unknown, used or expired."""
        entry = self._slots.pop(handle, None)
        if entry is None:
            return None
        batch, place = entry
        used = batch.take(place)
        if not batch.left:
            self.discard(batch.tag)
        return used if now < batch.expires else None

    def discard(self, tag: bytes) -> None:
        """Erase a batch before its time."""
        batch = self._batches.pop(tag, None)
        if batch is None:
            return
        self._deadlines.withdraw(tag)
        for handle in batch.handles:
            self._slots.pop(handle, None)
        batch.erase()

    def expire(self, now: float) -> None:
        """Erase every batch whose time is over."""
        for tag in self._deadlines.due(now):
            self.discard(tag)
