"""Adverts and directory files."""

from __future__ import annotations

import base64
import dataclasses
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.crypto.keys import x25519_generate, x25519_public
from engine.errors import WireError
from engine.identity import Identity
from engine.wire.advert import (
    ADVERT_LABEL,
    MAX_LIFE_S,
    MAX_SKEW_S,
    Address,
    Advert,
    OnionKey,
    Role,
)
from engine.wire.directory_file import HEADER_LINE, format_directory, parse_directory

NOW = 1_800_000_000
IDENTITY = Identity(bytes(range(32)))
KEY_ONE, KEY_TWO, LINK_KEY = (x25519_public(bytes([i]) * 32) for i in (1, 2, 3))


def make(identity: Identity = IDENTITY, **changes: Any) -> Advert:
    advert = Advert(
        ed25519_public=identity.public,
        link_static=LINK_KEY,
        onion_keys=(OnionKey(KEY_ONE, NOW - 100, NOW + 3_600),),
        roles=Role.RELAY,
        published=NOW,
        expires=NOW + 7_200,
        addresses=(Address("192.0.2.1", 9_001),),
    )
    return dataclasses.replace(advert, **changes)


addresses = st.builds(
    Address,
    st.ip_addresses().map(str).filter(lambda host: not host.startswith("::ffff:")),
    st.integers(1, 65_535),
)


@given(
    st.lists(addresses, min_size=1, max_size=3, unique=True),
    st.integers(1, 15),
    st.integers(1, MAX_LIFE_S),
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=32, max_size=32),
)
def test_round_trip(where: list[Address], roles: int, life: int, tag: bytes, sheet: bytes) -> None:
    advert = make(
        addresses=tuple(where),
        roles=Role(roles),
        expires=NOW + life,
        family_tag=tag,
        operator_tag=tag[::-1],
        sheet_commitment=sheet,
        onion_keys=(OnionKey(KEY_ONE, 0, 5), OnionKey(KEY_TWO, 1, 2**64 - 1)),
    )
    data = advert.encode(IDENTITY)
    decoded = Advert.decode(data, NOW)
    assert decoded == advert
    assert decoded.node_id == IDENTITY.node_id
    assert decoded.encode(IDENTITY) == data
    assert len(data) <= 512


def test_usual_size() -> None:
    assert len(make().encode(IDENTITY)) == 287


@given(st.binary(max_size=600))
def test_any_bytes_are_refused(data: bytes) -> None:
    for candidate in (data, b"\x02" + data):
        with pytest.raises(WireError):
            Advert.decode(candidate, NOW)


@given(st.integers(0, 286), st.integers(1, 255))
def test_any_changed_byte_is_refused(position: int, change: int) -> None:
    data = bytearray(make().encode(IDENTITY))
    data[position] ^= change
    with pytest.raises(WireError):
        Advert.decode(bytes(data), NOW)


@given(st.integers(0, 286), st.binary(min_size=1, max_size=3))
def test_cut_and_lengthened_adverts_are_refused(cut: int, more: bytes) -> None:
    data = make().encode(IDENTITY)
    for candidate in (data[:cut], data + more):
        with pytest.raises(WireError):
            Advert.decode(candidate, NOW)


BAD_FIELDS: dict[str, dict[str, Any]] = {
    "unknown role": {"roles": Role(64)},
    "no life": {"expires": NOW},
    "too long a life": {"expires": NOW + MAX_LIFE_S + 1},
    "no address": {"addresses": ()},
    "four addresses": {"addresses": tuple(Address("192.0.2.1", p) for p in range(1, 5))},
    "an address twice": {"addresses": (Address("192.0.2.1", 1),) * 2},
    "no onion key": {"onion_keys": ()},
    "three onion keys": {
        "onion_keys": tuple(OnionKey(x25519_public(x25519_generate()), i, 9) for i in range(3))
    },
    "onion keys out of order": {"onion_keys": (OnionKey(KEY_ONE, 5, 9), OnionKey(KEY_TWO, 4, 9))},
    "one onion key twice": {"onion_keys": (OnionKey(KEY_ONE, 4, 9), OnionKey(KEY_ONE, 5, 9))},
    "onion key without life": {"onion_keys": (OnionKey(KEY_ONE, 9, 9),)},
    "onion key not canonical": {"onion_keys": (OnionKey(b"\xff" * 32, 1, 9),)},
    "link key not canonical": {"link_static": b"\xff" * 32},
    "short tag": {"family_tag": b"short"},
    "long commitment": {"sheet_commitment": bytes(33)},
    "short network tag": {"network": b"main"},
    "long work": {"work_nonce": bytes(9)},
}


@pytest.mark.parametrize("changes", BAD_FIELDS.values(), ids=BAD_FIELDS.keys())
def test_fields_out_of_bounds_are_refused_even_when_signed(changes: dict[str, Any]) -> None:
    advert = make(**changes)
    with pytest.raises(WireError):
        advert.encode(IDENTITY)
    body = advert._body()
    with pytest.raises(WireError):
        Advert.decode(body + IDENTITY.sign(ADVERT_LABEL + body), NOW)


def test_times() -> None:
    data = make().encode(IDENTITY)
    Advert.decode(data, NOW + 7_199)
    Advert.decode(data, NOW - MAX_SKEW_S)
    with pytest.raises(WireError, match="expired"):
        Advert.decode(data, NOW + 7_200)
    with pytest.raises(WireError, match="future"):
        Advert.decode(data, NOW - MAX_SKEW_S - 1)


def test_signature_needs_its_label_and_its_key() -> None:
    body = make()._body()
    for signature in (IDENTITY.sign(body), Identity.generate().sign(ADVERT_LABEL + body)):
        with pytest.raises(WireError, match="signature"):
            Advert.decode(body + signature, NOW)
    with pytest.raises(ValueError, match="signed by the key"):
        make().encode(Identity.generate())


def test_an_ipv4_address_has_one_encoding() -> None:
    body = make()._body()
    plain, mapped = (
        b"\x01\x04\xc0\x00\x02\x01",
        b"\x01\x06" + bytes(10) + b"\xff\xff\xc0\x00\x02\x01",
    )
    assert body.count(plain) == 1
    body = body.replace(plain, mapped)
    with pytest.raises(WireError, match="IPv4"):
        Advert.decode(body + IDENTITY.sign(ADVERT_LABEL + body), NOW)


def test_onion_key_in_service() -> None:
    old, new = OnionKey(KEY_ONE, 100, 200), OnionKey(KEY_TWO, 150, 300)
    advert = make(onion_keys=(old, new))
    expected = {-7_000: old, 99: old, 100: old, 149: old, 150: new, 200: new, 300: new, 301: None}
    assert {now: advert.onion_key_at(now) for now in expected} == expected


# -- directory files -----------------------------------------------------------------------------


def _encoded(**changes: Any) -> tuple[Identity, bytes]:
    identity = Identity.generate()
    return identity, make(identity, **changes).encode(identity)


def test_directory_round_trip() -> None:
    made = [_encoded() for _ in range(5)]
    text = format_directory(data for _, data in made)
    adverts, errors = parse_directory(text, NOW)
    assert [advert.node_id for advert in adverts] == [identity.node_id for identity, _ in made]
    assert errors == []


def test_a_bad_line_does_not_spoil_the_rest() -> None:
    (one, first), (two, second) = _encoded(), _encoded()
    _, expired = _encoded(published=NOW - 7_200, expires=NOW - 1)
    lines = [
        HEADER_LINE,
        "# a comment",
        "",
        base64.b64encode(first).decode(),
        "not base64!",
        base64.b64encode(first[:-1]).decode(),
        base64.b64encode(expired).decode(),
        "QQ" * 2_000,
        "  " + base64.b64encode(second).decode() + "  ",
        "é",
    ]
    adverts, errors = parse_directory("\n".join(lines), NOW)
    assert [advert.node_id for advert in adverts] == [one.node_id, two.node_id]
    assert [error.line for error in errors] == [5, 6, 7, 8, 10]
    assert str(errors[2]) == "line 7: an advert has expired"


def test_of_two_adverts_the_newer_is_kept() -> None:
    identity = Identity.generate()
    older = make(identity).encode(identity)
    newer = make(identity, published=NOW + 60, roles=Role.GHOST).encode(identity)
    for order in ((older, newer), (newer, older)):
        adverts, errors = parse_directory(format_directory(order), NOW)
        assert [advert.roles for advert in adverts] == [Role.GHOST]
        assert errors == []


@pytest.mark.parametrize("text", ["", "something else\n", "peer2prompt-directory 2\n"])
def test_other_files_are_named_as_such(text: str) -> None:
    adverts, errors = parse_directory(text, NOW)
    assert adverts == []
    assert errors[0].line == 1


@given(st.text(max_size=300), st.booleans())
def test_any_text_parses(text: str, headed: bool) -> None:
    adverts, errors = parse_directory(f"{HEADER_LINE}\n{text}" if headed else text, NOW)
    assert adverts == []
    assert all(error.line >= 1 and error.reason for error in errors)


def test_non_canonical_base64_is_refused() -> None:
    data = make().encode(IDENTITY) + os.urandom(3)
    text = base64.b64encode(data).decode()
    assert text.endswith("=")
    other = text[:-2] + chr(ord(text[-2]) + 1) + "="
    _adverts, errors = parse_directory(f"{HEADER_LINE}\n{other}\n", NOW)
    assert len(errors) == 1
