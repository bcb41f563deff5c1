"""One question of the local API on its way through the session layer, and how many may be.

Questions of one tag wait for each other beyond a number, first come first served, so that one
program cannot push out another. A question whose asker has gone is stopped: what was delivered is
billed, nothing more. There is no way to a provider here but the session layer's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import trio

from engine.control.protocol.asking import AskStarted
from engine.control.protocol.sessions import Model
from engine.errors import Peer2PromptError
from engine.gateway.apart import Apart, Place
from engine.gateway.problems import Problem, problem_of
from engine.gateway.tags import Label
from engine.log import say
from engine.log.events import AnswerUnstopped
from engine.log.words import Code
from engine.session.raw import Watcher
from wallet.errors import WalletError

MAX_WAITING = 512
STOP_S = 5.0


@dataclass(frozen=True, slots=True)
class Piece:
    """More of an answer: text, reasoning, call or embedding."""

    kind: str
    text: str = field(default="", repr=False)
    id: str = ""
    name: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer is whole; `result` is what `ask.done` says."""

    result: dict[str, Any] = field(repr=False)


class Chats(Protocol):
    """What the session layer does for the API."""

    async def ask(self, params: dict[str, Any], watcher: Watcher) -> AskStarted: ...

    async def cancel(self, params: dict[str, Any]) -> dict[str, Any]: ...

    async def models(self, params: dict[str, Any]) -> list[Model]: ...


class Answer:
    """What comes of one question. `next` until `Ended`; raises Problem."""

    def __init__(self, on_end: Callable[[], None]) -> None:
        self.ask_id = ""
        self.ended = False
        self._on_end = on_end
        self._pieces: deque[Piece | Ended | Problem] = deque()
        self._error: Peer2PromptError | WalletError | None = None
        self._more = trio.Event()

    def __repr__(self) -> str:
        return f"Answer({self.ask_id!r}, ended={self.ended})"

    async def next(self) -> Piece | Ended:
        while not self._pieces:
            await self._more.wait()
        piece = self._pieces.popleft()
        if not self._pieces:
            self._more = trio.Event()
        if isinstance(piece, Problem):
            raise piece
        return piece

    # -- what the session layer says -------------------------------------------------------------

    def publish(self, name: str, data: dict[str, Any] | None = None) -> None:
        told = data or {}
        if name == "ask.delta":
            self._put(Piece("text", told["text"]))
        elif name == "ask.part":
            self._put(Piece(told["kind"], told["text"], told["id"], told["name"]))
        elif name == "ask.done":
            self._put(Ended(told["result"]))
            self.end()
        elif name == "ask.failed":
            self._put(_problem(self._error, told["error"]))
            self.end()

    def failing(self, error: Peer2PromptError | WalletError) -> None:
        self._error = error

    def end(self) -> None:
        """Nothing comes any more; the place is free for the next question."""
        if not self.ended:
            self.ended = True
            self._on_end()

    def _put(self, piece: Piece | Ended | Problem) -> None:
        self._pieces.append(piece)
        self._more.set()


class Asker:
    """Asks for the API's programs."""

    def __init__(self, chats: Chats, apart: Apart) -> None:
        self._chats = chats
        self._apart = apart
        self._open: set[Answer] = set()
        self.waiting = 0
        self.asked = 0
        self.closing = False
        """Whether the API is being switched off: nothing new is asked."""

    @property
    def under_way(self) -> int:
        return len(self._open)

    async def models(self) -> list[Model]:
        """What the known ghosts offer."""
        return await self._chats.models({})

    @asynccontextmanager
    async def asking(
        self, body: dict[str, Any], model: str | None, tag: str, label: Label
    ) -> AsyncIterator[Answer]:
        """An answer to take from; left before its end it is stopped. Raises Problem."""
        if self.closing:
            raise Problem(503, "shutting_down", "The local API is being switched off.")
        place = await self._place(tag, label)
        answer: Answer

        def ended() -> None:
            place.gate.release()
            self._apart.leave(place)
            self._open.discard(answer)

        answer = Answer(ended)
        self._open.add(answer)
        try:
            params = {"body": body, "model": model, "tag": tag, "shape": None}
            started = await self._chats.ask(params, answer)
        except (Peer2PromptError, WalletError) as error:
            answer.end()
            raise problem_of(error) from error
        except BaseException:
            answer.end()
            raise
        answer.ask_id = str(started.ask_id)
        self.asked += 1
        try:
            yield answer
        finally:
            if not answer.ended:
                await self._stop(answer)

    async def _stop(self, answer: Answer) -> None:
        with trio.move_on_after(STOP_S, shield=True):
            try:
                await self._chats.cancel({"ask_id": answer.ask_id})
            except (Peer2PromptError, WalletError) as error:
                say(AnswerUnstopped(Code.of(error)))

    async def _place(self, tag: str, label: Label) -> Place:
        """When it is this question's turn; it must be given back."""
        if self.waiting >= MAX_WAITING:
            raise Problem(
                429,
                "busy",
                "Too many questions are waiting.",
                "Ask again in a moment.",
                headers={"Retry-After": "5"},
            )
        self.waiting += 1
        try:
            place = await self._apart.enter(tag, label)
            try:
                await place.gate.acquire()
            except BaseException:
                self._apart.leave(place)
                raise
        finally:
            self.waiting -= 1
        return place


def _problem(error: Peer2PromptError | WalletError | None, told: dict[str, Any]) -> Problem:
    if error is not None:
        return problem_of(error)
    return Problem(499, str(told["code"]), str(told["message"]), str(told["hint"]))
