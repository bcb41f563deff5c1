"""What an identity costs: a memory-hard proof of work per node and epoch, a bump against Sybils.

    solved when the nonce is worth `bits` over node_id || epoch u32 (engine.crypto.memory_work)

Checking costs one evaluation, finding one 2^bits. The epoch of a node is a week long and begins at
a moment of its own, so that a network does not work all at once. Pure.
"""

from __future__ import annotations

from engine.crypto.keys import NODE_ID_BYTES
from engine.crypto.memory_work import MAX_BITS, NONCE_BYTES, search, worth

__all__ = ["EPOCH_S", "MAX_BITS", "NONCE_BYTES", "epoch_ends", "epoch_of", "is_solved", "solve"]

EPOCH_S = 7 * 86_400
_LABEL = b"peer2prompt identity work v1"


def epoch_of(node_id: bytes, now: int) -> int:
    """The epoch of this node at `now` (unix seconds)."""
    return (now + int.from_bytes(node_id[:8], "big") % EPOCH_S) // EPOCH_S


def epoch_ends(node_id: bytes, epoch: int) -> int:
    """When the epoch is over (unix seconds)."""
    return (epoch + 1) * EPOCH_S - int.from_bytes(node_id[:8], "big") % EPOCH_S


def is_solved(node_id: bytes, epoch: int, nonce: bytes, bits: int) -> bool:
    """True when `nonce` is worth `bits` for this node and epoch."""
    if len(node_id) != NODE_ID_BYTES or len(nonce) != NONCE_BYTES or not 0 <= epoch < 1 << 32:
        return False
    return not bits or worth(_LABEL, node_id + epoch.to_bytes(4, "big"), nonce) >= bits


def solve(node_id: bytes, epoch: int, bits: int) -> bytes:
    """A nonce worth `bits`. Takes 2^bits evaluations on average: not for the event loop."""
    return search(_LABEL, node_id + epoch.to_bytes(4, "big"), bits)
