"""Streams over a pair of muxes: order, windows, acknowledgements, ends, and a peer that cheats."""

from __future__ import annotations

import hashlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.circuit.mux import CIRCUIT_WINDOW, MAX_STREAMS, STREAM_WINDOW, Mux
from engine.circuit.mux_events import (
    Event,
    StreamAccepted,
    StreamData,
    StreamEnded,
    StreamFinished,
    StreamOpened,
)
from engine.errors import Peer2PromptError, ProtocolError
from engine.wire.frames import FRAME_HEADER, MAX_FRAME_DATA, REGION_BYTES, EndReason, FrameType


class Pair:
    """A client's and an exit's mux joined by a perfect circuit."""

    def __init__(self) -> None:
        self.client = Mux(initiator=True)
        self.exit = Mux(initiator=False)

    def to_exit(self, most: int = 10_000) -> list[Event]:
        return self._carry(self.client, self.exit, most)

    def to_client(self, most: int = 10_000) -> list[Event]:
        return self._carry(self.exit, self.client, most)

    @staticmethod
    def _carry(source: Mux, sink: Mux, most: int) -> list[Event]:
        events: list[Event] = []
        for _ in range(most):
            region = source.next_region()
            if region is None:
                break
            assert len(region) <= REGION_BYTES
            events += sink.receive_region(region.ljust(REGION_BYTES, b"\0"))
        return events

    def opened(self) -> int:
        stream_id = self.client.open_stream(b"\x01")
        assert self.to_exit() == [StreamOpened(stream_id, b"\x01")]
        self.exit.accept(stream_id)
        assert self.to_client() == [StreamAccepted(stream_id)]
        return stream_id


def data_of(events: list[Event]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, StreamData))


def frame(kind: int, stream_id: int, data: bytes) -> bytes:
    return (FRAME_HEADER.pack(kind, stream_id, len(data)) + data).ljust(REGION_BYTES, b"\0")


def test_begin_and_first_data_share_one_cell() -> None:
    pair = Pair()
    stream_id = pair.client.open_stream(b"\x01")
    pair.client.write(stream_id, b"hello")
    assert pair.to_exit(1) == [StreamOpened(stream_id, b"\x01"), StreamData(stream_id, b"hello")]
    assert not pair.client.has_output


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=9_000), max_size=12))
def test_bytes_arrive_whole_and_in_order(chunks: list[bytes]) -> None:
    pair = Pair()
    stream_id = pair.opened()
    for chunk in chunks:
        pair.exit.write(stream_id, chunk)
    pair.exit.finish(stream_id)
    events = pair.to_client()
    assert data_of(events) == b"".join(chunks)
    assert events[-1] == StreamFinished(stream_id)


def test_two_streams_share_the_circuit_fairly() -> None:
    pair = Pair()
    one, two = pair.opened(), pair.opened()
    pair.exit.write(one, bytes(40_000))
    pair.exit.write(two, bytes(40_000))
    ids = [e.stream_id for e in pair.to_client(10) if isinstance(e, StreamData)]
    assert abs(ids.count(one) - ids.count(two)) <= 1


def test_a_reader_that_never_reads_stops_its_writer() -> None:
    pair = Pair()
    stream_id = pair.opened()
    pair.exit.write(stream_id, bytes(STREAM_WINDOW * 3))
    received = 0
    for _ in range(50):
        received += len(data_of(pair.to_client()))
        pair.to_exit()
    assert received == STREAM_WINDOW


def test_a_reader_that_reads_gets_everything() -> None:
    pair = Pair()
    stream_id = pair.opened()
    total = CIRCUIT_WINDOW * 3 + 17
    pair.exit.write(stream_id, bytes(total))
    received = 0
    for _ in range(200):
        for event in pair.to_client(100):
            if isinstance(event, StreamData):
                received += len(event.data)
                pair.client.consumed(stream_id, len(event.data))
        pair.to_exit()
    assert received == total


def test_end_follows_what_is_queued() -> None:
    pair = Pair()
    stream_id = pair.opened()
    pair.client.write(stream_id, b"x" * 5_000)
    pair.client.end(stream_id)
    events = pair.to_exit()
    assert data_of(events) == b"x" * 5_000
    assert events[-1] == StreamEnded(stream_id, EndReason.FINISHED)
    assert not pair.client.is_open(stream_id)
    assert not pair.exit.is_open(stream_id)


def test_data_that_crosses_an_end_is_ignored() -> None:
    pair = Pair()
    stream_id = pair.opened()
    pair.exit.write(stream_id, b"late")
    pair.client.end(stream_id, EndReason.TIMEOUT)
    assert pair.to_client() == []
    assert pair.to_exit() == [StreamEnded(stream_id, EndReason.TIMEOUT)]


def test_an_acknowledgement_cannot_be_invented() -> None:
    pair = Pair()
    stream_id = pair.opened()
    pair.exit.write(stream_id, bytes(100_000))
    data_of(pair.to_client())
    for total in (1, 32_768, 40_000, 10**9):
        forged = struct.pack(">Q16s", total, bytes(16))
        with pytest.raises(ProtocolError):
            pair.exit.receive_region(frame(FrameType.ACK, stream_id, forged))


def test_an_acknowledgement_carries_the_digest_of_what_arrived() -> None:
    pair = Pair()
    stream_id = pair.opened()
    payload = bytes(range(256)) * 600
    pair.exit.write(stream_id, payload)
    for event in pair.to_client():
        if isinstance(event, StreamData):
            pair.client.consumed(stream_id, len(event.data))
    region = pair.client.next_region()
    assert region is not None
    _kind, _id, length = FRAME_HEADER.unpack_from(region)
    total, digest = struct.unpack(">Q16s", region[5 : 5 + length])
    assert digest == hashlib.sha256(payload[:total]).digest()[:16]


def test_a_peer_that_ignores_the_window_is_caught() -> None:
    pair = Pair()
    stream_id = pair.opened()
    region = frame(FrameType.DATA, stream_id, bytes(MAX_FRAME_DATA))
    for _ in range(STREAM_WINDOW // MAX_FRAME_DATA):
        pair.client.receive_region(region)
    with pytest.raises(ProtocolError):
        pair.client.receive_region(region)


@pytest.mark.parametrize(
    "region",
    [
        frame(FrameType.DATA, 9, b"x"),
        frame(FrameType.CONNECTED, 1, b""),
        frame(FrameType.BEGIN, 1, b"\x01"),
        frame(FrameType.END, 2, b"\x63"),
        frame(FrameType.END, 2, b""),
        frame(FrameType.ACK, 2, b"short"),
        frame(FrameType.EXTENDED, 2, b""),
    ],
)
def test_frames_out_of_place_are_refused_by_the_exit(region: bytes) -> None:
    pair = Pair()
    pair.opened()
    pair.opened()
    with pytest.raises(ProtocolError):
        pair.exit.receive_region(region)


def test_data_after_the_end_mark_is_refused() -> None:
    pair = Pair()
    stream_id = pair.opened()
    pair.client.receive_region(frame(FrameType.HALF_CLOSE, stream_id, b""))
    with pytest.raises(ProtocolError):
        pair.client.receive_region(frame(FrameType.DATA, stream_id, b"more"))


def test_streams_are_bounded() -> None:
    pair = Pair()
    for _ in range(MAX_STREAMS):
        pair.client.open_stream(b"\x01")
    with pytest.raises(ProtocolError):
        pair.client.open_stream(b"\x01")
    pair.to_exit()
    pair.exit.receive_region(frame(FrameType.BEGIN, MAX_STREAMS + 1, b"\x01"))
    refusal = pair.exit.next_region()
    assert refusal is not None
    assert refusal[-1] == EndReason.RESOURCE


@given(st.binary(max_size=REGION_BYTES))
def test_any_region_parses_or_raises_our_error(noise: bytes) -> None:
    pair = Pair()
    pair.opened()
    try:
        pair.exit.receive_region(noise.ljust(REGION_BYTES, b"\0"))
    except Peer2PromptError as error:
        assert error.message  # noqa: PT017 - any of our errors will do, nothing else may come out
