"""Sixty relays over real TCP on one machine: they meet, come, go, die, and are parted.

Each host runs the real directory role and knows one address at the start. Time between comparisons
is seconds rather than a minute; nothing else differs from a node of the network.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.helpers.directory_world import ADVERT_LIFE_S, Host, World, agree, until, world

pytestmark = pytest.mark.trio

COUNT = 60


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rumours are gathered for shorter, own adverts looked after more often, than in life."""
    monkeypatch.setattr("engine.directory.gossip.RUMOUR_S", 0.5)
    monkeypatch.setattr("engine.directory.gossip.LONELY_S", 0.3)
    monkeypatch.setattr("engine.directory_role.OWN_CHECK_S", 1.0)
    # Sixty on one busy machine time out now and then; ten minutes are too long to come back to one.
    monkeypatch.setattr("engine.directory.gossip.RETRY_AFTER_S", 5.0)


async def outlive(world: World, *groups: Sequence[Host]) -> None:
    """Move the clock past the life of every advert signed so far; the hosts of each group sign
    again before, and hear of it from each other."""
    then = world.clock()
    world.clock.ahead_s += ADVERT_LIFE_S * 0.6

    def renewed() -> bool:
        held = [
            host.relays.adverts.get(other.node_id)
            for living in groups
            for host in living
            for other in living
        ]
        return all(advert is not None and advert.published > then for advert in held)

    await until(renewed)
    world.clock.ahead_s += ADVERT_LIFE_S * 0.45


async def test_sixty_relays_through_one_contact_and_what_befalls_them() -> None:
    """Cold start from one address; one joins; one dies and is forgotten when its advert is over."""
    async with world() as all_hosts:
        (first,) = await all_hosts.add(1)
        others = await all_hosts.add(COUNT - 1, [first])
        everyone = [first, *others]
        await agree(everyone, everyone)

        (late,) = await all_hosts.add(1, [others[7]])
        await agree([*everyone, late], [*everyone, late])

        others[3].kill()
        living = [host for host in [*everyone, late] if host is not others[3]]
        await outlive(all_hosts, living)
        await agree(living, living)


async def test_a_network_cut_in_two_heals() -> None:
    """Each half goes on and takes newcomers; healed, all know all, those of the parted time too."""
    async with world() as all_hosts:
        (first,) = await all_hosts.add(1)
        everyone = [first, *await all_hosts.add(15, [first])]
        await agree(everyone, everyone)
        left, right = everyone[:8], everyone[8:]
        all_hosts.cut(left, right)
        # A newcomer is on the left by its number; it joins there alone.
        new_left = await all_hosts.add(1, [left[1]])
        all_hosts.cut(new_left, [])
        new_right = await all_hosts.add(1, [right[1]])
        all_hosts.cut([], new_right)
        await agree([*left, *new_left], [*everyone, *new_left])
        await agree([*right, *new_right], [*everyone, *new_right])
        all_hosts.mend()
        whole = all_hosts.hosts
        await agree(whole, whole)


async def test_halves_that_forgot_each_other_meet_again_through_a_contact(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Parted for longer than adverts live, neither half holds an advert of the other. The one
    contact that everybody was told at the start brings them together."""
    monkeypatch.setattr("engine.directory.gossip.CONTACTS_EVERY_S", 2.0)
    async with world() as all_hosts:
        (first,) = await all_hosts.add(1)
        everyone = [first, *await all_hosts.add(9, [first])]
        await agree(everyone, everyone)
        left, right = everyone[:5], everyone[5:]
        all_hosts.cut(left, right)
        await outlive(all_hosts, left, right)
        await agree(left, left)
        await agree(right, right)
        all_hosts.mend()
        await agree(everyone, everyone)


async def test_a_host_that_comes_back_is_known_by_its_new_advert() -> None:
    """Everyone takes the later advert of a node; two never stand beside each other."""
    async with world() as all_hosts:
        (first,) = await all_hosts.add(1)
        others = await all_hosts.add(5, [first])
        everyone = [first, *others]
        await agree(everyone, everyone)
        await outlive(all_hosts, everyone)
        await agree(everyone, everyone)
        held = [host.relays.adverts.get(first.node_id) for host in everyone]
        assert {advert and advert.raw for advert in held} == {first.own_advert()}
