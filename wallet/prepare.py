"""What every operation does before it is journalled: choose coins, take counters, write it down.

All of it inside the caller's transaction, so that a coin or a counter is never used twice.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

from wallet import journal
from wallet.accounts import unit_of
from wallet.ecash import amounts
from wallet.ecash.amounts import Heap
from wallet.ecash.conditions import Lock
from wallet.ecash.types import Proof
from wallet.errors import BadAmount, InsufficientFunds
from wallet.journal import Body, Kind, OutputSpec, Role, State
from wallet.mints import MintBook
from wallet.store import Transaction

MAX_SAT = 21_000_000 * 100_000_000


def positive(amount_sat: int) -> None:
    if not 0 < amount_sat <= MAX_SAT:
        raise BadAmount("The amount must be a whole positive number.")


def choose(tx: Transaction, mints: MintBook, mint: str, amount: int) -> tuple[list[Proof], int]:
    """Coins that cover `amount` and their input fee (NUT-02), and that fee."""
    heaps = heaps_at(tx, mints, mint)
    chosen = amounts.select_heaps(heaps, amount)
    if chosen is None:
        have = amounts.value_of(heaps)
        unit = unit_of(mint)
        raise still_resting(tx, [mint], amount, have) or InsufficientFunds(
            f"This needs {amount} {unit} and the mint's fee; {have} {unit} are available at"
            f" {mint}.",
            needed_sat=amount,
            available_sat=have,
            reserved_sat=tx.proofs.reserved(mint),
            kept="Nothing was spent.",
            hint="Fund the wallet: peer2prompt wallet fund AMOUNT",
        )
    return pick(tx, mint, chosen), amounts.input_fee_of(chosen)


def still_resting(
    tx: Transaction, mints: Sequence[str], amount: int, have: int
) -> InsufficientFunds | None:
    """Why too little can be spent at these mints only for a while yet: fresh coins rest. None when
    they would not do either."""
    rests = [tx.proofs.resting(mint) for mint in mints]
    resting, until = sum(rest for rest, _ in rests), max((end for _, end in rests), default=0.0)
    if not resting or have + resting < amount:
        return None
    return InsufficientFunds(
        f"This needs {amount} {unit_of(mints[0])}; {have} are available and {resting} rest for"
        f" {max(1, round(until - tx.now))} s more.",
        needed_sat=amount,
        available_sat=have,
        kept="Nothing was spent.",
        hint="Wait, or let them be spent now: peer2prompt wallet policy --wake",
    )


def choose_usual(
    tx: Transaction, mints: MintBook, mint: str, amount: int
) -> tuple[list[Proof], int]:
    """The same, of the coins that any other wallet would pay with too, where they are there."""
    usual = amounts.usual_heaps(heaps_at(tx, mints, mint), amount, mints.active(mint).id)
    if usual is None:
        return choose(tx, mints, mint, amount)
    return pick(tx, mint, usual), amounts.input_fee_of(usual)


def heaps_at(tx: Transaction, mints: MintBook, mint: str) -> list[Heap]:
    """What may be spent at a mint, coins of one kind together."""
    return [
        Heap(amount, keyset_id, count, mints.keyset(mint, keyset_id).input_fee_ppk)
        for amount, keyset_id, count in tx.proofs.heaps(mint)
    ]


def pick(tx: Transaction, mint: str, heaps: Sequence[Heap]) -> list[Proof]:
    """The coins themselves."""
    return [
        proof for heap in heaps for proof in tx.proofs.pick(mint, heap.amount, heap.id, heap.count)
    ]


def keep_outputs(tx: Transaction, mints: MintBook, mint: str, value: int) -> list[OutputSpec]:
    """Fresh outputs of our own for `value`, small denominations filled up first."""
    held = Counter[int]()
    for amount, _, count in tx.proofs.heaps(mint):
        held[amount] += count
    return own_outputs(tx, mints, mint, amounts.split_for_wallet(value, held), Role.KEEP)


def own_outputs(
    tx: Transaction,
    mints: MintBook,
    mint: str,
    parts: Sequence[int],
    role: Role,
    lock: Lock | None = None,
) -> list[OutputSpec]:
    """Take counters for outputs of these amounts (0 for a blank), locked when there is a lock."""
    keyset = mints.active(mint)
    first = tx.counters.take(keyset.id, len(parts))
    return [
        OutputSpec(amount, keyset.id, role, first + index, lock=lock)
        for index, amount in enumerate(parts)
    ]


def write(
    tx: Transaction,
    kind: Kind,
    mint: str,
    body: Body,
    dedup: str | None = None,
    *,
    state: State = State.PREPARED,
) -> str:
    """Put the operation into the journal; its id."""
    op_id = journal.new_id()
    tx.operations.add(op_id, kind.value, state.value, mint, journal.encode(body), dedup)
    return op_id


def proofs_key(mint: str, proofs: Iterable[Proof]) -> str:
    """One name for a set of proofs, without telling them. Their mint is part of it, because another
    one may sign the same secrets."""
    secrets = "\n".join(sorted(proof.secret for proof in proofs))
    return f"{mint} {hashlib.sha256(secrets.encode()).hexdigest()}"
