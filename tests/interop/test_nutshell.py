"""Ecash, locks, payment requests and seeds both ways between our wallet and Nutshell's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers.mint import RealMint
from tests.interop.conftest import Nutshell, found_token
from tests.wallet.support import a_wallet, available
from wallet.ecash.conditions import lock_to_keys
from wallet.store import KeyFile, Store
from wallet.wallet import Wallet

pytestmark = pytest.mark.trio


@pytest.mark.parametrize("form", [(), ("--legacy",), ("--dleq",)])
async def test_tokens_both_ways(
    tmp_path: Path, mint: RealMint, nutshell: Nutshell, form: tuple[str, ...]
) -> None:
    """V4, V3 and with DLEQ proofs from theirs; V4 from ours."""
    nutshell.fund(64)
    async with a_wallet(tmp_path, "a", mint.url, fund_sat=64) as alice:
        assert await alice.receive(nutshell.send(21, *form)) == 21
        nutshell.run("receive", await alice.send(mint.url, 13))
        assert nutshell.balance() == 64 - 21 + 13
        assert await available(alice) == 64 + 21 - 13


async def test_locks_both_ways(tmp_path: Path, mint: RealMint, nutshell: Nutshell) -> None:
    nutshell.fund(64)
    async with a_wallet(tmp_path, "a", mint.url, fund_sat=64) as alice:
        token = nutshell.send(21, "--lock", f"P2PK:{await alice.lock_key()}")
        assert await alice.receive(token) == 21
        ours = await alice.send(mint.url, 13, lock=lock_to_keys([nutshell.lock()]))
        nutshell.run("receive", ours)
        assert nutshell.balance() == 64 - 21 + 13


async def test_their_words_restore_here(tmp_path: Path, mint: RealMint, nutshell: Nutshell) -> None:
    nutshell.fund(64)
    shown = nutshell.run("info", "--mnemonic")
    found = re.search(r"((?:[a-z]+ ){11}[a-z]+)", shown)
    assert found is not None, shown
    key = KeyFile(tmp_path / "new.key", create=True)
    async with await Store.open(tmp_path / "new.db", key, create=True) as store:
        await store.put_secret("wallet", "words", found[1].encode())
        wallet = Wallet(store)
        await wallet.open()
        await wallet.add_mint(mint.url)
        assert (await wallet.restore(mint.url)).recovered_sat == 64
        await wallet.aclose()


async def test_our_words_restore_there(tmp_path: Path, mint: RealMint, nutshell: Nutshell) -> None:
    async with a_wallet(tmp_path, "a", mint.url, fund_sat=64) as alice:
        await alice.receive(await alice.send(mint.url, 20))
        nutshell.run("restore", typed=await alice.seed_words() + "\n")
        assert nutshell.balance() == 64
        assert await alice.receive(nutshell.send(30)) == 30


async def test_payment_requests_both_ways(
    tmp_path: Path, mint: RealMint, nutshell: Nutshell
) -> None:
    """Theirs makes requests only by its library; it pays ours on the command line."""
    nutshell.fund(64)
    async with a_wallet(tmp_path, "a", mint.url, fund_sat=64) as alice:
        shown = nutshell.run("pay", await alice.request(21, "an onion"))
        assert await alice.receive(found_token(shown)) == 21
        paid = await alice.pay_request(nutshell.request(13, nutshell.lock()))
        assert (paid.amount_sat, paid.mint) == (13, mint.url)
        nutshell.run("receive", paid.token)
        assert nutshell.balance() == 64 - 21 + 13
