"""One session while it lives at the ghost: the state machine, its stream, its provider task.

It carries out the commands of `engine.market.ghost_session` through wallet, store and backend.
Money is persisted before the client hears of it. Logs and errors never hold text, proofs or keys.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

import trio

from engine.crypto.keys import SIGNATURE_BYTES
from engine.errors import ProviderError
from engine.exit.admission import Admission, Place, Question, Spent
from engine.exit.answering import asked, written
from engine.exit.backends.base import Backend, ChatRequest, EmbedRequest, Finish, Usage
from engine.exit.door import UNWELL
from engine.exit.policy import GhostTerms
from engine.log import say
from engine.log.events import SessionFaulted
from engine.log.words import Fault
from engine.market import commands
from engine.market.convert import proofs_of, wire_signatures
from engine.market.ghost_session import GhostSession
from engine.market.seams import ByteStream, EarningWallet, GhostStore
from engine.market.signal import Signal
from engine.wire.answer import AnswerWriter
from engine.wire.quote import Quote
from engine.wire.session import MessageReader
from wallet.errors import StoreFull, WalletError
from wallet.store.market import BilledAnswer

RETRY_CODES = frozenset({"mint_unreachable", "mint_busy"})
"""Wallet errors after which the same payment may be sent again."""
SEND_BYTES = 16 * 1024
"""Read from the machine at a time: small enough that a slow link coalesces text, not messages."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What every session of a ghost works with."""

    wallet: EarningWallet
    store: GhostStore
    backend: Backend
    terms: GhostTerms
    admission: Admission
    nursery: trio.Nursery
    on_earning: Callable[[], None]
    on_refusal: Callable[[str], Awaitable[None]]
    """Counts one refusal by its code."""
    now: Callable[[], float] = time.time


class LiveSession:
    """Runs one GhostSession."""

    def __init__(self, shop: Workshop, session: GhostSession) -> None:
        self.session = session
        self.serving: trio.CancelScope | None = None
        self.detached_at: float | None = trio.current_time()
        self.ended = False
        self.broken = False
        self._heard_at = trio.current_time()
        self._writing_since: float | None = None
        self._shop = shop
        self._changed = Signal()
        self._money = trio.Lock()
        self._provider: trio.CancelScope | None = None
        self._judging: trio.CancelScope | None = None
        self._place: Place | None = None
        self._place_since = 0.0
        self._stalled = (0, 0.0)

    def __repr__(self) -> str:
        return f"LiveSession({self.session!r})"

    # -- the stream ------------------------------------------------------------------------------

    def attach(self, quote: Quote, raw_quote: bytes, *, resumed: bool) -> None:
        """The client is on a new stream. The older one neither sends nor hears from now on."""
        if self.serving is not None:
            self.serving.cancel()
            self.serving = self._writing_since = None
        self.detached_at = trio.current_time()
        self.session.attach(quote, raw_quote, resumed=resumed)

    async def serve(self, stream: ByteStream, reader: MessageReader) -> None:
        """Talk to the client on this stream until it ends or a newer one takes over."""
        with trio.CancelScope() as scope:
            self.serving = scope
            self.detached_at = None
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write, stream, scope)
                    await self._read(stream, reader, scope)
                    nursery.cancel_scope.cancel()
            finally:
                stream.set_busy(False)
                if self.serving is scope:
                    self.serving = self._writing_since = None
                    self.session.detach()
                    self.detached_at = trio.current_time()

    @property
    def away_s(self) -> float:
        """How long the client has been away: without a stream, or silent about its bill."""
        now = trio.current_time()
        if self.detached_at is not None:
            return now - self.detached_at
        return now - self._heard_at if self.session.awaits_signature else 0.0

    @property
    def stuck_s(self) -> float:
        """How long the stream has not taken what is to be sent."""
        since = self._writing_since
        return 0.0 if since is None else trio.current_time() - since

    def drop_stream(self) -> None:
        """The stream is of no use any more; the client may come back on another."""
        if self.serving is not None:
            self.serving.cancel()

    def deliver_to_mail(self) -> None:
        """Nobody reads: let the answer come to its end without a reader."""
        if self.detached_at is not None:
            self.session.deliver_to_mail()
            self.carry_on()

    async def _read(self, stream: ByteStream, reader: MessageReader, scope: object) -> None:
        while not self.ended:
            data = await stream.receive_some()
            if not data or self.serving is not scope:
                return
            self._heard_at = trio.current_time()
            self.session.forget_quotes(self._shop.now())
            for message in reader.feed(data):
                self.session.receive(message)
                self.carry_on()

    async def _write(self, stream: ByteStream, scope: object) -> None:
        while self.serving is scope:
            version = self._changed.version
            data = self.session.take(SEND_BYTES)
            self._run_commands()
            stream.set_busy(self.session.busy)
            if data:
                self._heard_at = self._writing_since = trio.current_time()
                self._changed.notify()  # there may be room for more of the provider's text
                await stream.send_all(data)
                self._writing_since = None
            else:
                await self._changed.changed_since(version)

    # -- commands --------------------------------------------------------------------------------

    def carry_on(self) -> None:
        """After any change of the machine: start what it asks for and wake the writer."""
        self._run_commands()
        self._changed.notify()

    def _run_commands(self) -> None:
        def start(work: Callable[..., Awaitable[None]], *args: Any) -> None:
            self._shop.nursery.start_soon(self._guarded, work, *args)

        while (command := self.session.next_command()) is not None:
            match command:
                case commands.Redeem():
                    start(self._redeem, command)
                case commands.Refund():
                    start(self._refund, command)
                case commands.Consider():
                    start(self._consider, command)
                case commands.StartProvider():
                    start(self._ask_provider, command.q, command.request)
                case commands.StopProvider():
                    if self._provider is not None:
                        self._provider.cancel()
                case commands.Commit():
                    start(self._commit, command)
                case commands.KeepCountersign():
                    start(self._keep_countersign, command)
                case commands.NoteRefusal():
                    start(self._note_refusal, command)
                case commands.EndSession():
                    self.ended = True
        self._let_go()

    async def _guarded(self, work: Callable[..., Awaitable[None]], *args: Any) -> None:
        """A fault of ours ends this session, not the ghost. Its state is read anew from the books
        when the client comes back; nothing was charged for what was not committed."""
        try:
            await work(*args)
        except Exception as error:
            say(SessionFaulted(Fault.of(error)))
            self.broken = self.ended = True
            self._give_place_back()
            if self._provider is not None:
                self._provider.cancel()
            if self.serving is not None:
                self.serving.cancel()

    async def _redeem(self, command: commands.Redeem) -> None:
        pay = command.pay
        wallet = self._shop.wallet
        try:
            redeemed = await wallet.redeem(
                pay.mint,
                proofs_of(pay),
                pay.sat,
                list(pay.outs),
                self.session.hash,
                pay.id.hex(),
            )
            async with self._money:
                balance = await self._shop.store.credits.get(self.session.hash)
                self.session.redeemed(pay.n, balance, wire_signatures(redeemed.change))
        except WalletError as error:
            retry = error.code in RETRY_CODES
            words = "The ghost could not reach the mint." if retry else "The mint did not take it."
            self.session.pay_failed(pay.n, f"pay_{error.code}"[:32], words, retry=retry)
        self.carry_on()

    async def _refund(self, command: commands.Refund) -> None:
        settle = command.settle
        try:
            async with self._money:
                change = await self._shop.wallet.refund(
                    settle.mint,
                    command.sat,
                    list(settle.outs),
                    self.session.hash,
                    settle.id.hex(),
                )
                balance = await self._shop.store.credits.get(self.session.hash)
                self.session.refunded(balance, wire_signatures(change))
        except WalletError as error:
            retry = error.code in RETRY_CODES
            self.session.refund_failed("The ghost could not make the refund now.", retry=retry)
        self.carry_on()

    async def _commit(self, command: commands.Commit) -> None:
        bill, store = command.bill, self._shop.store
        async with self._money:
            with trio.CancelScope(shield=True):
                balance = await store.credits.bill(
                    self.session.hash,
                    BilledAnswer(
                        n=bill.n,
                        receipt=bill.receipt,
                        ghost_sig=bill.receipt[:SIGNATURE_BYTES],
                        model=command.model,
                        tokens_in=bill.counts.tin,
                        tokens_out=bill.counts.tout,
                        cost_msat=bill.cost,
                        ts=self._shop.now(),
                    ),
                )
            self.session.committed(command.q, balance)
        self.carry_on()
        self._shop.on_earning()

    async def _keep_countersign(self, command: commands.KeepCountersign) -> None:
        receipts = self._shop.store.receipts
        await receipts.countersign(self.session.hash, command.n, command.sig)

    async def _note_refusal(self, command: commands.NoteRefusal) -> None:
        earnings, now = self._shop.store.earnings, self._shop.now()
        with suppress(StoreFull):  # a count that is lost ends no session
            await earnings.add(command.model, 0, 0, 0, refused=True, ts=now)
            await self._shop.on_refusal(command.code)
        self._shop.on_earning()

    # -- admission -------------------------------------------------------------------------------

    async def _consider(self, command: commands.Consider) -> None:
        with trio.CancelScope() as scope:
            self._judging = scope
            question = Question(self.session.hash, command.ask, command.form)
            verdict = await self._shop.admission.admit(question)
            if isinstance(verdict, commands.Refusal):
                self.session.considered(command.q, verdict)
            elif self.session.considers != command.q:
                verdict.place.release()
            else:
                self._place, self._place_since = verdict.place, trio.current_time()
                self.session.considered(command.q, verdict.form)
        if self._judging is scope:
            self._judging = None
        self.carry_on()

    def _let_go(self) -> None:
        """Nobody waits for the verdict or holds the place any more."""
        if self._judging is not None and self.session.considers is None:
            self._judging.cancel()
        if not self.session.holds_place:
            self._give_place_back()

    def _give_place_back(self) -> None:
        if self._place is not None:
            self._place.release()
            self._place = None

    @property
    def unpaid_s(self) -> float:
        """How long an admitted question has kept its place without its first payment."""
        if self._place is None or not self.session.unpaid:
            return 0.0
        return trio.current_time() - self._place_since

    def stalled_s(self) -> float:
        """How long, as far as those who asked saw, a begun answer has waited for one payment."""
        due, now = self.session.waits_for_msat, trio.current_time()
        if due != self._stalled[0]:
            self._stalled = (due, now)
        return now - self._stalled[1] if due else 0.0

    def forget_unpaid(self) -> None:
        """The payment did not come."""
        self.session.forget_unpaid()
        self.carry_on()

    # -- the provider ----------------------------------------------------------------------------

    async def _ask_provider(self, q: int, request: ChatRequest | EmbedRequest) -> None:
        place, spent = self._place, Spent()
        try:
            with trio.CancelScope() as scope:
                self._provider = scope
                try:
                    if place is not None:
                        await place.begin()
                    await self._stream_answer(q, request, spent)
                except ProviderError as error:
                    spent.failure = error.kind
                    after = int(-(-(error.retry_after_s or 0) // 1))
                    code = f"provider_{error.kind}"[:32]
                    self.session.provider_failed(q, code, error.message, after)
                except StoreFull:  # before the provider was asked: see Place.begin
                    no = UNWELL
                    self.session.provider_failed(q, no.code, no.message, no.after)
        finally:
            if place is not None:
                with trio.CancelScope(shield=True):
                    await place.end(spent)
        self.carry_on()

    async def _stream_answer(
        self, q: int, request: ChatRequest | EmbedRequest, spent: Spent
    ) -> None:
        session, writer = self.session, AnswerWriter()
        async with aclosing(asked(self._shop.backend, request)) as events:
            async for event in events:
                match event:
                    case Usage(tokens_in, tokens_out, cached, reasoning):
                        spent.usage = event
                        session.provider_usage(q, tokens_in, tokens_out, cached, reasoning)
                    case Finish(reason):
                        session.provider_done(q, reason)
                    case _:
                        text = written(writer, event)
                        spent.text_bytes += len(text.encode())
                        session.provider_text(q, text)
                self.carry_on()
                await self._wait_for_room()

    async def _wait_for_room(self) -> None:
        """Leave the provider's stream unread while more than one chunk waits to be paid, but not
        for ever: others wait for its place."""
        if self._has_room:
            return
        with trio.move_on_after(self._shop.terms.resume_s) as patience:
            while not self._has_room:
                version = self._changed.version
                await self._changed.changed_since(version)
        if patience.cancelled_caught:
            self.session.abandon()

    @property
    def _has_room(self) -> bool:
        return self.session.read_ahead or not self.session.busy

    def abandon(self) -> None:
        """The client did not come back."""
        self.session.abandon()
        self.carry_on()
