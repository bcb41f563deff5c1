"""One invoice, two mints (NUT-15), against a Lightning network that takes all parts or none.

Most mints here are fakes that behave as the NUT says. At the end are two real ones, whose Lightning
alone is pretended (`tests.helpers.parts_mint`), and a third whose invoice they pay.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.helpers.mint import REPOSITORY, RealMint, mint_available
from tests.wallet.fake_mint import FakeMint, Json, Refused, an_invoice
from tests.wallet.support import a_wallet, available, fund, not_available
from tests.wallet.test_address import invoice
from wallet.errors import BadAmount, InsufficientFunds, MintError, MintLied
from wallet.wallet import Wallet

pytestmark = [pytest.mark.trio, pytest.mark.usefixtures("quick")]
PROGRAM = REPOSITORY / "tests" / "helpers" / "parts_mint.py"
ONE, TWO = "http://one.test", "http://two.test"
FORTY = invoice("400n", b"forty sat")


class PartsMint(FakeMint):
    def __init__(self) -> None:
        super().__init__()
        self.announced: Any = {"methods": [{"method": "bolt11", "unit": "sat"}]}

    def _answer(self, path: str, body: Json) -> Json:
        answer = super()._answer(path, body)
        if path == "/v1/info" and self.announced is not None:
            answer["nuts"]["15"] = self.announced
        return answer

    def _melt_quote(self, last: str, body: Json) -> Json:
        if not body:
            return super()._melt_quote(last, body)
        assert body["request"] == FORTY
        part = body["options"]["mpp"]["amount"] // 1000 if "options" in body else 40
        return super()._melt_quote(last, {"request": an_invoice(part)})


class Network(httpx.AsyncBaseTransport):
    """Both mints, and the payment between them: parts are under way until all have come."""

    def __init__(self) -> None:
        self.mints = {"one.test": PartsMint(), "two.test": PartsMint()}
        for mint in self.mints.values():
            mint.melt_state = "PENDING"

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self.mints[request.url.host].handle_async_request(request)

    def end(self, *, paid: bool) -> None:
        for mint in self.mints.values():
            for name in list(mint.undecided):
                mint.decide(name, paid)

    @property
    def outstanding(self) -> int:
        return sum(mint.outstanding for mint in self.mints.values())


@asynccontextmanager
async def payer(folder: Path, network: Network) -> AsyncIterator[Wallet]:
    async with a_wallet(folder, "a", ONE, TWO, transport=network, fund_sat=32) as alice:
        await fund(alice, TWO, 32)
        yield alice


async def test_all_parts_are_paid(tmp_path: Path) -> None:
    network = Network()
    async with payer(tmp_path, network) as alice:
        quotes = await alice.parts_quote(FORTY, {ONE: 25, TWO: 15})
        assert [quote.amount_sat for quote in quotes] == [25, 15]
        done = await alice.pay_parts([(quote.mint, quote.quote_id) for quote in quotes])
        assert [part.state for part in done] == ["PENDING", "PENDING"]
        network.end(paid=True)
        await alice.recover()
        assert await available(alice) == network.outstanding == 64 - 40 - 2
        assert await not_available(alice) == 0


async def test_when_a_part_fails_all_comes_back(tmp_path: Path) -> None:
    network = Network()
    async with payer(tmp_path, network) as alice:
        quotes = await alice.parts_quote(FORTY, {ONE: 25, TWO: 15})

        def refuse(path: str) -> None:
            if path == "/v1/melt/bolt11":
                raise Refused(20004, "no route")

        network.mints["two.test"].before = refuse
        done = await alice.pay_parts([(quote.mint, quote.quote_id) for quote in quotes])
        assert [part.state for part in done] == ["PENDING", "UNPAID"]
        assert await not_available(alice) > 0
        network.end(paid=False)
        await alice.recover()
        assert (await available(alice), await not_available(alice)) == (64, 0)
        assert network.outstanding == 64


@pytest.mark.parametrize(
    "parts", [{ONE: 40}, {ONE: 25, TWO: 14}, {ONE: 25, TWO: 16}, {ONE: 41, TWO: -1}]
)
async def test_parts_that_do_not_add_up(tmp_path: Path, parts: dict[str, int]) -> None:
    network = Network()
    async with payer(tmp_path, network) as alice:
        with pytest.raises(BadAmount):
            await alice.parts_quote(FORTY, parts)
        with pytest.raises(BadAmount, match="not an invoice"):
            await alice.parts_quote("lnbc1nonsense", parts)
        asked = [path for mint in network.mints.values() for path in mint.asked]
        assert "/v1/melt/quote/bolt11" not in asked


@pytest.mark.parametrize("announced", [None, {"methods": []}, {}, "yes", {"methods": [7]}])
async def test_a_mint_that_does_not_pay_parts(tmp_path: Path, announced: Any) -> None:
    network = Network()
    network.mints["two.test"].announced = announced
    async with payer(tmp_path, network) as alice:
        with pytest.raises(BadAmount, match="does not pay parts"):
            await alice.parts_quote(FORTY, {ONE: 25, TWO: 15})


async def test_a_mint_that_takes_a_part_for_the_whole(tmp_path: Path) -> None:
    network = Network()

    def whole(path: str, answer: Json) -> Json:
        return {**answer, "amount": 40} if path == "/v1/melt/quote/bolt11" else answer

    network.mints["two.test"].tamper = whole
    async with payer(tmp_path, network) as alice:
        with pytest.raises(MintLied, match="a part of 15"):
            await alice.parts_quote(FORTY, {ONE: 25, TWO: 15})


# -- chosen by the wallet


async def test_one_mint_pays_when_it_has_enough(tmp_path: Path) -> None:
    network = Network()
    async with payer(tmp_path, network) as alice:
        await fund(alice, TWO, 32)
        (quote,) = await alice.pay_quote(FORTY)
        assert (quote.mint, quote.amount_sat) == (TWO, 40)


async def test_parts_are_made_when_no_mint_has_enough(tmp_path: Path) -> None:
    """With what each mint takes in fees left over."""
    network = Network()
    async with payer(tmp_path, network) as alice:
        quotes = await alice.pay_quote(FORTY)
        assert sum(quote.amount_sat for quote in quotes) == 40
        assert {quote.mint for quote in quotes} == {ONE, TWO}
        assert all(quote.amount_sat + quote.fee_reserve_sat <= 32 for quote in quotes)
        done = await alice.pay_parts([(quote.mint, quote.quote_id) for quote in quotes])
        assert [part.state for part in done] == ["PENDING", "PENDING"]
        network.end(paid=True)
        await alice.recover()
        assert await available(alice) == network.outstanding == 64 - 40 - 2


async def test_too_little_is_said_before_anything_is_paid(tmp_path: Path) -> None:
    network = Network()
    network.mints["two.test"].announced = None
    async with payer(tmp_path, network) as alice:
        with pytest.raises(InsufficientFunds):
            await alice.pay_quote(FORTY)
        with pytest.raises(BadAmount, match="not an invoice"):
            await alice.pay_quote("lnbc1nonsense")
        assert (await available(alice), await not_available(alice)) == (64, 0)


async def test_a_mint_that_does_not_answer_is_passed_over(tmp_path: Path) -> None:
    network = Network()
    async with payer(tmp_path, network) as alice:
        await fund(alice, ONE, 32)
        await fund(alice, TWO, 64)
        network.mints["two.test"].faults = lambda _path: "lose_request"
        (quote,) = await alice.pay_quote(FORTY)
        assert quote.mint == ONE


# -- two real mints


@pytest.fixture(scope="module")
def real_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    if not mint_available():
        pytest.skip("no .venv-mint: the real mint cannot be started here")
    folder = str(tmp_path_factory.mktemp("network"))
    settings = {"PARTS_NETWORK": folder, "PARTS_PATIENCE_S": "2"}
    with (
        RealMint(program=PROGRAM, input_fee_ppk=100, **settings) as one,
        RealMint(program=PROGRAM, **settings) as two,
    ):
        yield one.url, two.url


async def test_two_real_mints_pay_one_invoice(
    tmp_path: Path, real_pair: tuple[str, str], real_mint: RealMint
) -> None:
    one, two = real_pair
    async with (
        a_wallet(tmp_path, "a", one, two, fund_sat=64) as alice,
        a_wallet(tmp_path, "b", real_mint.url) as bob,
    ):
        await fund(alice, two, 64)
        invoice_100 = (await bob.request_mint(real_mint.url, 100)).invoice
        quotes = await alice.pay_quote(invoice_100)
        assert len(quotes) == 2
        assert sum(quote.amount_sat for quote in quotes) == 100
        done = await alice.pay_parts([(quote.mint, quote.quote_id) for quote in quotes])
        assert [part.state for part in done] == ["PAID", "PAID"]
        # Each mint took 1 sat for Lightning, and one of them up to 1 sat for its inputs.
        spent = 128 - await available(alice)
        assert 102 <= spent <= 103
        assert await not_available(alice) == 0

        # One part alone is not enough for the receiver: it comes back.
        invoice_20 = (await bob.request_mint(real_mint.url, 20)).invoice
        left = await available(alice)
        halves = await alice.parts_quote(invoice_20, {one: 10, two: 10})
        with pytest.raises(MintError):
            await alice.melt(halves[0].quote_id, one)
        await alice.recover()
        assert (await available(alice), await not_available(alice)) == (left, 0)
