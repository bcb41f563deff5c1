"""What was heard in the local network, judged: announcements are anybody's. Pure.

An announcement is one invite with one contact, at an address of the local network itself: nobody
there can send us to addresses elsewhere, to low ports, or to one machine again and again.
"""

from __future__ import annotations

from engine.circuit.addresses import FIRST_FREE_PORT, is_local
from engine.directory.contacts import Contact, parse_invite
from engine.errors import ConfigError

MAX_HEARD = 8
MAX_PER_HOST = 2
MAX_LINE = 255  # one string of a TXT record


class LanBook:
    """Contacts by the name of the announcement, bounded; what is full takes nobody new."""

    def __init__(self, tag: bytes, *, test_network: bool) -> None:
        self.refused = 0
        self._tag = tag
        self._test_network = test_network
        self._heard: dict[str, Contact] = {}

    def contacts(self) -> tuple[Contact, ...]:
        """Who announces itself now."""
        return tuple(dict.fromkeys(self._heard.values()))

    def heard(self, name: str, line: bytes) -> None:
        """Somebody announces `line` under `name`."""
        contact = self._read(line)
        if contact is None or not self._has_room(name, contact):
            self.refused += 1
            return
        self._heard[name] = contact

    def gone(self, name: str) -> None:
        """An announcement was taken back, or ran out."""
        self._heard.pop(name, None)

    def _read(self, line: bytes) -> Contact | None:
        if len(line) > MAX_LINE:
            return None
        try:
            contacts = parse_invite(line.decode("ascii"), self._tag)
        except (UnicodeDecodeError, ConfigError):
            return None
        if len(contacts) != 1 or not self._is_near(contacts[0]):
            return None
        return contacts[0]

    def _is_near(self, contact: Contact) -> bool:
        loopback = contact.host.startswith("127.") or contact.host == "::1"
        if contact.port < FIRST_FREE_PORT or (loopback and not self._test_network):
            return False
        return is_local(contact.host)

    def _has_room(self, name: str, contact: Contact) -> bool:
        others = [one for known, one in self._heard.items() if known != name]
        same_host = sum(one.host == contact.host for one in others)
        return len(others) < MAX_HEARD and same_host < MAX_PER_HOST
