# ruff: noqa: ARG001 - virtual time is asked for by naming its fixture
"""What a client puts at stake with a ghost: never more than a chunk, and what its user allows for
the beginning of a question that is dearer.

The whole market under attack: `tests/test_market_bench.py`.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from trio.testing import MockClock

from engine.errors import GhostError, PaymentError
from engine.market.outlay import Outlay
from engine.market.seams import PayingWallet, Payment
from engine.session.fates import Fate, Fates
from tests.helpers.market_fakes import ScriptedBackend
from tests.helpers.market_world import HI, MODEL, world

pytestmark = pytest.mark.trio
DEAR = [{"role": "user", "content": "x" * 4_000}]
"""Its input is 10 sat, as much as a chunk of this ghost."""


async def test_a_question_dearer_than_the_user_allows_is_not_asked(
    autojump_clock: MockClock,
) -> None:
    async with world() as w:
        w.payer.max_chunk_sat = 10
        with pytest.raises(GhostError) as caught:
            await w.asker().ask(DEAR, MODEL)
        assert caught.value.reason == "dear"
        assert "up to 13 sat" in caught.value.message
        assert "Nothing was sent or paid" in caught.value.kept
        assert not w.backend.requests
        assert w.payer.prepared == 0
        w.payer.max_chunk_sat = 13
        assert (await w.asker().ask(DEAR, MODEL)).answer == "Hello world"


async def test_a_mint_whose_fee_does_not_fit_is_not_paid_with(autojump_clock: MockClock) -> None:
    """A chunk of 10 sat has room for three fees of a sat beside what an answer waits for."""
    async with world() as w:
        w.payer.fees = 1_000
        with pytest.raises(PaymentError, match="chunks are too small"):
            await w.asker().ask(HI, MODEL)
        assert w.payer.prepared == 0
        w.payer.fees = 100
        assert (await w.asker().ask(HI, MODEL)).answer == "Hello world"


async def test_lots_leave_room_for_their_fee(autojump_clock: MockClock) -> None:
    async with world(ScriptedBackend(["word "] * 200)) as w:
        w.payer.fees = 100
        sizes: list[int] = []
        prepare = w.payer.pay_prepare

        async def noted(url: str, amount_sat: int, purpose: str = "chunk") -> Any:
            sizes.append(amount_sat)
            return await prepare(url, amount_sat, purpose)

        w.payer.pay_prepare = noted  # type: ignore[method-assign]
        await w.asker().ask(HI, MODEL)
        assert sizes[0] == 8  # two coins' worth of 5, a sat of each for the mint
        assert set(sizes) == {4, 8}


async def test_what_a_ghost_says_is_left_is_settled_too(autojump_clock: MockClock) -> None:
    """Only it knows that an answer cost less than was believed."""
    async with world() as w:
        asker = w.asker()
        await asker.ask(HI, MODEL)
        for session in w.ghost_store.credits.book:
            w.ghost_store.credits.book[session] += 5_000
        w.earner.balance_sat += 5
        before = w.payer.balance_sat
        back = await asker.settle()
        assert w.payer.balance_sat - before == back == 9 + 5
        assert not w.payer.slots


async def test_what_taking_back_costs_is_gone(autojump_clock: MockClock) -> None:
    """A ghost that refuses payments makes their mint's fee a loss: it counts from then on."""

    async def resolve(_payment_id: str) -> Any:
        return SimpleNamespace(state="reclaimed", returned_sat=4)

    fates = Fates(cast(PayingWallet, SimpleNamespace(pay_resolve=resolve)))
    payment = cast(Payment, SimpleNamespace(id="p", total_sat=5))
    assert await fates.of(payment) is Fate.BACK
    assert await fates.of(payment) is Fate.BACK
    assert fates.lost_sat == 2
    outlay = Outlay()
    outlay.lost_sat = fates.lost_sat
    assert outlay.carried_sat(0) == 2
