"""What became of payments that a ghost did not confirm: the mint's word, and what is still open.

A payment of unknown fate counts as handed out: a ghost may hide one behind a mint's silence. Errors
of the mint are not raised here; every payment is journalled, and the wallet's recovery goes on.
"""

from __future__ import annotations

from enum import Enum, auto

import trio

from engine.errors import PaymentError
from engine.market.seams import PayingWallet, Payment
from wallet.errors import MintUnreachable, WalletError

RESOLVE_S = 45.0
"""How long a payment is followed at the mint before that is left to the wallet's recovery."""


class PaymentKept(PaymentError):
    """The ghost says that it did not take a payment, and the mint says that it was spent."""

    code = "payment_kept"


class Fate(Enum):
    """What became of a payment that the ghost did not take."""

    BACK = auto()
    SPENT = auto()
    UNKNOWN = auto()
    """Its mint does not answer us either."""
    HELD = auto()
    """The mint has not decided, or its word makes no sense."""

    @property
    def is_open(self) -> bool:
        return self in (Fate.UNKNOWN, Fate.HELD)


KEPT = {
    Fate.BACK: "The ecash of the payment is back in the wallet.",
    Fate.SPENT: "The mint says that the ecash was spent; its change is in the wallet.",
    Fate.UNKNOWN: "The mint does not answer; the payment is in the journal and is followed up.",
    Fate.HELD: "The mint has not decided; the payment is in the journal and is followed up.",
}


class Fates:
    """Of the payments of one session."""

    def __init__(self, wallet: PayingWallet) -> None:
        self._wallet = wallet
        self._open: dict[str, Payment] = {}
        self.lost_sat = 0
        """What taking payments back has cost at the mints."""

    def __repr__(self) -> str:
        return f"Fates(open={len(self._open)})"

    @property
    def at_stake_sat(self) -> int:
        """What the payments of unknown fate are worth."""
        return sum(payment.total_sat for payment in self._open.values())

    async def of(self, payment: Payment) -> Fate:
        """The mint's word on a payment that was sent."""
        with trio.move_on_after(RESOLVE_S, shield=True):
            try:
                outcome = await self._wallet.pay_resolve(payment.id)
            except MintUnreachable:
                return Fate.UNKNOWN
            except WalletError:
                return Fate.HELD
            if outcome.state != "reclaimed":
                return Fate.SPENT
            self.lost_sat += max(0, payment.total_sat - outcome.returned_sat)
            return Fate.BACK
        return Fate.UNKNOWN

    def denied(self, payment: Payment, fate: Fate) -> None:
        """The ghost says that it did not take this payment, whose fate is so."""
        if fate.is_open:
            self._open[payment.id] = payment

    async def look_again(self) -> None:
        """Whether the mints can say by now what became of the open ones. Raises PaymentKept."""
        for payment in list(self._open.values()):
            fate = await self.of(payment)
            if fate.is_open:
                continue
            del self._open[payment.id]
            if fate is Fate.SPENT:
                raise PaymentKept(
                    "The ghost kept a payment that it said it did not take.",
                    kept=KEPT[Fate.SPENT],
                    hint="Use another ghost.",
                )
