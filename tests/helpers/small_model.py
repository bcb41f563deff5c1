"""The small model of the provider environment, served in process. Absent only where `make env` did
not run: then `needs_model` skips."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine.exit.backends.base import BackendEvent, ChatRequest, Delta, Finish, Usage
from engine.exit.backends.llama_cpp.backend import LlamaCppBackend
from engine.exit.backends.llama_cpp.library import is_installed
from engine.exit.backends.llama_cpp.settings import LlamaSettings
from tui.demo.errors import DemoError
from tui.demo.tools import provider_model


def model_path() -> Path | None:
    """The model file, if the provider environment is there."""
    try:
        return provider_model()
    except DemoError:
        return None


needs_model = pytest.mark.skipif(
    not is_installed() or model_path() is None,
    reason="llama-cpp-python or the model is not installed (make env)",
)


@asynccontextmanager
async def served(settings: LlamaSettings | None = None) -> AsyncIterator[LlamaCppBackend]:
    """The backend over the small model, loaded."""
    path = model_path()
    assert path is not None
    backend = LlamaCppBackend(path, settings or LlamaSettings(context=512), name="small")
    try:
        await backend.load()
        yield backend
    finally:
        await backend.aclose()


@dataclass
class Said:
    """One whole answer."""

    events: list[BackendEvent] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Delta))

    @property
    def usage(self) -> Usage:
        (usage,) = (event for event in self.events if isinstance(event, Usage))
        return usage

    @property
    def reason(self) -> str:
        last = self.events[-1]
        assert isinstance(last, Finish)
        return last.reason


def request(
    *texts: str, tokens: int = 24, session: bytes | None = None, **options: object
) -> ChatRequest:
    """A question, after older turns if there are several texts. Greedy unless said otherwise."""
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]
    model = str(options.pop("model", "small"))
    form = options.pop("response_format", None)
    assert form is None or isinstance(form, dict)
    params = {"temperature": 0, **options}
    return ChatRequest(model, messages, tokens, params, None, session, response_format=form)


async def answer(backend: LlamaCppBackend, asked: ChatRequest) -> Said:
    """The answer to the end."""
    said = Said()
    async for event in backend.stream_chat(asked):
        said.events.append(event)
    return said
