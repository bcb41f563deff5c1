"""`peer2prompt api ...`: the local API in the running node, and the keys to it."""

from __future__ import annotations

import argparse
import sys

from engine.control.protocol.api import (
    ApiDescription,
    ApiKeyInfo,
    ApiKeyMade,
    ApiReleased,
    ApiStatus,
    ApiTag,
)
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


def openapi(args: argparse.Namespace) -> int:
    """The API's description, for programs that read it."""
    print_json(call_as(args, ApiDescription, "api.openapi").openapi)
    return 0


def tags(args: argparse.Namespace) -> int:
    """Who is kept apart from whom now."""
    found = call_as(args, list[ApiTag], "api.tags")
    if args.json:
        print_json(found)
    else:
        head = ("tag", "key", "for", "session", "circuits", "ghosts", "asked", "spent", "rests")
        style.table(head, [_row(one) for one in found], empty="No program has asked anything yet.")
    return 0


def release(args: argparse.Namespace) -> int:
    """Let other programs have the ghosts of tags that rest."""
    found = call_as(args, ApiReleased, "api.release", tag="" if args.all else args.tag)
    if args.json:
        print_json(found)
    else:
        print(f"Let go of: {found.released}.")
    return 0


def _row(one: ApiTag) -> tuple[str, ...]:
    rests = f"{one.under_way} under way" if one.under_way else style.age(one.idle_s)
    return (
        one.tag,
        one.key,
        ", ".join(one.purposes),
        one.session,
        str(one.circuits),
        " ".join(one.ghosts),
        str(one.asked),
        style.sat(one.spent_msat),
        rests,
    )


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
