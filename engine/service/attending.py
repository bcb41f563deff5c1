"""Keeps the supervisor informed of a running node: ready, status, watchdog, the way to its end.

The watchdog is fed from the event loop, and only after the store has answered: a loop that hangs, a
store that does, or a thread that holds the interpreter all end in a restart.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import trio

from engine.control.protocol.roles import Draining
from engine.log import say
from engine.log.events import WatchdogUnfed
from engine.service.notify import Notifier
from wallet.errors import WalletError

TICK_S = 5.0
ENDING_TICK_S = 1.0
CLOSE_S = 30.0  # after a drain: farewells, the store, the interpreter


class Attended(Protocol):
    """What of a node the supervisor hears of."""

    def summary(self) -> str: ...

    def what_runs(self) -> Draining | None: ...

    async def check(self) -> None: ...


async def attend(
    node: Attended,
    notifier: Notifier,
    watchdog_s: float | None,
    *,
    ends: trio.Event,
    pause: Callable[[float], Awaitable[None]] = trio.sleep,
) -> None:
    """Until cancelled. `ends` is set when the node begins to end, which is told at once."""
    tick_s = TICK_S if watchdog_s is None else min(TICK_S, watchdog_s / 4)
    stopping = False
    while True:
        runs = node.what_runs()
        if runs is not None and not stopping:
            stopping = True
            notifier.stopping(runs.left_s + CLOSE_S)
        notifier.status(node.summary() if runs is None else _ending(runs))
        if watchdog_s is not None:
            await _feed(node, notifier, watchdog_s / 2)
        if stopping:
            await pause(min(tick_s, ENDING_TICK_S))
            continue
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_wake, ends, nursery.cancel_scope)
            await pause(tick_s)
            nursery.cancel_scope.cancel()


async def _wake(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


async def _feed(node: Attended, notifier: Notifier, within_s: float) -> None:
    try:
        with trio.fail_after(within_s):
            await node.check()
    except (trio.TooSlowError, WalletError):
        say(WatchdogUnfed())
    else:
        notifier.alive()


def _ending(runs: Draining) -> str:
    what = f"{runs.answers + runs.questions} answers and {runs.circuits} circuits are under way"
    then = "another program takes over" if runs.upgrade else "the node ends"
    return f"Draining: {what}; in {round(runs.left_s)} s at most {then}"
