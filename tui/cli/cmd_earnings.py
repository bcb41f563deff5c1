"""`peer2prompt earnings`: what this node earned as a ghost."""

from __future__ import annotations

import argparse

from engine.control.protocol.earnings import Earnings
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
        ]
    )
    if earned.models:
        print()
        rows = [(model.model, model.answers, style.sat(model.msat)) for model in earned.models]
        style.table(("model", "answers", "earned"), rows, empty="")
    return 0
