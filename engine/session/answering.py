"""Brings one question of a chat to its end: by the chat's ghost, or by another where that may be.

The way of a question: the chat's ghost or a new one, what fits of the chat, the question written
down, asked, its answer kept. A failure before the first word may move it to another ghost
(`engine.session.moving`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import trio

from engine.control.events import EventBus
from engine.control.protocol.asking import Consent
from engine.errors import CircuitClosed, GhostError, NoRoute, Peer2PromptError
from engine.identity import short_id
from engine.log import say
from engine.log.events_client import AnswerUnsettled, NoOtherGhost
from engine.log.words import Code
from engine.session.chat_parts import ChatParts
from engine.session.chat_settings import ChatSettings, SessionSettings
from engine.session.events import AskResult
from engine.session.keeper import LeftAnswer
from engine.session.lifeline import Lifeline
from engine.session.moving import Stand, Step, consent_error, next_step, of_the_ghost
from engine.session.opening import Pinned, offer_for
from engine.session.pinning import Pinning
from engine.session.question import Question
from engine.session.route import Route
from engine.session.views import parts_of
from engine.wire.answer import plain_text
from wallet.errors import WalletError
from wallet.store import ChatSession

SETTLE_PATIENCE_S = 30.0
"""So long an answer that is whole waits for its last account."""
TOLD = ("cost_msat", "tokens_in", "tokens_out", "ttft_ms", "mailboxes", "by_mail", "model")


class Answerer:
    """See the module."""

    def __init__(
        self,
        parts: ChatParts,
        settings: SessionSettings,
        bus: EventBus,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._desk = parts.desk
        self._books = parts.books
        self._pins = parts.pins
        self._composer = parts.composer
        self._settings = settings
        self._bus = bus
        self._now = now

    async def answer(self, question: Question) -> dict[str, Any]:
        """The result, as `ask.done` tells it. Raises what ended the question: where no other ghost
        could be had, what the last one said."""
        said: Peer2PromptError | None = None
        if question.elsewhere:
            await self.leave(question.chat)
        while True:
            try:
                return await self._ask(question)
            except Peer2PromptError as error:
                if not await self._moves_on(question, error):
                    if said is not None and question.pinned is None and of_the_ghost(error):
                        raise said from error
                    raise
                said = error

    async def go_on(self, question: Question, left: LeftAnswer) -> dict[str, Any]:
        """Bring an answer to its end that an earlier process asked for, and settle its session."""
        saved = left.record.session
        pinned = question.pinned = self._desk.open_session(saved.ghost, question.plan, saved)
        pinned.asking = True
        try:
            result = await pinned.session.take_up(
                left.record, left.text, left.line, question.teller.on_event
            )
            question.teller.end()
            await self._complete(question, left.line, result, pinned)
            return told_result(result, pinned.route, (0, 0))
        finally:
            if not question.resting:
                self._desk.reclaim_soon(pinned, saved)

    # -- one ghost -------------------------------------------------------------------------------

    async def _ask(self, question: Question) -> dict[str, Any]:
        chat = await self._books.get(question.chat)
        own = await self._composer.own(chat)
        pinned = question.pinned = await self._session(question, own)
        pinned.asking = True
        question.ghosts += 1
        if self._books.is_temporary(question.chat):
            pinned.session.keep_receipts_in(self._books.of(question.chat).receipts)
        if not question.settle:
            self._desk.warm_beside(pinned)
        wanted = replace(question.want, model=question.want.model or pinned.model or None)
        offer = offer_for(pinned.quote, wanted) or offer_for(pinned.quote, question.want)
        if offer is None or question.message_id is None or question.keeper is None:
            raise GhostError("The ghost sent no quote.")
        composed = await self._composer.compose(
            chat, question.message_id, offer, question.params, trim=question.trim
        )
        question.earlier, question.earlier_bytes = composed.earlier, composed.earlier_bytes
        if (saved := pinned.session.saved) is not None:
            await self._pins.put(question.chat, saved)
        cells = pinned.route.cells
        line = question.line = question.keeper.line(
            question.chat, question.ask_id, pinned.shelf, question.message_id
        )
        result = await pinned.session.ask(
            composed.messages, offer.name, composed.params, question.teller.on_event, line
        )
        question.teller.end()
        told = await self._complete(question, line, result, pinned)
        if question.settle:
            await self._settle_after(pinned)
        done = told_result(result, pinned.route, cells)
        return {**done, "message_id": told, "why": pinned.why}

    async def _session(self, question: Question, own: ChatSettings) -> Pinned:
        """The session to ask over: with the chat's ghost, unless it is to be left."""
        known = await self._known(question, own)

        def building() -> None:
            question.teller.state("building")

        want, left = question.want, self._pins.left(question.chat)
        if known is None and left:
            # Another ghost than the one just left, where there is one.
            other = replace(want, avoid=want.avoid | left)
            try:
                return await self._desk.session_for(question.chat, other, question.plan, building)
            except (GhostError, NoRoute, CircuitClosed):
                say(NoOtherGhost())
        return await self._desk.session_for(question.chat, want, question.plan, building, known)

    async def _known(self, question: Question, own: ChatSettings) -> Pinning | None:
        """The chat's ghost, if it is to go on with it."""
        known = await self._pins.get(question.chat)
        if known is None:
            return None
        limits = own.rotate_after
        named = question.want.ghost and not known.ghost.hex().startswith(question.want.ghost)
        due = limits is not None and known.is_due(limits, self._now())
        if named or due or known.ghost in question.want.avoid:
            await self.leave(question.chat)
            return None
        return known

    async def leave(self, chat: str) -> None:
        """The chat is with no ghost any more."""
        await self._pins.drop(chat)
        await self._desk.let_go(chat)

    # -- failures --------------------------------------------------------------------------------

    async def _moves_on(self, question: Question, error: Peer2PromptError) -> bool:
        """Whether the question goes to another ghost now. Raises when the user is to be asked."""
        ghost = await self._ghost_of(question)
        chat = await self._books.of(question.chat).sessions.get(question.chat)
        if ghost is None or chat is None or question.want.ghost:
            return False
        own = await self._composer.own(chat)
        if not question.earlier:
            await self._count_earlier(question, chat)
        stand = Stand(
            messages=question.earlier,
            shown=bool(question.teller.raw),
            ghosts=max(1, question.ghosts),
            failover=own.failover,
            move_on=self._settings.move_on,
        )
        step = next_step(error, stand)
        if step is Step.FAIL:
            return False
        if step is Step.ASK_USER:
            question.consent = Consent(
                messages=question.earlier, bytes=question.earlier_bytes, ghost=short_id(ghost)
            )
            raise consent_error(error, question.earlier, question.earlier_bytes) from error
        await self._forget_try(question, error)
        question.want = replace(question.want, avoid=question.want.avoid | {ghost})
        await self.leave(question.chat)
        question.teller.state("moving")
        return True

    async def _ghost_of(self, question: Question) -> bytes | None:
        """The ghost that failed, unless none of those asked could be reached at all."""
        if question.pinned is not None:
            return question.pinned.route.ghost
        known = await self._pins.get(question.chat)
        return None if known is None else known.ghost

    async def _count_earlier(self, question: Question, chat: ChatSession) -> None:
        branch = await self._composer.branch(chat, None, leaf=question.message_id)
        before = branch.sent[:-1]
        question.earlier = len(before)
        question.earlier_bytes = sum(one.text_bytes + one.file_bytes for one in before)

    async def _forget_try(self, question: Question, error: Peer2PromptError) -> None:
        if question.line is not None and question.keeper is not None:
            await question.keeper.fail(question.line, "", error, keep=False)
        if question.pinned is not None:
            question.pinned.asking = False
        question.line = question.pinned = None

    # -- results ---------------------------------------------------------------------------------

    async def _complete(
        self, question: Question, line: Lifeline, result: AskResult, pinned: Pinned
    ) -> int | None:
        """The message as it stays: nothing that comes now can undo it."""
        told = result.as_dict()
        meta = {name: told[name] for name in TOLD}
        meta["state"] = "cancelled" if result.finish_reason == "cancelled" else "done"
        meta["ghost"] = short_id(pinned.route.ghost)
        with trio.CancelScope(shield=True):
            if question.keeper is not None:
                await question.keeper.finish(line, result.answer, meta)
            await self._pins.count(question.chat, result.cost_msat)
        question.line = None
        return line.message_id

    async def _settle_after(self, pinned: Pinned) -> None:
        """Settle so that the account of this answer is final; a failure costs nothing but time, of
        which the answer waits for a bounded part: the settlement goes on beside it."""
        over = self._desk.beside(partial(self._settle, pinned))
        with trio.move_on_after(SETTLE_PATIENCE_S):
            await over.wait()

    async def _settle(self, pinned: Pinned) -> None:
        try:
            await pinned.session.settle()
        except (Peer2PromptError, WalletError) as error:
            say(AnswerUnsettled(Code.of(error)))
        self._bus.publish("wallet.changed", {})


def told_result(result: AskResult, route: Route, before: tuple[int, int]) -> dict[str, Any]:
    """An answer and its account as `ask.done` tells it."""
    up, down = route.cells
    return {
        **result.as_dict(),
        "answer": plain_text(result.answer),
        "parts": parts_of(result.answer),
        "route": route.hops,
        "cells_up": up - before[0],
        "cells_down": down - before[1],
        "shape_class": route.plan.shape_class.label,
    }
