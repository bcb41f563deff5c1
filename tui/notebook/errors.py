"""The errors that programs and notebooks meet, with what was kept safe and what to do.

    Peer2PromptError
    └── ControlError              exit_code 8
        ├── NodeNotRunning        nobody listens there: the hint names the command
        ├── NodeStartFailed       `connect(start=True)` could not start a node
        ├── ControlClosed         the link ended meanwhile; the next call dials anew
        ├── WrongUse              an argument cannot be used; nothing was sent
        ├── TooDear               the question may cost more than it may; nothing was sent
        ├── AnswerLost            an answer failed, and why was read too late
        └── RemoteError           the node said no; by its `exit_code`:
            ├── RequestRefused    2, the request itself
            ├── StoreFailed       3, the encrypted store
            ├── NetworkFailed     4, no safe path, or it broke
            ├── MintFailed        5
            ├── GhostFailed       6, the ghost or its provider
            ├── PaymentFailed     7, the wallet holds too little, or a payment failed
            ├── NeedsConsent      another ghost could answer, and would be shown the chat
            └── Cancelled         the question was called off before an answer began

Each has `message`, `kept`, `hint` and `code`; a traceback shows all three sentences. They are made
anew at the border of this package, so that a traceback ends there. No text of a question or an
answer is ever in them.
"""

from __future__ import annotations

from typing import Final

from engine.control.client import (
    ControlClosed,
    ControlError,
    NodeNotRunning,
    Peer2PromptError,
    RemoteError,
)
from engine.control.protocol.asking import Consent
from engine.control.protocol.frames import ErrorBody
from tui.questions import AnswerLost

__all__ = [
    "AnswerLost",
    "Cancelled",
    "ControlClosed",
    "ControlError",
    "GhostFailed",
    "MintFailed",
    "NeedsConsent",
    "NetworkFailed",
    "NodeNotRunning",
    "NodeStartFailed",
    "PaymentFailed",
    "Peer2PromptError",
    "RemoteError",
    "RequestRefused",
    "StoreFailed",
    "TooDear",
    "WrongUse",
]


class NodeStartFailed(ControlError):
    """`connect(start=True)` found no node and could not start one."""

    code = "node_start"


class WrongUse(ControlError):
    """An argument that cannot be used. Nothing was sent."""

    code = "usage"
    exit_code = 2


class TooDear(ControlError):
    """The dearest answer would cost more than `max_sat`. Nothing was sent, nothing was paid."""

    code = "too_dear"
    exit_code = 7

    def __init__(
        self, message: str, *, most_msat: int = 0, limit_msat: int = 0, hint: str = ""
    ) -> None:
        super().__init__(message, kept="Nothing was sent and nothing was paid.", hint=hint)
        self.most_msat = most_msat
        self.limit_msat = limit_msat


class RequestRefused(RemoteError):
    """The node could not use what it was asked."""


class StoreFailed(RemoteError):
    """The encrypted store is locked, not ours, or cannot be written."""


class NetworkFailed(RemoteError):
    """No path satisfies the rules, or the path broke. It never falls back to a direct one."""


class MintFailed(RemoteError):
    """A mint is down, refuses or lies."""


class GhostFailed(RemoteError):
    """The ghost or its provider refused or failed."""


class PaymentFailed(RemoteError):
    """A payment could not be made: mostly the wallet holds too little."""


class Cancelled(RemoteError):
    """The question was called off before an answer began. Nothing was charged."""


class NeedsConsent(RemoteError):
    """The ghost of this chat failed. Another could answer, and would be shown the chat: see
    `Conversation.failover`."""

    def __init__(self, body: ErrorBody, consent: Consent | None = None) -> None:
        super().__init__(body)
        self.consent = consent or Consent()


_BY_CODE: Final[dict[str, type[RemoteError]]] = {
    "cancelled": Cancelled,
    "needs_consent": NeedsConsent,
}
_BY_EXIT: Final[dict[int, type[RemoteError]]] = {
    2: RequestRefused,
    3: StoreFailed,
    4: NetworkFailed,
    5: MintFailed,
    6: GhostFailed,
    7: PaymentFailed,
}


def told(error: ControlError) -> ControlError:
    """The error as this package raises it: of the fitting type, and with its other two sentences
    as notes, which every traceback prints."""
    if type(error) is RemoteError:
        return remote(error.body)
    if type(error) in (ControlClosed, NodeNotRunning, AnswerLost):
        error = type(error)(error.message, kept=error.kept, hint=error.hint)
    return _noted(error)


def remote(body: ErrorBody, consent: Consent | None = None) -> ControlError:
    """The node's error in its type."""
    if body.code == "needs_consent":
        return _noted(NeedsConsent(body, consent))
    kind = _BY_CODE.get(body.code) or _BY_EXIT.get(body.exit_code, RemoteError)
    return _noted(kind(body))


def wrong_use(message: str, *, hint: str = "") -> ControlError:
    """An argument cannot be used; nothing was sent."""
    return _noted(WrongUse(message, hint=hint))


def _noted(error: ControlError) -> ControlError:
    if not getattr(error, "__notes__", None):
        for sentence in (error.kept, error.hint):
            if sentence:
                error.add_note(sentence)
    return error
