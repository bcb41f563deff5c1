"""The border to the llama.cpp bindings: imported late, silenced, and named when absent.

The bindings are untyped on purpose (Any): this package is the only place that touches them, and
its modules give back plain Python values. llama.cpp's own log lines may hold paths, so they are
dropped, except that the last error is kept for the operator while a model is loaded.
"""

from __future__ import annotations

import importlib
import importlib.util
import threading
from dataclasses import dataclass
from typing import Any

from engine.errors import ConfigError

PACKAGE = "llama_cpp"
_ERROR_LEVEL = 4  # GGML_LOG_LEVEL_ERROR
_once = threading.Lock()
_loaded: list[Library] = []


@dataclass(frozen=True, slots=True)
class Library:
    """What the other modules need of the bindings."""

    api: Any
    """`llama_cpp.llama_cpp`: the C functions."""
    chat_format: Any
    grammars: Any
    numpy: Any
    errors: list[str]
    """The last errors that llama.cpp logged; for the operator only."""
    keep_alive: Any


def is_installed() -> bool:
    """Whether the extra `gpu` is there. Imports nothing."""
    return importlib.util.find_spec(PACKAGE) is not None


def library() -> Library:
    """The bindings; loads them (0.2 s) the first time. ConfigError when they cannot be."""
    with _once:
        if not _loaded:
            _loaded.append(_load())
        return _loaded[0]


def _load() -> Library:
    if not is_installed():
        raise ConfigError(
            "A model file is served by llama-cpp-python, which is not installed.",
            hint='Install it (pip install "peer2prompt[gpu]"; docs/gpu.md says how for a GPU).',
        )
    try:
        api = importlib.import_module("llama_cpp.llama_cpp")
        chat_format = importlib.import_module("llama_cpp.llama_chat_format")
        grammars = importlib.import_module("llama_cpp.llama_grammar")
        numpy = importlib.import_module("numpy")
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise ConfigError(
            "llama-cpp-python is installed but cannot be loaded.",
            hint="Build it anew for this machine and this Python: docs/gpu.md says how.",
        ) from error
    errors: list[str] = []
    callback = api.llama_log_callback(_logger(errors))
    api.llama_log_set(callback, None)
    api.llama_backend_init()
    return Library(api, chat_format, grammars, numpy, errors, callback)


def _logger(errors: list[str]) -> Any:
    def log(level: int, text: bytes, _data: object) -> None:
        if level == _ERROR_LEVEL:
            errors.append(text.decode("utf-8", "replace").strip())
            del errors[:-8]

    return log
