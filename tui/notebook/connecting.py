"""`connect`: to the node of a home, as a block or as an object that is kept from cell to cell."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import anyio
import anyio.to_thread

from engine.control.client import NodeNotRunning
from engine.control.paths import control_socket, default_home
from tui.notebook.errors import NodeStartFailed, told
from tui.notebook.link import Link, Spawn, spawn_detached
from tui.notebook.peer import Peer


def connect(
    home: Path | str | None = None,
    *,
    socket: Path | str | None = None,
    start: bool = False,
    passphrase: str | None = None,
) -> Connecting:
    """Connect to your node.

        async with peer2prompt.connect() as p: ...      # closed at the end of the block
        p = await peer2prompt.connect()                 # kept until `await p.close()`

    `home` is the node's state folder (by default `$PEER2PROMPT_HOME` or the platform's), `socket`
    its control socket when it lies elsewhere. With `start` a node is started as a child of this
    process when none runs, and stopped when the connection is closed; `passphrase` opens its store.

    Raises `NodeNotRunning`, whose hint names the command, `NodeStartFailed`, or `ControlError` when
    the socket is somebody else's.
    """
    state = Path(home).expanduser() if home is not None else default_home()
    path = Path(socket) if socket is not None else control_socket(state)
    return Connecting(path, state if start else None, passphrase)


class Connecting:
    """What `connect` returns: to be awaited, or entered with `async with`; once."""

    def __init__(self, path: Path, start_home: Path | None, passphrase: str | None) -> None:
        self._path = path
        self._start_home = start_home
        self._passphrase = passphrase
        self._block: AbstractAsyncContextManager[Peer] | None = None

    def __await__(self) -> Generator[Any, None, Peer]:
        return self._open(spawn_detached).__await__()

    async def __aenter__(self) -> Peer:
        self._block = self._attached()
        return await self._block.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        block, self._block = self._block, None
        return await block.__aexit__(kind, error, trace) if block is not None else None

    @asynccontextmanager
    async def _attached(self) -> AsyncIterator[Peer]:
        """All tasks belong to this block. Errors come out of it as they are."""
        failure: Exception | None = None
        async with anyio.create_task_group() as tasks:
            try:
                peer = await self._open(tasks.start_soon)
                try:
                    yield peer
                finally:
                    with anyio.CancelScope(shield=True):
                        await peer.close()
            except Exception as exc:  # raised again below, outside the task group
                failure = exc
        if failure is not None:
            raise failure

    async def _open(self, spawn: Spawn) -> Peer:
        peer = Peer(Link(self._path, spawn))
        try:
            await peer.open()
        except NodeNotRunning:
            if self._start_home is None:
                raise
        else:
            return peer
        stop = await _start(self._start_home, self._passphrase)
        peer = Peer(Link(self._path, spawn), after=stop)
        try:
            await peer.open()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await stop()
            raise
        return peer


async def _start(home: Path, passphrase: str | None) -> Callable[[], Awaitable[None]]:
    """Start a node, as the command line does; what stops it again."""
    from tui.cli.failures import CliError
    from tui.cli.nodeproc import start_node

    try:
        node = await anyio.to_thread.run_sync(
            functools.partial(start_node, home, passphrase=passphrase)
        )
    except CliError as exc:
        failure = told(NodeStartFailed(exc.message, kept=exc.kept, hint=exc.hint))
    else:
        return functools.partial(anyio.to_thread.run_sync, node.stop)
    raise failure
