"""Follows one question to its answer: over lost circuits, through mailboxes, to its result.

Base of `AskSession`, which is what callers see; this half knows when a question is asked again, and
what is written down so that a later process can go on. No text of either side is in its errors.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from engine.market import client_events as events
from engine.market.exact import ExactMeter
from engine.market.weight import metered_bytes
from engine.session import failures
from engine.session.account import Run
from engine.session.events import AskResult
from engine.session.link import LOST
from engine.session.outcome import Outcome
from engine.session.record import AnswerRecord
from engine.session.talk import Talk
from engine.wire import session as wire

QUOTE_MARGIN_S = 30
"""A quote that ends sooner is renewed before a question is asked under it."""
UNKNOWN = "unknown_answer"
EXPIRED = "quote_expired"


class Following(Talk):
    """See the module."""

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
        async def put() -> None:
            await self._put(run, body, messages)

        await put()
        return await self._see_through(run, again=put)

    async def _put(self, run: Run, body: bytes, messages: int) -> None:
        """Put the question under the quote there is now, and read what comes of it."""
        session, payer = self._parts()
        tariff = session.tariff(run.model, metered_bytes(body), messages)
        await payer.check_first(tariff.first_msat)
        run.quoted_msat = tariff.most_msat
        self._run = run
        ask = session.ask(run.model, body, messages, await self._exact(run.model, body))
        await self._write_down(ask, messages)
        await self._send_ask(run, ask)

    def _costs_nothing_again(self, run: Run) -> bool:
        """Whether the ghost neither has this question nor was paid for it, as after its restart:
        its quote is not known any more, or it does not know the answer and kept all the credit."""
        if run.failed is None or run.parts or self._cancel_wanted:
            return False
        session, _ = self._parts()
        code = run.failed.code
        return code == EXPIRED or (code == UNKNOWN and not session.charged_for_lost)

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
            if self._patience is None:
                raise
            self._patience.lost()

    async def _see_through(
        self, run: Run, again: Callable[[], Awaitable[None]] | None = None
    ) -> AskResult:
        """Follow the answer to its end, over new circuits and through mailboxes. A question that
        the ghost forgot without charging for it is put to it `again`, once."""
        while run.finished is None:
            cause: Exception | None = None
            try:
                await self._drive(lambda: run.over, pay=True)
            except LOST as error:
                cause = error
                if self._patience is not None:
                    self._patience.lost()
            if run.finished is not None:
                break
            if again is not None and cause is None and self._costs_nothing_again(run):
                once, again = again, None
                await self._put_again(run, once)
                continue
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

    async def _put_again(self, run: Run, put: Callable[[], Awaitable[None]]) -> None:
        if run.failed is not None and run.failed.code == EXPIRED:
            await self._link.drop()  # its new terms are looked at
        await self._link.ensure()
        run.failed = None
        await put()

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
