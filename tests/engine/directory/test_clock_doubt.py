"""A wrong clock is noticed by several nodes' dates, and never by one liar's."""

from __future__ import annotations

import pytest

from engine.directory.adverts import AdvertSet, Outcome
from engine.directory.clock_doubt import ClockDoubt
from engine.wire.advert import UntimelyAdvert
from tests.helpers.adverts import advert_of

NOW = 1_900_000_000


def refused(number: int, off_s: int) -> UntimelyAdvert:
    return UntimelyAdvert("an advert has wrong dates", bytes([number]) * 32, off_s)


@pytest.mark.parametrize(
    ("off_s", "words"),
    [(7_300, "2 h slow"), (1_500, "25 min slow"), (-900, "15 min fast"), (-400_000, "5 days fast")],
)
def test_several_nodes_agree(off_s: int, words: str) -> None:
    doubt = ClockDoubt()
    for number in range(3):
        assert bool(doubt.warning) == (number == 2)
        doubt.untimely(refused(number, off_s))
    assert words in doubt.warning
    assert "3 other nodes" in doubt.warning


def test_one_node_that_says_it_often_is_one_node() -> None:
    doubt = ClockDoubt()
    for off_s in range(1_000, 1_050):
        doubt.untimely(refused(1, off_s))
    assert doubt.warning == ""


def test_nodes_that_fit_outweigh_it_and_a_clock_set_right_ends_it() -> None:
    doubt = ClockDoubt()
    for number in range(4):
        doubt.untimely(refused(number, 5_000))
    assert doubt.warning
    for number in range(10, 14):
        doubt.fits(bytes([number]) * 32)
    assert doubt.warning == ""
    doubt = ClockDoubt()
    doubt.fits(bytes([9]) * 32)
    for number in range(3):
        assert doubt.warning == ""  # where somebody fits, two say nothing
        doubt.untimely(refused(number, 5_000))
    assert doubt.warning
    doubt = ClockDoubt()
    for number in range(4):
        doubt.untimely(refused(number, 5_000))
    for number in range(2):
        doubt.fits(bytes([number]) * 32)
    assert doubt.warning == ""


def test_what_is_remembered_is_bounded() -> None:
    doubt = ClockDoubt()
    for number in range(2_000):
        name = number.to_bytes(32, "big")
        doubt.untimely(UntimelyAdvert("wrong dates", name, 5_000))
        doubt.fits((number + 5_000).to_bytes(32, "big"))
    assert len(doubt._off_s) <= 256
    assert len(doubt._fitting) <= 256


@pytest.mark.parametrize(("ours", "word"), [(NOW - 4_000, "slow"), (NOW + 200_000, "fast")])
def test_a_set_with_a_wrong_clock_takes_nobody_and_says_why(ours: int, word: str) -> None:
    doubt = ClockDoubt()
    adverts = AdvertSet(doubt=doubt)
    for number in range(4):
        raw = advert_of(number, published=NOW)
        assert adverts.add(raw, ours) is Outcome.REFUSED
        broken = raw[:-1] + bytes([raw[-1] ^ 1])
        assert adverts.add(broken, ours) is Outcome.REFUSED
    assert word in doubt.warning
    for number in range(4):
        assert adverts.add(advert_of(number, published=NOW), NOW) is Outcome.KEPT
    assert doubt.warning == ""


def test_a_clock_that_is_fast_by_less_than_a_life_is_noticed() -> None:
    """Nothing is refused, but nothing is fresh; when the clock is set right, all was."""
    offset = [7_200.0]
    doubt = ClockDoubt(lambda: offset[0])
    adverts = AdvertSet(doubt=doubt)
    for number in range(4):
        published = NOW - 600 * number
        assert (
            adverts.add(advert_of(number, published=published, life_s=21_600), NOW + 7_200)
            is Outcome.KEPT
        )
        assert bool(doubt.warning) == (number >= 2)  # two nodes say nothing
    assert "about 120 min fast" in doubt.warning or "about 2 h fast" in doubt.warning
    offset[0] = 0.0
    assert doubt.warning == ""


def test_one_fresh_advert_clears_the_clock() -> None:
    doubt = ClockDoubt(lambda: 0.0)
    for number in range(9):
        doubt.came(bytes([number]) * 32, NOW - 20_000, NOW)
    assert "fast" in doubt.warning
    doubt.came(bytes([77]) * 32, NOW - 3_000, NOW)
    assert doubt.warning == ""
