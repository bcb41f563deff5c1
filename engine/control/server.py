"""The node's side of the control socket: JSON lines in, answers and events out.

`ControlServer` checks who connects, reads requests, calls the handlers it was given and writes
their answers. Each client has its own reader, writer and bounded queues, so a slow or broken one
delays nobody; when it leaves, its unfinished calls are cancelled. The server knows no method but
`hello`; what the methods do is wired in by the node.
"""

from __future__ import annotations

import difflib
import os
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import trio

from engine.control.events import EventBus, Subscription
from engine.control.failures import USAGE_EXIT, describe, refusal
from engine.control.listen import control_listener, peer_uid
from engine.control.protocol.frames import MAX_LINE, PROTOCOL_VERSION, ErrorBody, Request
from engine.control.protocol.methods import METHODS
from engine.control.protocol.node import Hello, HelloParams
from engine.log import say
from engine.log.events import (
    AnswerUnwritable,
    CallFailed,
    ControlDropped,
    ControlLeft,
    ControlRefused,
)
from engine.log.words import Fault, Named

Handler = Callable[[dict[str, Any]], Awaitable[object]]

MAX_CALLS = 64
"""Calls one client may have in progress; its next request is read when one of them is answered."""

MOST_WHOLE = 1 << 53
"""The largest whole number of a parameter, either way: more is no exact number in most programs,
and a thousand times it still fits where amounts and times are kept."""

_SEND_BATCH = 64 * 1024
_decode_request = msgspec.json.Decoder(Request).decode
_encode = msgspec.json.Encoder().encode


class _IdOnly(msgspec.Struct):
    id: int | None = None


class ControlServer:
    """Serves the control protocol on one Unix socket.

    A handler takes the parameters as a dict, checked against `METHODS` and with defaults filled in.
    A handler named `hello` may add the node's version, id and roles to the greeting.
    """

    def __init__(
        self, path: Path | str, handlers: Mapping[str, Handler], events: EventBus | None = None
    ) -> None:
        self.path = Path(path)
        self.handlers = handlers
        self.events = events if events is not None else EventBus()
        self.clients = 0
        self.boot = secrets.token_hex(8)

    async def run(self, *, task_status: trio.TaskStatus[Path] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; reports started once the socket accepts connections."""
        with control_listener(self.path) as listener:
            task_status.started(self.path)
            await trio.serve_listeners(self._serve_client, [listener])

    async def _serve_client(self, stream: trio.SocketStream) -> None:
        uid = peer_uid(stream)
        if uid is not None and uid != os.getuid():
            say(ControlRefused())
            await trio.aclose_forcefully(stream)
            return
        self.clients += 1
        try:
            await _Connection(self, stream).run()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            say(ControlLeft())
        except* Exception as group:
            say(ControlDropped(Fault.of(group)))
        finally:
            self.clients -= 1
            await trio.aclose_forcefully(stream)


class _Connection:
    """One client: a reader that starts calls, and one writer for answers and events."""

    def __init__(self, server: ControlServer, stream: trio.SocketStream) -> None:
        self._server = server
        self._stream = stream
        self._slots = trio.Semaphore(MAX_CALLS)
        self._answers: deque[bytes] = deque()
        self._events: Subscription | None = None
        self._wake = trio.Event()
        self._greeted = False

    async def run(self) -> None:
        """Serve until the client leaves; its unfinished calls are cancelled then."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write_loop)
                await self._read_loop(nursery)
                nursery.cancel_scope.cancel()
        finally:
            if self._events is not None:
                self._events.close()

    # --- reading and calling ---

    async def _read_loop(self, nursery: trio.Nursery) -> None:
        buffer = bytearray()
        skipping = False  # inside a line that was longer than allowed
        while chunk := await self._stream.receive_some(64 * 1024):
            searched, start = len(buffer), 0
            buffer += chunk
            while (end := buffer.find(b"\n", max(start, searched))) >= 0:
                line = bytes(memoryview(buffer)[start:end])
                start = end + 1
                if line.strip() and not skipping:
                    await self._start_call(nursery, line)
                skipping = False
            del buffer[:start]
            if skipping or len(buffer) >= MAX_LINE:
                if not skipping:
                    await self._slots.acquire()
                    self._send(None, error=_TOO_LONG_LINE)
                skipping = True
                buffer.clear()

    async def _start_call(self, nursery: trio.Nursery, line: bytes) -> None:
        await self._slots.acquire()
        if self._greeted:
            nursery.start_soon(self._call, line)
        else:
            await self._call(line)

    async def _call(self, line: bytes) -> None:
        try:
            request = _decode_request(line)
        except (ValueError, RecursionError):
            self._send(_id_of(line), error=_NOT_A_REQUEST)
            return
        try:
            result = await self._dispatch(request)
        except Exception as exc:
            error = describe(exc)
            if error.code == "internal":
                method = Named.among(request.method, self._server.handlers)
                say(CallFailed(method, Fault.of(exc)))
            self._send(request.id, error=error)
        else:
            self._send(request.id, result=result)

    async def _dispatch(self, request: Request) -> object:
        if request.method == "hello":
            return await self._hello(request.params)
        if not self._greeted:
            raise _Refused("hello_required", "The first call on this socket must be hello.")
        handler = self._server.handlers.get(request.method)
        if handler is None:
            raise _unknown(request.method, self._server.handlers)
        return await handler(_checked(request.method, request.params))

    async def _hello(self, params: dict[str, Any]) -> Hello:
        wanted = HelloParams(**_checked("hello", params))
        if wanted.protocol != PROTOCOL_VERSION:
            raise _Refused(
                "protocol_version",
                f"This node speaks version {PROTOCOL_VERSION} of the control protocol.",
                hint="Update the older of the two programs.",
            )
        greet = self._server.handlers.get("hello")
        more = await greet(params) if greet is not None else {}
        hello = msgspec.convert(
            {
                **(msgspec.to_builtins(more) or {}),
                "protocol": PROTOCOL_VERSION,
                "boot": self._server.boot,
            },
            type=Hello,
        )
        self._greeted = True
        if wanted.events and self._events is None:
            self._events = self._server.events.subscribe(self._notify)
        return hello

    # --- writing ---

    def _send(
        self, call_id: int | None, *, result: object = None, error: ErrorBody | None = None
    ) -> None:
        """Queue an answer. Each one holds a slot until written, so the queue is bounded."""
        try:
            frame = {"id": call_id, "error": error} if error else {"id": call_id, "result": result}
            line = _encode(frame) + b"\n"
        except (TypeError, ValueError, RecursionError) as exc:
            say(AnswerUnwritable(Fault.of(exc)))
            line = _encode({"id": call_id, "error": describe(exc)}) + b"\n"
        if len(line) > MAX_LINE:
            line = _encode({"id": call_id, "error": _TOO_LONG_ANSWER}) + b"\n"
        self._answers.append(line)
        self._notify()

    def _notify(self) -> None:
        self._wake.set()

    async def _write_loop(self) -> None:
        while True:
            while batch := self._batch():
                await self._stream.send_all(batch)
            self._wake = trio.Event()
            await self._wake.wait()

    def _batch(self) -> bytes:
        """What is due now, answers before events, in one piece of about `_SEND_BATCH` bytes."""
        lines: list[bytes] = []
        size = 0
        while size < _SEND_BATCH:
            if self._answers:
                line = self._answers.popleft()
                self._slots.release()
            elif self._events is None or (event := self._events.take()) is None:
                break
            else:
                line = event
            lines.append(line)
            size += len(line)
        return b"".join(lines)


class _Refused(Exception):
    """A call that was not made because of how it was asked for."""

    exit_code = USAGE_EXIT
    kept = ""

    def __init__(self, code: str, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


_NOT_A_REQUEST = refusal("bad_request", "This line is not a request of the control protocol.")
_TOO_LONG_LINE = refusal("line_too_long", "A line was longer than the control protocol allows.")
_TOO_LONG_ANSWER = refusal(
    "answer_too_long", "The answer is too long to send.", hint="Ask for less with a limit."
)


def _checked(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """The parameters in the method's shape, defaults filled in."""
    spec = METHODS.get(method)
    if spec is None:
        return params
    try:
        found = msgspec.convert(params, type=spec.params)
    except msgspec.ValidationError as exc:
        raise _Refused("bad_params", f"The parameters of {method} are wrong: {exc}.") from exc
    if not _in_range(found):
        raise _Refused("bad_params", f"A number among the parameters of {method} is too large.")
    return msgspec.structs.asdict(found)


def _in_range(value: object) -> bool:
    """Whether the whole numbers of a shape are such as the store can hold. What a method takes as
    free JSON is its own to check."""
    if isinstance(value, msgspec.Struct):
        return all(_in_range(getattr(value, name)) for name in value.__struct_fields__)
    if isinstance(value, list | tuple):
        return all(_in_range(item) for item in value)
    return not isinstance(value, int) or -MOST_WHOLE <= value <= MOST_WHOLE


def _unknown(method: str, handlers: Mapping[str, Handler]) -> _Refused:
    if method in METHODS:
        return _Refused(
            "unavailable",
            f"This node does not offer {method}.",
            hint="Its roles decide what it offers; see `peer2prompt status`.",
        )
    close = difflib.get_close_matches(method[:40], [*METHODS, *handlers], n=3)
    return _Refused(
        "unknown_method",
        "This node knows no such method.",
        hint=f"Did you mean {' or '.join(close)}?" if close else "",
    )


def _id_of(line: bytes) -> int | None:
    """The id of a line that is otherwise no request, so that its sender finds the answer."""
    try:
        return msgspec.json.decode(line, type=_IdOnly).id
    except (ValueError, RecursionError):
        return None
