"""Taking back ecash that is out but unspent: a swap to ourselves, with the old request's outputs
as fallback in case the other side is faster. Writes to the journal only."""

from __future__ import annotations

from collections.abc import Sequence

from wallet import journal
from wallet.ecash import amounts
from wallet.ecash.types import Proof, ProofState
from wallet.journal import Body, Kind, Operation, Result, State
from wallet.mints import MintBook
from wallet.prepare import keep_outputs, write
from wallet.store import Transaction


def prepare_reclaim(
    tx: Transaction,
    op: Operation,
    inputs: Sequence[Proof],
    states: Sequence[ProofState],
    mints: MintBook,
) -> str | None:
    """Journal the swap-back of `op`'s unspent `inputs` (opened, when they were locked); its id, or
    None when they are too little to pay for a swap (they are then simply available again)."""
    spent = [p for p, s in zip(inputs, states, strict=True) if s is ProofState.SPENT]
    rest = [p for p, s in zip(inputs, states, strict=True) if s is not ProofState.SPENT]
    tx.proofs.delete(op.mint, (proof.secret for proof in spent))
    fee_ppk = mints.fee_ppk(op.mint)
    fee = amounts.input_fee(fee_ppk(proof) for proof in rest)
    value = amounts.total(rest) - fee
    if value <= 0:
        tx.proofs.release(op.id)
        _close(tx, op, "", back=amounts.total(rest))
        return None
    outputs = keep_outputs(tx, mints, op.mint, value)
    body = Body(
        amount_sat=value,
        fee_sat=fee,
        inputs=journal.input_specs(rest),
        outputs=outputs,
        fallback=op.body.outputs,
        note=op.id,
    )
    op_id = write(tx, Kind.RECLAIM, op.mint, body, state=State.EXECUTING)
    tx.proofs.move(op.id, op_id)
    _close(tx, op, op_id, back=0)
    return op_id


def _close(tx: Transaction, op: Operation, successor: str, *, back: int) -> None:
    """`back` is in coins that are simply available again."""
    result = Result(amount_sat=back, failed="It was taken back.", successor=successor)
    tx.operations.finish(op.id, journal.encode(result))
