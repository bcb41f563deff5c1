"""Tokens that were handed out: whether somebody has taken them, and taking them back.

Whoever asks a mint about the coins of a token tells it that they once were his. So a token is asked
about alone, on the way on which the mint cannot know us again, and by itself only now and then:
when is the caller's choice. What the mint says is spent is struck out; nothing else is.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine

from msgspec.structs import replace

from wallet import journal
from wallet.ecash import tokens
from wallet.ecash.curve import secret_to_y
from wallet.ecash.types import Proof, ProofState
from wallet.errors import TokenInvalid, UnknownOperation
from wallet.journal import Kind
from wallet.mints import MintBook
from wallet.prepare import proofs_key
from wallet.store import Store, Transaction
from wallet.store.operations import OperationRow
from wallet.types import SentToken

WAITING, TAKEN, RETURNED = "waiting", "taken", "returned"
Receive = Callable[[str], Coroutine[None, None, int]]


class SentDesk:
    def __init__(self, store: Store, mints: MintBook, receive: Receive) -> None:
        """`receive` swaps a token to ourselves."""
        self._store = store
        self._mints = mints
        self._receive = receive
        self._rng = random.SystemRandom()

    async def recent(self, limit: int = 50) -> list[SentToken]:
        """The newest first. Asks no mint."""

        def work(tx: Transaction) -> list[SentToken]:
            left = tx.proofs.sent_sums()
            rows = tx.operations.by_kind(Kind.SEND.value, limit)
            tokens = [_token(row, left.get(row.op_id, 0)) for row in rows]
            return [token for token in tokens if token is not None]

        return await self._store.run(work)

    async def get(self, op_id: str) -> SentToken:
        """One of them. Raises UnknownOperation."""

        def work(tx: Transaction) -> SentToken | None:
            row = tx.operations.get(op_id)
            if row is None or row.kind != Kind.SEND:
                return None
            return _token(row, sum(proof.amount for proof in tx.proofs.sent(op_id)))

        found = await self._store.run(work)
        if found is None:
            raise UnknownOperation("There is no such token in this wallet.")
        return found

    async def coins(self, op_id: str) -> list[Proof]:
        """What of it is not known to be spent."""
        return await self._store.run(lambda tx: tx.proofs.sent(op_id))

    async def check(self, op_id: str) -> SentToken:
        """Ask the mint about this token, and strike out what was taken of it."""
        token = await self.get(op_id)
        if token.state == WAITING:
            coins = await self.coins(op_id)
            async with self._mints.stranger(token.mint) as client:
                states = await client.states([secret_to_y(coin.secret) for coin in coins])
            gone = [c for c, s in zip(coins, states, strict=True) if s is ProofState.SPENT]
            await self.strike_out(op_id, token.mint, gone)
        return await self.get(op_id)

    async def check_any(self) -> SentToken | None:
        """Ask about one token, chosen at random, of which nothing is known; None without any."""
        waiting = [token for token in await self.recent(1000) if token.state == WAITING]
        return await self.check(self._rng.choice(waiting).op_id) if waiting else None

    async def take_back(self, op_id: str) -> int:
        """Swap a token to ourselves before somebody takes it; how much came back.

        Raises TokenInvalid when it is too late, or locked to others.
        """
        token = await self.get(op_id)
        if token.state != WAITING:
            raise TokenInvalid(_OVER[token.state], kept="Nothing was changed.")
        try:
            came = await self._receive(token.token)
        except TokenInvalid:
            await self.check(op_id)
            raise
        await self._store.run(lambda tx: _close(tx, op_id, RETURNED))
        return came

    async def strike_out(self, op_id: str, mint: str, gone: list[Proof]) -> None:
        """The mint says that these coins of the token are spent."""

        def work(tx: Transaction) -> None:
            tx.proofs.delete(mint, (coin.secret for coin in gone))
            if gone and not tx.proofs.sent(op_id):
                _close(tx, op_id, RETURNED if _ours(tx, op_id) else TAKEN)

        await self._store.run(work)


_OVER = {
    TAKEN: "The token was taken by somebody.",
    RETURNED: "The token is back in the wallet.",
}


def _token(row: OperationRow, left: int) -> SentToken | None:
    done = journal.from_row(row).result
    if done is None or not done.token:
        return None
    # Without coins and without a word it came back as any token does: we took it ourselves.
    state = WAITING if left else done.closed or RETURNED
    return SentToken(row.op_id, row.mint, done.amount_sat, done.token, row.created, state, left)


def _ours(tx: Transaction, op_id: str) -> bool:
    """Whether it is this wallet itself that takes the token, which the mint cannot know."""
    row = tx.operations.get(op_id)
    result = journal.from_row(row).result if row is not None else None
    if row is None or result is None or not result.token:
        return False
    key = proofs_key(row.mint, tokens.decode(result.token).proofs)
    return tx.operations.by_dedup(f"receive:{key}") is not None


def _close(tx: Transaction, op_id: str, closed: str) -> None:
    row = tx.operations.get(op_id)
    result = journal.from_row(row).result if row is not None else None
    if result is not None:
        tx.operations.finish(op_id, journal.encode(replace(result, closed=closed)))
