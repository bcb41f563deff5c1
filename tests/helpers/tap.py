"""A tap on a guard link: a TCP proxy that sees every read and write, and changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import trio

from engine.circuit.path import Hop


@dataclass
class Tap:
    """What somebody on the wire sees: bytes and times, in both directions."""

    up: list[tuple[float, int]] = field(default_factory=list)
    down: list[tuple[float, int]] = field(default_factory=list)
    port: int = 0
    host: str = "127.0.0.1"

    def counts(self) -> tuple[int, int]:
        """Bytes up and down so far."""
        return sum(size for _, size in self.up), sum(size for _, size in self.down)

    def in_front_of(self, path: tuple[Hop, ...]) -> tuple[Hop, ...]:
        """The same path, with its guard reached through the tap."""
        return (replace(path[0], host=self.host, port=self.port), *path[1:])

    async def run(
        self,
        host: str,
        port: int,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Forward every connection to host:port until cancelled."""

        async def handle(client: trio.SocketStream) -> None:
            async with await trio.open_tcp_stream(host, port) as server, trio.open_nursery() as n:
                n.start_soon(self._copy, client, server, self.up)
                await self._copy(server, client, self.down)

        listeners = await trio.open_tcp_listeners(0, host=self.host)
        self.port = listeners[0].socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(handle, listeners)

    @staticmethod
    async def _copy(
        source: trio.SocketStream, sink: trio.SocketStream, log: list[tuple[float, int]]
    ) -> None:
        try:
            async for chunk in source:
                log.append((trio.current_time(), len(chunk)))
                await sink.send_all(chunk)
            await sink.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
