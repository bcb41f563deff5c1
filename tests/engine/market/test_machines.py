"""Both session state machines against each other under random order, loss and failure.

After any history: the client never has more than one chunk at stake, the ghost never gives more
than was paid for nor reads more than a chunk ahead, both books agree at every message, answers that
fail or are empty are free, and an answer keeps its terms whatever quote comes meanwhile.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.errors import ProtocolError
from engine.identity import Identity
from engine.market import client_events as cs
from engine.market import commands as gs
from engine.market.client_credit import ClientCredit
from engine.market.client_session import ClientSession
from engine.market.ghost_answer import Phase as AnswerPhase
from engine.market.ghost_answering import QUOTE_GRACE_S
from engine.market.ghost_session import GhostSession
from engine.market.meter import Counts, Size, Tariff
from engine.market.overbilled import Overbilled
from engine.wire import session as wire
from engine.wire.quote import ModelOffer, Quote
from engine.wire.receipt import Receipt, answer_hash

MINT = "m"
KEYSET = bytes(8)
GHOST = Identity(bytes(range(32)))
CLIENT = Identity(bytes(range(32, 64)))
OFFER = ModelOffer("tiny", 50_000_000, 100_000_000, 400, 5_000_000, 80_000_000, max_hidden=30)
QUOTE = Quote(
    key=GHOST.public,
    id=bytes(16),
    models=(OFFER,),
    chunk_msat=5000,
    cap_msat=60_000,
    mints=(MINT,),
    policy=bytes(32),
    expires=2**40,
)
RENEWED = replace(
    QUOTE,
    id=bytes(15) + b"2",
    models=(ModelOffer.plain("tiny", 20_000_000, 60_000_000, 300),),
    chunk_msat=6000,
)
RAW_QUOTE = QUOTE.encode(GHOST.sign)


class Pair(RuleBasedStateMachine):
    """A client, a ghost, the bytes between them, and the ghost's books."""

    def __init__(self) -> None:
        super().__init__()
        self.client = ClientSession(
            node_id=GHOST.node_id, session=bytes(16), key=CLIENT.public, sign=CLIENT.sign
        )
        self.ghost = GhostSession(
            session=bytes(16),
            key=CLIENT.public,
            balance=0,
            chain=gs.Chain(),
            sign=GHOST.sign,
            admit=lambda _ask: gs.Admitted(1, None),
        )
        self.book = 0
        self.redeemed: set[int] = set()
        self.up: deque[wire.Message] = deque()
        self.down: deque[wire.Message] = deque()
        self.work: deque[Any] = deque()
        self.running: int | None = None
        self.produced = ""
        self.received = ""
        self.pending: wire.Pay | None = None
        self.finished: list[cs.Finished] = []
        self.connected = False
        self.known = False
        self.refused = 0
        self.quote = QUOTE
        self.ahead = 0
        self.left = False
        self.connect()

    # -- plumbing --------------------------------------------------------------------------------

    def connect(self) -> None:
        self.up.clear()
        self.down.clear()
        self.ghost.detach()
        self.ghost.attach(self.quote, self.quote.encode(GHOST.sign), resumed=self.known)
        self.left = True
        self.drain_ghost()
        while self.down:
            self.client_reads()
        self.known = True
        again = self.client.go_on()
        if again is not None:
            self.up.append(again)
        if self.pending is not None:
            self.up.append(self.pending)

    def drain_ghost(self) -> None:
        reader = wire.MessageReader(from_client=False)
        while data := self.ghost.take(256):
            self.down.extend(reader.feed(data))
        while (command := self.ghost.next_command()) is not None:
            self.work.append(command)

    def client_reads(self) -> None:
        event = self.client.receive(self.down.popleft())
        match event:
            case cs.PaymentTaken():
                self.pending = None
            case cs.PaymentRefused(code=code):
                assert code == "credit_limit"
                assert self.client.credit.paying is not None
                assert (
                    self.client.credit.ledger.balance + self.client.credit.paying[1] * 1000 > 10_000
                )
                self.refused += 1
                self.pending = None
                self.client.credit.drop()
            case cs.Text(text, _):
                self.received += text
            case cs.Finished():
                assert self.produced.startswith(self.received)
                if event.reason == "stop":
                    assert self.received == self.produced
                if not self.received:
                    assert event.cost_msat <= (QUOTE.chunk_msat if self.left else 0)
                    assert event.cost_msat == 0 or event.reason == "cancelled"
                self.finished.append(event)
                self.up.append(event.sign)
            case cs.Failed(error):
                assert error.code in ("provider_broken", "unknown_answer", "busy"), error
        self.pay()

    def pay(self) -> None:
        sat = self.client.payment_sat(0)
        if sat and self.pending is None and self.client.answer is not None:
            # One chunk at most beyond what is metered, when it is handed over. (A question that
            # fails later frees what it had metered, so credit can stand higher for a while.)
            n = self.client.credit.begin(sat)
            # Before the first word: one chunk, or what the input needs if that is more.
            answer, stake = self.client.answer, self.client.credit.stake_msat
            first = 0 if answer.body else answer.tariff.first_msat + 2000
            assert stake <= max(answer.tariff.chunk_msat, first)
            proof = wire.WireProof(sat, KEYSET, str(n), bytes(33))
            self.pending = wire.Pay(n, MINT, sat, KEYSET, (proof,), ())
            self.up.append(self.pending)

    # -- what can happen -------------------------------------------------------------------------

    @precondition(lambda self: self.client.answer is None)
    @rule(size=st.integers(20, 3000))
    def ask(self, size: int) -> None:
        self.received = self.produced = ""
        self.left = False
        self.up.append(self.client.ask("tiny", b"x" * size, 1))
        self.pay()

    @precondition(lambda self: self.up)
    @rule()
    def ghost_reads(self) -> None:
        self.ghost.receive(self.up.popleft())
        self.drain_ghost()

    @precondition(lambda self: self.down)
    @rule()
    def client_reads_one(self) -> None:
        self.client_reads()

    @precondition(lambda self: self.work)
    @rule(admitted=st.sampled_from([True, True, True, False]))
    def do_work(self, admitted: bool = True) -> None:
        command = self.work.popleft()
        match command:
            case gs.Consider(q, _, form):
                refusal = gs.Refusal("It is full.", "busy", 5)
                self.ghost.considered(q, form if admitted else refusal)
            case gs.Redeem(pay):
                if pay.n not in self.redeemed:
                    self.redeemed.add(pay.n)
                    self.book += pay.sat * 1000
                self.ghost.redeemed(pay.n, self.book, ())
            case gs.StartProvider(q, _):
                self.running = q
            case gs.StopProvider():
                self.running = None
            case gs.Commit(q, _, bill):
                assert self.book >= bill.cost
                self.book -= bill.cost
                self.ghost.committed(q, self.book)
        self.drain_ghost()

    @precondition(lambda self: self.running is not None and self.ghost.read_ahead)
    @rule(mark=st.sampled_from(["", "", "\x1er", "\x1et"]), text=st.text(min_size=1, max_size=300))
    def provider_speaks(self, mark: str, text: str) -> None:
        assert self.running is not None
        text = mark + text.encode("utf-8", "replace").decode()
        self.ahead = max(self.ahead, len(text.encode()))
        if self.ghost.answer is not None and self.ghost.answer.q == self.running:
            self.produced += text
        self.ghost.provider_text(self.running, text)
        self.drain_ghost()

    @precondition(lambda self: self.running is not None)
    @rule(usage=st.none() | st.tuples(*[st.integers(0, 5000)] * 2, *[st.integers(0, 500)] * 2))
    def provider_ends(self, usage: tuple[int, int, int, int] | None) -> None:
        assert self.running is not None
        if usage is not None:
            self.ghost.provider_usage(self.running, *usage)
        self.ghost.provider_done(self.running, "stop")
        self.running = None
        self.drain_ghost()

    @precondition(lambda self: self.running is not None)
    @rule()
    def provider_breaks(self) -> None:
        assert self.running is not None
        self.ghost.provider_failed(self.running, "provider_broken", "It broke.")
        self.running = None
        self.drain_ghost()

    @precondition(lambda self: self.client.answer is not None)
    @rule()
    def cancel(self) -> None:
        cancel = self.client.cancel()
        assert cancel is not None
        self.left = True
        self.up.append(cancel)

    @rule()
    def cut(self) -> None:
        self.connect()

    @rule(quote=st.sampled_from([QUOTE, RENEWED]))
    def cut_with_another_quote(self, quote: Quote) -> None:
        self.quote = quote
        self.connect()

    # -- what must hold --------------------------------------------------------------------------

    @invariant()
    def the_ghost_sends_nothing_unpaid(self) -> None:
        answer = self.ghost.answer
        if answer is not None and self.ghost.busy:
            assert answer.delivered_tokens == 0 or answer.due_msat <= self.ghost.ledger.balance
        assert self.book >= 0

    @invariant()
    def the_ghost_reads_no_more_than_a_chunk_ahead(self) -> None:
        """Of the provider's, beyond the event that came when there was still room."""
        answer = self.ghost.answer
        if answer is not None and answer.phase is AnswerPhase.RUNNING:
            event = answer.tariff.running_msat(self.ahead) - answer.tariff.accepted_msat
            assert answer.read_msat <= answer.due_msat + answer.tariff.chunk_msat // 2 + event

    @invariant()
    def the_books_agree_but_for_what_is_on_its_way(self) -> None:
        expected = self.client.credit.ledger.balance
        paying = self.client.credit.paying
        if paying is not None and paying[0] in self.redeemed:
            expected += paying[1] * 1000
        answer, asked = self.ghost.answer, self.client.answer
        if answer is not None and answer.phase is AnswerPhase.BILLED and answer.bill is not None:
            unseen = asked is not None and answer.q == asked.ask.q
            expected -= answer.bill.cost if unseen else 0
        assert expected == self.book

    def teardown(self) -> None:
        self.connect()
        if self.running is not None:
            self.provider_ends(None)
        for _ in range(10_000):
            if self.up:
                self.ghost_reads()
            elif self.work:
                self.do_work()
            elif self.down:
                self.client_reads()
            elif self.running is not None:
                self.provider_ends(None)
            else:
                break
        assert self.client.answer is None
        assert self.client.credit.ledger.balance == self.ghost.ledger.balance == self.book
        assert len(self.redeemed) + self.refused == self.client.credit.last_n
        spent = sum(item.cost_msat for item in self.finished)
        assert spent >= 0


TestPair = Pair.TestCase
TestPair.settings = settings(
    max_examples=80,
    stateful_step_count=50,
    deadline=None,
    report_multiple_bugs=False,
    # Shrinking a history takes minutes and the histories are short enough to read.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


# -- the parts, one by one -------------------------------------------------------------------------


def tariff(**changes: int) -> Tariff:
    values = {"chunk_msat": 5000, "cap_msat": 60_000, "body_bytes": 400, "messages": 1} | changes
    return Tariff(OFFER, **values)


def test_meter_rises_with_the_answer_and_stops_at_the_cap() -> None:
    running = [tariff().running_msat(tokens) for tokens in range(0, 1000, 10)]
    assert running == sorted(running)
    assert running[0] == tariff().accepted_msat == 2500
    assert tariff().running_msat(1) == 5000 + 100
    assert running[-1] == 60_000


def test_final_bill_is_bounded_by_what_the_client_can_check() -> None:
    found = tariff()
    size = Size(40)
    assert found.final_msat(Counts(100, 10), 10, Size(0)) == 0
    assert found.final_msat(Counts(100, 10), 10, size) == 5000 + 1000
    assert found.final_msat(Counts(10**6, 10**6), 10, size) == found.running_msat(10) + 2500
    assert found.clip_counts(Counts(10**6, 10**6), size) == Counts(464, 41)
    assert found.most_msat == min(60_000, 464 * 50 + 400 * 100)


def test_a_payment_is_due_when_half_a_chunk_is_used() -> None:
    credit = ClientCredit()
    ledger = credit.ledger
    assert credit.top_up_sat(5000) == 5
    ledger.deposit(5000)
    assert credit.top_up_sat(5000) == 0
    ledger.due = 2500
    assert credit.top_up_sat(5000) == 0
    ledger.due = 2501
    assert credit.top_up_sat(5000) == 2
    assert ledger.accepts(5, 5000)
    assert not ledger.accepts(8, 5000)
    ledger.close_answer(700)
    assert (ledger.balance, ledger.due) == (4300, 0)


def opened() -> ClientSession:
    client = ClientSession(
        node_id=GHOST.node_id, session=bytes(16), key=CLIENT.public, sign=CLIENT.sign
    )
    client.receive(wire.QuoteMsg(RAW_QUOTE))
    client.credit.begin(5)
    client.receive(wire.Paid(1, 5000, ()))
    client.ask("tiny", b"x" * 40, 1)
    return client


def test_an_answer_that_failed_waits_for_nothing() -> None:
    """Else the next question pays for what the last one wanted."""
    client = opened()
    client.receive(wire.Started(1))
    client.receive(wire.Delta(1, 0, 8, "x" * 32))
    client.receive(wire.Need(1, 3_300, 0))
    client.credit.ledger.balance = 3_000
    assert client.credit.waits
    client.receive(wire.Error(1, 0, "provider_broken", "It broke.", "", False, 0))
    assert not client.credit.waits


@pytest.mark.parametrize(
    "lie",
    [
        wire.Delta(1, 0, 9, "two"),
        wire.Delta(1, 0, 401, "x" * 500),
        wire.Need(1, 50_000, 0),
        wire.Done(1, "stop", 40 + 65, 0, 0, 0, 0, b""),
        wire.Done(1, "stop", 0, 2, 0, 0, 0, b""),
        wire.Done(1, "stop", 1, 1, 2, 0, 0, b""),
        wire.Done(1, "stop", 1, 32, 0, 31, 0, b""),
        wire.Done(1, "cancelled", 10, 0, 0, 0, 1, b""),
        wire.Done(1, "stop", 1, 1, 0, 2, 0, b""),
        wire.Done(1, "stop", 1, 1, 0, 0, 1, b""),
        wire.Settled(10, ()),
    ],
)
def test_a_ghost_that_claims_too_much_is_caught(lie: wire.Message) -> None:
    with pytest.raises(Overbilled) as caught:
        opened().receive(lie)
    assert caught.value.code == "overbilled"
    assert caught.value.kept


def test_a_ghost_that_reports_less_credit_is_caught() -> None:
    client = opened()
    client.give_up()
    with pytest.raises(Overbilled):
        client.receive(wire.Paid(0, 4999, ()))


def test_receipts_must_match_the_answer_they_bill() -> None:
    client = opened()
    client.receive(wire.Delta(1, 0, 1, "word"))
    answer = answer_hash(bytes(16), b"other")
    receipt = Receipt(client.hash, 1, bytes(32), "tiny", 10, 1, 0, 0, 600, answer, bytes(16))
    with pytest.raises(ProtocolError, match="match"):
        client.receive(wire.Done(1, "stop", 10, 1, 0, 0, 600, receipt.encode(GHOST.sign)))


# -- quotes that end -------------------------------------------------------------------------------


def serving(quote: Quote, *, balance: int = 0) -> GhostSession:
    ghost = GhostSession(
        session=bytes(16),
        key=CLIENT.public,
        balance=balance,
        chain=gs.Chain(),
        sign=GHOST.sign,
        admit=lambda _ask: gs.Admitted(1, None),
    )
    ghost.attach(quote, quote.encode(GHOST.sign), resumed=False)
    return ghost


def said(ghost: GhostSession) -> list[wire.Message]:
    return wire.MessageReader(from_client=False).feed(ghost.take(10_000))


def test_a_question_under_a_quote_that_ended_is_refused_and_free() -> None:
    ghost = serving(replace(QUOTE, expires=1000), balance=5000)
    ghost.forget_quotes(1000 + QUOTE_GRACE_S)
    ghost.receive(wire.Ask(1, "tiny", b"{}", QUOTE.id))
    *_, error = said(ghost)
    assert isinstance(error, wire.Error)
    assert (error.q, error.code) == (1, "quote_expired")
    assert ghost.next_command() is None
    ghost.receive(wire.Ask(1, "tiny", b"{}", QUOTE.id))
    assert said(ghost) == [error]


def test_a_quote_holds_a_while_after_its_end() -> None:
    ghost = serving(replace(QUOTE, expires=1000))
    ghost.forget_quotes(1000 + QUOTE_GRACE_S - 1)
    ghost.receive(wire.Ask(1, "tiny", b"{}", QUOTE.id))
    assert ghost.answer is not None


def test_an_answer_that_runs_keeps_its_terms_when_its_quote_ends() -> None:
    ghost = serving(replace(QUOTE, expires=1000), balance=5000)
    ghost.receive(wire.Ask(1, "tiny", b"x" * 40, QUOTE.id))
    ghost.forget_quotes(2000)
    ghost.attach(RENEWED, RENEWED.encode(GHOST.sign), resumed=True)
    assert ghost.answer is not None
    assert ghost.answer.tariff.offer == OFFER
    assert ghost.answer.quote_id == QUOTE.id


def test_a_question_lost_with_its_stream_is_answered_on_its_own_terms() -> None:
    ghost = serving(QUOTE)
    ghost.attach(RENEWED, RENEWED.encode(GHOST.sign), resumed=True)
    ghost.receive(wire.Ask(1, "tiny", b"{}", QUOTE.id))
    assert ghost.answer is not None
    assert ghost.answer.tariff.offer == OFFER


def test_a_question_without_a_quote_is_under_the_newest() -> None:
    ghost = serving(QUOTE)
    ghost.attach(RENEWED, RENEWED.encode(GHOST.sign), resumed=True)
    ghost.receive(wire.Ask(1, "tiny", b"{}"))
    assert ghost.answer is not None
    assert ghost.answer.quote_id == RENEWED.id


# -- leaving before the first word -----------------------------------------------------------------


@pytest.mark.parametrize(("size", "cost"), [(40, 250), (4000, 5000)])
def test_leaving_after_the_start_costs_half_the_question_and_a_chunk_at_most(
    size: int, cost: int
) -> None:
    ghost = serving(QUOTE, balance=100_000)
    ghost.receive(wire.Ask(1, "tiny", b"x" * size, QUOTE.id))
    assert isinstance(ghost.next_command(), gs.Consider)
    ghost.considered(1, gs.Admitted(1, None))
    assert isinstance(ghost.next_command(), gs.StartProvider)
    ghost.receive(wire.Cancel(1))
    assert isinstance(ghost.next_command(), gs.StopProvider)
    commit = ghost.next_command()
    assert isinstance(commit, gs.Commit)
    assert commit.bill.cost == cost


def test_leaving_before_the_start_is_free() -> None:
    ghost = serving(QUOTE)
    ghost.receive(wire.Ask(1, "tiny", b"x" * 400, QUOTE.id))
    assert isinstance(ghost.next_command(), gs.Consider)
    ghost.considered(1, gs.Admitted(1, None))
    ghost.receive(wire.Cancel(1))
    commit = ghost.next_command()
    assert isinstance(commit, gs.Commit)
    assert commit.bill.cost == 0
