"""Another mint than the demo's own: one that pays its invoices, one that waits to be paid."""

from __future__ import annotations

import json

from tests.e2e.demo_process import run_demo, short_folder
from tests.helpers.mint import RealMint


def test_a_mint_of_the_users_own() -> None:
    with RealMint(input_fee_ppk=100) as mint, short_folder() as folder:
        done = run_demo(folder, "--ask", "Onion?", "--json", "--mint", mint.url)
        assert list(folder.iterdir()) == []
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["mint"] == mint.url
    assert result["answer"]


def test_an_unpaid_invoice_is_shown_and_not_waited_for_ever() -> None:
    with RealMint(FAKEWALLET_BRR="FALSE") as mint, short_folder() as folder:
        done = run_demo(
            *(folder, "--ask", "Onion?", "--json", "--mint", mint.url, "--timeout", "6")
        )
    assert done.returncode == 7, done.stdout + done.stderr
    error = json.loads(done.stdout)["error"]
    assert "was not paid within 6 seconds" in error["message"]
    assert "--home" in error["hint"]
    assert "lnbc" in done.stderr
    assert "█" in done.stderr or "▄" in done.stderr
