"""The public face for programs and notebooks: re-exports, nothing else.

    import peer2prompt

    async with peer2prompt.connect() as node:
        print(await node.call("status"))

Works under asyncio and trio. A node must be running (`peer2prompt node`).
"""

from __future__ import annotations

from engine.control.client import (
    ControlClient,
    ControlClosed,
    ControlError,
    EventStream,
    NodeNotRunning,
    RemoteError,
    connect,
)
from engine.control.paths import control_socket, default_home
from engine.control.protocol.events import read_event
from engine.control.protocol.frames import Event

__all__ = [
    "ControlClient",
    "ControlClosed",
    "ControlError",
    "Event",
    "EventStream",
    "NodeNotRunning",
    "RemoteError",
    "connect",
    "control_socket",
    "default_home",
    "read_event",
]
