"""AskSession: one pinned session with one ghost, over as many circuits as it takes.

It keeps a chunk of credit ahead, turns the ghost's messages into events, goes on with the same
answer when a circuit dies, and gets the unspent credit back at the end. It never sees a route, and
no text of either side is in its errors.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import trio

from engine.crypto.keys import SIGNATURE_BYTES
from engine.errors import CircuitClosed, GhostError, Peer2PromptError, ProtocolError
from engine.market import client_session as machine
from engine.market.client_session import ClientSession
from engine.market.seams import ByteStream, ClientStore, PayingWallet
from engine.session import failures
from engine.session.account import Account, Run
from engine.session.events import (
    AnswerDelta,
    AskResult,
    OnEvent,
    PaidOut,
    StateChanged,
)
from engine.session.lifeline import Lifeline
from engine.session.link import LOST, STALL_S, GhostLink, OpenStream
from engine.session.payer import Payer
from engine.session.record import AnswerRecord
from engine.session.rescue import Patience
from engine.session.settling import Settler
from engine.session.vault import SavedSession, SessionVault
from engine.wire import session as wire
from engine.wire.quote import Quote
from wallet.errors import WalletError

QUOTE_MARGIN_S = 30
"""A quote that ends sooner is renewed before a question is asked under it."""
UNKNOWN = "unknown_answer"


def _ignore(_event: object) -> None:
    """Events nobody listens to."""


class AskSession:
    """See the module. One call at a time (others wait), except `cancel`."""

    def __init__(
        self,
        open_stream: OpenStream,
        wallet: PayingWallet,
        store: ClientStore,
        *,
        saved: SavedSession | None = None,
        check_quote: Callable[[Quote], None] = _ignore,
        now: Callable[[], float] = time.time,
        stall_s: float = STALL_S,
    ) -> None:
        self._wallet = wallet
        self._store = store
        self._vault = SessionVault(store)
        self._vaulted = saved is not None
        self._saved = saved
        self._leftover = saved is not None
        self._known = saved is not None
        self._check_quote = check_quote
        self._now = now
        self._link = GhostLink(open_stream, greet=self._greet, handle=self._handle, stall_s=stall_s)
        self._session: ClientSession | None = None
        self._payer: Payer | None = None
        self._turn = trio.Lock()
        self._greeted: set[type] = set()
        self._run: Run | None = None
        self._cancel_wanted = False
        self._line: Lifeline | None = None
        self._patience: Patience | None = None
        self._unsent: wire.Sign | None = None
        self._account = Account()
        self._settler = Settler(
            wallet,
            self._link,
            drive=lambda done: self._drive(done, pay=False),
            keep=self._keep,
            forget=self._forget,
        )
        self._state = ""
        self._on_event: OnEvent = _ignore
        self._abort: Callable[[Exception], None] = _ignore
        self._poke: Callable[[], None] = lambda: None

    def __repr__(self) -> str:
        return f"AskSession({self._session!r})"

    # -- what callers use ------------------------------------------------------------------------

    @property
    def quote(self) -> Quote | None:
        """The ghost's current offer, once the session is open."""
        return self._session.quote if self._session is not None else None

    @property
    def credit_msat(self) -> int:
        """Our credit with the ghost by our own books."""
        return self._session.ledger.balance if self._session is not None else 0

    @property
    def ghost_node_id(self) -> bytes:
        """The ghost this session is pinned to; empty before the first stream."""
        return self._saved.ghost if self._saved is not None else b""

    @property
    def connected(self) -> bool:
        return self._link.stream is not None

    async def connect(self, on_event: OnEvent | None = None) -> Quote:
        """Connect and read the quote; pays nothing."""
        async with self._turn:
            self._on_event = on_event or _ignore
            await self._link.ensure()
            return self._current_quote()

    async def open(self, on_event: OnEvent | None = None) -> Quote:
        """Connect, check the quote, prepay one chunk: a warm session answers without delay."""
        async with self._turn:
            self._on_event = on_event or _ignore
            await self._link.ensure()
            session, payer = self._parts()
            if session.answer is None and session.top_up_sat():
                self._tell("paying")
                await self._drive(lambda: payer.idle and not session.top_up_sat(), pay=True)
            return self._current_quote()

    async def ask(
        self,
        messages: Sequence[Mapping[str, Any]],
        model: str,
        params: Mapping[str, Any] | None = None,
        on_event: OnEvent | None = None,
        line: Lifeline | None = None,
    ) -> AskResult:
        """Ask and read the answer to its end; it streams out through `on_event`. With a lifeline
        it is followed over lost circuits and through mailboxes for as long as makes sense."""
        body = _body(messages, params or {})

        async def work(run: Run) -> AskResult:
            await self._make_ready()
            return await self._ask(run, body, len(messages))

        return await self._begin(Run(model), work, on_event, line)

    async def take_up(
        self, record: AnswerRecord, shown: str, line: Lifeline, on_event: OnEvent | None = None
    ) -> AskResult:
        """Bring an answer to its end that an earlier process asked for; `shown` is what was kept
        of it, and only what follows is told."""
        run = Run(record.model, shown)
        run.q = record.q

        async def work(run: Run) -> AskResult:
            if self._saved is None:
                raise GhostError("The session of this answer is not known any more.")
            record.hand_over(self._session_with(self._saved.ghost))
            run.quoted_msat = record.tariff.most_msat
            self._run = run
            self._tell("resuming")
            return await self._see_through(run)

        return await self._begin(run, work, on_event, line)

    async def _begin(
        self,
        run: Run,
        work: Callable[[Run], Awaitable[AskResult]],
        on_event: OnEvent | None,
        line: Lifeline | None,
    ) -> AskResult:
        async with self._turn:
            self._on_event = on_event or _ignore
            self._cancel_wanted = False
            self._line = line
            self._patience = Patience(line, now=self._now) if line is not None else None
            cuts = self._link.cuts
            try:
                return await work(run)
            except (Peer2PromptError, WalletError) as error:
                raise await self._failed(error, run) from error
            finally:
                self._run = self._line = self._patience = None
                self._busy(False)
                if line is not None:
                    line.close(used=self._link.cuts > cuts)

    def hurry(self) -> None:
        """The network may be back: do not wait for the next round of a lost answer."""
        if self._patience is not None:
            self._patience.hurry()

    async def cancel(self) -> None:
        """Stop the running answer: what was delivered is billed, the rest is not."""
        self._cancel_wanted = True
        if self._patience is not None and not self.connected:
            self._patience.stop()
        await self._send_cancel()

    async def settle(self, on_event: OnEvent | None = None) -> int:
        """Get all unspent credit back as ecash; returns sat. The session may go on afterwards."""
        async with self._turn:
            self._on_event = on_event or _ignore
            self._tell("settling")
            await self._link.ensure()
            return await self._settle()

    async def aclose(self) -> None:
        """Leave. Credit that was not settled stays claimable through the vault."""
        with trio.move_on_after(2, shield=True):
            try:
                await self._link.send(wire.Bye())
                if self._link.stream is not None:
                    await self._link.stream.send_eof()
            except LOST:
                return
            finally:
                await self._link.drop()

    # -- the stream ------------------------------------------------------------------------------

    async def _greet(self, stream: ByteStream) -> None:
        """Hello, quote, and whatever was under way on the stream before."""
        self._tell("resuming" if self._run is not None and self._run.q else "opening")
        session = self._session_with(stream.peer_node_id)
        resume = self._known
        self._greeted.clear()
        await self._link.send(session.hello(stream.circuit_tag, resume=resume))
        wanted = {machine.Quoted, machine.Resumed} if resume else {machine.Quoted}
        while not wanted <= self._greeted:
            await self._link.read()
        self._known = True
        self._check_terms(session)
        if not self._vaulted:
            await self._save()
        await self._go_on(session)

    def _session_with(self, node_id: bytes) -> ClientSession:
        if self._saved is None:
            self._saved = SavedSession.new(node_id)
        if node_id != self._saved.ghost:
            raise GhostError("The circuit leads to another ghost than the session is with.")
        if self._session is None:
            saved = self._saved
            self._session = ClientSession(
                node_id=node_id, session=saved.session, key=saved.key, sign=saved.sign
            )
            self._payer = Payer(
                self._wallet,
                self._session,
                send=self._link.send,
                mints=self._mints,
                on_paid=self._on_paid,
                on_change=self._on_change,
                on_failure=self._on_pay_failure,
            )
        return self._session

    def _check_terms(self, session: ClientSession) -> None:
        quote = self._current_quote()
        if quote.expires <= self._now():
            raise GhostError(
                "The ghost's quote has expired.",
                kept="Nothing was paid under it.",
                hint="Check this machine's clock, or use another ghost.",
            )
        if session.answer is None and not self._leftover:
            self._check_quote(quote)

    async def _go_on(self, session: ClientSession) -> None:
        """Send again what the cut may have swallowed."""
        _, payer = self._parts()
        if self._unsent is not None:
            await self._link.send(self._unsent)
            self._unsent = None
        again = session.go_on()
        if again is not None:
            await self._link.send(again)
            self._busy(True)
            if self._cancel_wanted:
                await self._send_cancel()
        if self._line is not None and (mail := session.mail(self._line.blocks)) is not None:
            await self._link.send(mail)
        payer.on_new_stream()
        await self._settler.on_new_stream()

    def _busy(self, busy: bool) -> None:
        if self._link.stream is not None:
            self._link.stream.set_busy(busy)

    async def _drive(self, done: Callable[[], bool], *, pay: bool) -> None:
        """Read and pay until `done`; raises the first failure of either."""
        _, payer = self._parts()
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:

            def abort(error: Exception) -> None:
                nonlocal failure
                failure = failure or error
                nursery.cancel_scope.cancel()

            def poke() -> None:
                if done():
                    nursery.cancel_scope.cancel()

            self._abort, self._poke = abort, poke
            payer.armed, payer.failure = pay, None
            nursery.start_soon(payer.run)
            nursery.start_soon(self._hand_out)
            try:
                while not done():
                    await self._link.read_or_reconnect()
            except (Peer2PromptError, WalletError) as error:
                failure = failure or error
            nursery.cancel_scope.cancel()
        payer.armed = False
        self._abort, self._poke = _ignore, lambda: None
        if failure is not None:
            raise failure

    async def _hand_out(self) -> None:
        """Give the ghost reply blocks for the running answer as soon as there are some."""
        line, run = self._line, self._run
        if line is None or run is None or run.over:
            return
        try:
            await line.extend()
            session, _ = self._parts()
            if self.connected and (mail := session.mail(line.blocks)) is not None:
                await self._link.send(mail)
        except (*LOST, WalletError):
            return  # they go with the next stream; what is not written down is not handed out

    # -- messages --------------------------------------------------------------------------------

    async def _handle(self, message: wire.Message) -> None:
        session, _ = self._parts()
        await self._take(session.receive(message))

    async def _take(self, event: machine.ClientEvent | None) -> None:
        _, payer = self._parts()
        match event:
            case machine.Quoted() | machine.Resumed():
                self._greeted.add(type(event))
            case machine.PaymentTaken() | machine.PaymentRefused():
                self._link.progress()
                payer.on_event(event)
            case machine.Text(text, offset):
                self._on_text(text, offset)
                payer.kick()
            case machine.CreditNeeded():
                if payer.failure is not None:
                    raise payer.failure
                payer.kick()
            case machine.Finished():
                await self._on_finished(event)
            case machine.Failed(error):
                self._on_failed(error)
            case machine.SettledUp():
                self._settler.on_answer(event)
            case _:
                return

    def _on_text(self, text: str, offset: int) -> None:
        self._link.progress()
        run = self._run
        if run is None:
            return
        if self._patience is not None:
            self._patience.progress()
        if run.first is None or self._state != "streaming":
            run.first = run.first or trio.current_time()
            self._tell("streaming")
        run.parts.append(text)
        if news := run.unseen(text, offset):
            self._on_event(AnswerDelta(*news))

    async def _on_finished(self, event: machine.Finished) -> None:
        self._link.progress()
        if self._run is not None:
            self._run.finish(event)
        try:
            await self._link.send(event.sign)
        except LOST:
            self._unsent = event.sign  # the answer is complete; the ghost hears of it later

    def _on_failed(self, error: wire.Error) -> None:
        if self._run is not None and error.q == self._run.q:
            self._run.failed = error
        elif self._settler.busy and error.q == 0:
            self._settler.on_answer(error)
        elif error.q == 0:
            raise failures.of_ghost(error)

    # -- asking ----------------------------------------------------------------------------------

    async def _make_ready(self) -> None:
        """A stream, no older answer in the way, and a quote that lasts."""
        quote = self.quote
        if quote is not None and quote.expires - self._now() < QUOTE_MARGIN_S:
            await self._link.drop()
        await self._link.ensure()
        session, _ = self._parts()
        if session.answer is not None:
            self._cancel_wanted = True
            await self._send_cancel()
            await self._drive(lambda: session.answer is None, pay=False)
            self._cancel_wanted = False

    async def _ask(self, run: Run, body: bytes, messages: int) -> AskResult:
        session, _ = self._parts()
        run.quoted_msat = session.tariff(run.model, len(body), messages).most_msat
        self._run = run
        ask = session.ask(run.model, body, messages)
        await self._write_down(ask, messages)
        await self._send_ask(run, ask)
        if run.failed is not None and run.failed.code == UNKNOWN and not run.parts:
            run.failed = None  # it was lost before its first word: it costs nothing to ask again
            ask = session.ask(run.model, body, messages)
            await self._write_down(ask, messages)
            await self._send_ask(run, ask)
        return await self._see_through(run)

    async def _write_down(self, ask: wire.Ask, messages: int) -> None:
        """From here on the answer outlives this process."""
        session, _ = self._parts()
        if self._line is None or self._saved is None:
            return
        raw, footing = session.raw_quote, session.footing()
        await self._line.begin(AnswerRecord.of(self._saved, raw, ask, messages, footing))

    async def _send_ask(self, run: Run, ask: wire.Ask) -> None:
        """Send the question and read until it is over or the way is lost for now."""
        run.q = ask.q
        self._tell("asking")
        self._busy(True)
        try:
            try:
                await self._link.send(ask)
            except LOST as error:
                await self._link.lost(error)
            await self._drive(lambda: run.over, pay=True)
        except LOST:
            if self._line is None:
                raise

    async def _see_through(self, run: Run) -> AskResult:
        """Follow the answer to its end, over new circuits and through mailboxes."""
        while run.finished is None:
            cause: Exception | None = None
            try:
                await self._drive(lambda: run.over, pay=True)
            except LOST as error:
                cause = error
            if run.finished is not None:
                break
            forgotten = run.failed is not None and run.failed.code == UNKNOWN
            if cause is None and not forgotten:
                raise failures.of_ghost(run.failed)
            if await self._from_mail(run):
                break
            patience = self._patience
            if patience is None or not await patience.pause(ghost_has_it=not forgotten):
                raise cause or failures.of_ghost(run.failed)
            self._tell("resuming")
        if run.finished is None:
            raise failures.of_ghost(run.failed)
        if not self.connected:
            _, payer = self._parts()
            await payer.resolve()
        return await self._result(run, run.finished)

    async def _from_mail(self, run: Run) -> bool:
        """Whether the answer's letter lay in a mailbox and brought it to its end."""
        session, _ = self._parts()
        if self._line is None or not self._line.can_fetch:
            return False
        self._tell("fetching")
        letter = await self._line.fetch(run.q)
        if letter is None:
            return False
        for event in session.take_letter(letter):
            await self._take(event)
        run.by_mail = run.finished is not None
        return run.by_mail

    async def _result(self, run: Run, finished: machine.Finished) -> AskResult:
        session, _ = self._parts()
        with trio.CancelScope(shield=True):
            await self._store.receipts.add(
                session.hash,
                finished.receipt_n,
                finished.receipt,
                finished.receipt[:SIGNATURE_BYTES],
                side="client",
                cost_msat=finished.cost_msat,
                client_sig=finished.sign.sig,
            )
        mint = self._saved.mint if self._saved is not None else ""
        run.mailboxes = len(self._line.blocks) if self._line is not None else 0
        return self._account.close(run, finished, credit_msat=session.at_ghost_msat, mint=mint)

    async def _send_cancel(self) -> None:
        cancel = self._session.cancel() if self._session is not None else None
        if cancel is None:
            return
        try:
            await self._link.send(cancel)
        except LOST:
            return  # said again on the next stream

    async def _failed(self, error: Exception, run: Run) -> Exception:
        """The error for the caller, after everything that can be saved was saved."""
        session, payer = self._session, self._payer
        unreachable = isinstance(error, LOST)
        dishonest = isinstance(error, ProtocolError | machine.Overbilled) and not unreachable
        if (unreachable or dishonest) and session is not None and payer is not None:
            await self._link.drop()
            await payer.resolve()
            session.write_off()
        if unreachable:
            return failures.of_way(error, run.received_bytes, self.credit_msat)
        return error

    # -- settling --------------------------------------------------------------------------------

    async def _settle(self) -> int:
        session, payer = self._parts()
        if session.answer is not None:
            await self._make_ready()
        if not payer.idle:
            await self._drive(lambda: payer.idle, pay=False)
        saved = self._saved
        if saved is not None and saved.slot:
            await self._settler.resolve(saved.slot)
        credit = session.ledger.balance
        if self._leftover:  # only the ghost knows what another process had paid
            credit = max(credit, session.reported_msat)
        if saved is None or not saved.mint or credit < 1000:
            await self._forget()
            return 0
        back, left = await self._settler.run(session, saved, credit // 1000)
        self._account.settled(back * 1000, left)
        return back

    # -- money and records -----------------------------------------------------------------------

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
        session, _ = self._parts()
        if self._run is None or session.waits_for_credit:
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


def _body(messages: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> bytes:
    body = {"messages": list(messages), **params}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
