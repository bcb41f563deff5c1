"""Asking neighbours whether they reach us, and dialling them back when they ask.

Only the address that a link really comes from is dialled, and only on the word of the neighbour
itself: nobody can have others dialled. What the neighbour hears is one bit, whether *it* answered
there and proved its NodeID, and a failure is always told after the same time, so that it says
nothing of who else listens. Few are dialled: by link, by network, in all.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import trio

from engine.bucket import Bucket
from engine.directory.rules import network_of
from engine.errors import CircuitClosed
from engine.link.connection import Link
from engine.link.manager import LinkManager
from engine.link.queues import CellBuffer, CellQueue
from engine.wire.cells import HEADER, LINK_CIRC_ID, Command
from engine.wire.reach import (
    ID_BYTES,
    ReachAnswer,
    ReachQuestion,
    Verdict,
    encode_answer,
    encode_question,
    parse_reach,
)

PROBE_S = 5.0
ANSWER_TIMEOUT_S = 12.0
AT_ONCE = 8  # one for each link at most
NETWORK_RATE, NETWORK_BURST = 1 / 60, 4.0  # dials for neighbours of one network
RATE, BURST = 1.0, 16.0  # for all of them
MAX_NETWORKS = 4_096

MayDial = Callable[[bytes, str, int], bool]


class DialBack:
    """Both sides. `may_dial` is the node's address policy."""

    def __init__(self, links: LinkManager, may_dial: MayDial) -> None:
        self.dialled = 0
        self.refused = 0
        self._links = links
        self._may_dial = may_dial
        self._waiting: dict[tuple[Link, bytes], tuple[trio.Event, list[ReachAnswer]]] = {}
        self._busy: set[Link] = set()
        self._all = Bucket(RATE, BURST, 0.0)
        self._networks: dict[str, Bucket] = {}
        self._nursery: trio.Nursery | None = None
        links.on_link_cell[Command.REACH] = self._on_cell

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Answer until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            task_status.started()
            await trio.sleep_forever()

    # -- asking --------------------------------------------------------------------------------

    async def ask(self, link: Link, port: int) -> ReachAnswer:
        """What the neighbour on `link` says. Raises CircuitClosed when it says nothing."""
        name = os.urandom(ID_BYTES)
        arrived, found = self._waiting[link, name] = trio.Event(), []
        try:
            _send(link, encode_question(ReachQuestion(name, port)))
            with trio.move_on_after(ANSWER_TIMEOUT_S):
                await arrived.wait()
        finally:
            del self._waiting[link, name]
        if not found:
            raise CircuitClosed("A relay did not say whether it reaches this node.")
        return found[0]

    # -- answering -----------------------------------------------------------------------------

    def _on_cell(self, link: Link, body: memoryview) -> None:
        message = parse_reach(body)
        if isinstance(message, ReachQuestion):
            self._take(link, message)
        elif (waiting := self._waiting.get((link, message.name))) is not None:
            waiting[1].append(message)
            waiting[0].set()

    def _take(self, link: Link, question: ReachQuestion) -> None:
        host = link.peer_host
        if not host:
            return
        if self._nursery is None or not self._may_try(link, host, question.port):
            self.refused += 1
            _answer(link, question, Verdict.NOT_TRIED)
            return
        self.dialled += 1
        self._busy.add(link)
        self._nursery.start_soon(self._dial, link, question)

    def _may_try(self, link: Link, host: str, port: int) -> bool:
        if link in self._busy or len(self._busy) >= AT_ONCE:
            return False
        if not self._may_dial(link.peer_node_id, host, port):
            return False
        now = trio.current_time()
        return self._bucket(network_of(host), now).take(now) and self._all.take(now)

    def _bucket(self, network: str, now: float) -> Bucket:
        if network not in self._networks:
            if len(self._networks) >= MAX_NETWORKS:
                self._networks.pop(next(iter(self._networks)))
            self._networks[network] = Bucket(NETWORK_RATE, NETWORK_BURST, now)
        return self._networks[network]

    async def _dial(self, link: Link, question: ReachQuestion) -> None:
        began = trio.current_time()
        try:
            reached = False
            with trio.move_on_after(PROBE_S):
                reached = await self._links.probe(link.peer_node_id, link.peer_host, question.port)
            if not reached:
                await trio.sleep_until(began + PROBE_S)
            _answer(link, question, Verdict.REACHED if reached else Verdict.NOT_REACHED)
        finally:
            self._busy.discard(link)


def _answer(link: Link, question: ReachQuestion, verdict: Verdict) -> None:
    if not link.closed:
        answer = ReachAnswer(question.name, verdict, link.peer_host, question.port)
        _send(link, encode_answer(answer))


def _send(link: Link, body: bytes) -> None:
    cell = CellBuffer()
    HEADER.pack_into(cell.data, 0, LINK_CIRC_ID, Command.REACH)
    cell.body[:] = body
    link.enqueue(CellQueue(), cell)
    link.flush()
