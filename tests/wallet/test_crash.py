"""SIGKILL at random moments of every money move against real mints: 0 sat lost, 0 doubled.

The measurement itself is `bench.wallet_crash`; this is a shorter run of it, and the proof that its
audit would notice.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import wallet_crash_life as life
from tests.helpers.mint import REPOSITORY, RealMint

RUNS = 30
LIMIT_S = 300


@pytest.fixture
def mints(real_mint: RealMint, fee_mint: RealMint) -> list[life.Mint]:
    return [life.Mint(mint.url, mint.books) for mint in (real_mint, fee_mint)]


def test_nothing_is_lost_when_killed(mints: list[life.Mint]) -> None:
    where = [text for mint in mints for text in ("--mint", mint.url, str(mint.books))]
    done = subprocess.run(
        [sys.executable, "-m", "bench.wallet_crash", "--runs", str(RUNS), "--json", *where],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert (report["runs"], report["lost"], report["doubled"], report["stuck"]) == (RUNS, 0, 0, 0)
    assert sum(report["killed_in"].values()) == RUNS


@pytest.mark.trio
async def test_the_audit_notices(tmp_path: Path, mints: list[life.Mint]) -> None:
    """A proof that vanishes is lost; one that the mint has taken and we still count is doubled."""
    baseline = sum(life.owed_at(mint) for mint in mints)
    async with life.opened(tmp_path, mints) as pair:
        url = mints[0].url
        quote = await pair.client.request_mint(url, 64)
        await pair.client.complete_mint(quote.quote_id)
        assert await life.audit(pair, mints, baseline) == life.Audit(0, 0, 0)
        row = await pair.client_store.run(
            lambda tx: tx.row("SELECT * FROM proofs WHERE amount = 32 AND state = 'available'")
        )
        assert row is not None
        await pair.client_store.run(lambda tx: tx.proofs.delete(url, [row[0]]))
        assert await life.audit(pair, mints, baseline) == life.Audit(32, 0, 0)
        await pair.client_store.run(
            lambda tx: tx.execute(f"INSERT INTO proofs VALUES ({', '.join('?' * len(row))})", row)
        )
        token = await pair.client.send(url, 32)
        await pair.ghost.receive(token)
        spent = "UPDATE proofs SET state = 'available' WHERE state = 'sent' AND amount = 32"
        await pair.client_store.run(lambda tx: tx.execute(spent))
        assert await life.audit(pair, mints, baseline) == life.Audit(0, 32, 0)
