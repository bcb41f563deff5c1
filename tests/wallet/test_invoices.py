"""An amount is no mint's to choose, neither in an invoice it makes nor in its price for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.wallet.fake_mint import URL, FakeMint, Json, an_invoice
from tests.wallet.support import a_wallet, available
from tests.wallet.test_quotes import ONE, TWO, Two
from wallet import invoices
from wallet.errors import BadAmount, MintLied

pytestmark = [pytest.mark.trio, pytest.mark.usefixtures("quick")]


def telling(path: str, **lies: object) -> Callable[[str, Json], Json]:
    def tamper(asked: str, answer: Json) -> Json:
        return {**answer, **lies} if asked == path else answer

    return tamper


@pytest.mark.parametrize("made", [an_invoice(500), an_invoice(19), "lnbc1", an_invoice(20)[:-1]])
async def test_an_invoice_for_another_amount_is_not_shown(tmp_path: Path, made: str) -> None:
    mint = FakeMint()
    async with a_wallet(tmp_path, "a", URL, transport=mint) as alice:
        mint.tamper = telling("/v1/mint/quote/bolt11", request=made)
        with pytest.raises(MintLied):
            await alice.request_mint(URL, 20)
        mint.tamper = None
        assert (await alice.request_mint(URL, 20)).invoice


async def test_a_mint_cannot_be_paid_more_than_is_moved_to_it(tmp_path: Path) -> None:
    """Its invoice is paid by the honest mint, out of the ecash there."""
    both = Two()
    async with a_wallet(tmp_path, "a", ONE, TWO, transport=both, fund_sat=600) as alice:
        thief = both.mints["two.test"]
        thief.tamper = telling("/v1/mint/quote/bolt11", request=an_invoice(500))
        with pytest.raises(MintLied, match="another amount"):
            await alice.balancing.quote_move(ONE, TWO, 50)
        with pytest.raises(MintLied, match="another amount"):
            await alice.balancing.keep_even(1)
        assert await available(alice) == 600
        assert both.mints["one.test"].redeemed == 0


@pytest.mark.parametrize("price", [500, 21, 19])
async def test_what_is_wanted_for_an_invoice_is_what_it_asks_for(
    tmp_path: Path, price: int
) -> None:
    mint = FakeMint()
    async with a_wallet(tmp_path, "a", URL, transport=mint, fund_sat=600) as alice:
        mint.tamper = telling("/v1/melt/quote/bolt11", amount=price)
        for ask in (alice.pay_quote(an_invoice(20)), alice.melt_quote(URL, an_invoice(20))):
            with pytest.raises(MintLied, match="for an invoice of 20"):
                await ask


async def test_what_is_no_invoice_is_shown_to_no_mint(tmp_path: Path) -> None:
    mint = FakeMint()
    async with a_wallet(tmp_path, "a", URL, transport=mint) as alice:
        for text in ("hello", an_invoice(20)[:-1], an_invoice(0)):
            with pytest.raises(BadAmount):
                await alice.melt_quote(URL, text)
        assert "/v1/melt/quote/bolt11" not in mint.asked
        for text in (f" lightning:{an_invoice(20)}\n", f"LIGHTNING:{an_invoice(20).upper()}"):
            assert (await alice.melt_quote(URL, text)).amount_sat == 20


async def test_what_is_wrong_with_it_is_said_once() -> None:
    for text, said in (("hello", "."), (an_invoice(9)[:-1], ": the invoice is cut")):
        with pytest.raises(BadAmount, match=f"^This is not an invoice{said}"):
            invoices.asked_msat(text)


async def test_parts_of_a_sat_are_rounded_up_at_most() -> None:
    for price in (20, 21):
        invoices.check_price(URL, "sat", 20_001, price)
    for price in (19, 22):
        with pytest.raises(MintLied):
            invoices.check_price(URL, "sat", 20_001, price)
    invoices.check_price(URL, "msat", 20_001, 20_001)
    invoices.check_price(URL, "usd", 20_001, 7)  # at the mint's rate
