"""The receipt of one answer: signed by the ghost, countersigned by the session key, hash-chained.

    raw  = ghost's signature (64) || body
    body = deterministic CBOR {v, session, n, prev, model, tin, tout, tcached, treason, cost,
           answer, quote}

`session` is the session hash (never the id), `prev` the hash of the receipt before it (32 zero
bytes for the first), `answer` a hash of the answer's UTF-8 keyed with the session id, which is in
no receipt: a third party who is shown one cannot test guesses of a short answer. No text of either
side. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from engine.crypto.keys import verify_signature
from engine.errors import WireError
from engine.wire import cbor, signed
from engine.wire.quote import MAX_MODEL_NAME
from engine.wire.schema import dump, octets, take, text, uint

LABEL = b"peer2prompt receipt v2"
COUNTERSIGN_LABEL = b"peer2prompt receipt countersign v1"
HASH_LABEL = b"peer2prompt receipt hash v1"
ANSWER_LABEL = b"peer2prompt receipt answer v2"
FIRST = bytes(32)
MAX_RECEIPT_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one answer cost, in a form both sides can prove later. `tcached` are the tokens of `tin`
    read from a cache, `treason` those of `tout` spent on reasoning."""

    VERSION: ClassVar[int] = 2

    session: bytes
    n: int
    prev: bytes
    model: str
    tin: int
    tout: int
    tcached: int
    treason: int
    cost: int
    answer: bytes
    quote: bytes

    def encode(self, sign: Callable[[bytes], bytes]) -> bytes:
        """The signed document."""
        fields = dump(self)
        body = cbor.encode({"v": self.VERSION, **fields})  # type: ignore[dict-item]
        return signed.seal(LABEL, body, sign)

    @classmethod
    def decode(cls, raw: bytes, ghost_key: bytes) -> Receipt:
        """The receipt in `raw`, once its signature by the ghost verified."""
        if len(raw) > MAX_RECEIPT_BYTES:
            raise WireError("A receipt is too long.")
        body = signed.check(LABEL, ghost_key, raw)
        fields = take(cbor.decode_map(body), _RECEIPT)
        fields.pop("v")
        return cls(**fields)


def answer_hash(session_id: bytes, answer: bytes | bytearray) -> bytes:
    """What a receipt says of the answer's text. `session_id` is 16 bytes."""
    return hashlib.sha256(ANSWER_LABEL + session_id + answer).digest()


def receipt_hash(raw: bytes) -> bytes:
    """The link of the chain: covers the ghost's signature and the body."""
    return hashlib.sha256(HASH_LABEL + raw).digest()


def countersign(raw: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """The client's signature that it accepts this receipt."""
    return sign(COUNTERSIGN_LABEL + receipt_hash(raw))


def countersigned(raw: bytes, session_key: bytes, signature: bytes) -> bool:
    """Whether the session key accepted this receipt."""
    return verify_signature(session_key, signature, COUNTERSIGN_LABEL + receipt_hash(raw))


_RECEIPT = {
    "v": uint(Receipt.VERSION, Receipt.VERSION),
    "session": octets(32),
    "n": uint(2**32 - 1, 1),
    "prev": octets(32),
    "model": text(MAX_MODEL_NAME),
    "tin": uint(),
    "tout": uint(),
    "tcached": uint(),
    "treason": uint(),
    "cost": uint(),
    "answer": octets(32),
    "quote": octets(16),
}
