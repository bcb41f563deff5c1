"""Asks hidden test questions at random times, as a chat would ask them.

The same desk opens the session, the same choice finds the ghost, the same code pays, hands out
reply blocks, waits, settles and leaves; the body has the same fields, the user's own defaults for
new chats among them. What differs is the text, and
docs/reputation.md says what that gives away. Off unless the user sets a budget. A chat never waits
for a probe, nor does a probe take the session that is kept ready for one.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import Any

import trio

from engine.circuit.shape_menu import ShapeMenu
from engine.control.protocol.market import Probes
from engine.errors import Peer2PromptError
from engine.log import say
from engine.log.events_client import ProbeUnanswered
from engine.log.words import Code
from engine.market.meter import part_cost
from engine.market.observations import Seen
from engine.market.probes import Probe, draw_questions, is_right, wait_s
from engine.session.chat_settings import ChatSettings
from engine.session.events import AnswerDelta, AskEvent, AskResult
from engine.session.lifeline import Lifeline
from engine.session.opening import Pinned
from engine.session.pinned import SessionDesk
from engine.session.purse import ProbePurse
from engine.wire.answer import plain_text
from engine.wire.quote import ModelOffer, Quote
from wallet.errors import WalletError

USUAL_COST_MSAT = 2_000.0
"""What a test question is taken to cost until some were asked."""
ROOM_IN, ROOM_OUT = 400, 300
"""Tokens set aside for: a test question and its answer are a tenth of that."""


class NoBook:
    """Where answers to test questions are written down: nowhere."""

    async def begin(
        self,
        session_id: str,  # noqa: ARG002
        ask_id: str,  # noqa: ARG002
        data: bytes,  # noqa: ARG002
        *,
        parent: int | None = None,  # noqa: ARG002
    ) -> int:
        await trio.lowlevel.checkpoint()
        return 0

    async def update(self, message_id: int, data: bytes) -> None:  # noqa: ARG002
        await trio.lowlevel.checkpoint()


@dataclass
class _Counts:
    asked: int = 0
    right: int = 0
    wrong: int = 0
    cost_msat: int = 0


@dataclass(frozen=True)
class _Question:
    """One test question with all that goes along: what a chat of this user's sends too."""

    probe: Probe
    messages: list[dict[str, str]] = field(repr=False)
    model: str
    params: Mapping[str, Any] = field(repr=False)
    aside_msat: int


class Prober:
    """The test questions of one client."""

    def __init__(
        self,
        desk: SessionDesk,
        purse: ProbePurse,
        shapes: ShapeMenu,
        defaults: Callable[[], Awaitable[ChatSettings]],
        *,
        rng: Random | None = None,
    ) -> None:
        self._desk = desk
        self._purse = purse
        self._shapes = shapes
        self._defaults = defaults
        self._rng = rng or SystemRandom()
        self._counts = _Counts()
        self._aside_msat = 0
        """What was to be set aside for the last question."""

    async def run(self) -> None:
        """Ask at random (Poisson) times until cancelled; at once over when there is no budget."""
        if not self._purse.limit_msat:
            return
        await self._purse.load()
        while True:
            await trio.sleep(wait_s(self._rng, self._purse.limit_msat, self._usual_msat))
            await self.probe()

    @property
    def _usual_msat(self) -> float:
        counts = self._counts
        return counts.cost_msat / counts.asked if counts.asked else USUAL_COST_MSAT

    def told(self) -> Probes:
        """For the control protocol."""
        return Probes(
            sat_per_day=self._purse.limit_msat // 1_000,
            spent_today_msat=self._purse.spent_msat,
            asked=self._counts.asked,
            right=self._counts.right,
            wrong=self._counts.wrong,
            canaries=self._desk.witness.canaries,
        )

    async def probe(self) -> None:
        """One session with test questions, if the budget and the wallet allow it."""
        if self._purse.spent_msat + self._aside_msat > self._purse.limit_msat:
            return  # not even a session is opened
        name = f"probe {secrets.token_hex(4)}"
        try:
            want = self._desk.chooser.want(None)
            pinned = await self._desk.open_apart(name, want, self._shapes.default)
            await trio.sleep(self._desk.habits.draw_first(self._rng))
            if self._desk.take_apart(name):
                await self._talk(pinned)
        except (Peer2PromptError, WalletError) as error:
            say(ProbeUnanswered(Code.of(error)))

    async def _talk(self, pinned: Pinned) -> None:
        quote = pinned.quote
        offer = _offer(quote, pinned.model)
        usual = await self._defaults()
        messages: list[dict[str, str]] = []
        if usual.system:
            messages.append({"role": "system", "content": usual.system})
        for number, probe in enumerate(draw_questions(self._rng)):
            if number:
                await trio.sleep(self._desk.habits.draw_next(self._rng))
            aside = self._aside_msat = _most_msat(quote, offer)
            if quote is None or offer is None or not await self._purse.set_aside(aside):
                return
            messages.append({"role": "user", "content": probe.text})
            question = _Question(probe, messages, offer.name, usual.params, aside)
            answer = await self._ask(pinned, question)
            messages.append({"role": "assistant", "content": answer})

    async def _ask(self, pinned: Pinned, question: _Question) -> str:
        witness, session = self._desk.witness, pinned.session
        probe, aside = question.probe, question.aside_msat
        if probe.canary:
            await witness.tell_canary(pinned.route.ghost, probe.canary)
        line = Lifeline(NoBook(), self._desk.boxes, pinned.shelf, chat="", ask_id="")
        cost = aside
        pinned.asking = True
        try:
            with witness.expecting(probe.canary):
                result = await session.ask(
                    question.messages,
                    question.model,
                    question.params,
                    self._bound(pinned, aside),
                    line,
                )
            cost = result.cost_msat
        finally:
            pinned.asking = False
            pinned.last_used = trio.current_time()
            with trio.CancelScope(shield=True):
                await self._purse.settle(aside, cost)
        self._judge(pinned.route.ghost, question, result)
        return plain_text(result.answer)

    def _bound(self, pinned: Pinned, aside: int) -> Callable[[AskEvent], None]:
        """Stop an answer that would cost more than was set aside, as a user stops one."""
        spare = 0 if pinned.quote is None else pinned.quote.chunk_msat // 2
        stopped = False

        def watch(event: AskEvent) -> None:
            nonlocal stopped
            due = pinned.session.due_msat
            if isinstance(event, AnswerDelta) and due > aside - spare and not stopped:
                stopped = True
                self._desk.stop_soon(pinned)

        return watch

    def _judge(self, ghost: bytes, question: _Question, result: AskResult) -> None:
        self._counts.asked += 1
        self._counts.cost_msat += result.cost_msat
        if result.finish_reason == "cancelled":
            return
        right = is_right(question.probe, plain_text(result.answer))
        self._counts.right += right
        self._counts.wrong += not right
        seen = Seen.PROBE_RIGHT if right else Seen.PROBE_WRONG
        self._desk.witness.note(ghost, seen, model=question.model)


def _offer(quote: Quote | None, model: str) -> ModelOffer | None:
    if quote is None or not quote.models:
        return None
    return quote.offer(model) or quote.models[0]


def _most_msat(quote: Quote | None, offer: ModelOffer | None) -> int:
    """What is set aside for one question: far more than a right answer costs."""
    if quote is None or offer is None:
        return 0
    room = part_cost(ROOM_IN, offer.in_price) + part_cost(ROOM_OUT, offer.out_price)
    return min(quote.cap_msat, room + quote.chunk_msat // 2)
