"""The client half of the control socket, for the TUI, the CLI, notebooks and tests.

Written on anyio, so the same code runs under asyncio and trio:

    async with connect(control_socket(default_home())) as client:
        status = await client.call("status")
        async for event in client.subscribe():
            ...

When the link ends, every pending call fails with `ControlClosed` and every subscription ends. This
module starts no node and keeps no state between connections.
"""

from __future__ import annotations

import os
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import anyio
import msgspec
from anyio.abc import SocketAttribute, UNIXSocketStream

from engine.control.paths import control_socket, default_home
from engine.control.protocol.frames import (
    EVENT_QUEUE,
    MAX_LINE,
    PROTOCOL_VERSION,
    Answer,
    ErrorBody,
    Event,
    Request,
)
from engine.control.protocol.node import Hello
from engine.errors import BadValue, ControlError, Peer2PromptError

__all__ = [
    "ControlClient",
    "ControlClosed",
    "ControlError",
    "EventStream",
    "NodeNotRunning",
    "Peer2PromptError",
    "RemoteError",
    "connect",
]

T = TypeVar("T")

_HOW_TO_START = "Start one with `peer2prompt node`, or open the screen with `peer2prompt`."
_decode_answer = msgspec.json.Decoder(Answer).decode
_encode = msgspec.json.Encoder().encode


class NodeNotRunning(ControlError):
    """No node listens on the control socket."""

    code = "node_not_running"


class ControlClosed(ControlError):
    """The link to the node ended while something was still wanted from it."""

    code = "control_closed"


class RemoteError(ControlError):
    """The node answered with an error; `code` and `exit_code` are the node's."""

    def __init__(self, body: ErrorBody) -> None:
        super().__init__(body.message, kept=body.kept, hint=body.hint)
        self.code = body.code
        self.exit_code = body.exit_code
        self.body = body


class EventStream:
    """One reader's queue of events, from the moment `subscribe` was called. Bounded: a reader who
    falls behind gets one `control.lagged` event in place of those it missed."""

    def __init__(self, client: ControlClient) -> None:
        self._client = client
        self._queue: deque[Event] = deque()
        self._dropped = 0
        self._wake = anyio.Event()
        self._ended = False

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> Event:
        while not self._queue:
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                return Event("control.lagged", {"dropped": dropped})
            if self._ended:
                raise StopAsyncIteration
            self._wake = anyio.Event()
            await self._wake.wait()
        return self._queue.popleft()

    def close(self) -> None:
        """Stop receiving. What is queued can still be read."""
        self._client._streams.discard(self)
        self._end()

    def _push(self, event: Event) -> None:
        if len(self._queue) >= EVENT_QUEUE or self._dropped:
            self._dropped += 1
        else:
            self._queue.append(event)
        self._wake.set()

    def _end(self) -> None:
        self._ended = True
        self._wake.set()


class _Pending:
    """A call waiting for its answer."""

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.answer: Answer | None = None


class ControlClient:
    """One connection to a node. Made by `connect`; safe to use from many tasks at once."""

    def __init__(self, stream: UNIXSocketStream) -> None:
        self._stream = stream
        self._pending: dict[int, _Pending] = {}
        self._streams: set[EventStream] = set()
        self._next_id = 1
        self._outbox: deque[bytes] = deque()
        self._outbox_wake = anyio.Event()
        self._closed = anyio.Event()
        self.reader_ended = anyio.Event()
        self.hello = Hello(protocol=PROTOCOL_VERSION)

    @property
    def closed(self) -> bool:
        """True once the link has ended."""
        return self._closed.is_set()

    async def wait_closed(self) -> None:
        """Wait until the link ends."""
        await self._closed.wait()

    async def call(self, method: str, /, **params: Any) -> Any:
        """Call a method and return its result as plain values (dicts, lists, numbers, text).

        Raises `RemoteError` for an error of the node and `ControlClosed` when the link ends.
        """
        return msgspec.json.decode(await self._request(method, params))

    async def call_as(self, shape: type[T], method: str, /, **params: Any) -> T:
        """Like `call`, with the result read into a shape of `engine.control.protocol`."""
        raw = await self._request(method, params)
        try:
            return msgspec.json.decode(raw, type=shape)
        except msgspec.ValidationError as exc:
            raise ControlError(
                f"The node's answer to {method} has an unexpected shape.",
                hint="The node may be of another version: stop it and start it again.",
            ) from exc

    def subscribe(self) -> EventStream:
        """All events from now on, as an async iterator. Needs `connect(..., events=True)`."""
        stream = EventStream(self)
        if self.closed:
            stream._end()
        else:
            self._streams.add(stream)
        return stream

    async def _request(self, method: str, params: dict[str, Any]) -> msgspec.Raw:
        call_id, self._next_id = self._next_id, self._next_id + 1
        line = _line_of(Request(call_id, method, params))
        if len(line) > MAX_LINE:
            raise ControlError(
                "This request is longer than the node accepts.",
                kept="Nothing was sent.",
                hint=f"Keep it under {MAX_LINE // (1024 * 1024)} MiB.",
            )
        if self.closed:
            raise _closed_error()
        pending = self._pending[call_id] = _Pending()
        self._outbox.append(line)
        self._outbox_wake.set()
        try:
            await pending.done.wait()
        finally:
            self._pending.pop(call_id, None)
        if pending.answer is None:
            raise _closed_error()
        if pending.answer.error is not None:
            raise RemoteError(pending.answer.error)
        return pending.answer.result

    async def _write_loop(self) -> None:
        """The only writer, so that a cancelled call never leaves half a line on the wire."""
        try:
            while True:
                while self._outbox:
                    await self._stream.send(self._outbox.popleft())
                self._outbox_wake = anyio.Event()
                await self._outbox_wake.wait()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            self._end()

    async def _read_loop(self) -> None:
        buffer = bytearray()
        try:
            while True:
                chunk = await self._stream.receive(256 * 1024)
                searched = len(buffer)
                buffer += chunk
                if self._take_lines(buffer, searched) or len(buffer) > MAX_LINE:
                    break
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            pass
        finally:
            self.reader_ended.set()
            self._end()

    def _take_lines(self, buffer: bytearray, searched: int) -> bool:
        """Handle every whole line; True when a line is not of this protocol."""
        start = 0
        while (end := buffer.find(b"\n", max(start, searched))) >= 0:
            try:
                self._handle(_decode_answer(memoryview(buffer)[start:end].tobytes()))
            except (ValueError, RecursionError):
                return True
            start = end + 1
        del buffer[:start]
        return False

    def _handle(self, answer: Answer) -> None:
        if answer.event is not None:
            event = Event(answer.event, answer.data)
            for stream in self._streams:
                stream._push(event)
        elif answer.id is not None and (pending := self._pending.get(answer.id)) is not None:
            pending.answer = answer
            pending.done.set()

    def _end(self) -> None:
        self._closed.set()
        for pending in self._pending.values():
            pending.done.set()
        for stream in self._streams:
            stream._end()
        self._streams.clear()


def _line_of(request: Request) -> bytes:
    try:
        return _encode(request) + b"\n"
    except (ValueError, RecursionError):
        # Words of a command line in another encoding, for one: they come as halves of characters.
        raise BadValue(
            "The request holds what cannot be sent: broken characters, or lists too deep.",
            kept="Nothing was sent.",
            hint="Texts have to be UTF-8.",
        ) from None


@asynccontextmanager
async def connect(
    path: Path | str | None = None, *, client: str = "program", events: bool = True
) -> AsyncIterator[ControlClient]:
    """Connect to the node listening on `path` (by default the user's own) and say hello.

    Raises `NodeNotRunning` when nobody listens there. An error raised inside the `async with` body
    comes out as it is, never wrapped in an exception group.
    """
    stream = await _dial(control_socket(default_home()) if path is None else Path(path))
    failure: Exception | None = None
    async with stream, anyio.create_task_group() as tasks:
        node = ControlClient(stream)
        tasks.start_soon(node._read_loop)
        tasks.start_soon(node._write_loop)
        try:
            node.hello = await node.call_as(
                Hello, "hello", protocol=PROTOCOL_VERSION, client=client, events=events
            )
            yield node
        except Exception as exc:  # raised again below, outside the task group
            failure = exc
        finally:
            node._end()
            _hang_up(stream)
            with anyio.move_on_after(1):
                await node.reader_ended.wait()
            tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _dial(path: Path) -> UNIXSocketStream:
    try:
        stream = await anyio.connect_unix(str(path))
    except PermissionError as exc:
        raise ControlError(
            f"The node's socket {path} belongs to another user.",
            hint="Run this as the user who started the node, or choose another --home.",
        ) from exc
    except OSError as exc:
        raise NodeNotRunning("No Peer2Prompt node is running here.", hint=_HOW_TO_START) from exc
    owner = _peer_uid(stream.extra(SocketAttribute.raw_socket))
    if owner is not None and owner != os.getuid():
        await stream.aclose()
        raise ControlError(
            f"The process listening on {path} runs as another user, so it was not trusted.",
            kept="Nothing was sent to it.",
            hint="Choose a --home that only you can write to.",
        )
    return stream


def _peer_uid(sock: socket.socket) -> int | None:
    """The user id at the other end, or None where the system cannot tell (not Linux)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    size = struct.calcsize("3i")
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return int(struct.unpack("3i", raw)[1])


def _hang_up(stream: UNIXSocketStream) -> None:
    """End the link so that the reader finishes by itself: cancelling a reader under asyncio just
    when bytes arrive makes the loop log an error of its own."""
    with suppress(OSError):
        stream.extra(SocketAttribute.raw_socket).shutdown(socket.SHUT_RDWR)


def _closed_error() -> ControlClosed:
    return ControlClosed(
        "The link to the node ended.",
        kept="Answers and ecash the node had received are in its encrypted store.",
        hint="See `peer2prompt status`; the node's log says why it stopped.",
    )
