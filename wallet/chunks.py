"""Locked coins for chunks (NUT-11), made ahead of need: only one ghost can spend them, until then.

A lot is worth one payment exactly, change and fee included, and is locked to the ghost's key; after
its lock time it is ours again, by a key of our own that is used for this lot alone. Making lots is
one swap, journalled like every other; taking them back when nobody used them is another, done by
`take_back_ended`, which is called again and again. A lot lies in the store from the moment the mint
signed it, so no crash loses one.

What a mint learns: nothing when a lot is made (outputs are blinded). When it is spent, the ghost's
key, our key for this lot and the lock time: so each lot has a fresh key, and lock times lie on a
grid that all clients share. That the coin was locked shows what it was for.
"""

from __future__ import annotations

from collections.abc import Sequence

from wallet import journal
from wallet.ecash import amounts, conditions
from wallet.ecash.conditions import Lock
from wallet.ecash.curve import secret_to_y
from wallet.ecash.errors import EcashError
from wallet.ecash.types import Proof, ProofState
from wallet.errors import MintError, PaymentInvalid
from wallet.executor import Executor
from wallet.journal import Body, Kind, OutputSpec, Role
from wallet.keyring import KeyRing
from wallet.mints import MintBook
from wallet.opening import Opener, lock_has_ended
from wallet.prepare import choose, keep_outputs, own_outputs, positive, proofs_key, write
from wallet.store import Store, Transaction

LOCK_S = 3600
GRID_S = 900
"""Lock times are rounded up to this, so that lots of many clients end at the same moment."""
PAY_MARGIN_S = 1200
"""A lot that ends sooner is not paid with: its ghost may need time to reach the mint."""
TAKE_MARGIN_S = 600
"""A ghost takes no payment whose lock ends sooner."""


class Chunks:
    def __init__(
        self, store: Store, mints: MintBook, executor: Executor, keys: KeyRing, opener: Opener
    ) -> None:
        self._store = store
        self._mints = mints
        self._executor = executor
        self._keys = keys
        self._opener = opener

    async def keep(self, url: str, key: str, lot_sat: int, lots: int, least: int) -> None:
        """Have lots of `lot_sat` for `key` (hex) ready: when fewer than `least` are, make them up
        to `lots` in one swap. Raises InsufficientFunds or a MintProblem."""
        url = self._mints.require_sat(url)
        after = payable_until(self._store.clock())
        ready = await self._store.run(lambda tx: tx.locks.ready(url, key, after))
        have = sum(1 for _, sat in ready if sat == lot_sat)
        if have < least:
            await self.make(url, key, lot_sat, lots - have)

    async def make(self, url: str, key: str, lot_sat: int, lots: int) -> None:
        """Lock `lots` times `lot_sat` to `key`, in one swap."""
        url = self._mints.require_sat(url)
        positive(lot_sat)
        until = -(-int(self._store.clock() + LOCK_S) // GRID_S) * GRID_S
        try:
            locks = [
                conditions.lock_to_keys([key], locktime=until, refund=[await self._keys.fresh()])
                for _ in range(lots)
            ]
        except EcashError as exc:
            raise PaymentInvalid("The ghost's key for locked payments is none.") from exc

        async def write_down() -> str:
            return await self._store.run(lambda tx: self._prepare(tx, url, lot_sat, locks))

        op_id = await self._executor.under_way.coins_for(write_down)
        await self._executor.drive(op_id)

    def _prepare(self, tx: Transaction, url: str, lot_sat: int, locks: Sequence[Lock]) -> str:
        per_coin = self._mints.active(url).input_fee_ppk
        parts = amounts.split(lot_sat + amounts.fee_included(lot_sat, per_coin))
        value = sum(parts) * len(locks)
        chosen, fee = choose(tx, self._mints, url, value)
        rest = amounts.total(chosen) - fee - value
        outputs: list[OutputSpec] = keep_outputs(tx, self._mints, url, rest) if rest else []
        for lock in locks:
            outputs += own_outputs(tx, self._mints, url, parts, Role.SEND, lock)
        body = Body(
            amount_sat=value,
            fee_sat=fee,
            inputs=journal.input_specs(chosen),
            outputs=sorted(outputs, key=lambda spec: spec.amount),
            lot_sat=lot_sat,
        )
        op_id = write(tx, Kind.LOCK, url, body)
        tx.proofs.reserve(chosen, op_id)
        return op_id

    # -- back to ourselves

    async def take_back_ended(self) -> int:
        """Swap the lots whose lock has ended to ourselves; sat. Raises a MintProblem when a mint
        does not do it now, after all others."""
        now = self._store.clock()
        back, trouble = 0, None
        for url, lot, until in await self._store.run(lambda tx: tx.locks.ended(now)):
            if not lock_has_ended(until, now):
                continue
            try:
                back += await self._take_back(url, lot)
            except MintError as exc:
                if not await self._strike_out(url, lot):
                    trouble = exc
        await self._store.run(lambda tx: tx.locks.tidy())
        if trouble is not None:
            raise trouble
        return back

    async def _take_back(self, url: str, lot: str) -> int:
        coins = await self._store.run(lambda tx: tx.locks.coins(lot))
        opened = (await self._opener.open(coins, ""))([])
        op_id = await self._store.run(lambda tx: self._prepare_back(tx, url, opened))
        return (await self._executor.drive(op_id)).amount_sat if op_id is not None else 0

    def _prepare_back(self, tx: Transaction, url: str, coins: list[Proof]) -> str | None:
        dedup = "unlock:" + proofs_key(url, coins)
        if (known := tx.operations.by_dedup(dedup)) is not None:
            return known.op_id
        fee = amounts.input_fee(map(self._mints.fee_ppk(url), coins))
        value = amounts.total(coins) - fee
        if value <= 0:  # not worth the fee
            tx.proofs.delete(url, (coin.secret for coin in coins))
            return None
        body = Body(
            amount_sat=value,
            fee_sat=fee,
            own=False,
            inputs=journal.input_specs(coins),
            outputs=keep_outputs(tx, self._mints, url, value),
        )
        return write(tx, Kind.UNLOCK, url, body, dedup)

    async def _strike_out(self, url: str, lot: str) -> bool:
        """The mint refused to take a lot back: forget what it says was spent; whether any was."""
        coins = await self._store.run(lambda tx: tx.locks.coins(lot))
        states = await self._mints.client(url).states([secret_to_y(coin.secret) for coin in coins])
        gone = [c.secret for c, s in zip(coins, states, strict=True) if s is ProofState.SPENT]
        await self._store.run(lambda tx: tx.proofs.delete(url, gone))
        return bool(gone)


def payable_until(now: float) -> float:
    """Until when a lot must be locked to be paid with now (unix seconds)."""
    return now + PAY_MARGIN_S


def lots_worth(ready: Sequence[tuple[str, int]], amount_sat: int) -> list[str] | None:
    """Lots of one size that make up this amount exactly, as large as can be, because each carries
    a fee; or None."""
    for size in sorted({sat for _, sat in ready}, reverse=True):
        count, rest = divmod(amount_sat, size)
        fitting = [lot for lot, sat in ready if sat == size][:count]
        if not rest and len(fitting) == count:
            return fitting
    return None


def check_payable(coin: Proof, now: float) -> str:
    """The one key (hex) that can spend a locked coin of a payment. Raises PaymentInvalid for a
    lock that is not ours alone for as long as taking the payment may need."""
    try:
        lock = conditions.parse(coin.secret)
    except EcashError as exc:
        raise PaymentInvalid("The payment is locked in a way that is not understood.") from exc
    if lock is None or lock.kind is not conditions.LockKind.P2PK or lock.sig_all:
        raise PaymentInvalid("The payment is locked in a way that is not taken.")
    if len(lock.keys) != 1 or lock.n_sigs != 1:
        raise PaymentInvalid("The payment is locked to several keys.")
    if lock.locktime is not None and lock.locktime < now + TAKE_MARGIN_S:
        raise PaymentInvalid("The lock of the payment ends too soon.")
    return lock.data
