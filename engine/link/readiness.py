"""Calls a function whenever a socket is readable, without waking a task for it.

A relay's work per cell is short, and waking a trio task for each read costs more than the read, the
cryptography and the write together. So the sockets of links wait in an epoll of their own, which
stands in front of trio's: the event loop waits there for both, calls the links' functions straight
from the wait, and goes on to trio only when a task, a timer or one of trio's own sockets is due.

There is no public way to stand there. What is used of trio's inside is in this file alone, looked
up once per run; where it is not as expected (another system, another trio) a task per socket does
the same, a little slower.
"""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Callable
from typing import Any, Protocol, cast

import outcome
import trio

Ready = Callable[[], bool]
"""Called when the socket is readable; False ends the service of the socket."""


class Descriptor(Protocol):
    """A socket of Python or of trio."""

    def fileno(self) -> int: ...


_MAX_EVENTS = 64  # sockets served at once
_MAX_ROUNDS = 64  # how often, before trio's timers have a turn
_run_front: trio.lowlevel.RunVar[_Front | None] = trio.lowlevel.RunVar("link readiness")


async def serve_readable(sock: Descriptor, ready: Ready) -> None:
    """Call `ready` now and whenever `sock` is readable, until it returns False or `stop_serving`.

    `ready` runs in the event loop and may not block or await. Raises whatever it raises.
    """
    if not ready():
        return
    front = _front()
    if front is not None:
        await front.serve(sock.fileno(), ready)
        return
    with contextlib.suppress(trio.ClosedResourceError):
        await trio.lowlevel.wait_readable(sock.fileno())
        while ready():
            await trio.lowlevel.wait_readable(sock.fileno())


def stop_serving(sock: Descriptor) -> None:
    """To be called before `sock` is closed: ends `serve_readable` and every wait of trio for it."""
    trio.lowlevel.notify_closing(sock.fileno())
    front = _front()
    if front is not None:
        front.finish(sock.fileno(), outcome.Value(None))


def _front() -> _Front | None:
    """The front of this run's event loop, made at the first use; None where there can be none."""
    try:
        return _run_front.get()
    except LookupError:
        front = _Front.install()
        _run_front.set(front)
        return front


class _Front:
    """Stands in for trio's I/O manager: an epoll of served sockets and of trio's own epoll."""

    def __init__(self, runner: Any, inner: Any, inner_epoll: select.epoll) -> None:
        self._runner = runner
        self._inner = inner
        self._inner_events = inner.get_events
        self._epoll = select.epoll()
        self._epoll.register(inner_epoll, select.EPOLLIN)
        self._served: dict[int, tuple[trio.lowlevel.Task, Ready]] = {}
        self.process_events = inner.process_events

    @classmethod
    def install(cls) -> _Front | None:
        """Put a front before the running loop's I/O manager; None when that is not as expected."""
        context = getattr(trio.lowlevel.wait_readable, "__globals__", {}).get("GLOBAL_RUN_CONTEXT")
        runner = getattr(context, "runner", None)
        inner = getattr(runner, "io_manager", None)
        inner_epoll = getattr(inner, "_epoll", None)
        if runner is None or runner.is_guest or not isinstance(inner_epoll, select.epoll):
            return None
        front = cls(runner, inner, inner_epoll)
        runner.io_manager = front
        return front

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def close(self) -> None:
        """The run is over."""
        self._epoll.close()
        self._inner.close()

    @trio.lowlevel.enable_ki_protection
    def get_events(self, timeout: float) -> list[tuple[int, int]]:
        """Serve sockets until trio has something to do; returns the events of trio's own epoll."""
        runq, poll, served = self._runner.runq, self._epoll.poll, self._served
        busy = bool(runq)
        until = time.monotonic() + timeout
        for _ in range(_MAX_ROUNDS):
            events = poll(timeout, _MAX_EVENTS)
            due = False
            for fd, _flags in events:
                one = served.get(fd)
                if one is not None:
                    self._call(fd, one[1])
                else:
                    due = True
            if due:
                return cast(list[tuple[int, int]], self._inner_events(0))
            if busy or runq or not events:
                break
            timeout = max(0.0, until - time.monotonic())
        return []

    def _call(self, fd: int, ready: Ready) -> None:
        try:
            goes_on = ready()
        except BaseException as error:  # it belongs to the task that waits, whatever it is
            self.finish(fd, outcome.Error(error))
            return
        if not goes_on:
            self.finish(fd, outcome.Value(None))

    async def serve(self, fd: int, ready: Ready) -> None:
        """Until `finish` is called for `fd`."""
        self._served[fd] = (trio.lowlevel.current_task(), ready)
        self._epoll.register(fd, select.EPOLLIN)

        def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
            self._forget(fd)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    def finish(self, fd: int, result: outcome.Outcome[None]) -> None:
        """End the service of `fd`, if there is one, with this result."""
        if fd in self._served:
            trio.lowlevel.reschedule(self._forget(fd), result)

    def _forget(self, fd: int) -> trio.lowlevel.Task:
        self._epoll.unregister(fd)
        return self._served.pop(fd)[0]
