"""Both session state machines against each other under random order, loss and failure.

After any history: the client never has more than one chunk at stake, the ghost never gives more
than was paid for, both ledgers agree when everything is delivered, free answers are free.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.errors import ProtocolError
from engine.identity import Identity
from engine.market import client_events as cs
from engine.market import commands as gs
from engine.market.client_session import ClientSession, Overbilled
from engine.market.credit import Ledger
from engine.market.ghost_session import GhostSession
from engine.market.meter import Counts, Size, Tariff
from engine.wire import session as wire
from engine.wire.quote import ModelOffer, Quote
from engine.wire.receipt import Receipt, answer_hash

MINT = "m"
KEYSET = bytes(8)
GHOST = Identity(bytes(range(32)))
CLIENT = Identity(bytes(range(32, 64)))
OFFER = ModelOffer.plain("tiny", 50_000_000, 100_000_000, 400)
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
        self.connect()

    # -- plumbing --------------------------------------------------------------------------------

    def connect(self) -> None:
        self.up.clear()
        self.down.clear()
        self.ghost.detach()
        self.ghost.attach(QUOTE, RAW_QUOTE, resumed=self.known)
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
                assert self.client.paying is not None
                assert self.client.ledger.balance + self.client.paying[1] * 1000 > 10_000
                self.refused += 1
                self.pending = None
                self.client.drop_payment()
            case cs.Text(text, _):
                self.received += text
            case cs.Finished():
                assert self.produced.startswith(self.received)
                if event.reason == "stop":
                    assert self.received == self.produced
                if not self.received:
                    assert event.cost_msat == 0
                self.finished.append(event)
                self.up.append(event.sign)
            case cs.Failed(error):
                assert error.code in ("provider_broken", "unknown_answer", "busy"), error
        self.pay()

    def pay(self) -> None:
        sat = self.client.top_up_sat()
        if sat and self.pending is None and self.client.answer is not None:
            # One chunk at most beyond what is metered, when it is handed over. (A question that
            # fails later frees what it had metered, so credit can stand higher for a while.)
            before = self.client.ledger.available
            assert before + sat * 1000 <= QUOTE.chunk_msat
            n = self.client.begin_payment(sat)
            proof = wire.WireProof(sat, KEYSET, str(n), bytes(33))
            self.pending = wire.Pay(n, MINT, sat, KEYSET, (proof,), ())
            self.up.append(self.pending)

    # -- what can happen -------------------------------------------------------------------------

    @precondition(lambda self: self.client.answer is None)
    @rule(size=st.integers(20, 3000))
    def ask(self, size: int) -> None:
        self.received = self.produced = ""
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
    @rule(text=st.text(min_size=1, max_size=300))
    def provider_speaks(self, text: str) -> None:
        assert self.running is not None
        text = text.encode("utf-8", "replace").decode()
        if self.ghost.answer is not None and self.ghost.answer.q == self.running:
            self.produced += text
        self.ghost.provider_text(self.running, text)
        self.drain_ghost()

    @precondition(lambda self: self.running is not None)
    @rule(usage=st.none() | st.tuples(st.integers(0, 5000), st.integers(0, 5000)))
    def provider_ends(self, usage: tuple[int, int] | None) -> None:
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
        self.up.append(cancel)

    @rule()
    def cut(self) -> None:
        self.connect()

    # -- what must hold --------------------------------------------------------------------------

    @invariant()
    def the_ghost_sends_nothing_unpaid(self) -> None:
        answer = self.ghost.answer
        if answer is not None and self.ghost.busy:
            assert answer.delivered_tokens == 0 or answer.due_msat <= self.ghost.ledger.balance
        assert self.book >= 0

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
        assert self.client.ledger.balance == self.ghost.ledger.balance == self.book
        assert len(self.redeemed) + self.refused == self.client._last_n
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


def test_ledger_top_up_keeps_one_chunk() -> None:
    ledger = Ledger()
    assert ledger.top_up_sat(5000) == 5
    ledger.deposit(5000)
    assert ledger.top_up_sat(5000) == 0
    ledger.due = 2500
    assert ledger.top_up_sat(5000) == 0
    ledger.due = 2501
    assert ledger.top_up_sat(5000) == 2
    assert ledger.accepts(5, 5000)
    assert not ledger.accepts(8, 5000)
    ledger.close_answer(700)
    assert (ledger.balance, ledger.due) == (4300, 0)


def opened() -> ClientSession:
    client = ClientSession(
        node_id=GHOST.node_id, session=bytes(16), key=CLIENT.public, sign=CLIENT.sign
    )
    client.receive(wire.QuoteMsg(RAW_QUOTE))
    client.begin_payment(5)
    client.receive(wire.Paid(1, 5000, ()))
    client.ask("tiny", b"x" * 40, 1)
    return client


@pytest.mark.parametrize(
    "lie",
    [
        wire.Delta(1, 0, 9, "two"),
        wire.Delta(1, 0, 401, "x" * 500),
        wire.Need(1, 50_000, 0),
        wire.Done(1, "stop", 40 + 65, 0, 0, 0, 0, b""),
        wire.Done(1, "stop", 0, 2, 0, 0, 0, b""),
        wire.Done(1, "stop", 1, 1, 2, 0, 0, b""),
        wire.Done(1, "stop", 1, 1, 0, 1, 0, b""),
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
