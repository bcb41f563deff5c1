"""Invites: round trips, and a clear word for whatever is pasted instead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.directory.contacts import Contact, encode_invite, parse_invite
from engine.errors import ConfigError
from engine.wire.network import network_tag

MAIN = network_tag("main")
HOSTS = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
CONTACTS = st.builds(
    Contact, st.binary(min_size=32, max_size=32), HOSTS, st.integers(1, 65_535)
).filter(lambda contact: ".0.0.0" not in contact.host and "::ffff:" not in contact.host)


@given(st.lists(CONTACTS, min_size=1, max_size=8))
def test_round_trip_also_in_lower_case_and_with_spaces_around(contacts: list[Contact]) -> None:
    line = encode_invite(MAIN, contacts)
    assert parse_invite(f"  {line.lower()}\n", MAIN) == contacts


@given(st.text(max_size=200))
def test_any_text_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ConfigError, match=r"\.$"):
        parse_invite(text, MAIN)


@given(CONTACTS, st.data())
def test_a_changed_letter_is_noticed(contact: Contact, data: st.DataObject) -> None:
    line = encode_invite(MAIN, [contact])
    place = data.draw(st.integers(4, len(line) - 1))
    letter = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
    changed = line[:place] + letter + line[place + 1 :]
    if changed != line:
        with pytest.raises(ConfigError):
            parse_invite(changed, MAIN)


def test_an_invite_of_another_network_is_named_as_such() -> None:
    line = encode_invite(network_tag("test"), [Contact(bytes(32), "192.0.2.1", 9001)])
    with pytest.raises(ConfigError, match="another network"):
        parse_invite(line, MAIN)


def test_an_invite_names_one_to_eight_contacts() -> None:
    contact = Contact(bytes(32), "192.0.2.1", 9001)
    for count in (0, 9):
        with pytest.raises(ValueError, match="one to eight"):
            encode_invite(MAIN, [contact] * count)
