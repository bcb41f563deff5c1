"""Finding the network from a few contacts: the first adverts of a node that knows nobody.

Contacts come from the settings, invites and the last run. Each is asked for its own advert, that is
verified like any other, and then for the whole set over a circuit of one hop. Several contacts are
asked where there are several, so that one of them alone cannot choose what the node sees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random, SystemRandom

import trio

from engine.directory.adverts import Outcome
from engine.directory.contacts import Contact
from engine.directory.exchange import compare_directly
from engine.directory.introductions import Introductions
from engine.directory.paths import to_hop
from engine.directory.reconcile import Report
from engine.directory.relays import RelaySet
from engine.errors import CircuitClosed, LinkError, NoRoute, ProtocolError
from engine.link.manager import LinkManager

WANTED_SOURCES = 3
ASKED_AT_ONCE = 6
ROUND_TIMEOUT_S = 30.0


@dataclass
class BootstrapReport:
    """Which contacts answered, and how far they agree. NodeIDs, counts; nothing of paths."""

    asked: int = 0
    answered: dict[bytes, Report] = field(default_factory=dict)
    failed: dict[bytes, str] = field(default_factory=dict)


class Bootstrap:
    """Asks contacts until the set is filled from WANTED_SOURCES of them, or from all there are."""

    def __init__(
        self,
        links: LinkManager,
        introductions: Introductions,
        relays: RelaySet,
        contacts: Callable[[], Sequence[Contact]],
        *,
        suite: int,
        push: bool,
        clock: Callable[[], float],
        rng: Random | None = None,
    ) -> None:
        self.report = BootstrapReport()
        self._links = links
        self._introductions = introductions
        self._relays = relays
        self._contacts = contacts
        self._suite = suite
        self._push = push
        self._clock = clock
        self._rng = rng or SystemRandom()

    async def run(self) -> BootstrapReport:
        """One pass over the contacts; never raises for what they do."""
        self.report = BootstrapReport()
        contacts = list(self._contacts())
        self._rng.shuffle(contacts)
        with trio.move_on_after(ROUND_TIMEOUT_S):
            while contacts and len(self.report.answered) < WANTED_SOURCES:
                part, contacts = contacts[:ASKED_AT_ONCE], contacts[ASKED_AT_ONCE:]
                async with trio.open_nursery() as nursery:
                    for contact in part:
                        nursery.start_soon(self._ask, contact)
        return self.report

    async def _ask(self, contact: Contact) -> None:
        self.report.asked += 1
        try:
            self.report.answered[contact.node_id] = await self._learn_from(contact)
        except (CircuitClosed, LinkError, NoRoute, ProtocolError) as error:
            self.report.failed[contact.node_id] = error.message
        if not self._push:
            self._part_from(contact)

    def _part_from(self, contact: Contact) -> None:
        """A client keeps no link to a contact that is not its guard."""
        link = self._links.find(contact.node_id)
        if link is not None and not link.routes:
            link.close()

    async def _learn_from(self, contact: Contact) -> Report:
        now = int(self._clock())
        raw = await self._introductions.ask(contact)
        outcome = self._relays.adverts.add(raw, now)
        advert = self._relays.get(contact.node_id)
        if outcome is Outcome.REFUSED or advert is None:
            raise ProtocolError("A contact's advert is not valid in this network.")
        return await compare_directly(
            self._links,
            to_hop(advert, "directory", now),
            self._relays.adverts,
            suite=self._suite,
            push=self._push,
            clock=self._clock,
        )
