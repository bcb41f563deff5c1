"""The [network] table, and the file of contacts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.config import parse_config
from engine.directory.contacts import Contact, encode_invite
from engine.directory.network_settings import DEFAULT_WORK_BITS, NetworkSettings
from engine.errors import ConfigError
from engine.wire.network import network_tag

ONE, TWO = (Contact(bytes([n]) * 32, f"192.0.2.{n}", 9_001) for n in (1, 2))


def settings(**values: Any) -> NetworkSettings:
    return parse_config(Path("/h"), {"network": values}, base=Path("/b")).network


def invite(contact: Contact, name: str = "main") -> str:
    return encode_invite(network_tag(name), [contact])


def test_defaults() -> None:
    found = settings()
    assert (found.name, found.tag) == ("main", network_tag("main"))
    assert (found.contacts, found.contacts_in_file()) == ((), ())
    assert (found.seeds, found.dns, found.lan) == (True, "", False)
    assert found.work_bits == DEFAULT_WORK_BITS
    assert settings(test_network=True).work_bits == 0


def test_contacts_come_from_settings_and_file(tmp_path: Path) -> None:
    path = tmp_path / "contacts"
    found = settings(invites=[invite(ONE)], contacts=str(path))
    assert (found.contacts, found.contacts_in_file()) == ((ONE,), ())
    path.write_text(f"# friends\n\n{invite(TWO)}\n")
    assert found.contacts_in_file() == (TWO,)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"name": ""}, "network.name"),
        ({"name": "x" * 65}, "network.name"),
        ({"invites": ["hello"]}, "not an invite"),
        ({"invites": [invite(ONE, "other")]}, "another network"),
        ({"gossip_s": 0}, "network.gossip_s"),
        ({"work_bits": 25}, "network.work_bits"),
        ({"refresh_s": "often"}, "network.refresh_s"),
        ({"dns": "no name"}, "network.dns"),
        ({"dns": "a." * 130 + "org"}, "network.dns"),
        ({"lan": 1}, "network.lan"),
        ({"seeds": "yes"}, "network.seeds"),
    ],
)
def test_what_is_wrong_is_named(values: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        settings(**values)


def test_a_bad_line_in_the_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "contacts"
    path.write_text("P2P1NONSENSE\n")
    with pytest.raises(ConfigError, match="invite"):
        settings(contacts=str(path)).contacts_in_file()
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        settings(contacts=str(path)).contacts_in_file()
