"""The connection to one's own node, as programs and notebooks use it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from engine.control.protocol.frames import Event
from engine.control.protocol.sessions import Session
from tui.notebook.answer import Answer
from tui.notebook.circuit import CircuitFace
from tui.notebook.conversation import AskOptions, ChatOptions, Conversation, split
from tui.notebook.link import Link
from tui.notebook.now import Now
from tui.notebook.results import (
    Chats,
    Earnings,
    Estimate,
    Examination,
    Ghosts,
    GhostsFound,
    Model,
    Models,
    Status,
)
from tui.notebook.view import Shown, View, Words
from tui.notebook.wallet import WalletFace

T = TypeVar("T")


class Peer(Shown):
    """Your node, reached over its control socket. Made by `peer2prompt.connect`.

    It may be used from many tasks at once. When the node goes away, what was under way raises
    `ControlClosed`; the next call connects again.
    """

    def __init__(self, link: Link, after: Callable[[], Awaitable[None]] | None = None) -> None:
        self._link = link
        self._after = after
        self.wallet = WalletFace(link)
        """`await p.wallet` is the balance; `fund`, `send`, `receive`, `history`, `mints`."""
        self.circuit = CircuitFace(link)
        """`await p.circuit` is the path questions take now; `await p.circuit.all()`."""
        self.earnings = Now(self._earnings)
        """`await p.earnings` is what this node's ghost earned."""

    # -- asking ----------------------------------------------------------------------------------

    def chat(self, text: str, **options: Unpack[AskOptions]) -> Answer:
        """Ask one question in a chat of its own; go on with `answer.conversation.ask(...)`.

        The answer is an async iterator of text, or awaited whole. See `ChatOptions` and
        `QuestionOptions` for what can be chosen.
        """
        chat, question = split(options)
        return self.conversation(**chat).ask(text, **question)

    def conversation(
        self, session_id: str | None = None, **options: Unpack[ChatOptions]
    ) -> Conversation:
        """A chat of several questions: a new one, or with its id one that the node keeps."""
        return Conversation(self._link, session_id=session_id, **options)

    async def estimate(self, text: str, **options: Unpack[AskOptions]) -> Estimate:
        """What a question would cost. Nothing is sent to a ghost for it."""
        chat, question = split(options)
        return await self.conversation(**chat).estimate(text, **question)

    async def chats(self, *, archived: bool = False) -> Chats:
        """The chats that the node keeps; `conversation(session_id)` goes on with one."""
        found = await self._link.call_as(list[Session], "sessions.list", archived=archived)
        return Chats(found)

    # -- looking ---------------------------------------------------------------------------------

    async def models(self) -> Models:
        """Every model at every ghost that is known, with prices and what is thought of it."""
        return Models(await self._link.call_as(list[Model], "models"))

    async def ghosts(self) -> Ghosts:
        """Every ghost that is known, and what was seen of it."""
        return Ghosts((await self._link.call_as(GhostsFound, "ghosts")).ghosts)

    async def status(self) -> Status:
        """How the node is doing."""
        return await self._link.call_as(Status, "status")

    async def doctor(self, *, network: bool = True) -> Examination:
        """Have the node look for what keeps it from working well; without `network` it asks no
        mint and no relay."""
        return await self._link.call_as(Examination, "node.doctor", network=network)

    async def _earnings(self) -> Earnings:
        return await self._link.call_as(Earnings, "earnings")

    # -- everything else -------------------------------------------------------------------------

    async def call(self, method: str, /, **params: Any) -> Any:
        """Any method of the control protocol, its result as plain values."""
        return await self._link.call(method, **params)

    async def call_as(self, shape: type[T], method: str, /, **params: Any) -> T:
        """The same, with the result in a shape of `engine.control.protocol`."""
        return await self._link.call_as(shape, method, **params)

    async def events(self) -> AsyncIterator[Event]:
        """All events of the node from now on, until the link ends."""
        client = await self._link.client()
        stream = client.subscribe()
        try:
            async for event in stream:
                yield event
        finally:
            stream.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called. A link that broke is dialled again by the next call."""
        return self._link.closed

    async def open(self) -> None:
        """Connect now, when there is no link. Raises `NodeNotRunning`."""
        await self._link.client()

    async def close(self) -> None:
        """Call off what is under way and hang up; end the node, if `connect` started it."""
        await self._link.close()
        after, self._after = self._after, None
        if after is not None:
            await after()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def _view(self) -> View:
        state = "closed" if self.closed else f"node at {self._link.path}"
        return View("", [Words(f"Peer2Prompt, {state}")])
