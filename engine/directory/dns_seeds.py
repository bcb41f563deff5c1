"""First contacts from a DNS name: TXT records that hold an invite each. An opt-in.

Whoever answers the question (the resolver, anybody between, the name's owner) learns that this
machine is about to join the network, and can name contacts of his own: that is why it is off unless
`[network] dns` names something, why an answer is never more than one origin among others, and why
its contacts must have public addresses. Needs the extra `dns` (dnspython).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import trio

from engine.circuit.addresses import is_routable
from engine.directory.contacts import Contact, parse_invite
from engine.directory.sources import Origin
from engine.errors import ConfigError

LOOK_TIMEOUT_S = 5.0
LOOK_EVERY_S = 3_600.0
MAX_RECORDS = 32  # of one answer that are read
MAX_CONTACTS = 16
MAX_LINE = 1_024  # an invite of eight contacts has some five hundred characters

Resolve = Callable[[str], Awaitable[list[bytes]]]
"""The TXT records of a name, each joined. Raises OSError with words for the user."""


class DnsSeeds:
    """The contacts that a name tells. `error` says in a sentence why there are none."""

    origin = Origin.DNS

    def __init__(
        self, name: str, tag: bytes, *, test_network: bool, resolve: Resolve | None = None
    ) -> None:
        self.error = ""
        self._name = name
        self._tag = tag
        self._test_network = test_network
        self._resolve = resolve or resolve_txt
        self._contacts: tuple[Contact, ...] = ()
        self._due = 0.0

    def contacts(self) -> Sequence[Contact]:
        """What the last answer named."""
        return self._contacts

    async def look(self) -> None:
        """Ask, if the last answer is an hour old or held nothing."""
        now = trio.current_time()
        if self._contacts and now < self._due:
            return
        self._due = now + LOOK_EVERY_S
        self.error = f"The name {self._name} did not answer in time."
        with trio.move_on_after(LOOK_TIMEOUT_S):
            try:
                records = await self._resolve(self._name)
            except OSError as error:
                self.error = f"The name {self._name} gives no contacts: {error}."
                return
            self._take(records)

    def _take(self, records: Sequence[bytes]) -> None:
        self._contacts = contacts_in(records, self._tag, test_network=self._test_network)
        nothing = f"The name {self._name} holds no invite of this network."
        self.error = "" if self._contacts else nothing


def contacts_in(records: Sequence[bytes], tag: bytes, *, test_network: bool) -> tuple[Contact, ...]:
    """The contacts in TXT records. What is no invite of this network is skipped."""
    found: dict[Contact, None] = {}
    for record in records[:MAX_RECORDS]:
        if len(record) > MAX_LINE:
            continue
        try:
            named = parse_invite(record.decode("ascii"), tag)
        except (UnicodeDecodeError, ConfigError):
            continue
        found.update(dict.fromkeys(c for c in named if test_network or is_routable(c.host)))
    return tuple(found)[:MAX_CONTACTS]


async def resolve_txt(
    name: str, *, servers: Sequence[str] | None = None, port: int = 53
) -> list[bytes]:
    """The TXT records of `name`, from the system's resolvers or the given ones."""
    try:
        from dns.asyncresolver import Resolver
        from dns.exception import DNSException
    except ModuleNotFoundError as error:
        raise OSError('a library is missing; install "peer2prompt[dns]"') from error
    try:
        resolver = Resolver(configure=servers is None)
        if servers is not None:
            resolver.nameservers, resolver.port = list(servers), port
        answer = await resolver.resolve(name, "TXT", lifetime=LOOK_TIMEOUT_S)
    except DNSException as error:
        raise OSError(f"{type(error).__name__} from the resolver") from error
    return [b"".join(record.strings) for record in answer]
