"""Codecs of the session protocol: strictness, round trips, hostile bytes, vectors."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.crypto.keys import node_id_of
from engine.errors import WireError
from engine.identity import Identity
from engine.wire import cbor, session
from engine.wire.quote import LABEL as QUOTE_LABEL
from engine.wire.quote import ModelOffer, Quote
from engine.wire.receipt import Receipt, countersign, countersigned, receipt_hash
from tests.engine.market import make_vectors

VECTORS = Path(__file__).parents[3] / "docs" / "vectors" / "session.json"
GHOST = Identity(bytes(range(32)))
QUOTE = Quote(
    key=GHOST.public,
    id=bytes(16),
    models=(ModelOffer.plain("tiny", 10_000_000, 100_000_000, 1000),),
    chunk_msat=10_000,
    cap_msat=500_000,
    mints=("http://mint.example",),
    policy=bytes(32),
    expires=1_800_000_000,
)


def octets(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


u32 = st.integers(1, 2**32 - 1)
zero32 = st.integers(0, 2**32 - 1)
amount = st.integers(0, 2**53)
words = st.text(max_size=60)
keyset = st.one_of(octets(8), octets(33))
proof = st.builds(session.WireProof, st.integers(1, 2**63), keyset, words, octets(33))
signature = st.builds(
    session.WireSignature, st.integers(1, 2**63), keyset, octets(33), octets(32), octets(32)
)
outs = st.lists(octets(33), max_size=4).map(tuple)
change = st.lists(signature, max_size=3).map(tuple)
MESSAGES = st.one_of(
    st.builds(
        session.Hello, st.integers(0, 255), octets(16), octets(32), st.booleans(), octets(64)
    ),
    st.builds(
        session.Pay,
        u32,
        words,
        st.integers(1, 2**43),
        keyset,
        st.lists(proof, max_size=3).map(tuple),
        outs,
    ),
    st.builds(
        session.Ask,
        u32,
        st.text(max_size=30),
        st.binary(max_size=300),
        st.sampled_from([b"", bytes(range(16))]),
    ),
    st.builds(
        session.Mail, u32, st.lists(st.binary(max_size=512), min_size=1, max_size=3).map(tuple)
    ),
    st.builds(session.Cancel, u32),
    st.builds(session.Resume, u32, amount),
    st.builds(session.Sign, u32, octets(64)),
    st.builds(session.Settle, words, st.integers(1, 2**43), keyset, outs),
    st.builds(session.Bye),
    st.builds(session.QuoteMsg, st.binary(max_size=300)),
    st.builds(session.Paid, zero32, amount, change),
    st.builds(session.Started, u32),
    st.builds(session.Delta, u32, amount, amount, words),
    st.builds(session.Need, u32, amount, amount),
    st.builds(
        session.Done,
        u32,
        st.text(max_size=8),
        amount,
        amount,
        amount,
        amount,
        amount,
        st.binary(max_size=300),
    ),
    st.builds(session.Settled, amount, change),
    st.builds(
        session.Error,
        zero32,
        zero32,
        st.text(max_size=8),
        words,
        words,
        st.booleans(),
        st.integers(0, 86_400),
    ),
)


@given(MESSAGES)
def test_every_message_has_one_encoding_and_comes_back(message: session.Message) -> None:
    raw = session.encode(message)
    assert int.from_bytes(raw[:4], "big") == len(raw) - 4
    assert session.decode(raw[4:]) == message
    assert cbor2.loads(raw[4:])["t"] == session.CATALOGUE.tag(type(message))
    assert cbor2.dumps(cbor2.loads(raw[4:]), canonical=True) == raw[4:]


@given(st.lists(MESSAGES, max_size=4), st.integers(1, 50))
def test_reader_finds_messages_however_they_are_cut(
    messages: list[session.Message], size: int
) -> None:
    for from_client in (True, False):
        side = session.MessageReader.CLIENT if from_client else session.MessageReader.GHOST
        mine = [message for message in messages if isinstance(message, side)]
        data = b"".join(session.encode(message) for message in mine)
        reader = session.MessageReader(from_client=from_client)
        found: list[session.Message] = []
        for start in range(0, len(data), size):
            found += reader.feed(data[start : start + size])
        assert found == mine
        assert reader.empty


@given(st.binary(max_size=400))
def test_any_bytes_decode_or_raise_the_one_error(data: bytes) -> None:
    try:
        value = cbor.decode(data)
    except WireError:
        return
    assert cbor.encode(value) == data


@given(MESSAGES, st.integers(0, 10_000), st.integers(0, 255))
def test_damaged_messages_decode_to_themselves_or_fail(
    message: session.Message, at: int, byte: int
) -> None:
    raw = bytearray(session.encode(message)[4:])
    raw[at % len(raw)] = byte
    try:
        found = session.decode(bytes(raw))
    except WireError:
        return
    assert session.encode(found)[4:] == bytes(raw)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "too early"),
        (bytes.fromhex("1817"), "shortest"),
        (bytes.fromhex("190017"), "shortest"),
        (bytes.fromhex("5f4101ff"), "length form"),
        (bytes.fromhex("a2616201616102"), "order"),
        (bytes.fromhex("a2616101616102"), "order"),
        (bytes.fromhex("a10101"), "not text"),
        (bytes.fromhex("f6"), "type"),
        (bytes.fromhex("fb3ff0000000000000"), "length form|type"),
        (bytes.fromhex("c101"), "type"),
        (bytes.fromhex("62c328"), "UTF-8"),
        (bytes.fromhex("0000"), "after its end"),
        (bytes.fromhex("9b00000001000000"), "too early|many"),
        (b"\x81" * 2000 + b"\x00", "deeply"),
    ],
)
def test_cbor_that_is_not_deterministic(raw: bytes, why: str) -> None:
    with pytest.raises(WireError, match=why):
        cbor.decode(raw)


@pytest.mark.parametrize(
    "fields_of",
    [
        {"t": "cancel"},
        {"t": "cancel", "q": 1, "x": 1},
        {"t": "cancel", "q": 0},
        {"t": "cancel", "q": True},
        {"t": "cancel", "q": "1"},
        {"t": "nonsense"},
        {"t": 1},
        {"q": 1},
        {"t": "sign", "n": 1, "sig": bytes(63)},
        {"t": "settle", "mint": "m", "sat": 1, "id": bytes(9), "outs": []},
        {"t": "delta", "q": 1, "off": 0, "out": -1, "text": ""},
        {"t": "error", "q": 0, "n": 0, "code": "c" * 33, "message": "", "kept": "", "retry": False}
        | {"after": 0},
    ],
)
def test_messages_with_wrong_fields(fields_of: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        session.decode(cbor.encode(fields_of))


def test_reader_refuses_lengths_out_of_range_and_the_wrong_side() -> None:
    for size in (0, session.MAX_MESSAGE + 1):
        with pytest.raises(WireError, match="length"):
            session.MessageReader(from_client=True).feed(size.to_bytes(4, "big"))
    with pytest.raises(WireError, match="side"):
        session.MessageReader(from_client=True).feed(session.encode(session.Started(1)))


@given(MESSAGES)
def test_no_repr_shows_text_money_or_keys(message: session.Message) -> None:
    secret = {"text", "body", "proofs", "outs", "change", "sig", "session", "key", "raw", "receipt"}
    shown = {item.name for item in fields(message) if item.repr}
    assert not shown & secret


def test_quote_signature_and_sense() -> None:
    raw = QUOTE.encode(GHOST.sign)
    assert Quote.decode(raw) == QUOTE
    assert QUOTE.node_id == node_id_of(GHOST.public)
    for at in (0, 63, 64, len(raw) - 1):
        broken = bytearray(raw)
        broken[at] ^= 1
        with pytest.raises(WireError):
            Quote.decode(bytes(broken))
    with pytest.raises(WireError):
        Quote.decode(QUOTE.encode(Identity.generate().sign))
    locked = replace(QUOTE, lock=b"\x02" + bytes(32))
    assert Quote.decode(locked.encode(GHOST.sign)) == locked
    with pytest.raises(WireError):
        Quote.decode(replace(QUOTE, lock=bytes(32)).encode(GHOST.sign))


@pytest.mark.parametrize(
    "change",
    [
        {"chunk_msat": 10_500},
        {"chunk_msat": 1000},
        {"mints": ()},
        {"mints": ("a", "a")},
        {"models": (QUOTE.models[0], QUOTE.models[0])},
        {"models": (ModelOffer.plain("dear", 0, 400_000_000, 10),)},
        {"models": (replace(QUOTE.models[0], cached_price=10_000_001),)},
        {"models": (replace(QUOTE.models[0], reasoning_price=100_000_001),)},
        {"models": (replace(QUOTE.models[0], max_hidden=51),)},
        {"models": tuple(ModelOffer.plain("m" * 100 + str(n), 1, 1, 1) for n in range(400))},
    ],
)
def test_quotes_that_make_no_sense(change: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        replace(QUOTE, **change).encode(GHOST.sign)


def test_receipt_chain_and_countersignature() -> None:
    client = Identity.generate()
    receipt = Receipt(bytes(32), 1, bytes(32), "tiny", 5, 7, 1, 2, 900, bytes(32), bytes(16))
    raw = receipt.encode(GHOST.sign)
    assert Receipt.decode(raw, GHOST.public) == receipt
    with pytest.raises(WireError):
        Receipt.decode(raw, client.public)
    signature = countersign(raw, client.sign)
    assert countersigned(raw, client.public, signature)
    assert not countersigned(raw, GHOST.public, signature)
    assert receipt_hash(raw) != receipt_hash(receipt.encode(client.sign))


def test_a_quote_never_passes_as_a_receipt() -> None:
    raw = QUOTE.encode(GHOST.sign)
    assert raw[64:] not in (b"", QUOTE_LABEL)
    with pytest.raises(WireError):
        Receipt.decode(raw, GHOST.public)


def test_a_small_question_fits_one_cell() -> None:
    body = json.dumps({"messages": [{"role": "user", "content": "x" * 1500}]}).encode()
    assert len(session.encode(session.Ask(1, "smollm2-135m-instruct", body, bytes(16)))) < 1955


def test_vectors_in_the_documentation() -> None:
    """docs/protocol-session.md prints these; a second implementation starts from them."""
    found = json.loads(VECTORS.read_text())
    assert found == make_vectors.vectors()
    assert found["source"].startswith("Generated by")
    for case in found["messages"]:
        raw = bytes.fromhex(case["hex"])
        message = session.decode(raw[4:])
        assert type(message).__name__ == case["type"]
        assert session.encode(message) == raw
    for case in found["invalid"]:
        with pytest.raises(WireError):
            session.decode(bytes.fromhex(case["hex"]))
    ghost = Identity(bytes.fromhex(found["quote"]["ghost_seed"]))
    quote = Quote.decode(bytes.fromhex(found["quote"]["hex"]))
    assert quote.encode(ghost.sign).hex() == found["quote"]["hex"]
    assert quote.node_id.hex() == found["quote"]["node_id"]
    receipt = Receipt.decode(bytes.fromhex(found["receipt"]["hex"]), ghost.public)
    assert receipt.encode(ghost.sign).hex() == found["receipt"]["hex"]
    assert receipt_hash(bytes.fromhex(found["receipt"]["hex"])).hex() == found["receipt"]["hash"]
    hello = found["hello"]
    client = Identity(bytes.fromhex(hello["session_seed"]))
    assert (
        session.session_hash(bytes.fromhex(hello["session"]), client.public).hex()
        == (hello["session_hash"])
    )
    signed = session.hello_bytes(
        ghost.node_id,
        bytes.fromhex(hello["circuit_tag"]),
        bytes.fromhex(hello["session"]),
        resume=False,
    )
    assert signed.hex() == hello["signed_bytes"]
    assert client.sign(signed).hex() == hello["sig"]
