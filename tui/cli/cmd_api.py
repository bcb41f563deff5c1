"""`peer2prompt api ...`: the local API in the running node, and the keys to it."""

from __future__ import annotations

import argparse
import sys

from engine.control.protocol.api import ApiKeyInfo, ApiKeyMade, ApiStatus
from tui.cli import style
from tui.cli.call import call, call_as, print_json


def start(args: argparse.Namespace) -> int:
    """Switch it on and say what a program needs."""
    return _show(args, call_as(args, ApiStatus, "api.start", listen=args.listen))


def stop(args: argparse.Namespace) -> int:
    """Switch it off."""
    return _show(args, call_as(args, ApiStatus, "api.stop"))


def status(args: argparse.Namespace) -> int:
    """Whether it is on, where, and how busy."""
    return _show(args, call_as(args, ApiStatus, "api.status"))


def new_key(args: argparse.Namespace) -> int:
    """Make a key; it is on stdout alone, so that it can be piped."""
    made = call_as(args, ApiKeyMade, "api.key.new", name=args.name)
    if args.json:
        print_json(made)
    else:
        print(made.key)
        print("Shown this once. Whoever has it spends this wallet's money.", file=sys.stderr)
    return 0


def list_keys(args: argparse.Namespace) -> int:
    """The names, and since when each works."""
    found = call_as(args, list[ApiKeyInfo], "api.keys")
    if args.json:
        print_json(found)
    else:
        rows = [(one.name, style.moment(one.created)) for one in found]
        style.table(("key", "made"), rows, empty="No keys yet: peer2prompt api key new NAME")
    return 0


def revoke_key(args: argparse.Namespace) -> int:
    """Forget one."""
    call(args, "api.key.revoke", name=args.name)
    if args.json:
        print_json({})
    else:
        print(f"The key {args.name} opens nothing any more.")
    return 0


def _show(args: argparse.Namespace, found: ApiStatus) -> int:
    if args.json:
        print_json(found)
    elif not found.on:
        print("The local API is off. Switch it on with: peer2prompt api start")
    else:
        rows = [("address", found.url)]
        if found.socket:
            rows.append(("socket", found.socket))
        rows += [
            ("keys", str(found.keys) if found.keys else "none: peer2prompt api key new NAME"),
            ("questions", f"{found.asked} asked, {found.under_way} under way"),
            ("sessions", f"{found.sessions} that share no ghost"),
        ]
        style.table(("local API", ""), rows, empty="")
    return 0
