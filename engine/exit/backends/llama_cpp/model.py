"""One loaded model file: its vocabulary, its chat template, its limits. Knows nothing of contexts.

Everything blocks and lets go of the interpreter lock while it does: call it in a thread.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import ConfigError
from engine.exit.backends.llama_cpp.library import Library, library
from engine.exit.backends.llama_cpp.settings import LlamaSettings

_META_BYTES = 256
_PIECE_BYTES = 256


@dataclass(frozen=True, slots=True)
class Prompt:
    """A conversation in the model's own form. Never in a log."""

    tokens: list[int]

    def __repr__(self) -> str:
        return f"Prompt({len(self.tokens)} tokens)"


class LlamaModel:
    """A model in memory. `close` gives the memory back; no context may outlive it."""

    def __init__(self, path: Path, settings: LlamaSettings, *, vocab_only: bool = False) -> None:
        self.lib: Library = library()
        self._api = self.lib.api
        self.handle = self._load(path, settings, vocab_only)
        self.vocab = self._api.llama_model_get_vocab(self.handle)
        self.vocab_size: int = self._api.llama_vocab_n_tokens(self.vocab)
        self.trained_for: int = self._api.llama_model_n_ctx_train(self.handle)
        self.embedding_size: int = self._api.llama_model_n_embd(self.handle)
        self.generates = bool(self._api.llama_model_has_decoder(self.handle)) and not bool(
            self._api.llama_model_has_encoder(self.handle)
        )
        self._pieces: dict[int, bytes] = {}
        self._formatter = self._make_formatter()

    def __repr__(self) -> str:
        return f"LlamaModel({self.description!r})"

    def close(self) -> None:
        """Free the weights. Calling it twice is no error."""
        if self.handle is not None:
            self._api.llama_model_free(self.handle)
            self.handle = self.vocab = None

    # -- facts -----------------------------------------------------------------------------------

    @property
    def chats(self) -> bool:
        """Whether the file holds a chat template."""
        return self._formatter is not None

    @property
    def description(self) -> str:
        """Architecture, size and precision in a few words."""
        buffer = ctypes.create_string_buffer(_META_BYTES)
        self._api.llama_model_desc(self.handle, buffer, _META_BYTES)
        return buffer.value.decode("utf-8", "replace")

    def meta(self, key: str) -> str:
        """One value of the file's metadata; empty if it is not there."""
        buffer = ctypes.create_string_buffer(_META_BYTES)
        self._api.llama_model_meta_val_str(self.handle, key.encode(), buffer, _META_BYTES)
        return buffer.value.decode("utf-8", "replace")

    def cell_bytes(self) -> int:
        """Memory that one token takes in the cache, estimated: two halves floats per layer."""
        arch = self.meta("general.architecture")
        heads: int = max(self._api.llama_model_n_head_kv(self.handle), 1)
        usual = self.embedding_size // max(self._api.llama_model_n_head(self.handle), 1)
        key = int(self.meta(f"{arch}.attention.key_length") or usual)
        value = int(self.meta(f"{arch}.attention.value_length") or usual)
        layers: int = self._api.llama_model_n_layer(self.handle)
        return int(layers * heads * (key + value) * 2)

    # -- tokens ----------------------------------------------------------------------------------

    def tokenize(self, text: str, *, special: bool = False, begin: bool = False) -> list[int]:
        """The tokens of a text. `special`: read control tokens in it; `begin`: with the one that
        this model wants first."""
        raw = text.encode("utf-8", "replace")
        size = len(raw) + 8
        tokens = (ctypes.c_int32 * size)()
        count = self._api.llama_tokenize(self.vocab, raw, len(raw), tokens, size, begin, special)
        if count < 0:
            raise ValueError("a text does not fit its own number of bytes in tokens")
        return list(tokens[:count])

    def piece(self, token: int) -> bytes:
        """The bytes of one token; none for control tokens."""
        found = self._pieces.get(token)
        if found is None:
            buffer = ctypes.create_string_buffer(_PIECE_BYTES)
            size = self._api.llama_token_to_piece(self.vocab, token, buffer, _PIECE_BYTES, 0, False)
            found = self._pieces[token] = buffer.raw[: max(size, 0)]
        return found

    def ends_answer(self, token: int) -> bool:
        """Whether this token says that the answer is over."""
        return bool(self._api.llama_vocab_is_eog(self.vocab, token))

    def count(self, text: str) -> int:
        """How many tokens a text has: the unit of the meter for open models."""
        return len(self.tokenize(text))

    # -- conversations ---------------------------------------------------------------------------

    def prompt(self, messages: Sequence[Mapping[str, Any]]) -> Prompt:
        """A conversation by the file's own chat template, in jinja2's immutable sandbox.

        ValueError when the template does not take it.
        """
        if self._formatter is None:
            raise ValueError("the model file has no chat template")
        text = str(self._formatter(messages=[_plain(message) for message in messages]).prompt)
        first = self._begin_text()
        return Prompt(self.tokenize(text, special=True, begin=not text.startswith(first or "\0")))

    def _begin_text(self) -> str:
        token: int = self._api.llama_vocab_bos(self.vocab)
        return self._text_of(token)

    def _text_of(self, token: int) -> str:
        if token < 0:
            return ""
        raw: bytes = self._api.llama_vocab_get_text(self.vocab, token)
        return raw.decode("utf-8", "replace")

    def _make_formatter(self) -> Any:
        raw: bytes | None = self._api.llama_model_chat_template(self.handle, None)
        if not raw:
            return None
        end = self._text_of(self._api.llama_vocab_eos(self.vocab))
        try:
            return self.lib.chat_format.Jinja2ChatFormatter(
                raw.decode("utf-8", "replace"), eos_token=end, bos_token=self._begin_text()
            )
        except Exception as error:  # jinja2's errors, without importing it here
            raise ConfigError(
                "The chat template in the model file cannot be read.",
                hint="Use a file with a valid template.",
            ) from error

    # -- loading ---------------------------------------------------------------------------------

    def _load(self, path: Path, settings: LlamaSettings, vocab_only: bool) -> Any:
        api = self._api
        params = api.llama_model_default_params()
        params.n_gpu_layers = settings.gpu_layers
        params.main_gpu = settings.main_gpu
        params.vocab_only = vocab_only
        split = None
        if len(settings.tensor_split) > api.llama_max_devices():
            raise ConfigError("tensor_split names more GPUs than llama.cpp can use.")
        if settings.tensor_split:
            split = (ctypes.c_float * api.llama_max_devices())(*settings.tensor_split)
            params.tensor_split = split
        self.lib.errors.clear()
        handle = api.llama_model_load_from_file(str(path).encode(), params)
        if not handle:
            raise ConfigError(_why(path.name, self.lib.errors), hint=_what_to_do(self.lib.errors))
        return handle


def _plain(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as templates know them: text as one string, `developer` as `system`."""
    content = message.get("content")
    if isinstance(content, list | tuple):
        content = "".join(part.get("text", "") for part in content)
    role = "system" if message.get("role") == "developer" else message.get("role")
    return {**message, "role": role, "content": content or ""}


def _why(name: str, errors: Sequence[str]) -> str:
    words = " ".join(errors).lower()
    if "unknown model architecture" in words:
        return f"The model in {name} is of a kind that this version of llama.cpp does not know."
    if "alloc" in words or "out of memory" in words:
        return f"There is not enough memory for the model in {name}."
    return f"The model file {name} is damaged or incomplete."


def _what_to_do(errors: Sequence[str]) -> str:
    words = " ".join(errors).lower()
    if "alloc" in words or "out of memory" in words:
        return "Put fewer layers on the GPU (gpu_layers), or use a smaller or more quantised file."
    return "Compare its SHA-256 with the publisher's; a newer llama-cpp-python may know it."
