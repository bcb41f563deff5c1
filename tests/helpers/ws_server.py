"""A websocket server in trio that does what a test says: a mint's news (NUT-17), or worse."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Event, Message, Ping, RejectConnection, Request
from wsproto.events import CloseConnection as Close
from wsproto.events import TextMessage as Text

Json = dict[str, Any]


class Peer:
    """One connection, as the server sees it."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.frames = WSConnection(ConnectionType.SERVER)
        self.asked: list[Json] = []

    async def send(self, event: Event) -> None:
        await self.stream.send_all(self.frames.send(event))

    async def tell(self, name: str, state: str, *, key: str = "quote") -> None:
        """A notification of the last subscription."""
        params = {"subId": self.asked[-1]["params"]["subId"], "payload": {key: name}}
        params["payload"]["state"] = state
        await self.json({"jsonrpc": "2.0", "method": "subscribe", "params": params})

    async def json(self, value: object) -> None:
        await self.send(Message(data=json.dumps(value)))

    async def accept(self) -> Json:
        """Take the handshake and the subscription, and say that it is accepted."""
        while True:
            for event in self.frames.events():
                if isinstance(event, Request):
                    await self.send(AcceptConnection())
                elif isinstance(event, Text):
                    self.asked.append(json.loads(event.data))
                    params = self.asked[-1]["params"]
                    result = {"status": "OK", "subId": params["subId"]}
                    await self.json({"jsonrpc": "2.0", "result": result, "id": 1})
                    return self.asked[-1]
            await self.read()

    async def read(self) -> None:
        data = await self.stream.receive_some(4096)
        self.frames.receive_data(data or None)
        if not data:
            raise trio.BrokenResourceError

    async def until_closed(self) -> None:
        while await self.stream.receive_some(4096):
            pass


Script = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def websocket_server(script: Script) -> AsyncIterator[str]:
    """Runs the script for each connection; the address, as a mint's."""

    async def serve(stream: trio.SocketStream) -> None:
        try:
            await script(Peer(stream))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        yield f"http://127.0.0.1:{port}"
        nursery.cancel_scope.cancel()


__all__ = ["Close", "Peer", "Ping", "RejectConnection", "Script", "websocket_server"]
