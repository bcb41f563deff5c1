"""Batches for the tests of the tables."""

from __future__ import annotations

import os

from engine.crypto.packets import slot_handles, slot_keys
from engine.mailbox.slots import NextRelay
from engine.wire.mailbox import Batch

ONWARD = NextRelay(bytes(32), "127.9.0.1", 9)


def batch(cells: int = 16, ttl_s: int = 3_600) -> Batch:
    """A batch as a client makes it."""
    return Batch(os.urandom(32), os.urandom(32), os.urandom(32), cells, ttl_s)


def handles(of: Batch) -> list[bytes]:
    """The handles of its slots, in order."""
    return slot_handles(of.handle_seed, of.cells)


def slot_handle(handle_seed: bytes, place: int) -> bytes:
    """The handle of one slot."""
    return slot_handles(handle_seed, place + 1)[place]


def slot_key(key_seed: bytes, place: int) -> bytes:
    """The key of one slot."""
    return slot_keys(key_seed, place + 1)[place]
