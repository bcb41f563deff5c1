"""What may stand together on a path, and what the user will not have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.directory.networks import TextTable
from engine.directory.rules import PREFER_FACTOR, PathRules
from engine.directory.settings import PathSettings, parse_asns, parse_countries
from engine.errors import ConfigError
from tests.helpers.unsigned import advert

TABLE = TextTable(
    ["20.0.0.0/8 100 DE", "21.0.0.0/8 100 FR", "22.0.0.0/8 300 US", "23.0.0.0/8 0"], "t", 0.0
)
ANY = Path("t")


def test_nodes_of_one_autonomous_system_clash() -> None:
    one, other = advert("20.1.0.1"), advert("21.1.0.1")
    assert PathRules().clash(one, other) is None
    assert PathRules(table=TABLE).clash(one, other) == "asn"
    assert PathRules(table=TABLE).clash(one, advert("22.1.0.1")) is None


def test_unknown_and_unannounced_systems_do_not_clash() -> None:
    rules = PathRules(table=TABLE)
    assert rules.clash(advert("23.1.0.1"), advert("23.2.0.1")) is None
    assert rules.clash(advert("99.1.0.1"), advert("98.2.0.1")) is None


def test_every_address_of_a_node_counts() -> None:
    rules = PathRules(table=TABLE)
    assert rules.clash(advert("30.1.0.1", "31.1.0.1"), advert("31.1.9.9")) == "network"
    assert rules.clash(advert("30.1.0.1", "20.1.0.1"), advert("21.1.9.9")) == "asn"
    ipv6 = advert("2001:db8:1::1")
    assert rules.clash(ipv6, advert("2001:db8:2::1")) == "network"


def test_the_first_rule_names_the_clash() -> None:
    one = advert("30.1.0.1", family=b"f" * 16, operator=b"o" * 16)
    assert PathRules().clash(one, one) == "key"
    assert PathRules().clash(one, advert("30.2.0.1", family=b"f" * 16)) == "family"
    assert PathRules().clash(one, advert("30.2.0.1", operator=b"o" * 16)) == "operator"


def test_a_newer_advert_is_looked_at_anew() -> None:
    rules = PathRules()
    old = advert("30.1.0.1")
    assert ("network", "30.1.0.0/16") in rules.marks(old)
    moved = replace(old, addresses=advert("40.1.0.1").addresses)
    assert ("network", "40.1.0.0/16") in rules.marks(moved)


@pytest.mark.parametrize(
    ("wish", "avoided"),
    [
        (PathSettings(ANY, avoid_asns=frozenset({100})), [True, True, False, False, True]),
        (PathSettings(ANY, avoid_countries=frozenset({"FR"})), [False, True, False, True, True]),
        (PathSettings(ANY, prefer_asns=frozenset({100})), [False] * 5),
        (PathSettings(), [False] * 5),
    ],
)
def test_avoiding_is_strict(wish: PathSettings, avoided: list[bool]) -> None:
    """A node whose network or country cannot be told is avoided, too."""
    rules = PathRules(wish, TABLE)
    nodes = [advert(f"{first}.1.0.1") for first in (20, 21, 22, 23, 99)]
    assert [rules.avoided(node) for node in nodes] == avoided
    assert rules.allowed(nodes) == [n for n, no in zip(nodes, avoided, strict=True) if not no]


def test_preferences_weigh_and_no_more() -> None:
    wish = PathSettings(ANY, prefer_asns=frozenset({100}), prefer_countries=frozenset({"US", "DE"}))
    rules = PathRules(wish, TABLE)
    hosts = ["20.1.0.1", "21.1.0.1", "22.1.0.1", "99.1.0.1"]
    assert [rules.preference(advert(h)) for h in hosts] == [*[PREFER_FACTOR] * 3, 1.0]
    assert PathRules().preference(advert("20.1.0.1")) == 1.0


def test_preferences_without_a_table_are_refused() -> None:
    with pytest.raises(ConfigError, match="need a table"):
        PathSettings(avoid_asns=frozenset({1}))
    with pytest.raises(ConfigError, match="does not name countries"):
        PathRules(
            PathSettings(ANY, avoid_countries=frozenset({"DE"})),
            TextTable(["20.0.0.0/8 1"], "t", 0.0),
        )


def test_the_settings_are_checked() -> None:
    assert parse_asns([64500, "AS64501", "as1"], "x") == {64500, 64501, 1}
    assert parse_countries(["de", "FR"], "x") == {"DE", "FR"}
    for bad in (["x"], [True], [-1], [2**32], ["AS"], [1.5]):
        with pytest.raises(ConfigError, match=r"paths\.avoid_asns"):
            parse_asns(bad, "paths.avoid_asns")
    for wrong in ([1], ["Germany"], [""], [None]):
        with pytest.raises(ConfigError, match="country code"):
            parse_countries(wrong, "x")
