"""Locked ecash against the real mint: keys, several of them, lock times, refunds, hashes.

The mint is the judge: what it lets nobody else spend is locked, what it lets us spend was opened.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.helpers.mint import RealMint
from tests.helpers.mint_proxy import MintProxy
from tests.wallet.support import a_wallet, available, not_available
from wallet.ecash import tokens
from wallet.ecash.conditions import Lock, lock_to_hash, lock_to_keys
from wallet.errors import MintProblem, TokenInvalid, UntrustedMint
from wallet.store import KeyFile, Store
from wallet.wallet import Wallet

pytestmark = pytest.mark.trio
PREIMAGE = "5a" * 32
DIGEST = hashlib.sha256(bytes.fromhex(PREIMAGE)).hexdigest()


def now() -> int:
    """The real time: the mint compares lock times with it."""
    return int(time.time())


async def test_locked_to_a_key(tmp_path: Path, real_mint: RealMint) -> None:
    url = real_mint.url
    async with (
        a_wallet(tmp_path, "a", url, fund_sat=100) as alice,
        a_wallet(tmp_path, "b", url) as bob,
        a_wallet(tmp_path, "e", url) as eve,
    ):
        token = await alice.send(url, 21, lock=lock_to_keys([await bob.lock_key()]))
        for thief in (eve, alice):
            with pytest.raises(TokenInvalid, match="does not have"):
                await thief.receive(token)
        assert await bob.receive(token) == 21
        assert (await available(alice), await available(bob)) == (79, 21)
        assert await not_available(alice) == 0


async def test_the_mint_itself_refuses_a_wrong_key(
    tmp_path: Path, real_mint: RealMint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the wallet's own check too: the lock is the mint's."""
    url = real_mint.url
    async with (
        a_wallet(tmp_path, "a", url, fund_sat=64) as alice,
        a_wallet(tmp_path, "e", url) as eve,
    ):
        token = await alice.send(url, 20, lock=lock_to_keys([await alice.lock_key()]))
        monkeypatch.setattr("wallet.ecash.conditions.parse", lambda _text: None)
        with pytest.raises(MintProblem):
            await eve.receive(token)
        monkeypatch.undo()
        assert await alice.receive(token) == 20


async def test_two_of_three(tmp_path: Path, real_mint: RealMint) -> None:
    url = real_mint.url
    async with (
        a_wallet(tmp_path, "a", url, fund_sat=64) as alice,
        a_wallet(tmp_path, "b", url) as bob,
    ):
        keys = [await alice.lock_key(), await bob.lock_key(), "02" + "79be667e" * 8]
        keys[2] = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
        token = await alice.send(url, 30, lock=lock_to_keys(keys, n_sigs=2))
        with pytest.raises(TokenInvalid, match="1 more"):
            await bob.receive(token)
        signed = await alice.cosign(token)
        assert await bob.receive(signed) == 30


async def test_refund_after_the_lock_time(tmp_path: Path, real_mint: RealMint) -> None:
    url = real_mint.url
    store = await Store.open(
        tmp_path / "a.db", KeyFile(tmp_path / "a.key", create=True), create=True
    )
    alice = Wallet(store)
    await alice.open()
    await alice.add_mint(url)
    async with a_wallet(tmp_path, "b", url) as bob:
        quote = await alice.request_mint(url, 64)
        await alice.complete_mint(quote.quote_id)
        other, mine = await bob.lock_key(), await alice.lock_key()
        gone = await alice.send(url, 10, lock=lock_to_keys([other], locktime=1, refund=[mine]))
        assert await alice.receive(gone) == 10
        still = lock_to_keys([other], locktime=now() + 600, refund=[mine])
        with pytest.raises(TokenInvalid, match="does not have"):
            await alice.receive(await alice.send(url, 10, lock=still))
        anyone = await alice.send(url, 10, lock=lock_to_keys([other], locktime=1))
        assert await alice.receive(anyone) == 10
    await alice.aclose()
    await store.aclose()


@pytest.mark.parametrize("with_key", [False, True])
async def test_locked_to_a_hash(tmp_path: Path, real_mint: RealMint, with_key: bool) -> None:
    url = real_mint.url
    async with (
        a_wallet(tmp_path, "a", url, fund_sat=64) as alice,
        a_wallet(tmp_path, "b", url) as bob,
    ):
        keys = [await bob.lock_key()] if with_key else []
        token = await alice.send(url, 21, lock=lock_to_hash(DIGEST, keys))
        with pytest.raises(TokenInvalid, match="preimage"):
            await bob.receive(token)
        assert await bob.receive(token, preimage=PREIMAGE) == 21


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("loss", ["lose_answer", "cut_body", "lose_request"])
async def test_a_lost_answer_to_a_locked_send(tmp_path: Path, proxy: MintProxy, loss: str) -> None:
    """The case that lost 64 of 64 sat elsewhere: locked coins and change must both come back."""
    async with (
        a_wallet(tmp_path, "a", proxy.url, fund_sat=64) as alice,
        a_wallet(tmp_path, "b", proxy.url) as bob,
    ):
        lock = lock_to_keys([await bob.lock_key()])
        proxy.fault(loss, "/v1/swap")
        token = await alice.send(proxy.url, 33, lock=lock)
        assert await available(alice) == 31
        assert await bob.receive(token) == 33


async def test_lock_keys_come_back_from_the_words(tmp_path: Path, real_mint: RealMint) -> None:
    """A wallet made anew from its seed opens what was locked to it before."""
    url = real_mint.url
    async with a_wallet(tmp_path, "a", url, fund_sat=64) as alice:
        async with a_wallet(tmp_path, "b", url) as bob:
            words = await bob.seed_words()
            keys = [await bob.lock_key() for _ in range(3)]
        token = await alice.send(url, 8, lock=lock_to_keys([keys[2]]))
        store = await Store.open(
            tmp_path / "new.db", KeyFile(tmp_path / "new.key", create=True), create=True
        )
        await store.put_secret("wallet", "words", words.encode())
        again = Wallet(store)
        await again.open()
        await again.add_mint(url)
        assert await again.receive(token) == 8
        assert await again.lock_key() not in keys
        await again.aclose()
        await store.aclose()


async def test_requests_are_paid(tmp_path: Path, real_mint: RealMint, fee_mint: RealMint) -> None:
    url = real_mint.url
    async with (
        a_wallet(tmp_path, "a", url, fund_sat=64) as alice,
        a_wallet(tmp_path, "b", url) as bob,
        a_wallet(tmp_path, "c", fee_mint.url) as carol,
    ):
        request = await bob.request(20, "two coffees")
        paid = await alice.pay_request(request)
        assert (paid.amount_sat, paid.mint, paid.delivered) == (20, url, False)
        assert tokens.decode(paid.token).memo == "two coffees"
        with pytest.raises(TokenInvalid):  # it is locked to bob
            await alice.receive(paid.token)
        assert await bob.receive(paid.token) == 20
        with pytest.raises(UntrustedMint, match="not on your list"):
            await alice.pay_request(await carol.request(5))
        assert await available(alice) == 44


async def test_open_requests_take_the_payers_amount(tmp_path: Path, real_mint: RealMint) -> None:
    url = real_mint.url
    async with a_wallet(tmp_path, "a", url, fund_sat=64) as alice:
        request = await alice.request(locked=False)
        with pytest.raises(Exception, match="open"):
            await alice.pay_request(request)
        paid = await alice.pay_request(request, 7)
        assert await alice.receive(paid.token) == 7
        with suppress(TokenInvalid):
            await alice.pay_request("creqAnonsense")
        assert isinstance(lock_to_keys([await alice.lock_key()]), Lock)


async def test_a_signature_over_the_whole_request(tmp_path: Path, fee_mint: RealMint) -> None:
    """SIG_ALL: the mint takes ours, of one key and of two, and refuses what was changed after."""
    url = fee_mint.url
    async with (
        a_wallet(tmp_path, "a", url, fund_sat=128) as alice,
        a_wallet(tmp_path, "b", url) as bob,
    ):
        mine = [await bob.lock_key(), await bob.lock_key()]
        token = await alice.send(url, 21, lock=lock_to_keys(mine[:1], sig_all=True))
        with pytest.raises(TokenInvalid, match="does not have"):
            await alice.receive(token)
        with pytest.raises(TokenInvalid, match="SIG_ALL"):
            await bob.cosign(token)
        assert await bob.receive(token) == 20
        two = await alice.send(url, 9, lock=lock_to_keys(mine, n_sigs=2, sig_all=True))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("wallet.ecash.sigall.older_text", lambda *_: "something else")
            with pytest.raises(MintProblem):
                await bob.receive(two)
        assert await bob.receive(two) == 8


async def test_a_hash_and_a_signature_over_the_whole_request(
    tmp_path: Path, real_mint: RealMint
) -> None:
    url = real_mint.url
    async with (
        a_wallet(tmp_path, "a", url, fund_sat=64) as alice,
        a_wallet(tmp_path, "b", url) as bob,
    ):
        lock = lock_to_hash(DIGEST, [await bob.lock_key()], sig_all=True)
        token = await alice.send(url, 21, lock=lock)
        with pytest.raises(TokenInvalid, match="preimage"):
            await bob.receive(token)
        assert await bob.receive(token, preimage=PREIMAGE) == 21
        late = lock_to_keys([await bob.lock_key()], locktime=1, sig_all=True)
        assert await alice.receive(await alice.send(url, 5, lock=late)) == 5


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("loss", ["lose_answer", "lose_request"])
async def test_a_lost_answer_to_a_whole_request(
    tmp_path: Path, proxy: MintProxy, loss: str
) -> None:
    """The repeated request is the same to the byte, signature included, so it is accepted."""
    async with (
        a_wallet(tmp_path, "a", proxy.url, fund_sat=64) as alice,
        a_wallet(tmp_path, "b", proxy.url) as bob,
    ):
        lock = lock_to_keys([await bob.lock_key()], sig_all=True)
        token = await alice.send(proxy.url, 33, lock=lock)
        proxy.fault(loss, "/v1/swap")
        assert await bob.receive(token) == 33
