# ruff: noqa: ARG001 - virtual time is asked for by naming its fixture
"""The choice of paths: rules for every hop, failed relays passed over for a while, why it is so."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from engine.circuit.path import Hop
from engine.circuit.pathchoice import AVOID_S, REFUSALS_KEPT, PathChoice
from engine.directory.guards import GuardList
from engine.directory.networks import TextTable
from engine.directory.rules import PathRules, network_of
from engine.directory.settings import PathSettings
from engine.errors import NoRoute
from engine.wire.advert import Advert, Role
from tests.helpers.unsigned import advert

pytestmark = pytest.mark.trio
OFTEN = 60


def node(host: str, roles: Role = Role.RELAY) -> Advert:
    return advert(host, roles=roles, now=int(time.time()))


class Known:
    """The directory: what is known of each role."""

    def __init__(self, *adverts: Advert) -> None:
        self.adverts = list(adverts)

    def reload(self) -> None:
        """Nothing is read."""

    def with_role(self, role: Role) -> list[Advert]:
        return [one for one in self.adverts if one.roles & role]


def relays(count: int) -> list[Advert]:
    return [node(f"20.{n}.0.1") for n in range(count)]


GHOST = node("90.1.0.1", Role.GHOST)


def avoiding(network: str) -> PathRules:
    """A user who avoids the owner of this network, and knows the owners of the others."""
    others = ["91.1.0.0/16 64501", *(f"20.{n}.0.0/16 {64510 + n}" for n in range(6))]
    table = TextTable([f"{network} 64500", *others], "owners", 0.0)
    settings = PathSettings(table=Path("owners"), avoid_asns=frozenset({64500}))
    return PathRules(settings, table)


def choice(*adverts: Advert, rules: PathRules | None = None) -> PathChoice:
    return PathChoice(cast(Any, Known(*adverts)), GuardList(), rules or PathRules(), Random(5))


def circuit(hops: tuple[Hop, ...], built: int, *times_s: float) -> Any:
    return SimpleNamespace(path=hops, hops_built=built, hop_times_s=times_s)


def middles(paths: PathChoice) -> set[bytes]:
    """Every relay that stands in the middle of one of many paths."""
    chosen = [paths.choose([GHOST], "ghost", 1, "chat").hops for _ in range(OFTEN)]
    return {hops[1].node_id for hops in chosen}


async def test_a_path_leads_over_unrelated_relays_and_says_how_it_came_about(
    autojump_clock: MockClock,
) -> None:
    known = relays(8)
    found = choice(*known, GHOST).choose([GHOST], "ghost", 2, "chat")
    assert [hop.node_id for hop in found.hops][-1] == GHOST.node_id
    hosts = {one.node_id: one.addresses[0].host for one in [*known, GHOST]}
    assert len({network_of(hosts[hop.node_id]) for hop in found.hops}) == 4
    assert found.why.startswith("The ghost came first, then the guard (kept since today), then 2 ")
    assert "drawn from the 8 relays known" in found.why


async def test_the_guard_stays_the_same_from_path_to_path(autojump_clock: MockClock) -> None:
    paths = choice(*relays(12), GHOST)
    firsts = {paths.choose([GHOST], "ghost", 1, "chat").hops[0].node_id for _ in range(OFTEN)}
    assert len(firsts) == 1


async def test_the_first_that_the_rules_allow_is_taken(autojump_clock: MockClock) -> None:
    rules = avoiding("90.1.0.0/16")
    other = node("91.1.0.1", Role.GHOST)
    paths = choice(*relays(6), GHOST, other, rules=rules)
    assert paths.choose([GHOST, other], "ghost", 1, "chat").hops[-1].node_id == other.node_id
    assert not paths.refusals
    with pytest.raises(NoRoute, match="your settings avoid") as caught:
        paths.choose([GHOST], "ghost", 1, "chat")
    assert caught.value.kept == "Nothing was sent and nothing was paid."


async def test_a_refusal_is_kept_once_and_few_are_kept(autojump_clock: MockClock) -> None:
    paths = choice(*relays(2), GHOST)
    for _ in range(3):
        with pytest.raises(NoRoute):
            paths.choose([GHOST], "ghost", 2, "chat")
    assert len(paths.refusals) == 1
    with pytest.raises(NoRoute, match="nothing to build a circuit to"):
        paths.choose([], "ghost", 2, "chat")
    assert len(paths.refusals) == 2 <= REFUSALS_KEPT


async def test_who_failed_is_passed_over_for_a_while(autojump_clock: MockClock) -> None:
    paths = choice(*relays(6), GHOST)
    hops = paths.choose([GHOST], "ghost", 1, "chat").hops
    paths.failed(circuit(hops, 1))
    assert hops[1].node_id not in middles(paths)
    await trio.sleep(AVOID_S + 1)
    assert hops[1].node_id in middles(paths)


async def test_who_stands_before_the_failure_is_suspected_less(autojump_clock: MockClock) -> None:
    """It may have lied; but where one of both is needed, it is taken."""
    paths = choice(*relays(3), GHOST)
    guard = paths.choose([GHOST], "ghost", 1, "chat").hops[0]
    first, second = (one for one in paths.relays() if one.node_id != guard.node_id)
    hops = tuple(SimpleNamespace(node_id=n) for n in (guard.node_id, first.node_id, second.node_id))
    paths.failed(circuit(cast(Any, hops), 2))
    assert middles(paths) == {first.node_id}


async def test_a_circuit_that_is_built_clears_its_hops(autojump_clock: MockClock) -> None:
    paths = choice(*relays(6), GHOST)
    hops = paths.choose([GHOST], "ghost", 1, "chat").hops
    paths.failed(circuit(hops, 1))
    paths.built(circuit(hops, 3, 0.1, 0.2, 0.3))
    assert hops[1].node_id in middles(paths)


async def test_exits_that_failed_come_last(autojump_clock: MockClock) -> None:
    exits = [node(f"30.{n}.0.1", Role.RELAY | Role.MINT_EXIT) for n in range(3)]
    paths = choice(*relays(4), *exits)
    bad = exits[0].node_id
    hops = cast(Any, (SimpleNamespace(node_id=b"g" * 32), SimpleNamespace(node_id=bad)))
    paths.failed(circuit(hops, 1))
    orders = [[one.node_id for one in paths.exits()] for _ in range(20)]
    assert all(order[-1] == bad for order in orders)
    assert all({*order} == {one.node_id for one in exits} for order in orders)


async def test_without_an_exit_it_is_said_whether_the_settings_avoid_them(
    autojump_clock: MockClock,
) -> None:
    with pytest.raises(NoRoute) as none:
        choice(*relays(4)).exits()
    assert none.value.message == "No relay that reaches mints may be used."
    rules = avoiding("30.1.0.0/16")
    with pytest.raises(NoRoute, match="1 are avoided by your settings"):
        choice(*relays(4), node("30.1.0.1", Role.MINT_EXIT), rules=rules).exits()


async def test_a_path_to_a_mailbox_has_its_middle_from_the_second_layer(
    autojump_clock: MockClock,
) -> None:
    known = relays(30)
    paths = choice(*known)
    box = node("95.1.0.1", Role.MAILBOX)
    found = [paths.choose([box], "mailbox", 1, "mailbox visit") for _ in range(OFTEN)]
    layer2 = {bytes.fromhex(name) for name in paths._guards.layer2.node_ids}
    assert {path.hops[1].node_id for path in found} <= layer2
    assert "layer-2 guards as the middle" in found[0].why


async def test_a_network_that_is_too_small_is_told_before_anything_is_built(
    autojump_clock: MockClock,
) -> None:
    choice(*relays(3), GHOST).check(2)
    with pytest.raises(NoRoute):
        choice(*relays(2), GHOST).check(2)
    choice(*relays(2)).check(2)  # no ghost is known: that is said elsewhere
