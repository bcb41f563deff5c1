"""Where a relay opens links to on behalf of others: public addresses of other machines, or nowhere.

Addresses are literal in the protocol (no name is ever looked up here, so none can change between
the check and the connection). Pure; what the node's own addresses are is told by those who know.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection

AddressPolicy = Callable[[bytes, str, int], bool]
"""Takes (node_id, host, port) of a node to be reached; False refuses it."""

FIRST_FREE_PORT = 1_024
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_UNICAST = ipaddress.IPv6Network("2000::/3")  # all that is assigned for global use
# Parts of it that lead elsewhere than they seem: protocol assignments with Teredo, and 6to4, which
# holds an IPv4 address. IPv4 inside IPv6 of any other kind (mapped, NAT64) lies outside 2000::/3.
_DETOURS = (ipaddress.IPv6Network("2001::/23"), ipaddress.IPv6Network("2002::/16"))
_LOCAL = tuple(
    ipaddress.ip_network(network)
    for network in (
        "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"
    )
)  # fmt: skip


def is_routable(host: str) -> bool:
    """False for addresses that must not appear on the public network, and for names."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address not in _UNICAST or any(address in detour for detour in _DETOURS):
            return False
    elif address.is_reserved:
        return False
    return address.is_global and not address.is_multicast


def is_local(host: str) -> bool:
    """True for what a test network may use besides: loopback and private addresses."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in _LOCAL if network.version == address.version)


class DialPolicy:
    """The address rules of one relay."""

    def __init__(
        self,
        own: Callable[[], Collection[tuple[str, int]]],
        *,
        test_network: bool,
        low_ports: Collection[int],
    ) -> None:
        self._own = own
        self._test_network = test_network
        self._low_ports = frozenset(low_ports)

    def __call__(self, _node_id: bytes, host: str, port: int) -> bool:
        """True when a link to host:port may be dialled for somebody else."""
        if not 0 < port <= 0xFFFF:
            return False
        if self._test_network and is_local(host):
            return not self._is_own(host, port)
        if port < FIRST_FREE_PORT and port not in self._low_ports:
            return False
        return is_routable(host) and not self._is_own(host, None)

    def _is_own(self, host: str, port: int | None) -> bool:
        """Whether it is an address of this machine; with a port, only that of its listener.

        On a public address every port of ours is ours: a circuit must not reach what else runs
        here. In a test network many nodes share a machine.
        """
        address = _parse(host)
        return any(
            _parse(own_host) == address and port in (None, own_port)
            for own_host, own_port in self._own()
        )


def _parse(host: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
