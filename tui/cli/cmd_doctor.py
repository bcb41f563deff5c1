"""`peer2prompt doctor`: what is wrong with this node or its machine, and what to do about it."""

from __future__ import annotations

import argparse
import textwrap
from typing import Any

from engine.control.protocol.overview import Examination, Finding
from tui.cli import style
from tui.cli.call import home_of, print_json, with_node
from tui.cli.engine_says import engine_says
from tui.cli.failures import CHECK_FAILED, WARNED, CliError
from tui.cli.terminal_check import terminal

SILENT = "node_silent"
SILENT_S = 120.0
MARKS = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL", "skip": "-   "}
_WORST = ("ok", "warn", "fail")
EXIT = {"ok": 0, "warn": WARNED, "fail": CHECK_FAILED}


def run(args: argparse.Namespace) -> int:
    """Print what was found; the exit code is that of the worst."""
    import msgspec

    found = msgspec.convert(_examined(args), Examination)
    worst = max(found.worst, terminal().state, key=_WORST.index)
    whole = Examination(worst, found.running, [*found.findings, terminal()])
    print_json(whole) if args.json else _show(whole, all_of_it=args.all)
    return EXIT[worst]


def _examined(args: argparse.Namespace) -> Any:
    """By the running node, which sees its network; else by a program that sees the machine."""
    from engine.control.client import ControlClient, NodeNotRunning

    async def greet(client: ControlClient) -> None:
        """A node that hangs does not even answer the greeting of a connection."""

    async def work(client: ControlClient) -> Any:
        return await client.call("node.doctor", network=not args.offline)

    try:
        with_node(args, greet, patience_s=args.timeout)
        return with_node(args, work, patience_s=SILENT_S)
    except NodeNotRunning:
        pass  # the home and the machine can be looked at all the same
    except CliError as error:
        if error.code != SILENT:
            raise
    more = () if args.config is None else ("--config", str(args.config))
    return engine_says("engine.doctor", "examine", home_of(args), *more)


def _show(found: Examination, *, all_of_it: bool) -> None:
    width = style.width() - 12
    for finding in found.findings:
        if finding.state == "skip" and not all_of_it:
            continue
        mark = MARKS.get(finding.state, finding.state)
        print(f"{style.bold(mark)} {finding.check:9}{_indented(finding.found, width)}")
        for text in (finding.means, finding.advice) if finding.state in ("warn", "fail") else ():
            if text:
                print(" " * 14 + _indented(text, width))
    print()
    print(_summary(found))


def _indented(text: str, width: int) -> str:
    lines = textwrap.wrap(style.clean(text), max(30, width)) or [""]
    return ("\n" + " " * 14).join(lines)


def _summary(found: Examination) -> str:
    counts = {state: _count(found.findings, state) for state in ("fail", "warn", "skip")}
    skipped = f" Skipped: {style.many(counts['skip'], 'check')} (--all)." if counts["skip"] else ""
    node = "" if found.running else " No node is running here."
    if found.worst == "ok":
        return f"Nothing is wrong.{skipped}{node}"
    bad = f"{style.many(counts['fail'], 'failure')}, {style.many(counts['warn'], 'warning')}"
    return f"{bad}.{skipped}{node}"


def _count(findings: list[Finding], state: str) -> int:
    return sum(finding.state == state for finding in findings)
