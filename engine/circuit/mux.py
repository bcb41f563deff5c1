"""Streams over one circuit at one endpoint: frames, windows, acknowledgements. Sans-IO.

Regions (the payload of a terminal cell) come in, events come out; frames are queued and packed into
regions on demand, so the shaping clock alone decides when a cell leaves. Never does I/O, never
reads a clock. Wire format: docs/protocol.md, "Frames".

Flow control: the bytes in flight are bounded per stream (acknowledged when the application has
consumed them, so a reader that never reads stops its writer) and per circuit (acknowledged once
arrived, so no relay queues more than one circuit window; the acknowledgement waits a little for a
cell that leaves anyway). A stream's acknowledgement carries the
running digest of what arrived, so it cannot be sent for data that was not received.
"""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Iterator, Sequence

from engine.circuit.mux_events import (
    Control,
    Event,
    StreamAccepted,
    StreamData,
    StreamEnded,
    StreamFinished,
    StreamOpened,
    StreamWritable,
)
from engine.circuit.mux_stream import Stream, digest_full, passes_mark
from engine.errors import ProtocolError
from engine.wire.frames import (
    FRAME_HEADER,
    MAX_FRAME_DATA,
    REGION_BYTES,
    Ack,
    EndReason,
    Frame,
    FrameType,
    encode_ack,
    parse_ack,
    parse_region,
)

CIRCUIT_WINDOW = 1 << 20  # bytes of DATA in flight on a circuit: 30 MB/s at a round trip of 30 ms
STREAM_WINDOW = 1 << 19  # bytes of DATA in flight on one stream
ACK_EVERY = 1 << 17  # bytes after which a circuit's acknowledgement joins the next cell
ACK_ALONE = 1 << 18  # bytes after which it leaves in a cell of its own
READ_ACK_EVERY = 1 << 17  # bytes an application takes between acknowledgements of its stream
MAX_CONTROL_FRAMES = 1_024  # answers waiting to leave: more is a peer that asks and never reads
MAX_STREAMS = 64  # open at once on a circuit: a chat needs one, a wallet a few
MAX_STREAM_ID = 0xFFFF
_CONTROL_COST = 96  # bytes of memory for a queued frame of a few bytes
# Members of an enum class are slow to look up, and these are needed for every frame.
_DATA, _ACKNOWLEDGE, _DROP = FrameType.DATA, FrameType.ACK, FrameType.DROP
_FULL_DATA = bytes([FrameType.DATA])  # how the header of a full DATA frame begins and ends
_FULL_LENGTH = MAX_FRAME_DATA.to_bytes(2, "big")


class Mux:
    """All streams of a circuit at one endpoint."""

    def __init__(self, *, initiator: bool) -> None:
        self._initiator = initiator
        self._streams: dict[int, Stream] = {}
        self._next_id = 1
        self._control: deque[bytes] = deque()
        self._sendable: deque[Stream] = deque()  # streams with bytes (or an end) to send
        self._out_total = 0
        self._out_acked = 0
        self._in_total = 0
        self._in_acked = 0
        self._unread = 0  # bytes of DATA that no application has taken, over all streams

    # -- what the application does -------------------------------------------------------------

    def open_stream(self, request: bytes) -> int:
        """Queue a BEGIN and return the new stream's id."""
        if len(self._streams) >= MAX_STREAMS or self._next_id > MAX_STREAM_ID:
            raise ProtocolError("this circuit carries no more streams", hint="Use a new circuit.")
        stream = Stream(self._next_id)
        self._next_id += 1
        self._streams[stream.stream_id] = stream
        self._queue(FrameType.BEGIN, stream.stream_id, request)
        return stream.stream_id

    def accept(self, stream_id: int) -> None:
        """Answer a StreamOpened: CONNECTED."""
        stream = self._streams.get(stream_id)
        if stream is not None and not stream.accepted:
            stream.accepted = True
            self._queue(FrameType.CONNECTED, stream_id, b"")

    def end(self, stream_id: int, reason: EndReason = EndReason.FINISHED) -> None:
        """Close both directions: at once, or, for FINISHED, after the bytes already queued."""
        stream = self._streams.get(stream_id)
        if stream is None or stream.closing:
            return
        if reason is EndReason.FINISHED and stream.chunks:
            stream.eof_queued = stream.closing = True
            return
        del self._streams[stream_id]
        self._queue(FrameType.END, stream_id, bytes([reason]))

    def write(self, stream_id: int, data: bytes) -> None:
        """Queue bytes; the caller bounds what it queues by `buffered`."""
        stream = self._streams.get(stream_id)
        if stream is None or stream.eof_queued:
            raise ProtocolError("the stream is closed for writing")
        if not data:
            return
        if not stream.chunks:
            self._sendable.append(stream)
        stream.chunks.append(bytes(data))
        stream.size += len(data)

    def finish(self, stream_id: int) -> None:
        """No more bytes from this side: HALF_CLOSE goes out after what is queued."""
        stream = self._streams.get(stream_id)
        if stream is None or stream.eof_queued:
            return
        stream.eof_queued = True
        if not stream.chunks:
            self._sendable.append(stream)

    def consumed(self, stream_id: int, count: int) -> None:
        """The application took (or dropped) `count` bytes; acknowledges when enough have gathered.

        To be told for closed streams too: what they still hold counts as unread.
        """
        self._unread -= count
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        stream.read_total += count
        if stream.read_total - stream.read_acked < READ_ACK_EVERY:
            return
        mark: tuple[int, bytes] | None = None
        while stream.in_marks and stream.in_marks[0][0] <= stream.read_total:
            mark = stream.in_marks.popleft()
        if mark is not None:
            stream.read_acked = mark[0]
            self._queue(FrameType.ACK, stream_id, encode_ack(Ack(*mark)))

    def buffered(self, stream_id: int) -> int:
        """Bytes queued and not yet put into cells."""
        stream = self._streams.get(stream_id)
        return stream.size if stream else 0

    def is_open(self, stream_id: int) -> bool:
        """True until END has been sent or received."""
        return stream_id in self._streams

    @property
    def stream_count(self) -> int:
        """Streams open now."""
        return len(self._streams)

    def holdings(self) -> Iterator[tuple[tuple[int, bool], int, int]]:
        """What is kept for each stream and direction: (name, bytes gone, bytes that wait).

        For the memory budget; control frames count as one more that never move.
        """
        yield (0, True), 0, len(self._control) * _CONTROL_COST
        for stream in self._streams.values():
            yield (stream.stream_id, True), stream.out_total, stream.size
            waiting = stream.in_total - stream.read_total
            yield (stream.stream_id, False), stream.read_total, waiting

    def control(self, frame_type: FrameType, data: bytes) -> None:
        """Queue a frame of the circuit itself (stream 0)."""
        self._queue(frame_type, 0, data)

    # -- what the network does -----------------------------------------------------------------

    def receive_region(self, region: bytes | memoryview) -> list[Event]:
        """Feed one decrypted region. Raises ProtocolError (or WireError) on a broken peer."""
        events: list[Event] = []
        for frame in parse_region(region):
            if frame.type is _DATA:
                self._receive_data(frame, events)
            else:
                self._receive(frame, events)
        if len(self._control) > MAX_CONTROL_FRAMES:
            raise ProtocolError("a peer asks for answers that it does not read")
        return events

    def receive_regions(self, regions: Sequence[bytes]) -> list[Event]:
        """`receive_region` for each in order; regions full of data of one stream that follow each
        other, as in a bulk transfer, become one event."""
        count = len(regions)
        if count == 1:
            return self.receive_region(regions[0])
        events: list[Event] = []
        at = 0
        while at < count:
            head = regions[at][: FRAME_HEADER.size]
            end = at + 1
            if head.startswith(_FULL_DATA) and head.endswith(_FULL_LENGTH):
                while end < count and regions[end].startswith(head):
                    end += 1
            if end - at > 1:
                self._receive_full(head, regions[at:end], events)
            else:
                events += self.receive_region(regions[at])
            at = end
        return events

    def _receive_full(self, head: bytes, regions: Sequence[bytes], events: list[Event]) -> None:
        """Regions that are one full DATA frame each, all of the stream that `head` names."""
        stream_id = FRAME_HEADER.unpack(head)[1]
        if len(regions[-1]) != REGION_BYTES or len(set(map(len, regions))) != 1:
            raise ProtocolError("a frame is longer than its region")
        data = b"".join([region[FRAME_HEADER.size :] for region in regions])
        stream = self._take_in(stream_id, len(data))
        if stream is None:
            return
        digest_full(stream.in_digest, stream.in_marks, stream.in_total - len(data), data)
        events.append(StreamData(stream_id, data))

    def _receive(self, frame: Frame, events: list[Event]) -> None:
        kind = frame.type
        if kind is _ACKNOWLEDGE:
            self._receive_ack(frame, events)
        elif kind is _DROP:
            return
        elif kind == FrameType.BEGIN:
            self._receive_begin(frame, events)
        elif kind == FrameType.CONNECTED:
            self._receive_connected(frame, events)
        elif kind == FrameType.HALF_CLOSE:
            stream = self._known(frame.stream_id)
            if stream is not None:
                if stream.peer_done:
                    raise ProtocolError("a peer finished a stream twice")
                stream.peer_done = True
                events.append(StreamFinished(frame.stream_id))
        elif kind == FrameType.END:
            self._receive_end(frame, events)
        else:
            if frame.stream_id != 0:
                raise ProtocolError("a circuit frame came on a stream")
            events.append(Control(frame))

    def _receive_data(self, frame: Frame, events: list[Event]) -> None:
        _kind, stream_id, data = frame
        size = len(data)
        stream = self._take_in(stream_id, size)
        if stream is None:
            return
        stream.in_digest.update(data)
        if passes_mark(stream.in_total, size):
            stream.in_marks.append((stream.in_total, stream.in_digest.digest()[:16]))
        events.append(StreamData(stream_id, data))

    def _take_in(self, stream_id: int, size: int) -> Stream | None:
        """Count data that arrived against both windows; None when it crossed our END on the way."""
        self._in_total += size
        if self._in_total - self._in_acked > CIRCUIT_WINDOW:
            raise ProtocolError("a peer sent more than the circuit window allows")
        stream = self._streams.get(stream_id) or self._known(stream_id)
        if stream is None:
            return None
        if stream.peer_done:
            raise ProtocolError("a peer sent data after the end mark")
        stream.in_total += size
        if stream.in_total - stream.read_acked > STREAM_WINDOW:
            raise ProtocolError("a peer sent more than the stream window allows")
        self._unread += size
        return stream

    def _receive_ack(self, frame: Frame, events: list[Event]) -> None:
        total, digest = parse_ack(frame.data)
        if frame.stream_id == 0:
            if not self._out_acked < total <= self._out_total:
                raise ProtocolError("an acknowledgement for data that was not sent")
            self._out_acked = total
            return
        stream = self._known(frame.stream_id)
        if stream is None:
            return
        while stream.ack_digests and stream.ack_digests[0][0] < total:
            stream.ack_digests.popleft()
        if not stream.ack_digests or stream.ack_digests[0][0] != total:
            raise ProtocolError("an acknowledgement for data that was not sent")
        if not hmac.compare_digest(stream.ack_digests.popleft()[1], digest):
            raise ProtocolError("an acknowledgement whose digest does not match")
        stream.acked = total
        events.append(StreamWritable(frame.stream_id))

    def _receive_begin(self, frame: Frame, events: list[Event]) -> None:
        if self._initiator:
            raise ProtocolError("the far end may not open streams")
        if frame.stream_id < self._next_id:
            raise ProtocolError("a stream id was used twice")
        self._next_id = frame.stream_id + 1
        if len(self._streams) >= MAX_STREAMS:
            self._queue(FrameType.END, frame.stream_id, bytes([EndReason.RESOURCE]))
            return
        self._streams[frame.stream_id] = Stream(frame.stream_id)
        events.append(StreamOpened(frame.stream_id, bytes(frame.data)))

    def _receive_connected(self, frame: Frame, events: list[Event]) -> None:
        stream = self._known(frame.stream_id)
        if stream is None:
            return
        if not self._initiator or stream.accepted:
            raise ProtocolError("a stream was accepted twice or by the wrong side")
        stream.accepted = True
        events.append(StreamAccepted(frame.stream_id))

    def _receive_end(self, frame: Frame, events: list[Event]) -> None:
        if len(frame.data) != 1 or frame.data[0] not in EndReason.__members__.values():
            raise ProtocolError("a stream ended for an unknown reason")
        if self._known(frame.stream_id) is not None:
            del self._streams[frame.stream_id]
            events.append(StreamEnded(frame.stream_id, EndReason(frame.data[0])))

    def _known(self, stream_id: int) -> Stream | None:
        """The stream, None when it is already closed; an id never opened is the peer's fault."""
        stream = self._streams.get(stream_id)
        if stream is None and not 0 < stream_id < self._next_id:
            raise ProtocolError("a frame for a stream that was never opened")
        return stream

    # -- packing -------------------------------------------------------------------------------

    @property
    def has_output(self) -> bool:
        """True when there is something to send that should not wait for more."""
        return (
            bool(self._control)
            or self._owes_ack(ACK_ALONE)
            or (bool(self._sendable) and self._next_sendable() is not None)
        )

    def _owes_ack(self, least: int) -> bool:
        """True when `least` bytes or more are to be acknowledged for the circuit, and may be."""
        return self._in_total - self._in_acked >= least and self._unread <= CIRCUIT_WINDOW

    def _queue(self, frame_type: FrameType, stream_id: int, data: bytes) -> None:
        self._control.append(FRAME_HEADER.pack(frame_type, stream_id, len(data)) + data)

    def _next_sendable(self) -> Stream | None:
        window = self._out_acked + CIRCUIT_WINDOW - self._out_total
        for _ in range(len(self._sendable)):
            stream = self._sendable[0]
            if stream.stream_id not in self._streams:
                self._sendable.popleft()
                continue
            if not stream.chunks or (
                window > 0 and stream.out_total - stream.acked < STREAM_WINDOW
            ):
                return stream
            self._sendable.rotate(-1)
        return None

    def next_region(self) -> bytes | None:
        """One region (at most REGION_BYTES, without its zero padding), or None when idle."""
        if self._owes_ack(ACK_EVERY):
            self._in_acked = self._in_total
            self._queue(_ACKNOWLEDGE, 0, encode_ack(Ack(self._in_total)))
        parts: list[bytes] = []
        room = REGION_BYTES
        control, sendable = self._control, self._sendable
        while control and len(control[0]) <= room:
            part = control.popleft()
            parts.append(part)
            room -= len(part)
        while sendable and room > FRAME_HEADER.size + 1:
            stream = self._next_sendable()
            if stream is None:
                break
            room -= self._pack(stream, parts, room - FRAME_HEADER.size)
            if stream.chunks or (stream.eof_queued and not stream.local_done):
                if len(sendable) > 1:
                    sendable.rotate(-1)
            else:
                sendable.popleft()
        return b"".join(parts) if parts else None

    def next_regions(self, most: int) -> list[bytes]:
        """As many regions as there are, `most` of them at most."""
        regions: list[bytes] = []
        while len(regions) < most and (
            self._control or self._sendable or self._owes_ack(ACK_EVERY)
        ):
            regions += self._full_regions(most - len(regions))
            region = self.next_region() if len(regions) < most else None
            if region is None:
                break
            regions.append(region)
        return regions

    def _full_regions(self, most: int) -> list[bytes]:
        """Regions full of one stream's data, when nothing else is to be sent: a bulk transfer."""
        if self._control or len(self._sendable) != 1 or self._owes_ack(ACK_EVERY):
            return []
        stream = self._next_sendable()
        if stream is None:
            return []
        count = min(most, self._may_send(stream) // MAX_FRAME_DATA)
        if count < 2:
            return []
        data = stream.take(count * MAX_FRAME_DATA)
        digest_full(stream.out_digest, stream.ack_digests, stream.out_total, data)
        stream.out_total += len(data)
        self._out_total += len(data)
        if not stream.chunks and not stream.eof_queued:
            self._sendable.popleft()
        head = FRAME_HEADER.pack(_DATA, stream.stream_id, MAX_FRAME_DATA)
        starts = range(0, len(data), MAX_FRAME_DATA)
        return [head + data[start : start + MAX_FRAME_DATA] for start in starts]

    def _may_send(self, stream: Stream) -> int:
        """Bytes of the stream that are queued and fit both windows."""
        return min(
            stream.size,
            self._out_acked + CIRCUIT_WINDOW - self._out_total,
            stream.acked + STREAM_WINDOW - stream.out_total,
        )

    def _pack(self, stream: Stream, parts: list[bytes], room: int) -> int:
        """Pack one DATA (or end) frame of `stream` into `parts`; returns its bytes."""
        if not stream.chunks:
            return self._pack_end(stream, parts)
        size = min(room, self._may_send(stream))
        data = stream.take(size)
        parts.append(FRAME_HEADER.pack(_DATA, stream.stream_id, size))
        parts.append(data)
        stream.out_digest.update(data)
        stream.out_total += size
        self._out_total += size
        if passes_mark(stream.out_total, size):
            stream.ack_digests.append((stream.out_total, stream.out_digest.digest()[:16]))
        return size + FRAME_HEADER.size

    def _pack_end(self, stream: Stream, parts: list[bytes]) -> int:
        """HALF_CLOSE, or the END that waited for the stream's last byte; returns its bytes."""
        stream.local_done = True
        if stream.closing:
            del self._streams[stream.stream_id]
            end = FRAME_HEADER.pack(FrameType.END, stream.stream_id, 1)
            parts.append(end + bytes([EndReason.FINISHED]))
            return FRAME_HEADER.size + 1
        parts.append(FRAME_HEADER.pack(FrameType.HALF_CLOSE, stream.stream_id, 0))
        return FRAME_HEADER.size
