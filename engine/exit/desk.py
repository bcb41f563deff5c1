"""The operator's desk over a running ghost: prices, policy, pause, keys, and what to tell of it.

It owns the parts that change while the node runs and hands the service new terms; who renews advert
and sheet is told by `on_offer`. Settings that change are written by `engine.exit.settings_file`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from engine.exit.caps import DAY_S, Caps
from engine.exit.door import Door
from engine.exit.gates import Gates
from engine.exit.keys import KeyRing
from engine.exit.policy import GhostTerms
from engine.exit.price_checks import price_warnings
from engine.exit.price_watch import PriceWatch
from engine.exit.queue import AnswerQueue
from engine.exit.settings import GhostConfig
from engine.exit.terms_of import offers_of, terms_of
from engine.exit.upstreams import Upstreams
from engine.log import say
from engine.log.events import KeyRefused
from engine.wire.quote import ModelOffer
from wallet.store import Store

PAUSED_KEY = "ghost.paused"


class Desk:
    """`open` it, hand `door` and `offers_now` to the service, `aclose` it."""

    def __init__(
        self,
        config: GhostConfig,
        store: Store,
        keys: KeyRing,
        gates: Gates,
        upstreams: Upstreams,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        self.store = store
        self.keys = keys
        self.upstreams = upstreams
        self.now = now
        self.gates = gates
        self.price_watch = PriceWatch(upstreams.lists())
        self.on_offer: Callable[[GhostTerms], None] = lambda _terms: None
        self.on_change: Callable[[], None] = lambda: None
        caps = config.caps
        self.queue = AnswerQueue(caps.concurrent, caps.queue, float(caps.queue_wait_s))
        self.caps = Caps(store.ghost, caps, now=now())
        self.door = Door(
            models={model.name: model for model in config.offers},
            gates=[*gates.gates, upstreams.examine],
            caps=self.caps,
            queue=self.queue,
            book=store.ghost,
            sat_per_usd=lambda: self.config.prices.sat_per_usd,
            on_key_refused=self._key_refused,
            is_unwell=lambda: self.store.trouble is not None,
            now=now,
        )

    @classmethod
    async def open(
        cls, config: GhostConfig, store: Store, *, now: Callable[[], float] = time.time
    ) -> Desk:
        """With its upstreams, the books of today and the state it was left in. Raises
        ConfigError."""
        keys = KeyRing(store.secrets)
        upstreams = await Upstreams.open(config, keys)
        gates = await Gates.open(config.policy, keys)
        desk = cls(config, store, keys, gates, upstreams, now=now)
        await desk.caps.load(now())
        desk.door.paused = await store.settings.get(PAUSED_KEY) is not None
        await desk._bar()
        return desk

    async def aclose(self) -> None:
        """Close what gates and upstreams hold open."""
        await self.gates.aclose()
        await self.upstreams.aclose()

    # -- what is offered

    @property
    def terms(self) -> GhostTerms:
        """By the settings, with the highest prices."""
        return terms_of(self.config, self.upstreams.features(), self.upstreams.facts)

    def offers_now(self, load: float | None = None) -> tuple[ModelOffer, ...]:
        """For a quote at this moment, or at another load."""
        if self.door.paused or self.store.trouble is not None:
            return ()
        load = self.queue.load if load is None else load
        offers = offers_of(self.config, self.upstreams.features(), self.upstreams.facts, load=load)
        return tuple(offer for offer in offers if offer.name not in self.door.barred)

    # -- what the operator does

    async def pause(self) -> None:
        """Take no questions, offer no model; what runs goes on. Holds over a restart."""
        await self.store.settings.set(PAUSED_KEY, "1")
        self.door.paused = True
        self._offer()

    async def resume(self) -> None:
        """Offer again; also after a provider refused the key and was talked round."""
        await self.store.settings.delete(PAUSED_KEY)
        await self.keys.forget_refused()
        self.upstreams.restore()
        self.door.paused, self.door.barred = False, frozenset()
        self._offer()

    async def use(self, config: GhostConfig) -> None:
        """Serve by these settings from now on; upstreams, mints and payout change at a start.

        Raises ConfigError and changes nothing when the policy's parts cannot be opened.
        """
        gates = await Gates.open(config.policy, self.keys)
        old, self.gates = self.gates, gates
        self.config = config
        self.door.gates = [*gates.gates, self.upstreams.examine]
        self.door.models = {model.name: model for model in config.offers}
        self.caps.settings = config.caps
        self.queue.limit, self.queue.room = config.caps.concurrent, config.caps.queue
        self.queue.wait_s = float(config.caps.queue_wait_s)
        await old.aclose()
        self._offer()

    async def change_key(self, name: str, key: str) -> None:
        """Keep a key, and ask with it from now on where the settings name it. Raises
        ConfigError."""
        await self.keys.put(name, key)
        await self.upstreams.renew()
        await self._bar()
        self._offer()

    async def _bar(self) -> None:
        """Keep out of the offers what only upstreams serve whose key was refused."""
        refused = await self.keys.refused_among(self.upstreams.in_use)
        self.door.barred = frozenset(
            name for name in self.config.models if self.upstreams.serving(name) <= refused
        )

    def store_changed(self) -> None:
        """The store cannot be written, or can be again: what is offered follows."""
        self._offer()

    def _offer(self) -> None:
        self.on_offer(self.terms)
        self.on_change()

    async def _key_refused(self, model: str) -> None:
        """Out of the offers, now and after a restart, until the key is another."""
        say(KeyRefused())
        keys, states = self.upstreams.in_use, self.upstreams.status()
        serving = self.upstreams.serving(model)
        await self.keys.note_refused([keys[n] for n in serving if states[n].state == "out"])
        await self._bar()
        self._offer()

    async def count_refusal(self, code: str) -> None:
        """One question was refused."""
        await self.store.ghost.refused(int(self.now() // DAY_S), code)

    # -- what the operator is told

    def warnings(self) -> list[str]:
        """What needs the operator, in whole sentences."""
        found = []
        if self.door.barred:
            names = ", ".join(sorted(self.door.barred))
            found.append(
                f"The AI provider refused the ghost's key: {names} is not offered. Change the key "
                "with `peer2prompt ghost key`, or go on with `peer2prompt ghost resume`."
            )
        found += [
            f"The upstream {upstream.name} refuses its key; others answer in its place."
            for upstream in self.upstreams.status()
            if upstream.failure == "auth" and not self.door.barred
        ]
        if self.door.paused:
            found.append("The ghost is paused: `peer2prompt ghost resume` goes on.")
        if self.gates.failures:
            found.append(
                f"{self.gates.failures} questions could not be checked by the moderation hook and "
                "were refused."
            )
        found += price_warnings(self.config.prices, self.config.offers, self.now())
        found += self.price_watch.warnings(self.config.offers)
        if self._spent_up():
            found.append("The ghost has reached its cap for today (UTC).")
        return found

    def _spent_up(self) -> bool:
        used, caps = self.caps.spent(self.now()), self.config.caps
        usd, tokens = caps.micro_usd_per_day, caps.tokens_per_day
        return bool(
            (usd and used.micro_usd * 100 >= usd * 98)
            or (tokens and used.tokens * 100 >= tokens * 98)
        )
