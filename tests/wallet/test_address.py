"""Lightning addresses: paid when all is in order, and every lie of the host costs nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from tests.wallet.fake_mint import URL, FakeMint
from tests.wallet.support import a_wallet, available, fund
from wallet.address import invoice_for, is_address
from wallet.ecash import bech32
from wallet.errors import AddressRefused, BadAmount, MintLied, WalletError

pytestmark = pytest.mark.trio
ADDRESS = "alice@pay.example"
METADATA = json.dumps([["text/plain", "To Alice"], ["text/identifier", ADDRESS]])


def invoice(amount: str, description: bytes) -> str:
    """An invoice with nothing but a description hash; its signature is zeros."""
    number = int.from_bytes(hashlib.sha256(description).digest(), "big") << 4
    content = [number >> 5 * (51 - index) & 31 for index in range(52)]
    groups = [0] * 7 + [23, 1, 20, *content] + [0] * 104
    prefix = f"lnbc{amount}"
    return bech32.join(prefix, groups, bech32.BECH32).lower()


class Host(httpx.AsyncBaseTransport):
    """The host of an address; a test changes its answers."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.reached: list[str] = []
        self.offer: dict[str, Any] = {
            "tag": "payRequest",
            "callback": "https://pay.example/cb?user=alice",
            "metadata": METADATA,
            "minSendable": 1000,
            "maxSendable": 100_000_000,
        }
        self.made: Any = {"pr": invoice("210n", METADATA.encode()), "routes": []}
        self.status = 200
        self.headers: dict[str, str] = {}

    def __call__(self, url: str) -> httpx.AsyncBaseTransport:
        self.reached.append(url)
        return self

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        self.asked.append(str(request.url))
        answer = self.offer if "lnurlp" in request.url.path else self.made
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return httpx.Response(self.status, content=content, headers=self.headers)


async def test_an_invoice_for_exactly_this_amount() -> None:
    host = Host()
    assert await invoice_for(f" {ADDRESS.upper()} ", 21, host) == host.made["pr"]
    assert host.asked == [
        "https://pay.example/.well-known/lnurlp/alice",
        "https://pay.example/cb?user=alice&amount=21000",
    ]
    assert set(host.reached) == {"https://pay.example"}


def _offer(**changes: Any) -> Callable[[Host], None]:
    return lambda host: host.offer.update(changes)


def _made(answer: Any) -> Callable[[Host], None]:
    def change(host: Host) -> None:
        host.made = answer

    return change


def _redirect(host: Host) -> None:
    host.status, host.headers = 302, {"location": "https://elsewhere.example/"}


LIES: dict[str, Callable[[Host], None]] = {
    "another amount": _made({"pr": invoice("220n", METADATA.encode())}),
    "no amount": _made({"pr": invoice("", METADATA.encode())}),
    "for somebody else": _made({"pr": invoice("210n", b"To Mallory")}),
    "no invoice": _made({"pr": "lnbc210n1"}),
    "an error": _made({"status": "ERROR", "reason": "no such user"}),
    "not JSON": _made(b"<html>"),
    "without end": _made(b"[" * 100_000),
    "plain HTTP": _offer(callback="http://pay.example/cb"),
    "a user in the callback": _offer(callback="https://pay.example@evil.example/cb"),
    "a port": _offer(callback="https://pay.example:22/cb"),
    "no port": _offer(callback="https://pay.example:x/cb"),
    "a fragment": _offer(callback="https://pay.example/cb#x"),
    "a long callback": _offer(callback="https://pay.example/" + "a" * 3000),
    "another thing": _offer(tag="withdrawRequest"),
    "a huge amount": _offer(maxSendable=10**30),
    "a negative amount": _offer(minSendable=-1),
    "metadata that is none": _offer(metadata="To Alice"),
    "empty metadata": _offer(metadata="[[]]"),
    "redirected": _redirect,
}


@pytest.mark.parametrize("lie", LIES)
async def test_lies_of_the_host(lie: str) -> None:
    host = Host()
    LIES[lie](host)
    with pytest.raises(AddressRefused) as caught:
        await invoice_for(ADDRESS, 21, host)
    assert caught.value.kept == "Nothing was paid."


@pytest.mark.parametrize(
    "text",
    [
        "@pay.example",
        "alice@",
        "alice@localhost",
        "alice@127.0.0.1",
        "alice@pay.example:80",
        "alice@pay.example/x",
        "al ice@pay.example",
        "alice@b@pay.example",
        "../x@pay.example",
        "alice@-pay.example",
        "ålice@pay.example",
    ],
)
async def test_what_is_no_address_is_asked_of_nobody(text: str) -> None:
    host = Host()
    assert is_address(text)
    with pytest.raises(AddressRefused):
        await invoice_for(text, 21, host)
    assert host.asked == []


async def test_amounts_that_the_address_does_not_take() -> None:
    host = Host()
    host.offer["minSendable"] = 50_000
    for amount in (None, 0, -5, 21, 10**9):
        with pytest.raises(BadAmount):
            await invoice_for(ADDRESS, amount, host)


async def test_without_circuits_nobody_is_asked() -> None:
    with pytest.raises(AddressRefused, match="circuits"):
        await invoice_for(ADDRESS, 21, None)


async def test_a_wallet_pays_an_address(tmp_path: Path, fake_mint: FakeMint) -> None:
    host = Host()
    async with a_wallet(tmp_path, "w", URL, transport=fake_mint, post=host) as wallet:
        await fund(wallet, URL, 64)
        quote = await wallet.melt_quote(URL, ADDRESS, 21)
        assert (quote.amount_sat, quote.fee_reserve_sat) == (21, 4)
        assert await available(wallet) == 64, "asking costs nothing"
        assert (await wallet.melt(quote.quote_id)).paid


async def test_a_mint_that_wants_more_than_the_invoice(tmp_path: Path, fake_mint: FakeMint) -> None:
    def dearer(path: str, answer: Any) -> Any:
        return {**answer, "amount": 40} if "melt/quote" in path else answer

    fake_mint.tamper = dearer
    async with a_wallet(tmp_path, "w", URL, transport=fake_mint, post=Host()) as wallet:
        with pytest.raises(MintLied):
            await wallet.melt_quote(URL, ADDRESS, 21)


async def test_a_host_that_hangs_up(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host()

    async def broken(_request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("gone")

    monkeypatch.setattr(host, "handle_async_request", broken)
    with pytest.raises(WalletError, match="no complete answer"):
        await invoice_for(ADDRESS, 21, host)
