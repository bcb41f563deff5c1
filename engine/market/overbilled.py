"""The error for a ghost that claims more than its quote and the answer allow. We stop paying it."""

from __future__ import annotations

from engine.errors import PaymentError


class Overbilled(PaymentError):
    """The ghost claims more than its quote and the answer's size allow. We stop paying it."""

    code = "overbilled"


def overbilled(message: str) -> Overbilled:
    """What is said of a claim that was not paid."""
    return Overbilled(
        message,
        kept="No further payment was made; at most one chunk was at stake.",
        hint="The session with this ghost ends; another ghost will be used.",
    )
