"""A client's circuits and traffic as the control protocol shows them to their user.

Plain values out of live objects. Short ids and roles of the user's own hops are shown to the user
alone; nobody else's traffic is known here.
"""

from __future__ import annotations

from collections import Counter

import trio

from engine.circuit.client import ClientCircuit
from engine.circuit.pool import CircuitNote, CircuitPool
from engine.circuit.traffic import Cells
from engine.control.protocol.circuits import Circuit, CircuitEvent, CircuitHop, ClassTraffic
from engine.directory.rules import PathRules


def describe_circuits(pool: CircuitPool) -> list[Circuit]:
    """Every circuit that is being built or open."""
    ages = {guard.id: guard.age_s for guard in pool.report().guards}
    return [
        _circuit(number, one, ages.get(one.path[0].short_id), pool.rules)
        for number, one in pool.circuits.items()
    ]


def _hops(circuit: ClientCircuit, rules: PathRules) -> list[CircuitHop]:
    times = circuit.hop_times_s
    found = []
    for place, hop in enumerate(circuit.path):
        origin = rules.origin(hop.host)
        found.append(
            CircuitHop(
                role=hop.role,
                id=hop.short_id,
                built_ms=round(times[place] * 1000, 2) if place < len(times) else None,
                asn=origin.asn,
                country=origin.country or "",
            )
        )
    return found


def _circuit(
    number: int, circuit: ClientCircuit, guard_age_s: float | None, rules: PathRules
) -> Circuit:
    endpoint, cells = circuit.endpoint, circuit.cells
    return Circuit(
        circuit_id=number,
        purpose=circuit.purpose,
        state=circuit.state.value,
        hops=_hops(circuit, rules),
        age_s=trio.current_time() - circuit.created_at,
        cells_up=cells.up,
        cells_down=cells.down,
        data_cells_up=endpoint.data_regions,
        data_cells_down=endpoint.data_regions_in,
        dummies_up=cells.dummies_up,
        dummies_down=cells.dummies_down,
        bytes_up=cells.bytes_up,
        bytes_down=cells.bytes_down,
        padding_share=cells.padding_share,
        rtt_ms=None if circuit.rtt_s is None else round(circuit.rtt_s * 1000, 2),
        shape_class=circuit.plan.shape_class.label,
        tick_ms=circuit.plan.tick_ms,
        running=endpoint.shaper.running,
        guard_age_s=guard_age_s,
        why=circuit.why,
        reason=circuit.reason or None,
    )


def describe_note(note: CircuitNote) -> CircuitEvent:
    """One thing that happened to a circuit, and why."""
    return CircuitEvent(
        ts=note.ts,
        circuit_id=note.circuit_id,
        purpose=note.purpose,
        state=note.state,
        reason=note.text,
        why=note.why,
    )


def describe_classes(pool: CircuitPool) -> list[ClassTraffic]:
    """Cells of each class since the start; classes that carried nothing are left out."""
    live = pool.circuits.values()
    open_now = Counter(circuit.shape_class for circuit in live)
    return [
        _class(shape.label, open_now[shape], cells)
        for shape, cells in pool.traffic.totals(live).items()
        if cells.up or cells.down or open_now[shape]
    ]


def _class(label: str, open_now: int, cells: Cells) -> ClassTraffic:
    return ClassTraffic(
        shape=label,
        circuits=open_now,
        cells_up=cells.up,
        cells_down=cells.down,
        dummies_up=cells.dummies_up,
        dummies_down=cells.dummies_down,
        bytes_up=cells.bytes_up,
        bytes_down=cells.bytes_down,
        padding_share=cells.padding_share,
    )
