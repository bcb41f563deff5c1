"""Which nodes may stand together on a circuit, and which the user will not have at all.

Two nodes clash when they share a mark: key, IPv4 /16 or IPv6 /32, autonomous system (when the user
has a table), declared family, declared operator. Marks only ever exclude: a node that lies about
its family or operator excludes itself from more paths, never two others from each other.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from engine.directory.networks import UNKNOWN, Origin, OriginTable, TableFacts
from engine.directory.settings import PathSettings
from engine.errors import ConfigError
from engine.wire.advert import Advert

PREFER_FACTOR = 2.0  # how much likelier a preferred node is: more would make the user stand out
MAX_KNOWN = 65_536  # adverts whose marks are remembered; more than any directory holds
_ZERO_TAG = bytes(16)

Mark = tuple[str, bytes | str | int]
RULES = {
    "key": "is on the path already",
    "network": "shares a network (/16, or /32 for IPv6)",
    "asn": "shares an autonomous system",
    "family": "declares the same family",
    "operator": "declares the same operator",
    "avoided": "is avoided by your settings",
    "own": "is this node itself",
}
"""Every rule in the order in which it is applied, as the user reads it."""


@lru_cache(maxsize=65_536)
def network_of(host: str) -> str:
    """The IPv4 /16 or IPv6 /32 that `host` lies in."""
    address = ipaddress.ip_address(host)
    prefix = 16 if address.version == 4 else 32
    return str(ipaddress.ip_network((address, prefix), strict=False))


class _Look(NamedTuple):
    """What was worked out of an advert."""

    advert: Advert
    node_id: bytes
    marks: frozenset[Mark]
    origins: tuple[Origin, ...]


class PathRules:
    """The rules of one client. Marks are worked out once per advert."""

    def __init__(
        self,
        settings: PathSettings | None = None,
        table: OriginTable | None = None,
        *,
        own: bytes = b"",
    ) -> None:
        """`own` is the NodeID of the relay that this node is, if it is one: a hop that hides its
        client from itself hides nothing, and its neighbours see the client's address."""
        self.settings = settings or PathSettings()
        self._own = own
        self._table = table
        self._known: dict[bytes, _Look] = {}
        wants_countries = self.settings.avoid_countries or self.settings.prefer_countries
        if wants_countries and table is not None and not table.facts.countries:
            raise ConfigError(
                f"The table {table.facts.name} does not name countries.",
                hint="Use a table that does, or remove the countries under [paths].",
            )

    @property
    def table(self) -> TableFacts | None:
        """Name, date and size of the table in use."""
        return None if self._table is None else self._table.facts

    def marks(self, advert: Advert) -> frozenset[Mark]:
        """What two nodes must not have in common."""
        return self._look(advert).marks

    def node_id(self, advert: Advert) -> bytes:
        """The NodeID, without hashing it anew."""
        return self._look(advert).node_id

    def clash(self, one: Advert, other: Advert) -> str | None:
        """The first rule that keeps the two off one path, or None."""
        shared = {mark[0] for mark in self.marks(one) & self.marks(other)}
        return next((rule for rule in RULES if rule in shared), None)

    def fits(self, candidate: Advert, chosen: Iterable[Advert]) -> bool:
        """True when `candidate` may join every hop chosen so far."""
        marks = self.marks(candidate)
        return all(not marks & self.marks(other) for other in chosen)

    def avoided(self, advert: Advert) -> bool:
        """True when the user's settings exclude the node, or cannot be checked for it."""
        wish = self.settings
        if not wish.avoid_asns and not wish.avoid_countries:
            return False
        return any(
            (wish.avoid_asns and (o.asn is None or o.asn in wish.avoid_asns))
            or (wish.avoid_countries and (o.country is None or o.country in wish.avoid_countries))
            for o in self._look(advert).origins
        )

    def preference(self, advert: Advert) -> float:
        """How much likelier than others the user wants this node: 1 or PREFER_FACTOR."""
        wish = self.settings
        if not wish.prefer_asns and not wish.prefer_countries:
            return 1.0
        liked = any(
            o.asn in wish.prefer_asns or o.country in wish.prefer_countries
            for o in self._look(advert).origins
        )
        return PREFER_FACTOR if liked else 1.0

    def barred(self, advert: Advert) -> str | None:
        """Why the node may be no hop of any path ("own" or "avoided"), or None."""
        if self._own and self._look(advert).node_id == self._own:
            return "own"
        return "avoided" if self.avoided(advert) else None

    def allowed(self, adverts: Sequence[Advert]) -> list[Advert]:
        """Those that may be hops: others than this node, and not excluded by the user."""
        return [advert for advert in adverts if self.barred(advert) is None]

    def _look(self, advert: Advert) -> _Look:
        known = self._known.get(advert.ed25519_public)
        if known is None or known.advert is not advert:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            node_id = advert.node_id
            origins = tuple(self.origin(a.host) for a in advert.addresses)
            known = _Look(advert, node_id, frozenset(_marks(advert, node_id, origins)), origins)
            self._known[advert.ed25519_public] = known
        return known

    def origin(self, host: str) -> Origin:
        """What the user's table says of an address; nothing without a table."""
        return UNKNOWN if self._table is None else self._table.origin(host)


def _marks(advert: Advert, node_id: bytes, origins: Iterable[Origin]) -> Iterable[Mark]:
    yield ("key", node_id)
    for address in advert.addresses:
        yield ("network", network_of(address.host))
    for origin in origins:
        if origin.asn:  # AS 0 means that nobody announces the prefix
            yield ("asn", origin.asn)
    if advert.family_tag != _ZERO_TAG:
        yield ("family", advert.family_tag)
    if advert.operator_tag != _ZERO_TAG:
        yield ("operator", advert.operator_tag)
