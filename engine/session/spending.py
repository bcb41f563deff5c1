"""How much is paid to a ghost next, and with which mint's ecash: what `Payer` asks before it pays.

Everything handed out counts (`engine.market.outlay`): the coins' worth, the mint's fee among it,
and payments whose fate is not known. A mint that failed is passed over for a while; one whose fee
does not fit into the ghost's chunks is not paid with at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from engine.errors import GhostError, PaymentError
from engine.market.client_session import ClientSession
from engine.market.credit import MSAT
from engine.market.seams import PayingWallet
from engine.market.sizing import first_stake_sat, is_payable, lot_sat
from engine.session.fates import KEPT, Fate, Fates
from wallet.errors import InsufficientFunds, WalletError

PASSING = ("mint_unreachable", "mint_busy")
PASSED_OVER_S = 60.0
"""How long a mint that failed is not paid with while another one can be."""


class Spending:
    """Of one session."""

    def __init__(
        self,
        wallet: PayingWallet,
        session: ClientSession,
        fates: Fates,
        mints: Callable[[], Awaitable[list[str]]],
    ) -> None:
        self._wallet = wallet
        self._session = session
        self._fates = fates
        self._mints = mints
        self._passed_over: dict[str, float] = {}
        self._failed: PaymentError | None = None
        self._too_dear = False

    @property
    def due(self) -> bool:
        """Whether something is to be paid now."""
        credit = self._session.credit
        return self._session.top_up_sat() > 0 or (credit.waits and credit.paying is None)

    def lot_sat(self, mint: str) -> int:
        """What one payment made ahead is worth. Raises a WalletError."""
        return lot_sat(self._session.chunk_msat, self._wallet.fee_ppk(mint))

    async def mints(self) -> list[str]:
        """What can be paid with now, the best first."""
        now = trio.current_time()
        usable = [mint for mint in await self._mints() if self._passed_over.get(mint, 0.0) <= now]
        cheap = [mint for mint in usable if self._is_payable(mint)]
        self._too_dear = bool(usable) and not cheap
        return cheap

    def _is_payable(self, mint: str) -> bool:
        try:
            fee_ppk = self._wallet.fee_ppk(mint)
        except WalletError:
            return True  # the payment will say what is wrong with it
        if not is_payable(self._session.chunk_msat, fee_ppk):
            return False
        credit = self._session.credit
        credit.fee_ppk = max(credit.fee_ppk, fee_ppk)
        return True

    def sat_at(self, mint: str) -> int:
        """What to pay now with this mint's ecash; 0 when there is no room. Raises a WalletError."""
        return self._session.payment_sat(self._wallet.fee_ppk(mint), self._fates.at_stake_sat)

    def room_sat(self) -> int:
        """What the coins of the next payment may be worth."""
        return self._session.room_sat(self._fates.at_stake_sat)

    async def check_first(self, first_msat: int) -> None:
        """Before a question is asked that needs so much until its first word. Raises GhostError
        when that is more than a chunk and more than the wallet's owner puts at stake."""
        credit, chunk_msat = self._session.credit, self._session.chunk_msat
        if first_msat <= credit.ledger.balance:
            return
        await self.mints()
        stake = first_stake_sat(first_msat, chunk_msat, credit.fee_ppk)
        if stake <= max(chunk_msat // MSAT, self._wallet.max_chunk_sat):
            return
        raise GhostError(
            f"The question is so long that up to {stake} sat would be with the ghost before its"
            " first word.",
            reason="dear",
            kept="Nothing was sent or paid for it.",
            hint="Use a cheaper model or a shorter chat, or: peer2prompt wallet policy"
            " --max-chunk-sat SAT",
        )

    # -- what went wrong -------------------------------------------------------------------------

    def pass_over(self, mint: str, error: PaymentError) -> None:
        """The ghost's word on a payment was about its mint: another one may do."""
        self._failed = error
        self._passed_over[mint] = trio.current_time() + PASSED_OVER_S

    def no_room(self) -> PaymentError | None:
        """Why nothing can be paid although no mint failed; None while the answer goes on."""
        if not self._session.credit.waits and self._session.answer is not None:
            return None
        if self._fates.at_stake_sat:
            return self._failed or PaymentError(
                "A payment to this ghost waits for its mint, which does not answer.",
                kept=KEPT[Fate.UNKNOWN],
                hint="Try again later, or use another ghost.",
            )
        return PaymentError(
            "What the answer waits for would put more than a chunk at stake.",
            kept="Nothing more was paid.",
            hint="Use another ghost, or a mint with a smaller fee.",
        )

    def why_not(self, errors: list[WalletError]) -> PaymentError | WalletError:
        """Why no mint could be paid with: what may pass first, then what the user can mend."""
        failed, self._failed = self._failed, None
        self._passed_over.clear()  # whoever asks again wants all of them tried
        for error in errors:
            if error.code in PASSING:
                return error
        if failed is not None:
            return failed
        for error in errors:
            if isinstance(error, InsufficientFunds):
                return error
        if errors:
            return errors[-1]
        if self._too_dear:
            return PaymentError(
                "The ghost's chunks are too small for the fees of the mints that it accepts.",
                kept="Nothing was paid.",
                hint="Use a mint with a smaller fee, or a ghost with larger chunks.",
            )
        return PaymentError(
            "The wallet holds no ecash of a mint that the ghost accepts.",
            kept="Nothing was paid.",
            hint="Fund the wallet at one of the ghost's mints.",
        )
