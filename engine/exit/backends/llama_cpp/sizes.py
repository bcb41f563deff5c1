"""How large the context of a model becomes: from the settings and the model, before any memory is
taken. Pure but for reading how much memory is free."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.errors import ConfigError
from engine.exit.backends.llama_cpp.settings import LlamaSettings

CPU_STEP = 32
GPU_STEP = 512
MAX_SEQUENCES = 256
"""llama.cpp's own bound (LLAMA_MAX_SEQ)."""
LEAST_CONTEXT = 64
_MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True, slots=True)
class Sizes:
    """Tokens: of one conversation, of the whole cache, of one call; and how many conversations."""

    context: int
    cells: int
    step_tokens: int
    sequences: int


def sizes_of(settings: LlamaSettings, trained_for: int, *, on_gpu: bool) -> Sizes:
    """The sizes for a model that was trained for so many tokens. ConfigError for unfit settings."""
    context = min(settings.context, trained_for) if trained_for > 0 else settings.context
    if context < LEAST_CONTEXT or not 1 <= settings.parallel <= MAX_SEQUENCES // 2:
        raise ConfigError(
            "The settings of the model make no sense: context or parallel is out of range.",
            hint=f"context is at least {LEAST_CONTEXT}, parallel 1 to {MAX_SEQUENCES // 2}.",
        )
    kept = settings.kept or context * settings.parallel
    step = max(settings.micro_batch or (GPU_STEP if on_gpu else CPU_STEP), 2 * settings.parallel)
    places = settings.parallel + max(1, kept // LEAST_CONTEXT)
    return Sizes(
        context=context,
        cells=context * settings.parallel + kept,
        step_tokens=step,
        # The library ends the process if a call cannot hold one token of each sequence.
        sequences=min(MAX_SEQUENCES, step, places),
    )


def check_memory(name: str, needed: int, free: int | None) -> None:
    """ConfigError, with the numbers, if so many bytes are clearly not to be had."""
    if free is not None and needed > free:
        raise ConfigError(
            f"The model {name} needs {_gib(needed)}, and {_gib(free)} of memory are free.",
            kept="It was not loaded.",
            hint="Lower context, parallel or kept of this upstream, or take a smaller file.",
        )


def free_memory() -> int | None:
    """Bytes of main memory that can be had without swapping; None where it cannot be told."""
    try:
        lines = _MEMINFO.read_text("ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _gib(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"
