"""Control protocol: mints, balances and everything that moves ecash."""

from __future__ import annotations

from engine.control.protocol.frames import Params, Result


class NutInfo(Result, frozen=True):
    """One part of the Cashu protocol; `support` is yes, part or no."""

    nut: int
    name: str = ""
    support: str = ""
    note: str = ""


class WalletInfo(Result, frozen=True):
    store: str = "open"
    unit: str = "sat"
    total_sat: int = 0
    reserved_sat: int = 0
    held_sat: int = 0
    resting_sat: int = 0
    mints: int = 0
    payments_open: int = 0
    via: str = ""
    nuts: list[NutInfo] = []


class MintInfo(Result, frozen=True):
    url: str
    name: str = ""
    unit: str = "sat"
    available_sat: int = 0
    reserved_sat: int = 0
    held_sat: int = 0
    resting_sat: int = 0
    healthy: bool = True
    latency_ms: float | None = None
    last_error: str | None = None
    failures_percent: int = 0
    warnings: list[str] = []
    clock_off_s: float | None = None
    """This machine's clock less the mint's, at its last answer; whole seconds."""


class MintFacts(Result, frozen=True):
    """A mint's own word on itself, to decide whether to trust it with money."""

    url: str
    name: str = ""
    description: str = ""
    version: str = ""
    motd: str = ""
    input_fee_ppk: int = 0
    nuts: list[int] = []
    units: list[str] = []


class MoveParams(Params, frozen=True):
    """Move ecash from the mint `source` to the mint `target` by a Lightning payment."""

    source: str
    target: str
    amount_sat: int


class MoveResult(Result, frozen=True):
    """Not `arrived` yet: it is collected by itself as soon as the new mint has the payment. In
    `trouble` is why one of several moves was not made."""

    amount_sat: int
    cost_sat: int = 0
    arrived: bool = False
    trouble: str = ""


class WalletBalance(Result, frozen=True):
    total_sat: int = 0
    mints: list[MintInfo] = []


class HistoryEntry(Result, frozen=True):
    """`amount_sat` is in `unit`."""

    ts: float
    kind: str
    mint: str = ""
    amount_sat: int = 0
    detail: str = ""
    unit: str = "sat"


class HistoryParams(Params, frozen=True):
    """With `text` only what has it in its words, with `mint` only what was at this account; after
    `offset` of them."""

    limit: int = 50
    text: str = ""
    mint: str = ""
    offset: int = 0


class MintUrlParams(Params, frozen=True):
    url: str


class FundParams(Params, frozen=True):
    amount_sat: int
    mint: str | None = None


class FundQuote(Result, frozen=True):
    quote_id: str
    invoice: str
    amount_sat: int
    expiry: float | None = None
    mint: str = ""


class SpreadParams(Params, frozen=True):
    """Fund as the wallet's policy says: perhaps more than asked for, perhaps several invoices."""

    amount_sat: int


class PolicyChoice(Result, frozen=True):
    """One choice of the wallet's privacy policy and what it costs the user, in words."""

    name: str
    setting: str = ""
    drawback: str = ""


class PolicyInfo(Result, frozen=True):
    """In words, and as `wallet.policy.set` takes it."""

    choices: list[PolicyChoice] = []
    rest_min_s: float = 0.0
    rest_max_s: float = 0.0
    round_up: bool = False
    spread: int = 1
    ahead: int = 0
    ahead_sat: int = 16
    even_percent: int = 0
    lock_chunks: str = "off"
    max_chunk_sat: int = 1000


class PolicyParams(Params, frozen=True):
    """What is given is changed. Coins that came in rest from `rest_min_s` to `rest_max_s` seconds;
    `ahead` payments of `ahead_sat` each are kept ready."""

    rest_min_s: float | None = None
    rest_max_s: float | None = None
    round_up: bool | None = None
    spread: int | None = None
    ahead: int | None = None
    ahead_sat: int | None = None
    even_percent: int | None = None
    lock_chunks: str | None = None
    max_chunk_sat: int | None = None


class Woken(Result, frozen=True):
    amount_sat: int = 0


class QuoteParams(Params, frozen=True):
    """Mints choose the ids: `mint` says whose it is, should two have given the same."""

    quote_id: str
    mint: str = ""


class FundCheck(Result, frozen=True):
    state: str
    minted_sat: int = 0
    unit: str = "sat"


class LockParams(Params, frozen=True):
    """Who may spend a token (NUT-11, NUT-14): `needs` signatures of `keys`, or with `hash` also
    its preimage; from `until` (unix seconds) on `refund_keys`, or anybody when there are none.
    With `whole` the signatures must cover the whole request that spends it (SIG_ALL).
    """

    keys: list[str] = []
    needs: int = 1
    hash: str | None = None
    until: int | None = None
    refund_keys: list[str] = []
    whole: bool = False


class SendParams(Params, frozen=True):
    amount_sat: int
    mint: str | None = None
    lock: LockParams | None = None


class SendResult(Result, frozen=True):
    token: str


class ReceiveParams(Params, frozen=True):
    """`preimage` (hex) opens ecash that is locked to its hash."""

    token: str
    allow_new_mint: bool = False
    preimage: str = ""


class TokenParams(Params, frozen=True):
    token: str


class LockKey(Result, frozen=True):
    """A fresh public key, in hex, to lock ecash for this wallet to."""

    key: str


class RequestParams(Params, frozen=True):
    """Without an amount the payer chooses; `locked` binds the payment to this wallet."""

    amount_sat: int | None = None
    description: str = ""
    locked: bool = True


class RequestResult(Result, frozen=True):
    """`compact` is the same request with a smaller QR code (NUT-26)."""

    request: str
    compact: str = ""


class PayRequestParams(Params, frozen=True):
    request: str
    amount_sat: int | None = None


class PaidRequest(Result, frozen=True):
    """A `token` that was not `delivered` has to be handed over by hand."""

    amount_sat: int
    mint: str = ""
    delivered: bool = False
    token: str = ""


class ReceiveResult(Result, frozen=True):
    amount_sat: int
    mint: str = ""


class MeltQuoteParams(Params, frozen=True):
    """An invoice, or a Lightning address with an amount."""

    invoice: str
    mint: str | None = None
    amount_sat: int | None = None


class MeltQuote(Result, frozen=True):
    quote_id: str
    amount_sat: int
    fee_reserve_sat: int = 0
    mint: str = ""


class Melt(Result, frozen=True):
    paid: bool
    fee_sat: int = 0
    change_sat: int = 0
    state: str = ""


class PartsQuoteParams(Params, frozen=True):
    """An invoice to be paid by several mints (NUT-15); `parts` is sat by mint."""

    invoice: str
    parts: dict[str, int]


class PartsParams(Params, frozen=True):
    """`mints` says whose quotes they are, in their order; empty for what can only be one's."""

    quote_ids: list[str]
    mints: list[str] = []


class RestoreParams(Params, frozen=True):
    """Without a mint: all on the list, with a `wallet.restoring` event after each."""

    mint: str | None = None


class Restore(Result, frozen=True):
    """`trouble` is why a mint could not be searched, in the event of one that was not."""

    recovered_sat: int
    mint: str = ""
    trouble: str = ""


class SeedWords(Result, frozen=True):
    words: str
