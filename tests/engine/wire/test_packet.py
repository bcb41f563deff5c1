"""Packet bodies and the chunks inside."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.crypto.packets import PACKET_PLAIN_BYTES
from engine.errors import WireError
from engine.wire.packet import (
    CHUNK_BYTES,
    Chunk,
    packet_body,
    parse_packet_body,
    split_chunks,
)


def test_sizes_are_those_of_the_document() -> None:
    assert (CHUNK_BYTES, PACKET_PLAIN_BYTES) == (1_986, 1_992)


@given(st.binary(max_size=5_000))
def test_chunks_put_together_are_the_answer(data: bytes) -> None:
    chunks = [Chunk.decode(chunk.encode()) for chunk in split_chunks(data)]
    assert b"".join(chunk.data for chunk in chunks) == data
    assert [chunk.seq for chunk in chunks] == list(range(chunks[0].total))
    assert len(chunks) == chunks[0].total


def test_an_answer_too_long_to_number_is_a_local_mistake() -> None:
    with pytest.raises(ValueError, match="65535"):
        split_chunks(bytes(CHUNK_BYTES * 65_535 + 1))


@given(st.binary(max_size=12))
def test_any_bytes_as_a_chunk(head: bytes) -> None:
    plain = head + bytes(PACKET_PLAIN_BYTES - len(head))
    for data in (plain, head):
        try:
            chunk = Chunk.decode(data)
        except WireError:
            continue
        assert chunk.encode() == data


@pytest.mark.parametrize(
    ("seq", "total", "size"),
    [(0, 0, 0), (1, 1, 0), (0, 2, 5), (0, 1, CHUNK_BYTES + 1), (0, 65_536, CHUNK_BYTES)],
)
def test_numbers_that_do_not_fit(seq: int, total: int, size: int) -> None:
    with pytest.raises(WireError):
        Chunk(seq, total, bytes(size)).encode()


def test_padding_must_be_zero() -> None:
    plain = bytearray(Chunk(0, 1, b"hello").encode())
    plain[-1] = 1
    with pytest.raises(WireError, match="padding"):
        Chunk.decode(bytes(plain))


@given(st.binary(min_size=16, max_size=16))
def test_bodies(handle: bytes) -> None:
    payload = bytes(range(251)) * 8
    body = packet_body(handle, payload)
    assert parse_packet_body(memoryview(body)) == (handle, payload)
    with pytest.raises(WireError):
        parse_packet_body(body[:-1])
    with pytest.raises(ValueError, match="2008"):
        packet_body(handle, payload[:-1])
