"""Opening wallets in tests: a store with a key file (fast), one or more mints, some money."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.wallet.fake_mint import URL, FakeMint
from wallet.mints import TransportFor
from wallet.store import KeyFile, Store
from wallet.wallet import Wallet

SESSION = bytes(range(32))


def ticking(start: float = 1_800_000_000.0) -> Callable[[], float]:
    """A clock that moves one second a look: order is certain, nothing waits."""
    ticks = itertools.count()
    return lambda: start + next(ticks)


async def open_store(folder: Path, name: str = "wallet") -> Store:
    return await Store.open(
        folder / f"{name}.db",
        KeyFile(folder / f"{name}.key", create=True),
        create=True,
        clock=ticking(),
    )


@asynccontextmanager
async def a_wallet(
    folder: Path,
    name: str,
    *urls: str,
    transport: httpx.AsyncBaseTransport | None = None,
    fund_sat: int = 0,
    timeout_s: float = 60.0,
    post: TransportFor | None = None,
) -> AsyncIterator[Wallet]:
    """An open wallet with these mints on its list, funded at the first."""
    store = await open_store(folder, name)
    try:
        wallet = Wallet(
            store,
            (lambda _url: transport) if transport else None,
            timeout_s=timeout_s,
            post=post,
        )
        await wallet.open()
        try:
            for url in urls:
                if url not in wallet.mints():
                    await wallet.add_mint(url)
            if fund_sat:
                await fund(wallet, urls[0], fund_sat)
            yield wallet
        finally:
            await wallet.aclose()
    finally:
        await store.aclose()


@asynccontextmanager
async def fake_wallet(
    folder: Path, name: str, mint: FakeMint, fund_sat: int = 0
) -> AsyncIterator[Wallet]:
    async with a_wallet(folder, name, URL, transport=mint, fund_sat=fund_sat) as wallet:
        yield wallet


async def fund(wallet: Wallet, url: str, amount_sat: int) -> int:
    """The test mints pay their own invoices."""
    quote = await wallet.request_mint(url, amount_sat)
    return await wallet.complete_mint(quote.quote_id, url)


async def available(wallet: Wallet) -> int:
    return sum(balance.available_sat for balance in await wallet.balances())


async def not_available(wallet: Wallet) -> int:
    return sum(b.reserved_sat + b.held_sat for b in await wallet.balances())
