"""Handshake cell bodies, addresses and EXTEND."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import WireError
from engine.wire.create import (
    CREATE_BYTES,
    CREATED_BYTES,
    Extend,
    create_body,
    created_body,
    encode_address,
    encode_extend,
    parse_address,
    parse_create_body,
    parse_created_body,
    parse_extend,
)
from engine.wire.frames import FrameType, pack_frame, parse_region


def test_bodies_are_full_and_differ_in_what_is_left() -> None:
    create, created = os.urandom(CREATE_BYTES), os.urandom(CREATED_BYTES)
    one, two = create_body(create), create_body(create)
    assert len(one) == len(created_body(created)) == 2_024
    assert one != two
    assert parse_create_body(one) == parse_create_body(memoryview(two)) == create
    assert parse_created_body(created_body(created)) == created


def test_wrong_lengths() -> None:
    with pytest.raises(ValueError, match="length"):
        create_body(bytes(5))
    with pytest.raises(WireError):
        parse_create_body(bytes(2_023))
    with pytest.raises(ValueError, match="length"):
        encode_extend("127.0.0.1", 1, bytes(5))


hosts = st.ip_addresses().map(str).filter(lambda host: not host.startswith("::ffff:"))


@given(hosts, st.integers(1, 65_535))
def test_extend_round_trip(host: str, port: int) -> None:
    payload = os.urandom(CREATE_BYTES)
    data = encode_extend(host, port, payload)
    assert parse_extend(data) == Extend(host, port, payload)
    (frame,) = parse_region(pack_frame(FrameType.EXTEND, 0, data))
    assert parse_extend(frame.data).payload == payload
    assert parse_address(encode_address(host, port), 0) == (host, port, len(data) - CREATE_BYTES)


@given(st.binary(max_size=25), st.booleans())
def test_any_bytes_as_extend(head: bytes, whole: bool) -> None:
    data = head + bytes(CREATE_BYTES) if whole else head
    try:
        extend = parse_extend(data)
    except WireError:
        return
    assert encode_extend(extend.host, extend.port, extend.payload) == data


@pytest.mark.parametrize(
    "address",
    [
        "",
        "05" + "7f000001" + "0050",
        "04" + "7f000001" + "0000",
        "04" + "7f0000",
        "06" + "00" * 10 + "ffff7f000001" + "0050",
    ],
)
def test_malformed_addresses(address: str) -> None:
    with pytest.raises(WireError):
        parse_address(bytes.fromhex(address), 0)


@pytest.mark.parametrize(("host", "port"), [("example.org", 80), ("127.0.0.1", 0), ("::1", 70_000)])
def test_only_literal_addresses_are_written(host: str, port: int) -> None:
    with pytest.raises(ValueError, match=r"port|address"):
        encode_address(host, port)
