"""SIGKILL at random moments of a process that moves money against the real mint: 0 sat lost.

What must be there is computed from the mint's own answers: what it issued on our invoices, less
what it paid out for us.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from tests.helpers.mint import REPOSITORY, RealMint
from tests.wallet.support import SESSION, a_wallet, available, not_available
from wallet.errors import WalletError
from wallet.wallet import Wallet

pytestmark = pytest.mark.trio
KILLS = 10
LONGEST_S = 0.9
LIGHTNING_FEE_SAT = 1  # what the test mint's fake backend always takes


async def run_and_kill(folder: Path, urls: list[str], seed: int, after_s: float) -> list[str]:
    """One life of the worker; the moves it finished."""
    command = [sys.executable, "-m", "tests.wallet.crash_worker", str(folder), *urls, str(seed)]
    with (folder / f"worker{seed}.err").open("wb") as errors:
        worker = subprocess.Popen(
            command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    with worker:
        assert worker.stdout is not None
        try:
            first = await trio.to_thread.run_sync(worker.stdout.readline)
            assert first == "ready\n", (folder / f"worker{seed}.err").read_text()
            await trio.sleep(after_s)
        finally:
            os.kill(worker.pid, signal.SIGKILL)
        lines = worker.stdout.read().split("\n")
    assert (folder / f"worker{seed}.err").read_text() == ""
    return lines


async def expected_sat(wallet: Wallet, url: str) -> int:
    """Issued to us by the mint at `url`, less what it paid on our invoices."""
    mints, melts = await wallet._store.run(
        lambda tx: (
            tx.rows("SELECT quote_id, amount FROM mint_quotes WHERE mint = ?", (url,)),
            tx.rows("SELECT quote_id, amount FROM melt_quotes WHERE mint = ?", (url,)),
        )
    )
    total = 0
    for quote_id, amount in mints:
        await wallet.complete_mint(quote_id)
        total += amount
    for quote_id, amount in melts:
        state = (await wallet._mints.client(url).melt_quote(quote_id)).state
        assert state in ("PAID", "UNPAID")
        total -= amount + LIGHTNING_FEE_SAT if state == "PAID" else 0
    return int(total)


async def test_nothing_is_lost_when_killed(
    tmp_path: Path, real_mint: RealMint, fee_mint: RealMint
) -> None:
    url, urls = real_mint.url, [real_mint.url, fee_mint.url]
    rng = random.Random(2026)
    moves: list[str] = []
    for seed in range(KILLS):
        moves += await run_and_kill(tmp_path, urls, seed, rng.uniform(0.05, LONGEST_S))
    assert moves.count("token") + moves.count("pay") > 0

    async with a_wallet(tmp_path, "client") as client, a_wallet(tmp_path, "ghost") as ghost:
        for wallet in (client, ghost, client, ghost):
            await wallet.recover()
        for sent in await client.sent_tokens(10_000):
            with suppress(WalletError):  # most were redeemed by the worker itself
                await client.receive(sent.token)
        expected = await expected_sat(client, url)
        assert await available(client) + await available(ghost) == expected
        assert (await not_available(client), await not_available(ghost)) == (0, 0)
        credit = await ghost._store.credits.get(SESSION)
        assert credit == 1000 * await available(ghost)
