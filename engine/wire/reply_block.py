"""Reply blocks: what a ghost gets so that it can answer when the client's circuit is gone.

A block names the first return relay and nothing behind it. Strict codec only. Wire format:
docs/protocol.md, "Reply blocks".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from engine.crypto.keys import NODE_ID_BYTES
from engine.crypto.packets import KEY_BYTES, SEED_BYTES
from engine.errors import WireError
from engine.wire.create import encode_address, parse_address
from engine.wire.packet import CHUNK_BYTES

VERSION = 1
MAX_BLOCK_BYTES = 512
CELL_STEPS = (16, 64, 256, 1_024)  # sizes of a batch: the length of an answer hides in a step
_HEAD = struct.Struct(f">B{KEY_BYTES}s{SEED_BYTES}sHQ{NODE_ID_BYTES}s")


@dataclass(frozen=True, slots=True)
class ReplyBlock:
    """Key and slots of one reply, and the relay to hand its packets to. `expires` is unix s."""

    key: bytes = field(repr=False)
    handle_seed: bytes = field(repr=False)
    cells: int
    expires: int
    node_id: bytes = field(repr=False)
    host: str = field(repr=False)
    port: int = field(repr=False)

    @property
    def capacity(self) -> int:
        """Bytes of an answer that fit."""
        return self.cells * CHUNK_BYTES

    def encode(self) -> bytes:
        """version u8 || key 32 || handle_seed 32 || cells u16 || expires u64 || node_id 32 ||
        address."""
        _check(self.cells)
        head = _HEAD.pack(
            VERSION, self.key, self.handle_seed, self.cells, self.expires, self.node_id
        )
        return head + encode_address(self.host, self.port)

    @classmethod
    def decode(cls, data: bytes) -> ReplyBlock:
        """Parse a block. Raises WireError for anything `encode` would not write."""
        if not _HEAD.size <= len(data) <= MAX_BLOCK_BYTES:
            raise WireError("a reply block has the wrong length")
        version, key, handle_seed, cells, expires, node_id = _HEAD.unpack_from(data)
        if version != VERSION:
            raise WireError("a reply block has an unknown version")
        _check(cells)
        host, port, end = parse_address(bytes(data), _HEAD.size)
        if end != len(data):
            raise WireError("a reply block has bytes left over")
        return cls(key, handle_seed, cells, expires, node_id, host, port)


def _check(cells: int) -> None:
    if cells not in CELL_STEPS:
        raise WireError("a reply block has a number of cells that is not a step")


def step_for(cells: int) -> int:
    """The smallest batch that holds `cells` packets. Raises ValueError above the largest."""
    for step in CELL_STEPS:
        if cells <= step:
            return step
    raise ValueError(f"a reply has at most {CELL_STEPS[-1]} packets")
