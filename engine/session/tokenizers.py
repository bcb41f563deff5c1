"""The tokenizers a client has of open models, by the settings; loaded when they are first needed.

`[models] tokenizers` names a GGUF file (its vocabulary is read, not its weights) for the hash of a
model's weights, or for a model's name when its ghosts name no weights. Without one, and when one
cannot be loaded, bills are held to the bounds in bytes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import trio

from engine.errors import ConfigError
from engine.log import say
from engine.log.events_client import TokenizerUnusable
from engine.log.words import Code
from engine.market.exact import ExactMeter, TokenCounter
from engine.settings_table import Table
from engine.wire.quote import ModelOffer

Load = Callable[[Path], TokenCounter]


def parse_tokenizers(table: Table, base: Path) -> dict[str, Path]:
    """`tokenizers` under [models]. Raises ConfigError."""
    found = table.take("tokenizers", dict, {})
    files: dict[str, Path] = {}
    for name, path in found.items():
        if not isinstance(path, str) or not path.endswith(".gguf"):
            raise ConfigError(
                f"The setting models.tokenizers must name a .gguf file for {name!r}.",
                hint='For example: tokenizers = { "MODEL OR HASH" = "model.gguf" }.',
            )
        files[name.lower()] = base / Path(path).expanduser()
    return files


def load_gguf(path: Path) -> TokenCounter:
    """The tokenizer in a model file. Raises ConfigError, also without the extra `gpu`."""
    from engine.exit.backends.llama_cpp.tokenizer import Tokenizer

    return Tokenizer(path)


class Tokenizers:
    """Of one client."""

    def __init__(self, files: Mapping[str, Path], load: Load = load_gguf) -> None:
        self._files = files
        self._load = load
        self._loaded: dict[Path, TokenCounter | None] = {}
        self._lock = trio.Lock()

    def __repr__(self) -> str:
        return f"Tokenizers({len(self._files)} files)"

    async def meter(self, offer: ModelOffer, body: bytes) -> ExactMeter | None:
        """The exact meter for a question to this model, or None without a tokenizer for it."""
        path = self._files.get(offer.weights.hex() if offer.weights else offer.name.lower())
        if path is None:
            return None
        async with self._lock:
            counter = await self._counter(path)
            if counter is None:
                return None
            return await trio.to_thread.run_sync(ExactMeter.of, counter, body)

    async def _counter(self, path: Path) -> TokenCounter | None:
        if path not in self._loaded:
            try:
                self._loaded[path] = await trio.to_thread.run_sync(self._load, path)
            except ConfigError as error:
                say(TokenizerUnusable(Code.of(error)))
                self._loaded[path] = None
        return self._loaded[path]
