"""Control protocol: what is known of ghosts, and the user's word on them. No text, no routes."""

from __future__ import annotations

from engine.control.protocol.frames import Params, Result


class Quarantine(Result, frozen=True):
    """Why a ghost is left alone; times in unix seconds."""

    reason: str
    since: float = 0
    until: float | None = None
    """Null: until the user says otherwise."""
    rest: bool = False
    """Short and soft: it is asked when there is no other."""
    by_user: bool = False


class ModelOpinion(Result, frozen=True):
    """What is thought of one model of a ghost; from 0 to 1."""

    model: str
    reliability: float = 0
    quality: float = 0
    latency_ms: int | None = None
    """From a question to its first word."""
    tokens_per_s: int | None = None
    answered: float = 0
    """As they weigh now: what was long ago counts less."""
    failed: float = 0


class Ghost(Result, frozen=True):
    """What this client knows of one ghost; parts and score from 0 to 1."""

    ghost: str
    """The short id."""
    id: str = ""
    listed: bool = False
    """Whether the directory knows it now."""
    score: float = 0
    honesty: float = 0
    reliability: float = 0
    steadiness: float = 0
    load: float = 0
    newcomer: bool = True
    trusted: bool = False
    quarantine: Quarantine | None = None
    models: list[ModelOpinion] = []
    seen: dict[str, int] = {}
    """How often what was noted in the last half year."""
    evidence: list[str] = []
    """The kinds of the signed evidence against it that came out of our own sessions."""
    evidence_told: int = 0
    """Pieces that others brought."""
    words: list[str] = []
    """For and against it, in phrases."""


class Probes(Result, frozen=True):
    """The hidden test questions: what they may cost, cost, and found out since the start."""

    sat_per_day: int = 0
    spent_today_msat: int = 0
    asked: int = 0
    right: int = 0
    wrong: int = 0
    canaries: int = 0
    """Made-up words that ghosts were told and that are watched for."""


class Ghosts(Result, frozen=True):
    ghosts: list[Ghost] = []
    probes: Probes = Probes()
    share_evidence: bool = False


class GhostsParams(Params, frozen=True):
    ghost: str = ""
    """The id of one ghost or the beginning of it; empty for all."""


class GhostMarkParams(Params, frozen=True):
    ghost: str
    mark: str
    """trust, quarantine or forget"""


class EvidenceFile(Result, frozen=True):
    """A file of evidence (docs/protocol-session.md), and how many documents it holds."""

    data: str
    documents: int = 0


class EvidenceParams(Params, frozen=True):
    data: str


class EvidenceTaken(Result, frozen=True):
    new: int = 0
    """Documents that prove something and were not known."""
    known: int = 0
    unproven: int = 0
    """Documents that prove nothing; they were thrown away."""
