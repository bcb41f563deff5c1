"""Waiting for coins that another operation of this process holds just now.

A swap holds its coins until the mint has answered, and a wallet may have little more than one large
coin: whoever pays meanwhile is not poor, only early. What was handed out to others is not waited
for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import trio

from wallet.errors import InsufficientFunds

WAIT_S = 20.0
"""A mint that takes longer for a swap is no reason to keep a payment waiting."""
T = TypeVar("T")


class UnderWay:
    """The operations that are being moved to their end now."""

    def __init__(self) -> None:
        self._count = 0
        self._ended = trio.Event()

    @contextmanager
    def one(self) -> Iterator[None]:
        """While an operation is moved. At its end there may be change."""
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1
            self._ended.set()
            self._ended = trio.Event()

    async def coins_for(self, prepare: Callable[[], Awaitable[T]]) -> T:
        """What `prepare` makes of the coins that are there, or will be in a moment. Raises
        InsufficientFunds."""
        deadline = trio.current_time() + WAIT_S
        while True:
            ended = self._ended
            try:
                return await prepare()
            except InsufficientFunds as error:
                enough = error.available_sat + error.reserved_sat >= error.needed_sat
                if not enough or not (self._count or ended.is_set()):
                    raise
                with trio.move_on_at(deadline) as patience:
                    await ended.wait()
                if patience.cancelled_caught:
                    raise
