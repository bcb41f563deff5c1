"""Requests that may still be under way although nobody waits for them any more.

A request that timed out may sit in a relay or in the mint's queue and be carried out later. While
that is possible, a refusal of its repetition proves nothing about it. Keeps times, in memory only:
after a restart whatever had left before counts from the moment it is first looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from wallet.errors import MintError

# Connections are closed when their request times out, relays drop streams that nobody reads and
# mints end requests within minutes; nothing can arrive later than this.
LIFE_S = 600.0


class Copies:
    def __init__(self) -> None:
        self._left: dict[str, float] = {}

    def assume(self, op_id: str) -> None:
        """One may have left before this program looked."""
        self._left.setdefault(op_id, trio.current_time())

    @contextmanager
    def sending(self, op_id: str) -> Iterator[None]:
        """Around one request: unless the mint answers it, it may still arrive."""
        before = self._left.get(op_id)
        self._left[op_id] = trio.current_time()
        try:
            yield
        except MintError:
            if before is None:
                self._left.pop(op_id, None)
            else:
                self._left[op_id] = before
            raise

    def may_arrive(self, op_id: str) -> bool:
        """Whether a request without an answer can still reach the mint."""
        left = self._left.get(op_id)
        return left is not None and trio.current_time() - left < LIFE_S

    def forget(self, op_id: str) -> None:
        """The operation is at its end."""
        self._left.pop(op_id, None)
