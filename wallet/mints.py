"""The mints the user trusts: their clients, keysets and health.

The list is the store's; nothing here talks to a mint that is not on it, except `add`, which the
user asked for. Keysets are kept, so that paying needs no question to the mint.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import msgspec

from wallet import accounts
from wallet.comparing import learn_keysets
from wallet.ecash.errors import EcashError
from wallet.ecash.keysets import SHORT_HEX, Keyset
from wallet.ecash.subscriptions import Topic
from wallet.ecash.types import Proof
from wallet.errors import MintLied, MintUnreachable, UntrustedMint, WalletError, WrongUnit
from wallet.health import Health
from wallet.live import Feed, open_feed
from wallet.mint import MintClient
from wallet.schemas import MintInfo
from wallet.store import Store, Transaction

NUT_LOCKED_QUOTES = 20
HEALTH_KEY = "wallet.health"
TransportFor = Callable[[str], httpx.AsyncBaseTransport]


class MintBook:
    def __init__(
        self,
        store: Store,
        transport_for: TransportFor | None,
        timeout_s: float,
        second: TransportFor | None = None,
    ) -> None:
        """`second` reaches a mint by another way, on which it cannot know us again."""
        self._store = store
        self._second = second
        self._transport_for = transport_for
        self._timeout_s = timeout_s
        self._clients: dict[str, MintClient] = {}
        self._health: dict[str, Health] = {}
        self._names: dict[str, str] = {}
        self._infos: dict[str, MintInfo] = {}
        self._keysets: dict[str, dict[str, Keyset]] = {}
        # Mints that have to be compared with first, because the store came from a backup.
        self.unsure: set[str] = set()

    async def load(self) -> None:
        """Read the list and the keysets from the store."""

        def work(tx: Transaction) -> list[tuple[str, str, str, list[Keyset]]]:
            return [(m.url, m.name, m.info, tx.mints.keysets(m.url)) for m in tx.mints.all()]

        for url, name, info, keysets in await self._store.run(work):
            self._names[url] = name
            self._infos[url] = msgspec.json.decode(info, type=MintInfo)
            self._keysets[url] = {keyset.id: keyset for keyset in keysets}

        await self._remember_health()

    async def _remember_health(self) -> None:
        kept = await self._store.settings.get(HEALTH_KEY)
        if kept is not None:
            self._health = msgspec.json.decode(kept, type=dict[str, Health])

    async def keep_health(self) -> None:
        """Write down how the mints on the list have been doing, for the next run."""
        listed = {url: health for url, health in self._health.items() if url in self._names}
        await self._store.settings.set(HEALTH_KEY, msgspec.json.encode(listed).decode())

    async def aclose(self) -> None:
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.aclose()

    def urls(self) -> list[str]:
        return list(self._names)

    def name(self, url: str) -> str:
        return self._names[url]

    def client(self, url: str) -> MintClient:
        """The client of a listed mint; UntrustedMint for any other."""
        self.require(url)
        return self._client(url)

    def require(self, url: str) -> str:
        """The account's name in its normal spelling, if it is on the list."""
        normal = accounts.normal(url)
        if normal not in self._names:
            raise UntrustedMint(
                f"The mint {normal} is not on your list.",
                kept="Nothing was sent to it.",
                hint="Add it first if you trust it with this money.",
            )
        return normal

    def require_sat(self, url: str, what: str = "Answers are paid for") -> str:
        """As `require`, for what is paid in sat. Raises WrongUnit for another unit."""
        account = self.require(url)
        unit = accounts.unit_of(account)
        if unit != accounts.SAT:
            raise WrongUnit(
                f"{what} in sat; this ecash is in {unit}.",
                kept="Nothing was spent.",
                hint="Choose a mint where the wallet has sat, or fund it there.",
            )
        return account

    async def add(self, url: str) -> str:
        """Put a mint on the list, with its keysets. Asks the mint."""
        url = accounts.normal(url)
        client = self._client(url)
        try:
            info = await client.info()
            keysets = await self._fetch(client, {})
        except WalletError:
            if url not in self._names:
                self._clients.pop(url, None)
                await client.aclose()
            raise
        name = printable(info.name)[:80] or client.url

        def work(tx: Transaction) -> None:
            tx.mints.put(url, name, msgspec.json.encode(info).decode())
            for keyset in keysets.values():
                tx.mints.put_keyset(url, keyset)

        await self._store.run(work)
        self._names[url], self._infos[url], self._keysets[url] = name, info, keysets
        return url

    def drop(self, url: str) -> None:
        """Off the list; the store has forgotten it already. Its client ends with all the others,
        because somebody may be asking just now."""
        for known in (self._names, self._infos, self._keysets):
            known.pop(url, None)
        self.unsure.discard(url)

    async def look(self, url: str) -> tuple[str, MintInfo, dict[str, Keyset], tuple[str, ...]]:
        """What a mint says of itself, before it is trusted, and the units of its active keysets.
        Asks the mint; keeps nothing."""
        url = accounts.normal(url)
        client = self._client(url)
        try:
            info, keysets = await client.info(), await self._fetch(client, {})
            units = {printable(head.unit) for head in await client.keysets() if head.active}
            return url, info, keysets, tuple(sorted(units))
        finally:
            if url not in self._names:
                self._clients.pop(url, None)
                await client.aclose()

    def disabled(self, url: str) -> list[int]:
        """Minting (4) and melting (5), where the mint has switched them off."""
        return self._infos[self.require(url)].disabled()

    async def refresh(self, url: str) -> None:
        """Ask for new or retired keysets, and for the mint's word on itself."""
        keysets = await self._fetch(self.client(url), self._keysets[url])
        info = await self.client(url).info()

        def work(tx: Transaction) -> bool:
            row = tx.mints.get(url)
            if row is None:  # it was forgotten meanwhile
                return False
            tx.mints.put(url, row.name, msgspec.json.encode(info).decode())
            for keyset in keysets.values():
                tx.mints.put_keyset(url, keyset)
            return True

        if await self._store.run(work) and url in self._names:
            self._keysets[url], self._infos[url] = keysets, info

    def locks_quotes(self, url: str) -> bool:
        return self._infos[url].supports(NUT_LOCKED_QUOTES)

    def pays_parts(self, url: str) -> bool:
        """Whether the mint announces that it pays parts of invoices in the account's unit."""
        return self._infos[url].pays_parts(accounts.unit_of(url))

    def tells(self, url: str, topic: Topic) -> bool:
        """Whether the mint announces news of this (NUT-17)."""
        return self._infos[url].tells(accounts.unit_of(url), topic.value)

    def feed(
        self, url: str, topic: Topic, names: Sequence[str], *, stranger: bool = False
    ) -> AbstractAsyncContextManager[Feed]:
        """A live connection of its own to a listed mint, on the way that all requests to it take;
        as a stranger on the way on which it cannot know us again."""
        address, _ = accounts.split(self.require(url))
        way = self._second if stranger and self._second is not None else self._transport_for
        transport = way(address) if way is not None else None
        return open_feed(address, transport, topic, names, self._timeout_s)

    def keysets(self, url: str) -> list[Keyset]:
        return list(self._keysets[self.require(url)].values())

    def active(self, url: str) -> Keyset:
        """The keyset for new outputs: active, the cheapest to spend. MintUnreachable while the
        counters may be behind what the mint has seen."""
        if url in self.unsure:
            raise MintUnreachable(
                f"The wallet came from a backup and {url} was not asked yet what is left of it.",
                kept="Nothing was changed.",
                hint="It is asked as soon as it can be reached.",
            )
        usable = [keyset for keyset in self.keysets(url) if keyset.active]
        if not usable:
            raise MintLied(
                f"The mint {url} has no active keyset for {accounts.unit_of(url)}.",
                hint="Use another mint.",
            )
        return min(usable, key=lambda keyset: (keyset.input_fee_ppk, keyset.id))

    def outgoing(self, url: str, now: float, before: float) -> set[str]:
        """Keysets whose coins should be swapped for others (NUT-02): those that sign no more
        without a word on how long they are taken, and those whose ecash is worth nothing after a
        moment from `now` to `before` (unix seconds). Never the one for new outputs, because a swap
        would change nothing."""
        new = self.active(url).id
        return {
            keyset.id
            for keyset in self.keysets(url)
            if keyset.id != new
            and (
                not keyset.active
                if keyset.final_expiry is None
                else now <= keyset.final_expiry < before
            )
        }

    def knows(self, url: str, keyset_id: str) -> bool:
        return keyset_id in self._keysets[self.require(url)]

    def keyset(self, url: str, keyset_id: str) -> Keyset:
        """A keyset of a mint on the list. Raises EcashError, UntrustedMint."""
        found = self._keysets[self.require(url)].get(keyset_id)
        if found is None:
            raise EcashError("the mint has no such keyset for this unit")
        return found

    def fee_ppk(self, url: str) -> Callable[[Proof], int]:
        keysets = self._keysets[self.require(url)]
        return lambda proof: keysets[proof.id].input_fee_ppk

    def complete_id(self, url: str, keyset_id: str) -> str:
        """The full id for one that may be short (NUT-02); ambiguous or unknown is an error."""
        known = self._keysets[self.require(url)]
        if keyset_id in known:
            return keyset_id
        matches = [full for full in known if full.startswith(keyset_id)]
        if len(keyset_id) != SHORT_HEX or len(matches) != 1:
            raise EcashError("the mint has no such keyset for this unit")
        return matches[0]

    def _client(self, url: str) -> MintClient:
        client = self._clients.get(url)
        if client is None:
            address, unit = accounts.split(url)
            transport = self._transport_for(address) if self._transport_for else None
            health = self._health.setdefault(url, Health())
            client = MintClient(
                address, transport, timeout_s=self._timeout_s, unit=unit, health=health
            )
            self._clients[url] = client
        return client

    async def _fetch(self, client: MintClient, known: dict[str, Keyset]) -> dict[str, Keyset]:
        if self._second is None:
            return await learn_keysets(client, known, None)
        stranger = MintClient(client.url, self._second(client.url), timeout_s=self._timeout_s)
        try:
            return await learn_keysets(client, known, stranger)
        finally:
            await stranger.aclose()

    @asynccontextmanager
    async def stranger(self, url: str) -> AsyncIterator[MintClient]:
        """A client of a listed mint on the way on which it cannot know us again; on the usual one
        when there is no other."""
        self.require(url)
        if self._second is None:
            yield self._client(url)
            return
        address, unit = accounts.split(url)
        client = MintClient(address, self._second(address), timeout_s=self._timeout_s, unit=unit)
        try:
            yield client
        finally:
            await client.aclose()


def printable(text: str | None) -> str:
    """A mint's words on one line, cut short."""
    return "".join(c for c in text or "" if c.isprintable())[:300]
