"""Sends replies over ASGI: a JSON value, or server-sent events that begin with the first word.

Nothing is begun before the first piece of an answer is there, so that a failure until then has its
own status. Whoever goes away ends the work.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec
import trio

from engine.gateway.account import headers
from engine.gateway.asking import Answer, Ended
from engine.gateway.door import Receive, Send
from engine.gateway.forms import Form, Frame
from engine.gateway.problems import Problem

_encode = msgspec.json.Encoder().encode
_SSE = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store"}
_JSON = {"Content-Type": "application/json", "Cache-Control": "no-store"}


async def send_json(
    send: Send, value: object, status: int = 200, more: Mapping[str, str] | None = None
) -> None:
    """A whole reply."""
    raw = _encode(value)
    await _start(send, status, {**_JSON, **(more or {}), "Content-Length": str(len(raw))})
    await send({"type": "http.response.body", "body": raw, "more_body": False})


async def send_problem(send: Send, problem: Problem) -> None:
    """A reply that says why there is no other."""
    await send_json(send, problem.as_body(), problem.status, problem.all_headers())


async def send_whole(send: Send, answer: Answer, form: Form) -> None:
    """The answer when it is whole. Raises Problem."""
    while not isinstance(piece := await answer.next(), Ended):
        form.add(piece)
    await send_json(send, form.whole(piece.result), more=headers(piece.result))


class EventStream:
    """Server-sent events of one answer."""

    def __init__(self, send: Send) -> None:
        self.begun = False
        self._send = send

    async def run(self, answer: Answer, form: Form) -> None:
        """Tell the answer as it comes. Raises Problem when it does not begin."""
        try:
            while not isinstance(piece := await answer.next(), Ended):
                await self._put(form.add(piece))
        except Problem as problem:
            if not self.begun:
                raise
            await self._put(form.failed(problem))
        else:
            await self._put(form.last(piece.result))
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _put(self, frames: Iterable[Frame]) -> None:
        for event, value in frames:
            if not self.begun:
                self.begun = True
                await _start(self._send, 200, _SSE)
            data = value if isinstance(value, bytes) else b"data: " + _encode(value) + b"\n\n"
            name = b"event: " + event.encode() + b"\n" if event else b""
            await self._send({"type": "http.response.body", "body": name + data, "more_body": True})


async def while_there(receive: Receive, work: Callable[[], Awaitable[None]]) -> None:
    """Do the work until it is done or the asker goes away."""
    async with trio.open_nursery() as nursery:

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            nursery.cancel_scope.cancel()

        nursery.start_soon(watch)
        await work()
        nursery.cancel_scope.cancel()


async def _start(send: Send, status: int, found: Mapping[str, str]) -> None:
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in found.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
