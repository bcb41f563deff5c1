"""Contacts and invites: how a node that knows nobody finds its first honest address.

A contact is a NodeID and an address; whoever answers there must prove the NodeID. An invite is one
line of text with a few contacts and the network they belong to, made to be pasted or scanned:

    "P2P1" || base32 (no padding) of: network tag 8 || count u8 || contacts || checksum 4
    contact = NodeID 32 || address (docs/protocol.md, section 7)

Pure.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from engine.crypto.keys import NODE_ID_BYTES
from engine.errors import ConfigError, WireError
from engine.wire.create import encode_address, parse_address
from engine.wire.network import NETWORK_TAG_BYTES

INVITE_PREFIX = "P2P1"
MAX_CONTACTS = 8
CHECKSUM_BYTES = 4
_CHECKSUM_LABEL = b"peer2prompt invite v1"


@dataclass(frozen=True, slots=True)
class Contact:
    """A node and where it listens."""

    node_id: bytes
    host: str
    port: int


def encode_invite(tag: bytes, contacts: Sequence[Contact]) -> str:
    """The invite for these contacts, in upper case: it makes a small QR code."""
    if not 1 <= len(contacts) <= MAX_CONTACTS:
        raise ValueError("an invite names one to eight contacts")
    packed = b"".join(c.node_id + encode_address(c.host, c.port) for c in contacts)
    body = tag + bytes([len(contacts)]) + packed
    return INVITE_PREFIX + base64.b32encode(body + _checksum(body)).decode().rstrip("=")


def parse_invite(line: str, tag: bytes) -> list[Contact]:
    """The contacts in an invite. Raises ConfigError in words for who pasted it."""
    body = _body(line.strip().upper())
    if body[:NETWORK_TAG_BYTES] != tag:
        raise ConfigError(
            "This invite is for another network.",
            hint="Check [network] name, or ask for an invite of this network.",
        )
    try:
        contacts = _contacts(body[NETWORK_TAG_BYTES:])
    except (WireError, IndexError) as error:
        raise ConfigError("This invite is malformed.", hint="Copy it again, whole.") from error
    if encode_invite(tag, contacts) != line.strip().upper():
        raise ConfigError("This invite is malformed.", hint="Copy it again, whole.")
    return contacts


def _body(line: str) -> bytes:
    if not line.startswith(INVITE_PREFIX):
        raise ConfigError("This is not an invite.", hint=f"An invite begins with {INVITE_PREFIX}.")
    text = line[len(INVITE_PREFIX) :]
    try:
        data = base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError) as error:
        raise ConfigError("This invite is damaged.", hint="Copy it again, whole.") from error
    body, check = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
    if check != _checksum(body) or len(body) <= NETWORK_TAG_BYTES:
        raise ConfigError("This invite is damaged.", hint="Copy it again, whole.")
    return body


def _contacts(packed: bytes) -> list[Contact]:
    count, at = packed[0], 1
    if not 1 <= count <= MAX_CONTACTS:
        raise WireError("an invite names one to eight contacts")
    contacts = []
    for _ in range(count):
        node_id = packed[at : at + NODE_ID_BYTES]
        if len(node_id) != NODE_ID_BYTES:
            raise WireError("an invite is cut short")
        host, port, at = parse_address(packed, at + NODE_ID_BYTES)
        contacts.append(Contact(node_id, host, port))
    if at != len(packed):
        raise WireError("an invite has bytes left over")
    return contacts


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(_CHECKSUM_LABEL + body).digest()[:CHECKSUM_BYTES]
