"""What a ghost mails to a client that went away: the whole answer as one run of session messages.

The letter holds the text from byte 0 in deltas, then `done` with its receipt, or `need` when the
credit ended first. When it has to be shorter than that, it holds as much of the text as fits. Pure.
"""

from __future__ import annotations

from engine.market.ghost_answer import UNASKED, Bill, GhostAnswer, Phase
from engine.wire import session as wire

DELTA_BYTES = 1024
"""Text per message of a letter: small, so that a letter that must be cut loses little."""


def is_over(answer: GhostAnswer, balance: int) -> bool:
    """Whether nothing more can happen to the answer before its client comes back."""
    if answer.phase is Phase.BILLED:
        return True
    if answer.phase is Phase.COMMITTING or answer.phase in UNASKED:
        return False
    waits = not answer.all_sent or answer.phase is Phase.ENDED
    return waits and answer.next_due_msat > balance


def write_letter(answer: GhostAnswer, balance: int, limit: int) -> bytes:
    """The letter for an answer that is over, at most `limit` bytes."""
    end = wire.encode(_end_of(answer, balance))
    parts: list[bytes] = []
    size = 0
    for delta in answer.delivered(DELTA_BYTES):
        part = wire.encode(delta)
        if size + len(part) > limit:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
    return b"".join([*parts, end] if size + len(end) <= limit else parts)


def _end_of(answer: GhostAnswer, balance: int) -> wire.Done | wire.Need:
    bill = answer.bill
    if bill is None:
        return wire.Need(answer.q, answer.next_due_msat, balance)
    return done_message(answer.q, bill)


def done_message(q: int, bill: Bill) -> wire.Done:
    """The end of answer `q`, in a letter as on a stream."""
    counts = bill.counts
    return wire.Done(
        q,
        bill.reason,
        counts.tin,
        counts.tout,
        counts.cached,
        counts.reasoning,
        bill.cost,
        bill.receipt,
    )
