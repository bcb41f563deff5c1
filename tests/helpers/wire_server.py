"""A real HTTP server that answers exactly the bytes it was told to, and keeps what it was asked.

    server = WireServer(Reply(body=STREAM, piece=7), Reply(429, {"Retry-After": "3"}, ERROR))

Plain trio sockets, so that every byte, pause, cut and reset on the wire is under control. The last
reply is given again to every later request.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trio

from tests.helpers.http_peer import HttpPeer, send_chunk

SSE = "text/event-stream; charset=utf-8"
JSON = "application/json; charset=utf-8"


@dataclass(frozen=True)
class Reply:
    """One HTTP response. `piece` bytes a write (0: all at once); `end` is how it ends: whole,
    close (without the last chunk), reset, or stall (silence)."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    piece: int = 0
    end: str = "whole"

    @classmethod
    def stream(cls, text: str | bytes, **options: Any) -> Reply:
        body = text.encode() if isinstance(text, str) else text
        return cls(200, {"Content-Type": SSE}, body, **options)

    @classmethod
    def document(cls, found: object, status: int = 200, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, {"Content-Type": JSON, **named}, json.dumps(found).encode())


@dataclass
class Seen:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: Any


class WireServer(HttpPeer):
    """Serves `replies` in their order."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.seen: list[Seen] = []
        self.open = 0
        self.most_open = 0
        self.gate: trio.Event | None = None
        """Where set, a reply waits for it."""

    @property
    def url(self) -> str:
        return self.origin

    async def handle(
        self, stream: trio.SocketStream, path: str, headers: dict[str, str], body: bytes
    ) -> None:
        self.seen.append(Seen(path, headers, json.loads(body) if body else None))
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        try:
            if self.gate is not None:
                await self.gate.wait()
            await self._answer(stream, reply)
        finally:
            self.open -= 1

    async def _answer(self, stream: trio.SocketStream, reply: Reply) -> None:
        lines = [f"HTTP/1.1 {reply.status} Reply", "Transfer-Encoding: chunked"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        await stream.send_all("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        size = reply.piece or max(len(reply.body), 1)
        for start in range(0, len(reply.body), size):
            await send_chunk(stream, reply.body[start : start + size])
        if reply.end == "whole":
            await stream.send_all(b"0\r\n\r\n")
        elif reply.end == "reset":
            linger = struct.pack("ii", 1, 0)
            stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, linger)
        elif reply.end == "stall":
            await trio.sleep(math.inf)


@asynccontextmanager
async def serving(*replies: Reply) -> AsyncIterator[WireServer]:
    """A server with these replies, while the block runs."""
    server = WireServer(*replies)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        yield server
        nursery.cancel_scope.cancel()


def events(*found: object, typed: bool = False, end: str = "\n") -> str:
    """Server-sent events of JSON objects; `typed` ones carry their type as the event's name."""
    lines: list[str] = []
    for item in found:
        if typed and isinstance(item, dict):
            lines.append(f"event: {item['type']}")
        text = item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)
        lines += [f"data: {text}", ""]
    return "".join(line + end for line in lines)
