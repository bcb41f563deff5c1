"""Chats: what the user asks, who answers, what it cost. The client's half of the market.

Takes questions, brings each to its end in a task of its own (`engine.session.answering`), and tells
what becomes of them. Prompts and answers go to the encrypted store, or for temporary chats to
memory, and to the control clients; nowhere else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import trio

from engine.control.protocol.asking import AskStarted
from engine.control.protocol.sessions import ContextInfo, Session
from engine.errors import NotFound, Peer2PromptError, ShuttingDown
from engine.log import say
from engine.log.events_client import AnswerUnkept
from engine.log.words import Code
from engine.session.answering import Answerer
from engine.session.books import ChatBooks
from engine.session.chat_parts import ChatParts
from engine.session.chat_settings import SessionSettings
from engine.session.chatlist import ChatHooks, ChatList
from engine.session.composing import Composer
from engine.session.estimating import Estimator
from engine.session.exchange import Exchange
from engine.session.intake import Intake
from engine.session.keeper import AnswerKeeper, LeftAnswer
from engine.session.opening import Surroundings
from engine.session.pinned import SessionDesk
from engine.session.pinning import PinBook
from engine.session.question import Question, still_answering
from engine.session.raw import RawAsks
from engine.session.telling import Teller
from wallet.errors import WalletError
from wallet.store import ChatSession

WRITE_S = 2.0


class ChatService:
    """Answers `ask`, `ask.*` and what of `sessions.*` asks something."""

    def __init__(self, around: Surroundings, settings: SessionSettings | None = None) -> None:
        shapes, bus = around.shapes, around.bus
        self.last_cost_msat: int | None = None
        self.spent_msat = 0
        """For answers since the start."""
        self.desk = SessionDesk(around)
        self.books = ChatBooks(around.store)
        chosen = settings or SessionSettings()
        self.composer = Composer(self.books, chosen)
        self.pins = PinBook(self.books, lambda chat: self.desk.open_for(chat) is not None)
        parts = ChatParts(self.desk, self.books, self.pins, self.composer)
        self._answerer = Answerer(parts, chosen, bus)
        self.estimates = Estimator(parts, shapes)
        self._intake = Intake(
            self.books, self.composer, self.estimates, shapes, self.desk.chooser, bus
        )
        self.listing = ChatList(
            self.books,
            shapes,
            ChatHooks(
                on_new=self.desk.warm_soon,
                on_delete=self._deleted,
                changed=self._changed,
                answering=self.is_answering,
                pin_of=self.pins.info,
                context_of=self._context_of,
            ),
            self.composer,
        )
        self.exchange = Exchange(self.books, self._changed)
        self.raw = RawAsks(self.desk, shapes, bus, chosen, self._start)
        self._boxes = around.boxes
        self._shapes = shapes
        self._bus = bus
        self._asks: dict[str, Question] = {}
        self._waiting: dict[str, Question] = {}
        """By chat: questions that may go to another ghost, if the user says so."""
        self._nursery: trio.Nursery | None = None
        self.closing = False
        """Whether the node ends, or asks no more: no new question is taken."""
        self._one_by_one = trio.Lock()
        """Held from the look whether a chat answers until it does."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own every question until cancelled."""
        keeper = AnswerKeeper(self.books.disk, self._boxes)
        left = await keeper.left()
        self.desk.claimed = {answer.record.session.name for answer in left}
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                await nursery.start(self.desk.run)
                nursery.start_soon(self._keep_writing)
                for answer in left:
                    self._take_up(answer, keeper)
                task_status.started()
                try:
                    await trio.sleep_forever()
                finally:
                    self._nursery = None
        finally:
            await self.books.aclose()

    async def close(self) -> None:
        """Stop every answer, settle and leave every session. An answer whose ghost cannot be
        reached now is left to the next start."""
        for ask in list(self._asks.values()):
            ask.resting = ask.pinned is not None and not ask.pinned.session.connected
            if ask.resting:
                ask.scope.cancel()
            else:
                await self._cancel(ask)
        await self.desk.close()

    # -- asking ----------------------------------------------------------------------------------

    async def ask(self, params: Mapping[str, Any]) -> AskStarted:
        """Store the question and start answering it; everything else comes as events."""
        async with self._one_by_one:
            self._check_open()
            return self._begin(await self._intake.new(params, self.is_answering), params)

    async def edit(self, params: Mapping[str, Any]) -> AskStarted:
        """Ask a question in other words, on a branch of its own."""
        async with self._one_by_one:
            self._check_open()
            return self._begin(await self._intake.edited(params, self.is_answering))

    async def retry(self, params: Mapping[str, Any]) -> AskStarted:
        """Ask for another answer, on a branch of its own."""
        async with self._one_by_one:
            self._check_open()
            return self._begin(await self._intake.repeated(params, self.is_answering))

    async def failover(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The user's word on showing a chat to another ghost."""
        chat, consent = params["session_id"], params["consent"]
        waiting = self._waiting.pop(chat, None)
        if waiting is None or (waiting.pinned is None and not waiting.consent):
            raise NotFound("No question of this chat waits for your word.", hint="Ask it again.")
        if consent == "no":
            return {"session_id": chat, "ask_id": ""}
        if consent == "always":
            await self.listing.set_own(chat, {"failover": "always"})
        async with self._one_by_one:
            started = self._begin(await self._intake.moved(waiting, self.is_answering))
        return {"session_id": chat, "ask_id": started.ask_id}

    async def rotate(self, params: Mapping[str, Any]) -> Session:
        """The chat's next question goes to another ghost over another path."""
        chat = await self.books.get(params["session_id"])
        if self.is_answering(chat.session_id):
            raise still_answering()
        await self._answerer.leave(chat.session_id)
        self._changed(chat.session_id)
        return await self.listing.detailed(chat.session_id)

    @property
    def answering(self) -> int:
        """Questions whose answers are under way."""
        return len(self._asks)

    def is_answering(self, chat: str) -> bool:
        return any(ask.chat == chat for ask in self._asks.values())

    def _begin(self, ask: Question, params: Mapping[str, Any] | None = None) -> AskStarted:
        ask.keeper = AnswerKeeper(self.books.of(ask.chat), self._boxes)
        self._waiting.pop(ask.chat, None)
        self._start(ask, lambda: self._answerer.answer(ask))
        self._changed(ask.chat if params is None or params.get("session_id") else "")
        return AskStarted(ask_id=ask.ask_id, session_id=ask.chat)

    def _take_up(self, left: LeftAnswer, keeper: AnswerKeeper) -> None:
        """Go on with an answer that an earlier process asked for."""
        ask = Question(
            ask_id=left.ask_id,
            chat=left.chat,
            want=self.desk.chooser.want(left.record.model),
            plan=self._shapes.default,
            teller=Teller(self._bus, left.ask_id, left.chat, left.text),
            keeper=keeper,
            line=left.line,
            settle=True,
            taken_up=True,
        )
        self._start(ask, lambda: self._answerer.go_on(ask, left))

    def _start(self, ask: Question, work: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        nursery = self._check_open()
        self._asks[ask.ask_id] = ask
        nursery.start_soon(self._see_to, ask, work)

    def _check_open(self) -> trio.Nursery:
        """Raises ShuttingDown once no new question is taken."""
        if self._nursery is None or self.closing:
            raise ShuttingDown("The node is shutting down.", kept="Nothing was asked or paid.")
        return self._nursery

    async def _see_to(self, ask: Question, work: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        """One question to its end, whatever the end is."""
        try:
            with ask.scope:
                self._finish(ask, await work())
            if ask.scope.cancelled_caught and ask.resting and ask.line is not None:
                await ask.write_down()
            elif ask.scope.cancelled_caught:
                await self._fail(ask, _cancelled())
        except (Peer2PromptError, WalletError) as error:
            await self._fail(ask, error)
        finally:
            self._asks.pop(ask.ask_id, None)
            if ask.pinned is not None:
                ask.pinned.asking = False
                ask.pinned.last_used = trio.current_time()

    async def _keep_writing(self) -> None:
        """Write down what was shown, so that a sudden death loses little of it."""
        while True:
            await trio.sleep(WRITE_S)
            for ask in list(self._asks.values()):
                try:
                    await ask.write_down()
                except WalletError as error:
                    say(AnswerUnkept(Code.of(error)))

    def _finish(self, ask: Question, result: dict[str, Any]) -> None:
        self.last_cost_msat = result["cost_msat"]
        self.spent_msat += result["cost_msat"] or 0
        ask.teller.done(result)
        self._bus.publish("wallet.changed", {})

    async def _fail(self, ask: Question, error: Peer2PromptError | WalletError) -> None:
        with trio.CancelScope(shield=True):
            try:
                await self._keep_failed(ask, error)
            except WalletError as unkept:
                say(AnswerUnkept(Code.of(unkept)))
        if ask.consent is not None:
            self._waiting[ask.chat] = ask
        ask.teller.end()
        ask.teller.failed(error.as_dict(), ask.consent)
        self._bus.publish("wallet.changed", {})

    async def _keep_failed(self, ask: Question, error: Peer2PromptError | WalletError) -> None:
        if ask.line is not None and ask.keeper is not None:
            await ask.keeper.fail(ask.line, ask.teller.shown, error, keep=ask.taken_up)
        elif ask.again and ask.message_id is not None:
            # The answers that the question has already are shown again.
            book = self.books.of(ask.chat)
            if await book.messages.get(ask.chat, ask.message_id) is not None:
                await book.messages.go_to(ask.chat, ask.message_id, newest=True)

    async def cancel(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Stop an answer: what was delivered is billed and kept."""
        ask = self._asks.get(str(params["ask_id"]))
        if ask is not None:
            await self._cancel(ask)
        return {}

    @staticmethod
    async def _cancel(ask: Question) -> None:
        if ask.pinned is not None and ask.pinned.asking:
            await ask.pinned.session.cancel()
        else:
            ask.scope.cancel()

    # -- what the list of chats asks for ---------------------------------------------------------

    async def _deleted(self, chat: str) -> None:
        self._waiting.pop(chat, None)
        self.pins.forget(chat)
        await self.desk.let_go(chat)

    def _changed(self, chat: str) -> None:
        self._bus.publish("sessions.changed", {"session_id": chat})

    async def _context_of(self, chat: ChatSession) -> ContextInfo | None:
        return await self.estimates.context_of(chat)


def _cancelled() -> Peer2PromptError:
    error = Peer2PromptError(
        "The question was cancelled before an answer began.", kept="Nothing was charged."
    )
    error.code = "cancelled"
    return error
