"""The policy document: what a ghost does with questions beside answering them, for all to compare.

    policy = deterministic CBOR {v, retention, refused, moderation, params, images, tools, user,
                                 jurisdiction, provider}
    hash   = SHA-256("peer2prompt policy v2" || policy), in each quote

The ghost's own word, signed through its sheet and its quotes; nothing here can be enforced from
outside. A policy that says nothing is the strictest and shortest one. Format: docs/protocol.md,
"Policies". Pure.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import ClassVar

from engine.errors import WireError
from engine.wire import cbor
from engine.wire.cbor import Value
from engine.wire.schema import Kind, dump, flag, many, take, text, uint

LABEL = b"peer2prompt policy v2"
MAX_POLICY_BYTES = 2048
MAX_WORD = 32
MAX_CATEGORIES = 32
MAX_PARAMS = 48
RETENTIONS = ("none",)
MODERATIONS = ("none", "rules", "command", "provider")
"""Who reads a question before it is answered: nobody, patterns on the ghost, a program of the
operator's, or the moderation service of an AI provider (which then sees every question twice)."""
MIXED = "mixed"
"""The `provider` of a ghost whose models come from several kinds."""
_WORD = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_PLACE = re.compile(r"[A-Z]{2}(?:-[A-Z0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class GhostPolicy:
    """What a ghost says it does. `refused` and `params` are sorted, each name once."""

    VERSION: ClassVar[int] = 2

    retention: str = "none"
    refused: tuple[str, ...] = ()
    """Categories of questions that are not answered."""
    moderation: str = "none"
    params: tuple[str, ...] = ()
    """Options of a question that are passed on to the provider; all others are refused."""
    images: bool = False
    tools: bool = False
    user: bool = False
    """Whether the provider is told a value for the end user: a random one for each session."""
    jurisdiction: str = ""
    """ISO 3166 code of a country (US) or a part of it (US-CA) by whose law it says it goes."""
    provider: str = ""
    """The kind of wire format behind it (openai, anthropic, llama-cpp, ...), or "mixed"."""

    def encode(self) -> bytes:
        """The canonical bytes. Raises WireError when they would not decode."""
        fields = dump(self)
        raw = cbor.encode({"v": self.VERSION, **fields})  # type: ignore[dict-item]
        self.decode(raw)
        return raw

    @classmethod
    def decode(cls, raw: bytes) -> GhostPolicy:
        """The policy in `raw`. Raises WireError."""
        if len(raw) > MAX_POLICY_BYTES:
            raise WireError("A policy document is too long.")
        fields = take(cbor.decode_map(raw), _POLICY)
        fields.pop("v")
        return cls(**fields)

    def hash(self) -> bytes:
        """What a quote says of this policy (32 bytes)."""
        return policy_hash(self.encode())


def policy_hash(raw: bytes) -> bytes:
    """The hash of an encoded policy (32 bytes)."""
    return hashlib.sha256(LABEL + raw).digest()


def is_word(name: str) -> bool:
    """Whether this can name a category or an option in a policy."""
    return len(name) <= MAX_WORD and _WORD.fullmatch(name) is not None


def is_place(code: str) -> bool:
    """Whether this has the form of an ISO 3166 code of a country or a part of one."""
    return _PLACE.fullmatch(code) is not None


def _word(value: Value) -> str:
    if not isinstance(value, str) or not is_word(value):
        raise WireError("A name in a policy is malformed.")
    return value


def _words(maximum: int) -> Kind:
    read = many(_word, maximum)

    def check(value: Value) -> tuple[str, ...]:
        names: tuple[str, ...] = read(value)
        if list(names) != sorted(set(names)):
            raise WireError("A list of names in a policy is not sorted or names one twice.")
        return names

    return check


def _one_of(allowed: tuple[str, ...]) -> Kind:
    read = text(MAX_WORD)

    def check(value: Value) -> str:
        word: str = read(value)
        if word not in allowed:
            raise WireError("A policy says something that this version does not know.")
        return word

    return check


def _place(value: Value) -> str:
    if not isinstance(value, str) or (value and not is_place(value)):
        raise WireError("The jurisdiction of a policy is malformed.")
    return value


def _provider(value: Value) -> str:
    return "" if value == "" else _word(value)


_POLICY = {
    "v": uint(GhostPolicy.VERSION, GhostPolicy.VERSION),
    "retention": _one_of(RETENTIONS),
    "refused": _words(MAX_CATEGORIES),
    "moderation": _one_of(MODERATIONS),
    "params": _words(MAX_PARAMS),
    "images": flag,
    "tools": flag,
    "user": flag,
    "jurisdiction": _place,
    "provider": _provider,
}
