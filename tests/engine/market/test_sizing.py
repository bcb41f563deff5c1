"""What is paid at once, held against the one rule: never more than one chunk at stake, fees
included, and no answer that waits for ever."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.market.client_credit import ClientCredit
from engine.market.meter import Tariff
from engine.market.outlay import Outlay
from engine.market.sizing import (
    coins_for,
    is_payable,
    lot_sat,
    most_fee_sat,
    payment_sat,
)
from engine.wire import session as wire
from engine.wire.quote import ModelOffer

FEES = st.sampled_from((0, 1, 50, 100, 100, 300, 1000))
CHUNKS = st.one_of(st.integers(2, 70), st.integers(2, 100_000)).map(lambda sat: 1000 * sat)


@given(CHUNKS, FEES)
def test_two_lots_are_at_most_a_chunk_with_their_fee(chunk: int, ppk: int) -> None:
    lot = lot_sat(chunk, ppk)
    assert 2 * coins_for(lot, ppk) * 1000 <= chunk or lot == 0
    assert coins_for(lot + 1, ppk) > chunk // 2000
    if ppk == 0:
        assert lot == chunk // 2000


@given(CHUNKS, FEES, st.integers(0, 200_000), st.integers(0, 200_000))
def test_no_payment_is_above_its_room(chunk: int, ppk: int, room: int, needed: int) -> None:
    sat = payment_sat(room, chunk, ppk, needed_sat=needed)
    assert coins_for(sat, ppk) <= room or sat == 0
    assert sat == 0 or sat >= needed
    if not needed and sat:
        assert sat % lot_sat(chunk, ppk) == 0


@given(st.integers(2, 100_000), FEES, st.data())
def test_no_payment_within_a_chunk_carries_more_than_the_most(
    chunk_sat: int, ppk: int, data: st.DataObject
) -> None:
    sat = data.draw(st.integers(1, chunk_sat))
    if coins_for(sat, ppk) <= chunk_sat:
        assert coins_for(sat, ppk) - sat <= most_fee_sat(1000 * chunk_sat, ppk)


def test_fees_that_leave_no_room_are_known_before() -> None:
    assert is_payable(2_000, 0)
    assert is_payable(10_000, 100)
    assert not is_payable(2_000, 100)
    assert not is_payable(6_000, 100)
    assert not is_payable(16_000, 1000)
    assert is_payable(64_000, 1000)


# -- a whole session ------------------------------------------------------------------------------


class Client:
    """The credit of a client that pays by the rules as soon as it may."""

    def __init__(self, chunk: int, ppk: int) -> None:
        self.chunk = chunk
        self.ppk = ppk
        self.credit = ClientCredit()
        self.credit.fee_ppk = ppk
        self.first = 0
        """What the answer needs until its first word, before that."""

    def pay(self) -> None:
        """Everything that is due, one payment after the other."""
        for _ in range(4):
            sat = self.credit.payment_sat(self.chunk, self.ppk, first_msat=self.first)
            if not sat:
                break
            coins, dear = coins_for(sat, self.ppk), self.credit.is_dear(self.first, self.chunk)
            assert coins <= self.credit.room_sat(self.chunk, first_msat=self.first)
            n = self.credit.begin(sat, coins)
            at_ghost = self.credit.at_ghost_msat
            if dear:
                assert self.credit.stake_msat <= self.chunk or at_ghost < self.first + 1000
            else:
                assert self.credit.stake_msat <= self.chunk
            self.credit.taken(wire.Paid(n, self.credit.ledger.balance + sat * 1000, ()))
        assert not self.credit.waits, "the answer waits for ever"


def offers(chunk: int) -> st.SearchStrategy[ModelOffer]:
    dearest = chunk * 1_000_000 // 32
    return st.builds(
        lambda tin, tout: ModelOffer.plain("m", tin, tout, 10_000),
        st.integers(0, dearest),
        st.integers(1, dearest),
    )


@given(CHUNKS.filter(lambda chunk: chunk <= 1_000_000), FEES, st.data())
def test_never_more_than_a_chunk_at_stake(chunk: int, ppk: int, data: st.DataObject) -> None:
    """Questions, answers in pieces of any size, demands up to what the meter allows, bills below
    and above the meter, failures that are free: each payment keeps the stake within a chunk, or
    within what was said of a dear question, and whatever is waited for can be paid."""
    if not is_payable(chunk, ppk):
        return
    client = Client(chunk, ppk)
    credit, ledger = client.credit, client.credit.ledger
    offer = data.draw(offers(chunk))
    client.pay()
    for _ in range(data.draw(st.integers(1, 4))):
        tariff = Tariff(offer, chunk, 10**15, data.draw(st.integers(0, 400)), 1)
        ledger.due, credit.needed, client.first = 0, tariff.accepted_msat, tariff.first_msat
        client.pay()
        credit.needed = data.draw(st.integers(0, tariff.first_msat))
        client.pay()
        out = 0
        for step in data.draw(st.lists(st.integers(1, 16), max_size=30)):
            if tariff.running_msat(out + step) > ledger.balance:
                credit.needed = tariff.running_msat(out + step)
                client.pay()
            out, client.first = out + step, 0
            credit.needed, ledger.due = 0, tariff.running_msat(out)
            client.pay()
        client.first = 0
        most = tariff.running_msat(out) + chunk // 2 if out else 0
        credit.needed = data.draw(st.integers(0, most))
        client.pay()
        credit.needed = 0
        credit.close_answer(min(ledger.balance, data.draw(st.integers(0, most))))
        client.pay()


def test_what_a_payment_carries_counts_until_its_credit_is_used_up() -> None:
    outlay = Outlay()
    outlay.add(4, 6)
    outlay.change_came(1)
    outlay.add(4, 5)
    assert outlay.carried_sat(8_000) == 2
    assert outlay.carried_sat(4_001) == 2
    assert outlay.carried_sat(4_000) == 1
    assert outlay.carried_sat(0) == 0
    outlay.forget_beyond(4_000)
    assert outlay.carried_sat(8_000) == 1
    outlay.adopt(3_000, 3)
    assert outlay.carried_sat(100) == 3


@pytest.mark.parametrize("delivered", [0, 1])
def test_nothing_is_believed_to_be_needed_before_the_first_word_but_that(delivered: int) -> None:
    tariff = Tariff(ModelOffer.plain("m", 10_000_000, 100_000_000, 400), 10_000, 10**6, 400, 1)
    most = tariff.first_msat if not delivered else tariff.running_msat(1) + 5_000
    assert tariff.may_need(most, delivered, started=True)
    assert not tariff.may_need(most + 1, delivered, started=True)


def test_the_first_word_of_a_model_with_tiny_answers() -> None:
    offer = replace(ModelOffer.plain("m", 0, 100_000_000, 400), max_out=2)
    assert Tariff(offer, 10_000, 10**6, 400, 1).first_msat == 200
