"""What is said on mailbox streams: constant sizes, strict parsing."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import WireError
from engine.wire.mailbox import (
    ANSWER_BYTES,
    REQUEST_BYTES,
    Batch,
    BoxRequest,
    DiscardRequest,
    Greeting,
    PollRequest,
    RouteRequest,
    Status,
    encode_have,
    has,
    parse_request,
    parse_status,
    split_answer,
    work_bits,
)
from engine.wire.reply_block import CELL_STEPS
from tests.engine.crypto.support import load_vectors

VECTORS = load_vectors("mailbox.json")
hosts = st.ip_addresses().map(str).filter(lambda host: not host.startswith("::ffff:"))
keys = st.binary(min_size=32, max_size=32)
nonces = st.binary(min_size=8, max_size=8)
batches = st.builds(
    Batch, keys, keys, keys, st.sampled_from(CELL_STEPS), st.integers(60, 6 * 3_600)
)
requests = st.one_of(
    st.builds(RouteRequest, nonces, batches, keys, keys, hosts, st.integers(1, 65_535)),
    st.builds(BoxRequest, nonces, batches),
    st.builds(PollRequest, keys, st.binary(min_size=128, max_size=128)),
    st.builds(DiscardRequest, keys),
)
Request = RouteRequest | BoxRequest | PollRequest | DiscardRequest


@given(requests)
def test_every_request_has_one_size_and_one_encoding(request: Request) -> None:
    data = request.encode()
    assert len(data) == REQUEST_BYTES == 256
    assert parse_request(data) == request


@given(requests, st.integers(0, 255), st.integers(1, 255))
def test_a_changed_byte_is_another_request_or_none(
    request: Request, place: int, change: int
) -> None:
    data = bytearray(request.encode())
    data[place] ^= change
    try:
        other = parse_request(bytes(data))
    except WireError:
        return
    assert other != request
    assert other.encode() == data


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_as_a_request(data: bytes, whole: bool) -> None:
    data = data[:256].ljust(256, b"\0") if whole else data
    try:
        request = parse_request(data)
    except WireError:
        return
    assert request.encode() == data


@pytest.mark.parametrize("name", VECTORS["requests"])
def test_request_vectors(name: str) -> None:
    data = bytes.fromhex(VECTORS["requests"][name])
    assert type(parse_request(data)).__name__.lower() == f"{name}request"


@pytest.mark.parametrize(
    "changes", [{"cells": 17}, {"cells": 0}, {"ttl_s": 59}, {"ttl_s": 21_601}], ids=str
)
def test_batches_out_of_bounds(changes: dict[str, int]) -> None:
    batch = Batch(bytes(32), bytes(32), bytes(32), 16, 60)
    with pytest.raises(WireError):
        BoxRequest(bytes(8), dataclasses.replace(batch, **changes)).encode()


@given(st.sets(st.integers(0, 1_023)))
def test_have_bits(places: set[int]) -> None:
    have = encode_have(places)
    assert len(have) == 128
    assert {place for place in range(1_024) if has(have, place)} == places


def test_the_first_place_is_the_top_bit_of_the_first_byte() -> None:
    assert encode_have([0, 9])[:2] == b"\x80\x40"


def test_greetings_statuses_and_answers() -> None:
    greeting = Greeting(bytes(range(16)), 8, 11)
    assert Greeting.decode(greeting.encode()) == greeting
    assert greeting.encode()[16:] == b"\x08\x0b"
    for status in Status:
        assert parse_status(bytes([status])) is status
    for wrong in (b"", b"\x04", b"\x00\x00"):
        with pytest.raises(WireError):
            parse_status(wrong)
    with pytest.raises(WireError):
        Greeting.decode(bytes(17))
    assert [len(body) for body in split_answer(bytes(ANSWER_BYTES))] == [2_024] * 16
    with pytest.raises(WireError):
        split_answer(bytes(ANSWER_BYTES - 1))


def test_work_doubles_with_the_batch() -> None:
    assert [work_bits(8, cells) for cells in CELL_STEPS] == [8, 10, 12, 14]
    assert work_bits(20, 1_024) == 24
