"""Asking a neighbour for its advert, and answering: the first step of a node that knows nobody.

It rides on the link itself (an ADVERT cell each way), because a circuit needs the onion key that
only the advert tells.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from engine.directory.contacts import Contact
from engine.errors import CircuitClosed
from engine.link.connection import Link
from engine.link.manager import LinkManager
from engine.link.queues import CellBuffer, CellQueue
from engine.wire.cells import HEADER, LINK_CIRC_ID, Command
from engine.wire.introduction import encode_introduction, parse_introduction

ANSWER_TIMEOUT_S = 10.0
MAX_ANSWERS_PER_LINK = 16  # an advert changes every few hours; more questions are noise


class Introductions:
    """Answers with `own_advert` (when there is one: it may be empty yet) and asks others."""

    def __init__(self, links: LinkManager, own_advert: Callable[[], bytes] | None) -> None:
        self._links = links
        self._own_advert = own_advert
        self._waiting: dict[Link, tuple[trio.Event, list[bytes]]] = {}
        self._answered: dict[Link, int] = {}
        links.on_link_cell[Command.ADVERT] = self._on_cell

    async def ask(self, contact: Contact) -> bytes:
        """The encoded advert of the node at `contact`, not yet verified.

        Raises CircuitClosed when it cannot be reached, is somebody else, or does not answer.
        """
        link = await self._links.get(contact.node_id, contact.host, contact.port)
        arrived, found = self._waiting.setdefault(link, (trio.Event(), []))
        _send(link, encode_introduction())
        with trio.move_on_after(ANSWER_TIMEOUT_S):
            await arrived.wait()
        self._waiting.pop(link, None)
        if not found:
            raise CircuitClosed("A node did not introduce itself.")
        return found[0]

    def _on_cell(self, link: Link, body: memoryview) -> None:
        advert = parse_introduction(body)
        waiting = self._waiting.get(link)
        if advert and waiting is not None:
            waiting[1].append(advert)
            waiting[0].set()
        elif not advert and self._own_advert is not None and (own := self._own_advert()):
            self._answer(link, own)

    def _answer(self, link: Link, advert: bytes) -> None:
        self._answered = {one: n for one, n in self._answered.items() if not one.closed}
        count = self._answered.get(link, 0)
        if count < MAX_ANSWERS_PER_LINK:
            self._answered[link] = count + 1
            _send(link, encode_introduction(advert))


def _send(link: Link, body: bytes) -> None:
    cell = CellBuffer()
    HEADER.pack_into(cell.data, 0, LINK_CIRC_ID, Command.ADVERT)
    cell.body[:] = body
    link.enqueue(CellQueue(), cell)
    link.flush()
