# ruff: noqa: ARG001 - virtual time is asked for by naming its fixture
"""Which mint is paid with next, and in which words it is said that none can be."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from engine.errors import GhostError, PaymentError
from engine.session.spending import PASSED_OVER_S, Spending
from wallet.errors import InsufficientFunds, MintBusy, MintError, MintUnreachable, UntrustedMint

pytestmark = pytest.mark.trio
A, B = "https://a.example", "https://b.example"
CHUNK_MSAT = 10_000
REFUSED = MintError("It refused.", mint_code=1)
SHORT = InsufficientFunds("Too little.", needed_sat=9, available_sat=1)


class Wallet:
    """Fees by mint; no fee means that the mint is not known."""

    max_chunk_sat = 10

    def __init__(self, **fees: int) -> None:
        self.fees = {A: fees.get("a"), B: fees.get("b")}

    def fee_ppk(self, mint: str) -> int:
        if (fee := self.fees[mint]) is None:
            raise UntrustedMint("Unknown.")
        return fee


class Session:
    """What of a session the spending looks at."""

    chunk_msat = CHUNK_MSAT

    def __init__(self) -> None:
        self.answer: object = None
        ledger = SimpleNamespace(balance=0)
        self.credit = SimpleNamespace(fee_ppk=0, waits=True, paying=None, ledger=ledger)
        self.asked: list[tuple[int, int]] = []

    def top_up_sat(self) -> int:
        return 0

    def payment_sat(self, fee_ppk: int, held_sat: int) -> int:
        self.asked.append((fee_ppk, held_sat))
        return 5


def made(wallet: Wallet, at_stake_sat: int = 0) -> tuple[Spending, Session]:
    async def listed() -> list[str]:
        return [A, B]

    session = Session()
    fates = cast(Any, SimpleNamespace(at_stake_sat=at_stake_sat))
    return Spending(cast(Any, wallet), cast(Any, session), fates, listed), session


async def test_a_mint_that_failed_is_passed_over_for_a_while(autojump_clock: MockClock) -> None:
    spending, _ = made(Wallet(a=0, b=0))
    assert await spending.mints() == [A, B]
    spending.pass_over(A, PaymentError("No."))
    assert await spending.mints() == [B]
    await trio.sleep(PASSED_OVER_S - 1)
    assert await spending.mints() == [B]
    await trio.sleep(1)
    assert await spending.mints() == [A, B]


async def test_whoever_asks_again_after_a_failure_has_all_mints_tried(
    autojump_clock: MockClock,
) -> None:
    spending, _ = made(Wallet(a=0, b=0))
    failure = PaymentError("No.")
    spending.pass_over(A, failure)
    assert spending.why_not([]) is failure
    assert await spending.mints() == [A, B]
    assert "holds no ecash" in spending.why_not([]).message


async def test_a_mint_whose_fees_eat_the_chunk_is_left_out(autojump_clock: MockClock) -> None:
    spending, session = made(Wallet(a=5_000, b=100))
    assert await spending.mints() == [B]
    assert session.credit.fee_ppk == 100
    assert "holds no ecash" in spending.why_not([]).message
    dear, _ = made(Wallet(a=5_000, b=5_000))
    assert await dear.mints() == []
    assert "chunks are too small" in dear.why_not([]).message


async def test_a_mint_of_unknown_fees_is_tried_and_says_itself_what_is_wrong(
    autojump_clock: MockClock,
) -> None:
    spending, _ = made(Wallet())
    assert await spending.mints() == [A, B]
    with pytest.raises(UntrustedMint):
        spending.sat_at(A)


@pytest.mark.parametrize("passing", [MintUnreachable("Silent."), MintBusy("Busy.")])
async def test_what_may_pass_is_said_before_what_failed_and_what_is_short(
    passing: MintUnreachable | MintBusy,
) -> None:
    spending, _ = made(Wallet(a=0, b=0))
    failure = PaymentError("No.")
    spending.pass_over(A, failure)
    assert spending.why_not([REFUSED, SHORT, passing]) is passing
    spending.pass_over(A, failure)
    assert spending.why_not([REFUSED, SHORT]) is failure
    assert spending.why_not([SHORT, REFUSED]) is SHORT
    assert spending.why_not([REFUSED]) is REFUSED


async def test_payments_of_unknown_fate_count_as_handed_out() -> None:
    spending, session = made(Wallet(a=7), at_stake_sat=3)
    assert spending.sat_at(A) == 5
    assert session.asked == [(7, 3)]


async def test_without_room_it_is_said_what_is_waited_for() -> None:
    spending, session = made(Wallet(a=0), at_stake_sat=3)
    waits = spending.no_room()
    assert waits is not None
    assert "waits for its mint" in waits.message
    failure = PaymentError("No.")
    spending.pass_over(A, failure)
    assert spending.no_room() is failure
    session.credit.waits, session.answer = False, object()
    assert spending.no_room() is None
    full, _ = made(Wallet(a=0))
    said = full.no_room()
    assert said is not None
    assert "more than a chunk at stake" in said.message


async def test_something_is_due_while_an_answer_waits_and_no_payment_is_under_way() -> None:
    spending, session = made(Wallet(a=0))
    assert spending.due
    session.credit.paying = ("id", 5)
    assert not spending.due
    session.credit.paying, session.credit.waits = None, False
    assert not spending.due


async def test_a_long_question_is_asked_where_its_beginning_is_paid_or_allowed(
    autojump_clock: MockClock,
) -> None:
    wallet = Wallet(a=0, b=0)
    spending, session = made(wallet)
    await spending.check_first(9_000)
    with pytest.raises(GhostError, match="up to 21 sat") as caught:
        await spending.check_first(20_000)
    assert (caught.value.reason, caught.value.kept) == ("dear", "Nothing was sent or paid for it.")
    wallet.max_chunk_sat = 21
    await spending.check_first(20_000)
    wallet.max_chunk_sat, session.credit.ledger.balance = 10, 20_000
    await spending.check_first(20_000)
