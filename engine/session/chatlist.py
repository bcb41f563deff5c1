"""The list of chats as the control clients see it. Reads and changes the store, nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from engine.circuit.shape_menu import ShapeMenu, cost_of
from engine.control.protocol.frames import ErrorBody
from engine.control.protocol.sessions import Message, MessageMeta, Session, Shape
from engine.errors import Peer2PromptError
from engine.wire.shape import ShapeClass, ShapePlan
from wallet.store import ChatMessage, ChatSession, Store


class ChatList:
    """Answers `sessions.*`."""

    def __init__(
        self,
        store: Store,
        shapes: ShapeMenu,
        *,
        on_new: Callable[[], None],
        on_delete: Callable[[str], Awaitable[None]],
    ) -> None:
        self._store = store
        self._shapes = shapes
        self._on_new = on_new
        self._on_delete = on_delete

    async def known(self, session_id: str) -> ChatSession:
        """The chat with this id. Raises Peer2PromptError when there is none."""
        chat = await self._store.sessions.get(session_id)
        if chat is None:
            raise Peer2PromptError("There is no such chat.", hint="List them: peer2prompt sessions")
        return chat

    async def list_all(self, _params: dict[str, Any]) -> list[Session]:
        """Every chat, the newest first."""
        return [_session(chat) for chat in await self._store.sessions.list()]

    async def create(self, params: dict[str, Any]) -> Session:
        """An empty chat."""
        shape = self._shapes.plan(params["shape"]).shape_class.label if params["shape"] else ""
        chat = await self._store.sessions.create(
            params["title"] or "New chat", params["model"] or "", shape=shape
        )
        self._on_new()
        return _session(chat)

    async def messages(self, params: dict[str, Any]) -> list[Message]:
        """Messages of one chat, oldest first."""
        await self.known(params["session_id"])
        messages = await self._store.messages.list(
            params["session_id"], limit=params["limit"], before=params["before"]
        )
        return [_message(message) for message in messages]

    async def rename(self, params: dict[str, Any]) -> Session:
        """Give a chat another title."""
        await self.known(params["session_id"])
        await self._store.sessions.rename(params["session_id"], params["title"])
        return _session(await self.known(params["session_id"]))

    async def delete(self, params: dict[str, Any]) -> dict[str, Any]:
        """Delete a chat and overwrite its messages on disk."""
        chat = await self.known(params["session_id"])
        await self._store.sessions.delete(chat.session_id)
        await self._on_delete(chat.session_id)
        return {}

    async def shapes(self, _params: dict[str, Any]) -> list[Shape]:
        """Every traffic shape with its cost, the recommended one first."""
        return [_shape(plan, self._shapes) for plan in self._shapes.plans]


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


def _session(chat: ChatSession) -> Session:
    return Session(
        session_id=chat.session_id,
        title=chat.title,
        model=chat.model,
        created=chat.created,
        updated=chat.updated,
        messages=chat.messages,
        shape=chat.shape,
    )


def _message(message: ChatMessage) -> Message:
    known: dict[str, Any] = {
        name: message.meta.get(name) for name in ("cost_msat", "tokens_in", "tokens_out")
    }
    return Message(
        message_id=message.message_id,
        role=message.role,
        text=message.text,
        created=message.created,
        meta=MessageMeta(
            **known,
            ttft_ms=message.meta.get("ttft_ms"),
            state=message.meta.get("state", "done"),
            mailboxes=message.meta.get("mailboxes"),
            by_mail=message.meta.get("by_mail", False),
            error=_error(message.meta.get("error")),
        ),
    )


def _error(found: Any) -> ErrorBody | None:
    return ErrorBody(**found) if isinstance(found, dict) else None
