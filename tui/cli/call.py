"""Calling the running node from a command: one place that knows about event loops.

A command is an async function that gets the client and returns what it wants to show. The control
client and the event loop are imported here and only when a command needs them.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tui.cli.failures import NODE, CliError

if TYPE_CHECKING:
    from engine.control.client import ControlClient

T = TypeVar("T")


def home_of(args: argparse.Namespace) -> Path:
    """The state folder this command works on."""
    from engine.control.paths import default_home

    return Path(args.home).expanduser() if args.home is not None else default_home()


def socket_of(args: argparse.Namespace) -> Path:
    """The control socket of the node on that folder."""
    from engine.control.paths import control_socket

    return control_socket(home_of(args))


def with_node(
    args: argparse.Namespace,
    work: Callable[[ControlClient], Awaitable[T]],
    *,
    events: bool = False,
    patience_s: float | None = None,
) -> T:
    """Connect to the running node, do the work, disconnect. Raises CliError when the node has not
    answered within `patience_s`, where that is given."""
    import anyio

    from engine.control.client import connect

    # asyncio logs some races of its own shutdown as tracebacks; they mean nothing to a user.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL + 1)
    path = socket_of(args)

    async def session() -> T:
        async with connect(path, client="cli", events=events) as client:
            return await work(client)

    async def patient() -> T:
        try:
            with anyio.fail_after(patience_s):
                return await session()
        except TimeoutError:
            raise _silent(patience_s) from None

    return anyio.run(patient)


def _silent(patience_s: float | None) -> CliError:
    return CliError(
        f"The node holds its socket and has not answered in {patience_s or 0:.0f} s.",
        code="node_silent",
        exit_code=NODE,
        kept="Nothing was changed.",
        hint="It hangs, or the machine is very busy. See: peer2prompt doctor",
    )


def call(args: argparse.Namespace, method: str, **params: Any) -> Any:
    """One call, its result as plain values."""

    async def work(client: ControlClient) -> Any:
        return await client.call(method, **params)

    return with_node(args, work)


def call_as(args: argparse.Namespace, shape: type[T], method: str, **params: Any) -> T:
    """One call, its result in a shape of the protocol."""

    async def work(client: ControlClient) -> T:
        return await client.call_as(shape, method, **params)

    return with_node(args, work)


def print_json(value: object) -> None:
    """One JSON value, readable: indented, and never with raw control characters."""
    print(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def _plain(value: object) -> Any:
    import msgspec

    return msgspec.to_builtins(value)
