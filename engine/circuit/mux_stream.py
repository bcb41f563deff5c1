"""Both directions of one stream: bytes that wait, and the digests that acknowledge those that went.

Sans-IO, and without a decision: windows and frames are the business of `engine.circuit.mux`.
"""

from __future__ import annotations

import hashlib
from collections import deque
from typing import Protocol

from engine.wire.frames import MAX_FRAME_DATA

MARK_EVERY = 1 << 15  # a stream may be acknowledged where its total first passes a multiple of this


class Stream:
    """Both directions of one stream."""

    __slots__ = (
        "accepted",
        "ack_digests",
        "acked",
        "chunk_at",
        "chunks",
        "closing",
        "eof_queued",
        "in_digest",
        "in_marks",
        "in_total",
        "local_done",
        "out_digest",
        "out_total",
        "peer_done",
        "read_acked",
        "read_total",
        "size",
        "stream_id",
    )

    def __init__(self, stream_id: int) -> None:
        self.stream_id = stream_id
        self.accepted = False
        self.chunks: deque[bytes] = deque()
        self.chunk_at = 0  # bytes of the first chunk that have left
        self.size = 0
        self.out_total = 0  # bytes put into DATA frames
        self.acked = 0
        self.out_digest = hashlib.sha256()
        self.ack_digests: deque[tuple[int, bytes]] = deque()  # marks sent, not yet acknowledged
        self.in_total = 0
        self.in_marks: deque[tuple[int, bytes]] = deque()  # marks received, not yet consumed
        self.in_digest = hashlib.sha256()
        self.read_total = 0
        self.read_acked = 0
        self.eof_queued = False
        self.closing = False  # END follows what is queued
        self.local_done = False
        self.peer_done = False

    def take(self, size: int) -> bytes:
        """The next `size` queued bytes."""
        chunk = self.chunks[0]
        end = self.chunk_at + size
        self.size -= size
        if end < len(chunk):
            taken = chunk[self.chunk_at : end]
            self.chunk_at = end
            return taken
        parts = [chunk[self.chunk_at : end]]
        left = size - len(parts[0])
        self.chunks.popleft()
        while self.chunks and left >= len(self.chunks[0]):
            parts.append(self.chunks.popleft())
            left -= len(parts[-1])
        if left:
            parts.append(self.chunks[0][:left])
        self.chunk_at = left
        return b"".join(parts)


def passes_mark(total: int, size: int) -> bool:
    """True when the frame that brought a stream to `total` bytes may be acknowledged."""
    return total % MARK_EVERY < size


class _Digest(Protocol):
    """A running hash."""

    def update(self, data: memoryview, /) -> None: ...
    def digest(self) -> bytes: ...


def digest_full(digest: _Digest, marks: deque[tuple[int, bytes]], total: int, data: bytes) -> None:
    """Hash the data of full frames, which bring a stream from `total` bytes further, and note the
    digest after every frame that may be acknowledged."""
    view = memoryview(data)
    done = 0
    for end in range(MAX_FRAME_DATA, len(data) + 1, MAX_FRAME_DATA):
        if passes_mark(total + end, MAX_FRAME_DATA):
            digest.update(view[done:end])
            marks.append((total + end, digest.digest()[:16]))
            done = end
    digest.update(view[done:])
