"""`peer2prompt wallet send | receive | key | cosign | request | pay-request`: ecash as text."""

from __future__ import annotations

import argparse
import sys
import time

from engine.control.protocol.wallet import PaidRequest
from tui.cli import style
from tui.cli.call import call, call_as, print_json
from tui.cli.failures import usage
from tui.cli.prompts import confirmed, text_or_stdin


def send(args: argparse.Namespace) -> int:
    """Print a token, alone on standard output."""
    raw = call(args, "wallet.send", amount_sat=args.amount, mint=args.mint, lock=_lock(args))
    print_json(raw) if args.json else print(style.clean(raw["token"]))
    return 0


def receive(args: argparse.Namespace) -> int:
    """Put a token's ecash into the wallet."""
    token = text_or_stdin(args.token, "token")
    raw = call(
        args,
        "wallet.receive",
        token=token,
        allow_new_mint=args.allow_new_mint,
        preimage=args.preimage,
    )
    if args.json:
        print_json(raw)
    else:
        where = f" at {style.clean(raw['mint'])}" if raw.get("mint") else ""
        amount = style.money(raw["amount_sat"], style.unit(raw.get("mint")))
        print(f"Received {amount}{where}.")
    return 0


def key(args: argparse.Namespace) -> int:
    """Print a fresh key, alone on standard output."""
    raw = call(args, "wallet.key")
    print_json(raw) if args.json else print(raw["key"])
    return 0


def cosign(args: argparse.Namespace) -> int:
    """Print the token with our signatures."""
    raw = call(args, "wallet.cosign", token=text_or_stdin(args.token, "token"))
    print_json(raw) if args.json else print(style.clean(raw["token"]))
    return 0


def request(args: argparse.Namespace) -> int:
    """Print a payment request, alone on standard output."""
    raw = call(
        args,
        "wallet.request",
        amount_sat=args.amount,
        description=args.text,
        locked=not args.unlocked,
    )
    shown = raw["compact" if args.compact else "request"]
    print_json(raw) if args.json else print(style.clean(shown))
    return 0


def pay_request(args: argparse.Namespace) -> int:
    """Pay a request: ask, make the token, hand it over or print it."""
    text = text_or_stdin(args.request, "request")
    what = f"{args.amount} sat" if args.amount else "what it asks for"
    if not confirmed(args, f"Pay {what}?"):
        print("Nothing was paid.")
        return 0
    paid = call_as(args, PaidRequest, "wallet.request.pay", request=text, amount_sat=args.amount)
    if args.json:
        print_json(paid)
    elif paid.delivered:
        print(f"Paid {paid.amount_sat} sat; the token was delivered.")
    else:
        print(f"Hand this token over; it is worth {paid.amount_sat} sat:", file=sys.stderr)
        print(style.clean(paid.token))
    return 0


def _lock(args: argparse.Namespace) -> dict[str, object] | None:
    """The lock that the options describe, None without any."""
    if not args.lock and not args.hash:
        if args.needs != 1 or args.refund or args.for_hours or args.sig_all:
            raise usage("These options belong to a lock.", hint="Name its key with --lock KEY.")
        return None
    until = int(time.time() + args.for_hours * 3600) if args.for_hours else None
    return {
        "keys": args.lock,
        "needs": args.needs,
        "hash": args.hash,
        "until": until,
        "refund_keys": args.refund,
        "whole": args.sig_all,
    }
