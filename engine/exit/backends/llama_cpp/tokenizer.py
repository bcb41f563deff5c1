"""The tokenizer of a model file alone: what a client needs to check the meter of an open model.

Reads the vocabulary and the chat template, not the weights: some megabytes and a tenth of a second
for a file of any size. Everything blocks; call it in a thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.exit.backends.llama_cpp.model import LlamaModel
from engine.exit.backends.llama_cpp.settings import LlamaSettings


class Tokenizer:
    """Counts tokens as the GPU node with the same file does. ConfigError when it cannot be read."""

    def __init__(self, path: Path) -> None:
        self._model = LlamaModel(path, LlamaSettings(), vocab_only=True)

    def __repr__(self) -> str:
        return f"Tokenizer({self._model.vocab_size} tokens)"

    def close(self) -> None:
        """Give the memory back. Calling it twice is no error."""
        self._model.close()

    def count(self, text: str) -> int:
        """Tokens of a text in the tokenizer's own split. A model that samples may have said it in
        a few more."""
        return self._model.count(text)

    def count_prompt(self, messages: Sequence[Mapping[str, Any]]) -> int:
        """Tokens of a conversation by the file's chat template, exactly as the node bills them.
        ValueError when the template does not take it."""
        return len(self._model.prompt(messages).tokens)
