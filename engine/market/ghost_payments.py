"""The money that passes between a client and a ghost's session: payments in, settlements out.

One payment is redeemed at a time; the same message sent again gets the same answer, once. The
credit itself is persisted by the shell before anything is said of it. No I/O, no clock.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable

from engine.errors import ProtocolError
from engine.market.commands import Redeem, Refund
from engine.market.credit import MSAT, Ledger
from engine.market.ghost_outbox import Outbox
from engine.wire import session as wire
from engine.wire.quote import Quote
from wallet.ecash.conditions import is_lock

MAX_QUEUED_PAYMENTS = 4
"""An honest client has one payment in flight."""


class GhostPayments:
    """Payments and settlements of one session. `reported` is the credit as the client may know it
    (msat): a bill it has not seen yet is not taken off."""

    def __init__(self, ledger: Ledger, outbox: Outbox, reported: Callable[[], int]) -> None:
        self._ledger = ledger
        self._outbox = outbox
        self._reported = reported
        self._pays: deque[wire.Pay] = deque()
        self._last_paid: tuple[wire.Pay, wire.Paid] | None = None
        self._settle: wire.Settle | None = None
        self._refunds: dict[bytes, tuple[wire.WireSignature, ...]] = {}
        self._outs: set[bytes] = set()
        """Outputs that a settlement was made on: what else the mint signed on them, its client
        would not look for."""

    def __repr__(self) -> str:
        return f"GhostPayments(waiting={len(self._pays)})"

    @property
    def waiting(self) -> bool:
        """Whether a payment is being redeemed."""
        return bool(self._pays)

    # -- payments in -----------------------------------------------------------------------------

    def on_pay(self, pay: wire.Pay, quote: Quote, needed_msat: int) -> None:
        """A payment came; `needed_msat` is what the running answer needs in all to go on."""
        if pay in self._pays:
            return  # sent again after a cut; the answer is on its way
        if self._last_paid is not None and self._last_paid[0] == pay:
            paid = self._last_paid[1]
            self._outbox.say(wire.Paid(paid.n, self._reported(), paid.change))
            return
        if len(self._pays) >= MAX_QUEUED_PAYMENTS:
            raise ProtocolError("The client sent more payments than it may have in flight.")
        if pay.mint not in quote.mints:
            self._refuse(pay, "mint", "The ghost does not take ecash of this mint.")
        elif quote.locked_only and not all(is_lock(proof.s) for proof in pay.proofs):
            self._refuse(pay, "pay_unlocked", "The ghost takes only payments locked to its key.")
        elif not self._ledger.accepts(pay.sat, quote.chunk_msat, needed_msat):
            self._refuse(pay, "credit_limit", "The payment is more credit than the ghost holds.")
        else:
            self._pays.append(pay)
            if len(self._pays) == 1:
                self._outbox.do(Redeem(pay))

    def _refuse(self, pay: wire.Pay, code: str, message: str) -> None:
        self._outbox.error(code, message, n=pay.n)

    def redeemed(self, n: int, balance: int, change: tuple[wire.WireSignature, ...]) -> None:
        """Payment `n` is in; `balance` is the persisted credit after it."""
        pay = self._pays.popleft()
        self._ledger.balance = balance
        paid = wire.Paid(n, self._reported(), change)
        self._last_paid = (pay, paid)
        self._outbox.say(paid)
        self._next()

    def failed(self, n: int, code: str, message: str, *, retry: bool) -> None:
        """Payment `n` was not taken; `retry` says that sending it again makes sense."""
        self._pays.popleft()
        self._outbox.error(code, message, n=n, retry=retry)
        self._next()

    def _next(self) -> None:
        if self._pays:
            self._outbox.do(Redeem(self._pays[0]))

    # -- settlements out -------------------------------------------------------------------------

    def on_settle(self, settle: wire.Settle, quote: Quote, *, busy: bool) -> None:
        """The client wants credit back; `busy` while an answer is under way."""
        if settle.mint not in quote.mints:
            self._outbox.error("mint", "The ghost does not hold ecash of this mint.")
        elif busy or self._pays or self._settle is not None:
            words = "The ghost settles only when nothing else is under way."
            self._outbox.error("busy", words, retry=True)
        elif (change := self._refunds.get(_outputs_id(settle))) is not None:
            self._outbox.say(wire.Settled(self._reported(), change))
        elif not self._outs.isdisjoint(settle.outs):
            self._outbox.error("settle_failed", "An earlier settlement was made on these outputs.")
        else:
            self._settle = settle
            self._outbox.do(Refund(settle, self._refund_sat(settle.sat)))

    def _refund_sat(self, asked: int) -> int:
        """At most the whole sat of the credit. With none left this can only be a settlement made
        before a crash and sent again: the wallet then knows it by its outputs and amount."""
        there = self._ledger.available // MSAT
        return min(asked, there) if there > 0 else asked

    def refunded(self, balance: int, change: tuple[wire.WireSignature, ...]) -> None:
        """The refund is made; `balance` is the persisted credit after it."""
        settle, self._settle = self._settle, None
        self._ledger.balance = balance
        if settle is not None:
            self._refunds[_outputs_id(settle)] = change
            self._outs.update(settle.outs)
        self._outbox.say(wire.Settled(self._reported(), change))

    def refund_failed(self, message: str, *, retry: bool) -> None:
        self._settle = None
        self._outbox.error("settle_failed", message, retry=retry)


def _outputs_id(settle: wire.Settle) -> bytes:
    return hashlib.sha256(settle.mint.encode() + b"\0" + b"".join(settle.outs)).digest()
