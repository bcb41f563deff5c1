"""What a client has with one ghost: credit, the payment under way, and what it may be short of.

It decides how much to pay and holds the ghost's word on the credit against its own books. Pure
arithmetic; who pays is `engine.session.payer`, through the wallet, which journals first.
"""

from __future__ import annotations

from engine.errors import ProtocolError
from engine.market.credit import MSAT, Ledger
from engine.market.overbilled import Overbilled
from engine.wire import session as wire

UNKNOWN_PAYMENTS = 1_000
"""Payments a process may have made after it last wrote down their number."""


class ClientCredit:
    """The client's books of one session. At most one payment is under way."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.paying: tuple[int, int] | None = None
        """The payment under way: (n, sat)."""
        self.last_n = 0
        self.needed = 0
        """What the ghost said that the answer waits for, msat in all."""
        self.reported_msat = 0
        """The credit the ghost named when the session was last resumed."""
        self.settling = False
        """Whether a refund was asked for, which the ghost may have made already."""
        self.adopts = False
        """Whether only the ghost knows the credit, because an earlier process paid it."""
        self.shortfall = 0
        self.written_off = 0

    def __repr__(self) -> str:
        return f"ClientCredit(balance={self.ledger.balance})"

    # -- paying ----------------------------------------------------------------------------------

    @property
    def waits(self) -> bool:
        """Whether the ghost said that the answer cannot go on with the credit there is."""
        return self.needed > self.ledger.balance

    def top_up_sat(self, chunk_msat: int) -> int:
        """What to pay now: 0 while half a chunk is left or a payment is under way."""
        if self.paying is not None:
            return 0
        usual = self.ledger.top_up_sat(chunk_msat)
        if not self.waits:
            return usual
        return max(usual, -(-(self.needed - self.ledger.balance) // MSAT))

    @property
    def at_ghost_msat(self) -> int:
        """Credit and the payment under way together."""
        return self.ledger.balance + (self.paying[1] * MSAT if self.paying is not None else 0)

    def begin(self, sat: int) -> int:
        """The number of the payment that is about to be sent."""
        if self.paying is not None:
            raise ProtocolError("A payment of this session is already under way.")
        self.last_n += 1
        self.paying = (self.last_n, sat)
        return self.last_n

    def drop(self) -> None:
        """The payment under way was resolved without the ghost."""
        self.paying = None

    # -- the ghost's word ------------------------------------------------------------------------

    def taken(self, paid: wire.Paid) -> bool:
        """A payment was taken; false when it is none that waits. Raises ProtocolError for one
        that was never made, Overbilled when the credit is less than our books say."""
        if self.paying is None or paid.n != self.paying[0]:
            if paid.n > self.last_n:
                raise ProtocolError("The ghost confirms a payment that was never made.")
            return False
        self.ledger.deposit(self.paying[1] * MSAT)
        self.paying = None
        self._check(paid.credit)
        return True

    def resumed(self, credit: int, may_have_cost: int) -> None:
        """The ghost named the credit on a new stream. A ghost that forgot a billed answer (restart,
        long absence) may have taken its price: `may_have_cost` at most, never more."""
        self.reported_msat = credit
        if self.adopts:
            self.ledger.balance, self.adopts = credit, False
        slack = self.ledger.balance if self.settling else self.written_off
        self._check(credit + slack + may_have_cost)
        self.shortfall = max(0, self.ledger.balance - credit)
        self.written_off = 0

    def take_shortfall(self) -> int:
        """Take the credit as the ghost named it; msat by which our books fall."""
        short, self.shortfall = self.shortfall, 0
        self.ledger.balance -= short
        return short

    def _check(self, credit: int) -> None:
        if credit < self.ledger.balance:
            raise Overbilled(
                "The ghost reports less credit than was paid to it.",
                kept="Everything not yet handed to it is in the wallet.",
                hint="The session ends; another ghost will be used.",
            )
