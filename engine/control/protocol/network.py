"""Control protocol: what is known of the network, guards, paths and the DHT."""

from __future__ import annotations

from engine.control.protocol.frames import Params, Result


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
    seen: str = ""
    """The address that others see this node at, without a port; empty until enough agree."""


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
