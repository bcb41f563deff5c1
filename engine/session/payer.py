"""Pays a ghost while an answer streams: one payment at a time, always ahead of need.

The wallet journals a payment before it is sent; the payment stays ours to follow until the ghost's
change is stored, or, when the ghost cannot be asked or will not take it, until the mint said what
became of it. When a mint fails the next payment is made at another one that the ghost accepts; a
payment whose fate is not known stays with its mint. Runs as one task beside the reader of the
stream.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import trio

from engine.errors import CircuitClosed, PaymentError
from engine.market.client_events import PaymentRefused, PaymentTaken
from engine.market.client_session import ClientSession
from engine.market.convert import pay_message, signatures_of
from engine.market.seams import PayingWallet, Payment
from engine.market.signal import Signal
from engine.session.fates import KEPT, Fate, Fates, PaymentKept
from engine.session.spending import PASSING, Spending
from engine.session.stock import Stock
from engine.wire import session as wire
from wallet.errors import InsufficientFunds, MintProblem, WalletError

MAX_TRIES = 5
RETRY_S = 1.0
REACH_AGAIN_S = (0.5, 1.0, 2.0, 4.0)
OF_THE_MINT = ("mint", "pay_mint", "pay_untrusted_mint")
"""How a ghost's refusals begin that another mint may mend."""


@dataclass(slots=True)
class _Pending:
    message: wire.Pay = field(repr=False)
    payment: Payment = field(repr=False)
    sent: bool = False
    ever_sent: bool = False
    tries: int = 1


class Payer:
    """The payments of one session."""

    def __init__(
        self,
        wallet: PayingWallet,
        session: ClientSession,
        *,
        send: Callable[[wire.Message], Awaitable[None]],
        mints: Callable[[], Awaitable[list[str]]],
        on_paid: Callable[[str, int], Awaitable[None]],
        on_change: Callable[[int], None],
        on_failure: Callable[[Exception], None],
    ) -> None:
        self.stock = Stock(wallet)
        self.armed = False
        """Whether to pay ahead; payments under way are always followed."""
        self.failure: Exception | None = None
        self._wallet = wallet
        self._session = session
        self._send = send
        self._on_paid = on_paid
        self._on_change = on_change
        self._on_failure = on_failure
        self._pending: _Pending | None = None
        self._news: PaymentTaken | PaymentRefused | None = None
        self._surplus = False
        self._unreachable = 0
        self._fates = Fates(wallet)
        self._spending = Spending(wallet, session, self._fates, mints)
        self._signal = Signal()

    def __repr__(self) -> str:
        return f"Payer(pending={self._pending is not None})"

    @property
    def idle(self) -> bool:
        return self._pending is None

    def kick(self) -> None:
        """Something changed that may call for a payment."""
        self._signal.notify()

    def on_event(self, event: PaymentTaken | PaymentRefused) -> None:
        """The ghost's word on the payment under way."""
        if self._pending is not None and self._pending.message.n == event.n:
            self._news = event
            self.kick()

    def on_new_stream(self) -> None:
        """What was sent on the old stream may be lost: send it again. The ghost knows it by n."""
        if self._pending is not None:
            self._pending.sent = False
            self._news = None
            self.kick()

    async def run(self) -> None:
        """Pay until cancelled. A failure is reported once, and paying stops."""
        while True:
            version = self._signal.version
            try:
                worked = await self._step()
                self._unreachable = 0
            except (PaymentError, WalletError) as error:
                if await self._may_try_again(error):
                    continue
                self.armed = worked = False
                self.failure = error
                self._on_failure(error)
            if not worked:
                await self._signal.changed_since(version)

    async def _may_try_again(self, error: PaymentError | WalletError) -> bool:
        """Whether a mint could not be reached and may be soon: the circuit to it may have died."""
        if error.code not in PASSING or self._unreachable >= len(REACH_AGAIN_S):
            return False
        await trio.sleep(REACH_AGAIN_S[self._unreachable])
        self._unreachable += 1
        return True

    async def _step(self) -> bool:
        news, self._news = self._news, None
        if isinstance(news, PaymentTaken):
            await self._settle(news)
        elif isinstance(news, PaymentRefused):
            await self._refused(news)
        elif self._pending is not None and not self._pending.sent:
            await self._deliver(self._pending)
        elif self._pending is None and self.armed and self._spending.due:
            return await self._prepare()
        else:
            return False
        return True

    async def check_first(self, first_msat: int) -> None:
        """See `Spending.check_first`."""
        await self._spending.check_first(first_msat)

    async def stock_up(self) -> None:
        """Keep coins for the next payments ready, so that none waits for its mint; until
        cancelled."""
        while True:
            version = self._signal.version
            if self.armed and self._session.chunk_msat:
                for mint in (await self._spending.mints())[:1]:
                    with suppress(WalletError):  # then payments wait for their coins
                        await self.stock.keep(mint, self._spending.lot_sat(mint))
            await self._signal.changed_since(version)

    async def _prepare(self) -> bool:
        """Pay what is due; False when the answer goes on without. PaymentError when it does not."""
        if await self._pay_somewhere():
            return True
        if self._fates.at_stake_sat:
            await self._fates.look_again()
            self._session.credit.outlay.lost_sat = self._fates.lost_sat
            if await self._pay_somewhere():
                return True
        if (error := self._spending.no_room()) is not None:
            raise error
        return False

    async def _pay_somewhere(self) -> bool:
        """With the first mint that can be paid with; False when there is no room for a payment."""
        errors: list[WalletError] = []
        room = True
        for mint in await self._spending.mints():
            try:
                sat = self._spending.sat_at(mint)
                room = room and sat > 0
                if not sat:
                    continue
                await self.stock.make_ready(mint, sat, self._spending.lot_sat(mint))
                if await self._begin(mint, sat):
                    return True
            except (InsufficientFunds, MintProblem) as error:
                errors.append(error)
        if room or errors:
            raise self._spending.why_not(errors)
        return False

    async def _begin(self, mint: str, sat: int) -> bool:
        """Journal a payment and have it sent; false when it has to be locked and no coins are."""
        with trio.CancelScope(shield=True):
            payment = await self.stock.payment(mint, sat, self._spending.room_sat)
            if payment is None:
                return False
            n = self._session.credit.begin(sat, payment.total_sat)
            self._pending = _Pending(pay_message(n, mint, payment), payment)
            total = payment.total_sat
        await self._on_paid(mint, total)
        return True

    async def _deliver(self, pending: _Pending) -> None:
        pending.sent = pending.ever_sent = True
        try:
            await self._send(pending.message)
        except CircuitClosed:
            return  # the reader notices too, reconnects, and calls on_new_stream
        except trio.Cancelled:
            # The answer is over, perhaps before this left: whoever waits for the ghost's word
            # must not wait for it in vain. Said twice it counts once.
            pending.sent = False
            raise

    async def _settle(self, taken: PaymentTaken) -> None:
        pending = self._pending
        if pending is None:
            return
        with trio.CancelScope(shield=True):
            try:
                change = await self._wallet.pay_settle(
                    pending.payment.id, signatures_of(taken.change)
                )
            except WalletError:
                await self._fates.of(pending.payment)  # the change was not what was due
                raise
            finally:
                self._pending = None
                self._surplus = False
        self._session.credit.outlay.change_came(change)
        self._on_change(change * 1000)

    async def _refused(self, refused: PaymentRefused) -> None:
        pending = self._pending
        if pending is None:
            return
        if refused.retry and pending.tries < MAX_TRIES:
            pause_s = RETRY_S * 2 ** (pending.tries - 1)
            pending.tries += 1
            pending.sent = False  # said again by the next run, should this one be cancelled
            await trio.sleep(pause_s)
            return
        fate = await self._give_up(pending)
        if refused.code == "credit_limit" and not self._surplus:
            self._surplus = True  # a question that failed meanwhile had freed its credit
            return
        kind = PaymentKept if fate is Fate.SPENT else PaymentError
        error = kind(
            f"The ghost did not take the payment ({refused.code}).",
            kept=KEPT[fate],
            hint="Try again, or use another ghost or mint.",
        )
        if not (refused.code.startswith(OF_THE_MINT) and self._may_pay_elsewhere(fate)):
            raise error
        self._spending.pass_over(pending.message.mint, error)

    def _may_pay_elsewhere(self, fate: Fate) -> bool:
        """Whether another mint's ecash may be sent for what this payment was to buy: its ecash is
        back, or its mint says nothing to anybody (then it counts, see `Spending`)."""
        return fate in (Fate.BACK, Fate.UNKNOWN)

    async def resolve(self) -> None:
        """The ghost cannot be asked now: ask the mint what became of the payment under way. Unless
        it is back it stays under way: should the ghost come back, it is told of it again."""
        pending = self._pending
        if pending is not None and await self._fate_of_sent(pending) is Fate.BACK:
            self._drop()

    async def hold_back(self) -> None:
        """What is prepared and was never sent stays with us."""
        pending = self._pending
        if pending is not None and not pending.ever_sent:
            self._drop()
            await self._fate_of_sent(pending)

    async def _give_up(self, pending: _Pending) -> Fate:
        """The ghost says that it has not taken the payment."""
        self._drop()
        fate = await self._fate_of_sent(pending)
        self._fates.denied(pending.payment, fate)
        self._on_change(0)  # nothing is under way: somebody may wait for that
        return fate

    def _drop(self) -> None:
        self._pending = None
        self._session.credit.drop()

    async def _fate_of_sent(self, pending: _Pending) -> Fate:
        if pending.ever_sent:
            fate = await self._fates.of(pending.payment)
            self._session.credit.outlay.lost_sat = self._fates.lost_sat
            return fate
        with trio.CancelScope(shield=True):
            await self._wallet.pay_abort(pending.payment.id)
        return Fate.BACK
