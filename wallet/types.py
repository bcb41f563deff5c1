"""What the wallet hands to its callers: plain frozen values, amounts in sat, no secrets printed."""

from __future__ import annotations

from dataclasses import dataclass, field

from wallet.ecash.types import BlindSignature, Proof


@dataclass(frozen=True, slots=True)
class MintBalance:
    """`reserved_sat` is inside running operations; `held_sat` waits for the mint to decide;
    `resting_sat` is fresh and may be spent later (`wallet.policy`). All are in `unit`."""

    url: str
    name: str
    available_sat: int
    reserved_sat: int
    held_sat: int
    healthy: bool
    latency_ms: float | None
    last_error: str
    resting_sat: int = 0
    failures_percent: int = 0
    warnings: tuple[str, ...] = ()
    unit: str = "sat"
    clock_off_s: float | None = None
    """This machine's clock less the mint's, at its last answer."""


@dataclass(frozen=True, slots=True)
class MintFacts:
    """What a mint says of itself, for the decision to trust it. All of it is the mint's own word;
    `input_fee_ppk` is thousandths of a sat for each coin spent."""

    url: str
    name: str
    description: str
    version: str
    motd: str
    input_fee_ppk: int
    nuts: tuple[int, ...]
    units: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Moved:
    """Ecash moved from mint to mint: `cost_sat` is what the Lightning payment and both mints took.
    `arrived` is False while the new mint has not seen the payment; it is collected later. In
    `trouble` is why a move of several was not made."""

    amount_sat: int
    cost_sat: int
    arrived: bool
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class MoveQuote:
    """What a move costs at most, and the names that both mints gave it."""

    source: str
    target: str
    amount_sat: int
    fee_reserve_sat: int
    fund_id: str
    pay_id: str


@dataclass(frozen=True, slots=True)
class MintQuote:
    """An invoice to pay. `state` is UNPAID, PAID or ISSUED."""

    quote_id: str
    mint: str
    amount_sat: int
    invoice: str = field(repr=False)
    expiry: int | None
    state: str


@dataclass(frozen=True, slots=True)
class MeltQuote:
    quote_id: str
    mint: str
    amount_sat: int
    fee_reserve_sat: int
    state: str


@dataclass(frozen=True, slots=True)
class MeltResult:
    """`fee_sat` is everything above the invoice's amount; `state` is PAID, PENDING or UNPAID."""

    paid: bool
    fee_sat: int
    change_sat: int
    state: str


@dataclass(frozen=True, slots=True)
class SentToken:
    """A token this wallet made. `state` is waiting (as far as is known, somebody can still redeem
    it, or it is taken back), taken or returned; `left_sat` of it is not known to be spent."""

    op_id: str
    mint: str
    amount_sat: int
    token: str = field(repr=False)
    ts: float
    state: str = "waiting"
    left_sat: int = 0


@dataclass(frozen=True, slots=True)
class Waited:
    """How a wait ended: the final state, or "" when it was over before. `live` says that the mint
    told of it by itself (NUT-17)."""

    state: str
    live: bool


@dataclass(frozen=True, slots=True)
class PaidRequest:
    """A payment request that was paid. Its `token` has to be handed over by hand unless it was
    `delivered`; until someone redeems it, `receive` takes it back if it is not locked."""

    mint: str
    amount_sat: int
    delivered: bool
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What was found at one mint; `trouble` is why it could not be searched."""

    mint: str
    recovered_sat: int = 0
    recovered_proofs: int = 0
    spent_proofs: int = 0
    keysets: int = 0
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class RecoveryNote:
    """What became of an operation found open. `outcome` is completed, reclaimed, released,
    waiting (mint unreachable or peer undecided), held (mint undecided) or failed."""

    op_id: str
    kind: str
    mint: str
    outcome: str
    amount_sat: int
    message: str


@dataclass(frozen=True, slots=True)
class OutgoingPayment:
    """Ecash for a peer, already journalled. The peer may keep `amount_sat`; its swap costs
    `fee_sat`; `change_due_sat` must come back as signatures on `outputs`."""

    id: str
    mint: str
    amount_sat: int
    total_sat: int
    fee_sat: int
    keyset_id: str
    proofs: list[Proof] = field(repr=False)
    outputs: list[bytes] = field(repr=False)

    @property
    def change_due_sat(self) -> int:
        return self.total_sat - self.fee_sat - self.amount_sat


@dataclass(frozen=True, slots=True)
class PaymentOutcome:
    """What became of a payment. `state` is settled (earlier), spent (taken; its change came back
    by restore) or reclaimed (unspent; `returned_sat` is back after the mint's fee)."""

    state: str
    change_sat: int
    returned_sat: int


@dataclass(frozen=True, slots=True)
class RefundSlot:
    """Blank outputs a peer may have signed with what it owes us."""

    id: str
    mint: str
    max_sat: int
    keyset_id: str
    outputs: list[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A payment taken in: `received_sat` is ours, `change` goes back to the payer, in the order
    of the blanks it used."""

    received_sat: int
    change: list[BlindSignature] = field(repr=False)
