"""A second, slow implementation of the onion layers, written from docs/protocol.md alone.

One-shot primitives, no batches, no state but what the text names. Tests hold the engine's fast code
against it, so that an optimisation cannot silently change the protocol.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

FORWARD, TERMINAL, BACKWARD = 0, 1, 2


def expand(key: bytes, label: bytes) -> bytes:
    """HKDF-Expand to 32 bytes, as RFC 5869 defines it for one block."""
    return hmac.new(key, label + b"\x01", hashlib.sha256).digest()


def generation_keys(chain: bytes, n: int) -> tuple[bytes, bytes]:
    """(aead_key, aux_key) for cell n of a chain."""
    for _ in range(n // 1024):
        chain = expand(chain, b"ratchet")
    return expand(chain, b"cell aead"), expand(chain, b"cell aux")


def nonce(role: int, n: int) -> bytes:
    return role.to_bytes(4, "big") + n.to_bytes(8, "big")


def aead(suite: int, key: bytes) -> AESGCM | ChaCha20Poly1305:
    return AESGCM(key) if suite == 1 else ChaCha20Poly1305(key)


def keystream(suite: int, key: bytes, role: int, n: int, size: int) -> bytes:
    """The AEAD's keystream: what it would encrypt zeros to, without the tag."""
    return aead(suite, key).encrypt(nonce(role, n), bytes(size), None)[:size]


def filler(suite: int, aux_key: bytes, n: int) -> bytes:
    if suite == 1:
        block = bytes(8) + n.to_bytes(8, "big")
        return Cipher(algorithms.AES256(aux_key), modes.ECB()).encryptor().update(block)
    full_nonce = (0).to_bytes(4, "little") + bytes(4) + n.to_bytes(8, "big")
    return Cipher(algorithms.ChaCha20(aux_key, full_nonce), None).encryptor().update(bytes(16))


def xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def seal_forward(
    hops: list[tuple[int, bytes]], counters: list[int], region: bytes, noise: bytes
) -> list[bytes]:
    """The bodies that hops 1 to k receive. `hops` is (suite, forward chain key); `noise` the random
    bytes of a path shorter than four hops."""
    keys = [generation_keys(chain, n) for (_suite, chain), n in zip(hops, counters, strict=True)]
    k = len(hops)
    heads = [b""]
    for i in range(k - 1):
        suite, n = hops[i][0], counters[i]
        head = heads[i]
        stream = keystream(suite, keys[i][0], FORWARD, n, len(head))
        heads.append(filler(suite, keys[i][1], n) + xor(head, stream))
    last = heads[-1]
    stream = keystream(hops[-1][0], keys[-1][0], TERMINAL, counters[-1], len(last))
    plain = xor(last, stream) + noise + region.ljust(1960, b"\0")
    bodies: list[bytes] = []
    role = TERMINAL
    for i in range(k - 1, -1, -1):
        body = aead(hops[i][0], keys[i][0]).encrypt(nonce(role, counters[i]), plain, None)
        bodies.insert(0, body)
        plain = body[16:]
        role = FORWARD
    return bodies


def stream_layer(suite: int, aux_key: bytes, skip: int, body: bytes) -> bytes:
    """XOR with bytes skip to skip + 2023 of a generation's backward stream."""
    if suite == 1:
        encryptor = Cipher(algorithms.AES256(aux_key), modes.CTR(bytes(16))).encryptor()
    else:
        encryptor = Cipher(algorithms.ChaCha20(aux_key, bytes(16)), None).encryptor()
    encryptor.update(bytes(skip))
    return encryptor.update(body)


def seal_backward(suite: int, chain: bytes, n: int, region: bytes) -> bytes:
    """The body that the last hop sends as its backward cell n."""
    key, _aux = generation_keys(chain, n)
    plain = region.ljust(1960, b"\0") + bytes(48)
    return aead(suite, key).encrypt(nonce(BACKWARD, n), plain, None)
