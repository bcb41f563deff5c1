"""NUT-17 messages: what is asked, and any answer there may be."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.ecash.errors import EcashError
from wallet.ecash.subscriptions import Accepted, News, Refused, Topic, read, subscribe

# The example of NUT-17, with our ids.
EXAMPLE = {
    "jsonrpc": "2.0",
    "method": "subscribe",
    "params": {"kind": "bolt11_mint_quote", "filters": ["one", "two"], "subId": "s"},
    "id": 1,
}
KEYS = st.sampled_from(["id", "method", "params", "result", "error", "subId", "payload", "state"])
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)


def test_the_request() -> None:
    assert json.loads(subscribe(1, "s", Topic.MINT_QUOTE, ["one", "two"])) == EXAMPLE
    for names in ([], ["x"] * 101):
        with pytest.raises(EcashError):
            subscribe(1, "s", Topic.PROOF_STATE, names)


@pytest.mark.parametrize(
    ("message", "meaning"),
    [
        ({"jsonrpc": "2.0", "result": {"status": "OK", "subId": "s"}, "id": 1}, Accepted()),
        ({"jsonrpc": "2.0", "result": {"status": "OK", "subId": "s"}, "id": 2}, None),
        ({"jsonrpc": "2.0", "error": {"code": -32601, "message": "no"}, "id": 1}, Refused()),
        (
            {
                "method": "subscribe",
                "params": {"subId": "s", "payload": {"quote": "one", "state": "PAID", "x": 1}},
            },
            News("one", "PAID"),
        ),
        (
            {
                "method": "subscribe",
                "params": {"subId": "s", "payload": {"Y": "02", "state": "SPENT"}},
            },
            News("02", "SPENT"),
        ),
        ({"method": "subscribe", "params": {"subId": "t", "payload": {"state": "PAID"}}}, None),
        ({"method": "weather", "params": 7}, None),
    ],
)
def test_answers(message: object, meaning: object) -> None:
    assert read(json.dumps(message), 1, "s") == meaning


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "7", "{", "\ud800", '{"method": "subscribe"}', "[" * 100_000),
        '{"method": "subscribe", "params": {"subId": "s", "payload": {"quote": "one"}}}',
        '{"method": "subscribe", "params": {"subId": "s", "payload": {"state": 7}}}',
        '{"method": "' + "x" * 2000 + '"}',
    ],
)
def test_wrong_ones(text: str) -> None:
    with pytest.raises(EcashError):
        read(text, 1, "s")


@given(PLAIN)
def test_any_json_is_understood_or_refused(value: object) -> None:
    try:
        found = read(json.dumps(value), 1, "s")
    except EcashError:
        return
    assert found is None or isinstance(found, Accepted | Refused | News)


@given(st.binary(max_size=200))
def test_any_bytes_are_understood_or_refused(data: bytes) -> None:
    try:
        read(data, 1, "s")
    except EcashError:
        return
