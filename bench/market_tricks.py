"""The dishonest ghosts of the market simulation (`bench.market_trick`), each one way to cheat.

What may be lost to them is measured by `bench.market_books`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from bench.market_road import Words
from bench.market_trick import GHOST, TalksNonsense, Trick
from engine.wire import session as wire
from engine.wire.receipt import Receipt


class GhostTrick(Trick):
    side = GHOST

    def forge(self, done: wire.Done, **changes: Any) -> wire.Done:
        """The bill with other figures, and a receipt that says the same."""
        receipt = Receipt.decode(done.receipt, self.key)
        known = {name: value for name, value in changes.items() if hasattr(receipt, name)}
        raw = replace(receipt, **known).encode(self.sign)
        shown = {name: value for name, value in changes.items() if hasattr(done, name)}
        return replace(done, **shown, receipt=raw)


class StopsAnywhere(GhostTrick):
    """It is gone after so many messages."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.left = self.rng.randrange(1, 30)

    def ghost_says(self, message: wire.Message) -> Iterable[Words]:
        self.left -= 1
        if self.left <= 0:
            self.vanish()
        return [message]


class TakesAndVanishes(GhostTrick):
    """It takes a payment and is gone, before or after it redeemed it."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.left = self.rng.randrange(1, 4)
        self.redeems = self.rng.random() < 0.7

    def client_says(self, message: wire.Message) -> Iterable[Words]:
        if isinstance(message, wire.Pay):
            self.left -= 1
            if self.left == 0 and not self.redeems:
                self.vanish()
                return []
        return [message]

    def ghost_says(self, message: wire.Message) -> Iterable[Words]:
        if isinstance(message, wire.Paid) and message.n and self.left <= 0:
            self.vanish()
            return []
        return [message]


class Overbills(GhostTrick):
    """The bill is higher than the meter says, by a little or by a lot, and signed."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.more = self.rng.choice((1, 1_000, 4_999, 5_000, 5_001, 10_000, 1_000_000))

    def ghost_says(self, message: wire.Message) -> Iterable[Words]:
        if isinstance(message, wire.Done):
            return [self.forge(message, cost=message.cost + self.more)]
        return [message]


class CountsMore(GhostTrick):
    """Token counts up to and beyond what the bytes can hold, in deltas and in the bill."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.factor = self.rng.choice((2, 3, 4, 5, 20))
        self.bills = self.rng.random() < 0.5

    def ghost_says(self, message: wire.Message) -> Iterable[Words]:
        if isinstance(message, wire.Delta):
            return [replace(message, out=message.out * self.factor)]
        if isinstance(message, wire.Done) and self.bills:
            tin, tout = message.tin * self.factor, message.tout * self.factor
            return [self.forge(message, tin=tin, tout=tout, cost=message.cost * self.factor)]
        return [message]


class HidesTheCache(GhostTrick):
    """It says that nothing was read from a cache, or that much was thought and not shown."""

    def ghost_says(self, message: wire.Message) -> Iterable[Words]:
        if isinstance(message, wire.Done):
            changes = self.rng.choice(
                ({"tcached": 0}, {"treason": message.tout}, {"tout": message.tout + 40})
            )
            return [self.forge(message, **changes)]
        return [message]


class AsksForMore(GhostTrick):
    """It says that the answer waits for much more than it costs."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.more = self.rng.choice((1, 5_000, 10_000, 500_000))
        self.asked = False

    def ghost_says(self, message: wire.Message) -> Iterable[Words]:
        if isinstance(message, wire.Need):
            return [replace(message, due=message.due + self.more)]
        if isinstance(message, wire.Delta) and not self.asked and self.rng.random() < 0.2:
            self.asked = True
            return [message, wire.Need(message.q, self.more, 0)]
        return [message]


class UnderstatesCredit(GhostTrick):
    """It reports less credit than was paid in, when it confirms, resumes or settles."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.less = self.rng.choice((1, 1_000, 5_000, 10_000, 20_000))

    def ghost_says(self, message: wire.Message) -> Iterable[Words]:
        if isinstance(message, wire.Paid | wire.Settled):
            return [replace(message, credit=max(0, message.credit - self.less))]
        return [message]


class SpoilsChange(GhostTrick):
    """Change that is missing, short, swapped, wrongly signed or without a valid proof."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.how = self.rng.choice(("none", "short", "point", "proof", "amount", "twice"))

    def ghost_says(self, message: wire.Message) -> Iterable[Words]:
        if isinstance(message, wire.Paid | wire.Settled) and message.change:
            return [replace(message, change=self._spoilt(message.change))]
        return [message]

    def _spoilt(self, change: tuple[wire.WireSignature, ...]) -> tuple[wire.WireSignature, ...]:
        first, *rest = change
        if self.how == "none":
            return ()
        if self.how == "short":
            return change[:-1]
        if self.how == "twice":
            return (first, first)
        if self.how == "point":
            first = replace(first, c=bytes([5 - first.c[0]]) + first.c[1:])
        elif self.how == "proof":
            first = replace(first, e=os.urandom(32))
        else:
            first = replace(first, a=first.a * 2)
        return (first, *rest)


class KeepsChange(GhostTrick):
    """Its till takes the whole payment and signs no change."""

    steals_change = True


class DeniesPayments(GhostTrick):
    """It redeems a payment and says that the mint did not answer, or refused."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.code = self.rng.choice(("pay_mint_unreachable", "pay_mint", "pay_mint_busy"))
        self.retry = self.rng.random() < 0.5

    def ghost_says(self, message: wire.Message) -> Iterable[Words]:
        if isinstance(message, wire.Paid) and message.n:
            error = wire.Error(0, message.n, self.code, "It did not work.", "", self.retry, 0)
            return [error]
        return [message]


class ForgesReceipts(GhostTrick):
    """Receipts of other answers, other sessions, other chains, or with a wrong signature."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.how = self.rng.choice(("answer", "session", "prev", "n", "quote", "sign", "old"))
        self.old: wire.Done | None = None

    def ghost_says(self, message: wire.Message) -> Iterable[Words]:
        if not isinstance(message, wire.Done):
            return [message]
        if self.how == "sign":
            spoilt = os.urandom(64) + message.receipt[64:]
            return [replace(message, receipt=spoilt)]
        if self.how == "old":
            old, self.old = self.old, self.old or message
            return [replace(message, receipt=old.receipt) if old else message]
        if self.how == "n":
            return [self.forge(message, n=self.rng.randrange(1, 9))]
        size = 16 if self.how == "quote" else 32
        return [self.forge(message, **{self.how: os.urandom(size)})]


class Replays(GhostTrick):
    """It says again what it said before."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.said: list[wire.Message] = []

    def ghost_says(self, message: wire.Message) -> Iterable[Words]:
        self.said.append(message)
        if self.rng.random() < 0.15:
            return [message, self.rng.choice(self.said)]
        return [message]


class ChangesTheAnswer(GhostTrick):
    """Text out of place, twice, or other text than the receipt is for."""

    def ghost_says(self, message: wire.Message) -> Iterable[Words]:
        if isinstance(message, wire.Delta) and self.rng.random() < 0.1:
            return [
                self.rng.choice(
                    (
                        replace(message, text=message.text[::-1]),
                        replace(message, off=message.off + 1),
                        replace(message, text=message.text + "x" * 50),
                    )
                )
            ]
        return [message]


GHOST_TRICKS: tuple[type[Trick], ...] = (
    StopsAnywhere,
    TakesAndVanishes,
    Overbills,
    CountsMore,
    HidesTheCache,
    AsksForMore,
    UnderstatesCredit,
    SpoilsChange,
    KeepsChange,
    DeniesPayments,
    ForgesReceipts,
    Replays,
    ChangesTheAnswer,
    TalksNonsense,
)
