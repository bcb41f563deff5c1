"""Everyday money against the real mint: in, out, between wallets, and back from the words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.mint import RealMint
from tests.wallet.support import a_wallet, available, fund, not_available, open_store
from wallet.ecash import tokens
from wallet.ecash.types import ProofState
from wallet.errors import (
    BadAmount,
    InsufficientFunds,
    TokenInvalid,
    UnknownOperation,
    UntrustedMint,
)
from wallet.store import KeyFile, Store, Transaction
from wallet.wallet import Wallet

pytestmark = pytest.mark.trio


async def test_mint_send_receive(tmp_path: Path, real_mint: RealMint) -> None:
    url = real_mint.url
    async with a_wallet(tmp_path, "a", url) as alice, a_wallet(tmp_path, "b", url) as bob:
        quote = await alice.request_mint(url, 100)
        assert quote.invoice.startswith("lnbc")
        assert (await alice.check_mint(quote.quote_id)).state == "PAID"
        assert await alice.complete_mint(quote.quote_id) == 100
        assert await alice.complete_mint(quote.quote_id) == 100
        assert (await alice.check_mint(quote.quote_id)).state == "ISSUED"
        assert await available(alice) == 100

        token = await alice.send(url, 37, "for bob")
        assert token.startswith("cashuB")
        assert tokens.decode(token).memo == "for bob"
        assert await bob.receive(token) == 37
        assert (await available(alice), await available(bob)) == (63, 37)
        with pytest.raises(TokenInvalid, match="received before"):
            await bob.receive(token)
        with pytest.raises(TokenInvalid, match="spent before"):
            await alice.receive(token)
        assert await available(alice) == 63

        history = await alice.history()
        moves = [(entry.kind, entry.amount_sat) for entry in history]
        assert moves == [("send", -37), ("mint", 100)]
        assert token not in str(history)


async def test_a_sent_token_can_be_taken_back(tmp_path: Path, real_mint: RealMint) -> None:
    async with a_wallet(tmp_path, "a", real_mint.url, fund_sat=50) as alice:
        await alice.send(real_mint.url, 20)
        (sent,) = await alice.sent_tokens()
        assert sent.amount_sat == 20
        assert sent.token not in repr(sent)
        assert await alice.receive(sent.token) == 20
        assert await available(alice) == 50


async def test_fees_are_paid_and_add_up(tmp_path: Path, fee_mint: RealMint) -> None:
    url = fee_mint.url
    async with (
        a_wallet(tmp_path, "a", url, fund_sat=300) as alice,
        a_wallet(tmp_path, "b", url) as bob,
    ):
        token = await alice.send(url, 201)
        proofs = tokens.decode(token).proofs
        assert sum(proof.amount for proof in proofs) == 201
        received = await bob.receive(token)
        assert received == 201 - (len(proofs) * 100 + 999) // 1000
        rest = await available(alice)
        (entry, _) = await alice.history()
        assert rest == 300 + entry.amount_sat
        with pytest.raises(InsufficientFunds) as caught:
            await alice.send(url, rest + 1)
        assert caught.value.available_sat == rest


async def test_melt_with_change(tmp_path: Path, real_mint: RealMint, fee_mint: RealMint) -> None:
    async with a_wallet(tmp_path, "a", real_mint.url, fee_mint.url, fund_sat=500) as alice:
        invoice = (await alice.request_mint(fee_mint.url, 200)).invoice
        quote = await alice.melt_quote(real_mint.url, invoice)
        assert (quote.amount_sat, quote.state) == (200, "UNPAID")
        result = await alice.melt(quote.quote_id)
        assert result.paid
        assert result.fee_sat == 1  # what the fake Lightning backend takes
        assert await available(alice) == 299
        again = await alice.melt(quote.quote_id)
        assert (again.paid, again.fee_sat) == (True, 1)
        assert await available(alice) == 299


async def test_melt_with_input_fees(
    tmp_path: Path, real_mint: RealMint, fee_mint: RealMint
) -> None:
    async with a_wallet(tmp_path, "a", fee_mint.url, real_mint.url, fund_sat=500) as alice:
        invoice = (await alice.request_mint(real_mint.url, 123)).invoice
        result = await alice.melt((await alice.melt_quote(fee_mint.url, invoice)).quote_id)
        assert await available(alice) == 500 - 123 - result.fee_sat
        assert result.fee_sat >= 2


async def test_restore_from_the_words(tmp_path: Path, real_mint: RealMint) -> None:
    url = real_mint.url
    async with a_wallet(tmp_path, "a", url, fund_sat=200) as alice:
        token = await alice.send(url, 50)
        words = await alice.seed_words()
        assert len(words.split()) == 12
        known = await alice.restore(url)
        assert known.recovered_sat == 0
        store = await open_store(tmp_path, "again")
        await store.secrets.put("wallet", "words", words.encode())
        again = Wallet(store)
        await again.open()
        await again.add_mint(url)
        report = await again.restore(url)
        # The unspent token is still Alice's to take back, as it is in any Cashu wallet.
        assert report.recovered_sat == 200
        assert await again.receive(token) == 50
        assert await available(again) == 200
        await again.send(url, 10)  # new outputs: the counters were restored too
        await again.aclose()
        await store.aclose()


async def test_split_ahead_makes_payments_exact(tmp_path: Path, fee_mint: RealMint) -> None:
    url = fee_mint.url
    async with a_wallet(tmp_path, "a", url, fund_sat=1000) as alice:
        await alice.split_ahead(url, [21] * 5)
        before = await available(alice)
        await alice.split_ahead(url, [21] * 5)
        assert await available(alice) == before
        for _ in range(5):
            assert (await alice.pay_prepare(url, 21)).change_due_sat == 0


async def test_wrong_questions(tmp_path: Path, real_mint: RealMint) -> None:
    url = real_mint.url
    async with a_wallet(tmp_path, "a", url, fund_sat=10) as alice:
        for amount in (0, -1, 2**60):
            with pytest.raises(BadAmount):
                await alice.send(url, amount)
            with pytest.raises(BadAmount):
                await alice.request_mint(url, amount)
            with pytest.raises(BadAmount):
                await alice.pay_prepare(url, amount)
        with pytest.raises(UntrustedMint):
            await alice.send("http://127.0.0.1:9", 1)
        with pytest.raises(UntrustedMint):
            await alice.add_mint("ftp://mint")
        with pytest.raises(UnknownOperation):
            await alice.complete_mint("nothing")
        with pytest.raises(UnknownOperation):
            await alice.melt("nothing")
        with pytest.raises(UnknownOperation):
            await alice.pay_settle("nothing", [])
        with pytest.raises(TokenInvalid):
            await alice.receive("cashuB?")
        assert await available(alice) == 10
        assert await not_available(alice) == 0


async def test_a_token_of_a_strange_mint(
    tmp_path: Path, real_mint: RealMint, fee_mint: RealMint
) -> None:
    async with (
        a_wallet(tmp_path, "a", real_mint.url, fund_sat=40) as alice,
        a_wallet(tmp_path, "b", fee_mint.url) as bob,
    ):
        token = await alice.send(real_mint.url, 16)
        with pytest.raises(UntrustedMint):
            await bob.receive(token)
        assert bob.mints() == [fee_mint.url]
        assert await bob.receive(token, allow=True) == 16
        assert bob.mints() == [fee_mint.url, real_mint.url]


async def test_everything_is_still_there_after_reopening(
    tmp_path: Path, real_mint: RealMint
) -> None:
    async with a_wallet(tmp_path, "a", real_mint.url, fund_sat=77) as alice:
        words = await alice.seed_words()
    async with a_wallet(tmp_path, "a") as alice:
        assert await alice.seed_words() == words
        (balance,) = await alice.balances()
        assert (balance.url, balance.name) == (real_mint.url, "Cashu mint")
        assert balance.available_sat == 77
        assert await alice.recover() == []


async def test_our_proofs_are_unspent_and_their_secrets_look_random(
    tmp_path: Path, real_mint: RealMint
) -> None:
    async with a_wallet(tmp_path, "a", real_mint.url, fund_sat=100) as alice:
        payment = await alice.pay_prepare(real_mint.url, 100)
        assert all(len(bytes.fromhex(proof.secret)) == 32 for proof in payment.proofs)
        assert len({proof.secret for proof in payment.proofs}) == len(payment.proofs)
        op = await alice._executor.load(payment.id)
        assert set(await alice._executor.states(op)) == {ProofState.UNSPENT}


async def test_two_addresses_of_one_mint_share_the_counters(
    tmp_path: Path, real_mint: RealMint
) -> None:
    other = real_mint.url.replace("127.0.0.1", "localhost")
    async with a_wallet(tmp_path, "a", real_mint.url, other) as alice:
        assert await fund(alice, real_mint.url, 30) == 30
        assert await fund(alice, other, 30) == 30


async def test_the_store_names_no_secret_in_plain_queries(
    tmp_path: Path, real_mint: RealMint
) -> None:
    """A finished operation keeps no inputs, outputs or secrets in the journal."""
    async with a_wallet(tmp_path, "a", real_mint.url, fund_sat=64) as alice:
        await alice.receive(await alice.send(real_mint.url, 33))
    async with await Store.open(tmp_path / "a.db", KeyFile(tmp_path / "a.key")) as store:

        def bodies(tx: Transaction) -> list[str]:
            return [row[0] for row in tx.rows("SELECT body FROM operations")]

        assert set(await store.run(bodies)) == {""}
