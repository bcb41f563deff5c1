"""The DHT's messages: one encoding each, and any bytes are a message or a WireError."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import WireError
from engine.wire import dht as wire
from engine.wire.cells import BODY_BYTES
from engine.wire.dht import Verdict
from engine.wire.record import RECORD_BYTES

ids = st.binary(min_size=8, max_size=8)
keys = st.binary(min_size=32, max_size=32)
records = st.binary(min_size=RECORD_BYTES, max_size=RECORD_BYTES)


def contacts(most: int) -> st.SearchStrategy[tuple[bytes, ...]]:
    return st.lists(keys, max_size=most, unique=True).map(tuple)


@st.composite
def values(draw: st.DrawFn) -> wire.Values:
    found = tuple(draw(st.lists(records, max_size=wire.MAX_RECORDS)))
    named = draw(contacts(wire.CONTACTS_WITH_RECORDS if found else wire.MAX_CONTACTS))
    total = draw(st.integers(len(found), 0xFFFF))
    return wire.Values(draw(ids), total, found, named)


messages = st.one_of(
    st.builds(wire.Ping, ids),
    st.builds(wire.FindNode, ids, keys),
    st.builds(wire.FindValue, ids, keys, st.integers(0, wire.MAX_PAGE)),
    st.builds(wire.Store, ids, keys, records),
    st.builds(wire.Pong, ids),
    st.builds(wire.Nodes, ids, contacts(wire.MAX_CONTACTS)),
    values(),
    st.builds(wire.Stored, ids, st.sampled_from(Verdict), st.integers(0, 24)),
)


@given(messages)
def test_a_message_is_read_back_and_fills_a_cell(message: wire.Message) -> None:
    body = wire.encode(message)
    assert len(body) == BODY_BYTES
    assert wire.parse(body) == message


@given(st.binary(max_size=64) | st.binary(min_size=BODY_BYTES, max_size=BODY_BYTES))
def test_any_bytes_are_a_message_or_an_error(data: bytes) -> None:
    for body in (data, data.ljust(BODY_BYTES, b"\0")):
        try:
            message = wire.parse(body)
        except WireError:
            continue
        assert wire.encode(message) == body


@given(messages, st.integers(0, BODY_BYTES - 1), st.integers(1, 255))
def test_a_changed_byte_is_another_message_or_an_error(
    message: wire.Message, at: int, flip: int
) -> None:
    body = bytearray(wire.encode(message))
    body[at] ^= flip
    try:
        found = wire.parse(body)
    except WireError:
        return
    assert found != message
    assert wire.encode(found) == body


def _refused(body: bytes) -> None:
    with pytest.raises(WireError):
        wire.parse(body.ljust(BODY_BYTES, b"\0"))


def test_more_than_the_bounds_is_refused() -> None:
    name, head = bytes(8), bytes([0x82]) + bytes(8)
    many = [bytes([n]) * 32 for n in range(1, wire.MAX_CONTACTS + 2)]
    _refused(head + bytes([len(many)]) + b"".join(many))
    _refused(head + bytes([2]) + many[0] * 2)  # the same one twice
    _refused(bytes([0x83]) + name + bytes([0, 0, 1]) + b"r" * RECORD_BYTES + b"\0")  # of none
    _refused(bytes([0x84]) + name + bytes([9, 0]))
    _refused(bytes([0x84]) + name + bytes([0, 25]))
    _refused(bytes([1]) + name + b"\1")  # something behind a ping
    _refused(bytes([5]) + name)
    with pytest.raises(WireError):
        wire.parse(wire.encode(wire.Ping(name))[:-1])


def test_what_does_not_fit_is_not_sent() -> None:
    full = tuple(bytes([n]) * 32 for n in range(wire.MAX_CONTACTS))
    with pytest.raises(ValueError, match="does not fit"):
        wire.encode(wire.Values(bytes(8), 3, (bytes(RECORD_BYTES),) * 3, full))
    with pytest.raises(ValueError, match="does not fit"):
        wire.encode(wire.Ping(bytes(7)))


def test_no_answer_is_larger_than_its_question() -> None:
    """FACTS: one spoofed 50-byte ping drew 173 kB from the package."""
    answer = wire.Values(
        bytes(8), 9, (bytes(RECORD_BYTES),) * 3, tuple(bytes([n]) * 32 for n in range(5))
    )
    assert len(wire.encode(answer)) == len(wire.encode(wire.Ping(bytes(8))))
