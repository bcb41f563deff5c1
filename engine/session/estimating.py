"""What a question would cost and how full the context is, before anything is sent.

From the meter and from offers that are known already: no ghost is asked for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.circuit.shape_menu import ShapeMenu
from engine.control.protocol.asking import Estimate
from engine.control.protocol.sessions import ContextInfo
from engine.identity import short_id
from engine.market.meter import Tariff
from engine.session.chat_parts import ChatParts
from engine.session.chat_settings import ChatSettings
from engine.session.composing import TRIM, to_come
from engine.session.files.attach import read_files
from engine.session.opening import offer_for
from engine.session.preferences import Preferences
from engine.wire.quote import ModelOffer, Quote
from engine.wire.sheet import Sheet
from wallet.store import ChatSession

USUAL_TOKENS = 400
"""Of an answer, in a chat without any."""
LOOKED_AT = 40
"""The newest messages, whose answers say how long the next one will be."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What one ghost would answer under. An empty `ghost`: it is not known which."""

    ghost: bytes
    offer: ModelOffer
    chunk_msat: int
    cap_msat: int

    def tariff(self, body_bytes: int, messages: int, max_out: int | None) -> Tariff:
        offer = self.offer
        if max_out is not None:
            offer = replace(offer, max_out=max(1, min(max_out, offer.max_out)))
        return Tariff(offer, self.chunk_msat, self.cap_msat, body_bytes, messages)


class Estimator:
    """Answers `ask.estimate`."""

    def __init__(self, parts: ChatParts, shapes: ShapeMenu) -> None:
        self._desk = parts.desk
        self._books = parts.books
        self._pins = parts.pins
        self._composer = parts.composer
        self._shapes = shapes

    async def estimate(self, params: Mapping[str, Any]) -> Estimate:
        """The range of what a question would cost, and whether it fits."""
        chat = await self._chat(params)
        model = params["model"] or chat.model or None
        terms = await self._terms(chat, self._desk.chooser.want(model))
        files = read_files(params["attachments"])
        question = to_come(params["text"], files)
        most = params["max_tokens"]
        widest = max((one.offer for one in terms), key=lambda o: o.context, default=None)
        branch = await self._composer.branch(chat, widest, extra=question, max_tokens=most)
        sent = branch.sent[branch.fitted.start :]
        load = branch.fitted.load
        tariffs = [one.tariff(load.metered, load.messages, most) for one in terms]
        likely = await self._likely_tokens(chat)
        pinned = terms[0].ghost if len(terms) == 1 else b""
        fits = branch.fitted.whole or branch.own.full == TRIM
        return Estimate(
            least_msat=min((t.running_msat(1) for t in tariffs), default=0),
            likely_msat=max(
                (t.running_msat(min(likely, t.offer.max_out)) for t in tariffs), default=0
            ),
            most_msat=max((t.most_msat for t in tariffs), default=0),
            model=terms[0].offer.name if terms else model or "",
            ghost=short_id(pinned) if pinned else "",
            ghosts=len(terms),
            tokens_in=branch.fitted.tokens,
            context=branch.info,
            fits=fits,
            messages_shown=max(0, len(sent) - 1),
        )

    async def context_of(self, chat: ChatSession) -> ContextInfo | None:
        """How full the context of the chat's model is."""
        offer = await self.roomiest(chat, self._desk.chooser.want(chat.model or None))
        return (await self._composer.branch(chat, offer)).info

    async def roomiest(self, chat: ChatSession, want: Preferences) -> ModelOffer | None:
        """The offer with the largest context among those that may be used; None when an offer is
        not known, or says nothing of its context."""
        offers = [terms.offer for terms in await self._terms(chat, want)]
        if not offers or any(not offer.context for offer in offers):
            return None
        return max(offers, key=lambda offer: offer.context)

    async def _chat(self, params: Mapping[str, Any]) -> ChatSession:
        if params["session_id"] is not None:
            return await self._books.get(params["session_id"])
        own = ChatSettings(system=params["system"] or "").plain()
        return ChatSession("", "", "", 0, 0, False, False, "", None, own, 0)

    async def _terms(self, chat: ChatSession, want: Preferences) -> list[Terms]:
        """The offers under which the question may be answered: one where the ghost is known."""
        plan = self._shapes.plan(chat.shape)
        open_one = self._desk.open_for(chat.session_id)
        known = None if open_one is not None else await self._pins.get(chat.session_id)
        if open_one is None and known is None:
            open_one = self._desk.spare_for(want, plan)
        if open_one is not None and open_one.quote is not None:
            return _of(open_one.route.ghost, open_one.quote, want, open_one.model)
        ghosts = [known.ghost] if known is not None else self._desk.offers.known_ghosts()
        found: list[Terms] = []
        for ghost in ghosts:
            terms = self._desk.offers.terms(ghost)
            found += _of(ghost, terms, want, "") if terms is not None else []
        return found

    async def _likely_tokens(self, chat: ChatSession) -> int:
        """The middle of how long the chat's last answers were."""
        if not chat.session_id:
            return USUAL_TOKENS
        book = self._books.of(chat.session_id).messages
        newest = await book.list(chat.session_id, limit=LOOKED_AT)
        return _middle([m.meta["tokens_out"] for m in newest if m.meta.get("tokens_out")])


def _of(ghost: bytes, terms: Quote | Sheet, want: Preferences, usual: str) -> list[Terms]:
    wanted = replace(want, model=want.model or usual or None)
    offer = offer_for(terms, wanted)
    return [] if offer is None else [Terms(ghost, offer, terms.chunk_msat, terms.cap_msat)]


def _middle(lengths: Sequence[int]) -> int:
    return sorted(lengths)[len(lengths) // 2] if lengths else USUAL_TOKENS
