"""Which ghost a chat is with, and what that ghost has seen of it. `data` is the session layer's."""

from __future__ import annotations

from dataclasses import dataclass, field

from wallet.store.transaction import Runner


@dataclass(frozen=True, slots=True)
class Pin:
    """`since` is unix seconds; `messages` counts answers, `spent_msat` their cost."""

    session_id: str
    data: bytes = field(repr=False)
    since: float
    messages: int = 0
    spent_msat: int = 0


class Pins:
    """One pin a chat at most."""

    def __init__(self, store: Runner) -> None:
        self._store = store

    async def get(self, session_id: str) -> Pin | None:
        row = await self._store.run(
            lambda tx: tx.row(
                "SELECT session_id, data, since, messages, spent_msat FROM chat_pins"
                " WHERE session_id = ?",
                (session_id,),
            )
        )
        return Pin(*row) if row else None

    async def put(self, session_id: str, data: bytes) -> None:
        """The chat is with this ghost from now on; counts begin anew."""
        await self._store.run(
            lambda tx: tx.execute(
                "INSERT OR REPLACE INTO chat_pins"
                " SELECT session_id, ?, ?, 0, 0 FROM chat_sessions WHERE session_id = ?",
                (data, tx.now, session_id),
            )
        )

    async def renew(self, session_id: str, data: bytes) -> None:
        """Other data for the same ghost; counts go on."""
        await self._store.run(
            lambda tx: tx.execute(
                "UPDATE chat_pins SET data = ? WHERE session_id = ?", (data, session_id)
            )
        )

    async def count(self, session_id: str, cost_msat: int) -> None:
        """One more answer of this ghost."""
        await self._store.run(
            lambda tx: tx.execute(
                "UPDATE chat_pins SET messages = messages + 1, spent_msat = spent_msat + ?"
                " WHERE session_id = ?",
                (cost_msat, session_id),
            )
        )

    async def drop(self, session_id: str) -> None:
        await self._store.run(
            lambda tx: tx.execute("DELETE FROM chat_pins WHERE session_id = ?", (session_id,))
        )
