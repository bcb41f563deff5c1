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
from engine.session import failures
from engine.session.account import Run
from engine.session.events import AskResult, OnEvent
from engine.session.following import Following
from engine.session.lifeline import Lifeline
from engine.session.link import LOST
from engine.session.record import AnswerRecord
from engine.session.rescue import Patience
from engine.session.talk_books import BREACHES, ignore
from engine.wire import session as wire
from engine.wire.quote import Quote
from wallet.errors import WalletError


class AskSession(Following):
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

    # -- what went wrong -------------------------------------------------------------------------

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
