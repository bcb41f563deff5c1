"""Where chats are kept: on disk, or, the temporary ones, in the memory of this process alone.

Both are stores of the same kind, so nothing else of the program tells them apart.
"""

from __future__ import annotations

from engine.errors import NotFound
from wallet.store import ChatSession, Store


class ChatBooks:
    """The chats of one client. Call `open` before a temporary one is made."""

    def __init__(self, store: Store) -> None:
        self.disk = store
        self._memory: Store | None = None
        self._temporary: set[str] = set()

    async def memory(self) -> Store:
        """The store of the temporary chats."""
        if self._memory is None:
            self._memory = await Store.in_memory(clock=self.disk.clock)
        return self._memory

    def is_temporary(self, session_id: str) -> bool:
        return session_id in self._temporary

    def of(self, session_id: str) -> Store:
        """The store that this chat is in, or would be."""
        if session_id in self._temporary and self._memory is not None:
            return self._memory
        return self.disk

    def all(self) -> list[Store]:
        """Every store with chats, the disk first."""
        return [self.disk, *([self._memory] if self._memory is not None else [])]

    async def get(self, session_id: str) -> ChatSession:
        """The chat with this id. Raises NotFound when there is none."""
        chat = await self.of(session_id).sessions.get(session_id)
        if chat is None:
            raise NotFound("There is no such chat.", hint="List them: peer2prompt sessions")
        return chat

    async def list(self, *, archived: bool) -> list[ChatSession]:
        """Pinned first, then the latest used."""
        found = [c for store in self.all() for c in await store.sessions.list(archived=archived)]
        return sorted(found, key=lambda chat: (chat.pinned, chat.updated), reverse=True)

    async def create(
        self, title: str, model: str, *, temporary: bool, shape: str, settings: dict[str, object]
    ) -> ChatSession:
        store = await self.memory() if temporary else self.disk
        chat = await store.sessions.create(title, model, shape=shape, settings=settings)
        if temporary:
            self._temporary.add(chat.session_id)
        return chat

    async def delete(self, session_id: str) -> None:
        """Gone for good: overwritten on disk, or forgotten."""
        await self.of(session_id).sessions.delete(session_id)
        self._temporary.discard(session_id)

    async def move(self, session_id: str, *, temporary: bool) -> None:
        """Take a chat from the disk into memory, or back."""
        if temporary == self.is_temporary(session_id):
            return
        source = self.of(session_id)
        target = await self.memory() if temporary else self.disk
        tree = await source.trees.read(session_id)
        if tree is None:
            return
        pin = await source.pins.get(session_id)
        await target.trees.write([tree], session_id)
        if pin is not None:
            await target.pins.put(session_id, pin.data)
        await source.sessions.delete(session_id)
        (self._temporary.add if temporary else self._temporary.discard)(session_id)

    async def copy_branch(self, session_id: str, message_id: int) -> str | None:
        """The way to a message as a chat of its own, beside the first; None without the message."""
        store = self.of(session_id)
        tree = await store.trees.read(session_id, upto=message_id)
        if tree is None or not tree.nodes:
            return None
        (new_id,) = await store.trees.write([tree])
        if self.is_temporary(session_id):
            self._temporary.add(new_id)
        return new_id

    async def aclose(self) -> None:
        """Forget the temporary chats."""
        memory, self._memory = self._memory, None
        self._temporary.clear()
        if memory is not None:
            await memory.aclose()


def no_such_message() -> NotFound:
    """The error for a number that is of no message of a chat."""
    return NotFound(
        "There is no such message in this chat.", hint="See: peer2prompt sessions show ID"
    )
