"""Every metric: what it counts, how coarse it is told, what its labels may say. Data alone.

Why coarse: whoever reads the metrics and also watches the network could match a rise by one with
what is seen at a guard or a ghost at that moment. So each number is rounded up to a multiple of
`step`, as Tor's relays do for their statistics, and all stand still for a window of time; those
that tell what this node's own user does, for a longer one. Labels are words of this file or of our
own source.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

WINDOW_S: Final = 300
OWN_WINDOW_S: Final = 3_600
MIB: Final = 1 << 20
PREFIX: Final = "peer2prompt_"
REFUSALS: Final = ("refused", "moderated", "cap_reached", "busy", "provider", "other")


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. `own` marks what tells of this node's user; `labels` lists all that they may say,
    nothing for words of our source that are listed elsewhere."""

    name: str
    kind: Literal["gauge", "counter"]
    step: float
    meaning: str
    own: bool = False
    labels: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def told(self, value: float) -> float:
        """The value as it may be known: rounded up to a multiple of the step."""
        return math.ceil(value / self.step - 1e-9) * self.step

    @property
    def label_names(self) -> list[str]:
        return [name for name, _ in self.labels]


def _gauge(name: str, step: float, meaning: str, *labels: tuple[str, tuple[str, ...]]) -> Family:
    return Family(name, "gauge", step, meaning, labels=labels)


def _counter(name: str, step: float, meaning: str, *labels: tuple[str, tuple[str, ...]]) -> Family:
    return Family(name, "counter", step, meaning, labels=labels)


def _own(family: Family) -> Family:
    return Family(family.name, family.kind, family.step, family.meaning, True, family.labels)


_WAY = ("direction", ("in", "out"))

FAMILIES: Final = (
    # the process
    _gauge("uptime_seconds", 300, "Since the start."),
    _gauge("draining", 1, "1 while the node lets what runs finish and takes nothing new."),
    _gauge("warnings", 1, "Sentences that `peer2prompt status` warns with."),
    _gauge("memory_bytes", 16 * MIB, "Resident memory."),
    _gauge("open_files", 16, "Descriptors in use."),
    _gauge("loop_lag_seconds", 0.05, "The longest that a due task had to wait in the window."),
    _gauge("store_bytes", MIB, "The encrypted store with its log."),
    _gauge("clock_off_seconds", 5, "How far this machine's clock is from the time keys go by."),
    _counter("events_total", 8, "Warnings and errors in the log, by event.", ("event", ())),
    _counter("errors_total", 8, "Warnings and errors that name an error, by code.", ("code", ())),
    # the network
    _gauge("nodes_known", 8, "Listed nodes.", ("role", ("relay", "ghost"))),
    _gauge("reachable", 1, "1 when others reached the advertised address, 0 when they did not."),
    # passing on
    _gauge("relay_circuits", 8, "Circuits of others through this node."),
    _counter("relay_circuits_total", 64, "And since the start.", ("outcome", ("made", "refused"))),
    _counter(
        "relay_cells_total",
        4_096,
        "Cells of 2,048 bytes passed on.",
        ("direction", ("forward", "backward")),
    ),
    _counter("relay_cells_rejected_total", 64, "Cells that did not verify."),
    _gauge("relay_links", 4, "Open links of the serving half."),
    _counter("relay_link_bytes_total", 8 * MIB, "Over them, padding included.", _WAY),
    _counter("exit_bytes_total", 8 * MIB, "As the last hop: ghost, exit to mints, mailbox."),
    _gauge("relay_queue_bytes", MIB, "Data that waits for slow neighbours."),
    _gauge("relay_queue_limit_bytes", MIB, "And how much may."),
    _counter("relay_circuits_killed_total", 8, "Circuits ended because too much waited."),
    _counter("handshakes_refused_total", 64, "Link handshakes turned away."),
    _gauge("work_bits", 1, "The work a new circuit has to bring now; 0 when there is no rush."),
    _gauge("mailbox_slots", 64, "One-time slots kept for clients that are away."),
    _counter(
        "mailbox_packets_total",
        64,
        "Packets by what became of them.",
        ("outcome", ("passed", "boxed", "dropped")),
    ),
    # serving answers
    _gauge("ghost_sessions", 4, "Open sessions with clients."),
    _gauge("ghost_questions", 4, "Questions now.", ("state", ("running", "waiting"))),
    _gauge("ghost_paused", 1, "1 while the ghost takes no questions by its operator's word."),
    _gauge("ghost_upstreams_failing_percent", 25, "AI providers of the ghost that fail now."),
    _counter("ghost_answers_total", 32, "Answers that were paid, ever."),
    _counter("ghost_refusals_total", 32, "Questions refused, ever, by code.", ("code", REFUSALS)),
    _counter("ghost_earned_sat_total", 100, "Earned, ever."),
    _counter("ghost_cost_sat_total", 100, "What the providers ask for it, ever."),
    # this node's own user
    _own(_gauge("client_circuits", 4, "Circuits of this node's own.")),
    _own(_counter("client_link_bytes_total", 32 * MIB, "Over the links of the asking half.", _WAY)),
    _own(_gauge("client_guard_reachable", 1, "1 when the guard in use answers.")),
    _own(_gauge("wallet_sat", 1_000, "Ecash at hand.")),
    _own(_counter("client_spent_sat_total", 1_000, "Paid for answers since the start.")),
    _own(_gauge("mints_failing_percent", 25, "Mints of the wallet that did not answer last.")),
    _own(_counter("api_questions_total", 32, "Questions over the local API since its start.")),
    _own(_gauge("api_on", 1, "1 while the local API is open.")),
)
BY_NAME: Final = {family.name: family for family in FAMILIES}
