"""The answers of a ghost's session, from the question to the bill: one at a time.

Base of `GhostSession`, which knows the stream and the payments; this half knows when a question is
judged, when its provider may be asked, how far its text may go, and what it costs when it ends, is
cut short or breaks. No I/O, no clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from engine.errors import ProtocolError
from engine.market.commands import (
    Admitted,
    Chain,
    Commit,
    Consider,
    KeepCountersign,
    NoteRefusal,
    Refusal,
    StartProvider,
    StopProvider,
)
from engine.market.credit import Ledger
from engine.market.ghost_answer import UNASKED, GhostAnswer, Phase
from engine.market.ghost_mail import done_message
from engine.market.ghost_outbox import Outbox
from engine.market.ghost_receipts import ReceiptWriter
from engine.market.meter import Counts, Tariff
from engine.market.weight import metered_bytes
from engine.wire import session as wire
from engine.wire.quote import Quote

UNKNOWN = "unknown_answer"
EXPIRED = "quote_expired"
KEPT_QUOTES = 2
"""Quotes of earlier streams that a question may still name: one that was lost with its stream."""
QUOTE_GRACE_S = 60
"""How long after its end a quote still holds: the client's clock may be late."""


class GhostAnswering:
    """The answering half of one client's session. `admit` checks the form of a question."""

    def __init__(
        self,
        *,
        session: bytes,
        key: bytes,
        balance: int,
        chain: Chain,
        sign: Callable[[bytes], bytes],
        admit: Callable[[wire.Ask], Admitted | Refusal],
    ) -> None:
        self.hash = wire.session_hash(session, key)
        self.ledger = Ledger(balance)
        self.answer: GhostAnswer | None = None
        self._outbox = Outbox()
        self._receipts = ReceiptWriter(session, key, chain, sign)
        self._admit = admit
        self._quote: Quote | None = None
        self._quotes: list[Quote] = []
        self._request: Any = None
        self._told_need = -1
        self._last_q = 0
        self._last_failure: wire.Error | None = None
        self._unreported = 0
        self._held = False
        """No text and no bill on a new stream before the client said how much it has."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(balance={self.ledger.balance}, answer={self.answer})"

    @property
    def read_ahead(self) -> bool:
        """Whether to go on reading the provider. Half a chunk of text may wait to be sent before
        the next event is read, so with it no more than a chunk is lost with a client that stops
        reading, or paying."""
        answer = self.answer
        if answer is None or answer.full:
            return False
        return answer.read_msat <= answer.due_msat + answer.tariff.chunk_msat // 2

    @property
    def busy(self) -> bool:
        """Whether an answer is under way."""
        return self.answer is not None and self.answer.phase is not Phase.BILLED

    # -- questions -------------------------------------------------------------------------------

    def _on_ask(self, ask: wire.Ask) -> None:
        parts = (ask.quote, ask.model.encode(), b"\0", ask.body)
        fingerprint = hashlib.sha256(b"".join(parts)).digest()
        answer = self.answer
        if answer is not None and answer.q == ask.q:
            if answer.fingerprint != fingerprint:
                raise ProtocolError("The client used one question number for two questions.")
            self._on_resume(ask.q, 0)
            return
        if self._retold_failure(ask.q):
            return
        if self.busy:
            self._fail("busy", "The ghost is still answering an earlier question.", q=ask.q)
            return
        if ask.q <= self._last_q:
            self._fail(UNKNOWN, "The ghost no longer has this answer.", q=ask.q)
            return
        self._open_answer(ask, fingerprint)

    def _open_answer(self, ask: wire.Ask, fingerprint: bytes) -> None:
        self._last_q = ask.q
        quote = self._quote_named(ask.quote)
        if quote is None:
            words = "The quote of the question has ended; the ghost has a new one."
            self._fail(EXPIRED, words, q=ask.q)
            return
        offer = quote.offer(ask.model)
        if offer is None:
            self._refuse(ask.q, "", Refusal("The ghost does not serve this model."))
            return
        verdict = self._admit(ask)
        if isinstance(verdict, Refusal):
            self._refuse(ask.q, ask.model, verdict)
            return
        self._forget_answer()
        tariff = Tariff.of(quote, offer, metered_bytes(ask.body), verdict.messages)
        self.answer = GhostAnswer(ask.q, fingerprint, tariff, quote.id)
        self.ledger.due = tariff.accepted_msat
        self._told_need = -1
        self._outbox.do(Consider(ask.q, ask, verdict))

    def _refuse(self, q: int, model: str, refusal: Refusal) -> None:
        self._outbox.do(NoteRefusal(model, refusal.code))
        self._fail(refusal.code, refusal.message, q=q, after=refusal.after)

    def _on_cancel(self, q: int) -> None:
        if self.answer is not None and self.answer.q == q:
            self._cut_short("cancelled")

    def _on_mail(self, q: int, blocks: tuple[bytes, ...]) -> None:
        answer = self.answer
        if answer is not None and answer.q == q and answer.blocks != blocks:
            answer.blocks, answer.mailed = blocks, False

    def _on_resume(self, q: int, have: int) -> None:
        answer = self.answer
        if self._retold_failure(q):
            return
        if answer is None or answer.q != q:
            self._fail(UNKNOWN, "The ghost no longer has this answer.", q=q)
            return
        if not answer.rewind(have):
            raise ProtocolError("The client wants to go on at a place it was never sent.")
        self._held = False
        if answer.phase not in UNASKED:
            self._outbox.say(wire.Started(q))
        if answer.bill is not None and not answer.all_sent:
            self._resend_text(answer)
        if answer.phase in (Phase.RUNNING, Phase.ENDED, *UNASKED):
            self.ledger.due = answer.due_msat
        if answer.bill is not None:
            self._tell_done(answer)
        self._advance()

    def _retold_failure(self, q: int) -> bool:
        if self._last_failure is None or self._last_failure.q != q:
            return False
        self._outbox.say(self._last_failure)
        return True

    def _resend_text(self, answer: GhostAnswer) -> None:
        while (delta := answer.next_delta(2**62, wire.MAX_DELTA)) is not None:
            self._outbox.say(delta)

    def _on_sign(self, n: int, sig: bytes) -> None:
        bill = self.answer.bill if self.answer is not None else None
        if bill is None or bill.n != n:
            return
        self._receipts.check_signature(bill, sig)
        bill.accepted = True
        self._outbox.do(KeepCountersign(n, sig))

    def considered(self, q: int, verdict: Admitted | Refusal) -> None:
        """What the ghost's policy says of question `q`: the request to make, or why it is refused,
        which is free."""
        answer = self.answer
        if answer is None or answer.q != q or answer.phase is not Phase.CONSIDERED:
            return  # cancelled, or its client did not come back
        if isinstance(verdict, Refusal):
            self._forget_answer()
            self.ledger.close_answer(0)
            self._refuse(q, answer.tariff.offer.name, verdict)
            return
        answer.phase = Phase.WAITING
        self._request = verdict.request
        self._advance()

    # -- the provider ----------------------------------------------------------------------------

    def provider_text(self, q: int, text: str) -> None:
        if text and self._is_running(q) and self.answer is not None:
            self.answer.push(text)

    def provider_usage(
        self, q: int, tokens_in: int, tokens_out: int, cached: int = 0, reasoning: int = 0
    ) -> None:
        """The provider's own counts; what it read from a cache or reasoned is part of them."""
        if self._is_running(q) and self.answer is not None:
            found = (max(0, count) for count in (tokens_in, tokens_out, cached, reasoning))
            self.answer.usage = Counts(*found)

    def provider_done(self, q: int, reason: str) -> None:
        if self._is_running(q) and self.answer is not None:
            self.answer.phase = Phase.ENDED
            self.answer.reason = reason
            self._advance()

    def provider_failed(self, q: int, code: str, message: str, after: int = 0) -> None:
        """The answer broke: it is free, and the client is told why."""
        if not self._is_running(q):
            return
        self._forget_answer()
        self.ledger.close_answer(0)
        kept = "Nothing was charged; the credit is untouched."
        self._fail(code, message, q=q, kept=kept, after=after)

    def committed(self, q: int, balance: int) -> None:
        """The bill and its receipt are stored; `balance` is the credit after it."""
        answer = self.answer
        if answer is None or answer.q != q or answer.bill is None:
            return
        answer.phase = Phase.BILLED
        self.ledger.close_answer(0)
        self.ledger.balance = balance
        self._receipts.stored(answer.bill)
        self._tell_done(answer)

    def abandon(self) -> None:
        """The client did not come back in time: bill what it was sent, stop everything."""
        self._cut_short("abandoned")

    @property
    def considers(self) -> int | None:
        """The number of the question that is being judged."""
        answer = self.answer
        return answer.q if answer is not None and answer.phase is Phase.CONSIDERED else None

    @property
    def holds_place(self) -> bool:
        """Whether an admitted question is not yet through with the provider."""
        return self.answer is not None and self.answer.phase in (Phase.WAITING, Phase.RUNNING)

    @property
    def unpaid(self) -> bool:
        """Whether an admitted question waits for its first payment."""
        return self.answer is not None and self.answer.phase is Phase.WAITING

    @property
    def waits_for_msat(self) -> int:
        """What the credit must cover for a begun answer to go on, also while its client has not
        said where to go on; 0 when nothing is waited for."""
        answer = self.answer
        if answer is None or answer.phase not in (Phase.RUNNING, Phase.ENDED):
            return 0
        due = answer.next_due_msat
        return 0 if self.ledger.affords(due) and not self._held else due

    def forget_unpaid(self) -> None:
        """No payment came for the admitted question: others may have its place."""
        answer = self.answer
        if answer is not None and answer.phase is Phase.WAITING:
            self._forget_answer()
            self.ledger.close_answer(0)
            self._fail("unpaid", "The payment for the question did not come in time.", q=answer.q)

    # -- inner workings --------------------------------------------------------------------------

    def _next_delta(self, max_bytes: int) -> wire.Delta | None:
        answer = self.answer
        if answer is None or self._held or answer.phase not in (Phase.RUNNING, Phase.ENDED):
            return None
        delta = answer.next_delta(self.ledger.balance, max_bytes)
        self.ledger.due = answer.due_msat
        return delta

    def _is_running(self, q: int) -> bool:
        answer = self.answer
        return answer is not None and answer.q == q and answer.phase is Phase.RUNNING

    def _advance(self) -> None:
        """Do what the credit now allows: start the provider, or commit the bill; else say need."""
        answer = self.answer
        if answer is None or answer.phase in (Phase.CONSIDERED, Phase.COMMITTING, Phase.BILLED):
            return
        due = answer.next_due_msat
        if not self.ledger.affords(due):
            self._tell_need(answer, due)
        elif answer.phase is Phase.WAITING:
            answer.phase = Phase.RUNNING
            self._outbox.say(wire.Started(answer.q))
            self._outbox.do(StartProvider(answer.q, self._request))
            self._request = None
        elif answer.phase is Phase.ENDED and answer.all_sent:
            self._commit(answer, answer.final_msat())

    def _tell_need(self, answer: GhostAnswer, due: int) -> None:
        if self._told_need != due and not self._held:
            self._told_need = due
            self._outbox.say(wire.Need(answer.q, due, max(0, self._reported())))

    def _cut_short(self, reason: str) -> None:
        answer = self.answer
        if answer is None or answer.phase in (Phase.COMMITTING, Phase.BILLED):
            return
        if answer.phase is Phase.RUNNING:
            self._outbox.do(StopProvider(answer.q))
        self._commit(answer, min(answer.cut_short(reason), self.ledger.balance))

    def _commit(self, answer: GhostAnswer, cost: int) -> None:
        answer.bill = self._receipts.write(answer, cost)
        answer.phase = Phase.COMMITTING
        self._outbox.do(Commit(answer.q, answer.tariff.offer.name, answer.bill))

    def _tell_done(self, answer: GhostAnswer) -> None:
        bill = answer.bill
        if bill is None or answer.phase is not Phase.BILLED:
            return
        if self._held:
            self._unreported = bill.cost
            return
        self._unreported = 0
        self._outbox.say(done_message(answer.q, bill))

    def _forget_answer(self) -> None:
        if self.answer is not None:
            self.answer.erase()
        self.answer = None
        self._unreported = 0
        self._held = False

    def _reported(self) -> int:
        """Credit as the client may know it: a bill it has not seen yet is not taken off."""
        return self.ledger.balance + self._unreported

    def forget_quotes(self, now: float) -> None:
        """Ask no more under quotes that ended before `now` (unix seconds). An answer that runs
        under one keeps its terms."""
        self._quotes = [quote for quote in self._quotes if quote.expires + QUOTE_GRACE_S > now]

    def _take_quote(self, quote: Quote) -> None:
        self._quote = quote
        others = [known for known in self._quotes if known.id != quote.id]
        self._quotes = [*others[-KEPT_QUOTES:], quote]

    def _quote_named(self, quote_id: bytes) -> Quote | None:
        """The quote that a question names, if it still holds."""
        wanted = quote_id or self._need_quote().id
        return next((quote for quote in self._quotes if quote.id == wanted), None)

    def _need_quote(self) -> Quote:
        if self._quote is None:
            raise ProtocolError("The client spoke before the session was open.")
        return self._quote

    def _fail(self, code: str, message: str, *, q: int, kept: str = "", after: int = 0) -> None:
        """Say that answer `q` will not come, now and whenever it is asked for again."""
        kept = kept or "Nothing was charged."
        error = self._outbox.error(code, message, q=q, kept=kept, after=after)
        if q == self._last_q and code != UNKNOWN:
            self._last_failure = error
