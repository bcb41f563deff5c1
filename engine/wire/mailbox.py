"""What a client and a relay's mailbox service say on a stream of purpose MAILBOX.

    relay:  Greeting (18 bytes), then one answer per request, in order
    client: requests of 256 bytes each: RouteRequest | BoxRequest | PollRequest | DiscardRequest

Sizes are constant, so that they say nothing. Strict codecs only. Wire format: docs/protocol.md,
"Mailbox streams".
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.crypto.keys import NODE_ID_BYTES
from engine.crypto.packets import SEED_BYTES
from engine.crypto.work import MAX_BITS
from engine.errors import WireError
from engine.wire.cells import BODY_BYTES
from engine.wire.create import encode_address, parse_address
from engine.wire.reply_block import CELL_STEPS

REQUEST_BYTES = 256
CHALLENGE_BYTES = 16
NONCE_BYTES = 8
OWNER_BYTES = 32
HAVE_BYTES = CELL_STEPS[-1] // 8
POLL_CELLS = 16
ANSWER_BYTES = POLL_CELLS * BODY_BYTES
MAX_TTL_S = 6 * 3_600
MIN_TTL_S = 60
WORK_LABEL = b"peer2prompt mailbox work v1"

_GREETING = struct.Struct(f">{CHALLENGE_BYTES}sBB")
GREETING_BYTES = _GREETING.size
_BATCH = struct.Struct(
    f">{NONCE_BYTES}sIH{OWNER_BYTES}s{SEED_BYTES}s{SEED_BYTES}s"
)  # nonce, ttl_s, cells, owner, handle_seed, key_seed
_NEXT = struct.Struct(f">{SEED_BYTES}s{NODE_ID_BYTES}s")
_POLL = struct.Struct(f">{OWNER_BYTES}s{HAVE_BYTES}s")
_OWNER = struct.Struct(f">{OWNER_BYTES}s")


class RequestType(enum.IntEnum):
    """The first byte of a request."""

    ROUTE = 1
    BOX = 2
    POLL = 3
    DISCARD = 4


class Status(enum.IntEnum):
    """The answer to a registration or a discard: one byte."""

    OK = 0
    WORK = 1  # the nonce does not meet what is asked by now; a new stream tells
    FULL = 2
    REFUSED = 3  # the next relay cannot be reached or is not allowed, or the slots exist


@dataclass(frozen=True, slots=True)
class Greeting:
    """The relay's first words: what a registration on this stream has to solve, for the smallest
    batch (`work_bits` says what a larger one adds)."""

    challenge: bytes
    route_bits: int
    box_bits: int

    def encode(self) -> bytes:
        """challenge 16 || route_bits u8 || box_bits u8."""
        return _GREETING.pack(self.challenge, self.route_bits, self.box_bits)

    @classmethod
    def decode(cls, data: bytes) -> Greeting:
        """Parse a greeting. Raises WireError."""
        if len(data) != GREETING_BYTES:
            raise WireError("a mailbox greeting has the wrong length")
        return cls(*_GREETING.unpack(data))


def work_bits(base: int, cells: int) -> int:
    """Leading zero bits for a batch of `cells`: each doubling of the batch doubles the work, up to
    the most that the puzzle has."""
    doublings = (cells - 1).bit_length() - (CELL_STEPS[0] - 1).bit_length()
    return min(MAX_BITS, base + doublings)


def work_challenge(challenge: bytes, owner: bytes) -> bytes:
    """What the work is done over: this stream's challenge and this registration's owner secret."""
    return WORK_LABEL + challenge + owner


@dataclass(frozen=True, slots=True)
class Batch:
    """Slots to register: their owner's secret, the seeds of their handles and keys, their life."""

    owner: bytes = field(repr=False)
    handle_seed: bytes = field(repr=False)
    key_seed: bytes = field(repr=False)
    cells: int
    ttl_s: int


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """Register slots that pass packets on to another relay, under the handles of `next_seed`."""

    nonce: bytes
    batch: Batch
    next_seed: bytes = field(repr=False)
    next_node: bytes = field(repr=False)
    host: str = field(repr=False)
    port: int = field(repr=False)

    def encode(self) -> bytes:
        """type || batch || next_seed 32 || next_node 32 || address, zero-padded."""
        after = _NEXT.pack(self.next_seed, self.next_node)
        body = _pack_batch(self.nonce, self.batch) + after
        return _pad(RequestType.ROUTE, body + encode_address(self.host, self.port))


@dataclass(frozen=True, slots=True)
class BoxRequest:
    """Register a box and the slots that fill it."""

    nonce: bytes
    batch: Batch

    def encode(self) -> bytes:
        """type || batch, zero-padded."""
        return _pad(RequestType.BOX, _pack_batch(self.nonce, self.batch))


@dataclass(frozen=True, slots=True)
class PollRequest:
    """Ask for cells of a box. Bit k of `have` (the most significant bit of a byte first)
    acknowledges what came through slot k."""

    owner: bytes = field(repr=False)
    have: bytes = field(repr=False)

    def encode(self) -> bytes:
        """type || owner 32 || have 128, zero-padded."""
        return _pad(RequestType.POLL, _POLL.pack(self.owner, self.have))


@dataclass(frozen=True, slots=True)
class DiscardRequest:
    """Erase the batch, and box, of an owner."""

    owner: bytes = field(repr=False)

    def encode(self) -> bytes:
        """type || owner 32, zero-padded."""
        return _pad(RequestType.DISCARD, _OWNER.pack(self.owner))


Request = RouteRequest | BoxRequest | PollRequest | DiscardRequest


def parse_request(data: bytes) -> Request:
    """Parse the 256 bytes of a request. Raises WireError for anything `encode` would not write."""
    if len(data) != REQUEST_BYTES:
        raise WireError("a mailbox request has the wrong length")
    kind = data[0]
    request: Request
    if kind == RequestType.ROUTE:
        request, end = _parse_route(data)
    elif kind == RequestType.BOX:
        nonce, batch = _parse_batch(data)
        request, end = BoxRequest(nonce, batch), 1 + _BATCH.size
    elif kind == RequestType.POLL:
        request, end = PollRequest(*_POLL.unpack_from(data, 1)), 1 + _POLL.size
    elif kind == RequestType.DISCARD:
        request, end = DiscardRequest(*_OWNER.unpack_from(data, 1)), 1 + _OWNER.size
    else:
        raise WireError("a mailbox request has an unknown type")
    if data[end:].strip(b"\0"):
        raise WireError("a mailbox request's padding is not zero")
    return request


def _parse_route(data: bytes) -> tuple[RouteRequest, int]:
    nonce, batch = _parse_batch(data)
    next_seed, next_node = _NEXT.unpack_from(data, 1 + _BATCH.size)
    host, port, end = parse_address(data, 1 + _BATCH.size + _NEXT.size)
    return RouteRequest(nonce, batch, next_seed, next_node, host, port), end


def _parse_batch(data: bytes) -> tuple[bytes, Batch]:
    nonce, ttl_s, cells, owner, handle_seed, key_seed = _BATCH.unpack_from(data, 1)
    _check_batch(cells, ttl_s)
    return nonce, Batch(owner, handle_seed, key_seed, cells, ttl_s)


def _pack_batch(nonce: bytes, batch: Batch) -> bytes:
    _check_batch(batch.cells, batch.ttl_s)
    return _BATCH.pack(
        nonce, batch.ttl_s, batch.cells, batch.owner, batch.handle_seed, batch.key_seed
    )


def _check_batch(cells: int, ttl_s: int) -> None:
    if cells not in CELL_STEPS:
        raise WireError("a batch of slots has a size that is not a step")
    if not MIN_TTL_S <= ttl_s <= MAX_TTL_S:
        raise WireError("a batch of slots lives from a minute to six hours")


def _pad(kind: RequestType, body: bytes) -> bytes:
    return bytes([kind]) + body + bytes(REQUEST_BYTES - 1 - len(body))


def encode_have(places: Iterable[int]) -> bytes:
    """The bitmap of these slot numbers."""
    bits = bytearray(HAVE_BYTES)
    for place in places:
        bits[place >> 3] |= 0x80 >> (place & 7)
    return bytes(bits)


def has(have: bytes, place: int) -> bool:
    """True when the bitmap holds `place`."""
    return bool(have[place >> 3] & (0x80 >> (place & 7)))


def parse_status(data: bytes) -> Status:
    """The status byte of an answer. Raises WireError."""
    if len(data) != 1 or data[0] not in Status._value2member_map_:
        raise WireError("a mailbox answered with an unknown status")
    return Status(data[0])


def split_answer(data: bytes) -> list[bytes]:
    """The packet bodies in the answer to a poll. Raises WireError."""
    if len(data) != ANSWER_BYTES:
        raise WireError("a mailbox answered with the wrong length")
    return [data[at : at + BODY_BYTES] for at in range(0, ANSWER_BYTES, BODY_BYTES)]
