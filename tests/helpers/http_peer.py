"""An HTTP server of plain trio sockets: one request a connection, every byte of the answer by hand.

The base of servers that misbehave on demand.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod

import trio

REASONS = {302: "Found", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}
REASONS |= {429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}
MAX_REQUEST = 8 * 1024 * 1024


class HttpPeer(ABC):
    """Listens on this machine; a subclass answers."""

    port: int = 0

    @property
    def origin(self) -> str:
        """Where it is reached, without a path."""
        return f"http://127.0.0.1:{self.port}"

    async def run(
        self, port: int = 0, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled; on a port of its own unless one is given or known."""
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(
                lambda task_status: trio.serve_tcp(
                    self._serve, port or self.port, host="127.0.0.1", task_status=task_status
                )
            )
            self.port = listeners[0].socket.getsockname()[1]
            task_status.started()

    async def _serve(self, stream: trio.SocketStream) -> None:
        try:
            request = await read_request(stream)
            if request is not None:
                await self.handle(stream, *request)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        finally:
            await trio.aclose_forcefully(stream)

    @abstractmethod
    async def handle(
        self, stream: trio.SocketStream, path: str, headers: dict[str, str], body: bytes
    ) -> None:
        """Answer one request; the connection is closed behind it."""


async def send_chunk(stream: trio.SocketStream, data: bytes) -> None:
    await stream.send_all(b"%x\r\n%s\r\n" % (len(data), data))


async def respond(
    stream: trio.SocketStream, status: int, body: object, extra: dict[str, str] | None = None
) -> None:
    raw = json.dumps(body).encode()
    head = [f"HTTP/1.1 {status} {REASONS.get(status, 'OK')}", "Content-Type: application/json"]
    head += [f"{name}: {value}" for name, value in (extra or {}).items()]
    head += [f"Content-Length: {len(raw)}", "Connection: close", "", ""]
    await stream.send_all("\r\n".join(head).encode() + raw)


async def read_request(
    stream: trio.SocketStream,
) -> tuple[str, dict[str, str], bytes] | None:
    data = bytearray()
    while b"\r\n\r\n" not in data:
        more = await stream.receive_some(65536)
        if not more or len(data) > MAX_REQUEST:
            return None
        data += more
    head, _, body = bytes(data).partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
    }
    size = min(int(headers.get("content-length", "0")), MAX_REQUEST)
    while len(body) < size:
        more = await stream.receive_some(65536)
        if not more:
            return None
        body += more
    return first.split(" ")[1], headers, body
