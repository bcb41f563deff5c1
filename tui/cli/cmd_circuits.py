"""`peer2prompt circuits`: the open circuits, why their paths are so, and a way to have new ones."""

from __future__ import annotations

import argparse
import textwrap
from typing import Any

from engine.control.client import ControlClient
from engine.control.protocol.circuits import Circuit, CircuitEvent
from tui.cli import style
from tui.cli.call import print_json, with_node
from tui.sizes import data_size

_INDENT = "  "
_NAMES = 10
_EVENTS = 8


def run(args: argparse.Namespace) -> int:
    """Print each circuit in a few lines, after replacing them when asked to."""

    async def work(client: ControlClient) -> tuple[Any, list[Circuit], list[CircuitEvent]]:
        if args.rotate:
            await client.call("circuit.rotate")
        if args.json:
            return await client.call("circuits"), [], []
        notes = await client.call_as(list[CircuitEvent], "circuit.notes") if args.events else []
        return None, await client.call_as(list[Circuit], "circuits"), notes

    plain, circuits, notes = with_node(args, work)
    if args.json:
        print_json(plain)
        return 0
    if not circuits:
        print("No circuit is open.")
    for circuit in circuits:
        _show(circuit)
    if notes:
        print(style.bold("What happened"))
    for note in notes[-_EVENTS:]:
        words = f"{note.purpose} circuit {note.circuit_id} {_event(note)}"
        print(style.one_line(f"{_INDENT}{style.moment(note.ts)}  {words}", style.width()))
    return 0


def _event(note: CircuitEvent) -> str:
    """State and reason, once where the reason says no more than the state."""
    plain = note.reason in ("", f"{note.state} for {note.purpose}")
    return note.state if plain else f"{note.state}: {note.reason}"


def _show(circuit: Circuit) -> None:
    head = f"circuit {circuit.circuit_id}  for {circuit.purpose or 'anything'}  {circuit.state}"
    print(style.bold(style.one_line(f"{head}  {style.age(circuit.age_s)} old", style.width())))
    _line("path", " > ".join(f"{hop.role} {hop.id}" for hop in circuit.hops))
    _line("why", circuit.why)
    if circuit.guard_age_s is not None:
        _line("guard", f"kept for {style.age(circuit.guard_age_s)}")
    _line("shape", _shape(circuit))
    _line("up", _cells(circuit.cells_up, circuit.bytes_up, circuit.dummies_up))
    _line("down", _cells(circuit.cells_down, circuit.bytes_down, circuit.dummies_down))
    if circuit.rtt_ms is not None:
        _line("round trip", f"{circuit.rtt_ms:.1f} ms to the last hop, when it was built")
    _line("closing", circuit.reason or "")


def _shape(circuit: Circuit) -> str:
    if not circuit.tick_ms:
        return f"{circuit.shape_class}: cells leave as they come"
    now = "a run goes on" if circuit.running else "at rest"
    return f"{circuit.shape_class}, a cell every {circuit.tick_ms} ms in a run; {now}"


def _cells(cells: int, size: int, dummies: int) -> str:
    share = f", {100 * dummies / cells:.0f} % of them dummies" if cells else ""
    return f"{cells:,} cells, {data_size(size)}{share}"


def _line(name: str, text: str) -> None:
    if text:
        lead = f"{_INDENT}{name:<{_NAMES}}  "
        print(
            textwrap.fill(
                style.one_line(text, 1_000),
                max(40, style.width()),
                initial_indent=lead,
                subsequent_indent=" " * len(lead),
            )
        )
