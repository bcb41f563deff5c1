"""What a talk with a ghost stands on: the session's state, its secret, its money, its receipts.

Base of `Talk`, which has the stream. What is paid, billed or to be asked back is in the store
before anybody hears of it.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from engine.crypto.keys import SIGNATURE_BYTES
from engine.errors import CircuitClosed, GhostError, ProtocolError
from engine.market import client_events as events
from engine.market.client_asking import Footing
from engine.market.client_session import ClientSession
from engine.market.overbilled import Overbilled
from engine.market.seams import ClientStore, PayingWallet, ReceiptBook
from engine.session.account import Account, Run
from engine.session.events import OnEvent, PaidOut, StateChanged
from engine.session.fates import PaymentKept
from engine.session.link import LOST
from engine.session.payer import Payer
from engine.session.vault import SavedSession, SessionVault
from engine.wire.quote import Quote
from wallet.errors import PaymentInvalid

BREACHES = (ProtocolError, Overbilled, PaymentKept, PaymentInvalid)
"""What no honest ghost does."""


def ignore(_event: object) -> None:
    """Events nobody listens to."""


class TalkBooks:
    """See the module."""

    def __init__(
        self,
        wallet: PayingWallet,
        store: ClientStore,
        saved: SavedSession | None,
        footing: Footing | None,
    ) -> None:
        self._wallet = wallet
        self._receipts: ReceiptBook = store.receipts
        self._vault = SessionVault(store)
        self._saved = saved
        self._footing = footing
        """Where a session stood that was left in good order."""
        self._known = saved is not None
        self._vaulted = self._leftover = saved is not None and footing is None
        self._session: ClientSession | None = None
        self._payer: Payer | None = None
        self._run: Run | None = None
        self._account = Account()
        self._breach = False
        self._state = ""
        self._on_event: OnEvent = ignore
        self._abort: Callable[[Exception], None] = ignore
        self._poke: Callable[[], None] = lambda: None

    @property
    def quote(self) -> Quote | None:
        """The ghost's current offer, once the session is open."""
        return self._session.quote if self._session is not None else None

    @property
    def credit_msat(self) -> int:
        """Our credit with the ghost by our own books."""
        return self._session.credit.ledger.balance if self._session is not None else 0

    @property
    def due_msat(self) -> int:
        """What the running answer has metered so far, by our own books."""
        return self._session.credit.ledger.due if self._session is not None else 0

    @property
    def saved(self) -> SavedSession | None:
        """What a later session with the same ghost goes on from; None before the first stream."""
        return self._saved

    def keep_receipts_in(self, book: ReceiptBook) -> None:
        """From now on, instead of in the store."""
        self._receipts = book

    # -- money and records -----------------------------------------------------------------------

    async def _keep_receipt(self, finished: events.Finished) -> None:
        """What was billed and accepted is in the books before the ghost hears that it is."""
        session, _ = self._parts()
        with trio.CancelScope(shield=True):
            await self._receipts.add(
                session.hash,
                finished.receipt_n,
                finished.receipt,
                finished.receipt[:SIGNATURE_BYTES],
                side="client",
                cost_msat=finished.cost_msat,
                client_sig=finished.sign.sig,
            )

    async def _mints(self) -> list[str]:
        """Mints to pay with: the session's own first, so that one refund covers it."""
        if not self._vaulted:
            await self._save()
        mints = list(self._current_quote().mints)
        if self._saved is not None and self._saved.mint in mints:
            mints.remove(self._saved.mint)
            mints.insert(0, self._saved.mint)
        return mints

    async def _on_paid(self, mint: str, total_sat: int) -> None:
        self._account.paid(total_sat * 1000)
        if self._saved is not None and self._saved.mint != mint:
            self._saved = self._saved.with_mint(mint)
            await self._save()
        self._on_event(PaidOut(total_sat * 1000))

    def _on_change(self, msat: int) -> None:
        self._account.change(msat)
        self._poke()

    def _on_pay_failure(self, error: Exception) -> None:
        """Without money an answer may still run on the credit it has; anything else ends."""
        self._note_breach(error)
        session, _ = self._parts()
        if self._run is None or session.credit.waits:
            self._abort(error)

    async def _keep(self, saved: SavedSession) -> None:
        self._saved = saved
        await self._save()

    async def _save(self) -> None:
        if self._saved is not None:
            await self._vault.save(self._saved)
            self._vaulted = True

    async def _forget(self) -> None:
        if self._saved is not None:
            self._saved = self._saved.with_slot("")
            await self._vault.forget(self._saved)
        self._vaulted = False
        self._leftover = False

    def _note_breach(self, error: Exception) -> None:
        """The ghost broke the rules: it gets no question and no payment of this session any more,
        so that what it can take stays below one chunk."""
        if isinstance(error, BREACHES) and not isinstance(error, LOST):
            self._breach = True

    def _check_breach(self) -> None:
        if self._breach:
            raise GhostError(
                "The session with this ghost has ended, because it broke the rules.",
                reason="broken_off",
                kept="It gets no further question and no further payment.",
                hint="Start a new session; another ghost will be used.",
            )

    # -- small things ----------------------------------------------------------------------------

    def _parts(self) -> tuple[ClientSession, Payer]:
        if self._session is None or self._payer is None:
            raise CircuitClosed("The session with the ghost is not open.")
        return self._session, self._payer

    def _current_quote(self) -> Quote:
        quote = self.quote
        if quote is None:
            raise GhostError("The ghost has not sent its quote.")
        return quote

    def _tell(self, state: str) -> None:
        self._state = state
        self._on_event(StateChanged(state))
