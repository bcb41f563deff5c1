"""Ecash in other units than sat, against a real mint that has three: listed apart, never mixed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.mint import RealMint, mint_available
from tests.wallet.support import a_wallet, fund
from wallet import accounts
from wallet.ecash import tokens
from wallet.ecash.conditions import lock_to_keys
from wallet.errors import InsufficientFunds, MintLied, TokenInvalid, UntrustedMint, WrongUnit
from wallet.wallet import Wallet

pytestmark = pytest.mark.trio
SESSION = bytes(32)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    if not mint_available():
        pytest.skip("no .venv-mint: the real mint cannot be started here")
    with RealMint(
        MINT_BACKEND_BOLT11_MSAT="FakeWallet",
        MINT_BACKEND_BOLT11_USD="FakeWallet",
        MINT_DERIVATION_PATH_LIST="""["m/0'/1'/0'", "m/0'/2'/0'"]""",
    ) as mint:
        yield mint.url


async def amounts(wallet: Wallet) -> dict[str, int]:
    return {row.unit: row.available_sat for row in await wallet.balances(every_unit=True)}


async def test_names() -> None:
    for unit in accounts.UNITS:
        assert accounts.split(accounts.join("https://mint.test", unit)) == (
            "https://mint.test",
            unit,
        )
    assert accounts.split("https://mint.test#eur") == ("https://mint.test#eur", "sat")


async def test_each_unit_is_an_account(tmp_path: Path, url: str) -> None:
    usd, msat = f"{url}#usd", f"{url}#msat"
    async with a_wallet(tmp_path, "a", url, usd, msat) as alice:
        assert (await alice.look_at_mint(usd)).units == ("msat", "sat", "usd")
        with pytest.raises(UntrustedMint):
            await alice.add_mint(f"{url}#eur")
        for account, amount in ((url, 64), (usd, 250), (msat, 9000)):
            assert await fund(alice, account, amount) == amount
        assert await amounts(alice) == {"sat": 64, "usd": 250, "msat": 9000}
        assert [row.available_sat for row in await alice.balances()] == [64]
        with pytest.raises(InsufficientFunds, match="65 sat"):
            await alice.send(url, 65)
    async with a_wallet(tmp_path, "a") as again:
        assert await amounts(again) == {"sat": 64, "usd": 250, "msat": 9000}
        words = await again.seed_words()
        assert (await again.restore(usd)).recovered_sat == 0
        assert words


async def test_tokens_keep_their_unit(tmp_path: Path, url: str) -> None:
    usd = f"{url}#usd"
    async with (
        a_wallet(tmp_path, "a", usd, url, fund_sat=250) as alice,
        a_wallet(tmp_path, "b", url) as bob,
    ):
        token = await alice.send(usd, 99, lock=lock_to_keys([await bob.lock_key()]))
        decoded = tokens.decode(token)
        assert (decoded.mint, decoded.unit) == (url, "usd")
        with pytest.raises(UntrustedMint):  # the same mint, but not that unit
            await bob.receive(token)
        assert await bob.receive(token, allow=True) == 99
        assert await amounts(bob) == {"sat": 0, "usd": 99}
        request = await bob.request(5)
        with pytest.raises(InsufficientFunds, match="sat"):
            await alice.pay_request(request)
        odd = tokens.encode_v4(tokens.Token(url, decoded.proofs, unit="eur"))
        with pytest.raises(TokenInvalid, match="unit"):
            await bob.receive(odd)
        lie = tokens.encode_v4(tokens.Token(url, decoded.proofs, unit="sat"))
        with pytest.raises(TokenInvalid, match="unit"):
            await bob.receive(lie)


async def test_only_sat_pays_a_ghost_and_nothing_is_exchanged(tmp_path: Path, url: str) -> None:
    usd = f"{url}#usd"
    async with a_wallet(tmp_path, "a", usd, url, fund_sat=250) as alice:
        for refused in (
            alice.pay_prepare(usd, 1),
            alice.refund_outputs(usd, 1),
            alice.redeem(usd, [], 1, [], SESSION),
            alice.refund(usd, 1, [], SESSION),
            alice.melt_quote(usd, "somebody@mint.test", 1),
        ):
            with pytest.raises(WrongUnit, match="in sat"):
                await refused
        with pytest.raises(InsufficientFunds):
            await alice.pay_prepare(url, 1)
        with pytest.raises(WrongUnit, match="usd"):
            await alice.move(usd, url, 10)
        assert await amounts(alice) == {"usd": 250, "sat": 0}


async def test_an_invoice_is_paid_in_the_units_of_its_account(tmp_path: Path, url: str) -> None:
    msat = f"{url}#msat"
    async with a_wallet(tmp_path, "a", msat, url, fund_sat=64_000) as alice:
        invoice = (await alice.request_mint(url, 10)).invoice
        quote = await alice.melt_quote(msat, invoice)
        assert quote.amount_sat == 10_000
        done = await alice.melt(quote.quote_id)
        assert done.paid
        assert await amounts(alice) == {"msat": 54_000 - done.fee_sat, "sat": 0}


async def test_a_mint_without_the_unit(tmp_path: Path, real_mint: RealMint) -> None:
    async with a_wallet(tmp_path, "a", real_mint.url) as alice:
        with pytest.raises(MintLied, match="no keyset for usd"):
            await alice.add_mint(f"{real_mint.url}#usd")
        assert alice.mints() == [real_mint.url]
