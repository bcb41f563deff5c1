"""The talk with one ghost: greeting and messages, over any number of streams.

Base of `AskSession`, which knows what is asked and when an answer is lost; this half knows how to
get a stream and how to say again what a cut may have swallowed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import trio

from engine.errors import GhostError, Peer2PromptError, ProtocolError
from engine.market import client_events as events
from engine.market.client_asking import Footing
from engine.market.client_session import ClientSession
from engine.market.grade import Grade, check_chunk
from engine.market.overbilled import Overbilled
from engine.market.seams import ByteStream, ClientStore, PayingWallet
from engine.session import failures
from engine.session.events import AnswerDelta
from engine.session.lifeline import Lifeline
from engine.session.link import LOST, STALL_S, GhostLink, OpenStream
from engine.session.outcome import Outcome
from engine.session.payer import Payer
from engine.session.rescue import Patience
from engine.session.settling import Settler
from engine.session.talk_books import TalkBooks, ignore
from engine.session.tokenizers import Tokenizers
from engine.session.vault import SavedSession
from engine.wire import session as wire
from engine.wire.quote import Quote
from wallet.errors import WalletError


class Talk(TalkBooks):
    """See the module."""

    def __init__(
        self,
        open_stream: OpenStream,
        wallet: PayingWallet,
        store: ClientStore,
        *,
        saved: SavedSession | None = None,
        footing: Footing | None = None,
        check_quote: Callable[[Quote], None] = ignore,
        on_outcome: Callable[[Outcome], None] = ignore,
        tokenizers: Tokenizers | None = None,
        now: Callable[[], float] = time.time,
        stall_s: float = STALL_S,
    ) -> None:
        super().__init__(wallet, store, saved, footing)
        self._check_quote = check_quote
        self._on_outcome = on_outcome
        self._tokenizers = tokenizers
        self._now = now
        self._link = GhostLink(open_stream, greet=self._greet, handle=self._handle, stall_s=stall_s)
        self._turn = trio.Lock()
        self._greeted: set[type] = set()
        self._cancel_wanted = False
        self._line: Lifeline | None = None
        self._patience: Patience | None = None
        self._unsent: wire.Sign | None = None
        self._settler = Settler(
            wallet,
            self._link,
            drive=lambda done: self._drive(done, pay=False),
            keep=self._keep,
            forget=self._forget,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._session!r})"

    @property
    def connected(self) -> bool:
        return self._link.stream is not None

    # -- the stream ------------------------------------------------------------------------------

    async def _greet(self, stream: ByteStream) -> None:
        """Hello, quote, and whatever was under way on the stream before."""
        self._tell("resuming" if self._run is not None and self._run.q else "opening")
        session = self._session_with(stream.peer_node_id)
        resume = self._known
        self._greeted.clear()
        await self._link.send(session.hello(stream.circuit_tag, resume=resume))
        wanted = {events.Quoted, events.Resumed} if resume else {events.Quoted}
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
            if self._footing is not None:
                self._session.go_on_from(self._footing)
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
        _, payer = self._parts()
        check_chunk(quote, self._wallet.max_chunk_sat)
        payer.stock.grade = Grade.of(quote, self._wallet.lock_chunks)

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
        if done():
            return
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
            nursery.start_soon(payer.stock_up)
            nursery.start_soon(self._hand_out)
            try:
                while not done():
                    await self._link.read_or_reconnect()
            except (Peer2PromptError, WalletError) as error:
                failure = failure or error
            nursery.cancel_scope.cancel()
        payer.armed = False
        self._abort, self._poke = ignore, lambda: None
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
        try:
            event = session.receive(message)
        except (ProtocolError, Overbilled) as error:
            self._note_breach(error)
            raise
        await self._take(event)

    async def _take(self, event: events.ClientEvent | None) -> None:
        _, payer = self._parts()
        match event:
            case events.Quoted() | events.Resumed():
                self._greeted.add(type(event))
            case events.PaymentTaken() | events.PaymentRefused():
                self._link.progress()
                payer.on_event(event)
            case events.Text(text, offset):
                self._on_text(text, offset)
                payer.kick()
            case events.CreditNeeded():
                if payer.failure is not None:
                    raise payer.failure
                payer.kick()
            case events.Finished():
                await self._on_finished(event)
            case events.Failed(error):
                self._on_failed(error)
            case events.SettledUp():
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

    async def _on_finished(self, event: events.Finished) -> None:
        self._link.progress()
        await self._keep_receipt(event)
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

    async def _send_cancel(self) -> None:
        cancel = self._session.cancel() if self._session is not None else None
        if cancel is None:
            return
        try:
            await self._link.send(cancel)
        except LOST:
            return  # said again on the next stream
