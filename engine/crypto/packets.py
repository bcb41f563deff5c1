"""The cryptography of the packet plane: one-time slots, relay layers, sealed reply packets.

Everything is derived from seeds and used once. One cipher (ChaCha20, RFC 8439) for all, so that no
reply can be told from another by a suite. Pure functions. Format and argument: docs/protocol.md,
"Packets".
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from engine.crypto.kdf import hkdf_expand, sha256
from engine.errors import LayerError

SEED_BYTES = 32
HANDLE_BYTES = 16
KEY_BYTES = 32
RANK_BYTES = 8
PACKET_BYTES = 2_008  # a cell body without the handle
TAG_BYTES = 16
PACKET_PLAIN_BYTES = PACKET_BYTES - TAG_BYTES

HANDLE_LABEL = b"peer2prompt slot handles v1"
KEY_LABEL = b"peer2prompt slot keys v1"
PACKET_LABEL = b"peer2prompt reply packet v1"
ORDER_LABEL = b"peer2prompt slot order v1"
OWNER_LABEL = b"peer2prompt slot owner v1"

_ZERO_NONCE = bytes(12)
_ZERO_IV = bytes(16)


def slot_handles(handle_seed: bytes, cells: int) -> list[bytes]:
    """The handles of a batch's slots: who has the seed of the handles can use the slots."""
    return _expand(handle_seed, HANDLE_LABEL, cells, HANDLE_BYTES)


def slot_keys(key_seed: bytes, cells: int) -> list[bytes]:
    """The one-time keys of a batch: known to the client, and to the relay until each is used."""
    return _expand(key_seed, KEY_LABEL, cells, KEY_BYTES)


def slot_order(key_seed: bytes, cells: int) -> list[int]:
    """The places at the next relay that places 0, 1, ... of a batch lead to: a permutation known
    to the client and the relay, so that which slots were used says nothing one relay further."""
    ranks = _expand(key_seed, ORDER_LABEL, cells, RANK_BYTES)
    return sorted(range(cells), key=ranks.__getitem__)


def _expand(seed: bytes, label: bytes, count: int, size: int) -> list[bytes]:
    """`count` strings of `size` bytes from one keystream: a large batch must not stop a relay."""
    stream = _keystream(hkdf_expand(seed, label)).update(bytes(count * size))
    return [stream[at : at + size] for at in range(0, count * size, size)]


def _keystream(key: bytes) -> CipherContext:
    return Cipher(algorithms.ChaCha20(key, _ZERO_IV), None).encryptor()


def owner_tag(owner: bytes) -> bytes:
    """What a relay keeps instead of the secret that names a batch or box. Looking tags up leaks
    nothing about the secret, whatever the look-up's timing."""
    return sha256(OWNER_LABEL, owner)


def layer(key: bytes, payload: bytes | bytearray | memoryview) -> bytes:
    """`payload` XOR the first bytes of ChaCha20 under a key that is used for this packet only.
    Adding and taking off are the same."""
    return _keystream(key).update(payload)


def seal_packet(block_key: bytes, place: int, plain: bytes) -> bytes:
    """A packet's payload as the ghost makes it: 1,992 bytes in, 2,008 out.

    A place of one block is sealed once only: the nonce is constant.
    """
    if len(plain) != PACKET_PLAIN_BYTES:
        raise ValueError("a packet's plaintext is 1992 bytes long")
    return _cipher(block_key, place).encrypt(_ZERO_NONCE, plain, None)


def open_packet(block_key: bytes, place: int, payload: bytes) -> bytes:
    """The plaintext of a payload that all relay layers were taken off. Raises LayerError."""
    try:
        return _cipher(block_key, place).decrypt(_ZERO_NONCE, payload, None)
    except InvalidTag as error:
        raise LayerError("a reply packet was changed on its way") from error


def _cipher(block_key: bytes, place: int) -> ChaCha20Poly1305:
    key = hkdf_expand(block_key, PACKET_LABEL + place.to_bytes(2, "big"))
    return ChaCha20Poly1305(key)
