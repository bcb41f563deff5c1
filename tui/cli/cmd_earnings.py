"""`peer2prompt earnings`: what this node earned as a ghost."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime

from engine.control.protocol.earnings import Earnings, PeriodEarnings
from tui.cli import style
from tui.cli.call import call, call_as, print_json


def run(args: argparse.Namespace) -> int:
    """Print the sums, and one line for each model."""
    if args.json:
        print_json(call(args, "earnings"))
        return 0
    earned = call_as(args, Earnings, "earnings")
    if not earned.enabled:
        print("This node is not a ghost, so it earns nothing. See `peer2prompt node --help`.")
        return 0
    style.facts(
        [
            ("today", style.sat(earned.today_msat)),
            ("this week", style.sat(earned.week_msat)),
            ("in all", style.sat(earned.total_msat)),
            ("answers", earned.answers),
            ("refused", earned.refused),
            ("tokens out", earned.tokens_out),
            ("sessions open", earned.sessions_open),
            ("prepaid by clients", style.sat(earned.credit_msat)),
            ("providers cost", style.sat(earned.cost_msat)),
            ("left after that", style.sat(earned.margin_msat)),
            ("paid out", f"{earned.paid_out_sat} sat"),
        ]
    )
    if earned.uncounted:
        names = ", ".join(style.clean(name) for name in earned.uncounted)
        print(f"! Not counted is what the provider asks for {names}: give --cost and")
        print("  --sat-per-usd to `peer2prompt ghost prices`.")
    if earned.models:
        print()
        rows = [
            (model.model, model.answers, style.sat(model.msat), style.sat(model.cost_msat))
            for model in earned.models
        ]
        style.table(("model", "answers", "earned", "cost"), rows, empty="")
    _periods("hour (UTC)", "%d %b %H:00", earned.hours)
    _periods("day (UTC)", "%Y-%m-%d", earned.days)
    if earned.refusals:
        print()
        reasons = [(reason, count) for reason, count in earned.refusals.items()]
        style.table(("refused for", "times"), reasons, empty="")
    return 0


def _periods(heading: str, form: str, periods: Sequence[PeriodEarnings]) -> None:
    """Those in which there was something, the latest last."""
    rows = [
        (
            datetime.fromtimestamp(period.ts, UTC).strftime(form),
            period.answers,
            style.sat(period.msat),
            style.sat(period.cost_msat) if period.cost_msat else "",
        )
        for period in periods
        if period.answers or period.cost_msat
    ]
    if rows:
        print()
        style.table((heading, "answers", "earned", "cost"), rows, empty="")
