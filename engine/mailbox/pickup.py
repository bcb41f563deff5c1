"""A pickup: what a client keeps of one reply it may have to fetch, and what it has of it so far.

Secret as a whole: it opens the box and the answer. Sans-IO; `dump` goes into the encrypted store.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from engine.crypto.keys import NODE_ID_BYTES
from engine.crypto.packets import (
    KEY_BYTES,
    SEED_BYTES,
    layer,
    open_packet,
    slot_handles,
    slot_keys,
    slot_order,
)
from engine.errors import LayerError, WireError
from engine.wire.mailbox import OWNER_BYTES
from engine.wire.packet import Chunk, parse_packet_body
from engine.wire.reply_block import ReplyBlock

VERSION = 1
MAX_LEGS = 4  # three return relays and the mailbox
_HEAD = struct.Struct(">BBH")  # version, legs, length of the block
_LEG = struct.Struct(f">{NODE_ID_BYTES}s{OWNER_BYTES}s{SEED_BYTES}s{SEED_BYTES}s")


@dataclass(frozen=True, slots=True)
class Leg:
    """One relay of the way back: who, the secret that names our batch there, its two seeds."""

    node_id: bytes = field(repr=False)
    owner: bytes = field(repr=False)
    handle_seed: bytes = field(repr=False)
    key_seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        sizes = tuple(map(len, (self.node_id, self.owner, self.handle_seed, self.key_seed)))
        if sizes != (NODE_ID_BYTES, OWNER_BYTES, SEED_BYTES, KEY_BYTES):
            raise WireError("a pickup names a relay in a malformed way")


class Pickup:
    """A prepared reply: `block` goes to the ghost, the rest stays here. Legs go from the ghost's
    side to the mailbox."""

    def __init__(self, block: bytes, legs: tuple[Leg, ...]) -> None:
        self._parsed = ReplyBlock.decode(block)
        if not 2 <= len(legs) <= MAX_LEGS:
            raise WireError("a pickup has the wrong number of relays")
        self.block = block
        self.legs = legs
        self._inbox: Inbox | None = None

    @property
    def expires(self) -> float:
        """When slots and box are erased, unix seconds."""
        return float(self._parsed.expires)

    @property
    def cells(self) -> int:
        """Packets that fit."""
        return self._parsed.cells

    @property
    def capacity(self) -> int:
        """Bytes of an answer that fit."""
        return self._parsed.capacity

    @property
    def inbox(self) -> Inbox:
        """What has been fetched so far."""
        if self._inbox is None:
            self._inbox = Inbox(self._parsed, self.legs)
        return self._inbox

    def dump(self) -> bytes:
        """Everything needed to fetch after a restart; what was fetched so far is not part of it,
        because the box keeps it until it is discarded."""
        head = _HEAD.pack(VERSION, len(self.legs), len(self.block))
        legs = b"".join(
            _LEG.pack(leg.node_id, leg.owner, leg.handle_seed, leg.key_seed) for leg in self.legs
        )
        return head + self.block + legs

    @classmethod
    def load(cls, data: bytes) -> Pickup:
        """The pickup of `dump`. Raises WireError."""
        if len(data) < _HEAD.size:
            raise WireError("a saved pickup is cut short")
        version, legs, size = _HEAD.unpack_from(data)
        start = _HEAD.size + size
        if version != VERSION or len(data) != start + legs * _LEG.size:
            raise WireError("a saved pickup is malformed")
        found = tuple(Leg(*fields) for fields in _LEG.iter_unpack(data[start:]))
        return cls(data[_HEAD.size : start], found)


class Inbox:
    """Takes packets in any order, any number of times, and yields the answer's beginning."""

    def __init__(self, block: ReplyBlock, legs: tuple[Leg, ...]) -> None:
        self.have: set[int] = set()
        self.spoiled = 0  # packets under a right handle that did not open: somebody changed them
        self._block = block
        self._keys = [slot_keys(leg.key_seed, block.cells) for leg in legs]
        self._chunks: dict[int, bytes] = {}
        self._total = 0
        self._ways = _ways(legs, block.cells)

    @property
    def data(self) -> bytes:
        """The answer from its beginning up to the first gap."""
        parts: list[bytes] = []
        while (chunk := self._chunks.get(len(parts))) is not None:
            parts.append(chunk)
        return b"".join(parts)

    @property
    def complete(self) -> bool:
        """True when every part is here."""
        return 0 < self._total == len(self._chunks)

    def accept(self, body: bytes) -> None:
        """Take what a mailbox sent for one cell: a packet of ours, or random bytes."""
        handle, payload = parse_packet_body(body)
        way = self._ways.get(handle)
        if way is None or way[-1] in self.have:
            return
        # Also when it does not open: a slot is used once, so a better packet cannot come, and the
        # acknowledgement must not tell a mailbox which packets opened.
        self.have.add(way[-1])
        for keys, place in zip(self._keys, way, strict=True):
            payload = layer(keys[place], payload)
        try:
            chunk = Chunk.decode(open_packet(self._block.key, way[0], payload))
        except (LayerError, WireError):
            self.spoiled += 1
            return
        self._add(chunk)

    def _add(self, chunk: Chunk) -> None:
        if self._total in (0, chunk.total):
            self._total = chunk.total
            self._chunks.setdefault(chunk.seq, chunk.data)


def _ways(legs: tuple[Leg, ...], cells: int) -> dict[bytes, list[int]]:
    """The places a packet passed on its way, first relay first, by its handle at the mailbox."""
    ways = [[place] for place in range(cells)]
    for leg in legs[:-1]:
        order = slot_order(leg.key_seed, cells)
        for way in ways:
            way.append(order[way[-1]])
    handles = slot_handles(legs[-1].handle_seed, cells)
    return {handles[way[-1]]: way for way in ways}
