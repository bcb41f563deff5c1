"""The vocabulary of the log: every line that a node can write, as a type.

The docstring is what the event means, for the operator; docs/operating.md lists them all. A field
is a number, a yes or no, or a `Word`; a test holds this file to that. A new event needs a new class
here or in events_client, so that somebody reads what it tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from logging import DEBUG, ERROR, WARNING

from engine.log.event import Event
from engine.log.words import Code, Count, Fault, Kind, Library, Named, Names, Seconds


@dataclass(frozen=True, slots=True)
class Serving(Event):
    """The node serves, with these roles."""

    roles: Names
    pid: Count


@dataclass(frozen=True, slots=True)
class Draining(Event):
    """The node was told to stop and lets what runs finish."""

    grace_s: Seconds


@dataclass(frozen=True, slots=True)
class RoleSwitched(Event):
    """A role was switched on or off while the node runs."""

    role: Names
    on: bool


@dataclass(frozen=True, slots=True)
class SettingsReloaded(Event):
    """config.toml was read again: so many settings are in force, so many wait for a restart."""

    applied: Count
    waiting: Count


@dataclass(frozen=True, slots=True)
class StoreTrouble(Event):
    """The store cannot be written: the disk is full or read-only. What must be written first is
    refused, the rest goes on."""

    level = ERROR


@dataclass(frozen=True, slots=True)
class StoreWell(Event):
    """The store can be written again."""


@dataclass(frozen=True, slots=True)
class WatchdogUnfed(Event):
    """The store did not answer in time, so the supervisor got no sign of life."""

    level = ERROR


@dataclass(frozen=True, slots=True)
class Stopped(Event):
    """The node has ended."""

    after_s: Seconds


@dataclass(frozen=True, slots=True)
class NodeFailed(Event):
    """An internal error ended the node. Its store is whole: the journal is replayed."""

    level = ERROR
    fault: Fault


@dataclass(frozen=True, slots=True)
class CircuitFaulted(Event):
    """An internal error ended a circuit; the others go on."""

    level = ERROR
    fault: Fault


@dataclass(frozen=True, slots=True)
class Uncaught(Event):
    """An exception that nobody took: where it was raised."""

    level = ERROR
    fault: Fault


@dataclass(frozen=True, slots=True)
class LibrarySaid(Event):
    """A library logged something of this level; its words are not kept."""

    level = WARNING
    library: Library
    severity: Named


@dataclass(frozen=True, slots=True)
class PythonWarned(Event):
    """A warning of the interpreter or of a library."""

    level = WARNING
    kind: Kind
    library: Library


class ControlEvent(Event):
    """From the part `control`."""

    __slots__ = ()
    area = "control"


@dataclass(frozen=True, slots=True)
class ControlRefused(ControlEvent):
    """A program of another user tried the control socket."""

    level = WARNING


@dataclass(frozen=True, slots=True)
class ControlLeft(ControlEvent):
    """A control client left in the middle of a line."""

    level = DEBUG


@dataclass(frozen=True, slots=True)
class ControlDropped(ControlEvent):
    """An internal error ended a control client's connection."""

    level = ERROR
    fault: Fault


@dataclass(frozen=True, slots=True)
class CallFailed(ControlEvent):
    """A call over the control socket met an internal error."""

    level = ERROR
    method: Named
    fault: Fault


@dataclass(frozen=True, slots=True)
class AnswerUnwritable(ControlEvent):
    """The answer to a call has no JSON form."""

    level = ERROR
    fault: Fault


@dataclass(frozen=True, slots=True)
class NewsUnwritable(ControlEvent):
    """News for control clients have no JSON form."""

    level = ERROR
    kind: Kind


class ApiEvent(Event):
    """From the part `api`."""

    __slots__ = ()
    area = "api"


@dataclass(frozen=True, slots=True)
class ApiOpened(ApiEvent):
    """The local API is on."""


@dataclass(frozen=True, slots=True)
class ApiFailed(ApiEvent):
    """A request of the local API met an internal error."""

    level = ERROR
    fault: Fault


@dataclass(frozen=True, slots=True)
class AnswerUnstopped(ApiEvent):
    """An answer that nobody waits for could not be stopped at once."""

    code: Code


class GhostEvent(Event):
    """From the part `ghost`."""

    __slots__ = ()
    area = "ghost"


@dataclass(frozen=True, slots=True)
class SessionClosed(GhostEvent):
    """The circuit of a session closed."""

    level = DEBUG


@dataclass(frozen=True, slots=True)
class ClientBroke(GhostEvent):
    """A client broke the session protocol."""

    faults: Count


@dataclass(frozen=True, slots=True)
class SessionFaulted(GhostEvent):
    """An internal error ended a session; the others go on."""

    level = ERROR
    fault: Fault


@dataclass(frozen=True, slots=True)
class KeyRefused(GhostEvent):
    """An AI provider refused the ghost's key: its models are not offered any more."""

    level = ERROR


@dataclass(frozen=True, slots=True)
class ModelLoaded(GhostEvent):
    """A model that this node computes itself is ready."""

    on_gpu: bool


@dataclass(frozen=True, slots=True)
class ModelUnloadable(GhostEvent):
    """A model that this node computes itself cannot be loaded."""

    level = ERROR
    code: Code


@dataclass(frozen=True, slots=True)
class PayoutMade(GhostEvent):
    """Earnings were paid out."""


@dataclass(frozen=True, slots=True)
class PayoutWaits(GhostEvent):
    """A payout could not be looked at and is tried again."""

    level = WARNING
    code: Code


@dataclass(frozen=True, slots=True)
class PayoutFailed(GhostEvent):
    """A payout failed; the earnings stay in the wallet."""

    level = WARNING
