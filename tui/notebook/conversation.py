"""A chat of several questions: the node keeps its messages, its ghost and its credit there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, TypedDict, Unpack, cast

import anyio

from engine.control.client import ControlClient
from engine.control.protocol.asking import AskStarted
from engine.control.protocol.asking import Failover as FailoverShape
from engine.control.protocol.sessions import Message, Session
from tui.notebook.answer import Answer
from tui.notebook.errors import TooDear, told, wrong_use
from tui.notebook.files import File, attached
from tui.notebook.link import Link
from tui.notebook.reply import Messages
from tui.notebook.results import Estimate
from tui.notebook.view import Guarded, View, Words
from tui.questions import put


class ChatOptions(TypedDict, total=False):
    """What is chosen for a whole chat, with its first question."""

    model: str | None
    """The name of a model; without one any that fits is taken."""
    system: str | None
    """Words to the model before everything else."""
    temporary: bool
    """Leave nothing of the chat on the node's disk."""
    shape: str | None
    """Traffic shape: text, always-on or bulk; None for the node's own."""
    prefer: str
    """price, speed, quality or reliability above all else."""
    ghost: str
    """Ask this ghost and no other: its id or the beginning of it."""


class QuestionOptions(TypedDict, total=False):
    """What is chosen for one question."""

    attachments: Sequence[File]
    """Texts and pictures: paths, bytes, or names with bytes."""
    max_tokens: int | None
    """The longest answer."""
    temperature: float | None
    params: Mapping[str, Any] | None
    """More options for the model, `tools` among them."""
    max_sat: float | None
    """Refuse before anything is sent when the dearest answer would cost more."""
    trim: bool | None
    """Leave out the oldest messages when the context is full."""
    settle: bool
    """Get unspent credit back before the answer counts as done, so that its account is final."""


class AskOptions(ChatOptions, QuestionOptions, total=False):
    """Everything that can be chosen for a question in a chat of its own."""


_ASKED: Final = ("max_tokens", "temperature", "trim", "settle")
"""Of the options of a question those that go to the node as they are."""


class Conversation(Guarded):
    """A chat. One question is answered after the other; each is shown the ones before."""

    def __init__(
        self, link: Link, *, session_id: str | None = None, **options: Unpack[ChatOptions]
    ) -> None:
        _only(options, ChatOptions.__optional_keys__)
        self.session_id = session_id
        """Its id at the node; None until its first question was put."""
        self._link = link
        self._options = options
        self._turn = anyio.Lock()

    def ask(self, text: str, **options: Unpack[QuestionOptions]) -> Answer:
        """Ask. The question is put when the answer is first read.

        Reading raises `TooDear` or `WrongUse` before anything was sent, and the errors of
        `tui.notebook.errors` after.
        """
        _only(options, QuestionOptions.__optional_keys__)

        async def put_it(client: ControlClient) -> AskStarted:
            async with self._turn:
                started = await self._put(client, text, options)
                self.session_id = started.session_id
                return started

        return Answer(self._link, put_it, self)

    def failover(self, *, always: bool = False) -> Answer:
        """Your word after `NeedsConsent`: another ghost is shown the chat and asked the question
        that failed, this once, or `always` when one fails in this chat. It is asked when the answer
        is first read."""

        async def move(client: ControlClient) -> AskStarted:
            consent = "always" if always else "once"
            found = await client.call_as(
                FailoverShape, "ask.failover", session_id=self._known(), consent=consent
            )
            return AskStarted(ask_id=found.ask_id, session_id=found.session_id)

        return Answer(self._link, move, self)

    async def decline(self) -> None:
        """After `NeedsConsent`: no other ghost is to be shown the chat."""
        await self._link.call("ask.failover", session_id=self._known(), consent="no")

    async def estimate(self, text: str, **options: Unpack[QuestionOptions]) -> Estimate:
        """What the question would cost here. Nothing is sent to a ghost for it."""
        _only(options, QuestionOptions.__optional_keys__)
        return await self._estimate(text, options, await attached(options.get("attachments", ())))

    async def messages(self, limit: int = 200) -> Messages:
        """The newest messages, the oldest of them first."""
        if self.session_id is None:
            return Messages()
        found = await self._link.call_as(
            list[Message], "sessions.messages", session_id=self.session_id, limit=limit
        )
        return Messages(found)

    async def info(self) -> Session:
        """What the node knows of this chat: title, ghost, how full its context is."""
        return await self._link.call_as(Session, "sessions.show", session_id=self._known())

    async def rename(self, title: str) -> None:
        """Give it a title."""
        await self._link.call("sessions.rename", session_id=self._known(), title=title)

    async def rotate(self) -> None:
        """Have the next question asked of another ghost over another path."""
        await self._link.call("sessions.rotate", session_id=self._known())

    async def delete(self) -> None:
        """Delete it for good."""
        await self._link.call("sessions.delete", session_id=self._known())

    # -- asking ----------------------------------------------------------------------------------

    async def _put(self, client: ControlClient, text: str, options: QuestionOptions) -> AskStarted:
        files = await attached(options.get("attachments", ()))
        if not text.strip() and not files:
            raise wrong_use("There is no question.")
        limit = options.get("max_sat")
        if limit is not None:
            await self._check(text, options, files, limit)
        own = {name: value for name, value in options.items() if name in _ASKED}
        kept = self.session_id is not None
        chosen = {n: v for n, v in self._options.items() if not (kept and n == "temporary")}
        more = {"attachments": files, "params": dict(options.get("params") or {})}
        asked = {**chosen, **own, **more, "text": text, "session_id": self.session_id}
        return await put(client, "ask", **asked)

    async def _check(
        self, text: str, options: QuestionOptions, files: list[dict[str, Any]], limit: float
    ) -> None:
        """Refuse a question that may cost more than it is allowed to."""
        found = await self._estimate(text, options, files)
        limit_msat = int(limit * 1000)
        if not found.ghosts:
            raise told(
                TooDear(
                    "No ghost's price is known yet, so the cost cannot be bounded.",
                    limit_msat=limit_msat,
                    hint="See `await p.models()`, or ask without max_sat.",
                )
            )
        if found.most_msat > limit_msat:
            most = -(-found.most_msat // 1000)
            raise told(
                TooDear(
                    f"The longest answer would cost {most:,} sat, more than the {limit:g} allowed.",
                    most_msat=found.most_msat,
                    limit_msat=limit_msat,
                    hint="Allow more, shorten it with max_tokens, or choose a cheaper model.",
                )
            )

    async def _estimate(
        self, text: str, options: QuestionOptions, files: list[dict[str, Any]]
    ) -> Estimate:
        return await self._link.call_as(
            Estimate,
            "ask.estimate",
            text=text,
            session_id=self.session_id,
            model=self._options.get("model"),
            max_tokens=options.get("max_tokens"),
            attachments=files,
            system=self._options.get("system"),
        )

    def _known(self) -> str:
        if self.session_id is None:
            raise wrong_use("Nothing was asked in this chat yet.")
        return self.session_id

    def _summary(self) -> str:
        return self.session_id[:8] if self.session_id else "nothing asked yet"

    def _view(self) -> View:
        return View("", [Words(f"Chat {self._summary()}", quiet=True)])


def split(options: AskOptions) -> tuple[ChatOptions, QuestionOptions]:
    """What is for the chat, and what for the question. Raises `TypeError` for anything else."""
    chat = {n: v for n, v in options.items() if n in ChatOptions.__optional_keys__}
    question = {n: v for n, v in options.items() if n not in chat}
    return cast(ChatOptions, chat), cast(QuestionOptions, question)


def _only(options: Mapping[str, object], known: frozenset[str]) -> None:
    """A misspelled option must not be ignored in silence."""
    for name in options:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            meant = f" Did you mean {close[0]}?" if close else ""
            raise TypeError(f"there is no option {name!r}.{meant}")
