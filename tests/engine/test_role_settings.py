"""Which settings a role is, and what of a changed file takes effect at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomlkit

from engine.config import parse_config
from engine.errors import ConfigError
from engine.role_settings import MEANINGS, check_name, check_possible, has_role, merge, set_role

RELAY: dict[str, Any] = {
    "roles": ["relay"],
    "link": {"listen": "127.0.0.1:9"},
    "exit": {"mint_hosts": ["mint.example:443"]},
}


def on(data: dict[str, Any]) -> list[str]:
    config = parse_config(Path("/home"), data, base=Path("/home"))
    return [name for name in MEANINGS if has_role(config, name)]


def test_each_role_is_switched_by_its_settings() -> None:
    data = {**RELAY, "link": dict(RELAY["link"]), "exit": dict(RELAY["exit"])}
    assert on(data) == ["relay", "mailbox", "exit"]
    set_role(data, "client", True)
    set_role(data, "api", True)
    assert on(data) == ["client", "relay", "mailbox", "exit", "api"]
    for name in ("mailbox", "exit", "api", "relay"):
        set_role(data, name, False)
    assert on(data) == ["client"]
    set_role(data, "exit", True)
    set_role(data, "relay", True)
    assert on(data) == ["client", "relay", "exit"]


def test_comments_of_the_file_stay() -> None:
    text = '# mine\nroles = ["relay"] # a relay\n[mailbox]\nslots = 9 # few\n'
    document = tomlkit.parse(text)
    set_role(document, "mailbox", False)
    set_role(document, "client", True)
    changed = tomlkit.dumps(document)
    for word in ("# mine", "# a relay", "slots = 9 # few", "enabled = false"):
        assert word in changed
    assert document.unwrap()["roles"] == ["relay", "client"]


def test_the_last_role_stays() -> None:
    with pytest.raises(ConfigError, match="at least one role"):
        set_role({"roles": ["relay"]}, "relay", False)
    with pytest.raises(ConfigError, match="at least one role"):
        set_role({}, "client", False)


@pytest.mark.parametrize("name", ["directory", "dht", "guard", ""])
def test_what_is_no_role_is_told(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_name(name)
    assert caught.value.kept == "Nothing was changed."


@pytest.mark.parametrize("name", ["mailbox", "exit", "api"])
def test_what_a_role_needs_is_told(name: str) -> None:
    data: dict[str, Any] = {"roles": ["relay"], "link": {"listen": "127.0.0.1:9"}}
    data["mailbox"] = {"enabled": False}
    with pytest.raises(ConfigError) as caught:
        check_possible(parse_config(Path("/home"), data, base=Path("/home")), name)
    assert caught.value.hint


def test_a_changed_file_is_taken_up_as_far_as_it_can_be() -> None:
    file = {
        "roles": ["relay", "client"],
        "link": {"listen": "127.0.0.1:10"},
        "exit": {"mint_hosts": []},
        "limits": {"circuits": 5},
    }
    merged, applied, restart = merge(RELAY, file)
    assert applied == ["exit.mint_hosts", "roles"]
    assert restart == ["limits.circuits", "link.listen"]
    assert merged["link"] == RELAY["link"]
    assert merged["roles"] == ["relay", "client"]
    assert merged["exit"] == {"mint_hosts": []}
    assert RELAY["roles"] == ["relay"]
    assert merge(file, file) == (file, [], [])


def test_a_running_ghost_keeps_its_upstreams_and_takes_its_prices() -> None:
    before = {"roles": ["ghost"], "ghost": {"provider_url": "http://a", "in_price": 1}}
    after = {"roles": ["ghost"], "ghost": {"provider_url": "http://b", "in_price": 2}}
    merged, applied, restart = merge(before, after)
    assert applied == ["ghost.in_price"]
    assert restart == ["ghost.provider_url"]
    assert merged["ghost"] == {"provider_url": "http://a", "in_price": 2}
    merged, applied, restart = merge({**before, "roles": ["relay"]}, after)
    assert restart == []
    assert merged["ghost"] == after["ghost"]
