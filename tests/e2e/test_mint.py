"""Another mint than the demo's own: one that pays its invoices, one that waits to be paid."""

from __future__ import annotations

import json
import subprocess

from tests.e2e.demo_process import fake_provider, run_demo, short_folder
from tests.helpers.mint import RealMint


def ask_with(mint: RealMint, *options: str) -> subprocess.CompletedProcess[str]:
    """`demo --ask` with this mint and a stand-in provider; it leaves nothing behind."""
    with fake_provider("normal") as url, short_folder() as folder:
        providing = ("--provider-url", url, "--mint", mint.url)
        done = run_demo(folder, "--ask", "Onion?", "--json", *providing, *options)
        assert list(folder.iterdir()) == []
    return done


def test_a_mint_of_the_users_own() -> None:
    with RealMint(input_fee_ppk=100) as mint:
        done = ask_with(mint)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["mint"] == mint.url
    assert result["answer"]


def test_an_unpaid_invoice_is_shown_and_not_waited_for_ever() -> None:
    with RealMint(FAKEWALLET_BRR="FALSE") as mint:
        done = ask_with(mint, "--timeout", "6")
    assert done.returncode == 7, done.stdout + done.stderr
    error = json.loads(done.stdout)["error"]
    assert "was not paid within 6 seconds" in error["message"]
    assert "--home" in error["hint"]
    assert "lnbc" in done.stderr
    assert "█" in done.stderr or "▄" in done.stderr
