"""One question and its answer as it comes: to be read piece by piece, or awaited whole.

    async for piece in p.chat("What is an onion?"):
        print(piece, end="")

    reply = await p.chat("What is an onion?")

The question is put when its answer is first wanted. It is called off, and paid for only as far as
it came, by `cancel()`, by leaving the loop or an `async with` block early, when the task that reads
it is cancelled (the stop button of a notebook), and when the connection is closed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import anyio

from engine.control.client import ControlClient, ControlClosed, ControlError, EventStream
from engine.control.protocol.asking import (
    AskDelta,
    AskDone,
    AskFailed,
    AskPart,
    AskResult,
    AskStarted,
    AskState,
)
from engine.control.protocol.events import Lagged, read_event
from engine.control.protocol.sessions import Part
from tui.notebook.errors import Cancelled, remote, told
from tui.notebook.link import Link
from tui.notebook.reply import Reply, answer_blocks, cost_line, reply_of
from tui.notebook.view import Guarded, View, Words
from tui.questions import call_off, from_history

if TYPE_CHECKING:
    from tui.notebook.conversation import Conversation

Put = Callable[[ControlClient], Awaitable[AskStarted]]


class Answer(Guarded):
    """An answer under way. Several tasks may read it; each gets all of it from the beginning.

    Raises the errors of `tui.notebook.errors` from wherever it is read; what came before is in
    `text` then, and `reply` stays None.
    """

    def __init__(self, link: Link, put: Put, conversation: Conversation) -> None:
        self.conversation = conversation
        """The chat it belongs to: ask on with `answer.conversation.ask(...)`."""
        self.state = ""
        """What is being done: building, opening, paying, asking, streaming, settling or done."""
        self.reply: Reply | None = None
        self._link, self._put = link, put
        self._turn = anyio.Lock()
        self._client: ControlClient | None = None
        self._events: EventStream | None = None
        self._started: AskStarted | None = None
        self._pieces: list[str] = []
        self._held = 0
        self._parts: dict[int, Part] = {}
        self._failure: ControlError | None = None
        self._called_off = False

    @property
    def text(self) -> str:
        """The text as far as it came."""
        return self.reply.answer if self.reply is not None else "".join(self._pieces)

    @property
    def parts(self) -> list[Part]:
        """What came that is not text: reasoning, calls of tools, refusals."""
        return self.reply.parts if self.reply is not None else list(self._parts.values())

    @property
    def done(self) -> bool:
        return self.reply is not None or self._failure is not None

    # -- reading ---------------------------------------------------------------------------------

    def __aiter__(self) -> AsyncIterator[str]:
        return _Pieces(self)

    def __await__(self) -> Generator[Any, None, Reply]:
        return self.whole().__await__()

    async def whole(self) -> Reply:
        """The whole answer with its account; the same as awaiting this object."""
        while self.reply is None:
            await self._advance()
        return self.reply

    async def show(self) -> None:
        """In a notebook: show it while it comes, in one display that is updated. Then `reply` is
        there. Needs IPython."""
        from tui.notebook.stage import follow, stage_of

        await follow(self, stage_of())

    async def cancel(self) -> Reply | None:
        """Stop it, and wait for its account. None when it had not begun: nothing is charged."""
        if self._started is None:
            async with self._turn:  # it may be being put just now
                if self._started is None and not self.done:
                    self._end(told(ControlError("This question was never put.")))
        if self._started is None:
            return None
        await self._call_off()
        try:
            return await self.whole()
        except Cancelled:
            return None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self._call_off()

    # -- events ----------------------------------------------------------------------------------

    async def _advance(self) -> None:
        """Take one event in. Raises what the answer failed of."""
        async with self._turn:
            if self.reply is not None:
                return
            if self._failure is not None:
                raise self._failure
            failure: ControlError | None = None
            try:
                await self._one_event()
            except ControlError as exc:
                failure = told(exc)
            except BaseException:  # cancelled: nobody waits any more
                await self._call_off()
                raise
            if failure is not None:
                self._end(failure)
                raise failure

    async def _one_event(self) -> None:
        if self._client is None or self._events is None or self._started is None:
            await self._begin()
            return
        try:
            event = await anext(self._events)
        except StopAsyncIteration:
            raise ControlClosed(
                "The node went away before the answer was whole.",
                kept="What had arrived is in the chat; unspent ecash is in the wallet's journal.",
                hint="Start the node again: it takes the answer up, and the chat has it then.",
            ) from None
        data = read_event(event)
        if isinstance(data, Lagged):
            done = await from_history(self._client, self._started)
            if done is not None:
                self._finish(done)
        elif str(event.data.get("ask_id")) == str(self._started.ask_id):
            self._take(data)

    async def _begin(self) -> None:
        client = await self._link.client()
        events = client.subscribe()
        try:
            self._started = await self._put(client)
        except BaseException:
            events.close()
            raise
        self._client, self._events = client, events
        self._link.before_close(self._call_off)

    def _take(self, data: object) -> None:
        match data:
            case AskDelta():
                self._grow(data.text, data.offset)
            case AskPart():
                known = self._parts.get(data.part)
                text = (known.text if known is not None else "") + data.text
                self._parts[data.part] = Part(kind=data.kind, text=text, id=data.id, name=data.name)
            case AskState():
                self.state = data.state
            case AskDone():
                self._finish(data)
            case AskFailed():
                raise remote(data.error, data.consent)

    def _grow(self, text: str, offset: int) -> None:
        """Take what is new of a piece: a path that was taken up again repeats some. After a gap
        the rest waits for the whole answer."""
        data = text.encode()
        if offset > self._held:
            return
        new = data[self._held - offset :]
        if new:
            self._held += len(new)
            self._pieces.append(new.decode("utf-8", "ignore"))

    def _finish(self, done: AskDone) -> None:
        self._grow_to(done.result)
        self.reply = reply_of(done)
        self._end(None)

    def _grow_to(self, result: AskResult) -> None:
        rest = result.answer.encode()[self._held :].decode("utf-8", "ignore")
        if rest:
            self._pieces.append(rest)

    def _end(self, failure: ControlError | None) -> None:
        self.state, self._failure = "done", failure
        self._link.not_before_close(self._call_off)
        if self._events is not None:
            self._events.close()

    # -- stopping --------------------------------------------------------------------------------

    async def _call_off(self) -> None:
        if self.done or self._called_off or self._client is None or self._started is None:
            return
        self._called_off = True
        await call_off(self._client, self._started)

    def _left(self) -> None:
        """A reader went away early."""
        if not self.done and self._started is not None:
            self._link.soon(self._call_off)

    # -- showing ---------------------------------------------------------------------------------

    def _summary(self) -> str:
        if self._failure is not None:
            return "failed"
        return "done" if self.done else self.state or "not asked yet"

    def __str__(self) -> str:
        return self.text

    def _view(self) -> View:
        blocks = answer_blocks(self.text, self.parts)
        line = f"{self._summary()} …"
        if self.reply is not None:
            line = cost_line(self.reply)
        elif self._failure is not None:
            line = self._failure.message
        return View("", [*blocks, Words(line, quiet=True)])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        from tui.notebook.plain import plain

        printer.text("..." if cycle else plain(self._view()))


class _Pieces:
    """One reader's place in an answer. Letting go of it early means that the rest is not wanted."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._next = 0

    def __aiter__(self) -> _Pieces:
        return self

    async def __anext__(self) -> str:
        answer = self._answer
        while self._next >= len(answer._pieces):
            if answer.reply is not None:
                raise StopAsyncIteration
            await answer._advance()
        piece = answer._pieces[self._next]
        self._next += 1
        return piece

    def __del__(self) -> None:
        self._answer._left()
