"""Peers that give back less than is due, or name outputs that were signed before: nothing of ours
is lost by it, and nothing stays open for ever. Found by the market simulation (bench.market)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.wallet.fake_mint import URL, FakeMint
from tests.wallet.support import SESSION, available, fake_wallet, not_available
from wallet.ecash import amounts
from wallet.errors import PaymentInvalid, WalletError
from wallet.wallet import Wallet

pytestmark = [pytest.mark.trio, pytest.mark.usefixtures("large_coins", "quick")]


@pytest.fixture
def large_coins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wallet that keeps no small coins, so that payments need change."""
    monkeypatch.setattr(amounts, "WANTED_EACH", 0)


@asynccontextmanager
async def two(folder: Path, mint: FakeMint) -> AsyncIterator[tuple[Wallet, Wallet]]:
    async with (
        fake_wallet(folder, "client", mint, 64) as client,
        fake_wallet(folder, "ghost", mint, 32) as ghost,
    ):
        yield client, ghost


async def test_change_that_the_ghost_holds_back_is_asked_of_the_mint(
    tmp_path: Path, fake_mint: FakeMint
) -> None:
    async with two(tmp_path, fake_mint) as (client, ghost):
        paid = await client.pay_prepare(URL, 10)
        assert paid.change_due_sat == 54
        took = await ghost.redeem(URL, paid.proofs, 10, paid.outputs, SESSION)
        assert await client.pay_settle(paid.id, took.change[:-1]) == 54
        assert await available(client) == 54
        assert await available(client) + await available(ghost) == fake_mint.outstanding


async def test_a_payment_that_the_mint_has_not_seen_is_not_booked_as_taken(
    tmp_path: Path, fake_mint: FakeMint
) -> None:
    async with two(tmp_path, fake_mint) as (client, _):
        paid = await client.pay_prepare(URL, 10)
        with pytest.raises(PaymentInvalid):
            await client.pay_settle(paid.id, [])
        assert (await client.pay_resolve(paid.id)).state == "reclaimed"
        assert await available(client) == 64


async def test_a_payment_spent_between_two_looks_still_brings_its_change(
    tmp_path: Path, fake_mint: FakeMint
) -> None:
    async with two(tmp_path, fake_mint) as (client, ghost):
        paid = await client.pay_prepare(URL, 10)
        swapped: list[int] = []

        def swap_at_the_second_look(path: str) -> None:
            if path == "/v1/restore" and not swapped:
                swapped.append(1)
                outputs = [
                    {"amount": amount, "id": paid.keyset_id, "B_": blank.hex()}
                    for amount, blank in zip((2, 4, 16, 32), paid.outputs, strict=False)
                ]
                late.append(outputs)

        late: list[list[dict[str, object]]] = []
        fake_mint.before = swap_at_the_second_look
        # The first look finds nothing; the ghost's swap arrives before the coins are taken back.
        states = fake_mint._states

        def states_after_the_ghost(body: dict[str, object]) -> dict[str, object]:
            if late:
                outputs = late.pop()
                own = ghost_outputs(paid.keyset_id)
                inputs = [
                    {"amount": p.amount, "id": p.id, "secret": p.secret, "C": p.C.hex()}
                    for p in paid.proofs
                ]
                fake_mint._swap({"inputs": inputs, "outputs": [*outputs, *own]})
            return states(body)

        fake_mint._states = states_after_the_ghost  # type: ignore[method-assign]
        outcome = await client.pay_resolve(paid.id)
        assert (outcome.state, outcome.change_sat) == ("spent", 54)
        assert await available(client) == 54
        assert await available(ghost) == 32


def ghost_outputs(keyset_id: str) -> list[dict[str, object]]:
    from wallet.ecash.deterministic import Seed

    seed = Seed(bytes(64))
    return [
        {"amount": amount, "id": keyset_id, "B_": seed.output(keyset_id, n, amount).B_.hex()}
        for n, amount in enumerate((2, 8))
    ]


async def test_coins_that_another_ghost_took_leave_nothing_open(
    tmp_path: Path, fake_mint: FakeMint
) -> None:
    """The same payment to two ghosts: the second finds the change signed, its own part not."""
    async with (
        two(tmp_path, fake_mint) as (client, ghost),
        fake_wallet(tmp_path, "other", fake_mint) as other,
    ):
        paid = await client.pay_prepare(URL, 10)
        took = await ghost.redeem(URL, paid.proofs, 10, paid.outputs, SESSION)
        with pytest.raises(WalletError):
            await other.redeem(URL, paid.proofs, 10, paid.outputs, SESSION)
        assert await other.open_operations() == 0
        assert await client.pay_settle(paid.id, took.change) == 54


async def test_outputs_that_were_signed_before_leave_nothing_open(
    tmp_path: Path, fake_mint: FakeMint
) -> None:
    async with two(tmp_path, fake_mint) as (client, ghost):
        first = await client.pay_prepare(URL, 10)
        took = await ghost.redeem(URL, first.proofs, 10, first.outputs, SESSION)
        await client.pay_settle(first.id, took.change)
        second = await client.pay_prepare(URL, 3)
        with pytest.raises(WalletError):
            await ghost.redeem(URL, second.proofs, 3, first.outputs, SESSION)
        await ghost.recover()
        assert await ghost.open_operations() == 0
        slot = await client.refund_outputs(URL, 5)
        await client.refund_settle(slot.id, await ghost.refund(URL, 5, slot.outputs, SESSION))
        again = [*slot.outputs, first.outputs[-1]]
        with pytest.raises(WalletError):
            await ghost.refund(URL, 5, again, SESSION)
        await ghost.recover()
        assert await ghost.open_operations() == 0
        assert await not_available(ghost) == 0
        assert (await client.pay_resolve(second.id)).state == "reclaimed"
        assert await available(client) + await available(ghost) == fake_mint.outstanding
