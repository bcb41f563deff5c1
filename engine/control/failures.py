"""How an exception becomes the error a control client reads.

Errors made on purpose, the engine's and the wallet's alike, are recognised by the fields they
carry (`code`, `message`, `kept`, `hint`, `exit_code`). Anything else becomes `internal`, with a
sentence of our own: an unforeseen exception's text may hold a prompt or a path and is never passed
on.
"""

from __future__ import annotations

from engine.control.protocol.frames import ErrorBody
from engine.log.words import leaves

USAGE_EXIT = 2


def refusal(code: str, message: str, *, hint: str = "", kept: str = "") -> ErrorBody:
    """An error of the caller's making: nothing was done."""
    return ErrorBody(code, message, kept, hint, USAGE_EXIT)


def describe(exc: BaseException) -> ErrorBody:
    """The error body for an exception, or for the first meaningful one inside a group."""
    for leaf in leaves(exc):
        code, message = getattr(leaf, "code", None), getattr(leaf, "message", None)
        if isinstance(code, str) and isinstance(message, str):
            exit_code = getattr(leaf, "exit_code", 1)
            return ErrorBody(
                code,
                message,
                str(getattr(leaf, "kept", "") or ""),
                str(getattr(leaf, "hint", "") or ""),
                exit_code if isinstance(exit_code, int) else 1,
            )
    return ErrorBody(
        "internal",
        "The node met an unexpected error.",
        "The wallet's journal keeps every payment that was under way.",
        "Try again; if it happens again, the node's log names the place.",
        1,
    )
