"""The gate: counts by address and network, places for handshakes, who makes room."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.limits import Limits
from engine.link.gate import BURST, RATE, SWEEP_AT, Gate, Visit, network_of

LIMITS = Limits(
    links=20, links_per_address=4, links_per_network=8, handshakes=6, handshakes_per_address=3
)


class Visitors:
    """Opens connections at a gate and remembers who was told to give up."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.gave_up: list[str] = []

    def come(self, host: str, now: float = 0.0) -> Visit | None:
        return self.gate.enter(host, lambda: self.gave_up.append(host), now)

    def link(self, host: str, now: float = 0.0) -> Visit:
        visit = self.come(host, now)
        assert visit is not None
        self.gate.shaken(visit)
        return visit


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.77", "192.0.0.0/16"),
        ("::ffff:192.0.2.77", "192.0.0.0/16"),
        ("2001:db8:1:2::3", "2001:db8::/32"),
    ],
)
def test_networks_are_counted_as_paths_count_them(host: str, network: str) -> None:
    assert network_of(host) == network


def test_an_address_has_so_many_links_and_gets_them_back() -> None:
    visitors = Visitors(Gate(LIMITS))
    visits = [visitors.link("192.0.2.1") for _ in range(4)]
    assert visitors.come("192.0.2.1") is None
    assert visitors.come("192.0.2.2") is not None
    visitors.gate.leave(visits[0])
    assert visitors.come("192.0.2.1") is not None


def test_a_network_has_so_many_links_however_many_addresses_it_has() -> None:
    visitors = Visitors(Gate(LIMITS))
    for number in range(8):
        visitors.link(f"192.0.2.{number}")
    assert visitors.come("192.0.3.1") is None
    assert visitors.come("198.51.100.1") is not None


def test_handshakes_of_an_address_are_few() -> None:
    visitors = Visitors(Gate(LIMITS))
    for _ in range(3):
        assert visitors.come("192.0.2.1") is not None
    assert visitors.come("192.0.2.1") is None


def test_when_all_places_are_taken_the_oldest_handshake_makes_room() -> None:
    visitors = Visitors(Gate(LIMITS))
    for number in range(6):
        visitors.come(f"192.{number}.2.1")
    newcomer = visitors.come("203.0.113.1")
    assert newcomer is not None
    assert visitors.gave_up == ["192.0.2.1"]
    visitors.gate.shaken(newcomer)
    assert visitors.come("203.0.113.2") is not None
    assert visitors.gave_up == ["192.0.2.1"]


def test_new_connections_of_an_address_have_a_rate() -> None:
    visitors = Visitors(Gate(replace(LIMITS, links_per_address=1_000_000)))
    taken = 0
    for _ in range(100):
        if (visit := visitors.come("192.0.2.1")) is not None:
            taken += 1
            visitors.gate.leave(visit)
    assert taken == BURST
    assert visitors.come("192.0.2.1", 1.0) is not None
    assert RATE >= 1


def test_loopback_of_a_test_network_is_exempt_from_all_but_the_total() -> None:
    visitors = Visitors(Gate(LIMITS, lambda host: host.startswith("127.")))
    for _ in range(26):
        visitors.link("127.0.0.1")
    assert visitors.come("127.0.0.1") is None


def test_addresses_that_owe_nothing_are_forgotten() -> None:
    visitors = Visitors(Gate(LIMITS))
    for number in range(SWEEP_AT + 10):
        visit = visitors.come(f"10.{number % 256}.{number // 256}.1", float(number))
        assert visit is not None
        visitors.gate.leave(visit)
    assert len(visitors.gate._buckets) < 100


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 2)), max_size=80))
def test_whatever_comes_and_goes_the_counts_hold(steps: list[tuple[int, int]]) -> None:
    gate = Gate(LIMITS)
    visits: list[Visit] = []
    now = 0.0
    for number, action in steps:
        now += 1.0
        if action == 0:
            visit = gate.enter(f"192.{number % 3}.2.{number}", lambda: None, now)
            visits += [visit] if visit else []
        elif visits and action == 1:
            gate.shaken(visits[number % len(visits)])
        elif visits:
            gate.leave(visits.pop(number % len(visits)))
        assert gate._open == len(visits) <= LIMITS.links + LIMITS.handshakes
        assert len(gate._shaking) <= LIMITS.handshakes
        assert max(gate._hosts.values(), default=0) <= LIMITS.links_per_address
        assert max(gate._networks.values(), default=0) <= LIMITS.links_per_network
    for visit in visits:
        gate.leave(visit)
    assert not any((gate._hosts, gate._networks, gate._shaking, gate._shaking_hosts))
