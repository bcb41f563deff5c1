"""What a ghost earned, by hour, day and model, with what its providers asked. Counts alone."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from engine.control.protocol.earnings import Earnings, ModelEarnings, PeriodEarnings
from engine.exit.caps import DAY_S
from engine.exit.desk import Desk
from engine.exit.price_checks import uncounted
from engine.exit.service import GhostService

HOUR_S = 3_600
HOURS = 24
DAYS = 30
MICRO = 1_000_000


async def earnings_of(desk: Desk, service: GhostService) -> Earnings:
    """Everything the earnings pane and `peer2prompt earnings` show."""
    now, store = desk.now(), desk.store
    sums = msgspec.convert(await service.stats(), Earnings)
    costs = await store.ghost.costs()
    by_day: dict[int, int] = defaultdict(int)
    by_model: dict[str, int] = defaultdict(int)
    for cost in costs:
        by_day[cost.day] += cost.cost_msat
        by_model[cost.model] += cost.cost_msat
    models = [
        ModelEarnings(
            model=model.model,
            answers=model.answers,
            msat=model.msat,
            cost_msat=by_model.get(model.model, 0),
        )
        for model in sums.models
    ]
    total_cost = sum(by_model.values())
    caps = desk.config.caps
    hours = await store.earnings.periods(now=now, period_s=HOUR_S, periods=HOURS)
    days = await store.earnings.periods(now=now, period_s=DAY_S, periods=DAYS)
    return msgspec.structs.replace(
        sums,
        models=models,
        hours=[PeriodEarnings(ts=ts, msat=msat, answers=n) for ts, msat, n in hours],
        days=[
            PeriodEarnings(ts=ts, msat=msat, answers=n, cost_msat=by_day.get(int(ts // DAY_S), 0))
            for ts, msat, n in days
        ],
        cost_msat=total_cost,
        margin_msat=sums.total_msat - total_cost,
        uncounted=uncounted(desk.config.prices, desk.config.offers, desk.config.upstreams),
        refusals=await store.ghost.refusals(),
        queue_running=desk.queue.running,
        queue_waiting=desk.queue.waiting,
        spent_usd_today=desk.caps.used(now).micro_usd / MICRO,
        paid_out_sat=await store.payouts.total_sat(),
        usd_per_day=caps.micro_usd_per_day / MICRO if caps.micro_usd_per_day else None,
    )
