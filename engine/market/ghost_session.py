"""The ghost's side of a session as a state machine: messages in, messages and commands out.

    receive(message)            from the client
    redeemed / provider_text .. results of the commands the shell carried out
    next_command()              what the shell must do now (redeem, ask the provider, commit, ...)
    take(max_bytes)             the next bytes for the client, as soon as credit allows them

It outlives the stream: `attach` and `detach` follow the client from circuit to circuit. Nothing is
charged before the answer's end, and an answer that fails costs nothing. No I/O, no clock.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from typing import Any

from engine.errors import ProtocolError
from engine.market.commands import (
    Admitted,
    Chain,
    Command,
    Commit,
    Consider,
    EndSession,
    KeepCountersign,
    NoteRefusal,
    Redeem,
    Refund,
    Refusal,
    StartProvider,
    StopProvider,
)
from engine.market.credit import MSAT, Ledger
from engine.market.ghost_answer import UNASKED, Bill, GhostAnswer, Phase
from engine.market.ghost_mail import done_message, is_over, write_letter
from engine.market.meter import Counts, Tariff
from engine.wire import session as wire
from engine.wire.quote import Quote
from engine.wire.receipt import Receipt, countersigned, receipt_hash

MAX_QUEUED_PAYMENTS = 4
"""An honest client has one payment in flight."""


class GhostSession:
    """All state of one client's session."""

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
        self._session = session
        self._key = key
        self._chain = chain
        self._sign = sign
        self._admit = admit
        self._quote: Quote | None = None
        self._request: Any = None
        self._out: deque[wire.Message] = deque()
        self._commands: deque[Command] = deque()
        self._pays: deque[wire.Pay] = deque()
        self._settle: wire.Settle | None = None
        self._refunds: dict[bytes, tuple[wire.WireSignature, ...]] = {}
        self._told_need = -1
        self._last_q = 0
        self._last_paid: tuple[wire.Pay, wire.Paid] | None = None
        self._last_failure: wire.Error | None = None
        self._unreported = 0
        self._held = False
        """No text and no bill on a new stream before the client said how much it has."""

    def __repr__(self) -> str:
        return f"GhostSession(balance={self.ledger.balance}, answer={self.answer})"

    # -- the stream ------------------------------------------------------------------------------

    def attach(self, quote: Quote, raw_quote: bytes, *, resumed: bool) -> None:
        """A stream of this client is up: everything queued for an older one is void."""
        self._quote = quote
        self._out.clear()
        self._told_need = -1
        self._out.append(wire.QuoteMsg(raw_quote))
        self._held = self.answer is not None
        self._unreported = self._unseen_cost()
        if resumed:
            self._out.append(wire.Paid(0, self._reported(), ()))

    def _unseen_cost(self) -> int:
        """The price of a bill the client may not have seen: it did not accept it yet."""
        answer = self.answer
        if answer is None or answer.bill is None or answer.phase is not Phase.BILLED:
            return 0
        return 0 if answer.bill.accepted else answer.bill.cost

    def detach(self) -> None:
        """The stream is gone; the session waits for the client."""
        self._out.clear()
        self._held = True

    def take(self, max_bytes: int) -> bytes:
        """Messages to send now, b"" when there are none. Text goes as far as credit reaches."""
        parts: list[bytes] = []
        size = 0
        while self._out and size < max_bytes:
            parts.append(wire.encode(self._out.popleft()))
            size += len(parts[-1])
        if not self._out and size < max_bytes:
            delta = self._next_delta(max_bytes - size)
            if delta is not None:
                parts.append(wire.encode(delta))
        self._advance()
        if not parts and self._out:
            return self.take(max_bytes)
        return b"".join(parts)

    def _next_delta(self, max_bytes: int) -> wire.Delta | None:
        answer = self.answer
        if answer is None or self._held or answer.phase not in (Phase.RUNNING, Phase.ENDED):
            return None
        delta = answer.next_delta(self.ledger.balance, max_bytes)
        self.ledger.due = answer.due_msat
        return delta

    def next_command(self) -> Command | None:
        return self._commands.popleft() if self._commands else None

    @property
    def read_ahead(self) -> bool:
        """Whether to go on reading the provider: at most one chunk of text waits unpaid."""
        answer, quote = self.answer, self._quote
        if answer is None or quote is None or answer.full:
            return False
        return answer.read_msat <= self.ledger.balance + quote.chunk_msat

    @property
    def busy(self) -> bool:
        """Whether an answer is under way."""
        return self.answer is not None and self.answer.phase is not Phase.BILLED

    # -- messages of the client ------------------------------------------------------------------

    def receive(self, message: wire.Message) -> None:
        """Act on one message; ProtocolError when no honest client sends it here."""
        match message:
            case wire.Pay():
                self._on_pay(message)
            case wire.Ask():
                self._on_ask(message)
            case wire.Mail(q, blocks):
                self._on_mail(q, blocks)
            case wire.Cancel(q):
                self._on_cancel(q)
            case wire.Resume(q, have):
                self._on_resume(q, have)
            case wire.Sign(n, sig):
                self._on_sign(n, sig)
            case wire.Settle():
                self._on_settle(message)
            case wire.Bye():
                self._commands.append(EndSession())
            case _:
                raise ProtocolError("The client sent a message that has no place here.")

    def _on_pay(self, pay: wire.Pay) -> None:
        quote = self._need_quote()
        if pay in self._pays:
            return  # sent again after a cut; the answer is on its way
        if self._last_paid is not None and self._last_paid[0] == pay:
            paid = self._last_paid[1]
            self._out.append(wire.Paid(paid.n, self._reported(), paid.change))
            return
        if len(self._pays) >= MAX_QUEUED_PAYMENTS:
            raise ProtocolError("The client sent more payments than it may have in flight.")
        if pay.mint not in quote.mints:
            self._error("mint", "The ghost does not take ecash of this mint.", n=pay.n)
        elif not self.ledger.accepts(pay.sat, quote.chunk_msat, self._needed_msat()):
            self._error("credit_limit", "The payment is more credit than the ghost holds.", n=pay.n)
        else:
            self._pays.append(pay)
            if len(self._pays) == 1:
                self._commands.append(Redeem(pay))

    def _on_ask(self, ask: wire.Ask) -> None:
        fingerprint = hashlib.sha256(ask.model.encode() + b"\0" + ask.body).digest()
        answer = self.answer
        if answer is not None and answer.q == ask.q:
            if answer.fingerprint != fingerprint:
                raise ProtocolError("The client used one question number for two questions.")
            self._on_resume(ask.q, 0)
            return
        if self._retold_failure(ask.q):
            return
        if self.busy:
            self._error("busy", "The ghost is still answering an earlier question.", q=ask.q)
            return
        if ask.q <= self._last_q:
            self._error("unknown_answer", "The ghost no longer has this answer.", q=ask.q)
            return
        self._open_answer(ask, fingerprint)

    def _open_answer(self, ask: wire.Ask, fingerprint: bytes) -> None:
        quote = self._need_quote()
        self._last_q = ask.q
        offer = quote.offer(ask.model)
        if offer is None:
            self._refuse(ask.q, "", Refusal("The ghost does not serve this model."))
            return
        verdict = self._admit(ask)
        if isinstance(verdict, Refusal):
            self._refuse(ask.q, ask.model, verdict)
            return
        self._forget_answer()
        tariff = Tariff.of(quote, offer, len(ask.body), verdict.messages)
        self.answer = GhostAnswer(ask.q, fingerprint, tariff, quote.id)
        self.ledger.due = tariff.accepted_msat
        self._told_need = -1
        self._commands.append(Consider(ask.q, ask, verdict))

    def _refuse(self, q: int, model: str, refusal: Refusal) -> None:
        self._commands.append(NoteRefusal(model, refusal.code))
        self._error(refusal.code, refusal.message, q=q, after=refusal.after)

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
            self._error("unknown_answer", "The ghost no longer has this answer.", q=q)
            return
        if not answer.rewind(have):
            raise ProtocolError("The client wants to go on at a place it was never sent.")
        self._held = False
        if answer.phase not in UNASKED:
            self._out.append(wire.Started(q))
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
        self._out.append(self._last_failure)
        return True

    def _resend_text(self, answer: GhostAnswer) -> None:
        while (delta := answer.next_delta(2**62, wire.MAX_DELTA)) is not None:
            self._out.append(delta)

    def _on_sign(self, n: int, sig: bytes) -> None:
        bill = self.answer.bill if self.answer is not None else None
        if bill is None or bill.n != n:
            return
        if not countersigned(bill.receipt, self._key, sig):
            raise ProtocolError("The client's countersignature of a receipt is not valid.")
        bill.accepted = True
        self._commands.append(KeepCountersign(n, sig))

    def _on_settle(self, settle: wire.Settle) -> None:
        if settle.mint not in self._need_quote().mints:
            self._error("mint", "The ghost does not hold ecash of this mint.")
        elif self.busy or self._pays or self._settle is not None:
            self._error(
                "busy", "The ghost settles only when nothing else is under way.", retry=True
            )
        elif (change := self._refunds.get(_outputs_id(settle))) is not None:
            self._out.append(wire.Settled(self._reported(), change))
        else:
            self._settle = settle
            self._commands.append(Refund(settle, self._refund_sat(settle.sat)))

    def _refund_sat(self, asked: int) -> int:
        """At most the whole sat of the credit. With none left this can only be a settlement made
        before a crash and sent again: the wallet then knows it by its outputs and amount."""
        there = self.ledger.available // MSAT
        return min(asked, there) if there > 0 else asked

    # -- results of commands ---------------------------------------------------------------------

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

    def redeemed(self, n: int, balance: int, change: tuple[wire.WireSignature, ...]) -> None:
        """Payment `n` is in; `balance` is the persisted credit after it."""
        pay = self._pays.popleft()
        self.ledger.balance = balance
        paid = wire.Paid(n, self._reported(), change)
        self._last_paid = (pay, paid)
        self._out.append(paid)
        self._next_pay()

    def pay_failed(self, n: int, code: str, message: str, *, retry: bool) -> None:
        """Payment `n` was not taken; `retry` says that sending it again makes sense."""
        self._pays.popleft()
        self._error(code, message, n=n, retry=retry)
        self._next_pay()

    def _next_pay(self) -> None:
        if self._pays:
            self._commands.append(Redeem(self._pays[0]))
        self._told_need = -1
        self._advance()

    def refunded(self, balance: int, change: tuple[wire.WireSignature, ...]) -> None:
        """The refund is made; `balance` is the persisted credit after it."""
        settle, self._settle = self._settle, None
        self.ledger.balance = balance
        if settle is not None:
            self._refunds[_outputs_id(settle)] = change
        self._out.append(wire.Settled(self._reported(), change))

    def refund_failed(self, message: str, *, retry: bool) -> None:
        self._settle = None
        self._error("settle_failed", message, retry=retry)

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
        self._error(code, message, q=q, kept=kept, after=after)

    def committed(self, q: int, balance: int) -> None:
        """The bill and its receipt are stored; `balance` is the credit after it."""
        answer = self.answer
        if answer is None or answer.q != q or answer.bill is None:
            return
        answer.phase = Phase.BILLED
        self.ledger.close_answer(0)
        self.ledger.balance = balance
        self._chain = Chain(answer.bill.n, receipt_hash(answer.bill.receipt))
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

    def forget_unpaid(self) -> None:
        """No payment came for the admitted question: others may have its place."""
        answer = self.answer
        if answer is not None and answer.phase is Phase.WAITING:
            self._forget_answer()
            self.ledger.close_answer(0)
            self._error("unpaid", "The payment for the question did not come in time.", q=answer.q)

    # -- a client that is away -------------------------------------------------------------------

    @property
    def awaits_mail(self) -> bool:
        """Whether an answer with reply blocks was not mailed yet."""
        answer = self.answer
        return answer is not None and bool(answer.blocks) and not answer.mailed

    @property
    def awaits_signature(self) -> bool:
        """Whether the client was sent a bill and has not accepted it."""
        bill = self.answer.bill if self.answer is not None else None
        return bill is not None and not bill.accepted

    def deliver_to_mail(self) -> None:
        """Nobody reads: what the credit covers counts as delivered, as the mail will hold it."""
        answer = self.answer
        if answer is None or not self._held or answer.phase not in (Phase.RUNNING, Phase.ENDED):
            return
        while answer.next_delta(self.ledger.balance, wire.MAX_DELTA) is not None:
            self.ledger.due = answer.due_msat
        self._advance()

    def mail(self, limit: int) -> bytes:
        """The letter for the client, once, when the answer is over; b"" before that and after."""
        answer = self.answer
        if answer is None or not self.awaits_mail or self._pays:
            return b""
        if not is_over(answer, self.ledger.balance):
            return b""
        answer.mailed = True
        return write_letter(answer, self.ledger.balance, limit)

    # -- inner workings --------------------------------------------------------------------------

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
            self._out.append(wire.Started(answer.q))
            self._commands.append(StartProvider(answer.q, self._request))
            self._request = None
        elif answer.phase is Phase.ENDED and answer.all_sent:
            self._commit(answer, answer.final_msat())

    def _tell_need(self, answer: GhostAnswer, due: int) -> None:
        if self._told_need != due and not self._held:
            self._told_need = due
            self._out.append(wire.Need(answer.q, due, max(0, self._reported())))

    def _cut_short(self, reason: str) -> None:
        answer = self.answer
        if answer is None or answer.phase in (Phase.COMMITTING, Phase.BILLED):
            return
        if answer.phase is Phase.RUNNING:
            self._commands.append(StopProvider(answer.q))
        answer.drop_unsent()
        answer.phase, answer.reason = Phase.ENDED, reason
        self._commit(answer, min(answer.final_msat(), self.ledger.balance))

    def _commit(self, answer: GhostAnswer, cost: int) -> None:
        counts = answer.counts()
        receipt = Receipt(
            session=self.hash,
            n=self._chain.n + 1,
            prev=self._chain.head,
            model=answer.tariff.offer.name,
            tin=counts.tin,
            tout=counts.tout,
            tcached=counts.cached,
            treason=counts.reasoning,
            cost=cost,
            answer=answer.hash(self._session),
            quote=answer.quote_id,
        )
        raw = receipt.encode(self._sign)
        answer.bill = Bill(answer.reason, counts, cost, receipt.n, raw)
        answer.phase = Phase.COMMITTING
        self._commands.append(Commit(answer.q, receipt.model, answer.bill))

    def _tell_done(self, answer: GhostAnswer) -> None:
        bill = answer.bill
        if bill is None or answer.phase is not Phase.BILLED:
            return
        if self._held:
            self._unreported = bill.cost
            return
        self._unreported = 0
        self._out.append(done_message(answer.q, bill))

    def _needed_msat(self) -> int:
        """What the running answer needs in all to go on."""
        return self.answer.next_due_msat if self.answer is not None and self.busy else 0

    def _forget_answer(self) -> None:
        if self.answer is not None:
            self.answer.erase()
        self.answer = None
        self._unreported = 0
        self._held = False

    def _reported(self) -> int:
        """Credit as the client may know it: a bill it has not seen yet is not taken off."""
        return self.ledger.balance + self._unreported

    def _need_quote(self) -> Quote:
        if self._quote is None:
            raise ProtocolError("The client spoke before the session was open.")
        return self._quote

    def _error(
        self,
        code: str,
        message: str,
        *,
        q: int = 0,
        n: int = 0,
        kept: str = "",
        retry: bool = False,
        after: int = 0,
    ) -> None:
        kept = kept or "Nothing was charged."
        error = wire.Error(q, n, code, message[: wire.MAX_WORDS // 4], kept, retry, after)
        if q == self._last_q and q and code != "unknown_answer":
            self._last_failure = error
        self._out.append(error)


def _outputs_id(settle: wire.Settle) -> bytes:
    return hashlib.sha256(settle.mint.encode() + b"\0" + b"".join(settle.outs)).digest()
