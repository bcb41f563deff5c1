"""Control protocol: circuits, cover and traffic; counts and states, no addresses."""

from __future__ import annotations

from engine.control.protocol.asking import Hop
from engine.control.protocol.frames import Result


class CircuitHop(Hop, frozen=True):
    """A hop of the user's own path, with what can be known of it."""

    built_ms: float | None = None
    """There and back to this hop when it was added: through all hops before it."""
    asn: int | None = None
    """The autonomous system of its address, by the user's table; null where none is known."""
    country: str = ""


class Circuit(Result, frozen=True):
    circuit_id: int | str
    purpose: str = ""
    state: str = ""
    hops: list[CircuitHop] = []
    age_s: float = 0
    cells_up: int = 0
    cells_down: int = 0
    data_cells_up: int = 0
    data_cells_down: int = 0
    dummies_up: int = 0
    dummies_down: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    padding_share: float | None = None
    """Dummies among all cells, 0 to 1; null before the first cell."""
    rtt_ms: float | None = None
    shape_class: str = ""
    tick_ms: int = 0
    running: bool = False
    """A shaped run goes on: a cell leaves every tick."""
    guard_age_s: float | None = None
    why: str = ""
    """Why this path: how guard, middles and exit were chosen."""
    reason: str | None = None
    """Why it closed."""


class CircuitEvent(Result, frozen=True):
    """Something that happened to a circuit. `ts` is unix seconds."""

    ts: float
    circuit_id: int | str
    purpose: str = ""
    state: str = ""
    reason: str = ""
    why: str = ""


class ClassTraffic(Result, frozen=True):
    """All cells of one traffic shape since the node started; `circuits` are open now."""

    shape: str
    circuits: int = 0
    cells_up: int = 0
    cells_down: int = 0
    dummies_up: int = 0
    dummies_down: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    padding_share: float | None = None


class LinkTraffic(Result, frozen=True):
    """All links together since the start. Records are 2,048 bytes; padding is among them."""

    links: int = 0
    records_in: int = 0
    records_out: int = 0
    padding_in: int = 0
    padding_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


class RelayTraffic(Result, frozen=True):
    """What a relay passed on for others: sums, nobody's in particular."""

    circuits: int = 0
    circuits_created: int = 0
    circuits_refused: int = 0
    cells_forward: int = 0
    cells_backward: int = 0
    cells_rejected: int = 0
    links: LinkTraffic = LinkTraffic()
    served_bytes: int = 0
    """Sent and received as the last hop of circuits: as ghost, exit to mints or mailbox."""
    draining: bool = False
    work_bits: int = 0
    """What every new circuit must bring now; 0 when the relay is not overloaded."""
    work_asked: int = 0
    creates_waiting: int = 0
    memory_bytes: int = 0
    memory_budget: int = 0
    out_of_memory: int = 0
    """Circuits ended because queued data passed its budget."""
    handshakes_refused: int = 0
    circuits_most: int = 0
    """Circuits, links and bytes a second that the settings allow; a rate of 0 is no limit."""
    links_most: int = 0
    rate: int = 0
    clock_off_s: float = 0.0
    """By how much the machine's clock is ahead of the time keys go by."""


class CoverInfo(Result, frozen=True):
    """Talks that nobody has: how many an hour on average, the most they may cost, and what they
    cost so far, both ways together."""

    enabled: bool = False
    per_hour: float = 0
    bytes_per_hour: int = 0
    talks: int = 0
    bytes_spent: int = 0


class DayTraffic(Result, frozen=True):
    """What the node carried on a day (UTC), rounded up: MiB by role, hundreds of circuits."""

    day: str
    mib: dict[str, int] = {}
    circuits: int = 0


class Traffic(Result, frozen=True):
    """What this node sent and received, for its user; null for a role it does not have."""

    classes: list[ClassTraffic] = []
    links: LinkTraffic | None = None
    relay: RelayTraffic | None = None
    cover: CoverInfo | None = None
    days: list[DayTraffic] = []


class CircuitChanged(Result, frozen=True):
    """`why` says how the path was chosen, `reason` what happened."""

    circuit_id: int | str
    state: str
    reason: str | None = None
    purpose: str = ""
    why: str = ""
