"""The `[network]` table: which network, whom to ask first, how often to compare.

Plain values, checked once when the settings are read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from engine.crypto.identity_work import MAX_BITS
from engine.directory.contacts import Contact, parse_invite
from engine.errors import ConfigError
from engine.wire.network import network_tag

DEFAULT_WORK_BITS = 10  # some half a second of one core a week and node
MAX_NAME = 64
MAX_CONTACT_LINES = 1_000
MAX_DNS_NAME = 253
_DNS_NAME = re.compile(
    r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)+[A-Za-z0-9-]{2,63}\.?"
)
_T = TypeVar("_T")


class Table(Protocol):
    """A TOML table as engine.config reads it."""

    def take(self, key: str, kind: type[_T], default: _T) -> _T: ...
    def strings(self, key: str) -> tuple[str, ...]: ...
    def path(self, key: str, base: Path) -> Path | None: ...
    def bounded(self, key: str, default: int, least: int, most: int) -> int: ...


@dataclass(frozen=True)
class NetworkSettings:
    """`directory` is a file of adverts, `contacts_file` one of invites; both may be empty."""

    name: str = "main"
    test: bool = False  # addresses of this machine are allowed
    directory: Path | None = None
    contacts: tuple[Contact, ...] = ()
    contacts_file: Path | None = None
    gossip_s: int = 60  # a relay's pause between two comparisons
    refresh_s: int = 1_800  # a client's
    work_bits: int = DEFAULT_WORK_BITS
    seeds: bool = True  # ask the nodes in the list that comes with the program
    dns: str = ""  # a name whose TXT records are invites
    lan: bool = False  # look, and when listening be found, in the local network

    @property
    def tag(self) -> bytes:
        """The network's tag in links and adverts."""
        return network_tag(self.name)

    def contacts_in_file(self) -> tuple[Contact, ...]:
        """The contacts of the file, read again each time.

        Raises ConfigError when the file cannot be read or holds something else than invites.
        """
        if self.contacts_file is None:
            return ()
        try:
            lines = self.contacts_file.read_text("ascii", errors="replace").splitlines()
        except FileNotFoundError:
            lines = []
        except OSError as error:
            raise ConfigError(
                f"The file of contacts {self.contacts_file} cannot be read.",
                hint="Set [network] contacts to a file of invites, one a line.",
            ) from error
        return parse_invites(lines[:MAX_CONTACT_LINES], self.tag)


def parse_invites(lines: Sequence[str], tag: bytes) -> tuple[Contact, ...]:
    """The contacts in these invites; empty lines and comments are skipped. Raises ConfigError."""
    found: dict[Contact, None] = {}
    for line in lines:
        if line.strip() and not line.lstrip().startswith("#"):
            found.update(dict.fromkeys(parse_invite(line, tag)))
    return tuple(found)


def parse_network(table: Table, base: Path) -> NetworkSettings:
    """The settings under [network]. Raises ConfigError."""
    name = table.take("name", str, "main")
    if not 0 < len(name) <= MAX_NAME:
        raise ConfigError("The setting network.name must have 1 to 64 characters.")
    test = table.take("test_network", bool, False)
    return NetworkSettings(
        name=name,
        test=test,
        directory=table.path("directory", base),
        contacts=parse_invites(table.strings("invites"), network_tag(name)),
        contacts_file=table.path("contacts", base),
        gossip_s=table.bounded("gossip_s", 60, 1, 3_600),
        refresh_s=table.bounded("refresh_s", 1_800, 1, 86_400),
        work_bits=table.bounded("work_bits", 0 if test else DEFAULT_WORK_BITS, 0, MAX_BITS),
        seeds=table.take("seeds", bool, True),
        dns=_dns_name(table.take("dns", str, "")),
        lan=table.take("lan", bool, False),
    )


def _dns_name(name: str) -> str:
    if name and not (len(name) <= MAX_DNS_NAME and _DNS_NAME.fullmatch(name)):
        raise ConfigError(
            "The setting network.dns must be a DNS name.", hint='For example "seeds.example.org".'
        )
    return name
