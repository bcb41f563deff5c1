"""One provider or one machine that a ghost can ask, as its operator configured it. Types only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.exit.backends.llama_cpp.settings import LlamaSettings

KINDS = ("openai", "openai-responses", "anthropic", "google", "llama-cpp")


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where questions go. `key` is the secret itself, so it is in no repr."""

    kind: str = "openai"
    url: str = ""
    key: str = field(default="", repr=False)
    models: Mapping[str, str] = field(default_factory=dict)
    """Offered name to the upstream's own; empty: it serves every model under its offered name."""
    weight: int = 1
    """Its share of the questions, beside the other upstreams' weights."""
    max_concurrent: int = 0
    """Answers at once; 0 for no bound."""
    silence_s: float = 120.0
    """How long it may say nothing. Models that think in silence may need more."""
    model_file: Path | None = None
    llama: LlamaSettings | None = None
    side_folder: Path | None = None
    """Where a file's hash may be kept, when not beside the file."""
    name: str = ""
    """What its operator calls it; for the operator's eyes only."""

    def serves(self, model: str) -> bool:
        return not self.models or model in self.models

    def own_name(self, model: str) -> str:
        """What the upstream calls an offered model."""
        return self.models.get(model, model)
