"""Sizes of the onion construction, shared by the relay's and the client's half. Constants only."""

from __future__ import annotations

from typing import NoReturn

from engine.errors import LayerError

HOPS = 4  # three relays and the exit
TAG_BYTES = 16
BODY_BYTES = 2_024  # what is layered: a cell without its header
SEALED_BYTES = BODY_BYTES - TAG_BYTES
HEAD_BYTES = (HOPS - 1) * TAG_BYTES  # room for the fillers of all hops before the last
REGION_BYTES = SEALED_BYTES - HEAD_BYTES

# Roles in the first four nonce bytes; a nonce is u32 role || u64 cell number.
FORWARD, TERMINAL, BACKWARD = 0, 1, 2
TERMINAL_NONCE = TERMINAL << 64
BACKWARD_NONCE = BACKWARD << 64

ZEROS = bytes(SEALED_BYTES)

Buffer = bytes | bytearray | memoryview


def erased(*_args: object) -> NoReturn:
    """Stands in for a cipher whose key has been dropped."""
    raise LayerError("the keys of this circuit are erased")
