"""Whom this node may ask first, the adverts it keeps between two runs, and the invites it gives."""

from __future__ import annotations

import contextlib
from collections.abc import Container
from random import SystemRandom

import trio

from engine.control.protocol.network import SourceInfo
from engine.directory.contacts import MAX_CONTACTS, Contact, encode_invite, parse_invite
from engine.directory.dns_seeds import DnsSeeds
from engine.directory.lan import LanFinder
from engine.directory.network_settings import NetworkSettings
from engine.directory.relays import RelaySet
from engine.directory.sources import Finder, Groups, Origin, built_in, take_turns
from engine.enduring import unless_full
from engine.errors import ConfigError, WireError
from engine.wire.advert import Advert, Role
from wallet.store import Store

SAVE_EVERY_S = 300.0
REMEMBERED = 32  # contacts taken from the set of last time


class Acquaintance:
    """The contacts of this node, the adverts it kept, and the invites it gives."""

    def __init__(self, settings: NetworkSettings, relays: RelaySet, store: Store) -> None:
        self.settings = settings
        self.relays = relays
        self.errors: list[str] = []
        self.lan = LanFinder(settings.tag, test_network=settings.test) if settings.lan else None
        self.finders = self._finders()
        self._rng = SystemRandom()
        self._store = store
        self._joined: list[str] = []
        self._saved = b""

    async def load(self) -> None:
        """Take up what the last run knew."""
        saved = await self._store.get_secret("directory", "adverts")
        if saved is not None:
            with contextlib.suppress(WireError):  # it is only a memory; the network has the rest
                self.relays.restore(saved)
        joined = await self._store.get_secret("directory", "invites")
        self._joined = joined.decode("ascii").split() if joined else []

    async def save(self) -> None:
        """Keep the adverts for the next start, if they have changed."""
        dump = self.relays.dump()
        if dump != self._saved and await unless_full(
            lambda: self._store.put_secret("directory", "adverts", dump)
        ):
            self._saved = dump

    async def save_often(self) -> None:
        """Keep them every few minutes, until cancelled."""
        while True:
            await trio.sleep(SAVE_EVERY_S)
            await self.save()

    async def join(self, invite: str) -> int:
        """Remember an invite; how many contacts it names. Raises ConfigError."""
        contacts = parse_invite(invite, self.settings.tag)
        line = invite.strip().upper()
        if line not in self._joined:
            self._joined.append(line)
            await self._store.put_secret(
                "directory", "invites", "\n".join(self._joined).encode("ascii")
            )
        return len(contacts)

    def _finders(self) -> list[Finder]:
        """What the settings opt in to; their libraries are loaded when they are first used."""
        found: list[Finder] = []
        if self.settings.dns:
            found.append(
                DnsSeeds(self.settings.dns, self.settings.tag, test_network=self.settings.test)
            )
        if self.lan is not None:
            found.append(self.lan)
        return found

    async def look(self) -> None:
        """Have the finders (DNS, local network) look. Bounded."""
        async with trio.open_nursery() as nursery:
            for finder in self.finders:
                nursery.start_soon(finder.look)

    def groups(self) -> Groups:
        """Everyone who may be asked first, by origin. What is wrong there is in `errors`."""
        self.errors = []
        known = self.relays.with_role(Role.RELAY)
        remembered = self._rng.sample(known, min(len(known), REMEMBERED))
        groups = {
            Origin.SETTINGS: list(self.settings.contacts),
            Origin.INVITE: self._invited(),
            Origin.FILE: self._in_file(),
            Origin.BUILT_IN: list(built_in(self.settings.tag)) if self.settings.seeds else [],
            Origin.LAST: [contact_of(advert) for advert in remembered],
        }
        for finder in self.finders:
            groups[finder.origin] = list(finder.contacts())
            if finder.error:
                self.errors.append(finder.error)
        return {origin: found for origin, found in groups.items() if found}

    def sources(self, answered: Container[bytes]) -> list[SourceInfo]:
        """How many contacts each origin names, and how many of them are among `answered`."""
        return [
            SourceInfo(
                origin=origin.value,
                contacts=len(found),
                answered=sum(contact.node_id in answered for contact in found),
            )
            for origin, found in self.groups().items()
        ]

    def contacts(self) -> list[Contact]:
        """The same in the order in which they are asked."""
        return take_turns(self.groups(), self._rng)

    def _invited(self) -> list[Contact]:
        found: list[Contact] = []
        for line in self._joined:
            with contextlib.suppress(ConfigError):  # it was of another network
                found += parse_invite(line, self.settings.tag)
        return found

    def _in_file(self) -> list[Contact]:
        try:
            return list(self.settings.contacts_in_file())
        except ConfigError as error:
            self.errors.append(error.message)
            return []

    def invite(self, own: Advert | None, most: int = MAX_CONTACTS // 2) -> str:
        """An invite that names this node, if it is a relay, and some others at random.

        Raises ConfigError when nobody is known.
        """
        others = [a for a in self.relays.with_role(Role.RELAY) if a != own]
        self._rng.shuffle(others)
        named = ([own] if own is not None else []) + others
        if not named:
            raise ConfigError(
                "No relay is known that an invite could name.",
                hint="Join the network first: peer2prompt join INVITE",
            )
        contacts = [contact_of(advert) for advert in named[:most]]
        return encode_invite(self.settings.tag, contacts)


def contact_of(advert: Advert) -> Contact:
    """The first address of a node."""
    address = advert.addresses[0]
    return Contact(advert.node_id, address.host, address.port)
