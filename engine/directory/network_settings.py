"""The `[network]` table: which network, whom to ask first, how often to compare.

Plain values, checked once when the settings are read.
"""

from __future__ import annotations

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

    @property
    def tag(self) -> bytes:
        """The network's tag in links and adverts."""
        return network_tag(self.name)

    def all_contacts(self) -> list[Contact]:
        """The contacts of the settings and of the file, read again each time.

        Raises ConfigError when the file cannot be read or holds something else than invites.
        """
        if self.contacts_file is None:
            return list(self.contacts)
        try:
            lines = self.contacts_file.read_text("ascii", errors="replace").splitlines()
        except FileNotFoundError:
            lines = []
        except OSError as error:
            raise ConfigError(
                f"The file of contacts {self.contacts_file} cannot be read.",
                hint="Set [network] contacts to a file of invites, one a line.",
            ) from error
        return [*self.contacts, *parse_invites(lines[:MAX_CONTACT_LINES], self.tag)]


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
    )
