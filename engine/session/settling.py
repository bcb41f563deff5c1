"""Gets the unspent credit of a session back as ecash, whatever happens to the circuit meanwhile.

The blank outputs are persisted before the ghost is asked; the same message sent again after a cut
gets the same signatures.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from engine.errors import Peer2PromptError
from engine.market import client_events as events
from engine.market.client_session import ClientSession
from engine.market.convert import keyset_bytes, signatures_of
from engine.market.credit import MSAT
from engine.market.seams import PayingWallet
from engine.session import failures
from engine.session.link import LOST, GhostLink
from engine.session.vault import SavedSession
from engine.wire import session as wire
from wallet.errors import WalletError

SETTLE_TRIES = 4
SETTLE_RETRY_S = 1.0
RESOLVE_S = 45.0

Drive = Callable[[Callable[[], bool]], Awaitable[None]]
"""Reads from the ghost until the given condition holds."""


class Settler:
    """Settlements of one session, one at a time."""

    def __init__(
        self,
        wallet: PayingWallet,
        link: GhostLink,
        *,
        drive: Drive,
        keep: Callable[[SavedSession], Awaitable[None]],
        forget: Callable[[], Awaitable[None]],
    ) -> None:
        self._wallet = wallet
        self._link = link
        self._drive = drive
        self._keep = keep
        self._forget = forget
        self._settle: wire.Settle | None = None
        self._answer: events.SettledUp | wire.Error | None = None

    @property
    def busy(self) -> bool:
        return self._settle is not None

    def on_answer(self, answer: events.SettledUp | wire.Error) -> None:
        """The ghost's word on the settlement under way."""
        self._answer = answer

    async def on_new_stream(self) -> None:
        """What was sent on the old stream may be lost: send it again."""
        if self._settle is not None:
            await self._link.send(self._settle)

    async def run(self, session: ClientSession, saved: SavedSession, sat: int) -> tuple[int, int]:
        """Settle `sat`, and what the ghost says is left after that: only it knows of an answer that
        cost less than was believed. Returns what came back in sat and the credit left in msat."""
        back, left = await self._once(session, saved, sat)
        for _ in range(SETTLE_TRIES):
            if left < MSAT:
                break
            try:
                more, left = await self._once(session, saved, left // MSAT)
            except (Peer2PromptError, WalletError):
                return back, left  # the vault keeps the session: it is tried again
            back += more
            if not more:
                break
        with trio.CancelScope(shield=True):
            await self._forget()
        return back, left

    async def _once(self, session: ClientSession, saved: SavedSession, sat: int) -> tuple[int, int]:
        with trio.CancelScope(shield=True):
            slot = await self._wallet.refund_outputs(saved.mint, sat)
            await self._keep(saved.with_slot(slot.id))
        outs = tuple(slot.outputs)
        self._settle = wire.Settle(saved.mint, sat, keyset_bytes(slot.keyset_id), outs)
        session.credit.settling = True
        credit = session.credit.ledger.balance
        try:
            settled = await self._ask(self._settle)
        except LOST as error:
            await self.resolve(slot.id)
            raise failures.of_way(error, 0, credit) from error
        finally:
            self._settle = None
            session.credit.settling = False
        with trio.CancelScope(shield=True):
            back = await self._wallet.refund_settle(slot.id, signatures_of(settled.change))
        return back, settled.credit_msat

    async def _ask(self, settle: wire.Settle) -> events.SettledUp:
        for attempt in range(SETTLE_TRIES):
            self._answer = None
            try:
                await self._link.send(settle)
            except LOST as error:
                await self._link.lost(error)
            await self._drive(lambda: self._answer is not None)
            answer = self._answer
            if isinstance(answer, events.SettledUp):
                return answer
            if answer is None or not answer.retry or attempt + 1 == SETTLE_TRIES:
                raise failures.of_ghost(answer)
            await trio.sleep(SETTLE_RETRY_S * 2**attempt)
        raise failures.of_ghost(None)

    async def resolve(self, slot: str) -> None:
        """Ask the mint what became of an earlier settlement's outputs."""
        with trio.move_on_after(RESOLVE_S, shield=True):
            try:
                await self._wallet.refund_resolve(slot)
            except WalletError:
                return  # the vault keeps the slot; it is tried again with the next settlement
