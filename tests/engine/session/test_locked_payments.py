# ruff: noqa: ARG001 - virtual time is asked for by naming its fixture
"""Sessions whose payments are locked to the ghost's key, and policies that do not meet."""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

from engine.errors import GhostError
from engine.market.grade import LOTS
from engine.wire import session as wire
from tests.helpers.market_fakes import ScriptedBackend
from tests.helpers.market_world import HI, MODEL, World, world
from tests.helpers.raw_client import RawClient

pytestmark = pytest.mark.trio
WORDS = ["word "] * 300


def payments(w: World) -> list[bool]:
    """Of each redeemed payment, whether it was locked."""
    return [all(s.startswith("[") for s in key.split(",")) for key in w.earner._done]


@pytest.mark.parametrize("policy", ["when-offered", "always"])
async def test_a_whole_answer_is_paid_in_lots(autojump_clock: MockClock, policy: str) -> None:
    async with world(ScriptedBackend(WORDS)) as w:
        w.payer.lock_chunks = policy
        asker = w.asker()
        result = await asker.ask(HI, MODEL)
        assert result.answer == "".join(WORDS)
        assert len(payments(w)) > 3
        assert payments(w).count(False) <= (0 if policy == "always" else 1)
        await asker.settle()
        assert w.money == 1000


async def test_a_ghost_may_take_locked_payments_only(autojump_clock: MockClock) -> None:
    async with world(ScriptedBackend(WORDS), locked_only=True) as w:
        w.payer.lock_chunks = "when-offered"
        result = await w.asker().ask(HI, MODEL)
        assert result.answer == "".join(WORDS)
        assert all(payments(w))


async def test_the_key_is_that_of_the_quote(autojump_clock: MockClock) -> None:
    async with world(ScriptedBackend(WORDS)) as w:
        w.payer.lock_chunks = "always"
        asker = w.asker()
        await asker.open()
        quote, _ = await w.ghost.quote()
        assert {key for key, _ in w.payer.locked} == {quote.lock.hex()}
        assert len(w.payer.locked) <= LOTS


async def test_a_large_question_is_paid_by_a_lot_of_its_own(autojump_clock: MockClock) -> None:
    async with world(ScriptedBackend(["yes"])) as w:
        w.payer.lock_chunks = "always"
        question = [{"role": "user", "content": "why? " * 4000}]
        result = await w.asker().ask(question, MODEL)
        assert result.answer == "yes"
        assert all(payments(w))


@pytest.mark.parametrize(
    ("policy", "terms"), [("off", {"locked_only": True}), ("always", {"no_lock": True})]
)
async def test_policies_that_do_not_meet_cost_nothing(
    autojump_clock: MockClock, policy: str, terms: dict[str, Any]
) -> None:
    no_lock = terms.pop("no_lock", False)
    async with world(ScriptedBackend(WORDS), **terms) as w:
        if no_lock:

            async def none() -> str:
                return ""

            w.earner.lock_key = none  # type: ignore[method-assign]
        w.payer.lock_chunks = policy
        with pytest.raises(GhostError, match="locked to its key"):
            await w.asker().ask(HI, MODEL)
        assert w.payer.prepared == 0
        assert w.backend.requests == []


async def test_an_open_payment_is_refused_where_it_must_be_locked(
    autojump_clock: MockClock,
) -> None:
    async with world(ScriptedBackend(WORDS), locked_only=True) as w:
        client = RawClient(w)
        await client.connect()
        await client.pay(1, 5)
        (error,) = [m for m in await client.receive() if isinstance(m, wire.Error)]
        assert (error.n, error.code) == (1, "pay_unlocked")
        assert w.earner.redeems == 0


async def test_a_chunk_that_is_too_large_is_not_paid(autojump_clock: MockClock) -> None:
    async with world(ScriptedBackend(WORDS), chunk_msat=50_000) as w:
        w.payer.max_chunk_sat = 49
        with pytest.raises(GhostError, match="50 sat ahead"):
            await w.asker().ask(HI, MODEL)
        assert w.payer.prepared == 0
        w.payer.max_chunk_sat = 50
        assert (await w.asker().ask(HI, MODEL)).answer
