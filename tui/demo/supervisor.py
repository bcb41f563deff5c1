"""Starts the demo's processes, restarts those that die, stops all of them in order.

Start and stop run in the thread that owns the demo; between them one watching thread restarts what
died, so any process may be killed at any time. Restarts back off and are noted in the demo's log.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.control.client import ControlError
from tui.demo.children import Child, Keeper, Spec
from tui.demo.errors import DemoError

_POLL_S = 0.05
_WATCH_S = 0.2
_BACK_OFF_S = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
_IDLE_WITHIN_S = 20.0
_STEADY_S = 20.0
"""A process that ran this long before it died starts again with the shortest back-off."""

Note = Callable[[str], None]


@dataclass
class _Watch:
    started: float
    failures: int = 0
    restart_at: float | None = None
    restarting: bool = False


class Supervisor:
    """Owns every child of one demo."""

    def __init__(self, note: Note, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.keeper = Keeper()
        self._note = note
        self._clock = clock
        self._children: list[Child] = []
        self._watches: dict[Child, _Watch] = {}
        self._stopping = threading.Event()
        self._idle = threading.Event()
        self._finished = threading.Event()
        self._changed: Callable[[Child], None] = lambda _child: None
        self._tick: Callable[[], None] = lambda: None
        self._thread: threading.Thread | None = None
        self._hurry = False

    def start(self, specs: Sequence[Spec]) -> list[Child]:
        """Start processes side by side; see `wait_ready`."""
        children = [Child(spec, self.keeper) for spec in specs]
        for child in children:
            self._children.append(child)
            child.start()
            self._watches[child] = _Watch(self._clock())
        return children

    def wait_ready(self, children: Sequence[Child], on_ready: Callable[[Child], None]) -> None:
        """Wait until all serve. Raises DemoError in the words of the first that ended."""
        waiting = list(children)
        begun = self._clock()
        while waiting:
            for child in list(waiting):
                if child.exit_status() is not None:
                    raise child.failure()
                if child.is_ready():
                    waiting.remove(child)
                    on_ready(child)
                elif self._clock() - begun > child.spec.ready_timeout_s:
                    raise DemoError(
                        f"The demo's {child.name} did not get ready within "
                        f"{child.spec.ready_timeout_s:.0f} seconds.",
                        hint=f"Its output is in {child.spec.log}; a busy machine may need longer.",
                    )
            time.sleep(_POLL_S)

    def watch(self, changed: Callable[[Child], None], tick: Callable[[], None]) -> None:
        """From now on restart what dies. `changed` is called when a restarted process serves
        again, `tick` on every round; both in the watching thread."""
        self._changed, self._tick = changed, tick
        self._thread = threading.Thread(target=self._run, name="demo-supervisor", daemon=True)
        self._thread.start()

    def child(self, name: str) -> Child:
        return next(child for child in self._children if child.name == name)

    def hurry(self) -> None:
        """Cut every grace period short (the user pressed Ctrl+C again)."""
        self._hurry = True

    def stop(self, order: Sequence[Sequence[str]]) -> None:
        """Stop group after group by name; what is not named goes last. Ends with nothing alive."""
        self._stopping.set()
        if self._thread is not None:
            # Not joined yet: what this thread started gets SIGTERM from the kernel when it ends.
            self._idle.wait(_IDLE_WITHIN_S)
        self.stop_children(order)
        self._finished.set()
        if self._thread is not None:
            self._thread.join(_IDLE_WITHIN_S)
        self.keeper.bye()

    def stop_children(self, order: Sequence[Sequence[str]]) -> None:
        """Stop all there are and forget them, so that others can be started."""
        named = [[child for child in self._children if child.name in group] for group in order]
        rest = [child for child in self._children if not any(child in group for group in named)]
        for group in [*named, rest]:
            self._stop_group(group)
        self._children.clear()
        self._watches.clear()

    def _stop_group(self, group: Sequence[Child]) -> None:
        for child in group:
            child.signal(signal.SIGTERM)
        deadline = self._clock() + max((child.spec.grace_s for child in group), default=0.0)
        waiting = list(group)
        while waiting and not self._hurry and self._clock() < deadline:
            waiting = [child for child in waiting if not child.reap(_POLL_S)]
        for child in waiting:
            self._note(f"{child.name} did not stop in time and was killed")
            child.signal(signal.SIGKILL)
            child.reap(5.0)

    def _run(self) -> None:
        while not self._stopping.wait(_WATCH_S):
            try:
                for child in list(self._children):
                    if not self._stopping.is_set():
                        self._look_after(child)
                self._tick()
            except (OSError, ControlError) as exc:  # a full disk, say: try again next round
                self._note(f"looking after the processes failed: {exc}")
        self._idle.set()
        self._finished.wait()

    def _look_after(self, child: Child) -> None:
        watch, now = self._watches[child], self._clock()
        if watch.restart_at is not None:
            if now >= watch.restart_at:
                watch.restart_at, watch.restarting, watch.started = None, True, now
                child.start()
        elif (status := child.exit_status()) is not None:
            child.reap(0)
            self._plan_restart(child, watch, status, now)
        elif watch.restarting and child.is_ready():
            watch.restarting = False
            self._note(f"{child.name} is running again")
            self._changed(child)

    def _plan_restart(self, child: Child, watch: _Watch, status: int, now: float) -> None:
        if now - watch.started > _STEADY_S:
            watch.failures = 0
        delay = _BACK_OFF_S[min(watch.failures, len(_BACK_OFF_S) - 1)]
        watch.failures += 1
        watch.restart_at = now + delay
        watch.restarting = False
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        said = child.report().error or {}
        why = f" ({said['message']})" if said.get("message") else ""
        self._note(f"{child.name} {how}{why}; starting it again in {delay:g} s")
