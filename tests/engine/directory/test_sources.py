"""First contacts: the order in which they are asked, the list that comes with the program."""

from __future__ import annotations

import random
from importlib.resources import files

from hypothesis import given
from hypothesis import strategies as st

from engine.directory.contacts import Contact, encode_invite
from engine.directory.sources import SEEDS_FILE, Origin, built_in, seeds_in, take_turns
from engine.wire.network import MAIN_NETWORK, network_tag


def contact(number: int) -> Contact:
    return Contact(number.to_bytes(32), f"192.0.2.{number % 256}", 9_001)


@given(
    st.dictionaries(st.sampled_from(Origin), st.lists(st.integers(0, 60), max_size=30), max_size=5),
    st.integers(),
)
def test_everyone_is_asked_once_and_origins_take_turns(
    groups: dict[Origin, list[int]], seed: int
) -> None:
    named = {origin: [contact(n) for n in numbers] for origin, numbers in groups.items()}
    order = take_turns(named, random.Random(seed))
    assert len(order) == len(set(order))
    assert set(order) == {one for group in named.values() for one in group}
    first = set(order[: sum(1 for group in named.values() if group)])
    assert all(first & set(group) for group in named.values() if group)


def test_a_flood_from_one_origin_delays_nobody() -> None:
    honest = contact(1_000)
    groups = {Origin.LAN: [contact(n) for n in range(500)], Origin.INVITE: [honest]}
    for seed in range(20):
        assert honest in take_turns(groups, random.Random(seed))[:2]


def test_the_list_that_comes_with_the_program_is_valid() -> None:
    """Every line is an invite of the main network; nothing else stands in it."""
    text = files("engine.directory").joinpath(SEEDS_FILE).read_text("ascii")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(seeds_in(line, MAIN_NETWORK) for line in lines)
    assert set(built_in(MAIN_NETWORK)) == set(seeds_in(text, MAIN_NETWORK))


def test_lines_of_other_networks_and_damaged_ones_are_skipped() -> None:
    mine, other = network_tag("mine"), network_tag("other")
    text = "\n".join(
        [
            "# a list",
            "",
            encode_invite(other, [contact(1)]),
            encode_invite(mine, [contact(2)]),
            "P2P1DAMAGED",
            encode_invite(mine, [contact(2), contact(3)]),
        ]
    )
    assert seeds_in(text, mine) == (contact(2), contact(3))
    assert seeds_in("", mine) == ()
