"""The client's side of a session as a state machine: messages in, events out.

It keeps its own books and checks every number the ghost sends against them: credit
(`client_credit`), running meter and bill (`client_answer`), receipts (`client_receipts`). It
survives its streams; `hello` starts on each new one. What is sent, and when to pay, is the business
of `client_asking`. No I/O, no clock.
"""

from __future__ import annotations

from engine.errors import ProtocolError
from engine.market.client_answer import ClientAnswer
from engine.market.client_asking import ClientAsking
from engine.market.client_events import (
    ClientEvent,
    CreditNeeded,
    Failed,
    Finished,
    PaymentRefused,
    PaymentTaken,
    Quoted,
    Resumed,
    SettledUp,
    Started,
    Text,
)
from engine.market.credit import MSAT
from engine.market.letter import Letter
from engine.market.overbilled import overbilled
from engine.wire import session as wire
from engine.wire.quote import Quote


class ClientSession(ClientAsking):
    """All state of one session with one ghost, over any number of streams."""

    def take_letter(self, letter: Letter) -> list[ClientEvent]:
        """What a letter adds to the answer; ProtocolError when it is not about the same answer."""
        if self.answer is None and self._lost is not None:
            self.answer, shortfall = self._lost
            self.credit.ledger.balance += shortfall
        self._lost = None
        answer = self.answer
        if answer is None or not letter.text.startswith(answer.body):
            raise ProtocolError("The letter does not go on where the answer stood.")
        events: list[ClientEvent] = []
        if rest := letter.text[len(answer.body) :]:
            try:
                text = rest.decode("utf-8")
            except UnicodeDecodeError:
                raise ProtocolError("The letter cuts a character in two.") from None
            delta = wire.Delta(answer.ask.q, len(answer.body), letter.out, text)
            events.append(self._on_delta(delta))
        if letter.done is not None:
            answer.left = True
            events.append(self._on_done(letter.done))
            if self.credit.adopts:  # what an earlier process had paid is not in these books
                self.credit.ledger.balance = max(0, self.credit.ledger.balance)
                self.credit.adopts = False
        return events

    # -- what the ghost sends --------------------------------------------------------------------

    def receive(self, message: wire.Message) -> ClientEvent | None:
        """The event one message means; raises when the ghost breaks the protocol or overbills."""
        match message:
            case wire.QuoteMsg(raw):
                return self._on_quote(raw)
            case wire.Paid():
                return self._on_paid(message)
            case wire.Started(q):
                return self._on_started(q)
            case wire.Delta():
                return self._on_delta(message)
            case wire.Need():
                return self._on_need(message)
            case wire.Done():
                return self._on_done(message)
            case wire.Settled():
                return self._on_settled(message)
            case wire.Error():
                return self._on_error(message)
            case _:
                raise ProtocolError("The ghost sent a message that has no place here.")

    def _on_quote(self, raw: bytes) -> ClientEvent:
        quote = Quote.decode(raw)
        if quote.node_id != self.node_id:
            raise ProtocolError("The quote is not signed by the ghost this circuit leads to.")
        self.quote, self.raw_quote = quote, raw
        return Quoted(quote)

    def _on_paid(self, paid: wire.Paid) -> ClientEvent | None:
        if paid.n == 0:
            answer = self.answer
            self.credit.resumed(paid.credit, answer.may_have_cost if answer is not None else 0)
            if answer is None and not self.credit.settling and self.credit.shortfall:
                self._lose_answer()
            return Resumed(paid.credit)
        return PaymentTaken(paid.n, paid.change) if self.credit.taken(paid) else None

    def _current(self, q: int) -> ClientAnswer:
        if self.answer is None or self.answer.ask.q != q:
            raise ProtocolError("The ghost answers a question that is not open.")
        return self.answer

    def _on_started(self, q: int) -> ClientEvent | None:
        answer = self._current(q)
        if answer.started:
            return None
        answer.started = True
        return Started(q)

    def _on_delta(self, delta: wire.Delta) -> ClientEvent:
        answer = self._current(delta.q)
        answer.take(delta)
        self.credit.needed = 0
        self.credit.ledger.due = answer.tariff.running_msat(delta.out)
        return Text(delta.text, delta.off)

    def _on_need(self, need: wire.Need) -> ClientEvent:
        answer = self._current(need.q)
        answer.check_need(need.due)
        self.credit.needed = need.due
        return CreditNeeded()

    def _on_done(self, done: wire.Done) -> ClientEvent:
        answer = self._current(done.q)
        self.disputed = done.receipt
        counts = answer.check_bill(done)
        receipt = self._receipts.check(done, answer, self._need_quote().key)
        self.answer = None
        self.disputed = b""
        self.credit.needed = 0
        self.credit.close_answer(done.cost)
        sign = self._receipts.accept(receipt, done.receipt)
        return Finished(done.reason, counts, done.cost, receipt.n, done.receipt, sign)

    def _on_settled(self, settled: wire.Settled) -> ClientEvent:
        back = sum(signature.a for signature in settled.change)
        if back * MSAT + settled.credit < self.credit.ledger.balance:
            raise overbilled("The ghost gave back less than the unspent credit.")
        self.credit.ledger.balance = 0
        return SettledUp(settled.credit, settled.change)

    def _on_error(self, error: wire.Error) -> ClientEvent:
        if error.n:
            return PaymentRefused(error.n, error.code, error.message, error.retry)
        if self.answer is not None and error.q == self.answer.ask.q:
            if error.code == "unknown_answer":
                self._lose_answer()
            else:
                self.give_up()
        return Failed(error)
