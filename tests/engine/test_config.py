"""Settings: every mistake gets a sentence that names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.config import load_config, parse_address, parse_config
from engine.errors import ConfigError
from engine.wire.shape import ShapeClass

GHOST = {
    "provider_url": "http://127.0.0.1:1/v1",
    "models": ["m"],
    "mints": ["http://127.0.0.1:2"],
}


def parse(data: dict[str, Any]) -> Any:
    return parse_config(Path("/home"), data, base=Path("/base"))


def test_an_empty_file_is_a_client() -> None:
    config = parse({})
    assert config.roles == {"client"}
    assert config.mint_way.via == "circuit"
    assert config.shapes.default.shape_class is ShapeClass.TEXT


def test_a_whole_ghost() -> None:
    config = parse({"roles": ["ghost"], "link": {"listen": "127.5.0.1:9"}, "ghost": GHOST})
    assert config.listen == ("127.5.0.1", 9)
    assert config.ghost is not None
    assert config.ghost.models == ("m",)


def test_paths_are_relative_to_the_file() -> None:
    config = parse({"store": {"key_file": "key"}, "network": {"directory": "/d"}})
    assert config.store.key_file == Path("/base/key")
    assert config.network.directory == Path("/d")


def test_wishes_about_paths() -> None:
    paths = {"asn_table": "asn.dat", "avoid_asns": ["AS1", 2], "avoid_countries": ["de"]}
    config = parse({"paths": paths})
    assert config.paths.table == Path("/base/asn.dat")
    assert config.paths.avoid_asns == {1, 2}
    assert config.paths.avoid_countries == {"DE"}


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ({"roles": ["king"]}, "king"),
        ({"roles": "client"}, "roles"),
        ({"rolse": []}, "rolse"),
        ({"link": {"lisen": "x"}}, "link.lisen"),
        ({"roles": ["relay"]}, "listen"),
        ({"link": {"listen": "nowhere"}}, "nowhere"),
        ({"link": {"listen": "1.2.3.4:99999"}}, "1.2.3.4:99999"),
        ({"wallet": {"via": "carrier pigeon"}}, "wallet.via"),
        ({"wallet": {"mints": ["ftp://x"]}}, "wallet.mints"),
        ({"shape": {"class": "round"}}, "round"),
        ({"link": {"padding": "some"}}, "link.padding"),
        ({"cover": {"per_hour": 0}}, "per_hour"),
        ({"cover": {"mb_per_hour": 10_001}}, "mb_per_hour"),
        ({"shape": {"tick_ms": 1}}, "tick"),
        ({"shape": {"ladder": [5, 4]}}, "ladder"),
        ({"shape": {"ladder": ["a"]}}, "ladder"),
        ({"network": {"test_network": "yes"}}, "test_network"),
        ({"paths": {"avoid_asns": [1]}}, "need a table"),
        ({"paths": {"asn_table": "t", "avoid_asns": ["x"]}}, "avoid_asns"),
        ({"paths": {"asn_table": "t", "prefer_countries": ["Mars"]}}, "prefer_countries"),
        ({"paths": {"asn_tabel": "t"}}, "paths.asn_tabel"),
        ({"roles": ["ghost"], "link": {"listen": "127.0.0.1:9"}}, "provider_url"),
        (
            {
                "roles": ["ghost"],
                "link": {"listen": "127.0.0.1:9"},
                "ghost": {**GHOST, "chunk_msat": 1_500},
            },
            "chunk_msat",
        ),
    ],
)
def test_mistakes_are_named(data: dict[str, Any], names: str) -> None:
    with pytest.raises(ConfigError, match=names) as caught:
        parse(data)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("value", ["[", "9" * 5_000, "[" * 5_000])
def test_a_file_that_is_not_toml(value: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f"roles = {value}")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_config(tmp_path)


def test_a_named_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path, tmp_path / "nothing.toml")


def test_addresses() -> None:
    assert parse_address("[::1]:80") == ("::1", 80)


def test_cover_and_padding_are_the_users_to_set() -> None:
    assert not parse({}).cover.enabled
    assert parse({}).link_padding == "clients"
    config = parse({"cover": {"enabled": True, "mb_per_hour": 5}, "link": {"padding": "off"}})
    assert (config.cover.enabled, config.cover.bytes_per_hour) == (True, 5_000_000)
    assert config.link_padding == "off"


def test_a_class_is_the_default_of_a_whole_menu() -> None:
    shapes = parse({"shape": {"class": "bulk", "tick_ms": 250}}).shapes
    assert shapes.default.shape_class is ShapeClass.BULK
    assert shapes.plan("text").tick_ms == 250
