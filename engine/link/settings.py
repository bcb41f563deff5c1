"""`[link] advertise`: the address that a relay tells others. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from engine.errors import ConfigError

WILDCARDS = ("0.0.0.0", "::")
AUTO = "auto"


@dataclass(frozen=True)
class Advertised:
    """Where others find this node. An empty host is learned from them."""

    host: str
    port: int


def parse_advertise(value: str, listen: tuple[str, int]) -> Advertised:
    """`value` is empty, "auto", "auto:PORT", "ADDRESS" or "ADDRESS:PORT". Raises ConfigError.

    Empty means the address listened on, and for a wildcard the same as "auto".
    """
    host, port = listen
    if not value:
        return Advertised("" if host in WILDCARDS else host, port)
    name, given = _split(value)
    if given:
        if not (
            given.isascii() and given.isdigit() and len(given) <= 5 and 0 < int(given) < 65_536
        ):
            raise _wrong()
        port = int(given)
    if name == AUTO:
        return Advertised("", port)
    try:
        return Advertised(str(ipaddress.ip_address(name)), port)
    except ValueError as error:
        raise _wrong() from error


def _split(value: str) -> tuple[str, str]:
    """(address, port) of "ADDRESS:PORT", "[IPv6]:PORT", or an address alone."""
    if value.startswith("["):
        name, closing, port = value[1:].partition("]")
        return (name if closing else value), port.removeprefix(":")
    if value.count(":") == 1:
        name, _, port = value.partition(":")
        return name, port or "?"
    return value, ""


def _wrong() -> ConfigError:
    return ConfigError(
        "The setting link.advertise must be an address, with a port or without, or auto.",
        hint='For example "203.0.113.7:9001", "auto", or "auto:9443".',
    )
