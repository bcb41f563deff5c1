"""The directory half of a node: who is asked, who is answered, what is kept between two runs.

A relay or ghost serves its set of adverts and gossips; a client completes its own over circuits and
serves nobody. Both take their first contacts from the settings, from `join` and from last time.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from random import SystemRandom

import trio

from engine.circuit.pool import CircuitPool
from engine.crypto.suite import default_suite
from engine.directory.bootstrap import Bootstrap
from engine.directory.contacts import MAX_CONTACTS, Contact, encode_invite, parse_invite
from engine.directory.exchange import (
    BEGIN,
    DirectoryService,
    compare,
    compare_directly,
    fetch_sheet,
)
from engine.directory.gossip import Gossip
from engine.directory.introductions import Introductions
from engine.directory.network_settings import NetworkSettings
from engine.directory.paths import to_hop
from engine.directory.reconcile import Report
from engine.directory.refresh import Refresh
from engine.directory.relays import RelaySet
from engine.errors import CircuitClosed, ConfigError, WireError
from engine.link.manager import LinkManager
from engine.wire.advert import Advert, Role
from engine.wire.shape import BULK_PLAN
from wallet.store import Store

PURPOSE = "directory"
SAVE_EVERY_S = 300.0
OWN_CHECK_S = 30.0
REMEMBERED = 32  # contacts taken from the set of last time
COMPARE_TIMEOUT_S = 60.0


class Acquaintance:
    """The contacts of this node, the adverts it kept, and the invites it gives."""

    def __init__(self, settings: NetworkSettings, relays: RelaySet, store: Store) -> None:
        self.settings = settings
        self.relays = relays
        self.errors: list[str] = []
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
        if dump != self._saved:
            self._saved = dump
            await self._store.put_secret("directory", "adverts", dump)

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

    def contacts(self) -> list[Contact]:
        """Everyone who may be asked first. What is wrong with the settings is in `errors`."""
        self.errors = []
        try:
            found = self.settings.all_contacts()
        except ConfigError as error:
            self.errors.append(error.message)
            found = list(self.settings.contacts)
        for line in self._joined:
            with contextlib.suppress(ConfigError):  # it was of another network
                found += parse_invite(line, self.settings.tag)
        known = self.relays.with_role(Role.RELAY)
        SystemRandom().shuffle(known)
        found += [contact_of(advert) for advert in known[:REMEMBERED]]
        return list(dict.fromkeys(found))

    def invite(self, own: Advert | None) -> str:
        """An invite that names this node, if it is a relay, and some others at random.

        Raises ConfigError when nobody is known.
        """
        others = [a for a in self.relays.with_role(Role.RELAY) if a != own]
        SystemRandom().shuffle(others)
        named = ([own] if own is not None else []) + others
        if not named:
            raise ConfigError(
                "No relay is known that an invite could name.",
                hint="Join the network first: peer2prompt network join INVITE",
            )
        contacts = [contact_of(advert) for advert in named[: MAX_CONTACTS // 2]]
        return encode_invite(self.settings.tag, contacts)


def contact_of(advert: Advert) -> Contact:
    """The first address of a node."""
    address = advert.addresses[0]
    return Contact(advert.node_id, address.host, address.port)


class ServingDirectory:
    """A relay's or ghost's part: serve the set, gossip, keep its own advert in it."""

    def __init__(
        self,
        people: Acquaintance,
        links: LinkManager,
        own_node_id: bytes,
        own_advert: Callable[[], bytes],
        *,
        sheet: bytes = b"",
        listed: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.people = people
        self._links = links
        self._own_advert = own_advert
        self._listed = listed
        self._clock = clock
        self._adverts = people.relays.adverts
        self.bootstrap = Bootstrap(
            links,
            Introductions(links, own_advert),
            people.relays,
            lambda: [c for c in people.contacts() if c.node_id != own_node_id],
            suite=default_suite(),
            push=True,
            clock=clock,
        )
        self.gossip = Gossip(
            people.relays,
            own_node_id,
            self._compare,
            bootstrap=self.bootstrap.run,
            steady_s=float(people.settings.gossip_s),
        )
        self.service = DirectoryService(
            self._adverts, on_news=self.gossip.on_news, sheet=sheet, clock=clock
        )

    async def run(self) -> None:
        """Gossip until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.people.save_often)
            if self._listed:
                nursery.start_soon(self._keep_own_advert)
            nursery.start_soon(self.gossip.run)

    async def _keep_own_advert(self) -> None:
        while True:
            raw = self._own_advert()
            advert = Advert.decode(raw, int(self._clock()))
            known = self._adverts.get(advert.node_id)
            if known is None or known.raw != raw:
                self._adverts.keep(advert, raw)
                self.gossip.on_news()
            await trio.sleep(OWN_CHECK_S)

    async def _compare(self, peer: Advert) -> bool:
        report = await compare_directly(
            self._links,
            to_hop(peer, PURPOSE, int(self._clock())),
            self._adverts,
            suite=default_suite(),
            push=True,
            clock=self._clock,
        )
        return bool(report.kept)


class AskingDirectory:
    """A client's part: complete the set over circuits, notice when sources differ."""

    def __init__(
        self,
        people: Acquaintance,
        links: LinkManager,
        pool: CircuitPool,
        *,
        on_change: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.people = people
        self._pool = pool
        self._on_change = on_change
        self._clock = clock
        self.bootstrap = Bootstrap(
            links,
            Introductions(links, None),
            people.relays,
            people.contacts,
            suite=default_suite(),
            push=False,
            clock=clock,
        )
        self.refresh = Refresh(
            people.relays,
            self._compare,
            bootstrap=self.bootstrap.run,
            changed=self._changed,
            refresh_s=float(people.settings.refresh_s),
            clock=clock,
        )

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the set fresh until cancelled."""
        await self.refresh.run(task_status=task_status)

    async def _compare(self, relay: Advert) -> Report:
        circuit = await self._pool.build_to_relay(relay, PURPOSE, BULK_PLAN)
        try:
            with trio.move_on_after(COMPARE_TIMEOUT_S):
                return await compare(
                    circuit.open_stream(BEGIN),
                    self.people.relays.adverts,
                    push=False,
                    clock=self._clock,
                )
        finally:
            self._pool.retire(circuit)
        raise CircuitClosed("A directory took too long.")

    async def fetch_sheet(self, ghost: Advert) -> bytes:
        """The capability sheet of a ghost, over a circuit to it. Raises CircuitClosed, NoRoute or
        ProtocolError."""
        circuit = await self._pool.build_to(ghost, PURPOSE, BULK_PLAN)
        try:
            with trio.move_on_after(COMPARE_TIMEOUT_S):
                return await fetch_sheet(circuit.open_stream(BEGIN))
        finally:
            self._pool.retire(circuit)
        raise CircuitClosed("A ghost took too long.")

    async def _changed(self) -> None:
        await self.people.save()
        self._on_change()
