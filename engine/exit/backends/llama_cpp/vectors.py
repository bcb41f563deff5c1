"""The texts that wait to be embedded: one step of the first of them at a time.

Used by the engine's thread alone. The second context is made when the first text comes.
"""

from __future__ import annotations

from collections import deque

from engine.errors import ConfigError, ProviderError
from engine.exit.backends.faults import provider_error
from engine.exit.backends.llama_cpp.embedding import Embedder
from engine.exit.backends.llama_cpp.job import EmbedJob, Failed, Outbox, Vectors
from engine.exit.backends.llama_cpp.model import LlamaModel
from engine.exit.backends.llama_cpp.settings import LlamaSettings
from engine.exit.backends.llama_cpp.sizes import Sizes


class VectorQueue:
    """The embedding jobs of one engine."""

    def __init__(
        self, model: LlamaModel, settings: LlamaSettings, sizes: Sizes, outbox: Outbox
    ) -> None:
        self._model = model
        self._settings = settings
        self._sizes = sizes
        self._outbox = outbox
        self._jobs: deque[EmbedJob] = deque()
        self._embedder: Embedder | None = None

    def __repr__(self) -> str:
        return f"VectorQueue(jobs={len(self._jobs)})"

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return bool(self._jobs)

    def close(self, error: ProviderError) -> None:
        """End all jobs with this error and free the context."""
        for job in list(self._jobs):
            self._fail(job, error)
        if self._embedder is not None:
            self._embedder.close()

    def add(self, job: EmbedJob) -> None:
        self._jobs.append(job)

    def step(self) -> None:
        """One step of the first text that waits."""
        if not self._jobs:
            return
        job = self._jobs[0]
        try:
            vector = self._made().advance(job.inputs[len(job.done)])
        except (MemoryError, RuntimeError, ConfigError):
            self._fail(job, provider_error("overloaded"))
            return
        if vector is not None:
            job.done.append(vector)
        if len(job.done) == len(job.inputs):
            self._outbox.append((job, Vectors(job.done, sum(map(len, job.inputs)))))
            self.end(job)

    def end(self, job: EmbedJob) -> None:
        """Nobody wants this job any more."""
        if job.over:
            return
        job.over = True
        if self._jobs and self._jobs[0] is job and self._embedder is not None:
            self._embedder.reset()
        if job in self._jobs:
            self._jobs.remove(job)

    def _made(self) -> Embedder:
        if self._embedder is None:
            self._embedder = Embedder(
                self._model,
                self._settings,
                cells=self._sizes.context,
                step_tokens=self._sizes.step_tokens,
            )
        return self._embedder

    def _fail(self, job: EmbedJob, error: ProviderError) -> None:
        self._outbox.append((job, Failed(error)))
        self.end(job)
