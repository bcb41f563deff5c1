"""The options of `peer2prompt demo`, checked. The provider's key is held here and never printed."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from dataclasses import dataclass, field

from engine.control.paths import HOME_VARIABLE
from tui.demo.errors import DemoError
from tui.demo.plan import KEY_VARIABLE, check_url

ASK_TIMEOUT_S = 180.0
FUND_TIMEOUT_S = 600.0
MAX_PROMPT_CHARS = 1_000_000


@dataclass(frozen=True)
class Options:
    ask: str | None = None
    json: bool = False
    provider_url: str | None = None
    provider_key: str | None = field(default=None, repr=False)
    model: str | None = None
    mint: str | None = None
    home: str | None = None
    keep: bool = False
    gpu: bool = False
    timeout_s: float = ASK_TIMEOUT_S
    fund_timeout_s: float = FUND_TIMEOUT_S


def read_options(args: argparse.Namespace) -> Options:
    """Options from the parsed command line and the environment. Raises DemoError (exit 2)."""
    given = vars(args)
    provider_url, mint = given.get("provider_url"), given.get("mint")
    timeout_s = given.get("timeout")
    ask = _question(given.get("ask"))
    if given.get("json") and ask is None:
        raise _usage("--json needs a question.", 'For example: --ask "What is an onion?" --json')
    if timeout_s is not None and not timeout_s > 0:
        raise _usage("--timeout must be more than 0 seconds.", "For example: --timeout 120")
    if ask is None and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise _usage(
            "The demo's screen needs a terminal.", 'Without one: --ask "What is an onion?"'
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
        model=given.get("model") or None,
        mint=check_url(mint, "--mint") if mint else None,
        home=given.get("home") or os.environ.get(HOME_VARIABLE) or None,
        keep=bool(given.get("keep")),
        gpu=bool(given.get("gpu")),
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


def _question(text: str | None) -> str | None:
    if text == "-":
        text = sys.stdin.read(MAX_PROMPT_CHARS)
    if text is not None and not text.strip():
        raise _usage("The question is empty.", 'For example: --ask "What is an onion?"')
    return text


def _usage(message: str, hint: str) -> DemoError:
    return DemoError(message, kept="Nothing was started.", hint=hint, code="usage", exit_code=2)
