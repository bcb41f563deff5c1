"""Answers `ghosts`, takes the user's marks, and gives and takes files of evidence.

Everything here is this client's own; the numbers are explained in docs/reputation.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from engine.control.protocol.market import (
    EvidenceFile,
    EvidenceTaken,
    Ghost,
    Ghosts,
    ModelOpinion,
    Probes,
    Quarantine,
)
from engine.directory.relays import RelaySet
from engine.errors import ConfigError
from engine.market.quarantine import Ban
from engine.session.market_settings import MarketSettings
from engine.session.witness import Witness
from engine.wire.advert import Role
from engine.wire.evidence import format_evidence, parse_evidence
from wallet.store import SignedPiece

Seen = dict[bytes, dict[str, int]]


class GhostBook:
    """The client's ghosts, for its user."""

    def __init__(
        self,
        witness: Witness,
        relays: RelaySet,
        settings: MarketSettings,
        probes: Callable[[], Probes] = Probes,
    ) -> None:
        self._witness = witness
        self._relays = relays
        self._settings = settings
        self._probes = probes

    async def ghosts(self, params: dict[str, Any]) -> Ghosts:
        """What is known of all ghosts, or of the one named; the best first."""
        await self._witness.flush()
        counts = await self._witness.book.counts()
        pieces = await self._witness.book.pieces()
        told = [self._tell(one, counts, pieces) for one in self._named(params["ghost"])]
        told.sort(key=lambda one: (one.quarantine is not None, -one.score, one.id))
        return Ghosts(told, self._probes(), self._settings.share_evidence)

    async def mark(self, params: dict[str, Any]) -> dict[str, object]:
        """Take the user's word on one ghost."""
        found = self._named(params["ghost"])
        if len(found) != 1:
            raise ConfigError(
                f"{len(found)} ghosts have ids that begin so.",
                kept="Nothing was changed.",
                hint="Give more of the id; see: peer2prompt ghosts",
            )
        acts = {
            "trust": self._witness.trust,
            "quarantine": self._witness.ban,
            "forget": self._witness.forget,
        }
        act = acts.get(params["mark"])
        if act is None:
            raise ConfigError(
                f"There is no mark {params['mark']!r}.", hint=f"Marks are: {', '.join(acts)}."
            )
        await act(found[0])
        return {}

    async def export(self, _params: object) -> EvidenceFile:
        """The signed evidence of our own sessions, when the settings let it out."""
        if not self._settings.share_evidence:
            raise ConfigError(
                "The settings do not let evidence out.",
                kept="It stays in the encrypted store.",
                hint="Set [market] share_evidence = true; docs/reputation.md says what it shows.",
            )
        await self._witness.flush()
        documents = await self._witness.own_evidence()
        return EvidenceFile(data=format_evidence(documents), documents=len(documents))

    async def take_in(self, params: dict[str, Any]) -> EvidenceTaken:
        """Somebody else's file. Raises WireError when it is none."""
        documents = parse_evidence(params["data"])
        new, unproven = await self._witness.take_in(documents)
        return EvidenceTaken(new=new, known=len(documents) - new - unproven, unproven=unproven)

    def quarantined(self) -> int:
        """How many of the ghosts that the directory knows are left alone."""
        reputation, now = self._witness.reputation, self._witness.now()
        return sum(reputation.quarantined(one, now) is not None for one in self._listed())

    def _listed(self) -> set[bytes]:
        return {advert.node_id for advert in self._relays.with_role(Role.GHOST)}

    def _named(self, name: str) -> list[bytes]:
        known = self._listed() | set(self._witness.reputation.known())
        return sorted(one for one in known if one.hex().startswith(name.lower()))

    def _tell(self, ghost: bytes, counts: Seen, pieces: list[SignedPiece]) -> Ghost:
        reputation, now = self._witness.reputation, self._witness.now()
        score = reputation.score(ghost, "", now)
        against = [piece for piece in pieces if piece.ghost == ghost]
        return Ghost(
            ghost=ghost.hex()[:8],
            id=ghost.hex(),
            listed=ghost in self._listed(),
            score=round(score.value, 3),
            honesty=round(score.honesty, 3),
            reliability=round(score.reliability, 3),
            steadiness=round(score.steadiness, 3),
            load=round(score.load, 3),
            newcomer=score.newcomer,
            trusted=reputation.trusted(ghost),
            quarantine=_quarantine(score.ban),
            models=[self._model(ghost, name, now) for name in reputation.models(ghost)],
            seen=counts.get(ghost, {}),
            evidence=[piece.kind for piece in against if piece.own],
            evidence_told=sum(not piece.own for piece in against),
            words=list(score.reasons),
        )

    def _model(self, ghost: bytes, name: str, now: float) -> ModelOpinion:
        score = self._witness.reputation.score(ghost, name, now)
        return ModelOpinion(
            model=name,
            reliability=round(score.reliability, 3),
            quality=round(score.quality, 3),
            latency_ms=round(score.ttft_ms) or None,
            tokens_per_s=round(score.rate) or None,
            answered=round(score.answered, 1),
            failed=round(score.failed, 1),
        )


def _quarantine(ban: Ban | None) -> Quarantine | None:
    if ban is None:
        return None
    until = None if math.isinf(ban.until) else ban.until
    return Quarantine(ban.reason, ban.since, until, ban.rest, ban.by_user)
