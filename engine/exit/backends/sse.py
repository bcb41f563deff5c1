"""Server-sent events as AI providers send them. Bytes in, data of events out.

Follows the WHATWG event stream rules that matter here: lines end with LF, CRLF or CR; a leading
byte order mark is dropped; comments and unknown fields are ignored; several data lines of an event
are joined with LF; an unfinished event at the end is dropped. Sizes are bounded. Pure.
"""

from __future__ import annotations

from engine.exit.backends.faults import provider_error

MAX_LINE_BYTES = 1 << 20
"""A chunk of an answer is far smaller; a server that sends more is broken or hostile."""
_BOM = b"\xef\xbb\xbf"


class SseParser:
    """Feed it bytes as they come, in pieces of any size."""

    __slots__ = ("_after_cr", "_data", "_first", "_line", "_size")

    def __init__(self) -> None:
        self._line = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        self._after_cr = False
        self._first = True

    def feed(self, chunk: bytes) -> list[str]:
        """The data of every event `chunk` completes."""
        events: list[str] = []
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        lines = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._after_cr = chunk.endswith(b"\r")
        for rest in lines[:-1]:
            self._grow(rest)
            self._end_line(events)
        self._grow(lines[-1])
        return events

    def _grow(self, rest: bytes) -> None:
        self._line += rest
        if len(self._line) + self._size > MAX_LINE_BYTES:
            raise provider_error("protocol")

    def _end_line(self, events: list[str]) -> None:
        line = bytes(self._line)
        self._line.clear()
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        if not line:
            self._dispatch(events)
            return
        name, _, value = line.partition(b":")
        if name == b"data":
            value = value.removeprefix(b" ")
            self._data.append(value)
            self._size += len(value) + 1

    def _dispatch(self, events: list[str]) -> None:
        if self._data:
            events.append(b"\n".join(self._data).decode("utf-8", errors="replace"))
        self._data.clear()
        self._size = 0
