# ruff: noqa: ARG001 - virtual time is asked for by naming its fixture
"""Mints that fail in the middle of an answer: another one pays, and nothing is paid for twice."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from engine.errors import PaymentError
from tests.helpers.market_fakes import MINT, FakePayment, ScriptedBackend
from tests.helpers.market_world import HI, MODEL, World, world
from wallet.errors import InsufficientFunds, MintBusy, MintUnreachable

pytestmark = pytest.mark.trio
OTHER = "https://other.example"
THIRD = "https://third.example"
LONG = [f"word{index} " for index in range(250)]


def two_mints(w: World) -> None:
    w.payer.mints = [MINT, OTHER]


async def test_another_mint_pays_when_the_ghost_cannot_reach_the_first(
    autojump_clock: MockClock,
) -> None:
    """The first payment's ecash is back before the second is made, and one is taken."""
    async with world(mints=(MINT, OTHER)) as w:
        two_mints(w)
        w.earner.cannot_reach = {MINT}
        asker = w.asker()
        await asker.open()
        assert w.earner.redeemed_at == [OTHER]
        assert asker.credit_msat == 10_000
        assert not w.payer.open
        assert w.money == 1000


async def test_a_mint_that_dies_midway_is_passed_over_for_the_rest_of_the_answer(
    autojump_clock: MockClock,
) -> None:
    async def gate(index: int) -> None:
        await trio.sleep(0.01)
        if index == 120:
            w.earner.cannot_reach = {MINT}

    async with world(ScriptedBackend(LONG, usage=(20, 250), gate=gate), mints=(MINT, OTHER)) as w:
        two_mints(w)
        asker = w.asker()
        assert (await asker.ask(HI, MODEL, {}, w.note)).answer == "".join(LONG)
        switch = w.earner.redeemed_at.index(OTHER)
        assert set(w.earner.redeemed_at[:switch]) == {MINT}
        assert set(w.earner.redeemed_at[switch:]) == {OTHER}
        assert len(w.payer.resolved) == 1, "the first mint is not tried with every chunk"
        await asker.settle()
        assert w.money == 1000


async def test_a_payment_of_unknown_fate_counts_as_handed_out(autojump_clock: MockClock) -> None:
    """The mint is silent to the ghost and to us: no second chunk is put at stake beside the first.
    Once the mint speaks again its ecash is back, and the other mint is paid with."""
    async with world(mints=(MINT, OTHER)) as w:
        two_mints(w)
        w.earner.cannot_reach = w.payer.silent = {MINT}
        asker = w.asker()
        with pytest.raises(PaymentError) as caught:
            await asker.open()
        assert "journal" in caught.value.kept
        (waiting,) = w.payer.open.values()
        assert waiting.mint == MINT
        assert w.money == 1000
        w.payer.silent = set()
        await asker.open()
        assert w.earner.redeemed_at == [OTHER]
        assert not w.payer.open
        assert asker.credit_msat == 10_000
        assert w.money == 1000


async def test_silent_mints_do_not_take_one_payment_after_the_other(
    autojump_clock: MockClock,
) -> None:
    """A ghost that says of every mint that it is silent gets no second chunk."""
    async with world(mints=(MINT, OTHER, THIRD)) as w:
        w.payer.mints = [MINT, OTHER, THIRD]
        w.earner.cannot_reach = w.payer.silent = {MINT, OTHER}
        with pytest.raises(PaymentError) as caught:
            await w.asker().open()
        assert "journal" in caught.value.kept
        assert sum(payment.amount_sat for payment in w.payer.open.values()) == 10
        assert w.earner.redeemed_at == []
        assert w.money == 1000


async def test_a_ghost_that_took_the_ecash_and_denies_it_is_not_paid_again(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(mints=(MINT, OTHER)) as w:
        two_mints(w)
        redeem = w.earner.redeem

        async def take_and_deny(*args: object, **options: object) -> None:
            await redeem(*args, **options)  # type: ignore[arg-type]
            raise MintUnreachable("The mint did not answer.")

        monkeypatch.setattr(w.earner, "redeem", take_and_deny)
        with pytest.raises(PaymentError) as caught:
            await w.asker().open()
        assert "spent" in caught.value.kept
        assert w.payer.prepared == 1


async def test_a_payment_that_the_mint_holds_is_not_made_again(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(mints=(MINT, OTHER)) as w:
        two_mints(w)
        w.earner.cannot_reach = {MINT}

        async def held(payment_id: str) -> None:
            raise MintBusy("The mint holds it.")

        monkeypatch.setattr(w.payer, "pay_resolve", held)
        with pytest.raises(PaymentError):
            await w.asker().open()
        assert w.payer.prepared == 1


async def test_too_little_at_one_mint_is_paid_from_another(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(mints=(MINT, OTHER)) as w:
        two_mints(w)
        prepare = w.payer.pay_prepare

        async def poor(url: str, amount_sat: int, purpose: str = "chunk") -> FakePayment:
            if url == MINT:
                raise InsufficientFunds("Not enough.", needed_sat=amount_sat, available_sat=1)
            return await prepare(url, amount_sat, purpose)

        monkeypatch.setattr(w.payer, "pay_prepare", poor)
        await w.asker().open()
        assert w.earner.redeemed_at == [OTHER]


async def test_the_error_speaks_of_the_mint_that_failed(autojump_clock: MockClock) -> None:
    """Another mint that holds nothing does not hide why the one with the money was not taken; and
    whoever asks again has it tried again."""
    async with world(mints=(MINT, OTHER)) as w:
        w.earner.cannot_reach = {MINT}
        asker = w.asker()
        with pytest.raises(PaymentError, match="mint_unreachable"):
            await asker.open()
        w.earner.cannot_reach = set()
        await asker.open()
        assert w.earner.redeemed_at == [MINT]
        assert w.money == 1000
