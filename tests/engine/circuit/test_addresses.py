"""Which addresses a relay dials for others."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.circuit.addresses import DialPolicy, is_local, is_routable

OWN = ("198.51.100.1", 9_001)
PUBLIC = ["8.8.8.8", "185.199.108.153", "2606:4700::1111", "2a00:1450:4001::1"]
STRANGE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::10.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::a00:1",
    "2001::1",
    "2001:db8::1",
    "2002:a00:1::1",
    "fc00::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "mint.example",
    "",
]


def policy(*, test_network: bool = False, own: str = "8.8.4.4") -> DialPolicy:
    return DialPolicy(lambda: [(own, 9_001)], test_network=test_network, low_ports=(80, 443))


@pytest.mark.parametrize("host", PUBLIC)
def test_public_addresses_are_dialled(host: str) -> None:
    assert is_routable(host)
    assert policy()(b"", host, 9_001)


@pytest.mark.parametrize("host", STRANGE)
def test_nothing_else_is(host: str) -> None:
    assert not is_routable(host)
    assert not policy()(b"", host, 9_001)


@pytest.mark.parametrize("host", ["127.3.0.1", "10.0.0.1", "192.168.1.1", "::1", "fd00::1"])
def test_a_test_network_uses_local_addresses_too(host: str) -> None:
    assert policy(test_network=True)(b"", host, 1)
    assert not policy()(b"", host, 9_001)


@pytest.mark.parametrize("host", ["0.0.0.0", "0.1.2.3", "169.254.169.254", "224.0.0.1", "fe80::1"])
def test_some_addresses_are_nobodys_even_there(host: str) -> None:
    assert not is_local(host)
    assert not policy(test_network=True)(b"", host, 9_001)


@pytest.mark.parametrize(("port", "allowed"), [(0, 0), (22, 0), (25, 0), (80, 1), (443, 1)])
def test_low_ports_are_refused_unless_named(port: int, allowed: int) -> None:
    assert policy()(b"", "8.8.8.8", port) is bool(allowed)


def test_an_address_of_ours_is_refused_on_every_port_and_in_every_spelling() -> None:
    own = policy(own="2606:4700:0:0::1")
    assert not own(b"", "2606:4700::1", 9_001)
    assert not own(b"", "2606:4700::1", 8_080)
    assert not policy(own="::ffff:8.8.8.8")(b"", "8.8.8.8", 9_001)


def test_in_a_test_network_many_nodes_share_a_machine() -> None:
    shared = policy(test_network=True, own="127.0.0.1")
    assert shared(b"", "127.0.0.1", 9_002)
    assert not shared(b"", "127.0.0.1", 9_001)


@given(st.ip_addresses())
def test_what_is_dialled_is_global_unicast(address: ipaddress.IPv4Address) -> None:
    if policy()(b"", str(address), 9_001):
        assert address.is_global
        assert not any((address.is_multicast, address.is_private, address.is_loopback))
        assert address.version == 4 or address in ipaddress.ip_network("2000::/3")
