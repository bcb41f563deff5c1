"""Questions whose whole body is the caller's, as the local API takes them: nothing is stored.

Each carries a tag. What has another tag shares neither a session nor a circuit nor a ghost with
it, as long as the tag stands in the book: where no ghost is left for a tag, its question is
refused. A tag that rests can be let go of; then its sessions are left before its ghosts are free.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

import trio

from engine.circuit.shape_menu import ShapeMenu
from engine.control.events import EventBus
from engine.control.protocol.asking import AskStarted
from engine.errors import (
    BadValue,
    CircuitClosed,
    GhostError,
    NoRoute,
    PaymentError,
    Peer2PromptError,
    TooMany,
)
from engine.session.answering import told_result
from engine.session.chat_settings import SessionSettings
from engine.session.client import encode_body
from engine.session.context import MAX_BODY_BYTES
from engine.session.lifeline import Lifeline
from engine.session.moving import Stand, Step, next_step
from engine.session.opening import Pinned, offer_for
from engine.session.pinned import SessionDesk
from engine.session.question import Question
from engine.session.raw_body import count_of, earlier_of, features_of
from engine.session.tagbook import MAX_TAGS, Tag, TagBook
from engine.session.telling import Publisher, Teller
from engine.session.unkept import NoAnswers, NoReceipts
from wallet.errors import WalletError

MAX_TAG = 200
MAX_BESIDE = 16
"""Questions of one tag at a time."""
OPEN_S = 90.0
"""For a session with a ghost to be opened: a program waits for a word, and may ask elsewhere."""
LOST_S = 45.0
"""For an answer whose way is lost: a chat can wait for its mailbox, a program waits for a word."""
OWN_KEYS = ("model", "stream", "stream_options", "user", "n")
"""Of an OpenAI body, what is not the ghost's to see."""

Start = Callable[[Question, Callable[[], Awaitable[dict[str, Any]]]], None]


class Watcher(Publisher, Protocol):
    """Is told of one question instead of the control clients."""

    def failing(self, error: Peer2PromptError | WalletError) -> None:
        """What ends it, before `ask.failed` says so in fewer words."""


class RawAsks:
    """Answers `ask.raw`."""

    def __init__(
        self,
        desk: SessionDesk,
        shapes: ShapeMenu,
        bus: EventBus,
        settings: SessionSettings,
        start: Start,
    ) -> None:
        self._desk = desk
        self._shapes = shapes
        self._bus = bus
        self._settings = settings
        self._start = start
        self.book = TagBook()
        self._busy: set[str] = set()

    async def ask(self, params: Mapping[str, Any], watcher: Watcher | None = None) -> AskStarted:
        """Start one question; its answer comes as events, to `watcher` alone if there is one."""
        tag, body = params["tag"], dict(params["body"])
        model = params["model"] or body.get("model")
        if model is not None and not isinstance(model, str):
            raise BadValue("The model is not a name.")
        if len(tag) > MAX_TAG:
            raise BadValue(f"A tag has at most {MAX_TAG} characters.")
        if not self.book.has_room_for(tag):
            raise TooMany(
                f"{MAX_TAGS} tags are kept apart already.", hint="See: peer2prompt api tags"
            )
        for key in OWN_KEYS:
            body.pop(key, None)
        raw, count = encode_body(body), count_of(body)
        if len(raw) > MAX_BODY_BYTES:
            raise BadValue(
                f"The question is longer than {MAX_BODY_BYTES // 1000} kB.",
                kept="Nothing was sent.",
            )
        ask_id = secrets.token_hex(8)
        question = Question(
            ask_id=ask_id,
            chat="",
            want=replace(self._desk.chooser.want(model), features=features_of(body)),
            plan=self._shapes.plan(params["shape"]),
            teller=Teller(watcher or self._bus, ask_id, ""),
            earlier=earlier_of(body),
        )
        self._start(question, lambda: self._watched(question, tag, raw, count, watcher))
        return AskStarted(ask_id=ask_id, session_id="")

    # -- tags ------------------------------------------------------------------------------------

    def circuits(self, tag: str) -> int:
        """How many circuits this tag has open now."""
        pinned = (self._desk.open_for(place) for place in _places(tag))
        return sum(1 for one in pinned if one is not None and one.route.is_open)

    async def release(self, tag: str) -> bool:
        """Leave the sessions of a tag that is not at work, and let others have its ghosts; False
        when there is no such tag, or it is at work."""
        entry = self.book.retire(tag)
        if entry is None:
            return False
        try:
            async with trio.open_nursery() as nursery:
                for place in _places(tag):
                    nursery.start_soon(self._desk.let_go, place)
        finally:
            self.book.forget(entry)
        return True

    # -- one question ----------------------------------------------------------------------------

    async def _watched(
        self, question: Question, name: str, body: bytes, count: int, watcher: Watcher | None
    ) -> dict[str, Any]:
        tag = self.book.begin(name, trio.current_time())
        cost_msat = 0
        try:
            result = await self._answer(question, tag, body, count)
            cost_msat = int(result["cost_msat"])
        except (Peer2PromptError, WalletError) as error:
            if watcher is not None:
                watcher.failing(error)
            raise
        finally:
            self.book.end(tag, trio.current_time(), cost_msat)
        return result

    async def _answer(
        self, question: Question, tag: Tag, body: bytes, count: int
    ) -> dict[str, Any]:
        place = self._place(tag.name)
        self._busy.add(place)
        failed: Peer2PromptError | None = None
        try:
            while True:
                try:
                    return await self._ask(question, tag, place, body, count)
                except Peer2PromptError as error:
                    if not self._moves_on(question, error):
                        if failed is not None and question.pinned is None:
                            raise failed from error  # nobody else could be had
                        raise
                    failed = error
                    self._desk.let_go_beside(place)
        finally:
            self._busy.discard(place)

    async def _ask(
        self, question: Question, tag: Tag, place: str, body: bytes, count: int
    ) -> dict[str, Any]:
        pinned = question.pinned = await self._session_in_time(question, tag, place)
        pinned.asking = True
        question.ghosts += 1
        named = replace(question.want, model=question.want.model or pinned.model or None)
        offer = offer_for(pinned.quote, named)
        if offer is None:
            raise GhostError("The ghost sent no quote.")
        pinned.session.keep_receipts_in(NoReceipts())
        cells = pinned.route.cells
        line = Lifeline(
            NoAnswers(),
            self._desk.boxes,
            pinned.shelf,
            chat="",
            ask_id=question.ask_id,
            patience_s=LOST_S,
        )
        result = await pinned.session.ask_body(
            body, count, offer.name, question.teller.on_event, line
        )
        question.teller.end()
        return {**told_result(result, pinned.route, cells), "why": pinned.why}

    async def _session_in_time(self, question: Question, tag: Tag, place: str) -> Pinned:
        with trio.move_on_after(OPEN_S):
            return await self._session(question, tag, place)
        raise NoRoute(
            "No safe path to a ghost was found in time.",
            kept="Nothing was sent and nothing was paid.",
            hint="Try again; see what is wrong with: peer2prompt doctor",
        )

    async def _session(self, question: Question, tag: Tag, place: str) -> Pinned:
        """A session with a ghost that has seen no other tag: with one that knows this tag, else
        with a new one. So a tag at work takes no more ghosts from the others than it needs."""
        if not tag.ghosts:
            async with tag.choosing:
                if not tag.ghosts:
                    return await self._open(question, tag, place, question.want.avoid)
        if strangers := self._strangers(question, tag):
            with suppress(GhostError, NoRoute, CircuitClosed, PaymentError):
                return await self._open(question, tag, place, strangers)
        return await self._open(question, tag, place, question.want.avoid)

    def _strangers(self, question: Question, tag: Tag) -> frozenset[bytes]:
        """Whom to avoid for the question to stay with ghosts that know its tag; none when no such
        ghost offers what is wanted."""
        offers, want = self._desk.offers, question.want
        known = {
            ghost
            for ghost in tag.ghosts - want.avoid
            if offers.terms(ghost) is not None and offer_for(offers.terms(ghost), want)
        }
        return want.avoid | (frozenset(offers.ghosts()) - known) if known else frozenset()

    async def _open(
        self, question: Question, tag: Tag, place: str, avoid: frozenset[bytes]
    ) -> Pinned:
        while True:
            foreign = self.book.foreign(tag.name)
            want = replace(question.want, avoid=avoid | foreign)
            try:
                pinned = await self._desk.session_for(
                    place, want, question.plan, lambda: question.teller.state("building")
                )
            except GhostError as error:
                if foreign and not error.reason:
                    raise _none_left() from error
                raise
            ghost = pinned.route.ghost
            if ghost not in self.book.foreign(tag.name):
                tag.ghosts.add(ghost)
                return pinned
            await self._desk.let_go(place)  # another tag took it meanwhile

    def _place(self, tag: str) -> str:
        """A name for the session of this question: questions of one tag run side by side."""
        for place in _places(tag):
            if place not in self._busy:
                return place
        raise TooMany(
            f"More than {MAX_BESIDE} questions of one tag are under way.", hint="Wait for one."
        )

    def _moves_on(self, question: Question, error: Peer2PromptError) -> bool:
        if question.pinned is None:
            return False
        stand = Stand(
            messages=question.earlier,
            shown=bool(question.teller.raw),
            ghosts=question.ghosts,
            failover=self._settings.failover,
            move_on=self._settings.move_on,
        )
        if next_step(error, stand) is not Step.MOVE:
            return False
        ghost = question.pinned.route.ghost
        question.want = replace(question.want, avoid=question.want.avoid | {ghost})
        question.pinned.asking = False
        question.pinned = None
        question.teller.state("moving")
        return True


def _places(tag: str) -> list[str]:
    """The names of the sessions that a tag can have."""
    return [f"raw {number} {tag}" for number in range(MAX_BESIDE)]


def _none_left() -> GhostError:
    return GhostError(
        "No ghost is left for this session: those that fit have answered other sessions.",
        kept="Nothing was sent and nothing was paid.",
        hint="Use fewer sessions or keys, or free those that rest: peer2prompt api tags",
    )
