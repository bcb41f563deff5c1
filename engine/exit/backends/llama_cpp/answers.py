"""The answers that one context computes together: who waits, who runs, who pauses.

Used by the engine's thread alone. Everything that happens goes to an outbox, in order.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from engine.errors import ProviderError
from engine.exit.backends.base import Delta, Finish, Usage
from engine.exit.backends.faults import KEPT, provider_error
from engine.exit.backends.llama_cpp.cells import CellBook
from engine.exit.backends.llama_cpp.context import LlamaContext, Slice
from engine.exit.backends.llama_cpp.job import ChatJob, Failed, Outbox, Paused
from engine.exit.backends.llama_cpp.model import LlamaModel
from engine.exit.backends.llama_cpp.plan import share_step
from engine.exit.backends.llama_cpp.sampling import Sampler
from engine.exit.backends.llama_cpp.settings import LlamaSettings
from engine.exit.backends.llama_cpp.sizes import Sizes


@dataclass(slots=True)
class Counters:
    """What was done so far; nothing of any content."""

    steps: int = 0
    tokens_in: int = 0
    tokens_cached: int = 0
    tokens_out: int = 0


class Answers:
    """The chat jobs of one engine."""

    def __init__(
        self,
        model: LlamaModel,
        settings: LlamaSettings,
        sizes: Sizes,
        outbox: Outbox,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counters = Counters()
        self.waiting: deque[ChatJob] = deque()
        self.running: list[ChatJob] = []
        self.paused: set[ChatJob] = set()
        self._model = model
        self._settings = settings
        self._sizes = sizes
        self._outbox = outbox
        self._now = now
        self.wiped = True
        """Whether nothing was computed since the cache was overwritten."""
        self.book = CellBook(sizes.sequences, sizes.cells)
        self._context = LlamaContext(
            model,
            settings,
            cells=sizes.cells,
            sequences=sizes.sequences,
            step_tokens=sizes.step_tokens,
        )
        self._context.warm(model.tokenize(" ")[0])

    def __repr__(self) -> str:
        return f"Answers(running={len(self.running)}, waiting={len(self.waiting)})"

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return bool(self.running or self.waiting)

    def close(self, error: ProviderError) -> None:
        """End all answers with this error and free the context."""
        for job in [*self.running, *self.waiting, *self.paused]:
            self._fail(job, error)
        self._context.close()

    def resume(self, job: ChatJob) -> None:
        """Its reader has caught up: it is the next to be let in."""
        if job in self.paused:
            self.paused.discard(job)
            self.waiting.appendleft(job)

    def sweep(self) -> None:
        """Forget conversations that rested too long."""
        for seq in self.book.forget_older(self._now() - self._settings.kept_s):
            self._context.drop(seq)

    def wipe(self) -> None:
        """Overwrite the cache when nothing is in it: forgotten cells still hold what was said."""
        if not self.wiped and not self.book.used:
            self._context.clear()
            self.wiped = True

    # -- a step ----------------------------------------------------------------------------------

    def admit(self) -> None:
        """Let waiting answers in, first come first served, as long as there is room."""
        while self.waiting and len(self.running) < self._settings.parallel:
            job = self.waiting[0]
            owner = job.private if self.book.is_running(job.owner) else job.owner
            reserve = min(len(job.tokens) + job.limit - job.made, self._sizes.context)
            taken = self.book.take(owner, job.tokens, reserve)
            if taken is None:
                return
            self.waiting.popleft()
            for seq in taken.dropped:
                self._context.drop(seq)
            if not self._context.keep(taken.place.seq, taken.reuse):
                taken.place.tokens.clear()
            job.place = taken.place
            self._let_in(job)

    def _let_in(self, job: ChatJob) -> None:
        assert job.place is not None
        if job.cached is None:
            job.cached = len(job.place.tokens)
            self.counters.tokens_in += job.asked
            self.counters.tokens_cached += job.cached
        if job.sampler is None:
            try:
                job.sampler = Sampler(self._model, job.options, job.grammar)
            except ValueError:
                words = "The form that the answer should have makes no grammar."
                self._fail(job, ProviderError(words, kind="bad_request", kept=KEPT))
                return
        self.running.append(job)

    def step(self) -> None:
        """Compute the next tokens of all running answers in one call."""
        jobs = list(self.running)
        if not jobs:
            return
        waiting = [job.missing for job in jobs]
        answering = any(job.made for job in jobs)
        shares = share_step(waiting, self._sizes.step_tokens, answering=answering)
        slices = [_slice(job, share) for job, share in zip(jobs, shares, strict=True)]
        self.wiped = False
        try:
            rows = self._context.decode(slices)
        except (MemoryError, RuntimeError):
            self._break_down()
            return
        for job, part, row in zip(jobs, slices, rows, strict=True):
            assert job.place is not None
            job.place.tokens.extend(part.tokens)
            if part.wants_logits:
                self._extend(job, row)
        self.counters.steps += 1

    def _extend(self, job: ChatJob, row: int) -> None:
        """Choose the next token of an answer, and say what of it may be shown."""
        assert job.sampler is not None
        try:
            token = job.sampler.choose(self._context.handle, row)
        except LookupError:
            self._finish(job, "stop")
            return
        if self._model.ends_answer(token):
            self._finish(job, "stop")
            return
        job.tokens.append(token)
        job.made += 1
        self.counters.tokens_out += 1
        self._say(job, job.text.feed(self._model.piece(token)))
        if job.text.stopped:
            self._finish(job, "stop")
        elif job.made >= job.limit:
            self._finish(job, "length")
        elif job.sent - job.read >= self._settings.read_ahead:
            self._pause(job)

    # -- what becomes of an answer ---------------------------------------------------------------

    def _say(self, job: ChatJob, text: str) -> None:
        if text:
            job.sent += 1
            self._outbox.append((job, Delta(text)))

    def _finish(self, job: ChatJob, reason: str) -> None:
        self._say(job, job.text.end())
        self._outbox.append((job, Usage(job.asked, job.made, job.cached or 0)))
        self._outbox.append((job, Finish(reason)))
        self.end(job)

    def _fail(self, job: ChatJob, error: ProviderError) -> None:
        self._outbox.append((job, Failed(error)))
        self.end(job)

    def _pause(self, job: ChatJob) -> None:
        """Its reader is behind: others may have its turn, and its room if they need it."""
        assert job.place is not None
        self.running.remove(job)
        self.book.rest(job.place, self._now())
        job.place = None
        self.paused.add(job)
        self._outbox.append((job, Paused()))

    def end(self, job: ChatJob) -> None:
        """Give back what the job holds. A session's conversation stays in the cache."""
        if job.over:
            return
        job.over = True
        if job.sampler is not None:
            job.sampler.close()
            job.sampler = None
        if job.place is None:
            self._leave_queue(job)
            return
        if job in self.running:
            self.running.remove(job)
        if job.session is not None and job.place.owner == job.owner:
            self.book.rest(job.place, self._now())
        else:
            self._drop(self.book.free(job.place))
        job.place = None

    def _leave_queue(self, job: ChatJob) -> None:
        self.paused.discard(job)
        if job in self.waiting:
            self.waiting.remove(job)
        self._drop(self.book.forget(job.private))

    def _drop(self, seq: int | None) -> None:
        if seq is not None:
            self._context.drop(seq)

    def _break_down(self) -> None:
        """The library failed within a step: what it holds is unknown, so begin with nothing."""
        for job in list(self.running):
            self._fail(job, provider_error("overloaded"))
        self._context.clear()
        self.book = CellBook(self._sizes.sequences, self._sizes.cells)


def _slice(job: ChatJob, share: int) -> Slice:
    assert job.place is not None
    start = len(job.place.tokens)
    part = job.tokens[start : start + share]
    return Slice(job.place.seq, start, part, start + share == len(job.tokens))
