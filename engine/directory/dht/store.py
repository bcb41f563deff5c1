"""The records that this node keeps for others: checked before they are stored, and bounded.

One record for each epoch key under a key, the highest sequence wins, nobody keeps one beyond its
expiry. Where a key is full the record worth least work gives way to one worth more. Sans-IO.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from engine.crypto.memory_work import MAX_BITS
from engine.directory.dht.settings import DhtSettings
from engine.errors import WireError
from engine.wire.dht import MAX_RECORDS, Verdict
from engine.wire.record import Record

Check = Callable[[bytes, bytes, float], int]
"""(key, raw record, now): the bits of work it is worth. Raises WireError."""


@dataclass(slots=True)
class _Held:
    raw: bytes
    sequence: int
    expires: int
    worth: int


class RecordStore:
    """Records by key and epoch key."""

    def __init__(self, settings: DhtSettings, check: Check, rng: Random) -> None:
        self._settings = settings
        self._check = check
        self._rng = rng
        self._keys: dict[bytes, dict[bytes, _Held]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def put(self, key: bytes, raw: bytes, now: float) -> tuple[Verdict, int]:
        """Store a record if it is valid, news, and has room; with FULL the work that would do."""
        try:
            record = Record.parse(raw)
            record.check_times(now)
        except WireError:
            return Verdict.INVALID, 0
        held = self._keys.get(key, {})
        known = held.get(record.epoch_key)
        if known is not None and known.raw == raw:
            return Verdict.KEPT, 0
        if known is not None and known.sequence >= record.sequence:
            return Verdict.STALE, 0
        try:
            worth = self._check(key, raw, now)
        except WireError:
            return Verdict.INVALID, 0
        if known is None and (refusal := self._make_room(key, held, worth, now)) is not None:
            return refusal
        self._keep(key, record, worth)
        return Verdict.KEPT, 0

    def _keep(self, key: bytes, record: Record, worth: int) -> None:
        held = self._keys.setdefault(key, {})
        self._size += record.epoch_key not in held
        held[record.epoch_key] = _Held(record.raw, record.sequence, record.expires, worth)

    def _make_room(
        self, key: bytes, held: dict[bytes, _Held], worth: int, now: float
    ) -> tuple[Verdict, int] | None:
        if self._size >= self._settings.records or len(held) >= self._settings.records_per_key:
            self.expire(now)
        if self._size >= self._settings.records:
            return Verdict.FULL, 0
        held = self._keys.get(key, {})
        if len(held) < self._settings.records_per_key:
            return None
        least = min(held, key=lambda name: held[name].worth)
        needed = held[least].worth + 1
        if worth < needed:
            return Verdict.FULL, min(needed, MAX_BITS)
        self._forget(key, least)
        return None

    def get(self, key: bytes, page: int, now: float) -> tuple[int, tuple[bytes, ...]]:
        """How many records lie under `key`, and those of one page, counted round."""
        held = [one.raw for one in self._keys.get(key, {}).values() if one.expires > now]
        if not held:
            return 0, ()
        pages = -(-len(held) // MAX_RECORDS)
        start = page % pages * MAX_RECORDS
        chosen = held[start : start + MAX_RECORDS]
        self._rng.shuffle(chosen)
        return min(len(held), 0xFFFF), tuple(chosen)

    def expire(self, now: float) -> int:
        """Forget the records whose time is over; how many those were."""
        dead = [
            (key, name)
            for key, held in self._keys.items()
            for name, one in held.items()
            if one.expires <= now
        ]
        for key, name in dead:
            self._forget(key, name)
        return len(dead)

    def _forget(self, key: bytes, name: bytes) -> None:
        held = self._keys[key]
        del held[name]
        self._size -= 1
        if not held:
            del self._keys[key]
