"""Payments side by side out of one large coin: who comes while it is being swapped waits for it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.helpers.mint import RealMint
from tests.wallet.test_market import market
from wallet.ecash import amounts
from wallet.errors import InsufficientFunds
from wallet.underway import WAIT_S, UnderWay

pytestmark = pytest.mark.trio


class Purse:
    """Nothing is available until `fill`."""

    def __init__(self, reserved: int = 100) -> None:
        self.available = 0
        self.reserved = reserved
        self.asked = 0

    async def take(self) -> str:
        self.asked += 1
        if self.available < 8:
            raise InsufficientFunds(
                "No.", needed_sat=8, available_sat=self.available, reserved_sat=self.reserved
            )
        return "coins"


async def test_coins_are_waited_for_while_somebody_has_them() -> None:
    under_way, purse, got = UnderWay(), Purse(), list[str]()

    async def pay() -> None:
        got.append(await under_way.coins_for(purse.take))

    async with trio.open_nursery() as nursery:
        with under_way.one():
            nursery.start_soon(pay)
            await trio.testing.wait_all_tasks_blocked()
            assert (purse.asked, got) == (1, [])
            purse.available = 100
    assert got == ["coins"]


async def test_nothing_is_waited_for_in_vain() -> None:
    under_way = UnderWay()
    with pytest.raises(InsufficientFunds):
        await under_way.coins_for(Purse().take)  # they are with others, not on their way back
    with under_way.one(), pytest.raises(InsufficientFunds):
        await under_way.coins_for(Purse(reserved=7).take)  # even all of it is too little


async def test_the_wait_has_an_end(autojump_clock: trio.testing.MockClock) -> None:
    under_way, begun = UnderWay(), autojump_clock.current_time()
    with under_way.one(), pytest.raises(InsufficientFunds):
        await under_way.coins_for(Purse().take)
    assert math.isclose(autojump_clock.current_time() - begun, WAIT_S)


async def test_many_sessions_are_paid_out_of_one_coin(
    tmp_path: Path, real_mint: RealMint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amounts, "WANTED_EACH", 0)
    async with market(tmp_path, real_mint.url, 1024, 0) as m:
        paid: list[int] = []

        async def pay() -> None:
            await m.client.keep_exact(m.url, 8, 4, 1)
            paid.append((await m.client.pay_prepare(m.url, 8)).amount_sat)

        async with trio.open_nursery() as nursery:
            for _ in range(12):
                nursery.start_soon(pay)
        assert paid == [8] * 12
