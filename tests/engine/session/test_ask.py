# ruff: noqa: ARG001 - virtual time is asked for by naming its fixture
"""AskSession and GhostService joined by streams that can be cut: answers, money, errors."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from engine.errors import CircuitClosed, GhostError, PaymentError, ProviderError
from engine.market.credit import Ledger
from engine.session.events import PaidOut
from engine.session.vault import SessionVault
from tests.helpers.market_fakes import FakeRedeemed, MemoryStream, ScriptedBackend
from tests.helpers.market_world import HI, MODEL, world
from wallet.errors import InsufficientFunds, MintBusy

pytestmark = pytest.mark.trio
LONG = [f"word{index} " for index in range(400)]
"""400 tokens are 40 sat at the test prices: four chunks."""


async def tick(_index: int) -> None:
    """A pause before every word of the provider."""
    await trio.sleep(0.05)


async def test_a_question_is_paid_answered_and_settled(autojump_clock: MockClock) -> None:
    async with world() as w:
        asker = w.asker()
        await asker.open(w.note)
        assert asker.credit_msat == 10_000
        result = await asker.ask(HI, MODEL, {"temperature": 0.1}, w.note)
        assert result.answer == w.text == "Hello world"
        assert (result.paid_msat, result.change_msat) == (10_000, 0)
        assert 0 < result.cost_msat <= result.quoted_msat
        assert result.credit_msat == 10_000 - result.cost_msat
        back = await asker.settle()
        assert result.change_msat == back * 1000
        rest = result.paid_msat - result.change_msat - result.cost_msat
        assert rest == result.credit_msat < 1000
        assert result.fees_msat == 0
        assert w.money == 1000
        assert w.states == ["opening", "paying", "asking", "streaming"]
        await asker.aclose()


async def test_both_sides_keep_the_same_receipts(autojump_clock: MockClock) -> None:
    async with world() as w:
        asker = w.asker()
        for _ in range(3):
            result = await asker.ask(HI, MODEL, {}, w.note)
        await trio.sleep(1)
        (client,) = w.client_store.receipts.kept.values()
        (ghost,) = w.ghost_store.receipts.kept.values()
        assert [item.raw for item in client] == [item.raw for item in ghost]
        assert [item.n for item in ghost] == [1, 2, 3]
        assert all(item.client_sig for item in ghost)
        assert result.receipts[0].n == 3
        stats = await w.ghost.stats()
        assert stats["answers"] == 3
        assert stats["total_msat"] == 3 * result.cost_msat


async def test_a_warm_question_waits_for_no_payment(autojump_clock: MockClock) -> None:
    async with world() as w:
        w.earner.delay_s = 5
        asker = w.asker()
        await asker.open()
        begun = trio.current_time()
        result = await asker.ask(HI, MODEL, {}, w.note)
        assert trio.current_time() - begun < 0.1
        assert result.answer == "Hello world"
        sent = w.streams[0].other
        assert isinstance(sent, MemoryStream)


async def test_a_cold_question_sends_question_and_payment_together(
    autojump_clock: MockClock,
) -> None:
    async with world() as w:
        result = await w.asker().ask(HI, MODEL, {}, w.note)
        assert result.answer == "Hello world"
        assert result.paid_msat == 10_000


async def test_long_answers_are_topped_up_without_a_stop(autojump_clock: MockClock) -> None:
    async with world(ScriptedBackend(LONG, usage=(20, 400), gate=tick)) as w:
        w.earner.delay_s = 1.0
        asker = w.asker()
        await asker.open()
        begun = trio.current_time()
        result = await asker.ask(HI, MODEL, {}, w.note)
        assert result.answer == "".join(LONG)
        assert trio.current_time() - begun == pytest.approx(400 * 0.05, rel=0.05)
        assert w.payer.prepared > 4
        await asker.settle()
        assert w.money == 1000
        assert not w.payer.open


async def test_never_more_than_one_chunk_at_stake(autojump_clock: MockClock) -> None:
    async with world(ScriptedBackend(LONG, usage=(20, 400))) as w:
        asker = w.asker()
        stakes: list[int] = []

        def note(_event: object) -> None:
            session = asker._session
            if session is None:
                return
            paying = session.credit.paying[1] * 1000 if session.credit.paying is not None else 0
            stakes.append(session.credit.ledger.available + paying)

        await asker.ask(HI, MODEL, {}, note)
        assert max(stakes) <= 10_000


async def test_coins_that_are_too_large_are_swapped_first(autojump_clock: MockClock) -> None:
    async with world() as w:
        w.payer.unit = 16
        asker = w.asker()
        result = await asker.ask(HI, MODEL, {}, w.note)
        await asker.settle()
        assert result.paid_msat == 10_000
        assert result.fees_msat == 0
        assert [event for event in w.events if isinstance(event, PaidOut)] == [PaidOut(10_000)]
        assert w.money == 1000


async def test_a_coin_that_is_too_large_is_never_handed_out(autojump_clock: MockClock) -> None:
    """A ghost that kept its change would have more than one chunk."""
    async with world() as w:
        w.payer.unit, w.payer.cannot_swap = 16, True
        with pytest.raises(MintBusy):
            await w.asker().ask(HI, MODEL, {}, w.note)
        assert w.earner.redeems == 0
        assert w.money == w.payer.balance_sat == 1000


async def test_empty_answers_are_free(autojump_clock: MockClock) -> None:
    async with world(ScriptedBackend([], usage=(20, 0))) as w:
        asker = w.asker()
        result = await asker.ask(HI, MODEL)
        assert (result.answer, result.cost_msat) == ("", 0)
        assert await asker.settle() == 10


@pytest.mark.parametrize("fail_at", [0, 1])
async def test_provider_failures_are_free_and_keep_their_kind(
    fail_at: int, autojump_clock: MockClock
) -> None:
    async with world(ScriptedBackend(fail_at=fail_at, kind="rate_limit")) as w:
        asker = w.asker()
        with pytest.raises(ProviderError) as caught:
            await asker.ask(HI, MODEL)
        assert caught.value.kind == "rate_limit"
        assert caught.value.retry_after_s == 3
        assert "charged" in caught.value.kept
        assert await asker.settle() == 10
        w.backend.fail_at = None
        result = await asker.ask(HI, MODEL, {}, w.note)
        assert result.answer == "Hello world"


async def test_refusals_come_before_payment_is_metered(autojump_clock: MockClock) -> None:
    async with world() as w:
        asker = w.asker()
        with pytest.raises(GhostError, match="does not serve"):
            await asker.ask(HI, "other")
        with pytest.raises(GhostError, match="does not pass on"):
            await asker.ask(HI, MODEL, {"logit_bias": {}})
        with pytest.raises(GhostError, match="role"):
            await asker.ask([{"role": "wizard", "content": "x"}], MODEL)
        assert not w.backend.requests
        assert (await w.ghost.stats())["refused"] == 2
        assert await asker.settle() == 10


async def test_an_empty_wallet_is_said_at_once(autojump_clock: MockClock) -> None:
    async with world() as w:
        w.payer.balance_sat = 3
        with pytest.raises(InsufficientFunds):
            await w.asker().open()
        with pytest.raises(InsufficientFunds):
            await w.asker().ask(HI, MODEL)
        assert w.payer.balance_sat == 3


async def test_money_that_runs_out_ends_the_answer_with_what_was_paid(
    autojump_clock: MockClock,
) -> None:
    async with world(ScriptedBackend(LONG, usage=(20, 400))) as w:
        w.payer.balance_sat = 22
        asker = w.asker()
        with pytest.raises(InsufficientFunds):
            await asker.ask(HI, MODEL, {}, w.note)
        assert len(w.text) > 700
        w.payer.balance_sat += 100
        w.backend.deltas = ["fine"]
        result = await asker.ask(HI, MODEL)
        assert result.answer == "fine"
        await asker.settle()
        assert w.money == 122


async def test_cancel_bills_what_was_delivered(autojump_clock: MockClock) -> None:
    async def gate(index: int) -> None:
        if index == 20:
            await trio.sleep_forever()

    async with world(ScriptedBackend(LONG, gate=gate)) as w:
        asker = w.asker()

        async def cancel_later() -> None:
            await trio.sleep(1)
            await asker.cancel()

        w.nursery.start_soon(cancel_later)
        result = await asker.ask(HI, MODEL, {}, w.note)
        assert result.finish_reason == "cancelled"
        assert result.answer == "".join(LONG[:20])
        assert 0 < result.cost_msat < 4000
        assert w.backend.closed == 1


async def test_a_dropped_ask_does_not_block_the_next(autojump_clock: MockClock) -> None:
    async def gate(index: int) -> None:
        if index == 20 and len(w.backend.requests) == 1:
            await trio.sleep_forever()

    async with world(ScriptedBackend(LONG[:30], gate=gate)) as w:
        asker = w.asker()
        with trio.move_on_after(1):
            await asker.ask(HI, MODEL)
        result = await asker.ask(HI, MODEL)
        assert result.answer == "".join(LONG[:30])


async def test_redeem_that_fails_for_a_while_is_tried_again(autojump_clock: MockClock) -> None:
    async with world() as w:
        w.earner.fail = 3
        asker = w.asker()
        await asker.open()
        assert asker.credit_msat == 10_000
        assert w.earner.redeems == 1


async def test_a_mint_that_stays_away_ends_with_the_money_kept(autojump_clock: MockClock) -> None:
    async with world() as w:
        w.earner.fail = 100
        asker = w.asker()
        with pytest.raises(PaymentError) as caught:
            await asker.open()
        assert caught.value.kept
        assert w.payer.resolved
        assert w.payer.balance_sat == 1000


async def test_settled_sessions_leave_nothing_in_the_vault(autojump_clock: MockClock) -> None:
    async with world() as w:
        asker = w.asker()
        await asker.open()
        vault = SessionVault(w.client_store)
        (saved,) = await vault.load_all()
        assert saved.ghost == w.identity.node_id
        assert saved.seed.hex() not in repr(saved)
        await asker.settle()
        assert await vault.load_all() == []


async def test_credit_left_by_a_killed_client_is_claimed_later(autojump_clock: MockClock) -> None:
    async with world() as w:
        asker = w.asker()
        await asker.ask(HI, MODEL)
        w.streams[-1].cut()
        (saved,) = await SessionVault(w.client_store).load_all()
        later = w.asker(saved=saved)
        assert await later.settle() == 9
        assert w.money == 1000
        assert await SessionVault(w.client_store).load_all() == []


async def test_unreachable_ghost(autojump_clock: MockClock) -> None:
    async with world() as w:
        w.on_stream = lambda client, _ghost: client.cut()
        with pytest.raises(CircuitClosed) as caught:
            await w.asker().ask(HI, MODEL)
        assert caught.value.kept
        assert caught.value.hint
        assert w.payer.balance_sat == 1000


async def test_a_payment_that_was_ready_when_the_answer_ended_does_not_hold_up_the_end(
    autojump_clock: MockClock,
) -> None:
    """The wallet is busy with the next chunk when the last word comes: whoever settles then waits
    for the wallet, not for the word of a ghost that was never paid."""
    async with world(ScriptedBackend(LONG[:90], usage=(20, 90), gate=tick)) as w:
        asker = w.asker()
        await asker.open()
        w.payer.delay_s = 2
        begun = trio.current_time()
        result = await asker.ask(HI, MODEL, {}, w.note)
        assert result.answer == "".join(LONG[:90])
        await asker.settle()
        assert trio.current_time() - begun < 30
        assert not w.payer.open
        assert w.money == 1000


async def test_a_refused_payment_is_said_again_though_the_answer_ended(
    autojump_clock: MockClock,
) -> None:
    """The ghost's mint is busy when the last word comes."""
    async with world(ScriptedBackend(LONG[:45], usage=(20, 45), gate=tick)) as w:
        asker = w.asker()
        await asker.open()
        w.earner.delay_s = 0.5
        w.earner.fail = 1
        begun = trio.current_time()
        result = await asker.ask(HI, MODEL, {}, w.note)
        assert result.answer == "".join(LONG[:45])
        await asker.settle()
        assert trio.current_time() - begun < 30
        assert not w.payer.open
        assert w.money == 1000


async def test_a_payment_that_is_not_wanted_any_more_does_not_hold_up_the_end(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said again after the answer, it is refused for good: whoever settles goes on at once."""
    async with world(ScriptedBackend(LONG[:45], usage=(20, 45), gate=tick)) as w:
        asker = w.asker()
        await asker.open()
        redeem = w.earner.redeem

        async def refuse_for_now(*args: Any) -> FakeRedeemed:
            monkeypatch.setattr(Ledger, "accepts", lambda *_args: False)
            return await redeem(*args)

        w.earner.delay_s = 0.5
        w.earner.fail = 1
        monkeypatch.setattr(w.earner, "redeem", refuse_for_now)
        await asker.ask(HI, MODEL, {}, w.note)
        begun = trio.current_time()
        await asker.settle()
        assert trio.current_time() - begun < 30
        assert not w.payer.open
        assert w.money == 1000
