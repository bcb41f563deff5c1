"""The chats as the control clients see and change them: list, settings, branches, places."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.circuit.shape_menu import ShapeMenu, cost_of
from engine.control.protocol.chats import Defaults
from engine.control.protocol.sessions import ContextInfo, Message, PinInfo, Session, Shape
from engine.session.books import ChatBooks, no_such_message
from engine.session.chat_settings import ChatSettings
from engine.session.composing import Composer
from engine.session.question import still_answering
from engine.session.views import message_view, session_view
from engine.wire.shape import ShapeClass, ShapePlan
from wallet.store import ChatSession

MAX_PAGE = 1_000


@dataclass(frozen=True)
class ChatHooks:
    """What the list asks of the rest of the session layer."""

    on_new: Callable[[], None]
    on_delete: Callable[[str], Awaitable[None]]
    changed: Callable[[str], None]
    answering: Callable[[str], bool]
    pin_of: Callable[[str], Awaitable[PinInfo | None]]
    context_of: Callable[[ChatSession], Awaitable[ContextInfo | None]]


class ChatList:
    """Answers `sessions.*`, but for what asks a question."""

    def __init__(
        self, books: ChatBooks, shapes: ShapeMenu, hooks: ChatHooks, composer: Composer
    ) -> None:
        self._books = books
        self._composer = composer
        self._shapes = shapes
        self._hooks = hooks

    async def list_all(self, params: dict[str, Any]) -> list[Session]:
        """Every chat, pinned ones first, then the newest."""
        return [self._view(c) for c in await self._books.list(archived=params["archived"])]

    async def show(self, params: dict[str, Any]) -> Session:
        """One chat, with its ghost and how full the model's context is."""
        return await self.detailed(params["session_id"])

    async def detailed(self, session_id: str) -> Session:
        chat = await self._books.get(session_id)
        return self._view(
            chat, await self._hooks.pin_of(session_id), await self._hooks.context_of(chat)
        )

    async def create(self, params: dict[str, Any]) -> Session:
        """An empty chat."""
        own = ChatSettings(system=params["system"], params=params["params"]).checked()
        chat = await self._books.create(
            params["title"] or "New chat",
            params["model"] or "",
            temporary=params["temporary"],
            shape=self._shape(params["shape"]) or "",
            settings=own.plain(),
        )
        self._hooks.on_new()
        self._hooks.changed(chat.session_id)
        return self._view(chat)

    async def change(self, params: dict[str, Any]) -> Session:
        """`sessions.set`."""
        session_id = params["session_id"]
        if params["temporary"] is not None and self._hooks.answering(session_id):
            raise still_answering()
        await self.set_own(session_id, params)
        await self._books.of(session_id).sessions.update(
            session_id,
            title=params["title"],
            model=params["model"],
            shape=self._shape(params["shape"]),
        )
        if params["temporary"] is not None:
            await self._books.move(session_id, temporary=params["temporary"])
        return await self._changed(session_id)

    async def set_own(self, session_id: str, changes: Mapping[str, Any]) -> None:
        """Change the chat's own settings."""
        chat = await self._books.get(session_id)
        changed = ChatSettings.of(chat.settings).changed(changes)
        await self._books.of(session_id).sessions.update(session_id, settings=changed.plain())

    async def defaults(self, params: dict[str, Any]) -> Defaults:
        """What holds for chats that chose nothing, changed by what is given."""
        kept = await self._composer.set_defaults(params)
        return Defaults(
            system=kept.system,
            params=kept.params,
            failover=kept.failover,
            full=kept.full,
            rotate_after=kept.rotate_after,
        )

    async def rename(self, params: dict[str, Any]) -> Session:
        """Give a chat another title."""
        return await self._update(params["session_id"], title=params["title"])

    async def pin(self, params: dict[str, Any]) -> Session:
        return await self._update(params["session_id"], pinned=params["pinned"])

    async def archive(self, params: dict[str, Any]) -> Session:
        return await self._update(params["session_id"], archived=params["archived"])

    async def delete(self, params: dict[str, Any]) -> dict[str, Any]:
        """Delete a chat and overwrite its messages on disk."""
        chat = await self._books.get(params["session_id"])
        await self._books.delete(chat.session_id)
        await self._hooks.on_delete(chat.session_id)
        self._hooks.changed("")
        return {}

    async def messages(self, params: dict[str, Any]) -> list[Message]:
        """A page of the branch in use, oldest first."""
        session_id = params["session_id"]
        await self._books.get(session_id)
        book = self._books.of(session_id).messages
        found = await book.list(
            session_id,
            limit=max(0, min(params["limit"], MAX_PAGE)),
            before=params["before"],
            after=params["after"],
        )
        siblings = await book.siblings(found)
        files = await book.files([m.message_id for m in found if m.role == "user"])
        return [
            message_view(m, siblings.get(m.message_id, ()), files.get(m.message_id, ()))
            for m in found
        ]

    async def branch(self, params: dict[str, Any]) -> Session:
        """Go on from a message; with `as_new` in a chat of its own."""
        session_id, message_id = params["session_id"], params["message_id"]
        if params["as_new"]:
            return await self._copy(session_id, message_id)
        return await self._go_to(session_id, message_id, newest=False)

    async def choose(self, params: dict[str, Any]) -> Session:
        """Show the branch that a message is on."""
        return await self._go_to(params["session_id"], params["message_id"], newest=True)

    async def shapes(self, _params: dict[str, Any]) -> list[Shape]:
        """Every traffic shape with its cost, the recommended one first."""
        return [_shape(plan, self._shapes) for plan in self._shapes.plans]

    # -- small things ----------------------------------------------------------------------------

    async def _go_to(self, session_id: str, message_id: int, *, newest: bool) -> Session:
        await self._books.get(session_id)
        book = self._books.of(session_id).messages
        if await book.get(session_id, message_id) is None:
            raise no_such_message()
        await book.go_to(session_id, message_id, newest=newest)
        return await self._changed(session_id)

    async def _copy(self, session_id: str, message_id: int) -> Session:
        """The way to a message as a chat of its own, which asks a ghost of its own."""
        await self._books.get(session_id)
        new_id = await self._books.copy_branch(session_id, message_id)
        if new_id is None:
            raise no_such_message()
        self._hooks.on_new()
        return await self._changed(new_id)

    async def _update(self, session_id: str, **changes: Any) -> Session:
        await self._books.get(session_id)
        await self._books.of(session_id).sessions.update(session_id, **changes)
        return await self._changed(session_id)

    async def _changed(self, session_id: str) -> Session:
        self._hooks.changed(session_id)
        return await self.detailed(session_id)

    def _shape(self, name: str | None) -> str | None:
        """The shape's own label; "" for the default, None for no change."""
        return self._shapes.plan(name).shape_class.label if name else name

    def _view(
        self, chat: ChatSession, pin: PinInfo | None = None, context: ContextInfo | None = None
    ) -> Session:
        return session_view(
            chat,
            temporary=self._books.is_temporary(chat.session_id),
            answering=self._hooks.answering(chat.session_id),
            pin=pin,
            context=context,
        )


def _shape(plan: ShapePlan, menu: ShapeMenu) -> Shape:
    cost = cost_of(plan)
    return Shape(
        shape=plan.shape_class.label,
        default=plan == menu.default,
        tick_ms=plan.tick_ms,
        ladder=list(plan.ladder) if plan.shape_class is ShapeClass.TEXT else [],
        bytes_per_minute=cost.bytes_per_minute,
        least_bytes=cost.least_bytes,
        least_s=cost.least_s,
        leak_bits=cost.leak_bits,
        leak_bound=cost.leak_bound,
        words=cost.words,
    )
