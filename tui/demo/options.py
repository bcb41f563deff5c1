"""The options of `peer2prompt demo`, checked. The provider's key is held here and never printed."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from dataclasses import dataclass, field

from engine.control.paths import HOME_VARIABLE
from tui.demo.errors import DemoError
from tui.demo.places import MAX_GHOSTS
from tui.demo.plan import KEY_VARIABLE
from tui.demo.urls import check_url

ASK_TIMEOUT_S = 180.0
FUND_TIMEOUT_S = 600.0
MAX_PROMPT_CHARS = 1_000_000
FEATURES = ("embeddings", "images", "json", "reasoning", "tools")
"""As ghosts offer them; see docs/ghost.md."""


@dataclass(frozen=True)
class Options:
    ask: str | None = None
    json: bool = False
    provider_url: str | None = None
    provider_key: str | None = field(default=None, repr=False)
    models: tuple[str, ...] = ()
    mint: str | None = None
    home: str | None = None
    keep: bool = False
    gpu: bool = False
    ghosts: int = 1
    features: tuple[str, ...] | None = None
    api: bool = False
    timeout_s: float = ASK_TIMEOUT_S
    fund_timeout_s: float = FUND_TIMEOUT_S


def read_options(args: argparse.Namespace) -> Options:
    """Options from the parsed command line and the environment. Raises DemoError (exit 2)."""
    given = vars(args)
    provider_url, mint = given.get("provider_url"), given.get("mint")
    timeout_s = given.get("timeout")
    ask, api = _question(given.get("ask")), bool(given.get("api"))
    if api and ask is not None:
        raise _usage("--ask and --api do not go together.", "Leave one of them out.")
    if given.get("json") and ask is None and not api:
        raise _usage(
            "--json needs --ask or --api.", 'For example: --ask "What is an onion?" --json'
        )
    if timeout_s is not None and not timeout_s > 0:
        raise _usage("--timeout must be more than 0 seconds.", "For example: --timeout 120")
    if ask is None and not api and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise _usage(
            "The demo's screen needs a terminal.",
            'Without one: --ask "What is an onion?", or --api for programs.',
        )
    key = given.get("provider_key") or os.environ.get(KEY_VARIABLE) or None
    if provider_url is None and given.get("provider_key"):
        raise _usage("--provider-key needs --provider-url.", "Name the server the key is for.")
    if key is not None and not (key.isascii() and key.isprintable()):
        raise _usage("The provider key has characters no key has.", "Check how it was pasted.")
    if given.get("gpu"):
        _check_gpu()
    return Options(
        ask=ask,
        json=bool(given.get("json")),
        provider_url=check_url(provider_url, "--provider-url") if provider_url else None,
        provider_key=key if provider_url else None,
        models=_names(given.get("model")),
        mint=check_url(mint, "--mint") if mint else None,
        home=given.get("home") or os.environ.get(HOME_VARIABLE) or None,
        keep=bool(given.get("keep")),
        gpu=bool(given.get("gpu")),
        ghosts=_ghosts(given.get("ghosts")),
        features=_features(given.get("features")),
        api=api,
        timeout_s=float(timeout_s or ASK_TIMEOUT_S),
        fund_timeout_s=float(timeout_s or FUND_TIMEOUT_S),
    )


def _check_gpu() -> None:
    """The extra that a GPU node needs; looked for, not loaded."""
    if importlib.util.find_spec("llama_cpp") is None:
        raise DemoError(
            "A GPU node needs llama-cpp-python, which is not installed.",
            kept="Nothing was started.",
            hint="Run `make gpu-env` in the source folder (it compiles for some minutes), or leave "
            "--gpu out.",
            code="config",
            exit_code=2,
        )


def _ghosts(count: int | None) -> int:
    if count is not None and not 1 <= count <= MAX_GHOSTS:
        raise _usage(f"A demo has 1 to {MAX_GHOSTS} ghosts.", "For example: --ghosts 3")
    return count or 1


def _features(words: str | None) -> tuple[str, ...] | None:
    """Names parted by commas; None when the ghosts shall offer what is usual."""
    if words is None:
        return None
    found = set(_names(words))
    if unknown := sorted(found - set(FEATURES)):
        raise _usage(
            f"There is no feature {unknown[0]!r}.", f"--features takes {', '.join(FEATURES)}."
        )
    return tuple(sorted(found))


def _names(words: str | None) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(word.strip() for word in (words or "").split(",") if word.strip())


def _question(text: str | None) -> str | None:
    if text == "-":
        text = sys.stdin.read(MAX_PROMPT_CHARS)
    if text is not None and not text.strip():
        raise _usage("The question is empty.", 'For example: --ask "What is an onion?"')
    return text


def _usage(message: str, hint: str) -> DemoError:
    return DemoError(message, kept="Nothing was started.", hint=hint, code="usage", exit_code=2)
