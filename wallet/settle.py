"""The last step of every operation: check what the mint signed, then book it in one transaction.

Nothing here talks to a mint. Checking is pure and runs in a worker thread; booking is idempotent,
so two ways to the same end (an answer and a restore) cannot count twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from wallet import accounts, journal
from wallet.ecash import dleq
from wallet.ecash.conditions import Lock, parse
from wallet.ecash.curve import unblind
from wallet.ecash.deterministic import Seed
from wallet.ecash.errors import EcashError
from wallet.ecash.keysets import Keyset
from wallet.ecash.tokens import encode_v4
from wallet.ecash.types import BlindSignature, Proof
from wallet.journal import Kind, Operation, OutputSpec, Result, Role
from wallet.store import Transaction

# What a person reads in the history, and with which sign it counts.
WORDS = {
    Kind.MINT: "minted",
    Kind.SEND: "sent as a token",
    Kind.RECEIVE: "received a token",
    Kind.MELT: "paid an invoice",
    Kind.PAY: "paid for an answer",
    Kind.RECLAIM: "took back an unanswered payment",
    Kind.SLOT: "unspent credit came back",
    Kind.REDEEM: "earned for answers",
    Kind.REFUND: "gave back unspent credit",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """Signatures that are right, unblinded where they are ours."""

    keep: list[Proof] = field(default_factory=list, repr=False)
    send: list[Proof] = field(default_factory=list, repr=False)
    peer: list[BlindSignature] = field(default_factory=list, repr=False)


def check(
    pairs: Sequence[tuple[OutputSpec, BlindSignature]],
    seed: Seed,
    keyset_of: Callable[[str], Keyset],
) -> Checked:
    """Verify id, amount and DLEQ of every signature (NUT-12); EcashError at the first lie.

    A blank (amount 0) may be signed for any amount, and with any active keyset: whoever fills it
    may have learned of new keys before us.
    """
    checked = Checked()
    for spec, signature in pairs:
        message = journal.message(spec, seed)
        keyset = keyset_of(signature.id)
        if signature.id != spec.id and (spec.amount != 0 or not keyset.active):
            raise EcashError("it signed with another keyset than was asked for")
        if signature.amount != spec.amount and spec.amount != 0:
            raise EcashError("it signed another amount than was asked for")
        key = keyset.key(signature.amount)
        if not dleq.verify(message.B_, signature.C_, key, signature.e, signature.s):
            raise EcashError("its proof (NUT-12) does not fit its signature")
        if spec.role is Role.PEER:
            checked.peer.append(signature)
            continue
        output = journal.own_output(spec, seed)
        proof = Proof(
            signature.amount, keyset.id, output.secret, unblind(signature.C_, output.r, key)
        )
        (checked.send if spec.role is Role.SEND else checked.keep).append(proof)
    return checked


def book(tx: Transaction, op: Operation, checked: Checked) -> Result:
    """Store what came, delete what was spent, close the operation. All or nothing, once."""
    row = tx.operations.get(op.id)
    if row is not None and row.result is not None:
        done = journal.from_row(row).result
        if done is not None:
            return done
    ready = tx.now + op.body.rest_s if op.body.rest_s else 0.0
    change = tx.proofs.add(op.mint, checked.keep, ready=ready)
    if op.kind is Kind.LOCK:
        _add_lots(tx, op, checked.send)
    elif checked.send:
        tx.proofs.add(op.mint, checked.send, state="sent", op_id=op.id)
    if op.body.own:
        tx.proofs.spend(op.id)
    else:
        # A token of our own that came back: its coins may be rows of ours too.
        tx.proofs.delete(op.mint, (spec.secret for spec in op.body.inputs))
    result = _result(op, checked, change)
    _effects(tx, op, result)
    tx.operations.finish(op.id, journal.encode(result))
    return result


def _add_lots(tx: Transaction, op: Operation, coins: Sequence[Proof]) -> None:
    """Each lot is what can be taken back by one key of ours."""
    lots: dict[str, list[Proof]] = {}
    locks: dict[str, Lock] = {}
    for coin in coins:
        lock = parse(coin.secret)
        if lock is not None:
            lot = f"{op.id}:{lock.refund[0]}"
            lots.setdefault(lot, []).append(coin)
            locks[lot] = lock
    for lot, parts in lots.items():
        tx.proofs.add(op.mint, parts, state="sent", op_id=lot)
        until = locks[lot].locktime or 0
        key, sat = locks[lot].data, op.body.lot_sat
        tx.locks.add(op.mint, parts, lot=lot, key=key, amount=sat, until=until)


def _result(op: Operation, checked: Checked, change: int) -> Result:
    token = ""
    if op.kind is Kind.SEND:
        token = encode_v4(accounts.token(op.mint, checked.send, op.body.note))
    amount = op.body.amount_sat
    if op.kind in (Kind.RECEIVE, Kind.SLOT, Kind.RECLAIM, Kind.MINT):
        amount = sum(proof.amount for proof in checked.keep)
    spent = sum(spec.amount for spec in op.body.inputs) if op.body.own else 0
    return Result(
        amount_sat=amount,
        change_sat=change,
        fee_sat=max(0, spent - op.body.amount_sat - change),
        token=token,
        match=match_key(op),
        signatures=journal.signature_specs(checked.peer),
    )


def match_key(op: Operation) -> str:
    """What a repeated redeem or refund must share to be given the same answer."""
    peers = [spec.blinded for spec in op.body.outputs if spec.role is Role.PEER]
    return ":".join([op.body.session, str(op.body.amount_sat), *peers])


def _effects(tx: Transaction, op: Operation, result: Result) -> None:
    body = op.body
    if op.kind is Kind.MINT:
        tx.quotes.set_mint_state(op.mint, body.quote_id, "ISSUED")
    elif op.kind is Kind.MELT:
        tx.quotes.set_melt_state(op.mint, body.quote_id, "PAID")
    elif op.kind is Kind.REDEEM:
        # The ecash and the credit it buys appear together or not at all.
        tx.credits.add(bytes.fromhex(body.session), body.amount_sat * 1000)
    words = WORDS.get(op.kind)
    if words is not None:
        tx.history.add(op.kind.value, op.mint, _signed(op, result), words, op.id)


def _signed(op: Operation, result: Result) -> int:
    """What the operation changed in our balance, fees included."""
    spent = sum(spec.amount for spec in op.body.inputs) if op.body.own else 0
    return result.change_sat - spent
