"""The control methods of a ghost: what it does, what it asks for it, pausing, keys.

Changes go into config.toml first, checked whole, and then into the running ghost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import tomlkit
import trio

from engine.config import NodeConfig, parse_config
from engine.control.protocol.earnings import Earnings
from engine.control.protocol.ghost import (
    GhostCaps,
    GhostPolicyInfo,
    GhostPrices,
    GhostStatus,
    ModelPrice,
    Payout,
)
from engine.control.server import Handler
from engine.errors import ConfigError
from engine.exit.desk import Desk
from engine.exit.earnings import earnings_of
from engine.exit.payout import Payouts
from engine.exit.service import GhostService
from engine.exit.settings import GhostConfig
from engine.exit.settings_file import put, put_models, rewrite
from engine.exit.views import engines_of, upstreams_of
from engine.policy_view import policy_info
from wallet.store.payouts import PayoutRow

MICRO = 1_000_000


class GhostHandlers:
    """Answers `ghost.*` and `earnings`."""

    def __init__(
        self, config: NodeConfig, desk: Desk, service: GhostService, payouts: Payouts
    ) -> None:
        self._config = config
        self._desk = desk
        self._service = service
        self._payouts = payouts
        self._changing = trio.Lock()

    def table(self) -> Mapping[str, Handler]:
        """Method name to handler."""
        return {
            "earnings": self.earnings,
            "ghost.status": self.status,
            "ghost.pause": self.pause,
            "ghost.resume": self.resume,
            "ghost.policy": self.policy,
            "ghost.policy.set": self.set_policy,
            "ghost.prices": self.prices,
            "ghost.prices.set": self.set_prices,
            "ghost.caps": self.caps,
            "ghost.caps.set": self.set_caps,
            "ghost.key": self.key,
            "ghost.payouts": self.payouts,
            "ghost.payout": self.payout,
        }

    async def earnings(self, _params: object) -> Earnings:
        """Sums by hour, day and model, with costs and refusals."""
        return await earnings_of(self._desk, self._service)

    async def status(self, _params: object) -> GhostStatus:
        """How the ghost fares."""
        desk, caps = self._desk, self._desk.config.caps
        used = desk.caps.used(desk.now())
        return GhostStatus(
            enabled=True,
            paused=desk.door.paused,
            key_refused=sorted(desk.door.barred),
            models=list(desk.config.models),
            running=desk.queue.running,
            waiting=desk.queue.waiting,
            concurrent=caps.concurrent,
            queue=caps.queue,
            load_percent=round(100 * desk.queue.load),
            spent_usd_today=used.micro_usd / MICRO,
            usd_per_day=caps.micro_usd_per_day / MICRO if caps.micro_usd_per_day else None,
            tokens_today=used.tokens,
            tokens_per_day=caps.tokens_per_day or None,
            sessions_open=self._service.sessions_open,
            moderation=desk.config.policy.moderation,
            unjudged=desk.gates.failures,
            keys=await desk.keys.names(),
            warnings=desk.warnings(),
            upstreams=upstreams_of(desk.upstreams),
            engines=engines_of(desk.upstreams),
        )

    async def pause(self, params: object) -> GhostStatus:
        """Take no more questions; what runs goes on."""
        await self._desk.pause()
        return await self.status(params)

    async def resume(self, params: object) -> GhostStatus:
        """Take questions again."""
        await self._desk.resume()
        return await self.status(params)

    async def key(self, params: dict[str, Any]) -> GhostStatus:
        """Keep a provider key, and ask with it from now on where the settings name it."""
        await self._desk.change_key(params["name"], params["key"])
        return await self.status(params)

    async def payouts(self, _params: object) -> list[Payout]:
        """The latest first."""
        return [_payout(row) for row in await self._desk.store.payouts.latest()]

    async def payout(self, params: dict[str, Any]) -> list[Payout]:
        """Pay out now."""
        made = await self._payouts.pay(params["address"], params["amount_sat"])
        return [_payout(row) for row in made]

    async def policy(self, _params: object) -> GhostPolicyInfo:
        """What sheet and quotes say."""
        return policy_info(self._desk.terms.policy)

    async def set_policy(self, params: dict[str, Any]) -> GhostPolicyInfo:
        """Change what is refused and who reads questions to find out."""
        names = {"refused": "refuse"}
        values = {
            f"policy.{names.get(key, key)}": (None if value in ("", []) else value)
            for key, value in params.items()
            if value is not None
        }
        await self._change(lambda document: put(document, values))
        return await self.policy(params)

    async def caps(self, _params: object) -> GhostCaps:
        """What is given at most."""
        caps = self._desk.config.caps
        return GhostCaps(
            usd_per_day=caps.micro_usd_per_day / MICRO if caps.micro_usd_per_day else None,
            tokens_per_day=caps.tokens_per_day or None,
            concurrent=caps.concurrent,
            queue=caps.queue,
            queue_wait_s=caps.queue_wait_s,
            max_question_kib=caps.max_question_kib,
        )

    async def set_caps(self, params: dict[str, Any]) -> GhostCaps:
        """Change it, for what comes from now on."""
        given = {f"caps.{key}": value for key, value in params.items() if value is not None}
        if given.get("caps.usd_per_day") in ("", "0"):
            given["caps.usd_per_day"] = None
        await self._change(lambda document: put(document, given))
        return await self.caps(params)

    async def prices(self, _params: object) -> GhostPrices:
        """What is asked now and at most."""
        desk = self._desk
        config, load = desk.config, desk.queue.load
        prices = config.prices
        return GhostPrices(
            mode=prices.mode,
            margin_percent=prices.margin_percent,
            rise_percent=prices.rise_percent,
            sat_per_usd=prices.sat_per_usd,
            rate_on=prices.rate_on,
            chunk_msat=config.chunk_msat,
            cap_msat=config.cap_msat,
            models=model_prices(config, load),
        )

    async def set_prices(self, params: dict[str, Any]) -> GhostPrices:
        """Change how prices are made, or those of single models. A rate that is given counts as
        looked at today."""
        keys = ("mode", "margin_percent", "rise_percent", "sat_per_usd")
        values = {f"prices.{key}": params[key] for key in keys if params.get(key) is not None}
        if rate := values.get("prices.sat_per_usd"):
            values["prices.rate_on"] = _day(self._desk.now())
        elif rate == 0:
            values["prices.rate_on"] = None
        models = {
            name: {key: value for key, value in _fields(change).items() if value is not None}
            for name, change in (params.get("models") or {}).items()
        }

        def edit(document: tomlkit.TOMLDocument) -> None:
            put(document, values)
            if models:
                put_models(document, models)

        await self._change(edit)
        return await self.prices(params)

    async def _change(self, edit: Callable[[tomlkit.TOMLDocument], None]) -> None:
        file = self._config.file
        if file is None:
            raise ConfigError(
                "This node has no settings file to change.", kept="Nothing was changed."
            )
        async with self._changing:
            found: list[GhostConfig] = []

            def check(data: Mapping[str, Any]) -> None:
                ghost = parse_config(self._config.home, data, base=file.parent).ghost
                if ghost is None:
                    raise ConfigError("The settings file does not name the ghost role any more.")
                found.append(ghost)

            await trio.to_thread.run_sync(rewrite, file, edit, check)
            await self._desk.use(found[-1])


def _payout(row: PayoutRow) -> Payout:
    return Payout(
        payout_id=row.payout_id,
        state=row.state,
        mint=row.mint,
        address=row.address,
        amount_sat=row.amount_sat,
        fee_sat=row.fee_sat,
        error=row.error,
        created=row.created,
        updated=row.updated,
    )


def model_prices(config: GhostConfig, load: float) -> list[ModelPrice]:
    """The prices of all models at a load, beside the highest and the provider's."""
    found = []
    for model in config.offers:
        price = config.prices.price(model)
        tin, tout, cached, thought = price.at(load)
        costs = model.costs
        found.append(
            ModelPrice(
                model=model.name,
                in_price=tin,
                out_price=tout,
                cached_price=cached,
                reasoning_price=thought,
                in_highest=price.highest[0],
                out_highest=price.highest[1],
                in_usd=None if costs is None else costs.tokens_in / MICRO,
                out_usd=None if costs is None else costs.tokens_out / MICRO,
            )
        )
    return found


def _day(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).date().isoformat()


def _fields(change: Any) -> dict[str, Any]:
    if isinstance(change, Mapping):
        return dict(change)
    import msgspec

    return dict(msgspec.structs.asdict(change))
