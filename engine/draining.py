"""How a node ends: told once it lets what runs finish for a while, told twice it ends at once."""

from __future__ import annotations

import trio

DEFAULT_DRAIN_S = 12.0  # covers the first bucket of the text class
SETTLE_S = 5.0  # of a drain, left to give credit back and close circuits at their bucket's end


class Drain:
    """Set by whoever ends the node, looked at by who does it. `wanted` is set once it is told."""

    def __init__(self) -> None:
        self.wanted = trio.Event()
        self.upgrade = False
        """Whether another program takes over in this process afterwards."""
        self._wait_s = DEFAULT_DRAIN_S
        self._patient = False
        self._hurried = False
        self._scope: trio.CancelScope | None = None

    def ask(self, wait_s: float | None = None, *, patient: bool = False) -> None:
        """End within `wait_s` seconds; `patient` lets the answers of this node's own questions
        finish, otherwise they are stopped and settled. A second call ends at once."""
        if self.wanted.is_set():
            self._hurried = True
            if self._scope is not None:
                self._scope.deadline = trio.current_time()
            return
        self._wait_s = self._wait_s if wait_s is None else wait_s
        self._patient = patient
        self.wanted.set()

    @property
    def wait_s(self) -> float:
        """How long it may take from now, in seconds, before it has begun."""
        return 0.0 if self._hurried else self._wait_s

    @property
    def patience_s(self) -> float:
        """How long answers to own questions may go on, in seconds from the beginning."""
        return max(0.0, self.wait_s - SETTLE_S) if self._patient else 0.0

    def begin(self) -> trio.CancelScope:
        """The scope for what is drained; its deadline moves when somebody hurries."""
        self._scope = trio.CancelScope(deadline=trio.current_time() + self.wait_s)
        return self._scope

    @property
    def left_s(self) -> float:
        """Seconds until what still runs is cut short."""
        if self._scope is None:
            return self.wait_s
        return max(0.0, self._scope.deadline - trio.current_time())
