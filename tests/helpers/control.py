"""Helpers for tests of the control socket: a short folder, a raw client, a running server."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import trio

from engine.control.events import EventBus
from engine.control.paths import control_socket
from engine.control.server import ControlServer, Handler


@contextmanager
def short_home() -> Iterator[Path]:
    """A state folder whose path is short enough for a socket, whatever the test's name."""
    with tempfile.TemporaryDirectory(prefix="p2p") as folder:
        yield Path(folder)


@asynccontextmanager
async def serving(
    home: Path, handlers: Mapping[str, Handler], events: EventBus | None = None
) -> AsyncIterator[ControlServer]:
    """A control server for the length of the block."""
    server = ControlServer(control_socket(home), handlers, events)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        yield server
        nursery.cancel_scope.cancel()


class RawClient:
    """Speaks bytes to a control socket, well-formed or not."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._buffer = bytearray()

    async def send(self, data: bytes | dict[str, Any]) -> None:
        line = data if isinstance(data, bytes) else json.dumps(data).encode() + b"\n"
        await self.stream.send_all(line)

    async def line(self) -> Any:
        while b"\n" not in self._buffer:
            chunk = await self.stream.receive_some(65536)
            if not chunk:
                raise EOFError
            self._buffer += chunk
        line, _, rest = bytes(self._buffer).partition(b"\n")
        self._buffer[:] = rest
        return json.loads(line)

    async def ask(self, method: str, call_id: int = 1, **params: Any) -> Any:
        await self.send({"id": call_id, "method": method, "params": params})
        return await self.line()

    async def hello(self, events: bool = False) -> Any:
        return await self.ask("hello", 0, protocol=1, client="raw", events=events)


@asynccontextmanager
async def raw_client(path: Path, *, events: bool | None = None) -> AsyncIterator[RawClient]:
    """A raw connection; with `events` given, hello has been said."""
    async with await trio.open_unix_socket(path) as stream:
        client = RawClient(stream)
        if events is not None:
            await client.hello(events)
        yield client
