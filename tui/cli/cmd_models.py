"""`peer2prompt models`: what can be asked, and what it costs."""

from __future__ import annotations

import argparse

from engine.control.protocol.sessions import Model
from tui.cli import style
from tui.cli.call import call, call_as, print_json

_HEADINGS = (
    "model",
    "ghost",
    "sat/1k in",
    "sat/1k out",
    "chunk",
    "most per answer",
    "score",
    "first word",
    "state",
)


def run(args: argparse.Namespace) -> int:
    """Print the offers as a table."""
    if args.json:
        print_json(call(args, "models"))
        return 0
    offers = call_as(args, list[Model], "models")
    rows = [
        (
            offer.model,
            offer.ghost,
            _per_thousand(offer.in_price),
            _per_thousand(offer.out_price),
            style.sat(offer.chunk_msat),
            style.sat(offer.cap_msat),
            None if offer.score is None else f"{offer.score:.2f}",
            None if offer.latency_ms is None else f"{offer.latency_ms / 1000:.1f} s",
            offer.quarantined or offer.misfit,
        )
        for offer in offers
    ]
    style.table(_HEADINGS, rows, empty="No ghost is known that offers a model.")
    return 0


def _per_thousand(msat_per_million: int) -> str:
    """A price in sat per thousand tokens, which is what a short answer costs about."""
    return f"{msat_per_million / 1_000_000:.3f}".rstrip("0").rstrip(".")
