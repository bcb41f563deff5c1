"""The journal of money moves: what an operation is, written before the mint hears of it.

States: prepared (written, nothing can have left yet) -> executing (a request may have left) ->
done, with pending (the mint did not answer, or a peer or payment is undecided) and held (the mint
keeps the inputs, or lies) in between. An operation only ever goes forward: its outputs are
restored, or the same request is sent again, or it waits.

Pure data; the store keeps it, `wallet.executor` moves it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from wallet.ecash.conditions import Lock
from wallet.ecash.deterministic import Output, Seed
from wallet.ecash.types import BlindedMessage, BlindSignature, Proof
from wallet.store.operations import OperationRow


class Kind(StrEnum):
    MINT = "mint"
    SEND = "send"
    RECEIVE = "receive"
    SPLIT = "split"
    LOCK = "lock"
    UNLOCK = "unlock"
    RECLAIM = "reclaim"
    MELT = "melt"
    PAY = "pay"
    SLOT = "slot"
    REDEEM = "redeem"
    REFUND = "refund"


class State(StrEnum):
    PREPARED = "prepared"
    EXECUTING = "executing"
    PENDING = "pending"
    HELD = "held"
    DONE = "done"


class Role(StrEnum):
    """Whose an output is: ours to keep, ours to put into a token, a peer's."""

    KEEP = "keep"
    SEND = "send"
    PEER = "peer"


class OutputSpec(msgspec.Struct, frozen=True, array_like=True):
    """One output, able to be rebuilt: ours by its counter (and its lock, when it has one), a
    peer's by its bytes (hex)."""

    amount: int
    id: str
    role: Role
    counter: int = -1
    blinded: str = ""
    lock: Lock | None = None


class InputSpec(msgspec.Struct, frozen=True, array_like=True):
    amount: int
    id: str
    secret: str
    signature: str
    witness: str = ""

    def __repr__(self) -> str:
        return f"InputSpec(amount={self.amount})"


class SignatureSpec(msgspec.Struct, frozen=True, array_like=True):
    amount: int
    id: str
    C_: str
    e: str
    s: str

    def __repr__(self) -> str:
        return f"SignatureSpec(amount={self.amount})"


class Body(msgspec.Struct, frozen=True):
    """Everything a restart needs. `inputs` are spent by the request; `own` says whether they are
    rows of our proofs table. `fallback` are outputs of an earlier request for the same inputs.
    What comes rests for `rest_s` before it may be spent; what is locked comes in lots, each worth a
    payment of `lot_sat`."""

    amount_sat: int
    fee_sat: int = 0
    own: bool = True
    inputs: list[InputSpec] = []
    outputs: list[OutputSpec] = []
    fallback: list[OutputSpec] = []
    quote_id: str = ""
    session: str = ""
    note: str = ""
    rest_s: float = 0.0
    lot_sat: int = 0

    def __repr__(self) -> str:
        return f"Body(amount_sat={self.amount_sat})"


class Result(msgspec.Struct, frozen=True):
    """What stays of a finished operation, for repeated questions. `failed` is empty or why;
    `closed` is what became of a token afterwards (taken, returned), empty while that is open."""

    amount_sat: int = 0
    change_sat: int = 0
    fee_sat: int = 0
    failed: str = ""
    token: str = ""
    successor: str = ""
    match: str = ""
    signatures: list[SignatureSpec] = []
    closed: str = ""

    def __repr__(self) -> str:
        return f"Result(amount_sat={self.amount_sat}, failed={self.failed!r})"


@dataclass(frozen=True, slots=True)
class Operation:
    id: str
    kind: Kind
    state: State
    mint: str
    body: Body = field(repr=False)
    dedup: str | None = None
    result: Result | None = field(default=None, repr=False)

    @property
    def inputs(self) -> list[Proof]:
        """The coins that are spent, as they are sent to the mint."""
        return [
            Proof(
                spec.amount,
                spec.id,
                spec.secret,
                bytes.fromhex(spec.signature),
                witness=spec.witness,
            )
            for spec in self.body.inputs
        ]

    def messages(self, seed: Seed) -> list[BlindedMessage]:
        return [message(spec, seed) for spec in self.body.outputs]


def new_id() -> str:
    return secrets.token_hex(8)


def message(spec: OutputSpec, seed: Seed) -> BlindedMessage:
    if spec.role is Role.PEER:
        return BlindedMessage(spec.amount, spec.id, bytes.fromhex(spec.blinded))
    return BlindedMessage(spec.amount, spec.id, own_output(spec, seed).B_)


def own_output(spec: OutputSpec, seed: Seed) -> Output:
    return seed.output(spec.id, spec.counter, spec.amount, spec.lock)


def input_specs(proofs: Sequence[Proof]) -> list[InputSpec]:
    return [InputSpec(p.amount, p.id, p.secret, p.C.hex(), p.witness) for p in proofs]


def signature_specs(signatures: Sequence[BlindSignature]) -> list[SignatureSpec]:
    return [SignatureSpec(s.amount, s.id, s.C_.hex(), s.e.hex(), s.s.hex()) for s in signatures]


def signatures(specs: Sequence[SignatureSpec]) -> list[BlindSignature]:
    """What was written down of signatures, as values."""
    return [
        BlindSignature(s.amount, s.id, bytes.fromhex(s.C_), bytes.fromhex(s.e), bytes.fromhex(s.s))
        for s in specs
    ]


def encode(value: Body | Result) -> str:
    return msgspec.json.encode(value).decode()


def from_row(row: OperationRow) -> Operation:
    """An operation as it stands in the store; of one that is done only its result is left."""
    state = State(row.state)
    body = Body(0) if state is State.DONE else msgspec.json.decode(row.body.encode(), type=Body)
    result = msgspec.json.decode(row.result.encode(), type=Result) if row.result else None
    return Operation(row.op_id, Kind(row.kind), state, row.mint, body, row.dedup, result)
