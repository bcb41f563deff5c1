"""Batches for the tests of the tables."""

from __future__ import annotations

import os

from engine.crypto.packets import slot_handle
from engine.mailbox.slots import NextRelay
from engine.wire.mailbox import Batch

ONWARD = NextRelay(bytes(32), "127.9.0.1", 9)


def batch(cells: int = 16, ttl_s: int = 3_600) -> Batch:
    """A batch as a client makes it."""
    return Batch(os.urandom(32), os.urandom(32), os.urandom(32), cells, ttl_s)


def handles(of: Batch) -> list[bytes]:
    """The handles of its slots, in order."""
    return [slot_handle(of.handle_seed, place) for place in range(of.cells)]
