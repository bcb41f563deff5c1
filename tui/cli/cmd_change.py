"""`peer2prompt sessions pin|archive|rotate|set|defaults`: changing conversations."""

from __future__ import annotations

import argparse
import json
from typing import Any

from engine.control.client import ControlClient
from engine.control.protocol.chats import Defaults
from engine.control.protocol.sessions import Session
from tui.cli import style
from tui.cli.call import call_as, print_json, with_node
from tui.cli.cmd_ask import params_of
from tui.cli.cmd_sessions import find_session

HOUR_S = 3_600
MSAT_PER_SAT = 1_000


def pin(args: argparse.Namespace) -> int:
    return _change(args, "sessions.pin", pinned=not args.off)


def archive(args: argparse.Namespace) -> int:
    return _change(args, "sessions.archive", archived=not args.back)


def rotate(args: argparse.Namespace) -> int:
    return _change(args, "sessions.rotate")


def change(args: argparse.Namespace) -> int:
    temporary = True if args.temporary else False if args.keep else None
    return _change(
        args,
        "sessions.set",
        title=args.title,
        model=args.model,
        shape=args.shape,
        temporary=temporary,
        **_settings(args),
    )


def defaults(args: argparse.Namespace) -> int:
    """Show what holds for conversations that chose nothing, after what is changed."""
    found = call_as(args, Defaults, "sessions.defaults", **_settings(args))
    if args.json:
        print_json(found)
        return 0
    limits = found.rotate_after
    rows = [
        ("system", found.system),
        ("options", json.dumps(found.params, ensure_ascii=False) if found.params else ""),
        ("failover", found.failover),
        ("full", found.full),
        ("another ghost after", _limits(limits.messages, limits.age_s, limits.spent_msat))
        if limits is not None
        else ("another ghost after", ""),
    ]
    style.table(
        ("setting", "value"),
        [(name, style.one_line(value or "as in config.toml", 60)) for name, value in rows],
        empty="",
    )
    return 0


def _change(args: argparse.Namespace, method: str, **changes: Any) -> int:
    async def work(client: ControlClient) -> Session:
        found = await find_session(client, args.session)
        return await client.call_as(Session, method, session_id=found.session_id, **changes)

    session = with_node(args, work)
    if args.json:
        print_json(session)
    else:
        print(f"Changed {session.session_id[:8]}  {style.one_line(session.title, 60)}")
    return 0


def _settings(args: argparse.Namespace) -> dict[str, Any]:
    """What both a conversation and the defaults can have."""
    given = (args.rotate_answers, args.rotate_hours, args.rotate_sat)
    rotate: dict[str, float] | None = None
    if any(value is not None for value in given):
        answers, hours, sat = (value or 0 for value in given)
        rotate = {
            "messages": int(answers),
            "age_s": hours * HOUR_S,
            "spent_msat": int(sat * MSAT_PER_SAT),
        }
    return {
        "system": args.system,
        "params": params_of(args.param) if args.param else None,
        "failover": args.failover,
        "full": args.full,
        "rotate_after": rotate,
    }


def _limits(messages: int, age_s: float, spent_msat: int) -> str:
    parts = [
        f"{messages} answers" if messages else "",
        f"{age_s / HOUR_S:g} h" if age_s else "",
        style.sat(spent_msat) if spent_msat else "",
    ]
    return ", ".join(part for part in parts if part) or "never"
