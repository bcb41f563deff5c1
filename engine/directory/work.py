"""The proof of work of this node's own identity: made ahead of need, kept, renewed each epoch.

Solving runs in a worker thread. Where it is kept is the caller's matter.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable

import trio

from engine.crypto.identity_work import NONCE_BYTES, epoch_of, solve
from engine.errors import WireError

_RECORD = struct.Struct(f">IB{NONCE_BYTES}s")


class OwnWork:
    """(epoch, nonce) for the adverts of this node."""

    def __init__(
        self,
        node_id: bytes,
        bits: int,
        saved: bytes | None = None,
        *,
        save: Callable[[bytes], Awaitable[None]],
    ) -> None:
        self.epoch = 0
        self.nonce = bytes(NONCE_BYTES)
        self._worth = 0
        self._node_id = node_id
        self._bits = bits
        self._save = save
        if saved is not None:
            if len(saved) != _RECORD.size:
                raise WireError("the stored proof of work is damaged")
            self.epoch, self._worth, self.nonce = _RECORD.unpack(saved)

    async def ensure(self, now: int) -> bool:
        """Have work for the epoch of `now`; True when it was made anew (and saved)."""
        epoch = epoch_of(self._node_id, now)
        if not self._bits or (self.epoch == epoch and self._worth >= self._bits):
            return False
        self.nonce = await trio.to_thread.run_sync(solve, self._node_id, epoch, self._bits)
        self.epoch, self._worth = epoch, self._bits
        await self._save(_RECORD.pack(self.epoch, self._worth, self.nonce))
        return True
