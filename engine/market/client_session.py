"""The client's side of a session as a state machine: messages in, events out.

It keeps its own books and checks every number the ghost sends against them: credit, running meter,
final bill, receipt chain. It survives its streams; `hello` starts on each new one. What it decides
(how much to pay, when) it only proposes: the shell pays through the wallet, which journals first.
No I/O, no clock; `now` is an argument where a time is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.errors import GhostError, PaymentError, ProtocolError
from engine.market.client_answer import ClientAnswer
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
from engine.market.credit import MSAT, Ledger
from engine.market.letter import Letter
from engine.market.meter import Counts, Size, Tariff
from engine.wire import session as wire
from engine.wire.quote import ModelOffer, Quote
from engine.wire.receipt import FIRST, Receipt, answer_hash, countersign, receipt_hash

UNKNOWN_PAYMENTS = 1_000
"""Payments a process may have made after it last wrote down their number."""


class Overbilled(PaymentError):
    """The ghost claims more than its quote and the answer's size allow. We stop paying it."""

    code = "overbilled"


@dataclass(frozen=True, slots=True)
class Footing:
    """Numbers that go on over a process's end: question, payment, receipt and its hash."""

    q: int
    n: int
    receipt_n: int
    receipt_head: bytes


class ClientSession:
    """All state of one session with one ghost, over any number of streams."""

    def __init__(
        self, *, node_id: bytes, session: bytes, key: bytes, sign: Callable[[bytes], bytes]
    ) -> None:
        self.node_id = node_id
        self.hash = wire.session_hash(session, key)
        self.quote: Quote | None = None
        self.raw_quote = b""
        self.ledger = Ledger()
        self.answer: ClientAnswer | None = None
        self.paying: tuple[int, int] | None = None
        """The payment under way: (n, sat)."""
        self.reported_msat = 0
        """The credit the ghost named when the session was last resumed."""
        self.disputed = b""
        """The signed receipt of the last bill that was refused."""
        self.settling = False
        """Whether a refund was asked for, which the ghost may have made already."""
        self._session = session
        self._key = key
        self._sign = sign
        self._last_q = 0
        self._last_n = 0
        self._needed = 0
        self._receipt_n = 0
        self._receipt_head = FIRST
        self._shortfall = 0
        self._gap = False
        self._lost: tuple[ClientAnswer, int] | None = None
        self._adopts = False
        self._written_off = 0

    def __repr__(self) -> str:
        return f"ClientSession(balance={self.ledger.balance}, answer={self.answer})"

    # -- over the end of a process ---------------------------------------------------------------

    def footing(self) -> Footing:
        """Where numbers and receipts stand, for `take_over` in a later process."""
        return Footing(self._last_q, self._last_n, self._receipt_n, self._receipt_head)

    def take_over(self, footing: Footing, ask: wire.Ask, tariff: Tariff, quote: Quote) -> None:
        """Go on with an answer that an earlier process asked for. Its text comes again from byte 0;
        what credit there is, only the ghost knows."""
        self.quote = quote
        self._last_q = footing.q
        self._last_n = footing.n + UNKNOWN_PAYMENTS
        self._receipt_n, self._receipt_head = footing.receipt_n, footing.receipt_head
        self.answer = ClientAnswer(ask, tariff)
        self.answer.started = True
        self._adopts = True

    def take_letter(self, letter: Letter) -> list[ClientEvent]:
        """What a letter adds to the answer; ProtocolError when it is not about the same answer."""
        if self.answer is None and self._lost is not None:
            self.answer, shortfall = self._lost
            self.ledger.balance += shortfall
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
            events.append(self._on_done(letter.done))
            if self._adopts:  # what an earlier process had paid is not in these books
                self.ledger.balance = max(0, self.ledger.balance)
                self._adopts = False
        return events

    # -- what the client sends -------------------------------------------------------------------

    def hello(self, circuit_tag: bytes, *, resume: bool) -> wire.Hello:
        """First message on a stream; binds the session key to this ghost and circuit."""
        signed = wire.hello_bytes(self.node_id, circuit_tag, self._session, resume=resume)
        sig = self._sign(signed)
        return wire.Hello(wire.VERSION, self._session, self._key, resume, sig)

    def tariff(self, model: str, body_bytes: int, messages: int) -> Tariff:
        """The terms a question would have; GhostError when the quote lacks the model."""
        quote = self._need_quote()
        offer = self._offer(quote, model)
        return Tariff.of(quote, offer, body_bytes, messages)

    @staticmethod
    def _offer(quote: Quote, model: str) -> ModelOffer:
        offer = quote.offer(model)
        if offer is None:
            raise GhostError(
                "The ghost does not serve this model.",
                kept="Nothing was sent or paid for it.",
                hint="Choose one of the models it offers.",
            )
        return offer

    def ask(self, model: str, body: bytes, messages: int) -> wire.Ask:
        """A question; one at a time."""
        if self.answer is not None:
            raise GhostError("An earlier question of this session is still being answered.")
        tariff = self.tariff(model, len(body), messages)
        self._last_q += 1
        self._lost = None
        ask = wire.Ask(self._last_q, model, body)
        self.answer = ClientAnswer(ask, tariff)
        self.ledger.due = tariff.accepted_msat
        self._needed = 0
        return ask

    def go_on(self) -> wire.Ask | wire.Resume | None:
        """What continues the unfinished answer on a new stream."""
        answer = self.answer
        if answer is None:
            return None
        if not answer.body and not answer.started:
            return answer.ask
        return wire.Resume(answer.ask.q, len(answer.body))

    def cancel(self) -> wire.Cancel | None:
        return None if self.answer is None else wire.Cancel(self.answer.ask.q)

    def mail(self, blocks: tuple[bytes, ...]) -> wire.Mail | None:
        """Hands out reply blocks for the unfinished answer."""
        if self.answer is None or not blocks:
            return None
        self.answer.mailed = True
        return wire.Mail(self.answer.ask.q, blocks)

    def write_off(self) -> None:
        """The ghost cannot be reached: the answer is given up, and may have cost something."""
        if self.answer is not None:
            self._written_off += self.answer.may_have_cost
        self.give_up()

    def give_up(self) -> None:
        """Forget the unfinished answer (its ghost cannot be reached or is not honest)."""
        self.answer = None
        self.ledger.due = 0

    # -- paying ----------------------------------------------------------------------------------

    @property
    def waits_for_credit(self) -> bool:
        """Whether the ghost said that the answer cannot go on with the credit there is."""
        return self._needed > self.ledger.balance

    def top_up_sat(self) -> int:
        """What to pay now: 0 while half a chunk is left or a payment is under way."""
        if self.paying is not None or self.quote is None:
            return 0
        chunk = self.quote.chunk_msat
        if self._needed > self.ledger.balance:
            missing = -(-(self._needed - self.ledger.balance) // MSAT)
            return max(missing, self.ledger.top_up_sat(chunk))
        return self.ledger.top_up_sat(chunk)

    @property
    def at_ghost_msat(self) -> int:
        """Credit and the payment under way together."""
        return self.ledger.balance + (self.paying[1] * MSAT if self.paying is not None else 0)

    def begin_payment(self, sat: int) -> int:
        """The number of the payment that is about to be sent."""
        if self.paying is not None:
            raise ProtocolError("A payment of this session is already under way.")
        self._last_n += 1
        self.paying = (self._last_n, sat)
        return self._last_n

    def drop_payment(self) -> None:
        """The payment under way was resolved without the ghost."""
        self.paying = None

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
            self.reported_msat = paid.credit
            if self._adopts:
                self.ledger.balance, self._adopts = paid.credit, False
            self._check_resumed(paid.credit)
            return Resumed(paid.credit)
        if self.paying is None or paid.n != self.paying[0]:
            if paid.n > self._last_n:
                raise ProtocolError("The ghost confirms a payment that was never made.")
            return None
        self.ledger.deposit(self.paying[1] * MSAT)
        self.paying = None
        self._check_credit(paid.credit)
        return PaymentTaken(paid.n, paid.change)

    def _check_resumed(self, credit: int) -> None:
        """A ghost that forgot a billed answer (restart, long absence) may have taken its price:
        what was delivered and half a chunk, never more. See `_lose_answer`."""
        slack = self.ledger.balance if self.settling else self._written_off
        if self.answer is not None:
            slack += self.answer.may_have_cost
        self._check_credit(credit + slack)
        self._shortfall = max(0, self.ledger.balance - credit)
        if self.answer is None and not self.settling and self._shortfall:
            self._lose_answer()
        self._written_off = 0

    def _lose_answer(self) -> None:
        """The ghost no longer has the answer: take its credit as it is, and a gap in the chain."""
        if self.answer is not None:
            self._lost = self.answer, self._shortfall
        self.give_up()
        self.ledger.balance -= self._shortfall
        self._gap = True
        self._shortfall = 0

    def _check_credit(self, credit: int) -> None:
        if credit < self.ledger.balance:
            raise Overbilled(
                "The ghost reports less credit than was paid to it.",
                kept="Everything not yet handed to it is in the wallet.",
                hint="The session ends; another ghost will be used.",
            )

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
        if delta.off != len(answer.body) or not delta.text:
            raise ProtocolError("The ghost sent a part of the answer out of its place.")
        answer.started = True
        answer.body += delta.text.encode("utf-8")
        if not answer.out <= delta.out <= len(answer.body) + 1:
            raise _overbilled("The ghost counts more tokens than the answer can hold.")
        if delta.out > answer.tariff.offer.max_out:
            raise _overbilled("The ghost counts more tokens than its quote allows.")
        answer.out = delta.out
        self._needed = 0
        self.ledger.due = answer.tariff.running_msat(delta.out)
        return Text(delta.text, delta.off)

    def _on_need(self, need: wire.Need) -> ClientEvent:
        answer = self._current(need.q)
        if not answer.tariff.may_need(need.due, answer.out, started=answer.started):
            raise _overbilled("The ghost asks for more than the answer can cost by now.")
        self._needed = need.due
        if answer.started and answer.out == 0:
            self.ledger.due = answer.tariff.running_msat(1)
        return CreditNeeded()

    def _on_done(self, done: wire.Done) -> ClientEvent:
        answer = self._current(done.q)
        self.disputed = done.receipt
        tariff, size = answer.tariff, Size.of(answer.body)
        counts = Counts(done.tin, done.tout, done.tcached, done.treason)
        if not tariff.counts_are_possible(counts, size):
            raise _overbilled("The ghost bills more tokens than the answer can hold.")
        if done.cost > tariff.final_msat(counts, answer.out, size):
            raise _overbilled("The ghost's bill is above its quote.")
        receipt = self._check_receipt(done, answer)
        self.disputed = b""
        self.answer = None
        self._needed = 0
        self.ledger.close_answer(done.cost)
        self._gap = False
        self._receipt_n, self._receipt_head = receipt.n, receipt_hash(done.receipt)
        sign = wire.Sign(receipt.n, countersign(done.receipt, self._sign))
        return Finished(done.reason, counts, done.cost, receipt.n, done.receipt, sign)

    def _check_receipt(self, done: wire.Done, answer: ClientAnswer) -> Receipt:
        quote = self._need_quote()
        receipt = Receipt.decode(done.receipt, quote.key)
        digest = answer_hash(self._session, answer.body)
        counts = Counts(receipt.tin, receipt.tout, receipt.tcached, receipt.treason)
        found = (receipt.session, receipt.model, counts, receipt.cost)
        billed = Counts(done.tin, done.tout, done.tcached, done.treason)
        asked = (self.hash, answer.ask.model, billed, done.cost)
        if found != asked or receipt.answer != digest:
            raise ProtocolError("The ghost's receipt does not match the answer.")
        follows = (receipt.n, receipt.prev) == (self._receipt_n + 1, self._receipt_head)
        after_gap = self._gap and receipt.n > self._receipt_n
        if not follows and not after_gap:
            raise ProtocolError("The ghost's receipt does not continue the chain of receipts.")
        return receipt

    def _on_settled(self, settled: wire.Settled) -> ClientEvent:
        back = sum(signature.a for signature in settled.change)
        if back * MSAT + settled.credit < self.ledger.balance:
            raise _overbilled("The ghost gave back less than the unspent credit.")
        self.ledger.balance = 0
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

    def _need_quote(self) -> Quote:
        if self.quote is None:
            raise ProtocolError("The session has no quote yet.")
        return self.quote


def _overbilled(message: str) -> Overbilled:
    return Overbilled(
        message,
        kept="No further payment was made; at most one chunk was at stake.",
        hint="The session with this ghost ends; another ghost will be used.",
    )
