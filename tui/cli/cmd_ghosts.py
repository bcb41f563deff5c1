"""`peer2prompt ghosts`: what is known of ghosts, and the user's word on them."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from engine.control.protocol.market import (
    EvidenceFile,
    EvidenceTaken,
    Ghost,
    Ghosts,
    Probes,
    Quarantine,
)
from tui.cli import style
from tui.cli.call import call, call_as, print_json
from tui.cli.failures import usage

_HEADINGS = ("ghost", "score", "honest", "reliable", "answers", "first word", "evidence", "state")
_MARKS = ("trust", "quarantine", "forget")


def run(args: argparse.Namespace) -> int:
    """Show, mark, export or take in."""
    if args.export is not None:
        return _export(args)
    if args.take_in is not None:
        return _take_in(args)
    mark = next((name for name in _MARKS if getattr(args, name)), "")
    if mark:
        if not args.ghost:
            raise usage(f"Which ghost? Give its id before --{mark}.")
        call(args, "ghosts.mark", ghost=args.ghost, mark=mark)
    if args.json:
        print_json(call(args, "ghosts", ghost=args.ghost))
        return 0
    told = call_as(args, Ghosts, "ghosts", ghost=args.ghost)
    if args.ghost and len(told.ghosts) == 1:
        _show_one(told.ghosts[0])
    else:
        rows = [_row(ghost) for ghost in told.ghosts]
        style.table(_HEADINGS, rows, empty="No ghost is known.")
        _show_probes(told.probes)
    return 0


def _row(ghost: Ghost) -> tuple[object, ...]:
    latencies = [one.latency_ms for one in ghost.models if one.latency_ms is not None]
    return (
        ghost.ghost,
        f"{ghost.score:.2f}",
        f"{ghost.honesty:.2f}",
        f"{ghost.reliability:.2f}",
        sum(count for seen, count in ghost.seen.items() if seen == "answered"),
        f"{min(latencies) / 1000:.1f} s" if latencies else "-",
        len(ghost.evidence) + ghost.evidence_told,
        _state(ghost),
    )


def _state(ghost: Ghost) -> str:
    if ghost.quarantine is not None:
        return f"{_until(ghost.quarantine)}: {style.clean(ghost.quarantine.reason)}"
    if ghost.trusted:
        return "trusted by you"
    return "new" if ghost.newcomer else "known"


def _until(ban: Quarantine) -> str:
    name = "resting" if ban.rest else "quarantine"
    if ban.until is None:
        return name
    return f"{name} for {style.age(ban.until - time.time())}"


def _show_one(ghost: Ghost) -> None:
    style.facts(
        [
            ("ghost", ghost.id),
            ("state", _state(ghost)),
            ("in the directory", "yes" if ghost.listed else "no"),
            ("score", f"{ghost.score:.2f} of 1"),
            ("honesty", f"{ghost.honesty:.2f}"),
            ("reliability", f"{ghost.reliability:.2f}"),
            ("steady price", f"{ghost.steadiness:.2f}"),
            ("room when asked", f"{ghost.load:.2f}"),
            ("noted", ", ".join(f"{count} {seen}" for seen, count in sorted(ghost.seen.items()))),
            ("signed evidence", ", ".join(ghost.evidence)),
            ("told by others", ghost.evidence_told or None),
            ("in words", "; ".join(ghost.words)),
        ]
    )
    if not ghost.models:
        return
    print()
    rows = [
        (
            one.model,
            f"{one.reliability:.2f}",
            f"{one.quality:.2f}",
            "-" if one.latency_ms is None else f"{one.latency_ms / 1000:.1f} s",
            one.tokens_per_s,
        )
        for one in ghost.models
    ]
    style.table(("model", "reliable", "quality", "first word", "tokens/s"), rows, empty="")


def _show_probes(probes: Probes) -> None:
    if not probes.sat_per_day:
        return
    print()
    asked = f"{probes.asked} asked, {probes.right} right, {probes.wrong} wrong"
    spent = f"{style.sat(probes.spent_today_msat)} of {probes.sat_per_day} sat today"
    style.facts([("probes", f"{asked}; {spent}"), ("canaries", probes.canaries or None)])


def _export(args: argparse.Namespace) -> int:
    target: Path = args.export
    found = call_as(args, EvidenceFile, "evidence.export")
    try:
        with target.open("x", encoding="ascii") as file:
            file.write(found.data)
    except OSError as error:
        raise usage(
            f"{target} cannot be written: {error.strerror}.", hint="Choose another name."
        ) from error
    if args.json:
        print_json({"file": str(target), "documents": found.documents})
    else:
        print(f"{found.documents} documents of evidence are in {target}.")
    return 0


def _take_in(args: argparse.Namespace) -> int:
    source: Path = args.take_in
    try:
        data = source.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise usage(f"{source} cannot be read as a file of evidence.") from error
    taken = call_as(args, EvidenceTaken, "evidence.import", data=data)
    if args.json:
        print_json(taken)
    else:
        print(
            f"{taken.new} new, {taken.known} known already,"
            f" {taken.unproven} that prove nothing and were thrown away."
        )
    return 0
