"""What a trick of the market simulation is: see `bench.market_tricks` and `bench.market_cheats`.

It sits on the wire of a real `GhostService` or `AskSession` and rewrites what it says. It has the
cheat's keys, so a forged bill or receipt is signed as well as an honest one.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable
from typing import Any

import trio

from bench.market_road import Circuit, Words
from engine.wire import session as wire

Sign = Callable[[bytes], bytes]
GHOST, CLIENT = "ghost", "client"


class Trick:
    """Honest on both sides; a cheat overrides one of the two."""

    side = ""
    steals_change = False
    """Whether the ghost's till keeps the change of payments for itself."""
    withholds_after: int | None = None
    """Payments the client makes before it stops paying."""
    double_spends = ""
    """`swap`: an accomplice spends the coins first or last; `twin`: two ghosts get them."""

    def __init__(self, rng: random.Random, key: bytes, sign: Sign) -> None:
        """`key` and `sign` are the ghost's identity."""
        self.rng = rng
        self.key = key
        self.sign = sign
        self.circuit: Circuit | None = None
        self.gone = False
        """The cheat answers no more, on any circuit."""
        self.wants_cancel = trio.Event()
        self.on_pay: Callable[[wire.Pay], None] = lambda _pay: None
        """An accomplice of the client hears of a payment as it leaves."""

    @property
    def name(self) -> str:
        return type(self).__name__

    def ghost_says(self, message: wire.Message) -> Iterable[Words]:
        return [message]

    def client_says(self, message: wire.Message) -> Iterable[Words]:
        return [message]

    def vanish(self) -> None:
        self.gone = True
        if self.circuit is not None:
            self.circuit.cut()


class Honest(Trick):
    """Nobody cheats; circuits, processes and mints fail all the same."""


class TalksNonsense(Trick):
    """Bytes that are no message, from either side."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.side = self.rng.choice((GHOST, CLIENT))
        self.left = self.rng.randrange(2, 12)

    def _nonsense(self, message: wire.Message) -> Iterable[Words]:
        self.left -= 1
        if self.left:
            return [message]
        return [self.rng.choice((os.urandom(40), bytes(8), b"\xff" * 5, b"\x00\x00\x00\x01\xa0"))]

    def ghost_says(self, message: wire.Message) -> Iterable[Words]:
        return self._nonsense(message) if self.side == GHOST else [message]

    def client_says(self, message: wire.Message) -> Iterable[Words]:
        return self._nonsense(message) if self.side == CLIENT else [message]
