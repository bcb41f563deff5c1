"""The ghost's providers as one backend, with their keys, which may change while it runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import trio

from engine.errors import ProviderError
from engine.exit.admission import Question
from engine.exit.backends.base import Backend
from engine.exit.backends.build import build_backend, rekey
from engine.exit.backends.listing import Listing
from engine.exit.backends.pool import Pool, UpstreamStatus
from engine.exit.backends.upstream import Upstream
from engine.exit.keys import KeyRing
from engine.exit.local_models import LocalFacts, facts_of
from engine.exit.settings import GhostConfig
from engine.exit.settings_upstreams import UpstreamSettings
from engine.market.commands import Refusal


class Upstreams:
    """A backend over the upstreams of the settings. `renew` after a key has changed."""

    def __init__(self, config: GhostConfig, keys: KeyRing, in_use: list[str], pool: Pool) -> None:
        self.in_use = in_use
        """The keys, in the order of the upstreams."""
        self._config = config
        self._keys = keys
        self._pool = pool
        self.facts: Mapping[str, LocalFacts] = {}
        """Of the models that are served in this process."""

    def __repr__(self) -> str:
        return f"Upstreams({len(self._config.upstreams)})"

    @classmethod
    async def open(cls, config: GhostConfig, keys: KeyRing) -> Upstreams:
        """Raises ConfigError when a key cannot be read or a model cannot be loaded."""
        in_use = await keys.all_of(config.upstreams)
        made = [_upstream(*one) for one in zip(config.upstreams, in_use, strict=True)]
        pool = build_backend(made)
        await pool.load()
        upstreams = cls(config, keys, in_use, pool)
        upstreams.facts = await facts_of(pool.backends())
        return upstreams

    @property
    def pool(self) -> Pool:
        """Whom questions go to."""
        return self._pool

    @property
    def backend(self) -> Backend:
        """The same, for the ghost."""
        return self._pool

    def features(self) -> Mapping[str, frozenset[str]]:
        """What the offered models can do, by offered name."""
        return {name: self._pool.features(name) for name in self._config.models}

    def serving(self, model: str) -> frozenset[int]:
        """The places of the upstreams that serve a model."""
        return frozenset(
            place
            for place, upstream in enumerate(self._config.upstreams)
            if any(name == model for name, _ in upstream.models)
        )

    def lists(self) -> list[tuple[Callable[[], Awaitable[Listing]], Mapping[str, str]]]:
        """The lists of providers that are paid, each with the offered models there."""
        return [
            (partial(self._pool.listing, place), dict(upstream.models))
            for place, upstream in enumerate(self._config.upstreams)
            if not upstream.is_own
        ]

    def status(self) -> list[UpstreamStatus]:
        """How each fares."""
        return self._pool.status()

    async def renew(self) -> None:
        """Read the keys again. Where one changed, new questions go to fresh connections; answers
        that run end on the old ones. Models of this process stay loaded. Raises ConfigError."""
        keys = await self._keys.all_of(self._config.upstreams)
        rekey(self._pool, keys)
        self.in_use = keys

    def restore(self) -> None:
        """The operator says that the keys are good."""
        self._pool.restore()

    async def examine(self, question: Question) -> Refusal | None:
        """A gate: what the upstream itself would refuse costs nobody anything."""
        try:
            await self._pool.examine(question.form.request)
        except ProviderError as error:
            after = int(-(-(error.retry_after_s or 0) // 1))
            return Refusal(error.message, f"provider_{error.kind}"[:32], after)
        return None

    async def aclose(self) -> None:
        """Close all connections."""
        with trio.CancelScope(shield=True):
            await self._pool.aclose()


def _upstream(settings: UpstreamSettings, key: str) -> Upstream:
    return Upstream(
        kind=settings.kind,
        url=settings.url,
        key=key,
        models=dict(settings.models),
        weight=settings.weight,
        max_concurrent=settings.max_concurrent,
        model_file=settings.model_file,
        silence_s=float(settings.silence_s),
        llama=settings.llama,
        side_folder=settings.side_folder,
        name=settings.name,
    )
