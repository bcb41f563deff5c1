"""`[link] advertise` in every form."""

from __future__ import annotations

import pytest

from engine.errors import ConfigError
from engine.link.settings import Advertised, parse_advertise

ANYWHERE, HERE = ("0.0.0.0", 9_001), ("198.41.0.4", 9_001)


@pytest.mark.parametrize(
    ("value", "listen", "found"),
    [
        ("", HERE, Advertised("198.41.0.4", 9_001)),
        ("", ANYWHERE, Advertised("", 9_001)),
        ("", ("::", 9_001), Advertised("", 9_001)),
        ("auto", HERE, Advertised("", 9_001)),
        ("auto:443", ANYWHERE, Advertised("", 443)),
        ("203.0.113.7", ANYWHERE, Advertised("203.0.113.7", 9_001)),
        ("203.0.113.7:80", ANYWHERE, Advertised("203.0.113.7", 80)),
        ("2001:db8::1", ANYWHERE, Advertised("2001:db8::1", 9_001)),
        ("[2001:db8::1]:80", ANYWHERE, Advertised("2001:db8::1", 80)),
        ("[2001:db8::1]", ANYWHERE, Advertised("2001:db8::1", 9_001)),
    ],
)
def test_forms(value: str, listen: tuple[str, int], found: Advertised) -> None:
    assert parse_advertise(value, listen) == found


@pytest.mark.parametrize(
    "value",
    [
        "example.org",
        "auto:",
        "auto:0",
        "auto:65536",
        "auto:²",
        "1.2.3",
        "1.2.3.4:x",
        ":9001",
        "[::",
    ],
)
def test_what_is_wrong_is_said(value: str) -> None:
    with pytest.raises(ConfigError, match=r"link\.advertise"):
        parse_advertise(value, ANYWHERE)
