"""A Lightning address on a real HTTP server of this machine, with invoices a mint can pay.

The address has a public name; `reach` is the way a wallet is given to it: whatever host is asked
for, the request goes to the server.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import httpx
from coincurve import PrivateKey

from tests.helpers.threaded_http import QuietHandler, serving_in_thread
from wallet.ecash import bech32

ADDRESS = "ghost@pay.example"
METADATA = json.dumps([["text/plain", "To a ghost"], ["text/identifier", ADDRESS]])
_NODE = PrivateKey(bytes(range(1, 33)))


def signed_invoice(amount_sat: int, description: bytes) -> str:
    """A BOLT11 invoice over a description's hash, signed as a Lightning node would."""
    prefix = f"lnbc{amount_sat * 10}n"
    groups = _groups(int(time.time()), 7)
    for kind, content in (
        (1, os.urandom(32)),  # payment hash
        (16, os.urandom(32)),  # payment secret
        (23, hashlib.sha256(description).digest()),
    ):
        groups += [kind, 1, 20, *_groups(int.from_bytes(content, "big") << 4, 52)]
    groups += [5, 0, 3, *_groups(1 << 14, 3)]  # features: payment secrets
    bits = "".join(f"{group:05b}" for group in groups)
    padded = bits + "0" * (-len(bits) % 8)
    signed = prefix.encode() + int(padded, 2).to_bytes(len(padded) // 8, "big")
    signature = _NODE.sign_recoverable(hashlib.sha256(signed).digest(), hasher=None)
    groups += _groups(int.from_bytes(signature, "big"), 104)
    return bech32.join(prefix, groups, bech32.BECH32).lower()


def _groups(number: int, count: int) -> list[int]:
    return [number >> 5 * (count - 1 - index) & 31 for index in range(count)]


class LnurlHost(httpx.AsyncBaseTransport):
    """Also a transport: requests for the address's host go to the server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[str] = []
        self.invoices: list[str] = []
        self._http = httpx.AsyncHTTPTransport()

    def reach(self, _url: str) -> httpx.AsyncBaseTransport:
        return self

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self.port)
        sent = httpx.Request(request.method, url, headers={"host": "pay.example"})
        return await self._http.handle_async_request(sent)

    async def aclose(self) -> None:
        await self._http.aclose()

    def answer(self, path: str) -> dict[str, object]:
        self.asked.append(path)
        parts = urlsplit(path)
        if parts.path == "/.well-known/lnurlp/ghost":
            return {
                "tag": "payRequest",
                "callback": "https://pay.example/cb",
                "metadata": METADATA,
                "minSendable": 1_000,
                "maxSendable": 100_000_000_000,
            }
        amount_sat = int(parse_qs(parts.query)["amount"][0]) // 1000
        self.invoices.append(signed_invoice(amount_sat, METADATA.encode()))
        return {"pr": self.invoices[-1], "routes": []}


@contextmanager
def lnurl_host() -> Iterator[LnurlHost]:
    """A running host."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            self.answer(200, json.dumps(host.answer(self.path)).encode())

    with serving_in_thread(Handler) as port:
        host = LnurlHost(port)
        yield host
