"""What a client has with one ghost: credit, the payment under way, and what it may be short of.

It says what may be handed out and holds the ghost's word on the credit against its own books. Pure
arithmetic; who pays is `engine.session.payer`, through the wallet, which journals first.
"""

from __future__ import annotations

from engine.errors import ProtocolError
from engine.market.credit import MSAT, Ledger
from engine.market.outlay import Outlay
from engine.market.overbilled import Overbilled
from engine.market.sizing import PAYMENTS_AT_ONCE, first_stake_sat, most_fee_sat, payment_sat
from engine.wire import session as wire

UNKNOWN_PAYMENTS = 1_000
"""Payments a process may have made after it last wrote down their number."""


class ClientCredit:
    """The client's books of one session. At most one payment is under way."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.outlay = Outlay()
        self.fee_ppk = 0
        """What the dearest mint that is paid with takes for each coin (1/1000 sat)."""
        self.paying: tuple[int, int] | None = None
        """The payment under way: (n, sat)."""
        self._coins_sat = 0
        """What the coins of the payment under way are worth."""
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

    @property
    def needed_sat(self) -> int:
        """What the answer waits for, in whole sat."""
        return max(0, -(-(self.needed - self.ledger.balance) // MSAT))

    @property
    def stake_msat(self) -> int:
        """What the ghost has of ours and no answer has used up, with the payment under way, what
        the coins carried for the mint's fee, and change that is not back."""
        left = self.ledger.available
        coins = self._coins_sat if self.paying is not None else 0
        return left + (self.outlay.carried_sat(left) + coins) * MSAT

    def top_up_sat(self, chunk_msat: int) -> int:
        """What the coins handed out now may be worth: 0 while half a chunk is at stake and nothing
        is waited for, or a payment is under way; else what is left of the chunk."""
        stake = self.stake_msat
        if self.paying is not None or not (self.waits or 2 * stake < chunk_msat):
            return 0
        return max(0, (chunk_msat - stake) // MSAT)

    def payment_sat(
        self, chunk_msat: int, fee_ppk: int, *, first_msat: int = 0, held_sat: int = 0
    ) -> int:
        """What to pay now at a mint with this fee for each coin; 0 when there is no room. Before
        the first word of an answer that needs `first_msat` until then, and more than a chunk, it is
        what the answer waits for. `held_sat` is handed out besides: nobody can say what became of
        it."""
        needed = self.needed_sat
        room = self.top_up_sat(chunk_msat) - held_sat
        sat = payment_sat(room, chunk_msat, fee_ppk, needed_sat=needed)
        if sat or held_sat or self.paying is not None:
            return sat
        return needed if self.is_dear(first_msat, chunk_msat) else 0

    def room_sat(self, chunk_msat: int, *, first_msat: int = 0, held_sat: int = 0) -> int:
        """What the coins of such a payment may be worth."""
        room = self.top_up_sat(chunk_msat) - held_sat
        if held_sat or not self.is_dear(first_msat, chunk_msat):
            return room
        return max(room, self.needed_sat + most_fee_sat(first_msat, self.fee_ppk))

    def is_dear(self, first_msat: int, chunk_msat: int) -> bool:
        """Whether an answer that needs so much until its first word puts more than a chunk at
        stake."""
        return first_stake_sat(first_msat, chunk_msat, self.fee_ppk) * MSAT > chunk_msat

    @property
    def at_ghost_msat(self) -> int:
        """Credit and the payment under way together."""
        return self.ledger.balance + (self.paying[1] * MSAT if self.paying is not None else 0)

    def begin(self, sat: int, coins_sat: int = 0) -> int:
        """The number of the payment that is about to be sent, with coins worth `coins_sat` (0: no
        more than the payment)."""
        if self.paying is not None:
            raise ProtocolError("A payment of this session is already under way.")
        self.last_n += 1
        self.paying, self._coins_sat = (self.last_n, sat), max(sat, coins_sat)
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
        self.outlay.add(self.paying[1], self._coins_sat)
        self.paying = None
        self._check(paid.credit)
        return True

    def resumed(self, credit: int, may_have_cost: int) -> None:
        """The ghost named the credit on a new stream. A ghost that forgot a billed answer (restart,
        long absence) may have taken its price: `may_have_cost` at most, never more."""
        self.reported_msat = credit
        if self.adopts:
            self.ledger.balance, self.adopts = credit, False
            self.outlay.adopt(credit, PAYMENTS_AT_ONCE * most_fee_sat(credit, self.fee_ppk))
        slack = self.ledger.balance if self.settling else self.written_off
        self._check(credit + slack + may_have_cost)
        self.shortfall = max(0, self.ledger.balance - credit)
        self.written_off = 0

    def close_answer(self, cost: int) -> None:
        """The running answer ended; `cost` of the credit is used up."""
        self.ledger.close_answer(cost)
        self.outlay.forget_beyond(self.ledger.balance)

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
