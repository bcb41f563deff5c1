"""Ecash, locks, payment requests and seeds both ways between our wallet and cashu-ts."""

from __future__ import annotations

from pathlib import Path

import pytest
from mnemonic import Mnemonic

from tests.helpers.mint import RealMint
from tests.interop.conftest import CashuTs
from tests.wallet.support import a_wallet, available
from wallet.ecash.conditions import lock_to_keys
from wallet.store import KeyFile, Store
from wallet.wallet import Wallet

pytestmark = pytest.mark.trio


async def test_tokens_both_ways(tmp_path: Path, mint: RealMint, cashu_ts: CashuTs) -> None:
    assert cashu_ts.run("fund", 64) == 64
    async with a_wallet(tmp_path, "a", mint.url, fund_sat=64) as alice:
        assert await alice.receive(cashu_ts.run("send", 21)) == 21
        assert cashu_ts.run("receive", await alice.send(mint.url, 13)) == 64 - 21 + 13
        assert await available(alice) == 64 + 21 - 13


async def test_locks_both_ways(tmp_path: Path, mint: RealMint, cashu_ts: CashuTs) -> None:
    cashu_ts.run("fund", 64)
    async with a_wallet(tmp_path, "a", mint.url, fund_sat=64) as alice:
        assert await alice.receive(cashu_ts.run("send", 21, await alice.lock_key())) == 21
        ours = await alice.send(mint.url, 13, lock=lock_to_keys([cashu_ts.run("key")]))
        assert cashu_ts.run("receive", ours) == 64 - 21 + 13


async def test_payment_requests_both_ways(
    tmp_path: Path, mint: RealMint, cashu_ts: CashuTs
) -> None:
    """Ours is read and paid by theirs, with the lock that it asks for; theirs by ours."""
    cashu_ts.run("fund", 64)
    async with a_wallet(tmp_path, "a", mint.url, fund_sat=64) as alice:
        ours = await alice.request(21, "an onion")
        read = cashu_ts.run("read_request", ours)
        assert (read["amount"], read["unit"], read["mints"]) == (21, "sat", [mint.url])
        assert (read["description"], read["singleUse"]) == ("an onion", True)
        assert await alice.receive(cashu_ts.run("pay_request", ours)) == 21
        paid = await alice.pay_request(cashu_ts.run("request", 13))
        assert (paid.amount_sat, paid.delivered) == (13, False)
        assert cashu_ts.run("receive", paid.token) == 64 - 21 + 13


@pytest.mark.usefixtures("cashu_ts")
async def test_our_words_restore_there(tmp_path: Path, mint: RealMint) -> None:
    async with a_wallet(tmp_path, "a", mint.url, fund_sat=64) as alice:
        await alice.send(mint.url, 13)
        await alice.receive(await alice.send(mint.url, 20))
        seed = Mnemonic.to_seed(await alice.seed_words())
        theirs = CashuTs.new(mint.url, tmp_path, seed)
        # What is in a token on its way is ours by the words, until somebody takes it.
        assert theirs.run("restore") == 64
        theirs.run("receive", theirs.run("send", 30))
        assert theirs.run("balance") == 64


@pytest.mark.usefixtures("cashu_ts")
async def test_their_words_restore_here(tmp_path: Path, mint: RealMint) -> None:
    words = Mnemonic("english").generate()
    theirs = CashuTs.new(mint.url, tmp_path, Mnemonic.to_seed(words))
    theirs.run("fund", 64)
    theirs.run("send", 21)
    key = KeyFile(tmp_path / "new.key", create=True)
    async with await Store.open(tmp_path / "new.db", key, create=True) as store:
        await store.put_secret("wallet", "words", words.encode())
        wallet = Wallet(store)
        await wallet.open()
        await wallet.add_mint(mint.url)
        assert (await wallet.restore(mint.url)).recovered_sat == 64
        await wallet.aclose()
