"""Whether the world can reach this node, and under which address: asked of others, told to others.

A node without an address of its own choice advertises itself only when two others in different
networks name the same address and dialling it works. One with a set address is told when it does
not work. One that others find shut several times in a row takes itself out of the directory, so
that nobody builds over it in vain, until they get in again. In a test network, a set address is
not questioned.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from random import Random, SystemRandom

import trio

from engine.control.protocol.network import ReachInfo
from engine.directory.dialback import DialBack
from engine.directory.reachability import AGREEING, Belief, Voice, weigh
from engine.directory.relays import RelaySet
from engine.directory.rules import network_of
from engine.errors import CircuitClosed, LinkError
from engine.link.manager import LinkManager
from engine.link.settings import Advertised
from engine.wire.advert import Advert, Role

WITNESSES = 5
RETRY_S = (2.0, 5.0, 10.0, 30.0, 60.0)
CHECK_S = 3_600.0
DOUBT_S = 600.0  # after a check that went wrong
HIDDEN_AFTER = 3
"""Checks in a row that found the node shut before its advert is withdrawn: each asks other relays
in different networks, so one that lies, or a router that starts anew, does not do it."""


class Standing:
    """The address of one node. `known` is set once there is one to advertise."""

    def __init__(
        self,
        links: LinkManager,
        relays: RelaySet,
        dialback: DialBack,
        setting: Advertised,
        own_node_id: bytes,
        *,
        tested: bool,
        meet: Callable[[], Awaitable[object]],
        advertise: Callable[[str, int], None],
        hide: Callable[[bool], None],
        rng: Random | None = None,
    ) -> None:
        self.known = trio.Event()
        self.belief = Belief()
        self.checked: float | None = None
        self._links = links
        self._relays = relays
        self._dialback = dialback
        self._setting = setting
        self._host = setting.host
        self._own = own_node_id
        self._tested = tested or not setting.host
        self._meet = meet
        self._advertise = advertise
        self._hide = hide
        self._shut = 0
        self.hidden = False
        self._rng = rng or SystemRandom()
        if setting.host:
            self._tell(setting.host)

    async def run(self) -> None:
        """Keep asking until cancelled."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._dialback.run)
            tries = 0
            while self._tested:
                good = await self._check()
                tries = 0 if good else tries + 1
                await trio.sleep(self._pause(good, tries) * self._rng.uniform(0.8, 1.2))

    def _pause(self, good: bool, tries: int) -> float:
        if good:
            return CHECK_S
        if self.known.is_set() and self.belief.is_unreachable:
            return DOUBT_S
        return RETRY_S[min(tries, len(RETRY_S)) - 1]

    async def _check(self) -> bool:
        """Ask; True when the address advertised is the right one and works."""
        witnesses = self._witnesses()
        if len(witnesses) < AGREEING:
            await self._meet()
            witnesses = self._witnesses()
        voices: list[Voice] = []
        async with trio.open_nursery() as nursery:
            for witness in witnesses:
                nursery.start_soon(self._ask, witness, voices)
        self.belief, self.checked = weigh(voices), time.time()
        if self.belief.is_reachable and not self._setting.host:
            self._tell(self.belief.host)
        self._withdraw_or_return()
        return self.belief.is_reachable and self.belief.host == self._host

    def _withdraw_or_return(self) -> None:
        """Out of the directory after so many checks that found the advertised address shut, and
        back with the first that did not. Silence says nothing: we may be cut off ourselves."""
        belief = self.belief
        if belief.host != self._host or not (belief.is_unreachable or belief.is_reachable):
            return
        self._shut = self._shut + 1 if belief.is_unreachable else 0
        hidden = self._shut >= HIDDEN_AFTER
        if hidden != self.hidden:
            self.hidden = hidden
            self._hide(hidden)

    def _witnesses(self) -> list[Advert]:
        """Relays in different networks, at random."""
        known = [a for a in self._relays.with_role(Role.RELAY) if a.node_id != self._own]
        self._rng.shuffle(known)
        chosen = {network_of(advert.addresses[0].host): advert for advert in known}
        return list(chosen.values())[:WITNESSES]

    async def _ask(self, witness: Advert, voices: list[Voice]) -> None:
        address = witness.addresses[0]
        try:
            link = await self._links.get(witness.node_id, address.host, address.port)
            answer = await self._dialback.ask(link, self._setting.port)
        except (CircuitClosed, LinkError):
            return
        voices.append(Voice(network_of(address.host), answer.host, answer.verdict))

    def _tell(self, host: str) -> None:
        if host != self._host or not self.known.is_set():
            self._host = host
            self._advertise(host, self._setting.port)
            self.known.set()

    # -- for the user --------------------------------------------------------------------------

    @property
    def warning(self) -> str:
        """What is wrong, in a sentence; empty when nothing is."""
        belief, port = self.belief, self._setting.port
        if self.checked is None:
            return ""
        if belief.is_unreachable:
            out = " It is out of the directory until they can." if self.hidden else ""
            return (
                f"Other relays cannot reach this node at port {port} of the address they see: "
                f"open the port in the firewall or forward it in the router.{out}"
            )
        if belief.host and self._host and belief.host != self._host:
            return "Other relays see this node at another address than it advertises."
        if not self.known.is_set():
            return (
                f"This node does not advertise itself yet: {belief.agreeing} of {AGREEING} other "
                "networks that must agree on its address have named one. [link] advertise sets it."
            )
        return ""

    def info(self) -> ReachInfo:
        """For the control protocol."""
        belief = self.belief
        return ReachInfo(
            address=f"{self._host}:{self._setting.port}" if self._host else "",
            state=self._state(),
            asked=belief.voices,
            agreeing=belief.agreeing,
            reached=belief.reached,
            checked=self.checked,
            seen=belief.host,
        )

    def _state(self) -> str:
        if not self._tested:
            return "set"
        if self.belief.is_reachable:
            return "reachable"
        if self.belief.is_unreachable:
            return "unreachable"
        return "unknown"
