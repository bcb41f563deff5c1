"""Records: what a ghost leaves in the DHT so that clients find it by what it can do.

    record = head || box || signature 64
    head   = version u8 || epoch_key 32 || sequence u64 || expires u64 || nonce 8
    box    = sealed (owner_signature 64 || length u16 || advert || zeros)

A record lies under one of four keys derived from a capability ("model:NAME") and the capability's
epoch; its box is encrypted under a key derived likewise. Who stores it learns neither what it
offers nor who offers it, unless it guesses the capability. The epoch key signs the record for that
one key and has paid for it with work; inside the box the node key signs the epoch key. Every
record has the same size. Pure. docs/protocol.md, "The DHT".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from engine.crypto.kdf import hkdf_expand, hkdf_extract, sha256
from engine.crypto.keys import ED25519_PUBLIC_BYTES, SIGNATURE_BYTES, verify_signature
from engine.crypto.memory_work import NONCE_BYTES, worth
from engine.crypto.suite import NONCE_BYTES as AEAD_NONCE_BYTES
from engine.crypto.suite import TAG_BYTES
from engine.errors import WireError
from engine.wire.advert import Advert
from engine.wire.link import Signer

KEY_BYTES = 32
SALTS = 4  # keys of one capability, each with holders of its own
EPOCH_S = 4 * 3_600
OVERLAP_S = 1_800  # this long before an epoch records lie under its keys already
MAX_LIFE_S = 2 * 3_600
MAX_SKEW_S = 600
RECORD_ADVERT_BYTES = 400  # two onion keys and three IPv6 addresses are 385
RECORD_VERSION = 1

_HEAD = struct.Struct(f">B{ED25519_PUBLIC_BYTES}sQQ{NONCE_BYTES}s")
_SIZE = struct.Struct(">H")
_BODY_BYTES = SIGNATURE_BYTES + _SIZE.size + RECORD_ADVERT_BYTES
RECORD_BYTES = _HEAD.size + _BODY_BYTES + TAG_BYTES + SIGNATURE_BYTES

WORK_LABEL = b"peer2prompt record work v1"
_NAME_LABEL = b"peer2prompt capability v1"
_KEY_LABEL = b"peer2prompt record key v1"
_BODY_LABEL = b"peer2prompt record body v1"
_SIGN_LABEL = b"peer2prompt record v1"
_OWNER_LABEL = b"peer2prompt record owner v1"
_ZERO_NONCE = bytes(AEAD_NONCE_BYTES)  # every box has a key of its own


@dataclass(frozen=True, slots=True)
class Capability:
    """Something that a ghost can do, in one network: `model("tiny")` is asking it for tiny."""

    network: bytes
    name: str

    @property
    def secret(self) -> bytes:
        """What keys and boxes are derived from; as secret as the name is."""
        return sha256(_NAME_LABEL, self.network, self.name.encode())

    def epoch_at(self, now: float) -> int:
        """The epoch of this capability's keys; each capability's begins at a moment of its own."""
        return (int(now) + self._offset) // EPOCH_S

    def epochs_served(self, now: float) -> tuple[int, ...]:
        """The epochs whose keys records are to lie under now."""
        return tuple(sorted({self.epoch_at(now), self.epoch_at(now + OVERLAP_S)}))

    def keys(self, epoch: int) -> tuple[bytes, ...]:
        """The four keys of an epoch."""
        number = epoch.to_bytes(4, "big")
        return tuple(
            sha256(_KEY_LABEL, self.secret, number, bytes([salt])) for salt in range(SALTS)
        )

    @property
    def _offset(self) -> int:
        return int.from_bytes(self.secret[:8], "big") % EPOCH_S


def model_capability(network: bytes, model: str) -> Capability:
    """Serving a model."""
    return Capability(network, f"model:{model}")


def work_message(key: bytes, epoch_key: bytes) -> bytes:
    """What the nonce of a record pays for."""
    return key + epoch_key


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it travels. Whether it is to be believed `check` says, for the key it is at."""

    epoch_key: bytes
    sequence: int
    expires: int
    nonce: bytes
    box: bytes = field(repr=False)
    signature: bytes = field(repr=False, default=b"")

    @classmethod
    def parse(cls, raw: bytes) -> Record:
        """Split a record. Raises WireError when it is none."""
        if len(raw) != RECORD_BYTES:
            raise WireError("a record has the wrong length")
        version, epoch_key, sequence, expires, nonce = _HEAD.unpack_from(raw)
        if version != RECORD_VERSION:
            raise WireError("a record has an unknown version")
        box = raw[_HEAD.size : -SIGNATURE_BYTES]
        return cls(epoch_key, sequence, expires, nonce, box, raw[-SIGNATURE_BYTES:])

    @property
    def head(self) -> bytes:
        """The fields in front of the box."""
        return _HEAD.pack(RECORD_VERSION, self.epoch_key, self.sequence, self.expires, self.nonce)

    @property
    def raw(self) -> bytes:
        """The record as it travels."""
        return self.head + self.box + self.signature

    def signed_part(self, network: bytes, key: bytes) -> bytes:
        """What the epoch key signs."""
        return _SIGN_LABEL + network + key + self.head + self.box

    def check_times(self, now: float) -> None:
        """Raise WireError unless the record is alive, and for two hours at most."""
        if self.expires <= now:
            raise WireError("a record has expired")
        if self.expires > now + MAX_LIFE_S + MAX_SKEW_S:
            raise WireError("a record wants to live for too long")

    def check(self, network: bytes, key: bytes, now: float, bits: int) -> int:
        """The bits of work it is worth, once times, signature and work are right for this key.

        The cheapest check comes first. Raises WireError.
        """
        self.check_times(now)
        if not verify_signature(self.epoch_key, self.signature, self.signed_part(network, key)):
            raise WireError("a record's signature is wrong")
        found = worth(WORK_LABEL, work_message(key, self.epoch_key), self.nonce)
        if found < bits:
            raise WireError("a record was not paid for")
        return found

    def open(self, capability: Capability, key: bytes, now: int) -> Advert:
        """The owner's advert, verified together with the owner's word for the epoch key.

        Raises WireError. The record itself must have been checked for `key`.
        """
        try:
            sealer = ChaCha20Poly1305(_box_key(capability, key, self.head))
            body = sealer.decrypt(_ZERO_NONCE, self.box, self.head)
        except InvalidTag as error:
            raise WireError("a record is not of this capability") from error
        (size,) = _SIZE.unpack_from(body, SIGNATURE_BYTES)
        start = SIGNATURE_BYTES + _SIZE.size
        if size > RECORD_ADVERT_BYTES or any(body[start + size :]):
            raise WireError("a record's body is malformed")
        advert = Advert.decode(body[start : start + size], now)
        owner_part = _owner_part(capability.network, key, self.head)
        if not verify_signature(advert.ed25519_public, body[:SIGNATURE_BYTES], owner_part):
            raise WireError("a record's owner did not sign it")
        if advert.network != capability.network:
            raise WireError("a record names a node of another network")
        return advert


def make_record(
    owner: Signer,
    epoch_signer: Signer,
    capability: Capability,
    key: bytes,
    *,
    advert: bytes,
    sequence: int,
    expires: int,
    nonce: bytes,
) -> bytes:
    """The record of `owner` for `key`. `sequence` must be new for every record of an epoch key.

    Raises WireError when the advert does not fit.
    """
    if len(advert) > RECORD_ADVERT_BYTES:
        raise WireError("an advert is too long for a record")
    bare = Record(epoch_signer.public, sequence, expires, nonce, b"")
    word = owner.sign(_owner_part(capability.network, key, bare.head))
    body = (word + _SIZE.pack(len(advert)) + advert).ljust(_BODY_BYTES, b"\0")
    sealer = ChaCha20Poly1305(_box_key(capability, key, bare.head))
    boxed = Record(
        bare.epoch_key, sequence, expires, nonce, sealer.encrypt(_ZERO_NONCE, body, bare.head)
    )
    return boxed.head + boxed.box + epoch_signer.sign(boxed.signed_part(capability.network, key))


def _box_key(capability: Capability, key: bytes, head: bytes) -> bytes:
    """The key of one box: the head names the epoch key and sequence, so no two are alike."""
    return hkdf_expand(hkdf_extract(key, capability.secret), _BODY_LABEL + head)


def _owner_part(network: bytes, key: bytes, head: bytes) -> bytes:
    return _OWNER_LABEL + network + key + head
