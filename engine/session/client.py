"""AskSession: one pinned session with one ghost, over as many circuits as it takes.

Asks, follows an answer to its end over new circuits and through mailboxes, takes up what an earlier
process asked for, and gets the unspent credit back at the end. It never sees a route, and no text
of either side is in its errors.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import trio

from engine.errors import GhostError, Peer2PromptError
from engine.market import client_events as events
from engine.market.exact import ExactMeter
from engine.market.weight import metered_bytes
from engine.session import failures
from engine.session.account import Run
from engine.session.events import AskResult, OnEvent
from engine.session.lifeline import Lifeline
from engine.session.link import LOST
from engine.session.outcome import Outcome
from engine.session.record import AnswerRecord
from engine.session.rescue import Patience
from engine.session.talk import Talk
from engine.session.talk_books import BREACHES, ignore
from engine.wire import session as wire
from engine.wire.quote import Quote
from wallet.errors import WalletError

QUOTE_MARGIN_S = 30
"""A quote that ends sooner is renewed before a question is asked under it."""
UNKNOWN = "unknown_answer"
EXPIRED = "quote_expired"
ASKED_AGAIN = (UNKNOWN, EXPIRED)


class AskSession(Talk):
    """See the module. One call at a time (others wait), except `cancel`."""

    async def connect(self, on_event: OnEvent | None = None) -> Quote:
        """Connect and read the quote; pays nothing."""
        async with self._turn:
            self._on_event = on_event or ignore
            await self._link.ensure()
            return self._current_quote()

    async def open(self, on_event: OnEvent | None = None) -> Quote:
        """Connect, check the quote, prepay one chunk: a warm session answers without delay."""
        async with self._turn:
            self._on_event = on_event or ignore
            self._check_breach()
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
        body = encode_body({"messages": list(messages), **(params or {})})
        return await self.ask_body(body, len(messages), model, on_event, line)

    async def ask_body(
        self,
        body: bytes,
        messages: int,
        model: str,
        on_event: OnEvent | None = None,
        line: Lifeline | None = None,
    ) -> AskResult:
        """`ask` with a whole question as JSON, which has so many messages (or inputs)."""

        async def work(run: Run) -> AskResult:
            await self._make_ready()
            return await self._ask(run, body, messages)

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
            self._check_breach()
            self._on_event = on_event or ignore
            self._cancel_wanted = False
            self._line = line
            self._patience = Patience(line, now=self._now) if line is not None else None
            cuts = self._link.cuts
            try:
                result = await work(run)
                self._on_outcome(self._outcome(run, None))
            except (Peer2PromptError, WalletError) as error:
                self._on_outcome(self._outcome(run, error))
                raise await self._failed(error, run) from error
            else:
                return result
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
            self._on_event = on_event or ignore
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
        session, payer = self._parts()
        tariff = session.tariff(run.model, metered_bytes(body), messages)
        await payer.check_first(tariff.first_msat)
        run.quoted_msat = tariff.most_msat
        self._run = run
        ask = session.ask(run.model, body, messages, await self._exact(run.model, body))
        await self._write_down(ask, messages)
        await self._send_ask(run, ask)
        if run.failed is not None and run.failed.code in ASKED_AGAIN and not run.parts:
            if run.failed.code == EXPIRED:  # by the ghost's clock; its new terms are looked at
                await self._link.drop()
                await self._link.ensure()
            run.failed = None  # nothing of it came: it costs nothing to ask again
            ask = session.ask(run.model, body, messages, await self._exact(run.model, body))
            await self._write_down(ask, messages)
            await self._send_ask(run, ask)
        return await self._see_through(run)

    async def _exact(self, model: str, body: bytes) -> ExactMeter | None:
        """How to count the tokens of this question, where its model's tokenizer is here."""
        offer = self._current_quote().offer(model)
        if self._tokenizers is None or offer is None:
            return None
        return await self._tokenizers.meter(offer, body)

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
        run.asked = trio.current_time()
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
        return self._result(run, run.finished)

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

    def _result(self, run: Run, finished: events.Finished) -> AskResult:
        session, _ = self._parts()
        mint = self._saved.mint if self._saved is not None else ""
        run.mailboxes = len(self._line.blocks) if self._line is not None else 0
        return self._account.close(
            run, finished, credit_msat=session.credit.at_ghost_msat, mint=mint
        )

    def _outcome(self, run: Run, error: Exception | None) -> Outcome:
        """How the question ended, for the client's opinion of the ghost."""
        session, finished = self._session, run.finished
        tokens = 0 if finished is None else finished.counts.tout
        ttft_s = run.first - run.asked if run.first and run.asked else 0.0
        stream_s = run.ended - run.first if run.first else 0.0
        by_mail = run.by_mail or run.asked is None
        return Outcome(
            model=run.model,
            error=error,
            code="" if run.failed is None else run.failed.code,
            stopped=self._cancel_wanted,
            tokens_out=tokens,
            ttft_ms=0.0 if by_mail else ttft_s * 1000,
            rate=tokens / stream_s if stream_s > 0 and not by_mail else 0.0,
            session=b"" if session is None else session.hash,
            quote=b"" if session is None else session.raw_quote,
            disputed=b"" if session is None else session.disputed,
            text="".join(run.parts),
        )

    async def _failed(self, error: Exception, run: Run) -> Exception:
        """The error for the caller, after everything that can be saved was saved."""
        session, payer = self._session, self._payer
        unreachable = isinstance(error, LOST)
        dishonest = isinstance(error, BREACHES) and not unreachable
        self._note_breach(error)
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
        await payer.hold_back()
        if not payer.idle:
            await self._drive(lambda: payer.idle, pay=False)
        saved = self._saved
        if saved is not None and saved.slot:
            await self._settler.resolve(saved.slot)
        # Only the ghost knows what another process had paid; it gives no more than there is.
        credit = max(session.credit.ledger.balance, session.credit.reported_msat)
        if saved is None or not saved.mint or credit < 1000:
            await self._forget()
            return 0
        back, left = await self._settler.run(session, saved, credit // 1000)
        self._account.settled(back * 1000, left)
        return back


def encode_body(body: Mapping[str, Any]) -> bytes:
    """A question as it is sent: the same question is the same bytes each time."""
    plain = json.dumps(dict(body), ensure_ascii=False, separators=(",", ":"))
    return plain.encode("utf-8", "replace")
