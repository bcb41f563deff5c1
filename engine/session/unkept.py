"""Books that keep nothing, for questions of which nothing is to stay."""

from __future__ import annotations

import trio

from engine.market.seams import KeptReceipt


class NoAnswers:
    """A book of answers under way that forgets them at once."""

    async def begin(
        self, session_id: str, ask_id: str, data: bytes, *, parent: int | None = None
    ) -> int:
        del session_id, ask_id, data, parent
        await trio.lowlevel.checkpoint()
        return 0

    async def update(self, message_id: int, data: bytes) -> None:
        del message_id, data
        await trio.lowlevel.checkpoint()


class NoReceipts:
    """A book of receipts that forgets them at once."""

    async def add(
        self,
        session_hash: bytes,
        n: int,
        raw: bytes,
        ghost_sig: bytes,
        *,
        side: str,
        cost_msat: int,
        client_sig: bytes | None = None,
    ) -> None:
        del session_hash, n, raw, ghost_sig, side, cost_msat, client_sig
        await trio.lowlevel.checkpoint()

    async def countersign(self, session_hash: bytes, n: int, client_sig: bytes) -> bool:
        del session_hash, n, client_sig
        await trio.lowlevel.checkpoint()
        return False

    async def list(self, session_hash: bytes, *, side: str) -> list[KeptReceipt]:
        del session_hash, side
        await trio.lowlevel.checkpoint()
        return []
