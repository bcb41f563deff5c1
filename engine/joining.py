"""How a running node meets its network: files read again, invites given and taken, its advert.

Answers the control protocol; who is asked and believed is the business of `engine.acquaintance` and
`engine.directory`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping

from engine.acquaintance import Acquaintance
from engine.control.protocol.network import AdvertResult, Invite, Joined
from engine.control.server import Handler
from engine.errors import ConfigError
from engine.halves import Halves
from engine.wire.advert import Advert, Role


class Joining:
    """Answers `directory.reload`, `network.invite`, `network.join` and `advert`."""

    def __init__(self, people: Acquaintance, halves: Halves) -> None:
        self._people = people
        self._relays = people.relays
        self._halves = halves

    def table(self) -> Mapping[str, Handler]:
        """Method name to handler."""
        return {
            "directory.reload": self._reload,
            "network.invite": self._invite,
            "network.join": self._join,
            "advert": self._advert,
        }

    async def _reload(self, _params: object) -> dict[str, object]:
        """Read the files again and ask the contacts."""
        self._relays.reload()
        for bootstrap in self._halves.bootstraps():
            await bootstrap.run()
        return {}

    async def _invite(self, _params: object) -> Invite:
        relay = self._halves.relay
        raw = relay.advert() if relay is not None else b""
        now = relay.keeper.clock.now() if relay is not None else 0
        own = Advert.decode(raw, int(now)) if raw else None
        return Invite(
            invite=self._people.invite(own),
            short=self._people.invite(own, most=1),
        )

    async def _join(self, params: dict[str, str]) -> Joined:
        contacts = await self._people.join(params["invite"])
        reports = [await b.run() for b in self._halves.bootstraps()]
        return Joined(
            contacts=contacts,
            answered=sum(len(report.answered) for report in reports),
            relays_known=len(self._relays.with_role(Role.RELAY)),
        )

    async def _advert(self, _params: object) -> AdvertResult:
        relay = self._halves.relay
        if relay is None:
            raise ConfigError("This node neither relays nor serves, so it has no advert.")
        if not relay.advert():
            raise ConfigError("This node does not know its address yet, so it has no advert.")
        return AdvertResult(advert=b64encode(relay.advert()).decode("ascii"))
