"""`peer2prompt wallet policy`: how money that comes in and money that goes out are kept apart."""

from __future__ import annotations

import argparse

from engine.control.protocol.wallet import PolicyInfo
from tui.cli import style
from tui.cli.call import call, call_as, print_json

_SWITCH = {"on": True, "off": False}


def policy(args: argparse.Namespace) -> int:
    """Show the choices with what each costs; change those that are given."""
    if args.wake:
        return _wake(args)
    rest = args.rest or (None, None)
    given = {
        "rest_min_s": rest[0],
        "rest_max_s": rest[1],
        "round_up": _SWITCH.get(args.round_up),
        "spread": args.spread,
        "ahead": args.ahead,
        "ahead_sat": args.ahead_sat,
        "even_percent": args.even,
        "lock_chunks": args.lock_chunks,
        "max_chunk_sat": args.max_chunk_sat,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    method = "wallet.policy.set" if changes else "wallet.policy"
    found = call_as(args, PolicyInfo, method, **changes)
    if args.json:
        print_json(found)
    else:
        rows = [(choice.name, choice.setting, choice.drawback) for choice in found.choices]
        style.table(("choice", "now", "its cost"), rows, empty="")
    return 0


def _wake(args: argparse.Namespace) -> int:
    raw = call(args, "wallet.wake")
    if args.json:
        print_json(raw)
    else:
        print(f"{raw['amount_sat']} sat may be spent now; their mint can see how fresh they are.")
    return 0
