"""Frames, regions, and the data of BEGIN, ACK and SHAPE."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import WireError
from engine.wire.frames import (
    FRAME_HEADER,
    MAX_FRAME_DATA,
    REGION_BYTES,
    Ack,
    Begin,
    Frame,
    FrameType,
    Purpose,
    encode_ack,
    encode_begin,
    pack_frame,
    parse_ack,
    parse_begin,
    parse_region,
)
from engine.wire.shape import BULK_PLAN, ShapeClass, ShapePlan, encode_shape, parse_shape

stream_ids = st.integers(1, 0xFFFF)
frames = st.one_of(
    st.builds(Frame, st.just(FrameType.DATA), stream_ids, st.binary(min_size=1, max_size=400)),
    st.builds(Frame, st.just(FrameType.CONNECTED), stream_ids, st.just(b"")),
    st.builds(Frame, st.just(FrameType.HALF_CLOSE), stream_ids, st.just(b"")),
    st.builds(Frame, st.just(FrameType.END), stream_ids, st.binary(min_size=1, max_size=1)),
    st.builds(
        Frame, st.just(FrameType.ACK), st.integers(0, 0xFFFF), st.binary(min_size=24, max_size=24)
    ),
    st.builds(Frame, st.just(FrameType.DROP), st.just(0), st.binary(max_size=100)),
    st.builds(Frame, st.just(FrameType.RUN), st.just(0), st.binary(min_size=1, max_size=1)),
    st.builds(Frame, st.just(FrameType.TRUNCATED), st.just(0), st.binary(min_size=1, max_size=1)),
    st.builds(Frame, st.just(FrameType.BEGIN), stream_ids, st.binary(min_size=1, max_size=30)),
    st.builds(
        Frame,
        st.just(FrameType.EXTENDED),
        st.just(0),
        st.binary(min_size=1_152, max_size=1_152),
    ),
)


@given(st.lists(frames, max_size=8), st.booleans())
def test_round_trip_in_as_many_regions_as_it_takes(sent: list[Frame], pad: bool) -> None:
    regions = [b""]
    for frame in sent:
        packed = pack_frame(*frame)
        if len(regions[-1]) + len(packed) > REGION_BYTES:
            regions.append(b"")
        regions[-1] += packed
    assert [frame for region in regions for frame in _parse(region, pad)] == sent


def _parse(region: bytes, pad: bool) -> list[Frame]:
    assert len(region) <= REGION_BYTES
    return parse_region(region.ljust(REGION_BYTES, b"\0") if pad else region)


@given(st.binary(max_size=REGION_BYTES + 5))
def test_any_bytes_parse_or_are_refused(data: bytes) -> None:
    try:
        parsed = parse_region(data)
    except WireError:
        return
    packed = b"".join(pack_frame(*frame) for frame in parsed)
    assert packed.ljust(len(data), b"\0") == data


@given(st.lists(frames, max_size=3), st.integers(0, REGION_BYTES - 1), st.integers(1, 255))
def test_a_changed_byte_is_still_canonical_or_refused(
    sent: list[Frame], position: int, change: int
) -> None:
    region = bytearray(REGION_BYTES)
    end = 0
    for packed in (pack_frame(*frame) for frame in sent):
        if end + len(packed) <= REGION_BYTES:
            region[end : end + len(packed)] = packed
            end += len(packed)
    region[position] ^= change
    try:
        parsed = parse_region(region)
    except WireError:
        return
    assert b"".join(pack_frame(*f) for f in parsed).ljust(REGION_BYTES, b"\0") == region


REFUSED = {
    "unknown type": FRAME_HEADER.pack(13, 1, 0),
    "header cut short": b"\x06\x00\x01\x00",
    "data cut short": FRAME_HEADER.pack(FrameType.DATA, 1, 5) + b"abcd",
    "bytes behind the end": bytes(100) + b"\x01",
    "empty DATA": FRAME_HEADER.pack(FrameType.DATA, 1, 0),
    "DATA on the circuit": FRAME_HEADER.pack(FrameType.DATA, 0, 1) + b"x",
    "EXTENDED on a stream": FRAME_HEADER.pack(FrameType.EXTENDED, 1, 1_152) + bytes(1_152),
    "EXTENDED too short": FRAME_HEADER.pack(FrameType.EXTENDED, 0, 1_151) + bytes(1_151),
    "CONNECTED with data": FRAME_HEADER.pack(FrameType.CONNECTED, 1, 1) + b"x",
    "END without reason": FRAME_HEADER.pack(FrameType.END, 1, 0),
    "ACK of another size": FRAME_HEADER.pack(FrameType.ACK, 1, 23) + bytes(23),
    "RUN without a state": FRAME_HEADER.pack(FrameType.RUN, 0, 0),
    "RUN on a stream": FRAME_HEADER.pack(FrameType.RUN, 1, 1) + b"\0",
    "region too long": FRAME_HEADER.pack(FrameType.DROP, 0, MAX_FRAME_DATA)
    + bytes(MAX_FRAME_DATA + 1),
}


@pytest.mark.parametrize("region", REFUSED.values(), ids=REFUSED.keys())
def test_what_a_region_may_not_hold(region: bytes) -> None:
    with pytest.raises(WireError):
        parse_region(region)


def test_a_full_region_holds_one_full_frame() -> None:
    region = pack_frame(FrameType.DATA, 9, b"x" * MAX_FRAME_DATA)
    assert len(region) == REGION_BYTES
    assert parse_region(region) == [Frame(FrameType.DATA, 9, b"x" * MAX_FRAME_DATA)]
    assert parse_region(b"") == parse_region(bytes(REGION_BYTES)) == []


def test_nothing_is_packed_that_the_parser_would_refuse() -> None:
    for kind, stream, data in (
        (FrameType.PAD, 0, b""),
        (FrameType.DATA, 0, b"x"),
        (FrameType.DATA, 1, b""),
        (FrameType.EXTENDED, 0, b"short"),
        (FrameType.SHAPE, 3, bytes(4)),
    ):
        with pytest.raises(ValueError, match="frame"):
            pack_frame(kind, stream, data)


@given(st.integers(0, 2**64 - 1), st.binary(min_size=16, max_size=16))
def test_ack_round_trip(total: int, digest: bytes) -> None:
    assert parse_ack(encode_ack(Ack(total, digest))) == Ack(total, digest)


@given(st.binary(max_size=30))
def test_any_bytes_as_ack(data: bytes) -> None:
    try:
        assert encode_ack(parse_ack(data)) == data
    except WireError:
        assert len(data) != 24


hosts = st.from_regex(r"[a-z0-9.:-]{1,253}", fullmatch=True)


@given(hosts, st.integers(1, 65_535))
def test_begin_round_trip(host: str, port: int) -> None:
    begin = Begin(Purpose.TCP, host, port)
    assert parse_begin(encode_begin(begin)) == begin
    for purpose in (Purpose.SESSION, Purpose.MAILBOX):
        plain = Begin(purpose)
        assert parse_begin(encode_begin(plain)) == plain == Begin(purpose, "", 0)


@given(st.binary(max_size=40))
def test_any_bytes_as_begin(data: bytes) -> None:
    for candidate in (data, b"\x02" + data, b"\x02" + bytes([len(data)]) + data + b"\x00\x50"):
        try:
            begin = parse_begin(candidate)
        except WireError:
            continue
        assert encode_begin(begin) == candidate


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01\x00",
        b"\x06",
        b"\x03\x00",
        b"\x02\x00\x00\x50",
        b"\x02\x01a\x00\x00",
        b"\x02\x01A\x00\x50",
        b"\x02\x03a b\x00\x50",
        b"\x02\x02a\r\x00\x50",
        b"\x02\x02a\x00\x00\x50",
        b"\x02\x01a\x00\x50!",
    ],
)
def test_malformed_begin(data: bytes) -> None:
    with pytest.raises(WireError):
        parse_begin(data)


@pytest.mark.parametrize(("host", "port"), [("", 80), ("UPPER", 80), ("a", 0), ("a" * 254, 80)])
def test_begin_refuses_to_write_what_it_would_not_read(host: str, port: int) -> None:
    with pytest.raises(ValueError, match="host or port"):
        encode_begin(Begin(Purpose.TCP, host, port))


ladders = st.lists(st.integers(1, 0xFFFF), min_size=1, max_size=8, unique=True).map(
    lambda steps: tuple(sorted(steps))
)


@given(st.sampled_from([ShapeClass.TEXT, ShapeClass.ALWAYS_ON]), st.integers(10, 5_000), ladders)
def test_shape_round_trip(kind: ShapeClass, tick_ms: int, ladder: tuple[int, ...]) -> None:
    plan = ShapePlan(kind, tick_ms, ladder)
    assert parse_shape(encode_shape(plan)) == plan
    frame = Frame(FrameType.SHAPE, 0, encode_shape(plan))
    assert parse_region(pack_frame(*frame)) == [frame]
    assert parse_shape(encode_shape(BULK_PLAN)) == BULK_PLAN


@given(st.binary(max_size=24))
def test_any_bytes_as_shape(data: bytes) -> None:
    try:
        plan = parse_shape(data)
    except WireError:
        return
    assert encode_shape(plan) == data


@pytest.mark.parametrize(
    "data",
    [
        "",
        "01007d",
        "03007d010040",
        "01007d00",
        "01007d0200400040",
        "01007d0201000040",
        "010009010040",
        "011389010040",
        "01007d01004000",
        "01007d010000",
    ],
)
def test_malformed_shape(data: str) -> None:
    with pytest.raises(WireError):
        parse_shape(bytes.fromhex(data))


def test_shape_names() -> None:
    assert [kind.label for kind in ShapeClass] == ["bulk", "text", "always-on"]
    assert ShapePlan(ShapeClass.TEXT).tick_s == 0.125
