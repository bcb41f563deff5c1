"""Solves proofs of work beside the event loop, one at a time, and stops when nobody waits.

The search holds the interpreter lock only for a moment at a time, so that cells and shaping ticks
of the loop keep their pace.
"""

from __future__ import annotations

import time

import trio

from engine.crypto.work import search

STEP = 512  # hashes between two looks aside: a quarter of a millisecond
_SOLVERS = trio.CapacityLimiter(1)  # more would only share the one interpreter


async def solve_in_thread(challenge: bytes, bits: int) -> bytes:
    """`engine.crypto.work.solve` in a thread; cancelling the caller ends the search."""
    return await trio.to_thread.run_sync(
        _search_all, challenge, bits, abandon_on_cancel=False, limiter=_SOLVERS
    )


def _search_all(challenge: bytes, bits: int) -> bytes:
    start = 0
    while (found := search(challenge, bits, start, STEP)) is None:
        start += STEP
        time.sleep(0)  # lets the loop's thread have the interpreter
        trio.from_thread.check_cancelled()
    return found
