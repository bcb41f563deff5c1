"""Control protocol: everything an operator watches, in one answer; and a node's own examination.

Fields are never renamed or removed while the protocol's version stays; new ones may be added.
"""

from __future__ import annotations

from engine.control.protocol.api import ApiStatus
from engine.control.protocol.circuits import RelayTraffic
from engine.control.protocol.frames import Params, Result
from engine.control.protocol.ghost import GhostStatus
from engine.control.protocol.network import GuardInfo, ReachInfo
from engine.control.protocol.node import Status
from engine.control.protocol.wallet import MintInfo


class ClockInfo(Result, frozen=True):
    """`off_s`: by how many seconds the machine's clock is ahead of the time that keys go by, 0
    where nothing is known; `warning` is a sentence when the network doubts the clock."""

    off_s: float = 0
    warning: str = ""


class EarningsInfo(Result, frozen=True):
    """What a ghost earned; the sums by hour, day and model are in `earnings`."""

    total_msat: int = 0
    today_msat: int = 0
    week_msat: int = 0
    answers: int = 0
    refused: int = 0
    cost_msat: int = 0
    paid_out_sat: int = 0


class LogInfo(Result, frozen=True):
    """`to` is stderr or a file's path; `errors` and `warnings` count lines since the start."""

    to: str = ""
    format: str = ""
    level: str = ""
    errors: int = 0
    warnings: int = 0


class MetricsInfo(Result, frozen=True):
    on: bool = False
    url: str = ""
    socket: str = ""


class Overview(Status, frozen=True):
    """`status` and more. Null for a role that this node does not have."""

    health: str = "ok"
    """ok; warning: a sentence in `warnings` says what; draining: it takes nothing new."""
    started: float = 0
    """Unix seconds."""
    clock: ClockInfo = ClockInfo()
    links_open: int = 0
    guards: list[GuardInfo] = []
    mints: list[MintInfo] = []
    spent_msat: int | None = None
    """For answers, since the start."""
    earnings: EarningsInfo | None = None
    reach: ReachInfo | None = None
    relay: RelayTraffic | None = None
    ghost: GhostStatus | None = None
    api: ApiStatus | None = None
    metrics: MetricsInfo = MetricsInfo()
    log: LogInfo = LogInfo()


class DoctorParams(Params, frozen=True):
    """`network`: also ask mints and relays, over circuits; without it nothing leaves the node."""

    network: bool = True


class Finding(Result, frozen=True):
    """One check. `state` is ok, warn, fail or skip; `found` what was seen, `means` why it matters,
    `advice` what to do."""

    check: str
    state: str = "ok"
    found: str = ""
    means: str = ""
    advice: str = ""


class Examination(Result, frozen=True):
    """All checks, in a fixed order; `worst` is the worst state among them."""

    worst: str = "ok"
    running: bool = True
    """Whether a node was running: without one the checks of its network are skipped."""
    findings: list[Finding] = []
