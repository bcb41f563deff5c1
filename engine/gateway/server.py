"""Serves HTTP on this machine: one listener that is made here, and hypercorn behind it."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import trio
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from hypercorn.utils import wrap_app

from engine.control.listen import control_listener
from engine.errors import AddressInUse
from engine.gateway.app import Api
from engine.gateway.door import Receive, Scope, Send, Serve
from engine.gateway.doorway import CALLER, MAX_CONNECTIONS, Caller, Doorway
from engine.gateway.settings import Listen

BACKLOG = 256
KEEP_ALIVE_S = 30.0
"""For a connection to bring a whole request's head, counted from its opening or its last answer."""


async def serve_api(
    api: Api, listen: Listen, *, task_status: trio.TaskStatus[Listen] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve the local API until cancelled. Reports where, once it listens. Raises AddressInUse."""
    hint = "Choose another one with: peer2prompt api start --listen 127.0.0.1:PORT"
    await serve_app(api, listen, "The local API", hint, task_status=task_status)


async def serve_app(
    app: Callable[..., Awaitable[None]],
    listen: Listen,
    name: str,
    hint: str,
    *,
    task_status: trio.TaskStatus[Listen] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve an ASGI application until cancelled. Reports where, once it listens. Raises
    AddressInUse, in which `name` cannot listen and `hint` says what to do."""
    with _bound(listen, name, hint) as (listener, where):
        doorway = Doorway(listener, MAX_CONNECTIONS)
        config, context = _config(), WorkerContext(None)

        async def serve(caller: Caller) -> None:
            shown = wrap_app(cast(Any, _naming(app, caller)), 0, "asgi")
            await _Connection(shown, config, context, ConnectionState({}), cast(Any, caller))

        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, serve, [doorway])
            task_status.started(where)
            try:
                await trio.sleep_forever()
            finally:
                doorway.close_all()


class _Connection(TCPServer):
    """One connection. When its other side has gone it is over at once, not only when its time to
    say something is."""

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()


def _naming(app: Callable[..., Awaitable[None]], caller: Caller) -> Serve:
    """The application, told with each request whose connection it came over."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, CALLER: caller}, receive, send)

    return served


def _config() -> Config:
    config = Config()
    config.accesslog = None
    config.errorlog = None  # a traceback could hold a question
    config.include_server_header = False
    config.keep_alive_timeout = KEEP_ALIVE_S
    return config


@contextmanager
def _bound(listen: Listen, name: str, hint: str) -> Iterator[tuple[trio.SocketListener, Listen]]:
    """A listener, and where it really listens."""
    if listen.socket is not None:
        with control_listener(listen.socket) as listener:
            yield listener, listen
        return
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    try:
        sock = socket.create_server((listen.host, listen.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise AddressInUse(
            f"{name} cannot listen on {listen.host}:{listen.port}: {error.strerror}.",
            kept="The node goes on without it.",
            hint=hint,
        ) from error
    with sock:
        sock.setblocking(False)
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
        yield listener, replace(listen, port=sock.getsockname()[1])
