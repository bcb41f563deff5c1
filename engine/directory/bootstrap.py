"""Finding the network from a few contacts: the first adverts of a node that knows nobody.

Contacts come from the settings, invites and the last run. Each is asked for its own advert, that is
verified like any other, and then for the whole set over a circuit of one hop. Several contacts in
different networks are asked where there are several, so that one of them alone cannot choose what
the node sees; a patient node asks those that failed again before it is content with one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

import trio

from engine.directory.adverts import Outcome
from engine.directory.contacts import Contact
from engine.directory.exchange import compare_directly
from engine.directory.introductions import Introductions
from engine.directory.paths import network_of, to_hop
from engine.directory.reconcile import Report
from engine.directory.relays import RelaySet
from engine.errors import CircuitClosed, LinkError, NoRoute, ProtocolError
from engine.link.manager import LinkManager

WANTED_SOURCES = 3
ASKED_AT_ONCE = 6
ROUND_TIMEOUT_S = 30.0
ASK_AGAIN_S = 1.0


@dataclass
class BootstrapReport:
    """Which contacts answered, and how far they agree. NodeIDs, counts; nothing of paths."""

    asked: int = 0
    answered: dict[bytes, Report] = field(default_factory=dict)
    failed: dict[bytes, str] = field(default_factory=dict)
    networks: set[str] = field(default_factory=set, repr=False)  # of those that answered
    possible: int = 0  # different networks among the contacts

    @property
    def is_enough(self) -> bool:
        """True when as many networks were heard as are wanted, or as there are."""
        return len(self.networks) >= min(WANTED_SOURCES, self.possible)


def merged(reports: Iterable[BootstrapReport]) -> BootstrapReport:
    """What the bootstraps of one node's roles found together."""
    total = BootstrapReport()
    for report in reports:
        total.asked += report.asked
        total.answered |= report.answered
        total.failed |= report.failed
        total.networks |= report.networks
        total.possible = max(total.possible, report.possible)
    return total


class Bootstrap:
    """Asks contacts until the set is filled from WANTED_SOURCES networks, or from all there are.

    `contacts` names them in the order in which they are asked; `look` is awaited before.
    """

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
        look: Callable[[], Awaitable[None]] | None = None,
        patience_s: float = 0.0,
    ) -> None:
        self.report = BootstrapReport()
        self._links = links
        self._introductions = introductions
        self._relays = relays
        self._contacts = contacts
        self._suite = suite
        self._push = push
        self._clock = clock
        self._look = look
        self._patience_s = patience_s

    async def run(self) -> BootstrapReport:
        """One pass over the contacts; never raises for what they do."""
        first = not len(self._relays.adverts)
        self.report = BootstrapReport()
        if self._look is not None:
            await self._look()
        contacts = list(self._contacts())
        self.report.possible = len({network_of(contact.host) for contact in contacts})
        with trio.move_on_after(ROUND_TIMEOUT_S):
            await self._ask_in_turn(contacts)
        if first:
            await self._wait_for_more(contacts)
        return self.report

    async def _ask_in_turn(self, contacts: Sequence[Contact]) -> None:
        for start in range(0, len(contacts), ASKED_AT_ONCE):
            async with trio.open_nursery() as nursery:
                for contact in contacts[start : start + ASKED_AT_ONCE]:
                    nursery.start_soon(self._ask, contact)
            if len(self.report.networks) >= WANTED_SOURCES:
                return

    async def _wait_for_more(self, contacts: Sequence[Contact]) -> None:
        """One source has answered and others have not: ask those again for a while.

        What is learned now decides the first paths, and the guards that are kept for months.
        """
        with trio.move_on_after(self._patience_s):
            while self.report.answered and not self.report.is_enough:
                await trio.sleep(ASK_AGAIN_S)
                await self._ask_in_turn([c for c in contacts if c.node_id in self.report.failed])

    async def _ask(self, contact: Contact) -> None:
        self.report.asked += 1
        try:
            self.report.answered[contact.node_id] = await self._learn_from(contact)
            self.report.networks.add(network_of(contact.host))
            self.report.failed.pop(contact.node_id, None)
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
