"""`peer2prompt wallet ...`: what the wallet holds, its mints, its seed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncIterator
from typing import Any

import anyio

from engine.control.client import ControlClient
from engine.control.protocol.events import read_event
from engine.control.protocol.frames import Event
from engine.control.protocol.wallet import (
    HistoryEntry,
    MintFacts,
    Restore,
    WalletBalance,
    WalletInfo,
)
from tui.cli import style
from tui.cli.call import call, call_as, print_json, with_node
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
            style.amount(mint.available_sat, mint.unit),
            mint.unit,
            style.amount(mint.resting_sat, mint.unit),
            style.amount(mint.reserved_sat, mint.unit),
            style.amount(mint.held_sat, mint.unit),
        )
        for mint in wallet.mints
    ]
    style.table(("mint", "amount", "unit", "resting", "reserved", "held"), rows, empty=_NO_MINT)
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
            f"{mint.failures_percent} %",
            None if mint.latency_ms is None else round(mint.latency_ms),
            mint.last_error or "",
        )
        for mint in wallet.mints
    ]
    style.table(("mint", "name", "state", "failed", "ms", "last error"), rows, empty=_NO_MINT)
    for mint in wallet.mints:
        for warning in mint.warnings:
            print(f"{style.one_line(mint.url, 48)}: {style.clean(warning)}", file=sys.stderr)
    return 0


def add_mint(args: argparse.Namespace) -> int:
    """Show what the mint says of itself, ask, and trust it."""
    facts = call_as(args, MintFacts, "wallet.mints.look", url=args.url)
    if not args.json:
        _show_facts(facts)
    if not confirmed(args, "Trust it? It holds the money behind its ecash."):
        print("The mint was not added.")
        return 0
    raw = call(args, "wallet.mints.add", url=args.url)
    if args.json:
        print_json(raw)
    else:
        url, unit = style.clean(args.url), style.unit(args.url)
        how = "CENTS" if unit == "usd" else unit.upper()
        print(f"Added {url}. Fund it with `peer2prompt wallet fund {how} --mint {url}`.")
    return 0


def forget_mint(args: argparse.Namespace) -> int:
    """Take a mint off the list."""
    raw = call(args, "wallet.mints.forget", url=args.url)
    if args.json:
        print_json(raw)
    else:
        print(f"Forgot {style.clean(args.url)}. It can be added again at any time.")
    return 0


def _show_facts(facts: MintFacts) -> None:
    fee = f"{facts.input_fee_ppk} for each 1,000 coins spent" if facts.input_fee_ppk else "none"
    shown = [
        ("mint", facts.name or facts.url),
        ("about", facts.description),
        ("message", facts.motd),
        ("program", facts.version),
        ("fee", fee),
        ("units", ", ".join(facts.units)),
        ("NUTs", ", ".join(map(str, facts.nuts))),
    ]
    style.facts([(name, style.one_line(text, 200)) for name, text in shown if text])


def history(args: argparse.Namespace) -> int:
    """Print what moved."""
    raw = call(args, "wallet.history", limit=args.limit, text=args.find, mint=args.mint)
    if args.json:
        print_json(raw)
        return 0
    rows = [
        (
            style.moment(entry.ts),
            entry.kind,
            style.amount(entry.amount_sat, entry.unit),
            entry.unit,
            entry.mint,
            entry.detail,
        )
        for entry in _shape(list[HistoryEntry], raw)
    ]
    headings = ("when", "what", "amount", "unit", "mint", "detail")
    style.table(headings, rows, empty="Nothing has moved yet.")
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
    raw = _restore_all(args) if args.url is None else call(args, "wallet.restore", mint=args.url)
    if args.json:
        print_json(raw)
    else:
        where = "all mints" if args.url is None else style.clean(args.url)
        amount = style.money(raw["recovered_sat"], style.unit(args.url))
        print(f"Recovered {amount} at {where}.")
    return 0


def _restore_all(args: argparse.Namespace) -> Any:
    """At every mint on the list, one line on standard error for each that is done."""

    async def work(client: ControlClient) -> Any:
        events = client.subscribe()
        async with anyio.create_task_group() as group:
            group.start_soon(_tell_progress, events)
            found = await client.call("wallet.restore")
            group.cancel_scope.cancel()
        return found

    return with_node(args, work, events=True)


async def _tell_progress(events: AsyncIterator[Event]) -> None:
    async for event in events:
        done = read_event(event)
        if isinstance(done, Restore):
            amount = style.money(done.recovered_sat, style.unit(done.mint))
            said = f"not searched. {style.clean(done.trouble)}" if done.trouble else amount
            print(f"{style.clean(done.mint)}: {said}", file=sys.stderr)


_NO_MINT = "No mint yet. Add one with `peer2prompt wallet add-mint URL`."


def _shape(shape: Any, raw: Any) -> Any:
    import msgspec

    return msgspec.convert(raw, type=shape)
