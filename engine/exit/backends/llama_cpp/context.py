"""One llama.cpp context: a key-value cache for several sequences, and the batch that feeds it.

Owned by one thread. One unified cache for all sequences: with one stream for each, only sequences
with neighbouring numbers would be computed together.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import ConfigError
from engine.exit.backends.llama_cpp.model import LlamaModel
from engine.exit.backends.llama_cpp.settings import LlamaSettings

POOLING_NONE = 0
_FLASH = {"auto": -1, "off": 0, "on": 1}


@dataclass(frozen=True, slots=True)
class Slice:
    """The next tokens of one sequence. `wants_logits` asks for those of the last token."""

    seq: int
    start: int
    tokens: list[int]
    wants_logits: bool


class LlamaContext:
    """Computes slices of sequences. `step_tokens` is the most that one call may read."""

    def __init__(
        self,
        model: LlamaModel,
        settings: LlamaSettings,
        *,
        cells: int,
        sequences: int,
        step_tokens: int,
        embeddings: bool = False,
    ) -> None:
        self.step_tokens = step_tokens
        self._api = model.lib.api
        self.handle = self._make(model, settings, cells, sequences, embeddings)
        self._memory = self._api.llama_get_memory(self.handle)
        self._tokens: Any = (ctypes.c_int32 * step_tokens)()
        self._positions: Any = (ctypes.c_int32 * step_tokens)()
        self._seqs: Any = (ctypes.c_int32 * step_tokens)()
        self._outputs: Any = (ctypes.c_int8 * step_tokens)()
        self._batch = self._make_batch()
        self._every_output = embeddings

    def __repr__(self) -> str:
        return f"LlamaContext(step_tokens={self.step_tokens})"

    def close(self) -> None:
        """Free the cache. Calling it twice is no error."""
        if self.handle is not None:
            self._api.llama_free(self.handle)
            self.handle = None

    def decode(self, slices: Sequence[Slice]) -> list[int]:
        """Compute the slices in one call. Returns, for each, the row of its last token's logits.

        MemoryError when the cache has no room, RuntimeError when the computation failed.
        """
        rows, at = [], 0
        for part in slices:
            end = at + len(part.tokens)
            self._tokens[at:end] = part.tokens
            self._positions[at:end] = [*range(part.start, part.start + len(part.tokens))]
            self._seqs[at:end] = [part.seq] * len(part.tokens)
            self._outputs[at:end] = [int(self._every_output)] * len(part.tokens)
            self._outputs[end - 1] = int(part.wants_logits or self._every_output)
            rows.append(end - 1)
            at = end
        self._batch.n_tokens = at
        result = self._api.llama_decode(self.handle, self._batch)
        if result == 1:
            raise MemoryError("no free cells")
        if result != 0:
            raise RuntimeError(f"llama_decode returned {result}")
        return rows

    def warm(self, token: int) -> None:
        """Compute one token and forget it: the first call of a context is slower than the others,
        on a GPU by seconds."""
        self.decode([Slice(0, 0, [token], True)])
        self.clear()

    def keep(self, seq: int, count: int) -> bool:
        """Keep the first `count` tokens of a sequence and drop the others. False if this model's
        memory cannot forget a part; nothing is kept then."""
        if self._api.llama_memory_seq_rm(self._memory, seq, count, -1):
            return True
        self.drop(seq)
        return count == 0

    def drop(self, seq: int) -> None:
        """Forget a sequence."""
        self._api.llama_memory_seq_rm(self._memory, seq, -1, -1)

    def clear(self) -> None:
        """Forget all sequences."""
        self._api.llama_memory_clear(self._memory, True)

    # -- making ----------------------------------------------------------------------------------

    def _make(
        self,
        model: LlamaModel,
        settings: LlamaSettings,
        cells: int,
        sequences: int,
        embeddings: bool,
    ) -> Any:
        params = self._api.llama_context_default_params()
        params.n_ctx = cells
        params.n_batch = params.n_ubatch = self.step_tokens
        params.n_seq_max = sequences
        params.n_threads = params.n_threads_batch = settings.threads
        params.kv_unified = True
        params.flash_attn_type = _FLASH[settings.flash_attention]
        params.embeddings = embeddings
        if embeddings:
            params.pooling_type = POOLING_NONE
        handle = self._api.llama_init_from_model(model.handle, params)
        if not handle:
            raise ConfigError(
                f"There is not enough memory for a cache of {cells:,} tokens.",
                kept="The model was not put into service.",
                hint="Lower context, parallel or kept of this upstream.",
            )
        return handle

    def _make_batch(self) -> Any:
        size = self.step_tokens
        self._ones = (ctypes.c_int32 * size)(*([1] * size))
        pointer = ctypes.POINTER(ctypes.c_int32)
        step = ctypes.sizeof(ctypes.c_int32)
        base = ctypes.addressof(self._seqs)
        places = [ctypes.cast(base + step * place, pointer) for place in range(size)]
        self._seq_pointers = (pointer * size)(*places)
        return self._api.llama_batch(
            n_tokens=0,
            token=self._tokens,
            embd=None,
            pos=self._positions,
            n_seq_id=self._ones,
            seq_id=self._seq_pointers,
            logits=self._outputs,
        )
