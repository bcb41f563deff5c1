"""The hop handshake: X25519 twice and an ephemeral ML-KEM-768, bound to the hop's identity.

Telescoped, one-way authenticated (the hop proves that it holds the onion key of its advert; the
client stays anonymous). Two messages: CREATE and CREATED. Names follow docs/protocol.md: B and b
are the onion key, X and x the client's ephemeral, Y and y the hop's, ek and ct ML-KEM's.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey

from engine.crypto.kdf import constant_time_equal, hkdf_expand, hkdf_extract, sha256
from engine.crypto.keys import (
    NODE_ID_BYTES,
    X25519_BYTES,
    is_canonical_x25519,
    x25519,
    x25519_generate,
    x25519_public,
)
from engine.crypto.replay import HandshakeReplayCache
from engine.crypto.suite import Suite, suite_of
from engine.crypto.work import NONCE_BYTES
from engine.errors import HandshakeError

KEM_PUBLIC_BYTES = 1_184
KEM_CIPHERTEXT_BYTES = 1_088
AUTH_BYTES = 32
WORK_SEED_BYTES = 16

_CREATE = struct.Struct(
    f">B{NODE_ID_BYTES}s{X25519_BYTES}s{X25519_BYTES}s{KEM_PUBLIC_BYTES}s"
    f"{WORK_SEED_BYTES}s{NONCE_BYTES}s"
)
_CREATED = struct.Struct(f">{X25519_BYTES}s{KEM_CIPHERTEXT_BYTES}s{AUTH_BYTES}s")
CREATE_BYTES = _CREATE.size
CREATED_BYTES = _CREATED.size

PROTOCOL_LABEL = b"peer2prompt hop v1"
WORK_LABEL = b"peer2prompt create work v1"
_NO_WORK = (bytes(WORK_SEED_BYTES), bytes(NONCE_BYTES))
_AUTH_LABEL = b"auth server"
_FORWARD_LABEL = b"forward"
_BACKWARD_LABEL = b"backward"
_TAG_LABEL = b"circuit tag"


@dataclass(frozen=True, slots=True)
class HopKeys:
    """What both ends hold after the handshake: a chain key per direction and the circuit's name."""

    suite: Suite
    forward: bytes = field(repr=False)
    backward: bytes = field(repr=False)
    circuit_tag: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Transcript:
    """Everything public that the handshake binds its keys to."""

    suite: Suite
    node_id: bytes
    onion_public: bytes  # B
    client_public: bytes  # X
    server_public: bytes  # Y
    kem_public: bytes  # ek
    kem_ciphertext: bytes  # ct

    def digest(self) -> bytes:
        """H(transcript): every field has a fixed length, so the concatenation is injective."""
        return sha256(
            PROTOCOL_LABEL,
            bytes([self.suite]),
            self.node_id,
            self.onion_public,
            self.client_public,
            self.server_public,
            self.kem_public,
            self.kem_ciphertext,
        )


def derive(
    transcript: Transcript, xy: bytes, xb: bytes, kem_secret: bytes
) -> tuple[HopKeys, bytes]:
    """(keys, auth) from the transcript and the three shared secrets."""
    prk = hkdf_extract(transcript.digest(), xy + xb + kem_secret)
    keys = HopKeys(
        suite=transcript.suite,
        forward=hkdf_expand(prk, _FORWARD_LABEL),
        backward=hkdf_expand(prk, _BACKWARD_LABEL),
        circuit_tag=hkdf_expand(prk, _TAG_LABEL),
    )
    return keys, hkdf_expand(prk, _AUTH_LABEL)


class ClientHopState:
    """The client between CREATE and CREATED: holds the ephemeral keys until `finish`."""

    __slots__ = ("_kem", "_node_id", "_onion_public", "_suite", "_x")

    def __init__(
        self, suite: Suite, node_id: bytes, onion_public: bytes, x: bytes, kem: MLKEM768PrivateKey
    ) -> None:
        self._suite = suite
        self._node_id = node_id
        self._onion_public = onion_public
        self._x: bytes | None = x
        self._kem: MLKEM768PrivateKey | None = kem

    def create_payload(self, seed: bytes = _NO_WORK[0], nonce: bytes = _NO_WORK[1]) -> bytes:
        """The CREATE payload for these ephemerals, with the work that was done for `seed`."""
        if self._x is None or self._kem is None:
            raise HandshakeError("this handshake is over")
        return _CREATE.pack(
            self._suite,
            self._node_id,
            self._onion_public,
            x25519_public(self._x),
            self._kem.public_key().public_bytes_raw(),
            seed,
            nonce,
        )

    def work_challenge(self, seed: bytes) -> bytes:
        """What the work is done over when the hop asks for it with `seed`."""
        if self._x is None:
            raise HandshakeError("this handshake is over")
        return work_challenge(self._node_id, self._onion_public, x25519_public(self._x), seed)

    def finish(self, created: bytes) -> HopKeys:
        """Check the hop's answer and derive the keys; the ephemerals are dropped either way.

        Raises HandshakeError when the answer does not prove the identity and onion key asked for.
        """
        x, kem = self._x, self._kem
        self._x = self._kem = None
        if x is None or kem is None:
            raise HandshakeError("this handshake is over")
        if len(created) != CREATED_BYTES:
            raise HandshakeError("a hop's answer has the wrong length")
        server_public, ciphertext, auth = _CREATED.unpack(created)
        transcript = Transcript(
            suite=self._suite,
            node_id=self._node_id,
            onion_public=self._onion_public,
            client_public=x25519_public(x),
            server_public=server_public,
            kem_public=kem.public_key().public_bytes_raw(),
            kem_ciphertext=ciphertext,
        )
        keys, expected = derive(
            transcript,
            x25519(x, server_public),
            x25519(x, self._onion_public),
            kem.decapsulate(ciphertext),
        )
        if not constant_time_equal(auth, expected):
            raise HandshakeError("a hop did not prove that it is who it should be")
        return keys


class ClientHop:
    """The client's side of the handshake."""

    @staticmethod
    def start(suite: int, node_id: bytes, onion_public: bytes) -> tuple[ClientHopState, bytes]:
        """Begin a handshake with the hop; returns the state to `finish` and the CREATE payload."""
        state = start_with(
            suite, node_id, onion_public, x25519_generate(), MLKEM768PrivateKey.generate()
        )
        return state, state.create_payload()


def start_with(
    suite: int, node_id: bytes, onion_public: bytes, x: bytes, kem: MLKEM768PrivateKey
) -> ClientHopState:
    """`ClientHop.start` without randomness: the ephemeral keys are given."""
    if len(node_id) != NODE_ID_BYTES or not is_canonical_x25519(onion_public):
        raise HandshakeError("the next hop's identity or onion key is malformed")
    return ClientHopState(suite_of(suite), bytes(node_id), bytes(onion_public), x, kem)


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """A parsed CREATE payload."""

    suite: Suite
    node_id: bytes
    onion_public: bytes
    client_public: bytes
    kem_public: bytes
    seed: bytes
    nonce: bytes

    @classmethod
    def parse(cls, payload: bytes) -> CreateRequest:
        """Split a CREATE payload. Raises HandshakeError when it is malformed."""
        if len(payload) != CREATE_BYTES:
            raise HandshakeError("a handshake has the wrong length")
        suite, *fields = _CREATE.unpack(payload)
        return cls(suite_of(suite), *fields)

    def work_challenge(self) -> bytes:
        """What the nonce must solve: bound to hop, key, ephemeral and the hop's seed."""
        return work_challenge(self.node_id, self.onion_public, self.client_public, self.seed)


def work_challenge(node_id: bytes, onion_public: bytes, client_public: bytes, seed: bytes) -> bytes:
    """The challenge of engine.crypto.work that one CREATE pays for itself with."""
    return WORK_LABEL + node_id + onion_public + client_public + seed


def server_hop(
    payload: bytes,
    node_id: bytes,
    onion_keys: Mapping[bytes, bytes],
    cache: HandshakeReplayCache,
) -> tuple[bytes, HopKeys]:
    """Answer a CREATE: returns the CREATED payload and the keys.

    `onion_keys` maps the public onion keys in service to their private keys. Raises HandshakeError
    for another node's identity, a key not in service, a malformed or small-order point, a malformed
    ML-KEM key, or a replay.
    """
    return answer_create(CreateRequest.parse(payload), node_id, onion_keys, cache)


def answer_create(
    request: CreateRequest,
    node_id: bytes,
    onion_keys: Mapping[bytes, bytes],
    cache: HandshakeReplayCache,
) -> tuple[bytes, HopKeys]:
    """`server_hop` for a payload that is parsed already."""
    b = onion_keys.get(request.onion_public)
    if request.node_id != node_id or b is None:
        raise HandshakeError("a handshake was meant for another node or an old onion key")
    cache.check(request.onion_public, request.client_public)
    kem_secret, ciphertext = _encapsulate(request.kem_public)
    created, keys = server_respond(request, b, x25519_generate(), kem_secret, ciphertext)
    cache.remember(request.onion_public, request.client_public)
    return created, keys


def _encapsulate(kem_public: bytes) -> tuple[bytes, bytes]:
    try:
        return MLKEM768PublicKey.from_public_bytes(kem_public).encapsulate()
    except ValueError as error:
        raise HandshakeError("a handshake carries a malformed ML-KEM key") from error


def server_respond(
    request: CreateRequest, b: bytes, y: bytes, kem_secret: bytes, ciphertext: bytes
) -> tuple[bytes, HopKeys]:
    """`server_hop` without randomness and without checks of identity or replay."""
    server_public = x25519_public(y)
    transcript = Transcript(
        suite=request.suite,
        node_id=request.node_id,
        onion_public=request.onion_public,
        client_public=request.client_public,
        server_public=server_public,
        kem_public=request.kem_public,
        kem_ciphertext=ciphertext,
    )
    keys, auth = derive(
        transcript,
        x25519(y, request.client_public),
        x25519(b, request.client_public),
        kem_secret,
    )
    return _CREATED.pack(server_public, ciphertext, auth), keys
