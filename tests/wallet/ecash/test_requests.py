"""Payment requests: written and read alike, and strictly."""

from __future__ import annotations

import base64
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.ecash import conditions, quotes, requests
from wallet.ecash.errors import EcashError
from wallet.ecash.requests import PaymentRequest, PostTarget

KEY = quotes.public_key(b"\x07" * 32)


def text_of(body: Any) -> str:
    return "creqA" + base64.urlsafe_b64encode(cbor2.dumps(body)).decode().rstrip("=")


def test_a_request_from_the_specification() -> None:
    """The example of NUT-18: Nostr transport, 10 sat, one mint."""
    text = (
        "creqApWF0gaNhdGVub3N0cmFheKlucHJvZmlsZTFxeTI4d3VtbjhnaGo3dW45ZDNzaGp0bnl2OWtoMnVld2Q5"
        "aHN6OW1od2RlbjV0ZTB3ZmprY2N0ZTljdXJ4dmVuOWVlaHFjdHJ2NWhzenJ0aHdkZW41dGUwZGVoaHh0bnZk"
        "YWtxcWd5ZGFxeTdjdXJrNDM5eWtwdGt5c3Y3dWRoZGh1NjhzdWNtMjk1YWtxZWZkZWhrZjBkNDk1Y3d1bmw1"
        "YWeBgmFuYjE3YWloYjdhOTAxNzZhYQphdWNzYXRhbYF4Imh0dHBzOi8vbm9mZWVzLnRlc3RudXQuY2FzaHUu"
        "c3BhY2U="
    )
    request = requests.decode(text)
    assert (request.id, request.amount, request.unit) == ("b7a90176", 10, "sat")
    assert request.mints == ("https://nofees.testnut.cashu.space",)
    assert [t.kind for t in request.transports] == ["nostr"]


@given(
    st.text(max_size=20),
    st.none() | st.integers(1, 2**40),
    st.lists(st.sampled_from(["https://a.example", "http://b.example:3338"]), max_size=2),
    st.text(max_size=50),
    st.booleans(),
    st.booleans(),
)
def test_what_is_written_is_read(
    name: str, amount: int | None, mints: list[str], description: str, single: bool, locked: bool
) -> None:
    lock = conditions.lock_to_keys([KEY], locktime=1_900_000_000) if locked else None
    request = PaymentRequest(
        name,
        amount,
        "sat",
        tuple(mints),
        description,
        single,
        (PostTarget("post", "https://c.example/pay"),),
        lock,
    )
    assert requests.decode(requests.encode(request)) == request


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"a": -1},
        {"a": 2**70},
        {"a": True},
        {"m": ["file:///etc/passwd"]},
        {"m": "https://a.example"},
        {"m": ["https://a.example"] * 65},
        {"u": "x" * 17},
        {"t": [5]},
        {"nut10": {"k": "P2SH", "d": "00"}},
        {"nut10": {"k": "P2PK", "d": "00"}},
    ],
)
def test_malformed_requests(body: Any) -> None:
    with pytest.raises(EcashError):
        requests.decode(text_of(body))


@given(st.binary(max_size=100))
def test_any_bytes_parse_or_raise(data: bytes) -> None:
    try:
        requests.decode("creqA" + base64.urlsafe_b64encode(data).decode())
    except EcashError:
        return


@pytest.mark.parametrize("text", ["", "creqB", "creqA*", text_of({})[:-1] + "é", "x" * 20_000])
def test_what_is_no_request(text: str) -> None:
    with pytest.raises(EcashError):
        requests.decode(text)


@pytest.mark.parametrize("text", ["{", "[]", '{"mint": "https://a.example", "proofs": []}'])
def test_malformed_payments(text: str) -> None:
    with pytest.raises(EcashError):
        requests.from_payload(text)
