"""`peer2prompt ghost status | pause | resume | prices | caps | policy | payout`, while it runs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from engine.control.protocol.ghost import (
    GhostCaps,
    GhostPolicyInfo,
    GhostPrices,
    GhostStatus,
    Payout,
)
from tui.cli import style
from tui.cli.call import call, call_as, print_json
from tui.cli.failures import usage
from tui.cli.prompts import confirmed


def status(args: argparse.Namespace) -> int:
    """How the ghost fares."""
    return _show_status(args, "ghost.status")


def pause(args: argparse.Namespace) -> int:
    """Take no more questions."""
    return _show_status(args, "ghost.pause")


def resume(args: argparse.Namespace) -> int:
    """Take questions again."""
    return _show_status(args, "ghost.resume")


def _show_status(args: argparse.Namespace, method: str) -> int:
    if args.json:
        print_json(call(args, method))
        return 0
    found = call_as(args, GhostStatus, method)
    usd = "no cap" if found.usd_per_day is None else f"of ${found.usd_per_day:g}"
    tokens = "no cap" if found.tokens_per_day is None else f"of {found.tokens_per_day}"
    style.facts(
        [
            ("state", "paused" if found.paused else "open"),
            ("models", ", ".join(style.clean(name) for name in found.models)),
            ("answering", f"{found.running} of {found.concurrent}, {found.waiting} waiting"),
            ("spent today", f"${found.spent_usd_today:.4f}, {usd}"),
            ("tokens today", f"{found.tokens_today}, {tokens}"),
            ("sessions open", found.sessions_open),
            ("moderation", found.moderation),
            ("keys in the store", ", ".join(found.keys) or "none"),
        ]
    )
    for warning in found.warnings:
        print(f"! {style.clean(warning)}")
    return 0


def prices(args: argparse.Namespace) -> int:
    """Show the prices, or change them first."""
    models: dict[str, dict[str, Any]] = {}
    for model, (tin, tout) in args.fixed or ():
        models.setdefault(model, {}).update(in_price=tin, out_price=tout)
    for model, usd in args.costs or ():
        named = zip(("in_usd", "out_usd", "cached_usd"), usd, strict=False)
        models.setdefault(model, {}).update(named)
    changes = {
        "mode": args.mode,
        "margin_percent": args.margin,
        "rise_percent": args.rise,
        "sat_per_usd": args.sat_per_usd,
        "models": models or None,
    }
    given = {name: value for name, value in changes.items() if value is not None}
    method = "ghost.prices.set" if _sets(args, given) else "ghost.prices"
    found = call_as(args, GhostPrices, method, **given)
    if args.json:
        print_json(found)
        return 0
    style.facts(
        [
            ("prices", found.mode),
            ("margin", f"{found.margin_percent} %" if found.mode != "fixed" else "none"),
            ("rise at full load", f"{found.rise_percent} %" if found.mode == "demand" else "none"),
            ("your rate", _rate(found)),
            ("chunk", style.sat(found.chunk_msat)),
            ("most per answer", style.sat(found.cap_msat)),
        ]
    )
    print()
    rows = [
        (
            price.model,
            _thousand(price.in_price),
            _thousand(price.out_price),
            _thousand(price.out_highest),
            "" if price.out_usd is None else f"${price.in_usd:g} / ${price.out_usd:g}",
        )
        for price in found.models
    ]
    headings = ("model", "sat/1k in", "sat/1k out", "at most", "provider in / out per 1M")
    style.table(headings, rows, empty="No model is offered.")
    return 0


def caps(args: argparse.Namespace) -> int:
    """Show what the ghost gives at most, or change it first."""
    given = {
        name: value
        for name in GhostCaps.__struct_fields__
        if (value := getattr(args, name)) is not None
    }
    method = "ghost.caps.set" if _sets(args, given) else "ghost.caps"
    found = call_as(args, GhostCaps, method, **given)
    if args.json:
        print_json(found)
        return 0
    usd, tokens = found.usd_per_day, found.tokens_per_day
    style.facts(
        [
            ("spent a day", "no cap" if usd is None else f"${usd:g}"),
            ("tokens a day", "no cap" if tokens is None else tokens),
            ("answers at once", found.concurrent),
            ("questions waiting", f"{found.queue}, for {found.queue_wait_s} s at most"),
            ("a question", f"{found.max_question_kib} KiB at most"),
        ]
    )
    return 0


def policy(args: argparse.Namespace) -> int:
    """Show the policy, or change it first."""
    changes = {
        "refused": args.refuse,
        "moderation": args.moderation,
        "rules": args.rules,
        "command": None if args.program is None else args.program.split(),
        "images": args.images,
        "tools": args.tools,
        "jurisdiction": args.jurisdiction,
    }
    given = {name: value for name, value in changes.items() if value is not None}
    method = "ghost.policy.set" if _sets(args, given) else "ghost.policy"
    found = call_as(args, GhostPolicyInfo, method, **given)
    if args.json:
        print_json(found)
        return 0
    style.facts(
        [
            ("kept of questions", found.retention),
            ("refused", ", ".join(found.refused) or "nothing"),
            ("who reads first", found.moderation),
            ("images", "yes" if found.images else "no"),
            ("tools", "yes" if found.tools else "no"),
            ("random user value", "yes" if found.user else "no"),
            ("jurisdiction", found.jurisdiction or "not said"),
            ("provider", found.provider or "not said"),
        ]
    )
    return 0


def payout(args: argparse.Namespace) -> int:
    """Pay out, or list the payouts."""
    if not args.list:
        amount = f"{args.amount} sat" if args.amount else "what there is"
        where = f"to {args.to}" if args.to else "to the address of the settings"
        if not confirmed(args, f"Pay {amount} {where}?"):
            print("Nothing was paid.")
            return 0
        given = {"address": args.to, "amount_sat": args.amount}
        rows = call_as(args, list[Payout], "ghost.payout", **given)
    else:
        rows = call_as(args, list[Payout], "ghost.payouts")
    if args.json:
        print_json(rows)
        return 0
    table = [
        (
            datetime.fromtimestamp(row.created, UTC).strftime("%Y-%m-%d %H:%M"),
            row.state,
            f"{row.amount_sat} sat",
            f"{row.fee_sat} sat",
            row.address,
            row.error,
        )
        for row in rows
    ]
    headings = ("when (UTC)", "state", "amount", "fee", "to", "")
    style.table(headings, table, empty="Nothing was paid out.")
    return 0


def _sets(args: argparse.Namespace, given: Mapping[str, Any]) -> bool:
    """Whether something is to be changed. Raises CliError where word and options disagree."""
    if args.what == "show" and given:
        raise usage("`show` changes nothing, and options to set are given.", hint="Say `set`.")
    if args.what == "set" and not given:
        raise usage("Nothing to set is given.", hint="Add options: see --help.")
    return bool(given)


def _rate(found: GhostPrices) -> str:
    """The operator's rate, with the day it is of."""
    if not found.sat_per_usd:
        return "not set"
    return f"{found.sat_per_usd} sat a dollar, of {found.rate_on or 'an unknown day'}"


def _thousand(msat_per_million: int) -> str:
    """A price in sat per thousand tokens."""
    return f"{msat_per_million / 1_000_000:.3f}".rstrip("0").rstrip(".")
