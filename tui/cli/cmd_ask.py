"""`peer2prompt ask`: one question with its files and options, or what it would cost."""

from __future__ import annotations

import argparse
import base64
import sys
from pathlib import Path
from typing import Any

from engine.control.client import ControlClient
from engine.control.protocol.asking import Estimate
from engine.control.protocol.sessions import Session, Shape
from tui.cli import style
from tui.cli.asking import ask_and_print
from tui.cli.call import print_json, with_node
from tui.cli.cmd_sessions import find_session
from tui.cli.cmd_shapes import one_line as cost_line
from tui.cli.failures import usage
from tui.cli.prompts import text_or_stdin
from tui.option_values import read_value

MAX_FILE = 2 * 1024 * 1024


def run(args: argparse.Namespace) -> int:
    """Ask, follow the events of this question until it is done, and print."""
    if args.failover:
        return _failover(args)
    text = _question(args)
    common = {
        "model": args.model,
        "max_tokens": args.max_tokens,
        "system": args.system,
        "attachments": [_attached(path) for path in args.attach],
    }
    if args.estimate:
        return _estimate(args, text, common)
    own = {
        "temperature": args.temperature,
        "shape": args.shape,
        "ghost": args.ghost,
        "prefer": args.prefer,
        "params": params_of(args.param),
        "temporary": args.temporary,
        "trim": True if args.trim else None,
        "results": results_of(args.result),
    }

    async def prepare(client: ControlClient) -> dict[str, Any]:
        session = await _session(client, args)
        await _show_shape(client, args.shape or (session.shape if session else ""))
        chosen = session.session_id if session else None
        return {**common, **own, "text": text, "session_id": chosen, "settle": session is None}

    return ask_and_print(args, "ask", prepare)


def _failover(args: argparse.Namespace) -> int:
    """The word on asking another ghost, for a question that waits for it."""
    if not args.session:
        raise usage("Name the conversation whose question waits: --session ID.")

    async def prepare(client: ControlClient) -> dict[str, Any]:
        session = await find_session(client, args.session)
        return {"session_id": session.session_id, "consent": args.failover}

    if args.failover == "no":

        async def refuse(client: ControlClient) -> None:
            await client.call("ask.failover", **await prepare(client))

        with_node(args, refuse)
        if args.json:
            print_json({})
        else:
            print("No other ghost is asked.")
        return 0
    return ask_and_print(args, "ask.failover", prepare)


def _estimate(args: argparse.Namespace, text: str, common: dict[str, Any]) -> int:
    """What the question would cost; nothing is sent."""

    async def work(client: ControlClient) -> Estimate:
        session = await _session(client, args)
        chosen = session.session_id if session else None
        return await client.call_as(
            Estimate, "ask.estimate", text=text, session_id=chosen, **common
        )

    found = with_node(args, work)
    if args.json:
        print_json(found)
        return 0
    who = found.ghost or f"one of {found.ghosts} ghosts"
    print(
        f"{style.sat(found.least_msat)} to {style.sat(found.most_msat)}, likely "
        f"{style.sat(found.likely_msat)}: {found.model or 'any model'} at {who}"
    )
    bound = f" of {found.context.bound}" if found.context.bound else ""
    print(f"{found.context.used} tokens{bound} with {found.messages_shown} earlier messages")
    if found.context.left_out:
        print(f"The {found.context.left_out} oldest messages would be left out.")
    if not found.fits:
        print("It would be refused: the chat is longer than the model takes (see --trim).")
    return 0


async def _session(client: ControlClient, args: argparse.Namespace) -> Session | None:
    return await find_session(client, args.session) if args.session else None


def params_of(given: list[str]) -> dict[str, Any]:
    """Options as NAME=VALUE; a value that is JSON is taken so, anything else as text."""
    found: dict[str, Any] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise usage(f"{one[:40]!r} is not of the form NAME=VALUE.")
        found[name] = read_value(value)
    return found


def results_of(given: list[str]) -> list[dict[str, str]]:
    """What came of tools' calls, as CALL=TEXT."""
    found = []
    for one in given:
        call, equals, content = one.partition("=")
        if not equals or not call:
            raise usage(f"{one[:40]!r} is not of the form CALL=TEXT.")
        found.append({"id": call, "content": content})
    return found


def _attached(path: Path) -> dict[str, str]:
    """A file as the node takes it. Only its own name goes along, not where it lies."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as exc:
        raise usage(f"{path} cannot be read: {exc.strerror}.") from exc
    if len(data) > MAX_FILE:
        raise usage(f"{path} is larger than {MAX_FILE >> 20} MiB.")
    return {"name": path.name, "data": base64.b64encode(data).decode("ascii")}


def _question(args: argparse.Namespace) -> str:
    words = " ".join(args.text)
    has_more = bool(args.attach or args.result)
    if not words and not has_more and not sys.stdin.isatty():
        words = "-"
    text = text_or_stdin(words, "question")
    if not text.strip() and not has_more:
        raise usage("There is no question.", hint='Write it behind the command: ask "What ...?"')
    if args.temperature is not None and not 0 <= args.temperature <= 2:
        raise usage("The temperature must be between 0 and 2.")
    return text


async def _show_shape(client: ControlClient, chosen: str) -> None:
    """The shape and its cost in bytes, before anything is sent. Only for a person."""
    if not style.coloured(sys.stderr):
        return
    shapes = await client.call_as(list[Shape], "shapes")
    used = [s for s in shapes if s.shape == chosen or (not chosen and s.default)]
    for shape in used:
        print(style.one_line(cost_line(shape), style.width()), file=sys.stderr)
