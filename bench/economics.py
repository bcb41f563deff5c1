"""The unit economics of a ghost, simulated: the tables of docs/economics.md.

    python -m bench.economics [--json] [--write] [--seed N]

Seeded: the same seed gives the same tables, and a test holds the document to them. `--write` puts
them into the document.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench.economics_model import (
    Abuse,
    Business,
    Lognormal,
    Pareto,
    Pool,
    float_needed,
    ruined,
)

DOCUMENT = Path(__file__).parents[1] / "docs" / "economics.md"
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
DRAWS, SEED = 30_000, 2026
RUIN = 0.01
FLOAT_MSAT = 100_000.0
"""A hundred sat: what the operator can lose before the ghost closes."""
HISTORIES, HISTORY = 300, 5_000
BASE = Business()
TAILS = (
    ("lognormal", Lognormal(250, 1.1, 4_096)),
    ("Pareto 1.5", Pareto(120, 1.5, 32_000)),
    ("Pareto 1.1", Pareto(60, 1.1, 32_000)),
)


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        lines = [f"**{self.title}**", "", _row(self.head), _row(["---"] * len(self.head))]
        return "\n".join([*lines, *map(_row, self.rows)])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def tables(seed: int = SEED, draws: int = DRAWS) -> list[Table]:
    """All tables of the document."""
    return [
        rule(seed, draws),
        break_even(),
        safety(seed, draws),
        variance(seed, draws),
        chunks(),
    ]


def rule(seed: int, draws: int) -> Table:
    """The formula beside the mean of draws."""
    cases = (
        ("no abuse", BASE),
        ("1 % cancel", replace(BASE, abuse=Abuse(cancelled=0.01))),
        ("1 % cancel, free", replace(BASE, abuse=Abuse(cancelled=0.01), cancel_is_free=True)),
        ("1 % vanish", replace(BASE, abuse=Abuse(vanished=0.01))),
        ("2 % provider failures", replace(BASE, abuse=Abuse(failed=0.02))),
        ("5 % refused, 50 msat a check", replace(BASE, abuse=Abuse(refused=0.05), check=50.0)),
        ("5 % double spends", replace(BASE, abuse=Abuse(double=0.05))),
        ("mint fees of 100 msat a request", replace(BASE, mint_fee=100.0)),
        ("all of these", _everything()),
    )
    rows = []
    for name, business in cases:
        profits = Pool(business, draws, seed).profits(business.margin)
        error = statistics.pstdev(profits) / math.sqrt(draws)
        mean = statistics.fmean(profits)
        rows.append((name, _msat(business.expected()), f"{_msat(mean)} ± {_msat(2 * error)}"))
    title = f"Expected profit of one request at a margin of 20 %, msat ({draws:,} draws)"
    return Table(title, ("case", "formula", "simulated"), tuple(rows))


def _everything() -> Business:
    abuse = Abuse(cancelled=0.01, vanished=0.01, failed=0.02, refused=0.05, double=0.05)
    return replace(BASE, abuse=abuse, check=50.0, mint_fee=100.0)


def break_even() -> Table:
    """Which margin abuse costs."""
    shares = (0.0, 0.001, 0.005, 0.01, 0.02, 0.05)
    rows = []
    for share in shares:
        cancelled, vanished = Abuse(cancelled=share), Abuse(vanished=share)
        rows.append(
            (
                f"{share:.1%}",
                _percent(replace(BASE, abuse=cancelled, cancel_is_free=True).break_even()),
                _percent(replace(BASE, abuse=cancelled).break_even()),
                _percent(replace(BASE, abuse=cancelled, abuse_in=4_000).break_even()),
                _percent(replace(BASE, abuse=vanished).break_even()),
                _percent(replace(BASE, abuse=vanished, chunk=4_000).break_even()),
            )
        )
    head = (
        "abusers",
        "cancel, were it free",
        "cancel, half the input billed",
        "the same, inputs up to 4,000",
        "vanish, chunk 16 sat",
        "vanish, chunk 4 sat",
    )
    return Table("Margin at which the expected profit is zero", head, tuple(rows))


def safety(seed: int, draws: int) -> Table:
    """The margin for a bound on ruin, and how often ruin then comes."""
    rows = []
    for name, abuse in (
        ("0.1 % cancel", Abuse(cancelled=0.001)),
        ("0.5 % cancel", Abuse(cancelled=0.005)),
        ("1 % cancel, 1 % vanish", Abuse(cancelled=0.01, vanished=0.01)),
        ("2 % provider failures", Abuse(failed=0.02)),
    ):
        business = replace(BASE, abuse=abuse)
        pool, rng = Pool(business, draws, seed), random.Random(seed)
        even, safe = business.break_even(), pool.safe_margin(FLOAT_MSAT, RUIN)
        found = [
            ruined(pool.profits(margin), FLOAT_MSAT, HISTORY, HISTORIES, rng)
            for margin in (even, safe)
        ]
        rows.append((name, _percent(even), f"{found[0]:.1%}", _percent(safe), f"{found[1]:.1%}"))
    head = ("abuse", "break-even margin", "ruined at it", "margin for 1 %", "ruined at it")
    title = (
        f"Ruin: the chance of losing {FLOAT_MSAT / 1000:,.0f} sat within {HISTORY:,} requests"
        f" ({HISTORIES} histories)"
    )
    return Table(title, head, tuple(rows))


def variance(seed: int, draws: int) -> Table:
    """Price per token against one price per request, under heavier and heavier tails."""
    rows = []
    for name, tail in TAILS:
        business = replace(BASE, tokens_out=tail, abuse=Abuse(failed=0.005), abuse_out=32_000)
        pool = Pool(business, draws, seed)
        metered = pool.profits(business.margin)
        flat = _flat(pool)
        picked = _flat(pool, stay=0.5)
        rows.append(
            (
                name,
                _spread(metered),
                _sat(float_needed(metered, RUIN)),
                _spread(flat),
                _sat(float_needed(flat, RUIN)),
                _msat(statistics.fmean(picked)),
            )
        )
    head = (
        "answers",
        "per token: mean, deviation",
        "float for 1 %",
        "per request: mean, deviation",
        "float for 1 %",
        "per request, light users half gone: mean",
    )
    title = "Price against variance at a margin of 20 %, msat; the float keeps ruin below 1 %"
    return Table(title, head, tuple(rows))


def _flat(pool: Pool, stay: float = 1.0) -> list[float]:
    """One price for every request, the mean cost and the margin; of the users whose request costs
    less than the price only the share `stay` is left."""
    business = pool.business
    costs = [
        business.cost_in * tokens_in + business.cost_out * tokens_out
        for _, tokens_in, tokens_out, _ in pool.draws
    ]
    price = statistics.fmean(costs) * (1 + business.margin)
    kept = [
        cost
        for cost, (_, _, _, draw) in zip(costs, pool.draws, strict=True)
        if cost > price or draw < stay
    ]
    return [price * (1 - business.payout) - cost for cost in kept]


def chunks() -> Table:
    """What the chunk size does."""
    rows = []
    mean_out = BASE.tokens_out.mean_below(math.inf)
    for sat in (2, 4, 8, 16, 32, 64):
        business = replace(BASE, chunk=sat * 1000.0, abuse=Abuse(vanished=0.01, cancelled=0.001))
        margin = business.break_even()
        price = business.cost_out * (1 + BASE.margin)
        rows.append(
            (
                f"{sat} sat",
                f"{sat * 1000 / price:,.0f}",
                f"{mean_out * price / (sat * 500):.2f}",
                _msat(min(sat * 1000 / (1 + BASE.margin), BASE.cost_out * BASE.abuse_out)),
                _percent(margin),
            )
        )
    head = (
        "chunk",
        "tokens it buys",
        "payments for a mean answer",
        "lost by one vanishing client, msat",
        "break-even at 1 % vanish, 0.1 % cancel",
    )
    return Table("Chunk size", head, tuple(rows))


def _msat(value: float) -> str:
    return f"{value:,.0f}"


def _sat(msat: float) -> str:
    return "none is enough" if math.isinf(msat) else f"{msat / 1000:,.0f} sat"


def _percent(value: float) -> str:
    return f"{value:.1%}"


def _spread(profits: Sequence[float]) -> str:
    return f"{_msat(statistics.fmean(profits))}, {_msat(statistics.pstdev(profits))}"


def section(found: Sequence[Table]) -> str:
    """The part of the document that this program writes."""
    return "\n\n".join([BEGIN, *(table.markdown() for table in found), END])


def written(text: str, found: Sequence[Table]) -> str:
    """The document with its tables replaced."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + section(found) + after


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.economics", description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED, help=f"of all draws ({SEED})")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", action="store_true", help="put the tables into the document")
    args = parser.parse_args(argv)
    found = tables(args.seed)
    if args.write:
        DOCUMENT.write_text(written(DOCUMENT.read_text(), found))
    if args.json:
        print(json.dumps({"seed": args.seed, "tables": [asdict(table) for table in found]}))
    elif not args.write:
        print(section(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
