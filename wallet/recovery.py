"""What becomes of operations that were left open: forward where it can, wait where it must.

Each mint's operations go one after the other, mints side by side; a mint that cannot be reached
is asked once a round.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

import trio

from wallet import journal
from wallet.errors import MintBusy, MintLied, MintUnreachable, WalletError
from wallet.executor import Executor
from wallet.journal import Kind, Operation, State
from wallet.store import Store
from wallet.types import RecoveryNote

# A slot nobody signed in two weeks will not be signed any more: sessions live for hours.
SLOT_LIFE_S = 14 * 86_400
OUTCOMES = ("completed", "reclaimed", "released", "waiting", "held", "failed")
"""What a note may say."""


async def recover(store: Store, executor: Executor, which: Collection[str]) -> list[RecoveryNote]:
    """Move these operations on as far as it goes now; one note for each still open or just done."""
    rows = await store.run(lambda tx: tx.operations.open())
    by_mint: dict[str, list[tuple[Operation, float]]] = defaultdict(list)
    for row in rows:
        if row.op_id in which:
            age_s = store.clock() - row.created
            by_mint[row.mint].append((journal.from_row(row), age_s))
    executor.left.difference_update(set(which) - {row.op_id for row in rows})
    notes: list[RecoveryNote] = []

    async def one_mint(operations: list[tuple[Operation, float]]) -> None:
        down = ""
        for op, age_s in operations:
            try:
                notes.append(
                    _note(op, "waiting", down) if down else await _one(executor, op, age_s)
                )
            except MintUnreachable as error:
                down = error.message
                notes.append(_note(op, "waiting", down))

    async with trio.open_nursery() as nursery:
        for operations in by_mint.values():
            nursery.start_soon(one_mint, operations)
    return notes


async def _one(executor: Executor, op: Operation, age_s: float) -> RecoveryNote:
    try:
        if op.kind is Kind.SLOT:
            return await _slot(executor, op, age_s)
        if op.state is State.PREPARED:
            return await _undo(executor, op)
        # A payment to a peer is not sent again by us: unspent, it is taken back.
        await executor.drive(op.id, resend=op.kind is not Kind.PAY)
        after = (await executor.load(op.id)).result
        if after is not None and after.failed:
            return _note(op, "reclaimed", "It was taken back.")
        return _note(op, "completed", "")
    except (MintBusy, MintLied) as error:
        return _note(op, "held", error.message)
    except MintUnreachable:
        raise
    except WalletError as error:
        return _note(op, "failed", error.message)


async def _undo(executor: Executor, op: Operation) -> RecoveryNote:
    """Prepared and never sent: nobody but us knows of it."""
    async with executor.lock(op.id):
        if (await executor.load(op.id)).state is State.PREPARED:
            await executor.fail(op, "It was not begun before the program ended.")
    executor.left.discard(op.id)
    return _note(op, "released", "It had not begun.")


async def _slot(executor: Executor, op: Operation, age_s: float) -> RecoveryNote:
    async with executor.lock(op.id):
        result = (await executor.load(op.id)).result or await executor.look(op)
        if result is None and age_s > SLOT_LIFE_S:
            await executor.fail(op, "Nothing came back in two weeks.", forget=True)
            return _note(op, "released", "Nothing came back in two weeks.")
    return _note(op, "waiting" if result is None else "completed", "")


def _note(op: Operation, outcome: str, message: str) -> RecoveryNote:
    return RecoveryNote(op.id, op.kind.value, op.mint, outcome, op.body.amount_sat, message)
