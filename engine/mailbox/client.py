"""The client's side of mailboxes: prepares ways back, fetches what came, discards what is done.

Every visit to a relay is a circuit of its own, so that relays see no common neighbour but by
chance. Boxes are registered before the routes that lead to them, so that nobody who learns the
handles on the way can take them first.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random, SystemRandom

import trio

from engine.circuit.client import ClientCircuit
from engine.circuit.effort import solve_in_thread
from engine.directory.relays import RelaySet
from engine.directory.rules import PathRules
from engine.errors import CircuitClosed, NoRoute, ProtocolError
from engine.mailbox.pickup import Leg, Pickup
from engine.mailbox.visit import Visit
from engine.wire.advert import Advert, Role
from engine.wire.mailbox import (
    ANSWER_BYTES,
    POLL_CELLS,
    Batch,
    BoxRequest,
    DiscardRequest,
    Greeting,
    PollRequest,
    RouteRequest,
    Status,
    encode_have,
    parse_status,
    split_answer,
    work_bits,
    work_challenge,
)
from engine.wire.packet import CHUNK_BYTES
from engine.wire.reply_block import ReplyBlock, step_for

DEFAULT_TTL_S = 3_600
ROUNDS = (1, 1, 2)  # of polls in one visit: it may end after 1, 2 or 4
PAUSE_S = 3.0  # between rounds, for packets that are on their way
FETCH_ATTEMPTS = 3  # circuits for one visit
RELAY_ATTEMPTS = 4  # relays asked for one batch
WORK_ATTEMPTS = 3  # the price may rise while we work
MAX_WORK_BITS = 22  # some two seconds; a relay that asks for more is passed over

Build = Callable[[Advert, str], Awaitable[ClientCircuit]]
"""Builds a circuit to a relay, for a purpose. Raises NoRoute or CircuitClosed."""


@dataclass(frozen=True)
class Fetched:
    """What a visit has brought so far: the answer's beginning, and whether that is all of it."""

    data: bytes = field(repr=False)
    complete: bool


def cells_for(size: int) -> int:
    """Packets that an answer of `size` bytes takes."""
    return max(1, -(-size // CHUNK_BYTES))


class MailboxClient:
    """Prepares, fetches and discards pickups."""

    def __init__(
        self,
        build: Build,
        relays: RelaySet,
        *,
        rules: PathRules | None = None,
        rng: Random | None = None,
        clock: Callable[[], float] = time.time,
        return_relays: int = 1,
        ttl_s: int = DEFAULT_TTL_S,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._build = build
        self._relays = relays
        self._rules = rules or PathRules()
        self._rng = rng or SystemRandom()
        self._clock = clock
        self._return_relays = return_relays
        self._ttl_s = ttl_s
        self._pause_s = pause_s

    # -- preparing -----------------------------------------------------------------------------

    async def prepare(self, cells: int, avoid: Sequence[Advert] = ()) -> Pickup:
        """A box for at least `cells` packets and a reply block that leads to it.

        No relay of it shares a network, family or operator with another or with those to `avoid`
        (the ghost, the guard). Raises NoRoute when the network is too small, CircuitClosed when no
        relay took the registration, ValueError above the largest step.
        """
        step = step_for(cells)
        expires = int(self._clock()) + self._ttl_s
        chosen: list[Advert] = []
        legs: list[Leg] = []
        for _ in range(self._return_relays + 1):
            onward = (chosen[0], legs[0]) if chosen else None
            advert, leg = await self._first_that_takes([*avoid, *chosen], step, onward)
            chosen.insert(0, advert)
            legs.insert(0, leg)
        first = chosen[0]
        block = ReplyBlock(
            key=os.urandom(32),
            handle_seed=legs[0].handle_seed,
            cells=step,
            expires=expires,
            node_id=first.node_id,
            host=first.addresses[0].host,
            port=first.addresses[0].port,
        )
        return Pickup(block.encode(), tuple(legs))

    async def _first_that_takes(
        self, avoid: Sequence[Advert], cells: int, onward: tuple[Advert, Leg] | None
    ) -> tuple[Advert, Leg]:
        """Register a batch at the first of a few relays that takes it."""
        missing = 0 if onward else 1
        failure: CircuitClosed | None = None
        for advert in self._choose(avoid, missing)[:RELAY_ATTEMPTS]:
            batch = Batch(os.urandom(32), os.urandom(32), os.urandom(32), cells, self._ttl_s)
            try:
                await self._register(advert, batch, onward)
            except CircuitClosed as error:
                failure = error
                continue
            return advert, Leg(advert.node_id, batch.owner, batch.handle_seed, batch.key_seed)
        raise CircuitClosed(
            "No relay took the way back for an answer.",
            kept="The question is not affected; only its answer would be lost with the circuit.",
        ) from failure

    def _choose(self, avoid: Sequence[Advert], others: int) -> list[Advert]:
        """Mailbox relays that fit, in random order, each with `others` more that fit it."""
        self._relays.reload()
        known = self._relays.with_role(Role.MAILBOX)
        fits = self._rules.fits
        found = [a for a in self._rules.allowed(known) if fits(a, avoid)]
        if others:
            found = [a for a in found if any(fits(other, [*avoid, a]) for other in found)]
        if not found:
            raise NoRoute(
                f"No way back for an answer: of the {len(known)} mailbox relays known, too few "
                "differ in network, family and operator.",
                kept="The question is not affected; its answer would be lost with the circuit.",
                hint="Wait for more relays, or check the directory with: peer2prompt network",
            )
        self._rng.shuffle(found)
        return found

    async def _register(
        self, advert: Advert, batch: Batch, onward: tuple[Advert, Leg] | None
    ) -> None:
        purpose = "mailbox box" if onward is None else "mailbox route"
        for _ in range(WORK_ATTEMPTS):
            async with self._visit(advert, purpose) as visit:
                bits = visit.greeting.box_bits if onward is None else visit.greeting.route_bits
                nonce = await _work(visit.greeting, batch, bits)
                request = _registration(nonce, batch, onward)
                status = parse_status(await visit.ask(request.encode(), 1))
            if status is Status.OK:
                return
            if status is not Status.WORK:
                break
        raise CircuitClosed("A relay did not take the way back for an answer.")

    # -- fetching ------------------------------------------------------------------------------

    async def fetch(
        self, pickup: Pickup, *, done: Callable[[bytes], bool] | None = None
    ) -> Fetched:
        """One visit to the box: polls of constant size, in rounds of constant number.

        After each round the visit ends when the answer is complete or `done` says of its beginning
        that it suffices. What was fetched stays with the pickup, so that a later visit goes on.
        Raises CircuitClosed when the box cannot be reached (another visit may), NoRoute when no
        path to it satisfies the rules.
        """
        failure: CircuitClosed | None = None
        for _ in range(FETCH_ATTEMPTS):
            try:
                async with self._visit(self._advert(pickup.legs[-1]), "mailbox fetch") as visit:
                    return await self._poll(visit, pickup, done)
            except CircuitClosed as error:
                failure = error
        raise CircuitClosed(
            "The mailbox could not be reached.",
            kept="What has arrived there is kept until the reply expires.",
        ) from failure

    async def _poll(
        self, visit: Visit, pickup: Pickup, done: Callable[[bytes], bool] | None
    ) -> Fetched:
        inbox, owner = pickup.inbox, pickup.legs[-1].owner
        polls = -(-pickup.cells // POLL_CELLS)
        for number, rounds in enumerate(ROUNDS):
            if number:
                await trio.sleep(self._pause_s)
            for _ in range(rounds * polls):
                request = PollRequest(owner, encode_have(inbox.have))
                for body in split_answer(await visit.ask(request.encode(), ANSWER_BYTES)):
                    inbox.accept(body)
            if inbox.complete or (done is not None and done(inbox.data)):
                break
        return Fetched(inbox.data, inbox.complete)

    async def discard(self, pickup: Pickup) -> None:
        """Erase the slots and the box. What cannot be reached expires by itself."""
        async with trio.open_nursery() as nursery:
            for leg in pickup.legs:
                nursery.start_soon(self._discard_leg, leg)

    async def _discard_leg(self, leg: Leg) -> None:
        try:
            async with self._visit(self._advert(leg), "mailbox discard") as visit:
                await visit.ask(DiscardRequest(leg.owner).encode(), 1)
        except (CircuitClosed, NoRoute):
            return

    def _advert(self, leg: Leg) -> Advert:
        self._relays.reload()
        advert = self._relays.get(leg.node_id)
        if advert is None:
            raise CircuitClosed("The relay that keeps an answer is not in the directory.")
        return advert

    # -- visits --------------------------------------------------------------------------------

    @asynccontextmanager
    async def _visit(self, advert: Advert, purpose: str) -> AsyncIterator[Visit]:
        """A fresh circuit to a relay's mailbox service. Raises NoRoute or CircuitClosed."""
        circuit = await self._build(advert, purpose)
        try:
            yield await Visit.begin(circuit)
        except ProtocolError as error:
            raise CircuitClosed("A mailbox relay did not answer as it should.") from error
        finally:
            circuit.close("the mailbox visit is over")


async def _work(greeting: Greeting, batch: Batch, base: int) -> bytes:
    """The nonce a registration has to carry. Raises CircuitClosed when too much is asked."""
    bits = work_bits(base, batch.cells)
    if bits > MAX_WORK_BITS:
        raise CircuitClosed("A mailbox relay asks for more work than this program does.")
    return await solve_in_thread(work_challenge(greeting.challenge, batch.owner), bits)


def _registration(
    nonce: bytes, batch: Batch, onward: tuple[Advert, Leg] | None
) -> RouteRequest | BoxRequest:
    if onward is None:
        return BoxRequest(nonce, batch)
    advert, leg = onward
    address = advert.addresses[0]
    return RouteRequest(nonce, batch, leg.handle_seed, advert.node_id, address.host, address.port)
