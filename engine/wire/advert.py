"""Adverts: the signed, canonical statement by which a node makes itself known.

Decoding is strict: one encoding per advert, every bound checked, signature verified, a life of at
most 26 hours. Whether an address may be dialled is the caller's rule. Format: docs/protocol.md,
"Adverts".
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass, field
from functools import cached_property

from engine.crypto.identity_work import NONCE_BYTES, epoch_of, is_solved
from engine.crypto.keys import (
    ED25519_PUBLIC_BYTES,
    SIGNATURE_BYTES,
    X25519_BYTES,
    is_canonical_x25519,
    node_id_of,
    verify_signature,
)
from engine.errors import WireError
from engine.wire.create import encode_address, parse_address
from engine.wire.link import Signer
from engine.wire.network import MAIN_NETWORK, NETWORK_TAG_BYTES

ADVERT_LABEL = b"peer2prompt advert v2"
ADVERT_VERSION = 2
MAX_LIFE_S = 26 * 3_600  # a day and the overlap of two epochs
MAX_SKEW_S = 600  # how far in the future an honest clock may have published
MAX_ONION_KEYS = 2  # this epoch's and the next one's
MAX_ADDRESSES = 3
MAX_ADVERT_BYTES = 512
TAG_BYTES = 16
COMMITMENT_BYTES = 32

_ONION = struct.Struct(f">{X25519_BYTES}sQQ")
_TIMES = struct.Struct(">QQ")
_EPOCH_BYTES = 4


class Role(enum.IntFlag):
    """What a node offers. None of them: the node has left, and says so."""

    RELAY = 1
    GHOST = 2
    GPU = 4
    MINT_EXIT = 8
    MAILBOX = 16


# An int, because the complement of an IntFlag leaves out the bits that have no name.
_UNKNOWN_ROLES = ~int(Role.RELAY | Role.GHOST | Role.GPU | Role.MINT_EXIT | Role.MAILBOX)


class UntimelyAdvert(WireError):
    """An advert that is right in all but its dates: `off_s` seconds ahead of our clock (positive)
    or past its life (negative)."""

    def __init__(self, message: str, node_id: bytes, off_s: int) -> None:
        super().__init__(message)
        self.node_id = node_id
        self.off_s = off_s


@dataclass(frozen=True)
class OnionKey:
    """An X25519 onion key and when it may be used (unix seconds, both ends inclusive)."""

    public: bytes
    not_before: int
    not_after: int

    def valid_at(self, now: int) -> bool:
        """True while handshakes to this key are answered."""
        return self.not_before <= now <= self.not_after


@dataclass(frozen=True)
class Address:
    """A literal IP address and a port."""

    host: str
    port: int


@dataclass(frozen=True)
class Advert:
    """An advert. `signature` is set by `encode` and `decode`, and left out of comparisons."""

    ed25519_public: bytes
    link_static: bytes
    onion_keys: tuple[OnionKey, ...]
    roles: Role
    published: int
    expires: int
    addresses: tuple[Address, ...]
    family_tag: bytes = bytes(TAG_BYTES)
    operator_tag: bytes = bytes(TAG_BYTES)
    sheet_commitment: bytes = bytes(COMMITMENT_BYTES)
    network: bytes = MAIN_NETWORK
    work_epoch: int = 0
    work_nonce: bytes = bytes(NONCE_BYTES)
    signature: bytes = field(default=b"", compare=False, repr=False)

    @cached_property
    def node_id(self) -> bytes:
        """The NodeID the advert speaks for."""
        return node_id_of(self.ed25519_public)

    @property
    def raw(self) -> bytes:
        """The bytes `decode` took (only of an advert that has its signature)."""
        return self._body() + self.signature

    def onion_key_at(self, now: int) -> OnionKey | None:
        """The newest onion key valid at `now`.

        When all of them begin later, the first to begin: our clock was set back since the advert
        came, and the relay, which goes by its own, answers to it.
        """
        ours = [key for key in self.onion_keys if now <= key.not_after]
        begun = [key for key in ours if key.not_before <= now]
        return begun[-1] if begun else next(iter(ours), None)

    def has_work(self, bits: int) -> bool:
        """True when the identity was paid for with `bits` of work in the epoch of publication.

        Costs one scrypt evaluation (under a millisecond).
        """
        if not bits:
            return True
        return self.work_is_due() and is_solved(
            self.node_id, self.work_epoch, self.work_nonce, bits
        )

    def work_is_due(self) -> bool:
        """True when the work is for the epoch in which the advert was published."""
        return self.work_epoch == epoch_of(self.node_id, self.published)

    def check(self) -> None:
        """Raise WireError unless every field is within its bounds and in canonical order."""
        if not is_canonical_x25519(self.link_static):
            raise WireError("an advert's link key is not canonical")
        self._check_onion_keys()
        tags = (len(self.family_tag), len(self.operator_tag), len(self.sheet_commitment))
        if tags != (TAG_BYTES, TAG_BYTES, COMMITMENT_BYTES):
            raise WireError("an advert's tags have the wrong length")
        if len(self.network) != NETWORK_TAG_BYTES:
            raise WireError("an advert's network tag has the wrong length")
        if len(self.work_nonce) != NONCE_BYTES or not 0 <= self.work_epoch < 1 << 32:
            raise WireError("an advert's proof of work is malformed")
        if int(self.roles) & _UNKNOWN_ROLES:
            raise WireError("an advert has a role this version does not know")
        if not 0 < self.expires - self.published <= MAX_LIFE_S:
            raise WireError("an advert's lifetime is empty or longer than 26 hours")
        if not 1 <= len(self.addresses) <= MAX_ADDRESSES:
            raise WireError("an advert has one to three addresses")
        if len(set(self.addresses)) != len(self.addresses):
            raise WireError("an advert names an address twice")

    def _check_onion_keys(self) -> None:
        keys = self.onion_keys
        if not 1 <= len(keys) <= MAX_ONION_KEYS:
            raise WireError("an advert has one or two onion keys")
        for key in keys:
            if not is_canonical_x25519(key.public) or key.not_before >= key.not_after:
                raise WireError("an advert's onion key is malformed")
        if len(keys) == MAX_ONION_KEYS and (
            keys[0].not_before >= keys[1].not_before or keys[0].public == keys[1].public
        ):
            raise WireError("an advert's onion keys are not in order")

    def encode(self, signer: Signer) -> bytes:
        """Sign and encode. Raises WireError for an advert that `decode` would refuse."""
        if signer.public != self.ed25519_public:
            raise ValueError("an advert is signed by the key it names")
        self.check()
        body = self._body()
        return body + signer.sign(ADVERT_LABEL + body)

    def _body(self) -> bytes:
        parts = [bytes([ADVERT_VERSION]), self.network, self.ed25519_public, self.link_static]
        parts.append(bytes([len(self.onion_keys)]))
        parts += [_ONION.pack(k.public, k.not_before, k.not_after) for k in self.onion_keys]
        parts.append(bytes([self.roles]))
        parts.append(_TIMES.pack(self.published, self.expires))
        parts.append(bytes([len(self.addresses)]))
        parts += [encode_address(a.host, a.port) for a in self.addresses]
        parts += [self.family_tag, self.operator_tag, self.sheet_commitment]
        parts += [self.work_epoch.to_bytes(_EPOCH_BYTES, "big"), self.work_nonce]
        return b"".join(parts)

    @classmethod
    def decode(cls, data: bytes, now: int) -> Advert:
        """Parse, check and verify an advert. Raises WireError for anything but a valid one."""
        if len(data) > MAX_ADVERT_BYTES:
            raise WireError("an advert is too long")
        data = bytes(data)
        advert = _Reader(data).advert()
        advert.check()
        body = data[:-SIGNATURE_BYTES]
        if advert._body() != body:
            raise WireError("an advert is not in canonical form")
        if not verify_signature(advert.ed25519_public, advert.signature, ADVERT_LABEL + body):
            raise WireError("an advert's signature is wrong")
        if advert.published > now + MAX_SKEW_S:
            off_s = advert.published - now
            raise UntimelyAdvert("an advert was published in the future", advert.node_id, off_s)
        if advert.expires <= now:
            off_s = advert.expires - now - 1
            raise UntimelyAdvert("an advert has expired", advert.node_id, off_s)
        return advert


class _Reader:
    """Reads the fields of an advert in order; every overrun is a WireError."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    def take(self, size: int) -> bytes:
        part = self._data[self._offset : self._offset + size]
        if len(part) != size:
            raise WireError("an advert is cut short")
        self._offset += size
        return part

    def byte(self) -> int:
        return self.take(1)[0]

    def address(self) -> Address:
        host, port, self._offset = parse_address(self._data, self._offset)
        return Address(host, port)

    def advert(self) -> Advert:
        if self.byte() != ADVERT_VERSION:
            raise WireError("an advert has an unknown version")
        network = self.take(NETWORK_TAG_BYTES)
        ed25519_public, link_static = self.take(ED25519_PUBLIC_BYTES), self.take(X25519_BYTES)
        onion_count = self.byte()
        if not 1 <= onion_count <= MAX_ONION_KEYS:
            raise WireError("an advert has one or two onion keys")
        onion_keys = tuple(
            OnionKey(*_ONION.unpack(self.take(_ONION.size))) for _ in range(onion_count)
        )
        roles = self.byte()
        if roles & _UNKNOWN_ROLES:
            raise WireError("an advert has a role this version does not know")
        published, expires = _TIMES.unpack(self.take(_TIMES.size))
        address_count = self.byte()
        if not 1 <= address_count <= MAX_ADDRESSES:
            raise WireError("an advert has one to three addresses")
        addresses = tuple(self.address() for _ in range(address_count))
        advert = Advert(
            ed25519_public=ed25519_public,
            link_static=link_static,
            onion_keys=onion_keys,
            roles=Role(roles),
            published=published,
            expires=expires,
            addresses=addresses,
            family_tag=self.take(TAG_BYTES),
            operator_tag=self.take(TAG_BYTES),
            sheet_commitment=self.take(COMMITMENT_BYTES),
            network=network,
            work_epoch=int.from_bytes(self.take(_EPOCH_BYTES), "big"),
            work_nonce=self.take(NONCE_BYTES),
            signature=self.take(SIGNATURE_BYTES),
        )
        if self._offset != len(self._data):
            raise WireError("an advert has bytes left over")
        return advert
