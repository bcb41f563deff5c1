"""Puts together what a choice among ghosts needs: offers, opinions, the user's wishes, the purse.

The choosing itself is pure (`engine.session.choice`). Answers `models`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from random import Random, SystemRandom
from typing import Any

import msgspec

from engine.control.protocol.sessions import Model
from engine.errors import ConfigError, GhostError, PaymentError, WireError
from engine.market.reputation import Score
from engine.session.choice import NO_MINT, Candidate, Choice, Field, explain, misfit, rank
from engine.session.offers import Offers
from engine.session.preferences import Preferences
from engine.session.witness import Witness
from engine.wire.policy import GhostPolicy
from engine.wire.quote import ModelOffer, Quote
from engine.wire.sheet import Sheet
from wallet.wallet import Wallet

_HEX = re.compile("[0-9a-fA-F]{0,64}")


class Chooser:
    """Orders the known ghosts for a question, and tells why."""

    def __init__(
        self,
        offers: Offers,
        witness: Witness,
        wallet: Wallet,
        wishes: Preferences,
        *,
        rng: Random | None = None,
    ) -> None:
        self.wishes = wishes
        self._offers = offers
        self._witness = witness
        self._wallet = wallet
        self._rng = rng or SystemRandom()

    async def order(self, want: Preferences) -> list[Choice]:
        """The ghosts to try, first to last. Raises NoRoute when none is known, GhostError when
        none of the known ones fits."""
        want = replace(want, mints=want.mints or await self._mints())
        candidates = self._candidates(want.model)
        now = self._witness.now()
        found = rank(candidates, want, self._witness.reputation, now=now, rng=self._rng)
        if not found:
            raise self._none_fits(candidates, want, now)
        return found

    def want(self, model: str | None, *, ghost: str = "", prefer: str = "") -> Preferences:
        """The user's settings with the wishes for one session. Raises ConfigError."""
        if not _HEX.fullmatch(ghost):
            raise ConfigError(
                f"{ghost!r} is not the id of a ghost, nor the beginning of one.",
                hint="See the ids with: peer2prompt ghosts",
            )
        return replace(self.wishes.biased(prefer), model=model, ghost=ghost.lower())

    async def models(self, params: dict[str, Any]) -> list[Model]:
        """Every model of every known ghost, with what is thought of it here; the best first."""
        listed = await self._offers.models(params)
        found = {(one.ghost, one.model): one for one in listed}
        told: list[Model] = []
        now, want = self._witness.now(), self.wishes
        candidates = [one for one in self._candidates(None) if one.model]
        for one in candidates:
            model = found.pop((one.ghost.hex()[:8], one.model), None)
            if model is not None:
                opinion = self._witness.reputation.score(one.ghost, one.model, now)
                same = [other for other in candidates if other.model == one.model]
                told.append(_told(model, one, opinion, same, want))
        told.sort(key=lambda model: (model.quarantined != "", -(model.score or 0.0)))
        return [*told, *found.values()]

    def _candidates(self, model: str | None) -> list[Candidate]:
        """What the known ghosts offer, of one model or of all; a ghost nothing is known of once."""
        found: list[Candidate] = []
        for ghost in self._offers.ghosts():
            terms = self._offers.terms(ghost)
            if terms is None:
                found.append(Candidate(ghost))
                continue
            policy = _policy(self._offers.sheet(ghost))
            offers = [one for one in terms.models if model is None or one.name == model]
            found += [_candidate(ghost, one, terms, policy) for one in offers]
        return found

    async def _mints(self) -> frozenset[str]:
        balances = await self._wallet.balances()
        return frozenset(one.url for one in balances if one.available_sat)

    def _none_fits(
        self, candidates: Sequence[Candidate], want: Preferences, now: float
    ) -> GhostError | PaymentError:
        """In words: why every one of them is out."""
        reasons = [misfit(one, want) or self._banned(one, now) for one in candidates]
        if set(reasons) == {NO_MINT}:
            return PaymentError(
                "The wallet holds no ecash of a mint that a ghost accepts.",
                kept="Nothing was paid; the question is kept in the chat.",
                hint="Fund the wallet at one of the ghosts' mints: peer2prompt models",
            )
        counted = sorted(set(reasons), key=lambda one: (-reasons.count(one), one))
        why = "; ".join(f"{reasons.count(one)}: {one}" for one in counted[:3])
        return GhostError(
            "No ghost serves this model." if want.model else "No known ghost fits.",
            kept="Nothing was paid; the question is kept in the chat.",
            hint=f"Of {len(candidates)} offers: {why}. See: peer2prompt models, peer2prompt ghosts"
            if candidates
            else "See what is offered with: peer2prompt models",
        )

    def _banned(self, one: Candidate, now: float) -> str:
        ban = self._witness.reputation.quarantined(one.ghost, now)
        return "in quarantine" if ban is not None else "it does not fit"


def _policy(sheet: Sheet | None) -> GhostPolicy | None:
    """The policy in a sheet, unless it is of a version that this program cannot read."""
    try:
        return None if sheet is None else GhostPolicy.decode(sheet.policy)
    except WireError:
        return None


def _candidate(
    ghost: bytes, offer: ModelOffer, terms: Quote | Sheet, policy: GhostPolicy | None
) -> Candidate:
    return Candidate(
        ghost=ghost,
        model=offer.name,
        in_price=offer.in_price,
        out_price=offer.out_price,
        context=offer.context,
        features=frozenset(offer.features),
        mints=frozenset(terms.mints),
        policy=policy,
    )


def _told(
    model: Model, one: Candidate, opinion: Score, same: Sequence[Candidate], want: Preferences
) -> Model:
    ban = opinion.ban
    return msgspec.structs.replace(
        model,
        score=round(opinion.value, 3),
        why=explain(one, opinion, Field.of(same), want),
        latency_ms=round(opinion.ttft_ms) or None,
        quarantined="" if ban is None else ban.reason,
        misfit=misfit(one, want),
        tier=want.tier(one.model),
    )
