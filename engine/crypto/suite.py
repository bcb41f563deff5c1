"""The two cipher suites and the primitives the layers and links take from each.

Suite 1 is AES-256-GCM with AES-256-CTR, suite 2 ChaCha20-Poly1305 with ChaCha20. Both give the same
sizes. The functions here return bound methods of OpenSSL objects, because an attribute look-up per
cell is a measurable part of a relay's work.
"""

from __future__ import annotations

import enum
import platform
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from engine.errors import HandshakeError

TAG_BYTES = 16
NONCE_BYTES = 12
_ZERO_IV = bytes(16)

Aead = AESGCM | ChaCha20Poly1305


class Suite(enum.IntEnum):
    """The suite byte of a handshake."""

    AES_256_GCM = 1
    CHACHA20_POLY1305 = 2


def suite_of(value: int) -> Suite:
    """The suite a peer named; raises HandshakeError for one we do not speak."""
    try:
        return Suite(value)
    except ValueError as error:
        raise HandshakeError("a peer asked for a cipher suite this version does not know") from (
            error
        )


@cache
def default_suite() -> Suite:
    """AES where the processor has instructions for it, ChaCha20 elsewhere."""
    return Suite.AES_256_GCM if _has_aes_instructions() else Suite.CHACHA20_POLY1305


def _has_aes_instructions() -> bool:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:  # not Linux: every Apple processor and 64-bit PC of the last decade has them
        return platform.machine().lower() in {"arm64", "aarch64", "x86_64", "amd64"}
    flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return "aes" in flags.lower().split()


def new_aead(suite: Suite, key: bytes) -> Aead:
    """The suite's AEAD under a 32-byte key."""
    if suite is Suite.AES_256_GCM:
        return AESGCM(key)
    return ChaCha20Poly1305(key)


def new_stream(suite: Suite, key: bytes) -> Cipher[modes.CTR] | Cipher[None]:
    """The suite's stream cipher under a key that is used for this one stream (IV zero)."""
    if suite is Suite.AES_256_GCM:
        return Cipher(algorithms.AES256(key), modes.CTR(_ZERO_IV))
    return Cipher(algorithms.ChaCha20(key, _ZERO_IV), None)
