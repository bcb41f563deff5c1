"""From what an operator configured to the backend that a ghost asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import httpx
import trio

from engine.errors import ConfigError
from engine.exit.backends import anthropic, google, openai_responses
from engine.exit.backends.anthropic import AnthropicBackend
from engine.exit.backends.base import Backend
from engine.exit.backends.google import GoogleBackend
from engine.exit.backends.listing import Lister, Listing
from engine.exit.backends.openai import OpenAIBackend
from engine.exit.backends.openai_responses import OpenAIResponsesBackend
from engine.exit.backends.pool import WAIT_S, Pool
from engine.exit.backends.upstream import KINDS, Upstream
from engine.exit.question import OPTIONS

MOST_WEIGHT = 1000
MOST_SILENCE_S = 3600.0
USUAL_FEATURES = ("json",)
"""What a model behind a provider's address is taken to do when its operator has not said: its name
tells nothing, and an offer that promises too much fails its clients."""
_HTTP: dict[str, Callable[..., Backend]] = {
    "openai": OpenAIBackend,
    "openai-responses": OpenAIResponsesBackend,
    "anthropic": AnthropicBackend,
    "google": GoogleBackend,
}
_OPTIONS = {
    "openai-responses": openai_responses.OPTIONS,
    "anthropic": anthropic.OPTIONS,
    "google": google.OPTIONS,
    "llama-cpp": frozenset(OPTIONS) - {"reasoning_effort"},
}


def options_of(kinds: Sequence[str]) -> tuple[str, ...]:
    """The options of a question that upstreams of all these kinds can pass on, sorted: what a
    policy may name."""
    every = frozenset(OPTIONS)
    return tuple(sorted(every.intersection(*(_OPTIONS.get(kind, every) for kind in kinds))))


def build_backend(upstreams: Sequence[Upstream], *, wait_s: float = WAIT_S) -> Pool:
    """One backend over all upstreams. Raises ConfigError; its words hold no key."""
    if not upstreams:
        raise ConfigError("A ghost needs at least one upstream to ask.")
    return Pool([(upstream, build_one(upstream)) for upstream in upstreams], wait_s=wait_s)


def rekey(pool: Pool, keys: Sequence[str]) -> int:
    """Give the pool's upstreams these keys, in their order; only those whose key is another one are
    touched, so that no model is loaded anew and no session loses its place. How many those are.
    Raises ConfigError before anything is changed."""
    changed = [
        (place, replace(upstream, key=key))
        for place, (upstream, key) in enumerate(zip(pool.upstreams, keys, strict=True))
        if upstream.key != key
    ]
    built = [(place, upstream, build_one(upstream)) for place, upstream in changed]
    for place, upstream, backend in built:
        pool.swap(place, upstream, backend)
    return len(built)


def build_one(upstream: Upstream) -> Backend:
    """The backend of one upstream. Raises ConfigError."""
    if upstream.kind not in KINDS:
        raise ConfigError(
            "An upstream is of a kind that is not known.", hint=f"Kinds: {', '.join(KINDS)}."
        )
    if not 1 <= upstream.weight <= MOST_WEIGHT or upstream.max_concurrent < 0:
        raise ConfigError(
            f"An upstream's weight must be 1 to {MOST_WEIGHT} and its max_concurrent 0 or more."
        )
    if not 1 <= upstream.silence_s <= MOST_SILENCE_S:
        raise ConfigError(f"An upstream's silence_s must be 1 to {MOST_SILENCE_S:g} seconds.")
    if upstream.kind == "llama-cpp":
        return _in_process(upstream)
    _check_address(upstream)
    return _HTTP[upstream.kind](upstream.url, upstream.key, read_timeout_s=upstream.silence_s)


async def listing_of(upstream: Upstream) -> Listing:
    """The models that an upstream says it serves, with prices where it tells them. Raises
    ConfigError or ProviderError."""
    backend = build_one(upstream)
    try:
        if isinstance(backend, Lister):
            return await backend.listing()
        return Listing(tuple(await backend.models()))
    finally:
        with trio.CancelScope(shield=True):
            await backend.aclose()


def _in_process(upstream: Upstream) -> Backend:
    if upstream.model_file is None:
        raise ConfigError("An upstream of kind llama-cpp needs a model file.")
    # The extra `gpu` may not be installed, and nobody else pays for loading it.
    from engine.exit.backends.llama_cpp.backend import LlamaCppBackend

    name = next(iter(upstream.models.values()), "")
    return LlamaCppBackend(
        upstream.model_file, upstream.llama, name=name, side_folder=upstream.side_folder
    )


def _check_address(upstream: Upstream) -> None:
    try:
        url = httpx.URL(upstream.url)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query:
        raise ConfigError(
            "An upstream's address is not of the form https://host/path.",
            hint="Keys belong into the store or a key file, never into the address.",
        )
    if not upstream.key.isascii() or any(not "!" <= char <= "~" for char in upstream.key):
        raise ConfigError(
            "An upstream's key holds a character that no key has.",
            hint="Paste it again, without line ends and spaces.",
        )
