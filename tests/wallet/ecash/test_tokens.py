"""Tokens come from anyone: whatever the bytes, they parse or raise the one error."""

from __future__ import annotations

import base64
import json
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.ecash import tokens
from wallet.ecash.curve import hash_to_curve
from wallet.ecash.errors import EcashError
from wallet.ecash.tokens import Token
from wallet.ecash.types import MAX_AMOUNT, Proof

POINT = hash_to_curve(b"point").format()


def v4(body: Any, after: bytes = b"") -> str:
    return "cashuB" + base64.urlsafe_b64encode(cbor2.dumps(body) + after).decode()


def v3(body: Any) -> str:
    return "cashuA" + base64.urlsafe_b64encode(json.dumps(body).encode()).decode()


def body(**changes: Any) -> dict[str, Any]:
    proof = {"a": 1, "s": "ab" * 32, "c": POINT, **changes.pop("proof", {})}
    group = {"i": bytes.fromhex("00ad268c4d1f5826"), "p": [proof], **changes.pop("group", {})}
    return {"t": [group], "m": "http://mint.test", "u": "sat", **changes}


def test_the_body_of_these_tests_is_a_token() -> None:
    assert tokens.decode(v4(body())).amount == 1


@pytest.mark.parametrize(
    "change",
    [
        {"proof": {"a": 0}},
        {"proof": {"a": -1}},
        {"proof": {"a": True}},
        {"proof": {"a": 1.0}},
        {"proof": {"a": 2**70}},
        {"proof": {"a": MAX_AMOUNT + 1}},
        {"proof": {"c": POINT[:-1]}},
        {"proof": {"c": b"\x04" + POINT[1:]}},
        {"proof": {"c": b"\x02" + b"\xff" * 32}},
        {"proof": {"c": POINT.hex()}},
        {"proof": {"s": "x" * 1025}},
        {"proof": {"s": b"bytes"}},
        {"proof": {"d": {"e": b"", "s": b"", "r": b""}}},
        {"proof": {"d": {"e": bytes(32), "s": bytes(32), "r": bytes(32)}}},
        {"group": {"i": b"\x09" * 8}},
        {"group": {"i": b"\x00" * 7}},
        {"group": {"p": []}},
        {"group": {"p": "proofs"}},
        {"t": []},
        {"t": {}},
        {"m": "file:///etc/passwd"},
        {"m": "http://user:pass@mint.test"},
        {"m": "http://mint.test/?q=1"},
        {"m": "http://mint.test:99999"},
        {"m": "javascript:alert(1)"},
        {"m": "http://" + "a" * 600},
        {"m": "http://mint test"},
        {"m": 7},
        {"u": 7},
        {"d": "x" * 1025},
    ],
)
def test_malformed_v4(change: dict[str, Any]) -> None:
    with pytest.raises(EcashError):
        tokens.decode(v4(body(**change)))


@pytest.mark.parametrize(
    "text",
    [
        v4(body(), b"\x00"),
        v4([]),
        v4(7),
        "cashuB",
        "cashuB====",
        "cashuB!!!!",
        "cashuC" + v4(body())[6:],
        "cashuA" + v4(body())[6:],
        "cashuB" + "A" * (1 << 20),
        "cashuB" + base64.urlsafe_b64encode(b"\xbf\xff").decode(),
        v3({"token": []}),
        v3([1]),
        "cashuA" + base64.urlsafe_b64encode(b"[" * 100_000).decode(),
        "cashuA" + base64.urlsafe_b64encode(b'{"token":1,"token":2}').decode(),
        "",
    ],
)
def test_malformed_texts(text: str) -> None:
    with pytest.raises(EcashError):
        tokens.decode(text)


def test_two_mints_in_one_token_are_refused() -> None:
    proof = {"amount": 1, "id": "00ad268c4d1f5826", "secret": "s", "C": POINT.hex()}
    entries = [
        {"mint": "http://a.test", "proofs": [proof]},
        {"mint": "http://b.test", "proofs": [{**proof, "secret": "t"}]},
    ]
    assert tokens.decode(v3({"token": entries[:1]})).amount == 1
    with pytest.raises(EcashError):
        tokens.decode(v3({"token": entries}))


def test_a_proof_twice_is_refused() -> None:
    proof = {"a": 1, "s": "s", "c": POINT}
    with pytest.raises(EcashError):
        tokens.decode(v4(body(group={"p": [proof, proof]})))


def test_a_written_token_carries_no_blinding_factor() -> None:
    token = tokens.decode(
        v4(body(proof={"d": {name: bytes(31) + b"\x07" for name in ("e", "s", "r")}}))
    )
    assert token.proofs[0].dleq is not None
    assert tokens.decode(tokens.encode_v4(token)).proofs[0].dleq is None


@pytest.mark.parametrize(
    ("given_url", "normal"),
    [
        ("HTTP://Mint.Test/", "http://mint.test"),
        ("https://mint.test:3338/Bitcoin/", "https://mint.test:3338/Bitcoin"),
        ("http://[::1]:3338", "http://[::1]:3338"),
    ],
)
def test_mint_addresses_have_one_spelling(given_url: str, normal: str) -> None:
    assert tokens.check_mint_url(given_url) == normal


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
proofs = st.lists(
    st.builds(
        Proof,
        st.integers(1, 2**40),
        st.sampled_from(["00ad268c4d1f5826", "00ffd48b8f5ecf80", "01" + "c" * 14]),
        names,
        st.just(POINT),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda proof: proof.secret,
)


@given(proofs, st.text(st.characters(codec="utf-8"), max_size=40))
def test_round_trip(items: list[Proof], memo: str) -> None:
    token = Token("https://mint.test:3338", tuple(items), memo=memo)
    back = tokens.decode(tokens.encode_v4(token))
    assert sorted(back.proofs, key=lambda p: p.secret) == sorted(items, key=lambda p: p.secret)
    assert (back.mint, back.memo, back.amount) == (token.mint, memo, token.amount)


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_raise(data: bytes) -> None:
    for prefix in ("cashuA", "cashuB"):
        with pytest.raises(EcashError):
            tokens.decode(prefix + base64.urlsafe_b64encode(data).decode())


@given(st.integers(0, 300), st.binary(min_size=1, max_size=3))
def test_a_damaged_token_parses_or_raises(position: int, splice: bytes) -> None:
    raw = cbor2.dumps(body())
    position %= len(raw)
    damaged = raw[:position] + splice + raw[position + len(splice) :]
    try:
        token = tokens.decode("cashuB" + base64.urlsafe_b64encode(damaged).decode())
    except EcashError:
        return
    assert token.amount > 0
