"""What an operator may choose about a model that runs in this process. Types only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FlashAttention = Literal["auto", "on", "off"]


@dataclass(frozen=True, slots=True)
class LlamaSettings:
    """Numbers of tokens unless said otherwise. Zero means: choose for me."""

    context: int = 4096
    """One conversation: prompt and answer together. Never more than the model was trained for."""
    parallel: int = 4
    """Answers that are computed at once, in one batch. More wait in the queue."""
    kept: int = 0
    """Room for conversations that rest, so that their next question need not be read again. Zero:
    as much as one conversation for each parallel answer."""
    kept_s: float = 900.0
    """Seconds after which a resting conversation is forgotten. When none is left, the cache is
    overwritten."""
    queue: int = 64
    """Questions that may wait for their turn; the next one is refused."""
    threads: int = 1
    """Processor threads. More than are idle on the machine is much slower than one."""
    gpu_layers: int = -1
    """Layers of the model that lie on the GPU; -1 for all. Without effect in a processor build."""
    main_gpu: int = 0
    tensor_split: tuple[float, ...] = ()
    """The share of each GPU, where there are several; empty for equal shares of memory."""
    flash_attention: FlashAttention = "auto"
    micro_batch: int = 0
    """Tokens in one call of the library. Zero: 32 on a processor, 512 on a GPU. Nobody can be
    served or cancelled within a call, so this bounds how long both take."""
    read_ahead: int = 64
    """Tokens that an answer may run ahead of its reader, who pays as it reads."""
    sha256: str = ""
    """The expected SHA-256 of the model file in hex. Another file is not served."""
