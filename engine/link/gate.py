"""Who may open a link to this node, and how many at once. Sans-IO; `now` is an argument.

Links are counted by address and by network (IPv4 /16, IPv6 /32): an address costs an attacker
something, a key nothing. Handshakes under way are few; when all places are taken the oldest of them
makes room, because an honest one is over in two round trips and the one that stalls is not.
Addresses are forgotten with the last link and the last token owed. Nothing is logged or kept.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.bucket import Bucket
from engine.limits import Limits

RATE = 4.0  # new connections of an address per second, in the long run
BURST = 32.0
SWEEP_AT = 4_096  # addresses remembered before those that owe nothing are forgotten


def network_of(host: str) -> str:
    """The IPv4 /16 or IPv6 /32 an address is in; addresses that hold IPv4 count as it."""
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.ip_network((address, 32), strict=False))
        address = address.ipv4_mapped
    return str(ipaddress.ip_network((address, 16), strict=False))


@dataclass(eq=False)
class Visit:
    """One connection from outside, from accept to close. `give_up` ends its handshake."""

    host: str
    network: str
    give_up: Callable[[], None]
    shaking: bool = True


@dataclass
class Gate:
    """Counts connections and decides over new ones."""

    limits: Limits
    exempt: Callable[[str], bool] = lambda _host: False  # loopback in a test network
    refused: int = 0
    evicted: int = 0
    _hosts: Counter[str] = field(default_factory=Counter)
    _networks: Counter[str] = field(default_factory=Counter)
    _shaking_hosts: Counter[str] = field(default_factory=Counter)
    _shaking: dict[Visit, None] = field(default_factory=dict)  # in the order they came
    _buckets: dict[str, Bucket] = field(default_factory=dict)
    _open: int = 0

    def enter(self, host: str, give_up: Callable[[], None], now: float) -> Visit | None:
        """A connection came: its visit, or None when it must be closed at once."""
        visit = Visit(host, network_of(host), give_up)
        if not self._may(visit, now):
            self.refused += 1
            return None
        if len(self._shaking) >= self.limits.handshakes:
            self._evict()
        self._open += 1
        self._hosts[host] += 1
        self._networks[visit.network] += 1
        self._shaking_hosts[host] += 1
        self._shaking[visit] = None
        return visit

    def shaken(self, visit: Visit) -> None:
        """The handshake is over, well or badly."""
        if visit.shaking:
            visit.shaking = False
            del self._shaking[visit]
            _less(self._shaking_hosts, visit.host)

    def leave(self, visit: Visit) -> None:
        """The connection is closed."""
        self.shaken(visit)
        self._open -= 1
        _less(self._hosts, visit.host)
        _less(self._networks, visit.network)

    def _may(self, visit: Visit, now: float) -> bool:
        limits = self.limits
        if self._open >= limits.links + limits.handshakes:
            return False
        if self.exempt(visit.host):
            return True
        return (
            self._hosts[visit.host] < limits.links_per_address
            and self._networks[visit.network] < limits.links_per_network
            and self._shaking_hosts[visit.host] < limits.handshakes_per_address
            and self._bucket(visit.host, now).take(now)
        )

    def _bucket(self, host: str, now: float) -> Bucket:
        bucket = self._buckets.get(host)
        if bucket is None:
            if len(self._buckets) >= SWEEP_AT:
                self._forget(now)
            bucket = self._buckets[host] = Bucket(RATE, BURST, now)
        return bucket

    def _forget(self, now: float) -> None:
        for host, bucket in list(self._buckets.items()):
            bucket.refill(now)
            if bucket.full:
                del self._buckets[host]

    def _evict(self) -> None:
        oldest = next(iter(self._shaking))
        self.shaken(oldest)
        self.evicted += 1
        oldest.give_up()


def _less(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
