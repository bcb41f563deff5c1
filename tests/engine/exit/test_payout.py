"""Payouts: how much, to whom, and exactly once wherever the process dies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.errors import ConfigError
from engine.exit.payout import Payouts
from engine.exit.settings_rules import PayoutSettings
from tests.helpers.lnurl import ADDRESS, LnurlHost, lnurl_host
from tests.helpers.mint import RealMint, mint_available
from tests.wallet.fake_mint import URL, FakeMint
from tests.wallet.support import available, fund, open_store
from wallet.store import Store
from wallet.wallet import Wallet

pytestmark = pytest.mark.trio
SETTINGS = PayoutSettings(ADDRESS, threshold_sat=500, fee_percent=20)
NOW = 1_800_000_000.0


@pytest.fixture
def host() -> Iterator[LnurlHost]:
    with lnurl_host() as running:
        yield running


@pytest.fixture
def fake_mint() -> FakeMint:
    return FakeMint()


class Life:
    """One run of a ghost's process over the same folder."""

    def __init__(self, wallet: Wallet, store: Store, settings: PayoutSettings) -> None:
        self.wallet = wallet
        self.store = store
        self.settings = settings
        self.now = NOW
        self.payouts = Payouts(wallet, store, lambda: self.settings, now=lambda: self.now)

    async def earn(self, url: str, sat: int) -> None:
        """As answers do: ecash in the wallet, and a row of what it was earned with."""
        await fund(self.wallet, url, sat)
        await self.store.earnings.add("m", 1, 1, sat * 1000)

    async def states(self) -> list[str]:
        return [row.state for row in await self.store.payouts.latest()]


@asynccontextmanager
async def life(
    folder: Path,
    host: LnurlHost,
    url: str = URL,
    mint: httpx.AsyncBaseTransport | None = None,
    settings: PayoutSettings = SETTINGS,
) -> AsyncIterator[Life]:
    store = await open_store(folder)
    try:
        wallet = Wallet(store, (lambda _url: mint) if mint else None, post=host.reach)
        await wallet.open()
        try:
            if url not in wallet.mints():
                await wallet.add_mint(url)
            yield Life(wallet, store, settings)
        finally:
            await wallet.aclose()
    finally:
        await store.aclose()


async def test_a_real_mint_pays_a_real_host(tmp_path: Path, host: LnurlHost) -> None:
    if not mint_available():
        pytest.skip("no .venv-mint: the real mint cannot be started here")
    with RealMint(input_fee_ppk=100) as mint:
        async with life(tmp_path, host, mint.url) as run:
            await run.earn(mint.url, 1_000)
            await run.payouts.tick()
            (row,) = await run.store.payouts.latest()
            assert (row.state, row.address) == ("paid", ADDRESS)
            assert 700 < row.amount_sat < 1_000
            assert await available(run.wallet) == 1_000 - row.amount_sat - row.fee_sat
            assert await run.store.payouts.total_sat() == row.amount_sat + row.fee_sat
            await run.payouts.tick()
            assert await run.states() == ["paid"]


async def test_below_the_threshold_nothing_is_asked(
    tmp_path: Path, host: LnurlHost, fake_mint: FakeMint
) -> None:
    async with life(tmp_path, host, mint=fake_mint) as run:
        await run.earn(URL, 90)
        await run.payouts.tick()
        assert (await run.states(), host.asked) == ([], [])


async def test_only_what_was_earned_goes(
    tmp_path: Path, host: LnurlHost, fake_mint: FakeMint
) -> None:
    async with life(tmp_path, host, mint=fake_mint) as run:
        await fund(run.wallet, URL, 4_000)  # the owner's own
        await run.earn(URL, 700)
        await run.payouts.tick()
        (row,) = await run.store.payouts.latest()
        assert row.state == "paid"
        assert row.amount_sat + row.fee_sat <= 700
        assert await available(run.wallet) >= 4_000


async def test_by_hand_no_more_than_was_earned_goes_either(
    tmp_path: Path, host: LnurlHost, fake_mint: FakeMint
) -> None:
    async with life(tmp_path, host, mint=fake_mint) as run:
        await fund(run.wallet, URL, 4_000)  # the owner's own
        await run.earn(URL, 700)
        with pytest.raises(ConfigError, match="nothing to pay out") as caught:
            await run.payouts.pay(amount_sat=1_000)
        assert "Your own ecash" in caught.value.hint
        assert (await run.states(), host.asked) == ([], [])
        (row,) = await run.payouts.pay(amount_sat=400)
        assert row.state == "paid"


async def test_what_clients_prepaid_stays(
    tmp_path: Path, host: LnurlHost, fake_mint: FakeMint
) -> None:
    async with life(tmp_path, host, mint=fake_mint) as run:
        await run.earn(URL, 500)
        await run.store.run(lambda tx: tx.credits.add(bytes(32), 450_000))
        await run.payouts.tick()
        assert await run.states() == []


async def test_a_day_has_a_most(tmp_path: Path, host: LnurlHost, fake_mint: FakeMint) -> None:
    async with life(tmp_path, host, mint=fake_mint) as run:
        run.settings = replace(SETTINGS, most_per_day_sat=500)
        await run.earn(URL, 1_000)
        assert (await run.payouts.pay(amount_sat=300))[0].state == "paid"
        with pytest.raises(ConfigError, match="nothing to pay out"):
            await run.payouts.pay(amount_sat=300)
        run.now += 86_400
        assert (await run.payouts.pay(amount_sat=300))[0].state == "paid"


async def test_a_dear_fee_is_not_paid(tmp_path: Path, host: LnurlHost, fake_mint: FakeMint) -> None:
    async with life(tmp_path, host, mint=fake_mint) as run:
        run.settings = replace(SETTINGS, fee_percent=0)
        await run.earn(URL, 1_000)
        (row,) = await run.payouts.pay(amount_sat=300)
        assert row.state == "failed"
        assert "fee" in row.error
        assert await available(run.wallet) == 1_000


async def test_after_a_failure_it_waits(
    tmp_path: Path, host: LnurlHost, fake_mint: FakeMint
) -> None:
    async with life(tmp_path, host, mint=fake_mint) as run:
        fake_mint.melt_state = "UNPAID"
        await run.earn(URL, 1_000)
        await run.payouts.tick()
        assert await run.states() == ["failed"]
        fake_mint.melt_state = "PAID"
        await run.payouts.tick()
        assert await run.states() == ["failed"]
        run.now = (await run.store.payouts.latest())[0].updated + 4_000
        await run.payouts.tick()
        assert await run.states() == ["paid", "failed"]


async def test_a_payment_that_hangs_is_followed(
    tmp_path: Path, host: LnurlHost, fake_mint: FakeMint
) -> None:
    async with life(tmp_path, host, mint=fake_mint) as run:
        fake_mint.melt_state = "PENDING"
        await run.earn(URL, 1_000)
        await run.payouts.tick()
        assert await run.states() == ["quoted"]
        run.now += 10_000
        await run.payouts.tick()
        assert (await run.states(), len(fake_mint.melts)) == (["quoted"], 1)
        fake_mint.decide("m0", paid=True)
        await run.payouts.tick()
        assert (await run.states(), len(fake_mint.melts)) == (["paid"], 1)


async def test_without_an_address(tmp_path: Path, host: LnurlHost, fake_mint: FakeMint) -> None:
    async with life(tmp_path, host, mint=fake_mint, settings=PayoutSettings()) as run:
        await run.earn(URL, 100_000)
        await run.payouts.tick()
        assert await run.states() == []
        with pytest.raises(ConfigError, match="no Lightning address"):
            await run.payouts.pay()


class Killed(BaseException):
    """The process dies here."""


def dying(work: Callable[..., Any], *, before: bool) -> Callable[..., Any]:
    async def die(*args: Any, **more: Any) -> Any:
        if not before:
            await work(*args, **more)
        raise Killed

    return die


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("place", ["plan", "melt_quote", "quoted", "melt", "paid"])
async def test_it_is_paid_once_wherever_the_process_dies(
    place: str, before: bool, tmp_path: Path, host: LnurlHost, fake_mint: FakeMint
) -> None:
    async with life(tmp_path, host, mint=fake_mint) as run:
        await run.earn(URL, 1_000)
        part: Any = run.wallet if place in ("melt", "melt_quote") else run.store.payouts
        setattr(part, place, dying(getattr(part, place), before=before))
        with pytest.raises(Killed):
            await run.payouts.tick()
    for _ in range(3):
        async with life(tmp_path, host, mint=fake_mint) as run:
            run.now += 10_000
            await run.wallet.recover()
            await run.payouts.tick()
    async with life(tmp_path, host, mint=fake_mint) as run:
        assert (await run.states()).count("paid") == 1
        assert not await run.store.payouts.open()
        paid = [melt for melt in fake_mint.melts.values() if melt["state"] == "PAID"]
        assert len(paid) == 1
        left = await available(run.wallet)
        (row,) = [r for r in await run.store.payouts.latest() if r.state == "paid"]
        assert left == 1_000 - row.amount_sat - row.fee_sat
