"""The mailboxes of the network as sessions use them: which relays a way back must not touch.

The relays of two pickups of one answer are apart, so that no single relay can lose both; the ghost
and the guards in use are never among them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.directory.relays import RelaySet
from engine.errors import NoRoute
from engine.mailbox.client import Fetched, MailboxClient
from engine.mailbox.pickup import Pickup
from engine.wire.advert import Advert


class MailRoad:
    """Prepares, visits and discards the pickups of this client."""

    def __init__(
        self,
        mail: MailboxClient,
        relays: RelaySet,
        guards: Callable[[], Sequence[bytes]],
    ) -> None:
        self._mail = mail
        self._relays = relays
        self._guards = guards

    async def prepare(self, cells: int, ghost: bytes, beside: Sequence[Pickup]) -> Pickup:
        """A pickup apart from those `beside`. Raises NoRoute or CircuitClosed."""
        apart = [leg.node_id for pickup in beside for leg in pickup.legs]
        if self._relays.get(ghost) is None:
            raise NoRoute("The ghost of this session is no longer in the directory.")
        return await self._mail.prepare(cells, self._adverts([ghost, *self._guards(), *apart]))

    def _adverts(self, node_ids: Sequence[bytes]) -> list[Advert]:
        found = (self._relays.get(node_id) for node_id in node_ids)
        return [advert for advert in found if advert is not None]

    async def fetch(self, pickup: Pickup, *, done: Callable[[bytes], bool] | None) -> Fetched:
        """One visit to the mailbox. Raises CircuitClosed when it cannot be reached."""
        return await self._mail.fetch(pickup, done=done)

    async def discard(self, pickup: Pickup) -> None:
        """Erase what the relays keep for it."""
        await self._mail.discard(pickup)

    @staticmethod
    def load(raw: bytes) -> Pickup:
        """A pickup from its dump. Raises WireError."""
        return Pickup.load(raw)
