"""The HTTP client alone: what it sends, what it refuses, how foreign failures read."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.wallet.fake_mint import URL, FakeMint
from wallet.ecash.curve import hash_to_curve
from wallet.ecash.types import BlindedMessage
from wallet.errors import MintError, MintLied, MintProblem, MintUnreachable
from wallet.mint import MAX_ANSWER_BYTES, MintClient

pytestmark = pytest.mark.trio
B_ = hash_to_curve(b"x").format()
OUTPUT = BlindedMessage(1, "00ad268c4d1f5826", B_)


def client(answer: Callable[[httpx.Request], httpx.Response]) -> MintClient:
    return MintClient(URL, httpx.MockTransport(answer))


def fixed(status: int = 200, **kwargs: Any) -> MintClient:
    return client(lambda _request: httpx.Response(status, **kwargs))


async def test_nothing_that_could_mark_us_is_sent() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        headers = {"set-cookie": "tag=1", "etag": '"tag"', "last-modified": "yesterday"}
        return httpx.Response(200, json={"keysets": []}, headers=headers)

    mint = client(answer)
    for _ in range(2):
        await mint.keysets()
    assert set(seen[1].headers) <= {
        "host",
        "accept",
        "accept-encoding",
        "connection",
        "user-agent",
    }
    assert "peer2prompt" not in str(seen[1].headers).lower()
    assert seen[0].headers == seen[1].headers


async def test_redirects_are_not_followed() -> None:
    mint = fixed(302, headers={"location": "http://elsewhere.test/"})
    with pytest.raises(MintUnreachable, match="302"):
        await mint.keysets()


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("x"), httpx.ReadTimeout("x"), OSError("x"), httpx.ReadError("x")]
)
async def test_a_transport_that_fails(error: Exception) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        raise error

    mint = client(answer)
    with pytest.raises(MintUnreachable) as caught:
        await mint.info()
    assert caught.value.kept
    assert mint.last_error


async def test_an_endless_answer_is_cut() -> None:
    mint = fixed(content=b" " * (MAX_ANSWER_BYTES + 1))
    with pytest.raises(MintLied, match="larger"):
        await mint.keysets()


async def test_a_packed_answer_is_refused() -> None:
    packed = gzip.compress(b" " * 10_000)
    with pytest.raises(MintLied, match="packed"):
        await fixed(content=packed, headers={"content-encoding": "gzip"}).keysets()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"keysets": {}}',
        b'{"keysets": [{"id": 1, "unit": "sat", "active": true}]}',
        b'{"keysets": [{"id": "x", "unit": "sat", "active": 1}]}',
        b'{"keysets": [{"id": "x", "unit": "sat", "active": true, "input_fee_ppk": -1}]}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
async def test_an_answer_that_does_not_follow_the_protocol(content: bytes) -> None:
    with pytest.raises(MintLied, match="protocol"):
        await fixed(content=content).keysets()


async def test_refusals_carry_the_mints_code() -> None:
    mint = fixed(400, json={"detail": "Token\nalready spent\x1b[31m.", "code": 11001})
    with pytest.raises(MintError) as caught:
        await mint.swap([], [OUTPUT])
    assert caught.value.mint_code == 11001
    assert caught.value.detail == "Tokenalready spent[31m."


@pytest.mark.parametrize("content", [b"", b"<html>", b'{"code": "x"}', b"[]"])
async def test_a_refusal_without_words(content: bytes) -> None:
    with pytest.raises(MintError) as caught:
        await fixed(404, content=content).info()
    assert caught.value.mint_code == 0


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_server_trouble_is_not_an_answer(status: int) -> None:
    with pytest.raises(MintUnreachable, match=str(status)):
        await fixed(status, json={"detail": "x", "code": 0}).info()


async def test_signatures_need_their_proof() -> None:
    fake = FakeMint()
    signature = fake._sign({"id": fake.keys.id, "B_": B_.hex()}, 1)
    good = json.dumps({"signatures": [signature]})
    assert len(await fixed(content=good).swap([], [OUTPUT])) == 1
    for damage in (
        {"dleq": None},
        {"dleq": {"e": "00", "s": "00"}},
        {"C_": "02" + "ff" * 32},
        {"C_": "04" + signature["C_"][2:]},
        {"amount": 2**63},
        {"amount": "1"},
    ):
        wrong = json.dumps({"signatures": [{**signature, **damage}]})
        with pytest.raises(MintLied):
            await fixed(content=wrong).swap([], [OUTPUT])


async def test_a_keyset_with_other_keys_than_its_id_says() -> None:
    fake = FakeMint()
    head = (await MintClient(URL, fake).keysets())[0]
    keys = {str(amount): key.hex() for amount, key in fake.keys.public.items()}
    keys["1"], keys["2"] = keys["2"], keys["1"]
    answer = {"keysets": [{"id": head.id, "unit": "sat", "keys": keys}]}
    with pytest.raises(MintLied, match="id does not belong"):
        await fixed(json=answer).keyset(head)
    with pytest.raises(MintLied, match="asked for"):
        await fixed(json={"keysets": []}).keyset(head)


async def test_restore_and_states_must_answer_the_question() -> None:
    fake = FakeMint()
    signature = fake._sign({"id": fake.keys.id, "B_": B_.hex()}, 1)
    stranger = hash_to_curve(b"y").format().hex()
    for answer in (
        {"outputs": [], "signatures": [signature]},
        {"outputs": [{"B_": stranger}], "signatures": [signature]},
    ):
        with pytest.raises(MintLied):
            await fixed(json=answer).restore([OUTPUT])
    with pytest.raises(MintLied, match="left out"):
        await fixed(json={"states": []}).states([B_])


async def test_a_quote_id_cannot_reach_another_endpoint() -> None:
    mint = fixed(json={})
    for wrong in ("../swap", "a/b", "a?b", "a#b", "", "ä"):
        with pytest.raises(MintProblem):
            await mint.mint_quote(wrong)
