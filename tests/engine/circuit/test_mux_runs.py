"""Many regions at once: the same bytes leave, and the same events come out, as one by one."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.circuit.mux import CIRCUIT_WINDOW, STREAM_WINDOW, Mux
from engine.circuit.mux_events import Event, StreamData, StreamOpened
from engine.errors import ProtocolError
from engine.wire.frames import FRAME_HEADER, MAX_FRAME_DATA, REGION_BYTES, FrameType

# Every operation is (stream, bytes to write, finish afterwards).
WRITES = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 60_000), st.booleans()), min_size=1, max_size=8
)


def _sender(writes: list[tuple[int, int, bool]]) -> Mux:
    mux = Mux(initiator=True)
    for _ in range(3):
        mux.open_stream(b"\x01")
    finished: set[int] = set()
    for stream_id, size, finish in writes:
        if stream_id not in finished:
            mux.write(stream_id, bytes([stream_id]) * size)
            if finish:
                mux.finish(stream_id)
                finished.add(stream_id)
    return mux


def _one_by_one(mux: Mux) -> list[bytes]:
    regions = []
    while (region := mux.next_region()) is not None:
        regions.append(region)
    return regions


def _merged(events: list[Event]) -> list[Event]:
    """Data of a stream that was split differently compares equal."""
    merged: list[Event] = []
    for event in events:
        last = merged[-1] if merged else None
        if (
            isinstance(event, StreamData)
            and isinstance(last, StreamData)
            and last.stream_id == event.stream_id
        ):
            merged[-1] = StreamData(event.stream_id, last.data + event.data)
        else:
            merged.append(event)
    return merged


@settings(max_examples=60, deadline=None)
@given(WRITES, st.integers(1, 64))
def test_what_leaves_does_not_depend_on_how_it_is_asked_for(
    writes: list[tuple[int, int, bool]], most: int
) -> None:
    one, many = _sender(writes), _sender(writes)
    regions: list[bytes] = []
    while batch := many.next_regions(most):
        assert len(batch) <= most
        regions += batch
    assert regions == _one_by_one(one)
    assert not many.has_output


@settings(max_examples=60, deadline=None)
@given(WRITES, st.integers(1, 40))
def test_what_arrives_does_not_depend_on_how_it_is_handed_in(
    writes: list[tuple[int, int, bool]], most: int
) -> None:
    regions = [region.ljust(REGION_BYTES, b"\0") for region in _one_by_one(_sender(writes))]
    one, many = Mux(initiator=False), Mux(initiator=False)
    expected: list[Event] = []
    found: list[Event] = []
    for region in regions:
        expected += one.receive_region(region)
    for start in range(0, len(regions), most):
        found += many.receive_regions(regions[start : start + most])
    assert _merged(found) == _merged(expected)
    for mux in (one, many):
        for stream_id in (1, 2, 3):
            mux.consumed(stream_id, sum(size for stream, size, _ in writes if stream == stream_id))
    assert _one_by_one(many) == _one_by_one(one)  # acknowledgements and their digests


def test_a_long_transfer_is_acknowledged_at_the_same_marks() -> None:
    one, many = Mux(initiator=True), Mux(initiator=True)
    for mux in (one, many):
        stream_id = mux.open_stream(b"\x01")
        mux.write(stream_id, bytes(STREAM_WINDOW))
    exit_ = Mux(initiator=False)
    assert exit_.receive_regions([many.next_regions(1)[0].ljust(REGION_BYTES, b"\0")])[0] == (
        StreamOpened(stream_id, b"\x01")
    )
    sent = one.next_region()
    assert sent is not None
    data = sent[FRAME_HEADER.size + 1 + FRAME_HEADER.size :]
    while regions := many.next_regions(64):
        for event in exit_.receive_regions([r.ljust(REGION_BYTES, b"\0") for r in regions]):
            assert isinstance(event, StreamData)
            data += event.data
            exit_.consumed(stream_id, len(event.data))
    assert len(data) == STREAM_WINDOW
    answers = _one_by_one(exit_)
    assert answers
    for answer in answers:  # raises when a digest does not match
        many.receive_region(answer.ljust(REGION_BYTES, b"\0"))


def _full(stream_id: int, *, size: int = MAX_FRAME_DATA) -> bytes:
    return FRAME_HEADER.pack(FrameType.DATA, stream_id, MAX_FRAME_DATA) + bytes(size)


@pytest.mark.parametrize("stream_id", [0, 2, 0xFFFF])
def test_full_frames_of_a_stream_that_was_never_opened_end_the_circuit(stream_id: int) -> None:
    mux = _sender([])
    mux.open_stream(b"\x01")
    exit_ = Mux(initiator=False)
    exit_.receive_region(FRAME_HEADER.pack(FrameType.BEGIN, 1, 1) + b"\x01")
    with pytest.raises(ProtocolError):
        exit_.receive_regions([_full(stream_id)] * 3)


def test_full_frames_longer_than_their_region_end_the_circuit() -> None:
    exit_ = Mux(initiator=False)
    exit_.receive_region(FRAME_HEADER.pack(FrameType.BEGIN, 1, 1) + b"\x01")
    with pytest.raises(ProtocolError):
        exit_.receive_regions([_full(1), _full(1, size=MAX_FRAME_DATA - 1)])


@pytest.mark.parametrize("run", [2, 32])
def test_more_than_a_window_ends_the_circuit_in_runs_too(run: int) -> None:
    exit_ = Mux(initiator=False)
    exit_.receive_region(FRAME_HEADER.pack(FrameType.BEGIN, 1, 1) + b"\x01")
    runs = min(STREAM_WINDOW, CIRCUIT_WINDOW) // MAX_FRAME_DATA // run
    for _ in range(runs):
        exit_.receive_regions([_full(1)] * run)
    with pytest.raises(ProtocolError, match="window"):
        exit_.receive_regions([_full(1)] * run)


def test_a_mark_digest_covers_everything_before_it() -> None:
    exit_ = Mux(initiator=False)
    exit_.receive_region(FRAME_HEADER.pack(FrameType.BEGIN, 1, 1) + b"\x01")
    exit_.receive_regions([_full(1)] * 80)
    exit_.consumed(1, 80 * MAX_FRAME_DATA)
    answer = b"".join(_one_by_one(exit_))
    cells = 131_072 // MAX_FRAME_DATA  # the acknowledgement names a mark at or after 128 KiB
    digests = [hashlib.sha256(bytes(n * MAX_FRAME_DATA)).digest()[:16] for n in range(cells, 81)]
    assert any(digest in answer for digest in digests)
