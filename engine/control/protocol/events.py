"""The table of events of the control protocol, and reading one in its typed shape."""

from __future__ import annotations

from typing import Final

import msgspec

from engine.control.protocol.asking import AskDelta, AskDone, AskFailed, AskPaid, AskPart, AskState
from engine.control.protocol.chats import SessionsChanged
from engine.control.protocol.circuits import CircuitChanged
from engine.control.protocol.frames import Event, Result
from engine.control.protocol.wallet import Restore


class Changed(Result, frozen=True):
    """Something can be read anew with the method of the same name."""


class LogLine(Result, frozen=True):
    level: str
    message: str


class Lagged(Result, frozen=True):
    """The client read too slowly: `dropped` events are lost, so it should read the state anew."""

    dropped: int


EVENTS: Final[dict[str, type[Result]]] = {
    "ask.state": AskState,
    "ask.delta": AskDelta,
    "ask.part": AskPart,
    "ask.paid": AskPaid,
    "ask.done": AskDone,
    "ask.failed": AskFailed,
    "sessions.changed": SessionsChanged,
    "circuit.changed": CircuitChanged,
    "status.changed": Changed,
    "wallet.changed": Changed,
    "wallet.restoring": Restore,
    "earnings.changed": Changed,
    "market.changed": Changed,
    "log": LogLine,
    "control.lagged": Lagged,
}
"""Every event of protocol version 1."""


def read_event(event: Event) -> Result | None:
    """The event's data in its typed shape, or None for an event this version does not know."""
    shape = EVENTS.get(event.event)
    return None if shape is None else msgspec.convert(event.data, shape)
