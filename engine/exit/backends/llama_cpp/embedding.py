"""Vectors of texts: a context of its own, read in small steps so that answers flow beside it.

The hidden states are pooled here (mean or last, as the file says) instead of by the library, which
would want a whole text in one call. Causal models only.
"""

from __future__ import annotations

from typing import Any

from engine.exit.backends.llama_cpp.context import LlamaContext, Slice
from engine.exit.backends.llama_cpp.model import LlamaModel
from engine.exit.backends.llama_cpp.settings import LlamaSettings

_POOLING_LAST = "3"


class Embedder:
    """Embeds one text at a time; `advance` computes one step of it."""

    def __init__(
        self, model: LlamaModel, settings: LlamaSettings, *, cells: int, step_tokens: int
    ) -> None:
        self._model = model
        self._context = LlamaContext(
            model, settings, cells=cells, sequences=1, step_tokens=step_tokens, embeddings=True
        )
        arch = model.meta("general.architecture")
        self._last_only = model.meta(f"{arch}.pooling_type") == _POOLING_LAST
        self._sum: Any = None
        self._at = 0

    def __repr__(self) -> str:
        return f"Embedder(at={self._at})"

    def close(self) -> None:
        self._context.close()

    def reset(self) -> None:
        """Give up the text that was begun."""
        self._context.drop(0)
        self._sum, self._at = None, 0

    def advance(self, tokens: list[int]) -> list[float] | None:
        """One more step of this text; its vector of length one when the text is through."""
        part = tokens[self._at : self._at + self._context.step_tokens]
        self._context.decode([Slice(0, self._at, part, True)])
        self._add(len(part))
        self._at += len(part)
        if self._at < len(tokens):
            return None
        vector = self._sum / (float(self._model.lib.numpy.linalg.norm(self._sum)) or 1.0)
        self.reset()
        return [float(value) for value in vector]

    def _add(self, count: int) -> None:
        numpy, api = self._model.lib.numpy, self._model.lib.api
        size = (self._model.embedding_size,)
        rows = range(count - 1, count) if self._last_only else range(count)
        if self._sum is None or self._last_only:
            self._sum = numpy.zeros(size, dtype=numpy.float64)
        for row in rows:
            pointer = api.llama_get_embeddings_ith(self._context.handle, row)
            self._sum += numpy.ctypeslib.as_array(pointer, size)
