"""Where first contacts come from, and in which order they are asked.

Contacts of one origin can all be somebody's invention (a forged DNS answer, a neighbour who
announces a hundred nodes), so origins take turns: none can crowd out another. Pure, but for the
list that comes with the program.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import chain, zip_longest
from random import Random
from typing import Protocol

from engine.directory.contacts import Contact, parse_invite
from engine.errors import ConfigError

SEEDS_FILE = "seeds.txt"


class Origin(enum.StrEnum):
    """Who named a contact, as it is shown to the user."""

    SETTINGS = "settings"
    FILE = "file"
    INVITE = "invite"
    BUILT_IN = "built-in"
    DNS = "dns"
    LAN = "lan"
    LAST = "last run"


Groups = Mapping[Origin, Sequence[Contact]]


class Finder(Protocol):
    """Finds contacts outside of the settings: by DNS, or in the local network."""

    origin: Origin
    error: str

    async def look(self) -> None:
        """Look again, if it is time. Bounded; never raises for what comes back."""

    def contacts(self) -> Sequence[Contact]:
        """What the last look found."""


def take_turns(groups: Groups, rng: Random) -> list[Contact]:
    """Every contact once: one of each origin, then another of each, at random within an origin."""
    mixed = []
    for group in groups.values():
        shuffled = list(dict.fromkeys(group))
        rng.shuffle(shuffled)
        mixed.append(shuffled)
    rounds = chain.from_iterable(zip_longest(*mixed))
    return list(dict.fromkeys(contact for contact in rounds if contact is not None))


def built_in(tag: bytes) -> tuple[Contact, ...]:
    """The contacts of this network in the list that comes with the program."""
    return seeds_in(files("engine.directory").joinpath(SEEDS_FILE).read_text("ascii"), tag)


def seeds_in(text: str, tag: bytes) -> tuple[Contact, ...]:
    """The contacts of one network in a list of invites of several; comments are skipped."""
    found: dict[Contact, None] = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            try:
                found.update(dict.fromkeys(parse_invite(line, tag)))
            except ConfigError:
                continue
    return tuple(found)
