"""A model file as a provider: what the ghost talks to. trio on this side, a thread on the other.

Nothing here computes in the loop's thread: templates and tokens are made in a worker thread, the
answer in the engine's, and events come over in one call of the loop per step.
"""

from __future__ import annotations

import contextlib
import functools
import math
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path

import trio

from engine.errors import ConfigError, ProviderError
from engine.exit.backends.base import (
    ChatRequest,
    Delta,
    Embedding,
    EmbedRequest,
    Events,
    Finish,
    Usage,
)
from engine.exit.backends.faults import KEPT, provider_error
from engine.exit.backends.llama_cpp import questions
from engine.exit.backends.llama_cpp.engine import Engine, EngineStats
from engine.exit.backends.llama_cpp.files import ModelFile, identify
from engine.exit.backends.llama_cpp.job import (
    ChatJob,
    EmbedJob,
    Failed,
    JobEvent,
    Outbox,
    Paused,
    Vectors,
)
from engine.exit.backends.llama_cpp.model import LlamaModel
from engine.exit.backends.llama_cpp.settings import LlamaSettings
from engine.exit.backends.llama_cpp.sizes import Sizes, check_memory, free_memory, sizes_of
from engine.log import say
from engine.log.events import ModelLoaded, ModelUnloadable
from engine.log.words import Code

FEATURES = frozenset({"embeddings", "json"})
BUSY_AFTER_S = 10.0
"""When to come back after a refusal because the queue is full."""


class LlamaCppBackend:
    """One model file. Loads it with `load`, or when the first question comes."""

    def __init__(
        self,
        model_file: Path,
        settings: LlamaSettings | None = None,
        *,
        name: str = "",
        side_folder: Path | None = None,
    ) -> None:
        self.settings = settings or LlamaSettings()
        self.sizes: Sizes | None = None
        self._path = model_file
        self._name = name or model_file.stem
        self._side_folder = side_folder
        self._file: ModelFile | None = None
        self._model: LlamaModel | None = None
        self._engine: Engine | None = None
        self._thread: threading.Thread | None = None
        self._loading = trio.Lock()
        self._open = 0

    def __repr__(self) -> str:
        return f"LlamaCppBackend({self._name!r}, loaded={self._engine is not None})"

    # -- loading ---------------------------------------------------------------------------------

    async def identify(self) -> ModelFile:
        """Which file it is; its hash is read or computed once. ConfigError if it is not fit."""
        if self._file is None:
            self._file = await trio.to_thread.run_sync(
                identify, self._path, self._side_folder, self.settings.sha256
            )
        return self._file

    async def load(self) -> None:
        """Bring the model into memory and start its thread. ConfigError when it cannot be."""
        async with self._loading:
            if self._engine is not None:
                return
            file = await self.identify()
            token = trio.lowlevel.current_trio_token()
            deliver = functools.partial(_hand_over, token)
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(self._load, file, deliver)

    async def unload(self) -> None:
        """End all answers and give the memory back. The next question loads the model again."""
        async with self._loading:
            engine, thread, model = self._engine, self._thread, self._model
            self._engine = self._thread = self._model = None
            if engine is None or thread is None or model is None:
                return
            engine.order("stop")
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(thread.join)
                await trio.to_thread.run_sync(model.close)

    async def aclose(self) -> None:
        await self.unload()

    def _load(self, file: ModelFile, deliver: Callable[[Outbox], None]) -> None:
        model = LlamaModel(file.path, self.settings)
        try:
            if not model.generates:
                raise ConfigError(
                    f"The model {self._name} does not generate text.",
                    hint="Models that only encode are not served in process.",
                )
            on_gpu = bool(model.lib.api.llama_supports_gpu_offload()) and self.settings.gpu_layers
            sizes = sizes_of(self.settings, model.trained_for, on_gpu=bool(on_gpu))
            if not on_gpu:
                needed = file.size + sizes.cells * model.cell_bytes()
                check_memory(self._name, needed, free_memory())
            engine = Engine(model, self.settings, sizes, deliver)
        except BaseException:
            model.close()
            raise
        thread = threading.Thread(target=engine.run, name="llama.cpp", daemon=True)
        thread.start()
        self._model, self._engine, self._thread, self.sizes = model, engine, thread, sizes
        say(ModelLoaded(on_gpu=bool(on_gpu)))

    async def _ready(self) -> tuple[LlamaModel, Engine, Sizes]:
        """The loaded model, for a question. ProviderError when it cannot be loaded."""
        if self._engine is not None and self._engine.over:
            await self.unload()  # a fault ended its thread
        if self._engine is None:
            try:
                await self.load()
            except ConfigError as error:
                say(ModelUnloadable(Code.of(error)))
                raise provider_error("overloaded") from error
        assert self._model is not None
        assert self._engine is not None
        assert self.sizes is not None
        return self._model, self._engine, self.sizes

    # -- facts -----------------------------------------------------------------------------------

    async def models(self) -> Sequence[str]:
        return (self._name,)

    def features(self, _model: str) -> frozenset[str]:
        """What the model can do beyond text. The same before and after loading."""
        return FEATURES

    async def facts(self) -> tuple[bytes, int]:
        """The file's SHA-256 and the tokens of one conversation; loads the model. ConfigError."""
        file = await self.identify()
        await self.load()
        assert self.sizes is not None
        return file.sha256, self.sizes.context

    @property
    def stats(self) -> EngineStats:
        """Where the engine stands."""
        return EngineStats() if self._engine is None else self._engine.stats

    async def count_tokens(self, text: str) -> int:
        """How many tokens this model's tokenizer makes of a text."""
        model, _, _ = await self._ready()
        return await trio.to_thread.run_sync(model.count, text)

    async def examine(self, request: ChatRequest | EmbedRequest) -> int:
        """The tokens of a question, before anything is paid or computed.

        ProviderError with the kind too_long, bad_request or rate_limit when it would be refused.
        """
        model, _, sizes = await self._ready()
        self._check_queue()
        if isinstance(request, EmbedRequest):
            texts = await trio.to_thread.run_sync(questions.texts, model, sizes, request)
            return sum(map(len, texts))
        question = await trio.to_thread.run_sync(questions.chat, model, sizes, request)
        return len(question.tokens)

    def _check_queue(self) -> None:
        if self._open >= self.settings.parallel + self.settings.queue:
            raise ProviderError(
                "All places of this ghost's model are taken, and so is its queue.",
                kind="rate_limit",
                retry_after_s=BUSY_AFTER_S,
                kept=KEPT,
                hint="Wait a little, or use another ghost.",
            )

    # -- answers ---------------------------------------------------------------------------------

    async def stream_chat(self, request: ChatRequest) -> Events:
        """Delta events as tokens come, then Usage and Finish; ProviderError on any failure."""
        model, engine, sizes = await self._ready()
        self._check_queue()
        question = await trio.to_thread.run_sync(questions.chat, model, sizes, request)
        send, receive = trio.open_memory_channel[JobEvent](math.inf)
        job = question.job(request.session, send.send_nowait)
        async with aclosing(self._follow(engine, job, receive)) as events:
            async for event in events:
                match event:
                    case Delta() | Usage():
                        yield event
                        job.read += 1
                    case Paused():
                        engine.order("resume", job)
                    case Finish():
                        yield event
                        return

    async def embed(self, request: EmbedRequest) -> Events:
        """One Embedding for each input, then Usage and Finish."""
        model, engine, sizes = await self._ready()
        self._check_queue()
        inputs = await trio.to_thread.run_sync(questions.texts, model, sizes, request)
        send, receive = trio.open_memory_channel[JobEvent](math.inf)
        job = EmbedJob(inputs, send.send_nowait)
        async with aclosing(self._follow(engine, job, receive)) as events:
            async for event in events:
                if isinstance(event, Vectors):
                    for index, vector in enumerate(event.vectors):
                        yield Embedding(index, vector)
                    yield Usage(event.tokens, 0)
                    yield Finish("stop")
                    return

    async def _follow(
        self, engine: Engine, job: ChatJob | EmbedJob, receive: trio.MemoryReceiveChannel[JobEvent]
    ) -> AsyncGenerator[JobEvent, None]:
        """What happens to the job, which is cancelled when nobody listens any more."""
        self._open += 1
        try:
            if not engine.order("submit", job):
                raise provider_error("overloaded")
            async for event in receive:
                if isinstance(event, Failed):
                    raise event.error
                yield event
        finally:
            self._open -= 1
            engine.order("cancel", job)


def _hand_over(token: trio.lowlevel.TrioToken, outbox: Outbox) -> None:
    """Called in the engine's thread. A loop that is over hears nothing any more."""
    with contextlib.suppress(trio.RunFinishedError):
        token.run_sync_soon(_post, outbox)


def _post(outbox: Outbox) -> None:
    for job, event in outbox:
        job.post(event)
