"""The control protocol: JSON lines over a Unix socket, typed.

One line is one message: a request from a client, an answer or an event from the node. This module
holds the message frames, their limits, the table of methods with the shape of their parameters
and results, and the table of events. It does no input or output.

Amounts are named `*_msat` or `*_sat`. Nothing here carries a relay's address, a secret or somebody
else's route; prompts and answers appear only in `ask.*` and `sessions.*`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

PROTOCOL_VERSION: Final = 1
MAX_LINE: Final = 4 * 1024 * 1024
"""Longest line either side accepts, in bytes, the newline included."""

EVENT_QUEUE: Final = 1000
"""Events kept for a client that reads slowly; after that it is told how many it missed."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: int
    method: str
    params: dict[str, Any] = {}


class ErrorBody(msgspec.Struct, frozen=True):
    """An error as the wire, `--json` and the screens show it: three sentences and two codes."""

    code: str
    message: str
    kept: str = ""
    hint: str = ""
    exit_code: int = 1


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a client decodes: either an answer to a request or an event."""

    id: int | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: ErrorBody | None = None
    event: str | None = None
    data: dict[str, Any] = {}


class Event(msgspec.Struct, frozen=True):
    event: str
    data: dict[str, Any] = {}


class NoParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Empty(msgspec.Struct, frozen=True):
    """The result of methods that answer nothing more than that they are done."""


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of parameters: strict, because a misspelled option must not be ignored in silence."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Base of results: lenient on reading, so that an older face works with a newer node."""


# --- hello, status ---------------------------------------------------------------------------


class HelloParams(Params, frozen=True):
    protocol: int
    client: str = "program"
    events: bool = False


class Hello(Result, frozen=True):
    protocol: int
    version: str = ""
    node: str = ""
    roles: list[str] = []


class Mailboxes(Result, frozen=True):
    """What a relay keeps for the packet plane: counts only."""

    slots: int = 0
    boxes: int = 0
    packets_held: int = 0
    packets_passed: int = 0
    packets_boxed: int = 0
    packets_dropped: int = 0


class Status(Result, frozen=True):
    version: str = ""
    node: str = ""
    roles: list[str] = []
    uptime_s: float = 0
    home: str = ""
    pid: int = 0
    relays_known: int = 0
    ghosts_known: int = 0
    circuits_open: int = 0
    wallet_sat: int | None = None
    store: str = "open"
    shape_class: str = "text"
    tick_ms: int = 0
    tier: str = ""
    set_size: int = 0
    guard_age_s: float | None = None
    guard: str | None = None
    """Short id of the guard in use."""
    shape_leak_bound: str = ""
    last_cost_msat: int | None = None
    warnings: list[str] = []
    mailboxes: Mailboxes | None = None


class StopParams(Params, frozen=True):
    drain_s: float = 5.0


class PassphraseParams(Params, frozen=True):
    old: str
    new: str


class BackupParams(Params, frozen=True):
    """An absolute path that does not exist yet."""

    path: str


class Backup(Result, frozen=True):
    path: str
    bytes: int = 0


class Wiped(Result, frozen=True):
    """The names of what is destroyed."""

    removed: list[str] = []


# --- models, sessions, asking ----------------------------------------------------------------


class Model(Result, frozen=True):
    model: str
    ghost: str = ""
    in_price: int = 0
    out_price: int = 0
    chunk_msat: int = 0
    cap_msat: int = 0
    mints: list[str] = []


class Session(Result, frozen=True):
    session_id: str
    title: str = ""
    model: str | None = None
    created: float = 0
    updated: float = 0
    messages: int = 0
    shape: str = ""
    """The traffic shape chosen for this chat; empty for the node's default."""


class Shape(Result, frozen=True):
    """A traffic shape: what it costs, each way, and the most an answer tells the guard."""

    shape: str
    default: bool = False
    tick_ms: int = 0
    ladder: list[int] = []
    bytes_per_minute: int | None = None
    least_bytes: int | None = None
    least_s: float | None = None
    leak_bits: float | None = None
    leak_bound: str = ""
    words: str = ""


class MessageMeta(Result, frozen=True):
    cost_msat: int | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    ttft_ms: float | None = None
    state: str = "done"
    """streaming (under way), done, cancelled, cut (it broke off) or failed"""
    mailboxes: int | None = None
    """How many mailboxes stood by for the answer; none: only a live circuit could bring it."""
    by_mail: bool = False
    """It came from a mailbox: no circuit to the ghost lived."""
    error: ErrorBody | None = None
    """Why the answer broke off."""


class Message(Result, frozen=True):
    message_id: int
    role: str
    text: str
    created: float = 0
    meta: MessageMeta = MessageMeta()


class SessionCreateParams(Params, frozen=True):
    title: str = ""
    model: str | None = None
    shape: str | None = None


class SessionMessagesParams(Params, frozen=True):
    session_id: str
    limit: int = 200
    before: int | None = None
    """Only messages with a smaller `message_id`, for reading a long history backwards."""


class SessionRenameParams(Params, frozen=True):
    session_id: str
    title: str


class SessionParams(Params, frozen=True):
    session_id: str


class AskParams(Params, frozen=True):
    text: str
    session_id: str | None = None
    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    shape: str | None = None
    """Traffic shape of this chat from now on; None keeps what was chosen."""
    settle: bool = False
    """Get the unspent credit back before `ask.done`, so that its account is final."""


class AskStarted(Result, frozen=True):
    ask_id: int | str
    session_id: str


class AskCancelParams(Params, frozen=True):
    ask_id: int | str


class Hop(Result, frozen=True):
    role: str
    id: str


class ReceiptInfo(Result, frozen=True):
    n: int = 0
    cost_msat: int = 0
    hash: str = ""


class AskResult(Result, frozen=True):
    """What a finished question came to. Also the object that `demo --ask --json` prints."""

    answer: str
    model: str = ""
    route: list[Hop] = []
    tokens_in: int = 0
    tokens_out: int = 0
    quoted_msat: int = 0
    paid_msat: int = 0
    change_msat: int = 0
    cost_msat: int = 0
    receipts: list[ReceiptInfo] = []
    ttft_ms: float | None = None
    total_ms: float = 0
    cells_up: int = 0
    cells_down: int = 0
    mint: str = ""
    shape_class: str = ""
    finish_reason: str = ""
    mailboxes: int = 0
    by_mail: bool = False


# --- circuits, network -----------------------------------------------------------------------


class Circuit(Result, frozen=True):
    circuit_id: int | str
    purpose: str = ""
    state: str = ""
    hops: list[Hop] = []
    age_s: float = 0
    cells_up: int = 0
    cells_down: int = 0
    data_cells_up: int = 0
    data_cells_down: int = 0
    dummies_up: int = 0
    dummies_down: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    padding_share: float | None = None
    """Dummies among all cells, 0 to 1; null before the first cell."""
    rtt_ms: float | None = None
    shape_class: str = ""
    tick_ms: int = 0
    running: bool = False
    """A shaped run goes on: a cell leaves every tick."""
    guard_age_s: float | None = None
    why: str = ""
    """Why this path: how guard, middles and exit were chosen."""
    reason: str | None = None
    """Why it closed."""


class CircuitEvent(Result, frozen=True):
    """Something that happened to a circuit. `ts` is unix seconds."""

    ts: float
    circuit_id: int | str
    purpose: str = ""
    state: str = ""
    reason: str = ""
    why: str = ""


class ClassTraffic(Result, frozen=True):
    """All cells of one traffic shape since the node started; `circuits` are open now."""

    shape: str
    circuits: int = 0
    cells_up: int = 0
    cells_down: int = 0
    dummies_up: int = 0
    dummies_down: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    padding_share: float | None = None


class LinkTraffic(Result, frozen=True):
    """All links together since the start. Records are 2,048 bytes; padding is among them."""

    links: int = 0
    records_in: int = 0
    records_out: int = 0
    padding_in: int = 0
    padding_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


class RelayTraffic(Result, frozen=True):
    """What a relay passed on for others: sums, nobody's in particular."""

    circuits: int = 0
    circuits_created: int = 0
    circuits_refused: int = 0
    cells_forward: int = 0
    cells_backward: int = 0
    cells_rejected: int = 0
    links: LinkTraffic = LinkTraffic()
    served_bytes: int = 0
    """Sent and received as the last hop of circuits: as ghost, exit to mints or mailbox."""
    draining: bool = False
    work_bits: int = 0
    """What every new circuit must bring now; 0 when the relay is not overloaded."""
    work_asked: int = 0
    creates_waiting: int = 0
    memory_bytes: int = 0
    memory_budget: int = 0
    out_of_memory: int = 0
    """Circuits ended because queued data passed its budget."""
    handshakes_refused: int = 0
    clock_off_s: float = 0.0
    """By how much the machine's clock is ahead of the time keys go by."""


class CoverInfo(Result, frozen=True):
    """Talks that nobody has: how many an hour on average, the most they may cost, and what they
    cost so far, both ways together."""

    enabled: bool = False
    per_hour: float = 0
    bytes_per_hour: int = 0
    talks: int = 0
    bytes_spent: int = 0


class DayTraffic(Result, frozen=True):
    """What the node carried on a day (UTC), rounded up: MiB by role, hundreds of circuits."""

    day: str
    mib: dict[str, int] = {}
    circuits: int = 0


class Traffic(Result, frozen=True):
    """What this node sent and received, for its user; null for a role it does not have."""

    classes: list[ClassTraffic] = []
    links: LinkTraffic | None = None
    relay: RelayTraffic | None = None
    cover: CoverInfo | None = None
    days: list[DayTraffic] = []


class NetworkNode(Result, frozen=True):
    id: str
    roles: list[str] = []
    age_s: float = 0


class ViewInfo(Result, frozen=True):
    """How far the sources of a client's directory agreed when they were last compared.

    `at` is unix seconds, `lowest` the smallest share of all known adverts that a source held;
    `dissenting` are short ids of sources that lack more than gossip explains."""

    at: float = 0
    sources: int = 0
    known: int = 0
    lowest: float = 1
    dissenting: list[str] = []


class ReachInfo(Result, frozen=True):
    """What others say of this node's address. `state` is reachable, unreachable, unknown, or set
    (in a test network, where a set address is not questioned); `checked` is unix seconds."""

    address: str = ""
    state: str = ""
    asked: int = 0
    agreeing: int = 0
    reached: int = 0
    checked: float | None = None


class SourceInfo(Result, frozen=True):
    """First contacts of one origin: settings, invite, file, built-in, dns, lan or last run."""

    origin: str
    contacts: int = 0
    answered: int = 0


class OfferRange(Result, frozen=True):
    """One model, how many ghosts offer it and at which prices (msat per million tokens)."""

    model: str
    ghosts: int = 0
    in_low: int = 0
    in_high: int = 0
    out_low: int = 0
    out_high: int = 0


class DirectoryInfo(Result, frozen=True):
    source: str = ""
    errors: list[str] = []
    network: str = ""
    """The network's name"""
    contacts: int = 0
    """Nodes that may be asked first"""
    gossip_rounds: int = 0
    gossip_failures: int = 0
    view: ViewInfo | None = None
    """Null on a node that is no client, and before the first comparison"""
    sources: list[SourceInfo] = []
    networks_heard: int = 0
    """Different networks among the contacts that answered the last time they were asked"""
    networks_possible: int = 0
    epoch: int = 0
    """The week of this node's identity; its proof of work is renewed when it ends"""
    epoch_left_s: float = 0
    reach: ReachInfo | None = None
    """Null on a node that does not listen"""


class GuardInfo(Result, frozen=True):
    """One guard of the sample. Shares are from 0 to 1, null where nothing was counted."""

    id: str
    state: str = ""
    """in use, primary, reserve, unlisted, avoided or dropped"""
    age_s: float = 0
    left_s: float = 0
    confirmed: bool = False
    reachable: bool = True
    circuits: int = 0
    builds: int = 0
    builds_good: float | None = None
    uses: int = 0
    uses_good: float | None = None


class TableInfo(Result, frozen=True):
    """The user's table of networks. `made` is unix seconds."""

    name: str
    made: float = 0
    entries: int = 0
    countries: bool = False


class PathInfo(Result, frozen=True):
    """How this client chooses paths, and how its guards fare."""

    guards: list[GuardInfo] = []
    guard: str | None = None
    guard_age_s: float | None = None
    layer2: int = 0
    layer2_change_s: float | None = None
    set_size: int = 0
    measured: int = 0
    build_timeout_s: float = 0
    table: TableInfo | None = None
    refusals: list[str] = []


class DhtInfo(Result, frozen=True):
    """How the DHT fares on a relay or ghost, in counts since its start."""

    members: int = 0
    """Relays that take part, as far as known; the others are counts since the start."""
    contacts: int = 0
    """Of them in the routing table: they answered."""
    records: int = 0
    """Kept for others now."""
    published: int = 0
    """Keys under which a record of this node's ghost lies now."""
    lookups: int = 0
    lookups_for_clients: int = 0
    asked: int = 0
    unanswered: int = 0
    served: int = 0
    limited: int = 0
    """Requests of peers that asked too much."""
    refused: int = 0
    """Records that were not taken."""


class Network(Result, frozen=True):
    relays: list[NetworkNode] = []
    ghosts: list[NetworkNode] = []
    directory: DirectoryInfo = DirectoryInfo()
    paths: PathInfo | None = None
    """Null on a node that is no client."""
    offers: list[OfferRange] = []
    """What the sheets and quotes known here say; empty on a node that is no client"""
    dht: DhtInfo | None = None
    """Null on a node that is a client alone."""


class AdvertResult(Result, frozen=True):
    advert: str


class Invite(Result, frozen=True):
    """`short` names one node alone: its QR code fits a small window."""

    invite: str
    short: str = ""


class JoinParams(Params, frozen=True):
    invite: str


class Joined(Result, frozen=True):
    """What came of an invite: contacts in it, contacts that answered, relays known by now."""

    contacts: int = 0
    answered: int = 0
    relays_known: int = 0


# --- wallet ----------------------------------------------------------------------------------


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
    """Not `arrived` yet: it is collected by itself as soon as the new mint has the payment."""

    amount_sat: int
    cost_sat: int = 0
    arrived: bool = False


class WalletBalance(Result, frozen=True):
    total_sat: int = 0
    mints: list[MintInfo] = []


class HistoryEntry(Result, frozen=True):
    ts: float
    kind: str
    mint: str = ""
    amount_sat: int = 0
    detail: str = ""


class HistoryParams(Params, frozen=True):
    limit: int = 50


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
    choices: list[PolicyChoice] = []


class PolicyParams(Params, frozen=True):
    """What is given is changed. Coins that came in rest from `rest_min_s` to `rest_max_s` seconds;
    `ahead` payments of `ahead_sat` each are kept ready."""

    rest_min_s: float | None = None
    rest_max_s: float | None = None
    round_up: bool | None = None
    spread: int | None = None
    ahead: int | None = None
    ahead_sat: int | None = None


class Woken(Result, frozen=True):
    amount_sat: int = 0


class QuoteParams(Params, frozen=True):
    quote_id: str


class FundCheck(Result, frozen=True):
    state: str
    minted_sat: int = 0


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
    request: str


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
    quote_ids: list[str]


class RestoreParams(Params, frozen=True):
    """Without a mint: all on the list, with a `wallet.restoring` event after each."""

    mint: str | None = None


class Restore(Result, frozen=True):
    recovered_sat: int
    mint: str = ""


class SeedWords(Result, frozen=True):
    words: str


# --- earnings --------------------------------------------------------------------------------


class ModelEarnings(Result, frozen=True):
    model: str
    answers: int = 0
    msat: int = 0


class RecentEarning(Result, frozen=True):
    ts: float
    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    cost_msat: int = 0


class Earnings(Result, frozen=True):
    enabled: bool = False
    total_msat: int = 0
    today_msat: int = 0
    week_msat: int = 0
    answers: int = 0
    refused: int = 0
    tokens_out: int = 0
    models: list[ModelEarnings] = []
    recent: list[RecentEarning] = []
    series: list[tuple[float, int]] = []
    sessions_open: int = 0
    mailed: int = 0
    """Answers sent to mailboxes since the node was started."""
    credit_msat: int = 0


class Method(msgspec.Struct, frozen=True):
    """The shape of one method: what it takes and what it answers."""

    params: type[msgspec.Struct]
    result: Any


METHODS: Final[dict[str, Method]] = {
    "hello": Method(HelloParams, Hello),
    "status": Method(NoParams, Status),
    "stop": Method(StopParams, Empty),
    "store.passphrase": Method(PassphraseParams, Empty),
    "store.backup": Method(BackupParams, Backup),
    "wipe": Method(NoParams, Wiped),
    "models": Method(NoParams, list[Model]),
    "shapes": Method(NoParams, list[Shape]),
    "sessions.list": Method(NoParams, list[Session]),
    "sessions.create": Method(SessionCreateParams, Session),
    "sessions.messages": Method(SessionMessagesParams, list[Message]),
    "sessions.rename": Method(SessionRenameParams, Empty),
    "sessions.delete": Method(SessionParams, Empty),
    "ask": Method(AskParams, AskStarted),
    "ask.cancel": Method(AskCancelParams, Empty),
    "circuits": Method(NoParams, list[Circuit]),
    "circuit.notes": Method(NoParams, list[CircuitEvent]),
    "traffic": Method(NoParams, Traffic),
    "circuit.rotate": Method(NoParams, Empty),
    "network": Method(NoParams, Network),
    "advert": Method(NoParams, AdvertResult),
    "directory.reload": Method(NoParams, Empty),
    "network.invite": Method(NoParams, Invite),
    "network.join": Method(JoinParams, Joined),
    "wallet.info": Method(NoParams, WalletInfo),
    "wallet.balance": Method(NoParams, WalletBalance),
    "wallet.history": Method(HistoryParams, list[HistoryEntry]),
    "wallet.mints.add": Method(MintUrlParams, Empty),
    "wallet.mints.look": Method(MintUrlParams, MintFacts),
    "wallet.move": Method(MoveParams, MoveResult),
    "wallet.fund": Method(FundParams, FundQuote),
    "wallet.fund.check": Method(QuoteParams, FundCheck),
    "wallet.send": Method(SendParams, SendResult),
    "wallet.receive": Method(ReceiveParams, ReceiveResult),
    "wallet.fund.spread": Method(SpreadParams, list[FundQuote]),
    "wallet.policy": Method(NoParams, PolicyInfo),
    "wallet.policy.set": Method(PolicyParams, PolicyInfo),
    "wallet.wake": Method(NoParams, Woken),
    "wallet.key": Method(NoParams, LockKey),
    "wallet.cosign": Method(TokenParams, SendResult),
    "wallet.request": Method(RequestParams, RequestResult),
    "wallet.request.pay": Method(PayRequestParams, PaidRequest),
    "wallet.melt.quote": Method(MeltQuoteParams, MeltQuote),
    "wallet.melt": Method(QuoteParams, Melt),
    "wallet.parts.quote": Method(PartsQuoteParams, list[MeltQuote]),
    "wallet.parts.pay": Method(PartsParams, list[Melt]),
    "wallet.restore": Method(RestoreParams, Restore),
    "wallet.seed": Method(NoParams, SeedWords),
    "earnings": Method(NoParams, Earnings),
}
"""Every method of protocol version 1."""


# --- events ----------------------------------------------------------------------------------


class AskState(Result, frozen=True):
    """`state` is building, opening, paying, asking, streaming, resuming, fetching or settling."""

    ask_id: int | str
    session_id: str
    state: str
    detail: str = ""


class AskDelta(Result, frozen=True):
    ask_id: int | str
    session_id: str
    text: str
    offset: int = 0


class AskPaid(Result, frozen=True):
    ask_id: int | str
    msat: int


class AskDone(Result, frozen=True):
    ask_id: int | str
    session_id: str
    result: AskResult


class AskFailed(Result, frozen=True):
    ask_id: int | str
    session_id: str
    error: ErrorBody


class CircuitChanged(Result, frozen=True):
    """`why` says how the path was chosen, `reason` what happened."""

    circuit_id: int | str
    state: str
    reason: str | None = None
    purpose: str = ""
    why: str = ""


class Changed(Result, frozen=True):
    """Something can be read anew with the method of the same name."""


class LogLine(Result, frozen=True):
    level: str
    message: str


class Lagged(Result, frozen=True):
    """The client read too slowly: `dropped` events are lost, so it should read the state anew."""

    dropped: int


EVENTS: Final[dict[str, type[Result]]] = {
    "ask.state": AskState,
    "ask.delta": AskDelta,
    "ask.paid": AskPaid,
    "ask.done": AskDone,
    "ask.failed": AskFailed,
    "circuit.changed": CircuitChanged,
    "status.changed": Changed,
    "wallet.changed": Changed,
    "wallet.restoring": Restore,
    "earnings.changed": Changed,
    "log": LogLine,
    "control.lagged": Lagged,
}
"""Every event of protocol version 1."""


def read_event(event: Event) -> Result | None:
    """The event's data in its typed shape, or None for an event this version does not know."""
    shape = EVENTS.get(event.event)
    return None if shape is None else msgspec.convert(event.data, shape)
