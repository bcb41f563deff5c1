"""`peer2prompt wallet move | rebalance`: ecash between mints, with the fees shown first."""

from __future__ import annotations

import argparse

from engine.control.protocol.moves import MoveQuote, Swapped
from engine.control.protocol.wallet import MoveResult
from tui.cli import style
from tui.cli.call import call_as, print_json
from tui.cli.failures import FUNDS, usage
from tui.cli.prompts import confirmed


def move(args: argparse.Namespace) -> int:
    """Move ecash between two mints: show what it costs, ask, move."""
    quote = call_as(
        args,
        MoveQuote,
        "wallet.move.quote",
        source=args.from_mint,
        target=args.to_mint,
        amount_sat=args.amount,
    )
    fees = style.money(quote.fee_reserve_sat, quote.unit)
    amount = style.money(quote.amount_sat, quote.unit)
    if not confirmed(args, f"Move {amount}, and pay up to {fees} in fees?"):
        print("Nothing was moved.")
        return 0
    (moved,) = _carry_out(args, [quote])
    if args.json:
        print_json(moved)
    else:
        print(_words(quote, moved))
    return FUNDS if moved.trouble else 0


def rebalance(args: argparse.Namespace) -> int:
    """Even out what lies at the mints: show the moves and their fees, ask, move."""
    quotes = call_as(args, list[MoveQuote], "wallet.even.quote", shares=_shares(args.to))
    if args.json and args.dry_run:
        print_json(quotes)
        return 0
    if not quotes:
        print_json([]) if args.json else print("Nothing is worth a move.")
        return 0
    if not args.json:
        rows = [
            (
                style.one_line(quote.source, 32),
                style.one_line(quote.target, 32),
                quote.amount_sat,
                quote.fee_reserve_sat,
            )
            for quote in quotes
        ]
        style.table(("from", "to", "sat", "fees at most"), rows, empty="")
    if args.dry_run:
        return 0
    fees = sum(quote.fee_reserve_sat for quote in quotes)
    if not confirmed(args, f"Make these moves, and pay up to {fees} sat in fees?"):
        print("Nothing was moved.")
        return 0
    results = _carry_out(args, quotes)
    if args.json:
        print_json(results)
    else:
        for quote, moved in zip(quotes, results, strict=True):
            print(_words(quote, moved))
    return FUNDS if any(moved.trouble for moved in results) else 0


def swap(args: argparse.Namespace) -> int:
    """Fresh coins for those at a mint."""
    swapped = call_as(args, Swapped, "wallet.swap", mint=args.mint)
    if args.json:
        print_json(swapped)
    else:
        print(f"Swapped {style.money(swapped.amount_sat, swapped.unit)} for fresh coins.")
    return 0


def _carry_out(args: argparse.Namespace, quotes: list[MoveQuote]) -> list[MoveResult]:
    moves = [{name: getattr(quote, name) for name in quote.__struct_fields__} for quote in quotes]
    return call_as(args, list[MoveResult], "wallet.moves", moves=moves)


def _words(quote: MoveQuote, moved: MoveResult) -> str:
    if moved.trouble:
        return f"Not moved from {style.clean(quote.source)}: {style.clean(moved.trouble)}"
    if moved.arrived:
        amount, cost = (style.money(n, quote.unit) for n in (moved.amount_sat, moved.cost_sat))
        return f"Moved {amount} for {cost}."
    return "The payment is on its way; the ecash is collected by itself when it arrives."


def _shares(texts: list[str]) -> dict[str, int] | None:
    shares: dict[str, int] = {}
    for text in texts:
        url, equals, share = text.rpartition("=")
        if not equals or not share.isascii() or not share.isdigit() or url in shares:
            raise usage("A share is written URL=NUMBER, one for each mint.")
        shares[url] = int(share)
    return shares or None
