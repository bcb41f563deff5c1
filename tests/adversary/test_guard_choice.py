"""Attacks on the choice of guards and paths: linking over time, exhaustion, Sybils, lies.

The real guard list and rules; virtual time; seeded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest

from engine.directory import paths as paths_module
from engine.directory.guards import DAY_S, MAX_SAMPLE, NEW_PER_DAY, PRIMARY
from engine.directory.paths import choose_middles, explain
from engine.directory.rules import PathRules, network_of
from engine.directory.weights import NETWORK_CAP
from engine.errors import NoRoute
from engine.wire.advert import Advert
from tests.helpers.path_world import PathClient, World
from tests.helpers.unsigned import NOW, advert, spread

SESSIONS = 1_000
USERS = 100
SHARE = 0.05


@dataclass
class Colluders:
    """Relays and ghosts that compare notes: a user is linked when one session has both."""

    world: World

    def linked(self, entry: Advert, ghost: Advert) -> bool:
        return self.world.is_bad(entry) and self.world.is_bad(ghost)


def linked_users(days: float, *, guards: bool, outages: float = 0.0) -> float:
    """The share of users linked at least once in 1,000 sessions spread over `days`."""
    linked = 0
    for user in range(USERS):
        rng = Random(user)
        world = World.with_share(SHARE, rng, relays=60)
        adversary = Colluders(world)
        client = PathClient(world, rng)
        for session in range(SESSIONS):
            client.now = NOW + session * days * DAY_S / SESSIONS
            entry, ghost = rng.choice(world.relays), rng.choice(world.ghosts)
            if guards:
                path = client.choose(middles=0)
                if outages and rng.random() < outages:
                    client.guards.failed(path.guard.node_id, client.now)
                    path = client.choose(middles=0)
                client.guards.succeeded(path.guard.node_id, client.now)
                entry, ghost = path.guard, path.ghost
            if adversary.linked(entry, ghost):
                linked += 1
                break
    return linked / USERS


def test_without_guards_nearly_everybody_is_linked() -> None:
    """The reason for guards: a fresh entry a session links 92 % (1 - (1 - 0.05^2)^1000)."""
    assert linked_users(30, guards=False) == pytest.approx(0.92, abs=0.06)


def test_with_a_guard_few_are() -> None:
    """Pass: over 1,000 sessions in a month at most 9 % of the users are linked; the expected
    value is the chance of one bad guard, 5 %."""
    assert linked_users(30, guards=True) <= 0.09


def test_outages_of_guards_cost_little() -> None:
    """Pass: when the guard fails for a moment in 2 % of the sessions, other primaries see some of
    them; at most the chance of one bad guard in three, 14 %, and noise."""
    assert linked_users(30, guards=True, outages=0.02) <= 0.20


def test_rotation_over_a_year_costs_what_it_must() -> None:
    """Pass: in a year three or four guards serve in turn: at most 1 - 0.95^4, 19 %, and noise."""
    assert linked_users(365, guards=True) <= 0.26


# -- exhaustion ------------------------------------------------------------------------------------


@dataclass
class Blocker:
    """Sits at the user's network: lets no connection through but to relays of its own."""

    world: World
    seen: set[bytes] = field(default_factory=set)

    def answers(self, guard: Advert) -> bool:
        self.seen.add(guard.node_id)
        return self.world.is_bad(guard)


def test_failing_connections_moves_a_client_by_a_bounded_number_of_guards() -> None:
    """Pass: while an attacker fails every connection, asked for a circuit each minute, a client
    tries at most NEW_PER_DAY guards a day and MAX_SAMPLE for as long as it lasts."""
    world = World.with_share(0.0, Random(3), relays=300)
    client, adversary = PathClient(world, Random(3)), Blocker(world)
    for day in range(10):
        for minute in range(0, 1_440, 7):
            client.now = NOW + day * DAY_S + 60 * minute
            client.reach(adversary.answers)
        assert len(adversary.seen) <= min(MAX_SAMPLE, NEW_PER_DAY * (day + 1))
    assert len(adversary.seen) == MAX_SAMPLE


def test_a_blocker_wins_no_more_than_its_share_of_the_bounded_sample() -> None:
    """Pass: with 5 % of the relays, a blocker that works for a day gets at most the chance of one
    bad guard in NEW_PER_DAY (23 %) and noise; without the bound it would get every user."""
    won = 0
    for user in range(USERS):
        rng = Random(user)
        world = World.with_share(SHARE, rng)
        client, adversary = PathClient(world, rng), Blocker(world)
        for minute in range(0, 1_440, 20):
            client.now = NOW + 60 * minute
            client.reach(adversary.answers)
        won += any(node_id in world.bad for node_id in adversary.seen)
    assert won / USERS <= 0.23 + 0.09


def test_a_hopeless_network_is_left_alone() -> None:
    """Pass: with nothing answering at all, the first attempts reach PRIMARY guards and no other:
    it is our network that is down."""
    world = World.with_share(0.0, Random(4))
    client = PathClient(world, Random(4))
    assert len(client.reach(lambda _guard: False)) == PRIMARY
    assert client.reach(lambda _guard: False) == set()


# -- Sybils, lies, small networks ------------------------------------------------------------------


class RentedNetwork:
    """One operator with a thousand relays in one /16, undeclared."""

    relays = [advert(f"77.7.{n // 250}.{n % 250 + 1}") for n in range(1_000)]  # noqa: RUF012

    def holds(self, node: Advert) -> bool:
        return network_of(node.addresses[0].host) == "77.7.0.0/16"


def test_a_thousand_sybils_in_one_network_are_worth_two_relays() -> None:
    """Pass: beside 50 honest relays they hold at most one place of any path, and a middle's or
    guard's place no more often than two relays of 52 would, and noise."""
    sybils = RentedNetwork()
    relays = [*spread(50), *sybils.relays]
    rng = Random(9)
    runs, guards, middles = 300, 0, 0
    for _ in range(runs):
        client = PathClient(World(relays, spread(1, 200), frozenset()), rng)
        path = client.choose()
        held = [sybils.holds(node) for node in (path.guard, *path.middles)]
        assert sum(held) <= 1
        guards += held[0]
        middles += any(held[1:])
    fair = NETWORK_CAP / (50 + NETWORK_CAP)
    assert guards / runs <= fair + 0.05
    assert middles / runs <= 2 * fair + 0.07


def test_sybils_do_not_make_a_small_network_large_enough() -> None:
    """Pass: one honest relay and a thousand in one /16 are refused for a path of three, with the
    reason, within the bound of the search."""
    with pytest.raises(NoRoute, match="not all with each other"):
        choose_middles([*spread(1), *RentedNetwork.relays], [], 3, avoid={}, rng=Random(1))


def test_a_hostile_directory_cannot_make_the_search_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pass: relays that all differ and all clash (a liar's family each in turn) end the search
    after SEARCH_STEPS looks, with a refusal."""
    monkeypatch.setattr(paths_module, "SEARCH_STEPS", 2_000)
    looked = 0

    class Counting(PathRules):
        def marks(self, node: Advert) -> frozenset[tuple[str, bytes | str | int]]:
            nonlocal looked
            looked += 1
            return super().marks(node)

    relays = [
        advert(f"90.{n}.0.1", f"91.{n}.0.1", "92.1.0.1", operator=bytes([n]) * 16)
        for n in range(1, 200)
    ]
    with pytest.raises(NoRoute):
        choose_middles(relays, [], 3, avoid={}, rng=Random(1), rules=Counting())
    assert looked < 2_000 + 2 * len(relays)


@dataclass
class Liar:
    """Declares what belongs to others: the family of honest relays, addresses in their networks."""

    def join(self, victims: list[Advert]) -> list[Advert]:
        """Nodes that declare the family and the operator of each victim."""
        return [
            advert(f"88.{n}.0.1", family=v.family_tag, operator=v.operator_tag)
            for n, v in enumerate(victims)
        ]

    def beside(self, victims: list[Advert]) -> Advert:
        """A ghost that claims an address in the network of up to three victims."""
        return advert(*(v.addresses[0].host.replace(".0.1", ".9.9") for v in victims[:3]))


def test_lies_about_family_only_exclude_the_liar() -> None:
    """Pass: whatever liars declare, two honest relays that could share a path still can, and the
    liars exclude themselves from paths with their victims."""
    honest = [advert(f"30.{n}.0.1", family=bytes([n + 1]) * 16) for n in range(6)]
    liars = Liar().join(honest)
    rules = PathRules()
    for one in honest:
        for other in honest:
            assert (rules.clash(one, other) is None) == (one is not other)
    for liar, victim in zip(liars, honest, strict=True):
        assert rules.clash(liar, victim) == "family"
    for seed in range(20):
        chosen = choose_middles([*honest, *liars], [], 3, avoid={}, rng=Random(seed))
        assert all(rules.fits(node, chosen[:n]) for n, node in enumerate(chosen))


def test_a_lying_exit_cannot_push_the_client_past_its_primaries() -> None:
    """Pass: a ghost that claims the networks of all three primary guards is refused; no fourth
    guard is drawn or tried for it."""
    client = PathClient(World.with_share(0.0, Random(5)), Random(5))
    client.choose()
    by_id = {relay.node_id.hex(): relay for relay in client.world.relays}
    before = [guard.node_id for guard in client.guards.sample]
    lying = Liar().beside([by_id[name] for name in before])
    for _ in range(50):
        with pytest.raises(NoRoute, match="No guard may be used"):
            client.guards.choose(client.world.relays, [lying], now=NOW, rng=client.rng)
    assert [guard.node_id for guard in client.guards.sample] == before


@pytest.mark.parametrize(
    ("relays", "says"),
    [
        (spread(2), "of the 2 known 1 fits"),
        ([*spread(1), *(advert(f"20.0.0.{n}") for n in range(2, 6))], "4 shares? a network"),
        (
            [advert(f"4{n}.1.0.1", family=b"f" * 16) for n in range(5)],
            "4 declares the same family",
        ),
        (
            [advert(f"4{n}.1.0.1", operator=b"o" * 16) for n in range(5)],
            "4 declares the same operator",
        ),
    ],
)
def test_too_small_a_network_refuses_with_the_rule_that_bites(
    relays: list[Advert], says: str
) -> None:
    """Pass: no path is built, and the user reads how many relays there are and why they do not
    fit. The rules do not give way."""
    client = PathClient(World(relays, spread(1, 300), frozenset()), Random(1))
    with pytest.raises(NoRoute, match=says) as caught:
        client.choose()
    assert caught.value.kept
    assert caught.value.hint


def test_the_refusal_counts_each_relay_once() -> None:
    """Pass: the counts of the rules and of those that fit add up to the relays known."""
    relays = [*spread(3), advert("20.0.9.9"), advert("20.1.9.9", family=b"x" * 16)]
    message = explain(relays, [relays[0], relays[1]], 4).message
    numbers = [int(word.strip("(;")) for word in message.split() if word.strip("(;").isdigit()]
    _missing, known, fit, *bites = numbers
    assert known == fit + sum(n for n in bites if n not in (16, 32)) == len(relays)
