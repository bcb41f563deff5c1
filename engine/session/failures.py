"""What the caller is told when a session fails: what happened, what was kept, what to do.

Pure words; none of them holds any text of a question or an answer.
"""

from __future__ import annotations

from engine.errors import CircuitClosed, GhostError, NoRoute, Peer2PromptError, ProviderError
from engine.wire.session import Error

PROVIDER = "provider_"
_HINTS = {
    "refused": "Change the question's model or options, or use another ghost.",
    "moderated": "Change the question, or use another ghost.",
    "cap_reached": "Use another ghost until this one takes questions again.",
    "busy": "Wait for the earlier answer, or cancel it.",
    "unpaid": "Ask again once the mint answers.",
    "unknown_answer": "Ask again; the part that arrived is kept.",
    "settle_failed": "The credit is asked back again later.",
}


def of_ghost(error: Error | None) -> Peer2PromptError:
    """The error a ghost reported, as ours. Failures of its provider keep their kind."""
    if error is None:
        return GhostError("The ghost did not do what it was asked.", hint="Use another ghost.")
    if error.code.startswith(PROVIDER):
        return ProviderError(
            error.message,
            kind=error.code.removeprefix(PROVIDER),
            retry_after_s=float(error.after) if error.after else None,
            kept=error.kept,
            hint="Ask again, or use another ghost.",
        )
    hint = _HINTS.get(error.code, "Ask again.")
    if error.after and error.code == "busy":
        hint = f"Ask again in {error.after} s, or use another ghost."
    return GhostError(
        error.message,
        reason=error.code,
        retry_after_s=float(error.after) if error.after else None,
        kept=error.kept,
        hint=hint,
    )


def of_way(error: Exception, received_bytes: int, credit_msat: int) -> Peer2PromptError:
    """The way to the ghost is lost for good."""
    kept = [f"The {received_bytes} bytes of the answer that arrived are kept."] * bool(
        received_bytes
    )
    if credit_msat >= 1000:
        kept.append(
            f"A credit of {credit_msat // 1000} sat stays with the ghost and is asked back."
        )
    kept.append("Ecash on its way was followed up at the mint.")
    words = " ".join(kept)
    hint = "Ask again; a new circuit will be built."
    if isinstance(error, NoRoute):
        return type(error)(error.message, kept=words, hint=error.hint or hint)
    return CircuitClosed(
        "The way to the ghost was lost and could not be restored.", kept=words, hint=hint
    )
