"""The dishonest clients of the market simulation: see `bench.market_trick`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from bench.market_road import Words
from bench.market_trick import CLIENT, TalksNonsense, Trick
from engine.wire import session as wire


class ClientTrick(Trick):
    side = CLIENT


class DoubleSpends(ClientTrick):
    """An accomplice takes the coins of some payments home while the ghost redeems them."""

    double_spends = "swap"

    def client_says(self, message: wire.Message) -> Iterable[Words]:
        if isinstance(message, wire.Pay):
            self.on_pay(message)
        return [message]


class PaysTwoGhosts(ClientTrick):
    """The same coins to two ghosts at once."""

    double_spends = "twin"


class WithholdsPayment(ClientTrick):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.withholds_after = self.rng.randrange(0, 3)


class ClaimsMore(ClientTrick):
    """A payment that names more than its coins are worth, or wants more change back."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.factor = self.rng.choice((-5, -1, 1, 5, 100))

    def client_says(self, message: wire.Message) -> Iterable[Words]:
        if isinstance(message, wire.Pay):
            return [replace(message, sat=max(0, message.sat + self.factor))]
        return [message]


class ReplaysPayments(ClientTrick):
    """The same payment under a new number, with other outputs, or twice."""

    def client_says(self, message: wire.Message) -> Iterable[Words]:
        if isinstance(message, wire.Pay):
            other = self.rng.choice(
                (
                    replace(message, n=message.n + 1),
                    replace(message, outs=message.outs[:-1]),
                    replace(message, outs=message.outs[::-1]),
                    message,
                )
            )
            return [message, other]
        return [message]


class DoesNotSign(ClientTrick):
    """It never accepts a receipt, or accepts it with a wrong signature."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.wrong = self.rng.random() < 0.3

    def client_says(self, message: wire.Message) -> Iterable[Words]:
        if isinstance(message, wire.Sign):
            return [replace(message, sig=os.urandom(64))] if self.wrong else []
        return [message]


class ResumesElsewhere(ClientTrick):
    """It wants the answer from a place it was never sent to, or another answer."""

    def client_says(self, message: wire.Message) -> Iterable[Words]:
        if isinstance(message, wire.Resume):
            return [
                replace(
                    message,
                    have=self.rng.randrange(0, 500),
                    q=message.q + self.rng.choice((0, 0, 1)),
                )
            ]
        if isinstance(message, wire.Ask):
            return [message, wire.Resume(message.q, self.rng.randrange(0, 3))]
        return [message]


class AsksTwice(ClientTrick):
    """The same question number for two questions, or two questions at once."""

    def client_says(self, message: wire.Message) -> Iterable[Words]:
        if isinstance(message, wire.Ask):
            second = self.rng.choice(
                (message, replace(message, q=message.q + 1), replace(message, model="other"))
            )
            return [message, second]
        return [message]


class SettlesMore(ClientTrick):
    """It wants more back than there is, twice with other outputs, and while an answer runs."""

    def client_says(self, message: wire.Message) -> Iterable[Words]:
        if isinstance(message, wire.Settle):
            return [
                self.rng.choice((replace(message, sat=message.sat + 100), message)),
                replace(message, outs=message.outs[::-1]),
                message,
            ]
        return [message]


class CancelsEarly(ClientTrick):
    """It cancels each question before or with the first word."""

    def ghost_says(self, message: wire.Message) -> Iterable[Words]:
        if isinstance(message, wire.Started):
            self.wants_cancel.set()
        return [message]


class ReadsNothing(ClientTrick):
    """It lets the ghost read the provider, takes nothing off its stream, and cancels."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.heard = self.rng.randrange(1, 10)

    def ghost_says(self, message: wire.Message) -> Iterable[Words]:
        if isinstance(message, wire.Delta) and self.circuit is not None:
            self.heard -= 1
            self.circuit.client.deaf = self.heard <= 0
        return [message]


CLIENT_TRICKS: tuple[type[Trick], ...] = (
    DoubleSpends,
    PaysTwoGhosts,
    WithholdsPayment,
    ClaimsMore,
    ReplaysPayments,
    DoesNotSign,
    ResumesElsewhere,
    AsksTwice,
    SettlesMore,
    CancelsEarly,
    ReadsNothing,
    TalksNonsense,
)
