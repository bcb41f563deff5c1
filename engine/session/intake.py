"""Takes questions in: checks them whole, stores them, and makes `Question`s of them.

What is refused here was neither stored nor sent nor paid.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from engine.circuit.shape_menu import ShapeMenu
from engine.control.events import EventBus
from engine.errors import BadValue, Peer2PromptError
from engine.session.books import ChatBooks, no_such_message
from engine.session.chat_settings import ChatSettings, check_params
from engine.session.chooser import Chooser
from engine.session.composing import TRIM, Composer, to_come
from engine.session.context import MAX_BODY_BYTES
from engine.session.estimating import Estimator
from engine.session.files.attach import is_picture, read_files
from engine.session.preferences import Preferences
from engine.session.question import Question, still_answering
from engine.session.telling import Teller
from engine.session.tooling import check_results, results_of, with_results
from wallet.store import ChatMessage, ChatSession, Enclosed, Measured

TITLE_CHARS = 48
MAX_PROMPT_BYTES = 768 * 1024  # with its JSON it stays under the session protocol's 1 MiB

Answering = Callable[[str], bool]


class Intake:
    """See the module."""

    def __init__(
        self,
        books: ChatBooks,
        composer: Composer,
        estimates: Estimator,
        shapes: ShapeMenu,
        chooser: Chooser,
        bus: EventBus,
    ) -> None:
        self._bus = bus
        self._books = books
        self._composer = composer
        self._estimates = estimates
        self._shapes = shapes
        self._chooser = chooser

    async def new(self, params: Mapping[str, Any], answering: Answering) -> Question:
        """`ask`: a question at the end of a chat, or of a new one."""
        text: str = params["text"]
        files = read_files(params.get("attachments", ()))
        results = [{"id": one.id, "content": one.content} for one in params.get("results", ())]
        raw = with_results(text, results)
        check_text(raw or text, files)
        options = _options(params)
        check_params(options)
        await self._check_results(params["session_id"], results)
        chat = await self._chat_of(params, text, answering)
        want = await self._want(chat, chat.leaf, params, options, files)
        try:
            await self._check_room(
                chat, want, to_come(text, files, raw), options, params.get("trim")
            )
        except Peer2PromptError:
            if not chat.messages and params["session_id"] is None:
                await self._books.delete(chat.session_id)
            raise
        book = self._books.of(chat.session_id).messages
        message = await book.add(chat.session_id, "user", text, files=files, raw=raw)
        return self._question(chat, message.message_id, want, params, options)

    async def edited(self, params: Mapping[str, Any], answering: Answering) -> Question:
        """`sessions.edit`: other words beside a question that was asked."""
        chat, message = await self._message(params, answering)
        if message.role != "user":
            raise BadValue("This message is not a question of yours.")
        book = self._books.of(chat.session_id).messages
        found = await book.files([message.message_id])
        files = found.get(message.message_id, [])
        results = [{"id": i, "content": c} for i, c in results_of(message).items()]
        raw = with_results(params["text"], results)
        check_text(raw or params["text"], files)
        want = await self._want(chat, message.parent, params, {}, files)
        added = await book.add(
            chat.session_id,
            "user",
            params["text"],
            parent=message.parent,
            as_root=message.parent is None,
            files=files,
            raw=raw,
        )
        return self._question(chat, added.message_id, want, params, {})

    async def repeated(self, params: Mapping[str, Any], answering: Answering) -> Question:
        """`sessions.retry`: another answer to a question."""
        chat, message = await self._message(params, answering)
        number = message.message_id if message.role == "user" else message.parent
        book = self._books.of(chat.session_id).messages
        question = None if number is None else await book.get(chat.session_id, number)
        if question is None or question.role != "user":
            raise BadValue("This message answers no question of yours.")
        want = await self._want(chat, question.message_id, params, {}, ())
        await book.go_to(chat.session_id, question.message_id, newest=False)
        made = self._question(chat, question.message_id, want, params, {})
        made.again = True
        return made

    async def moved(self, failed: Question, answering: Answering) -> Question:
        """The same question again, for another ghost."""
        chat = await self._books.get(failed.chat)
        if answering(chat.session_id):
            raise still_answering()
        book = self._books.of(chat.session_id).messages
        await book.go_to(chat.session_id, failed.message_id, newest=False)
        avoid = failed.want.avoid
        if failed.pinned is not None:
            avoid |= {failed.pinned.route.ghost}
        ask_id = secrets.token_hex(8)
        return replace(
            failed,
            ask_id=ask_id,
            teller=Teller(self._bus, ask_id, failed.chat),
            want=replace(failed.want, avoid=avoid),
            scope=type(failed.scope)(),
            pinned=None,
            line=None,
            written=0,
            ghosts=0,
            consent=None,
            again=True,
            elsewhere=True,
        )

    # -- parts -----------------------------------------------------------------------------------

    async def _chat_of(
        self, params: Mapping[str, Any], text: str, answering: Answering
    ) -> ChatSession:
        """The chat asked in, with what was chosen for it from now on; a new one without a name."""
        wanted = params["shape"]
        shape = self._shapes.plan(wanted).shape_class.label if wanted else ""
        if params["session_id"] is None:
            own = ChatSettings(system=params.get("system") or "").checked()
            return await self._books.create(
                " ".join(text.split())[:TITLE_CHARS] or "Files",
                params["model"] or "",
                temporary=params.get("temporary", False),
                shape=shape,
                settings=own.plain(),
            )
        chat = await self._books.get(params["session_id"])
        if answering(chat.session_id):
            raise still_answering()
        if params.get("temporary") and not self._books.is_temporary(chat.session_id):
            raise BadValue(
                "This chat is on disk already, so a question in it cannot be temporary.",
                kept="Nothing was asked.",
                hint="Begin a new chat, or take this one off the disk: sessions set --temporary.",
            )
        if (shape and shape != chat.shape) or params.get("system") is not None:
            settings = ChatSettings.of(chat.settings).changed({"system": params.get("system")})
            await self._books.of(chat.session_id).sessions.update(
                chat.session_id, shape=shape or None, settings=settings.plain()
            )
            chat = await self._books.get(chat.session_id)
        return chat

    async def _check_results(self, chat_id: str | None, results: list[dict[str, str]]) -> None:
        """Raises BadResult for results of calls that the chat's last answer did not make."""
        before = None
        if results and chat_id is not None:
            chat = await self._books.get(chat_id)
            if chat.leaf is not None:
                before = await self._books.of(chat_id).messages.get(chat_id, chat.leaf)
        check_results(results, before)

    async def _want(
        self,
        chat: ChatSession,
        leaf: int | None,
        params: Mapping[str, Any],
        options: Mapping[str, Any],
        files: list[Enclosed] | tuple[Enclosed, ...],
    ) -> Preferences:
        want = self._chooser.want(
            params.get("model") or chat.model or None,
            ghost=params.get("ghost", ""),
            prefer=params.get("prefer", ""),
        )
        needs = set(await self._composer.features(chat, leaf, options))
        if any(is_picture(file) for file in files):
            needs.add("images")
        return replace(want, features=want.features | needs)

    async def _check_room(
        self,
        chat: ChatSession,
        want: Preferences,
        question: Measured,
        options: Mapping[str, Any],
        trim: bool | None,
    ) -> None:
        """Refuse now what would be refused later, after the way to a ghost was built."""
        offer = await self._estimates.roomiest(chat, want)
        branch = await self._composer.branch(
            chat, offer, extra=question, max_tokens=options.get("max_tokens")
        )
        branch.check(trim=branch.own.full == TRIM if trim is None else trim)

    async def _message(
        self, params: Mapping[str, Any], answering: Answering
    ) -> tuple[ChatSession, ChatMessage]:
        chat = await self._books.get(params["session_id"])
        if answering(chat.session_id):
            raise still_answering()
        book = self._books.of(chat.session_id).messages
        message = await book.get(chat.session_id, params["message_id"])
        if message is None:
            raise no_such_message()
        return chat, message

    def _question(
        self,
        chat: ChatSession,
        message_id: int,
        want: Preferences,
        params: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> Question:
        ask_id = secrets.token_hex(8)
        return Question(
            ask_id=ask_id,
            chat=chat.session_id,
            teller=Teller(self._bus, ask_id, chat.session_id),
            want=want,
            plan=self._shapes.plan(params.get("shape") or chat.shape),
            message_id=message_id,
            params=options,
            settle=params.get("settle", False),
            trim=params.get("trim"),
        )


def check_text(text: str, files: list[Enclosed]) -> None:
    """Raises BadValue for a question that is nothing, or too much."""
    if not text.strip() and not files:
        raise BadValue("The question is empty.", hint="Type something to ask.")
    if len(text.encode()) > MAX_PROMPT_BYTES:
        raise BadValue(
            f"The question is longer than {MAX_PROMPT_BYTES // 1024} KiB.",
            hint="Shorten it; nothing was sent.",
        )
    if len(text.encode()) + sum(len(f.data) * 4 // 3 for f in files) > MAX_BODY_BYTES:
        raise BadValue(
            f"The question with its files is longer than {MAX_BODY_BYTES // 1000} kB.",
            hint="Attach less; nothing was sent.",
        )


def _options(params: Mapping[str, Any]) -> dict[str, Any]:
    """The options of this question alone."""
    named = {
        name: params[name] for name in ("max_tokens", "temperature") if params[name] is not None
    }
    return {**params.get("params", {}), **named}
