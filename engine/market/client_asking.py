"""The asking half of a client's session: its questions, what they may cost, how its numbers go on.

Base of `ClientSession`, which hears the ghost; this half says what is sent, and what goes on over
the end of a stream or of a process. What it decides (how much to pay, when) it only proposes: the
shell pays through the wallet, which journals first. No I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.errors import GhostError, ProtocolError
from engine.market.client_answer import ClientAnswer
from engine.market.client_credit import UNKNOWN_PAYMENTS, ClientCredit
from engine.market.client_receipts import ReceiptChain
from engine.market.exact import ExactMeter
from engine.market.meter import Tariff
from engine.market.weight import metered_bytes
from engine.wire import session as wire
from engine.wire.quote import ModelOffer, Quote


@dataclass(frozen=True, slots=True)
class Footing:
    """Numbers that go on over a process's end: question, payment, receipt and its hash."""

    q: int
    n: int
    receipt_n: int
    receipt_head: bytes


class ClientAsking:
    """See the module."""

    def __init__(
        self, *, node_id: bytes, session: bytes, key: bytes, sign: Callable[[bytes], bytes]
    ) -> None:
        self.node_id = node_id
        self.hash = wire.session_hash(session, key)
        self.quote: Quote | None = None
        self.raw_quote = b""
        self.credit = ClientCredit()
        self.answer: ClientAnswer | None = None
        self.disputed = b""
        """The signed receipt of the last bill that was refused."""
        self._session = session
        self._key = key
        self._sign = sign
        self._receipts = ReceiptChain(session, self.hash, sign)
        self._last_q = 0
        self._lost: tuple[ClientAnswer, int] | None = None

    def __repr__(self) -> str:
        return f"ClientSession(balance={self.credit.ledger.balance}, answer={self.answer})"

    # -- over the end of a process ---------------------------------------------------------------

    def footing(self) -> Footing:
        """Where numbers and receipts stand, for `take_over` in a later process."""
        return Footing(self._last_q, self.credit.last_n, self._receipts.n, self._receipts.head)

    def take_over(self, footing: Footing, ask: wire.Ask, tariff: Tariff, quote: Quote) -> None:
        """Go on with an answer that an earlier process asked for. Its text comes again from byte 0;
        what credit there is, only the ghost knows."""
        self.quote = quote
        self._last_q = footing.q
        self.credit.last_n = footing.n + UNKNOWN_PAYMENTS
        self._receipts.n, self._receipts.head = footing.receipt_n, footing.receipt_head
        self.answer = ClientAnswer(ask, tariff)
        self.answer.started = self.answer.left = True
        self.credit.adopts = True

    def go_on_from(self, footing: Footing) -> None:
        """Go on with a session that was left in good order: its numbers follow those of before, and
        what credit there is, only the ghost knows."""
        self._last_q = footing.q
        self.credit.last_n = footing.n
        self._receipts.n, self._receipts.head = footing.receipt_n, footing.receipt_head
        self._receipts.gap = True
        self.credit.adopts = True

    # -- what the client sends -------------------------------------------------------------------

    def hello(self, circuit_tag: bytes, *, resume: bool) -> wire.Hello:
        """First message on a stream; binds the session key to this ghost and circuit."""
        signed = wire.hello_bytes(self.node_id, circuit_tag, self._session, resume=resume)
        sig = self._sign(signed)
        return wire.Hello(wire.VERSION, self._session, self._key, resume, sig)

    def tariff(self, model: str, body_bytes: int, messages: int) -> Tariff:
        """The terms a question would have; GhostError when the quote lacks the model."""
        quote = self._need_quote()
        return Tariff.of(quote, _offer(quote, model), body_bytes, messages)

    def ask(
        self, model: str, body: bytes, messages: int, exact: ExactMeter | None = None
    ) -> wire.Ask:
        """A question; one at a time. Its terms are those of the quote there is now, whatever quote
        comes before its end. With `exact` its bill is held to the model's own tokenizer too."""
        if self.answer is not None:
            raise GhostError("An earlier question of this session is still being answered.")
        tariff = self.tariff(model, metered_bytes(body), messages)
        self._last_q += 1
        self._lost = None
        ask = wire.Ask(self._last_q, model, body, self._need_quote().id)
        self.answer = ClientAnswer(ask, tariff)
        # Until its first word an answer counts for nothing: credit for it is at stake.
        self.answer.exact = exact
        self.credit.ledger.due = 0
        self.credit.needed = tariff.accepted_msat
        return ask

    def go_on(self) -> wire.Ask | wire.Resume | None:
        """What continues the unfinished answer on a new stream."""
        answer = self.answer
        if answer is None:
            return None
        answer.left = True
        if not answer.body and not answer.started:
            return answer.ask
        return wire.Resume(answer.ask.q, len(answer.body))

    def cancel(self) -> wire.Cancel | None:
        """The message that stops the open answer; None when there is none."""
        if self.answer is None:
            return None
        self.answer.left = True
        return wire.Cancel(self.answer.ask.q)

    def mail(self, blocks: tuple[bytes, ...]) -> wire.Mail | None:
        """Hands out reply blocks for the unfinished answer."""
        if self.answer is None or not blocks:
            return None
        self.answer.mailed = True
        return wire.Mail(self.answer.ask.q, blocks)

    def write_off(self) -> None:
        """The ghost cannot be reached: the answer is given up, and may have cost something."""
        if self.answer is not None:
            self.credit.written_off += self.answer.may_have_cost
        self.give_up()

    def give_up(self) -> None:
        """Forget the unfinished answer (its ghost cannot be reached or is not honest)."""
        self.answer = None
        self.credit.ledger.due = self.credit.needed = 0

    @property
    def charged_for_lost(self) -> bool:
        """Whether the ghost took credit for the answer that it has lost."""
        return self._lost is not None and self._lost[1] > 0

    @property
    def chunk_msat(self) -> int:
        """What may be at stake: the chunk of the open answer's quote, else of the one there is."""
        if self.answer is not None:
            return self.answer.tariff.chunk_msat
        return 0 if self.quote is None else self.quote.chunk_msat

    def top_up_sat(self) -> int:
        """What the coins handed out now may be worth, in sat: never more than brings what is at
        stake to one chunk; 0 when no payment is due."""
        return self.credit.top_up_sat(self.chunk_msat)

    @property
    def first_msat(self) -> int:
        """What the open answer needs until its first word; 0 after that."""
        answer = self.answer
        return 0 if answer is None or answer.body else answer.tariff.first_msat

    def payment_sat(self, fee_ppk: int, held_sat: int = 0) -> int:
        """See `ClientCredit.payment_sat`."""
        credit, first = self.credit, self.first_msat
        return credit.payment_sat(self.chunk_msat, fee_ppk, first_msat=first, held_sat=held_sat)

    def room_sat(self, held_sat: int = 0) -> int:
        """See `ClientCredit.room_sat`."""
        first = self.first_msat
        return self.credit.room_sat(self.chunk_msat, first_msat=first, held_sat=held_sat)

    # -- inner workings --------------------------------------------------------------------------

    def _lose_answer(self) -> None:
        """The ghost no longer has the answer: take its credit as it is, and a gap in the chain."""
        answer = self.answer
        self.give_up()
        short = self.credit.take_shortfall()
        if answer is not None:
            self._lost = answer, short
        self._receipts.gap = True

    def _need_quote(self) -> Quote:
        if self.quote is None:
            raise ProtocolError("The session has no quote yet.")
        return self.quote


def _offer(quote: Quote, model: str) -> ModelOffer:
    offer = quote.offer(model)
    if offer is None:
        raise GhostError(
            "The ghost does not serve this model.",
            kept="Nothing was sent or paid for it.",
            hint="Choose one of the models it offers.",
        )
    return offer
