"""Mailboxes in memory, with the interfaces of both ends: what a ghost sends, a client fetches."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import trio

from engine.errors import NoRoute, WireError

PREFIX = b"block"


@dataclass(frozen=True)
class FakePickup:
    """Names a box; the block is its name with a mark in front."""

    box: bytes
    cells: int
    expires: float

    @property
    def block(self) -> bytes:
        return PREFIX + self.box

    def dump(self) -> bytes:
        return self.box + self.cells.to_bytes(4, "big") + int(self.expires).to_bytes(8, "big")

    @classmethod
    def load(cls, raw: bytes) -> FakePickup:
        number = int.from_bytes
        return cls(raw[:16], number(raw[16:20], "big"), number(raw[20:28], "big"))


@dataclass(frozen=True)
class FakeFetched:
    data: bytes
    complete: bool


@dataclass
class FakePost:
    """All boxes of a network. `lost` boxes take and give nothing."""

    now: Callable[[], float] = lambda: 0.0
    life_s: float = 3600.0
    cell_bytes: int = 1900
    room: int = 1_000_000
    boxes: dict[bytes, bytes] = field(default_factory=dict)
    lost: set[bytes] = field(default_factory=set)
    letters: list[bytes] = field(default_factory=list)
    prepared: list[FakePickup] = field(default_factory=list)
    discarded: list[bytes] = field(default_factory=list)
    fetches: int = 0

    async def prepare(self, cells: int, ghost: bytes, beside: Sequence[object]) -> FakePickup:
        del ghost, beside
        await trio.lowlevel.checkpoint()
        if len(self.prepared) >= self.room:
            raise NoRoute("The network is too small for a mailbox.")
        pickup = FakePickup(os.urandom(16), cells, self.now() + self.life_s)
        self.prepared.append(pickup)
        return pickup

    @staticmethod
    def load(raw: bytes) -> FakePickup:
        return FakePickup.load(raw)

    async def fetch(
        self, pickup: FakePickup, *, done: Callable[[bytes], bool] | None = None
    ) -> FakeFetched:
        del done
        self.fetches += 1
        await trio.sleep(0.2)
        if pickup.box in self.lost:
            raise NoRoute("The mailbox does not answer.")
        data = self.boxes.get(pickup.box)
        return FakeFetched(data or b"", data is not None)

    async def discard(self, pickup: FakePickup) -> None:
        await trio.lowlevel.checkpoint()
        self.boxes.pop(pickup.box, None)
        self.discarded.append(pickup.box)

    def capacity(self, block: bytes) -> int:
        if not block.startswith(PREFIX):
            raise WireError("This is no reply block.")
        box = block.removeprefix(PREFIX)
        return next((p.cells for p in self.prepared if p.box == box), 100) * self.cell_bytes

    async def send(self, blocks: Sequence[bytes], data: bytes) -> int:
        await trio.lowlevel.checkpoint()
        sent = 0
        for block in blocks:
            box = block.removeprefix(PREFIX)
            if box not in self.lost and box not in self.boxes:
                self.boxes[box] = data
                sent += 1
        self.letters.append(data)
        return sent


@dataclass
class FakeBook:
    """Records of answers under way."""

    records: dict[int, bytes] = field(default_factory=dict)

    async def begin(
        self, session_id: str, ask_id: str, data: bytes, *, parent: int | None = None
    ) -> int:
        del session_id, ask_id, parent
        await trio.lowlevel.checkpoint()
        self.records[len(self.records) + 1] = data
        return len(self.records)

    async def update(self, message_id: int, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self.records[message_id] = data
