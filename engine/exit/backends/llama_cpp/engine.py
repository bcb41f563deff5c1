"""The loop that owns the model's memory: many answers computed together, in short steps.

It runs in a thread of its own and talks through a queue (in) and one function (out), called once
per step with everything that happened in it. Between two steps it takes in new questions and drops
cancelled ones, so either waits for one call of the library at most.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from engine.exit.backends.faults import provider_error
from engine.exit.backends.llama_cpp.answers import Answers
from engine.exit.backends.llama_cpp.job import ChatJob, EmbedJob, Outbox
from engine.exit.backends.llama_cpp.model import LlamaModel
from engine.exit.backends.llama_cpp.settings import LlamaSettings
from engine.exit.backends.llama_cpp.sizes import Sizes
from engine.exit.backends.llama_cpp.vectors import VectorQueue

SWEEP_S = 30.0
Wish = Literal["submit", "cancel", "resume", "stop"]


@dataclass(frozen=True, slots=True)
class EngineStats:
    """Where the engine stands; nothing of any content."""

    running: int = 0
    waiting: int = 0
    paused: int = 0
    resting: int = 0
    cells_used: int = 0
    steps: int = 0
    tokens_in: int = 0
    tokens_cached: int = 0
    tokens_out: int = 0


class Engine:
    """Computes jobs until stopped. `deliver` is called in the engine's thread."""

    def __init__(
        self,
        model: LlamaModel,
        settings: LlamaSettings,
        sizes: Sizes,
        deliver: Callable[[Outbox], None],
    ) -> None:
        self.stats = EngineStats()
        self._kept_s = settings.kept_s
        self._deliver = deliver
        self._orders: queue.SimpleQueue[tuple[Wish, ChatJob | EmbedJob | None]]
        self._orders = queue.SimpleQueue()
        self._outbox: Outbox = []
        self._answers = Answers(model, settings, sizes, self._outbox)
        self._vectors = VectorQueue(model, settings, sizes, self._outbox)
        self._stopped = False
        self._over = False
        self._door = threading.Lock()

    def __repr__(self) -> str:
        return f"Engine({self.stats})"

    @property
    def over(self) -> bool:
        """Whether it has stopped, or broken down."""
        return self._over

    def order(self, wish: Wish, job: ChatJob | EmbedJob | None = None) -> bool:
        """Tell the engine what is wanted: `submit` or `cancel` a job, `resume` a paused answer
        whose reader has caught up, `stop` after the step that runs. From any thread. False when
        nobody is there any more to hear it."""
        with self._door:
            if not self._over:
                self._orders.put((wish, job))
            return not self._over

    def run(self) -> None:
        """Until told to stop. Frees the contexts; the model stays. Whoever waits is told."""
        try:
            while not self._stopped:
                self._take_orders()
                self._answers.sweep()
                self._answers.admit()
                self.stats = self._count()
                self._answers.step()
                self._vectors.step()
                self._publish()
        finally:
            with self._door:
                self._over = True
            self._hear_the_rest()
            error = provider_error("overloaded")
            self._answers.close(error)
            self._vectors.close(error)
            self._publish()

    def _take_orders(self) -> None:
        """All that are there; when there is nothing to compute, wait for the next, or until it is
        time to look after the resting conversations."""
        idle = not (self._answers.busy or self._vectors.busy)
        patience_s = None if self._answers.wiped else min(SWEEP_S, self._kept_s)
        try:
            while True:
                self._obey(*self._orders.get(block=idle, timeout=patience_s))
                idle = False
        except queue.Empty:
            if idle:
                self._answers.wipe()

    def _hear_the_rest(self) -> None:
        """Orders that came while it stopped; nothing of them is computed."""
        while not self._orders.empty():
            self._obey(*self._orders.get())

    def _obey(self, wish: Wish, job: ChatJob | EmbedJob | None) -> None:
        match wish, job:
            case "stop", _:
                self._stopped = True
            case "submit", ChatJob():
                self._answers.waiting.append(job)
            case "submit", EmbedJob():
                self._vectors.add(job)
            case "resume", ChatJob():
                self._answers.resume(job)
            case "cancel", ChatJob():
                self._answers.end(job)
            case "cancel", EmbedJob():
                self._vectors.end(job)

    def _publish(self) -> None:
        self.stats = self._count()
        if self._outbox:
            events = list(self._outbox)
            self._outbox.clear()
            self._deliver(events)

    def _count(self) -> EngineStats:
        answers, book, done = self._answers, self._answers.book, self._answers.counters
        return EngineStats(
            running=len(answers.running),
            waiting=len(answers.waiting),
            paused=len(answers.paused),
            resting=book.resting,
            cells_used=book.used,
            steps=done.steps,
            tokens_in=done.tokens_in,
            tokens_cached=done.tokens_cached,
            tokens_out=done.tokens_out,
        )
