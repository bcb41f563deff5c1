"""Serves HTTP on this machine: one socket that is made here, and hypercorn on it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import trio
from hypercorn.config import Config
from hypercorn.trio import serve

from engine.control.listen import control_listener
from engine.errors import AddressInUse
from engine.gateway.app import Api
from engine.gateway.settings import Listen

BACKLOG = 256
KEEP_ALIVE_S = 30.0
GRACE_S = 3.0


async def serve_api(
    api: Api, listen: Listen, *, task_status: trio.TaskStatus[Listen] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve the local API until cancelled. Reports where, once it listens. Raises AddressInUse."""
    hint = "Choose another one with: peer2prompt api start --listen 127.0.0.1:PORT"
    await serve_app(api, listen, "The local API", hint, task_status=task_status)


async def serve_app(
    app: object,
    listen: Listen,
    name: str,
    hint: str,
    *,
    task_status: trio.TaskStatus[Listen] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve an ASGI application until cancelled. Reports where, once it listens. Raises
    AddressInUse, in which `name` cannot listen and `hint` says what to do."""
    with _bound(listen, name, hint) as (handle, where):
        config = Config()
        config.bind = [f"fd://{handle}"]
        config.backlog = BACKLOG
        config.accesslog = None
        config.errorlog = None  # a traceback could hold a question
        config.include_server_header = False
        config.keep_alive_timeout = KEEP_ALIVE_S
        config.graceful_timeout = GRACE_S
        async with trio.open_nursery() as nursery:

            async def run(task_status: trio.TaskStatus[list[str]]) -> None:
                await serve(cast(Any, app), config, mode="asgi", task_status=task_status)

            await nursery.start(run)
            task_status.started(where)


@contextmanager
def _bound(listen: Listen, name: str, hint: str) -> Iterator[tuple[int, Listen]]:
    """A listening socket's descriptor, which its user closes, and where it really listens."""
    if listen.socket is not None:
        with control_listener(listen.socket) as listener:
            yield os.dup(listener.socket.fileno()), listen
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
    port = sock.getsockname()[1]
    yield sock.detach(), replace(listen, port=port)
