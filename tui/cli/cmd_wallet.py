"""`peer2prompt wallet ...`: what the wallet holds, its mints, its seed."""

from __future__ import annotations

import argparse
from typing import Any

from engine.control.protocol import HistoryEntry, WalletBalance, WalletInfo
from tui.cli import style
from tui.cli.call import call, print_json
from tui.cli.prompts import confirmed


def info(args: argparse.Namespace) -> int:
    """Print the wallet in short."""
    raw = call(args, "wallet.info")
    if args.json:
        print_json(raw)
        return 0
    wallet = _shape(WalletInfo, raw)
    style.facts(
        [
            ("store", wallet.store),
            ("total", f"{wallet.total_sat} sat"),
            ("reserved", f"{wallet.reserved_sat} sat in payments under way"),
            ("held", f"{wallet.held_sat} sat held by mints until they decide"),
            ("resting", f"{wallet.resting_sat} sat fresh, to be spent later"),
            ("mints", f"{wallet.mints}"),
            ("payments open", f"{wallet.payments_open}"),
            ("mints reached", wallet.via),
        ]
    )
    if args.nuts:
        rows = [(f"{nut.nut:02}", nut.support, nut.name, nut.note) for nut in wallet.nuts]
        style.table(("NUT", "here", "what", "note"), rows, empty="")
    return 0


def balance(args: argparse.Namespace) -> int:
    """Print what is at each mint."""
    raw = call(args, "wallet.balance")
    if args.json:
        print_json(raw)
        return 0
    wallet = _shape(WalletBalance, raw)
    rows = [
        (
            style.one_line(mint.url, 48),
            mint.available_sat,
            mint.resting_sat,
            mint.reserved_sat,
            mint.held_sat,
        )
        for mint in wallet.mints
    ]
    style.table(("mint", "sat", "resting", "reserved", "held"), rows, empty=_NO_MINT)
    print(f"{style.bold('total')}  {wallet.total_sat} sat")
    return 0


def mints(args: argparse.Namespace) -> int:
    """Print the mints and how they are."""
    raw = call(args, "wallet.balance")
    if args.json:
        print_json(raw["mints"])
        return 0
    wallet = _shape(WalletBalance, raw)
    rows = [
        (
            style.one_line(mint.url, 48),
            mint.name,
            "up" if mint.healthy else "down",
            None if mint.latency_ms is None else round(mint.latency_ms),
            mint.last_error or "",
        )
        for mint in wallet.mints
    ]
    style.table(("mint", "name", "state", "ms", "last error"), rows, empty=_NO_MINT)
    return 0


def add_mint(args: argparse.Namespace) -> int:
    """Trust a mint."""
    raw = call(args, "wallet.mints.add", url=args.url)
    if args.json:
        print_json(raw)
    else:
        print(f"Added {style.clean(args.url)}. Fund it with `peer2prompt wallet fund SAT`.")
    return 0


def history(args: argparse.Namespace) -> int:
    """Print what moved."""
    raw = call(args, "wallet.history", limit=args.limit)
    if args.json:
        print_json(raw)
        return 0
    rows = [
        (style.moment(entry.ts), entry.kind, entry.amount_sat, entry.mint, entry.detail)
        for entry in _shape(list[HistoryEntry], raw)
    ]
    style.table(("when", "what", "sat", "mint", "detail"), rows, empty="Nothing has moved yet.")
    return 0


def seed(args: argparse.Namespace) -> int:
    """Print the words, after asking."""
    question = "Whoever sees these words owns the ecash. Show them on this screen?"
    if not confirmed(args, question):
        print("Nothing was shown.")
        return 0
    raw = call(args, "wallet.seed")
    print_json(raw) if args.json else print(raw["words"])
    return 0


def restore(args: argparse.Namespace) -> int:
    """Find the wallet's ecash at a mint from its seed."""
    raw = call(args, "wallet.restore", mint=args.url)
    if args.json:
        print_json(raw)
    else:
        print(f"Recovered {raw['recovered_sat']} sat at {style.clean(args.url)}.")
    return 0


_NO_MINT = "No mint yet. Add one with `peer2prompt wallet add-mint URL`."


def _shape(shape: Any, raw: Any) -> Any:
    import msgspec

    return msgspec.convert(raw, type=shape)
