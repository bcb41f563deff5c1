"""Every error the engine raises on purpose, with the words its user reads.

    Peer2PromptError
    ├── ConfigError            a setting, file or option is wrong (exit 2)
    ├── BadValue               what was asked for cannot be, as it was asked (exit 2)
    ├── NotFound               what was named is not there (exit 2)
    ├── TooMany                as many as there may be are under way; later is fine (exit 2)
    ├── ProtocolError          a peer sent something malformed (exit 4)
    │   ├── WireError          bytes that do not parse or are not canonical
    │   ├── HandshakeError     a link or hop handshake did not authenticate
    │   ├── LayerError         an onion layer's tag did not verify
    │   ├── LinkError          a link record did not verify, or the link broke
    │   └── Unfit              a question's form is wrong (engine.exit.question_checks)
    ├── CircuitClosed          a circuit or stream ended before its end mark (exit 4)
    ├── NoRoute                no path satisfies the path rules (exit 4)
    ├── ProviderError          the AI provider behind a ghost failed (exit 6)
    ├── GhostError             the ghost refused, or broke the session protocol (exit 6)
    ├── PaymentError           a payment could not be made or checked (exit 7)
    ├── ControlError           the node cannot be reached over its socket (exit 8)
    ├── ShuttingDown           the node ends and begins nothing new (exit 8)
    └── AddressInUse           a listening address is taken (exit 9)

A message is one sentence that says what happened; `kept` says what was kept safe; `hint` says what
to do. None of the three may hold a prompt, an answer, a route, a key, a proof or a passphrase.
"""

from __future__ import annotations


class Peer2PromptError(Exception):
    """Base of all errors of the engine. `code` is stable for programs, `exit_code` for shells."""

    code = "internal"
    exit_code = 1

    def __init__(self, message: str, *, kept: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.kept = kept
        self.hint = hint

    def as_dict(self) -> dict[str, str | int]:
        """The error as the control protocol and `--json` print it."""
        return {
            "code": self.code,
            "message": self.message,
            "kept": self.kept,
            "hint": self.hint,
            "exit_code": self.exit_code,
        }


class ConfigError(Peer2PromptError):
    code = "config"
    exit_code = 2


class BadValue(Peer2PromptError):
    """What was asked for cannot be done as it was asked: empty, too long, contradictory."""

    code = "bad_value"
    exit_code = 2


class NotFound(Peer2PromptError):
    """There is nothing of the name, id or number that was given."""

    code = "not_found"
    exit_code = 2


class TooMany(Peer2PromptError):
    """As many as there may be are under way. The same, asked later, is fine."""

    code = "too_many"
    reason = "busy"
    exit_code = 2


class ProtocolError(Peer2PromptError):
    """A peer broke the protocol. Never the local user's fault."""

    code = "protocol"
    exit_code = 4


class WireError(ProtocolError):
    code = "wire"


class HandshakeError(ProtocolError):
    code = "handshake"


class LayerError(ProtocolError):
    code = "layer"


class LinkError(ProtocolError):
    code = "link"


class CircuitClosed(Peer2PromptError):
    code = "circuit_closed"
    exit_code = 4


class NoRoute(Peer2PromptError):
    code = "no_route"
    exit_code = 4


class ProviderError(Peer2PromptError):
    """The provider failed. `kind` is one of auth, rate_limit, bad_request, too_long, blocked,
    overloaded, broken_stream, timeout, unreachable, protocol; `retry_after_s` says when a rate
    limit or an overload ends, if the provider said so."""

    code = "provider"
    exit_code = 6

    def __init__(
        self,
        message: str,
        *,
        kind: str,
        retry_after_s: float | None = None,
        kept: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, kept=kept, hint=hint)
        self.kind = kind
        self.retry_after_s = retry_after_s


class GhostError(Peer2PromptError):
    """The ghost refused or misbehaved. `reason` is its own code for a refusal (refused, moderated,
    cap_reached, busy, ...), `retry_after_s` when it is worth to ask it again."""

    code = "ghost"
    exit_code = 6

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        retry_after_s: float | None = None,
        kept: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, kept=kept, hint=hint)
        self.reason = reason
        self.retry_after_s = retry_after_s


class PaymentError(Peer2PromptError):
    code = "payment"
    exit_code = 7


class ControlError(Peer2PromptError):
    code = "control"
    exit_code = 8


class ShuttingDown(Peer2PromptError):
    """The node lets what runs finish and begins nothing new."""

    code = "shutting_down"
    exit_code = 8


class AddressInUse(Peer2PromptError):
    code = "address_in_use"
    exit_code = 9
