"""Directory messages: round trips, strictness, any bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import WireError
from engine.wire import directory as wire

IDS = st.lists(st.binary(min_size=8, max_size=8), max_size=20).map(b"".join)
BUCKET_LISTS = st.sets(st.integers(0, 255), min_size=1).map(lambda found: bytes(sorted(found)))
RAWS = st.lists(st.binary(max_size=512), max_size=8).map(tuple)
HASHES = st.binary(min_size=4_096, max_size=4_096)
MESSAGES = st.one_of(
    st.just(wire.Sum()),
    st.just(wire.AskSheet()),
    st.builds(wire.Summary, st.integers(0, 2**32 - 1), HASHES),
    st.builds(wire.List, BUCKET_LISTS),
    st.builds(wire.Ids, IDS),
    st.builds(wire.Get, IDS),
    st.builds(wire.Adverts, RAWS),
    st.builds(wire.Put, RAWS),
    st.builds(wire.Kept, st.integers(0, 512), st.integers(0, 512)),
    st.builds(wire.Offer, st.binary(max_size=11)),
    st.just(wire.AskSheet()),
    st.builds(wire.Offer, st.binary(max_size=32_768)),
)


@given(st.lists(MESSAGES, max_size=5), st.integers(1, 500))
def test_round_trip_in_any_pieces(messages: list[wire.Message], step: int) -> None:
    asked = [m for m in messages if isinstance(m, wire.Request)]
    data = b"".join(wire.encode(message) for message in asked)
    reader = wire.reader(serving=True)
    found = [m for at in range(0, len(data), step) for m in reader.feed(data[at : at + step])]
    assert found == asked
    assert reader.empty


@given(st.binary(max_size=300))
def test_any_bytes_decode_or_raise_wire_error(data: bytes) -> None:
    try:
        message = wire.decode(data)
    except WireError:
        return
    assert wire.encode(message)[4:] == data


@pytest.mark.parametrize(
    "message",
    [
        wire.List(b""),
        wire.List(b"\x02\x01"),
        wire.List(b"\x01\x01"),
        wire.Get(bytes(7)),
        wire.Get(bytes(8 * 513)),
        wire.Ids(bytes(9)),
        wire.Summary(1, bytes(4_095)),
        wire.Adverts((bytes(513),)),
        wire.Put((b"",) * 513),
        wire.Kept(513, 0),
        wire.Offer(bytes(32_769)),
    ],
    ids=lambda message: type(message).__name__,
)
def test_what_is_out_of_bounds_is_refused(message: wire.Message) -> None:
    with pytest.raises(WireError):
        wire.decode(wire.encode(message)[4:])


def test_each_side_takes_only_what_the_other_may_send() -> None:
    with pytest.raises(WireError):
        wire.reader(serving=True).feed(wire.encode(wire.Kept(0, 0)))
    with pytest.raises(WireError):
        wire.reader(serving=False).feed(wire.encode(wire.Sum()))


def test_a_length_out_of_range_is_refused_at_once() -> None:
    with pytest.raises(WireError):
        wire.reader(serving=True).feed((wire.MAX_MESSAGE + 1).to_bytes(4, "big"))
    with pytest.raises(WireError):
        wire.reader(serving=True).feed(bytes(4))


def test_ids_and_bucket_hashes_are_fixed_by_the_protocol() -> None:
    assert wire.advert_id(b"abc").hex() == wire.advert_id(b"abc").hex()
    one, two = wire.advert_id(b"1"), wire.advert_id(b"2")
    assert wire.bucket_hash([one, two]) == wire.bucket_hash([two, one])
    assert wire.bucket_hash([one]) != wire.bucket_hash([two])
