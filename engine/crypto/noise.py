"""The Noise protocol framework (revision 34) with 25519 and ChaChaPoly, as sans-IO state machines.

Comments cite sections of the Noise specification. Links use XX with SHA-256 (engine.wire.link); the
other patterns and hashes are here because the public test vectors cover them and they are nearly
free. Ephemeral keys may be given for test vectors through `ephemeral`; nobody else passes one.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from engine.crypto.keys import X25519_BYTES, x25519, x25519_generate, x25519_public
from engine.errors import HandshakeError

MAX_MESSAGE_BYTES = 65_535  # section 3
MAX_NONCE = 2**64 - 1  # reserved, section 5.1
_TAG = 16
_EMPTY_KEY = b""

HASH_NAMES = {"SHA256": "sha256", "SHA512": "sha512", "BLAKE2s": "blake2s", "BLAKE2b": "blake2b"}

# Section 7: (pre-messages of initiator, of responder, message patterns).
PATTERNS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[str, ...], ...]]] = {
    "NN": ((), (), (("e",), ("e", "ee"))),
    "NK": ((), ("s",), (("e", "es"), ("e", "ee"))),
    "KK": (("s",), ("s",), (("e", "es", "ss"), ("e", "ee", "se"))),
    "IK": ((), ("s",), (("e", "es", "s", "ss"), ("e", "ee", "se"))),
    "XX": ((), (), (("e",), ("e", "ee", "s", "es"), ("s", "se"))),
}


class CipherState:
    """Section 5.1: a key and a nonce that never repeats."""

    __slots__ = ("_aead", "_nonce", "key")

    def __init__(self) -> None:
        self.key = _EMPTY_KEY
        self._aead: ChaCha20Poly1305 | None = None
        self._nonce = 0

    def initialize_key(self, key: bytes) -> None:
        """Set the key and start its nonces at zero."""
        self.key = key
        self._aead = ChaCha20Poly1305(key) if key else None
        self._nonce = 0

    @property
    def has_key(self) -> bool:
        """True once a Diffie-Hellman result has been mixed in."""
        return self._aead is not None

    def encrypt_with_ad(self, ad: bytes, plaintext: bytes) -> bytes:
        """Encrypt, or pass through while there is no key."""
        if self._aead is None:
            return plaintext
        ciphertext = self._aead.encrypt(self._next_nonce(), plaintext, ad)
        self._nonce += 1
        return ciphertext

    def decrypt_with_ad(self, ad: bytes, ciphertext: bytes) -> bytes:
        """Decrypt, or pass through while there is no key. Raises HandshakeError on a bad tag."""
        if self._aead is None:
            return ciphertext
        try:
            plaintext = self._aead.decrypt(self._next_nonce(), ciphertext, ad)
        except InvalidTag as error:
            raise HandshakeError("a handshake message did not authenticate") from error
        self._nonce += 1
        return plaintext

    def _next_nonce(self) -> bytes:
        if self._nonce >= MAX_NONCE:
            raise HandshakeError("a Noise key was used too often")
        return bytes(4) + self._nonce.to_bytes(8, "little")  # section 12.3


class SymmetricState:
    """Section 5.2: the chaining key and the handshake hash."""

    __slots__ = ("_digestmod", "chaining_key", "cipher", "handshake_hash", "hash_bytes")

    def __init__(self, protocol_name: bytes, hash_name: str) -> None:
        self._digestmod = HASH_NAMES[hash_name]
        self.hash_bytes = hashlib.new(self._digestmod).digest_size
        if len(protocol_name) <= self.hash_bytes:
            self.handshake_hash = protocol_name.ljust(self.hash_bytes, b"\0")
        else:
            self.handshake_hash = self._hash(protocol_name)
        self.chaining_key = self.handshake_hash
        self.cipher = CipherState()

    def _hash(self, data: bytes) -> bytes:
        return hashlib.new(self._digestmod, data).digest()

    def mix_hash(self, data: bytes) -> None:
        """h = H(h || data)."""
        self.handshake_hash = self._hash(self.handshake_hash + data)

    def mix_key(self, ikm: bytes) -> None:
        """Derive a new chaining key and cipher key."""
        self.chaining_key, key = self._hkdf(ikm, 2)
        self.cipher.initialize_key(key[:32])

    def mix_key_and_hash(self, ikm: bytes) -> None:
        """Mix a pre-shared key."""
        self.chaining_key, hashed, key = self._hkdf(ikm, 3)
        self.mix_hash(hashed)
        self.cipher.initialize_key(key[:32])

    def encrypt_and_hash(self, plaintext: bytes) -> bytes:
        """Encrypt with h as associated data, then mix the ciphertext into h."""
        ciphertext = self.cipher.encrypt_with_ad(self.handshake_hash, plaintext)
        self.mix_hash(ciphertext)
        return ciphertext

    def decrypt_and_hash(self, ciphertext: bytes) -> bytes:
        """The reverse of `encrypt_and_hash`."""
        plaintext = self.cipher.decrypt_with_ad(self.handshake_hash, ciphertext)
        self.mix_hash(ciphertext)
        return plaintext

    def split(self) -> tuple[bytes, bytes]:
        """The two transport keys: initiator to responder, responder to initiator."""
        first, second = self._hkdf(b"", 2)
        return first[:32], second[:32]

    def _hkdf(self, ikm: bytes, outputs: int) -> list[bytes]:
        """Section 4.3."""
        temp = hmac.digest(self.chaining_key, ikm, self._digestmod)
        result: list[bytes] = []
        block = b""
        for index in range(1, outputs + 1):
            block = hmac.digest(temp, block + bytes([index]), self._digestmod)
            result.append(block)
        return result


def parse_pattern(name: str) -> tuple[tuple[str, ...], tuple[str, ...], list[list[str]]]:
    """Resolve "XX" or "XXpsk3" into pre-messages and message patterns (section 9)."""
    base = name.split("psk", 1)[0]
    initiator_pre, responder_pre, messages = PATTERNS[base]
    patterns = [list(message) for message in messages]
    if "psk" in name:
        place = int(name.split("psk", 1)[1])
        if place == 0:
            patterns[0].insert(0, "psk")
        else:
            patterns[place - 1].append("psk")
    return initiator_pre, responder_pre, patterns


class HandshakeState:
    """Section 5.3: one party's half of a handshake."""

    def __init__(
        self,
        pattern: str,
        *,
        initiator: bool,
        hash_name: str = "SHA256",
        prologue: bytes = b"",
        static: bytes | None = None,
        remote_static: bytes | None = None,
        psk: bytes | None = None,
        ephemeral: bytes | None = None,
    ) -> None:
        initiator_pre, responder_pre, self._patterns = parse_pattern(pattern)
        name = f"Noise_{pattern}_25519_ChaChaPoly_{hash_name}".encode()
        self.symmetric = SymmetricState(name, hash_name)
        self.symmetric.mix_hash(prologue)
        self._initiator = initiator
        self._s = static
        self._e: bytes | None = None
        self._fixed_ephemeral = ephemeral
        self.rs = remote_static
        self._re: bytes | None = None
        self._psk = psk
        self._has_psk = "psk" in pattern
        self._step = 0
        self._keys: tuple[bytes, bytes] | None = None
        for pre, is_initiator in ((initiator_pre, True), (responder_pre, False)):
            if pre:
                self.symmetric.mix_hash(self._pre_static(is_initiator))

    def _pre_static(self, of_initiator: bool) -> bytes:
        key = x25519_public(self._static()) if of_initiator == self._initiator else self.rs
        if key is None:
            raise ValueError("this Noise pattern needs the peer's static key")
        return key

    def _static(self) -> bytes:
        if self._s is None:
            raise ValueError("this Noise pattern needs a static key")
        return self._s

    @property
    def done(self) -> bool:
        """True when every message of the pattern has passed."""
        return self._step == len(self._patterns)

    @property
    def my_turn(self) -> bool:
        """True when the next message is ours to write."""
        return not self.done and (self._step % 2 == 0) == self._initiator

    @property
    def handshake_hash(self) -> bytes:
        """Names the finished handshake (channel binding, section 11.2)."""
        return self.symmetric.handshake_hash

    def transport_keys(self) -> tuple[bytes, bytes]:
        """(initiator to responder, responder to initiator), once done."""
        if self._keys is None:
            raise ValueError("the handshake is not finished, or its keys are erased")
        return self._keys

    def erase(self) -> None:
        """Forget every secret: whoever keeps this object must not keep a link's first keys."""
        self._keys = self._e = self._s = self._psk = None
        self.symmetric.chaining_key = b""
        self.symmetric.cipher.initialize_key(b"")

    def write_message(self, payload: bytes) -> bytes:
        """The next message with `payload` inside."""
        if not self.my_turn:
            raise ValueError("it is not our turn to write")
        out = bytearray()
        for token in self._patterns[self._step]:
            if token == "e":
                out += self._write_ephemeral()
            elif token == "s":
                out += self.symmetric.encrypt_and_hash(x25519_public(self._static()))
            else:
                self._mix_token(token)
        out += self.symmetric.encrypt_and_hash(payload)
        self._advance()
        if len(out) > MAX_MESSAGE_BYTES:
            raise ValueError("a Noise message is at most 65535 bytes")
        return bytes(out)

    def _write_ephemeral(self) -> bytes:
        self._e = self._fixed_ephemeral or x25519_generate()
        public = x25519_public(self._e)
        self._mix_ephemeral(public)
        return public

    def _mix_ephemeral(self, public: bytes) -> None:
        self.symmetric.mix_hash(public)
        if self._has_psk:  # section 9.2
            self.symmetric.mix_key(public)

    def read_message(self, message: bytes) -> bytes:
        """The payload of the peer's next message. Raises HandshakeError when it does not fit."""
        if self.done or self.my_turn:
            raise HandshakeError("a handshake message came out of turn")
        if len(message) > MAX_MESSAGE_BYTES:
            raise HandshakeError("a handshake message is too long")
        offset = 0
        for token in self._patterns[self._step]:
            if token == "e":
                self._re, offset = _take(message, offset, X25519_BYTES)
                self._mix_ephemeral(self._re)
            elif token == "s":
                size = X25519_BYTES + (_TAG if self.symmetric.cipher.has_key else 0)
                part, offset = _take(message, offset, size)
                self.rs = self.symmetric.decrypt_and_hash(part)
            else:
                self._mix_token(token)
        payload = self.symmetric.decrypt_and_hash(message[offset:])
        self._advance()
        return payload

    def _mix_token(self, token: str) -> None:
        if token == "psk":
            if self._psk is None:
                raise ValueError("this Noise pattern needs a pre-shared key")
            self.symmetric.mix_key_and_hash(self._psk)
            return
        # The first letter names the initiator's key, the second the responder's.
        mine, theirs = (token[0], token[1]) if self._initiator else (token[1], token[0])
        private = self._e if mine == "e" else self._static()
        public = self._re if theirs == "e" else self.rs
        if private is None or public is None:
            raise HandshakeError("a handshake needs a key that has not been sent")
        self.symmetric.mix_key(x25519(private, public))

    def _advance(self) -> None:
        self._step += 1
        if self._step == len(self._patterns):
            self._keys = self.symmetric.split()
            self._e = self._s = self._psk = None


def _take(message: bytes, offset: int, size: int) -> tuple[bytes, int]:
    part = message[offset : offset + size]
    if len(part) != size:
        raise HandshakeError("a handshake message is too short")
    return part, offset + size
