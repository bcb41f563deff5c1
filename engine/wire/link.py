"""The link handshake: Noise XX in three records, with certificates that name the two nodes.

Sans-IO: records of 2,048 bytes in and out, `now` as an argument. Each side proves its static key by
Noise and shows a certificate that its Ed25519 node key signed for that static key. The result is a
pair of LinkCiphers and the neighbour's NodeID. Wire format: docs/protocol.md, "Links".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Protocol

from engine.crypto.keys import (
    ED25519_PUBLIC_BYTES,
    NODE_ID_BYTES,
    SIGNATURE_BYTES,
    X25519_BYTES,
    is_canonical_x25519,
    node_id_of,
    verify_signature,
    x25519_generate,
    x25519_public,
)
from engine.crypto.link_cipher import LinkCipher
from engine.crypto.noise import HandshakeState
from engine.crypto.suite import Suite, suite_of
from engine.errors import HandshakeError, WireError
from engine.wire.cells import RECORD_BYTES
from engine.wire.network import MAIN_NETWORK

__all__ = ["LinkCert", "LinkCipher", "LinkCredentials", "LinkHandshake", "LinkKeys"]

PROLOGUE = b"peer2prompt link v1"
CERT_LABEL = b"peer2prompt link cert v1"
CERT_LIFE_S = 7 * 24 * 3_600  # a process that runs longer makes new credentials
MAX_CERT_LIFE_S = 31 * 24 * 3_600  # a certificate for longer than this is refused

_CERT = struct.Struct(f">{ED25519_PUBLIC_BYTES}s{X25519_BYTES}sQ{SIGNATURE_BYTES}s")
CERT_BYTES = _CERT.size
_LENGTH = struct.Struct(">H")
# What Noise XX adds to each payload: e; e, encrypted s, tag; encrypted s, tag.
_OVERHEAD = (32, 32 + 48 + 16, 48 + 16)
_BODY_BYTES = (1, 1 + CERT_BYTES, CERT_BYTES)


class Signer(Protocol):
    """The part of engine.identity.Identity that signing a certificate needs."""

    @property
    def public(self) -> bytes:
        """The Ed25519 public key."""

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature over `message`."""


@dataclass(frozen=True, slots=True)
class LinkCert:
    """An Ed25519 node key's statement that an X25519 key speaks for it on links, until a time."""

    ed25519_public: bytes
    static_public: bytes
    not_after: int
    signature: bytes

    @classmethod
    def issue(cls, signer: Signer, static_public: bytes, not_after: int) -> LinkCert:
        """Sign a certificate."""
        signature = signer.sign(_signed_part(static_public, not_after))
        return cls(signer.public, static_public, not_after, signature)

    def encode(self) -> bytes:
        """136 bytes: ed25519_pub || static || not_after u64 || signature."""
        return _CERT.pack(self.ed25519_public, self.static_public, self.not_after, self.signature)

    @classmethod
    def decode(cls, data: bytes) -> LinkCert:
        """Parse the exact bytes of a certificate; `verify` is a separate step."""
        if len(data) != CERT_BYTES:
            raise WireError("a link certificate has the wrong length")
        cert = cls(*_CERT.unpack(data))
        if not is_canonical_x25519(cert.static_public):
            raise WireError("a link certificate holds a key that is not canonical")
        return cert

    def verify(self, static_public: bytes, now: int) -> bytes:
        """Check signature, key and expiry; returns the NodeID. Raises HandshakeError."""
        if self.static_public != static_public:
            raise HandshakeError("a link certificate is for another key")
        if not now < self.not_after <= now + MAX_CERT_LIFE_S:
            raise HandshakeError("a link certificate has expired or lasts too long")
        message = _signed_part(self.static_public, self.not_after)
        if not verify_signature(self.ed25519_public, self.signature, message):
            raise HandshakeError("a link certificate's signature is wrong")
        return node_id_of(self.ed25519_public)


def _signed_part(static_public: bytes, not_after: int) -> bytes:
    return CERT_LABEL + static_public + struct.pack(">Q", not_after)


@dataclass(frozen=True, slots=True)
class LinkCredentials:
    """A static key for links, the certificate that names its node, and the node's network."""

    static_private: bytes = field(repr=False)
    static_public: bytes
    cert: LinkCert
    network: bytes = MAIN_NETWORK

    @classmethod
    def fresh(cls, signer: Signer, *, now: int, life_s: int = CERT_LIFE_S) -> LinkCredentials:
        """A new static key, certified for `life_s` seconds."""
        return cls.of(signer, x25519_generate(), not_after=now + life_s)

    @classmethod
    def of(
        cls,
        signer: Signer,
        static_private: bytes,
        *,
        not_after: int,
        network: bytes = MAIN_NETWORK,
    ) -> LinkCredentials:
        """Credentials for a given static key."""
        public = x25519_public(static_private)
        return cls(static_private, public, LinkCert.issue(signer, public, not_after), network)


@dataclass(frozen=True, slots=True)
class LinkKeys:
    """The result of a link handshake."""

    send: LinkCipher
    recv: LinkCipher
    peer_node_id: bytes
    peer_ed25519: bytes
    suite: Suite
    handshake_hash: bytes


class LinkHandshake:
    """One side of the handshake. The initiator writes first; each side then takes turns."""

    def __init__(
        self,
        credentials: LinkCredentials,
        *,
        initiator: bool,
        suite: int | None,
        expected_node_id: bytes | None,
        now: int,
        ephemeral: bytes | None = None,
    ) -> None:
        self._noise = HandshakeState(
            "XX",
            initiator=initiator,
            prologue=PROLOGUE + credentials.network,
            static=credentials.static_private,
            ephemeral=ephemeral,
        )
        self._credentials = credentials
        self._initiator = initiator
        self._suite = None if suite is None else suite_of(suite)
        self._expected = expected_node_id
        self._now = now
        self._step = 0
        self._failed = False
        self._peer: LinkCert | None = None

    @classmethod
    def initiator(
        cls,
        credentials: LinkCredentials,
        suite: int,
        expected_node_id: bytes | None,
        *,
        now: int,
    ) -> LinkHandshake:
        """The dialling side. With `expected_node_id` anybody else is refused before we say who we
        are; without it any certified node is accepted."""
        if expected_node_id is not None and len(expected_node_id) != NODE_ID_BYTES:
            raise ValueError("a NodeID is 32 bytes long")
        return cls(
            credentials, initiator=True, suite=suite, expected_node_id=expected_node_id, now=now
        )

    @classmethod
    def responder(cls, credentials: LinkCredentials, *, now: int) -> LinkHandshake:
        """The listening side; it takes whichever suite the initiator proposes."""
        return cls(credentials, initiator=False, suite=None, expected_node_id=None, now=now)

    @property
    def done(self) -> bool:
        """True when all three messages have passed and every check held."""
        return self._noise.done and not self._failed

    def write_message(self) -> bytes:
        """Our next record (2,048 bytes)."""
        if self._failed or not self._noise.my_turn:
            raise HandshakeError("this handshake has nothing to send")
        body = b"" if self._step == 2 else bytes([self._suite or 0])
        if self._step > 0:
            body += self._credentials.cert.encode()
        room = RECORD_BYTES - _OVERHEAD[self._step]
        payload = (_LENGTH.pack(len(body)) + body).ljust(room, b"\0")
        self._step += 1
        return self._noise.write_message(payload)

    def read_message(self, record: bytes) -> None:
        """Take the peer's next record. Raises HandshakeError when anything about it is wrong; the
        handshake is then over for good."""
        if self._failed:
            raise HandshakeError("this handshake has failed")
        self._failed = True  # until every check below has passed
        if len(record) != RECORD_BYTES:
            raise HandshakeError("a handshake record has the wrong length")
        step = self._step
        body = _unpad(self._noise.read_message(bytes(record)), step)
        if step < 2:
            self._check_suite(body[0])
        if step > 0:
            self._check_cert(body[-CERT_BYTES:])
        self._step += 1
        self._failed = False

    def _check_suite(self, value: int) -> None:
        suite = suite_of(value)
        if self._initiator and suite is not self._suite:
            raise HandshakeError("a neighbour answered with another cipher suite")
        self._suite = suite

    def _check_cert(self, data: bytes) -> None:
        try:
            cert = LinkCert.decode(data)
        except WireError as error:
            raise HandshakeError(error.message) from error
        node_id = cert.verify(self._noise.rs or b"", self._now)
        if cert.static_public == self._credentials.static_public:
            raise HandshakeError("a link leads back to this node itself")
        if self._expected is not None and node_id != self._expected:
            raise HandshakeError("a neighbour is not the node it should be")
        self._peer = cert

    def result(self) -> LinkKeys:
        """The link's keys, once `done`. Call it once: both ciphers start at record zero."""
        if not self.done or self._peer is None or self._suite is None:
            raise HandshakeError("the link handshake is not finished")
        to_responder, to_initiator = self._noise.transport_keys()
        send, recv = (
            (to_responder, to_initiator) if self._initiator else (to_initiator, to_responder)
        )
        self._failed = True  # a second result would use the same nonces again
        self._noise.erase()
        return LinkKeys(
            send=LinkCipher(self._suite, send),
            recv=LinkCipher(self._suite, recv),
            peer_node_id=node_id_of(self._peer.ed25519_public),
            peer_ed25519=self._peer.ed25519_public,
            suite=self._suite,
            handshake_hash=self._noise.handshake_hash,
        )


def _unpad(payload: bytes, step: int) -> bytes:
    """The body of a padded payload: exact length for its step, zeros behind it."""
    (size,) = _LENGTH.unpack_from(payload)
    if size != _BODY_BYTES[step] or any(payload[_LENGTH.size + size :]):
        raise HandshakeError("a handshake payload is malformed")
    return payload[_LENGTH.size : _LENGTH.size + size]
