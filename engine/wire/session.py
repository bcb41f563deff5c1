"""Messages of a session between a client and a ghost, over the bytes of one circuit stream.

    frame   = u32 length (big-endian) || deterministic CBOR map; the key "t" names the type
    client  : hello  pay  ask  mail  cancel  resume  sign  settle  bye
    ghost   : quote  paid  started  delta  need  done  settled  error

One dataclass per message; the attribute names are the keys on the wire. Amounts are msat unless
the name says sat. Fields that hold a prompt, an answer or a payment are kept out of every repr.
Unknown types, unknown or missing keys and non-canonical bytes raise WireError. Pure.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from engine.wire import messages
from engine.wire.messages import Catalogue
from engine.wire.quote import MAX_MODEL_NAME, MAX_QUOTE_BYTES, MAX_URL
from engine.wire.receipt import MAX_RECEIPT_BYTES
from engine.wire.schema import Fields, blob, flag, many, octets, record, text, uint

VERSION = 2
MAX_MESSAGE = 1 << 20
"""One mebibyte: a 200,000-token prompt fits, and a peer cannot make us hold more than this."""
MAX_BODY = 1_000_000
MAX_DELTA = 64 * 1024
MAX_PROOFS = 256
MAX_OUTPUTS = 64
"""Change and refunds are powers of two below 2^64, so 64 blanks hold any amount."""
MAX_SECRET = 1024
MAX_WORDS = 400
MAX_BLOCKS = 3
MAX_BLOCK_BYTES = 512
HELLO_LABEL = b"peer2prompt session hello v1"
HASH_LABEL = b"peer2prompt session hash v1"
KEYSET_SIZES = (8, 33)


@dataclass(frozen=True, slots=True)
class WireProof:
    """One ecash proof: amount, keyset id, secret, C."""

    a: int = field(repr=False)
    id: bytes = field(repr=False)
    s: str = field(repr=False)
    c: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class WireSignature:
    """One blind signature with its DLEQ proof: amount, keyset id, C_, e, s."""

    a: int = field(repr=False)
    id: bytes = field(repr=False)
    c: bytes = field(repr=False)
    e: bytes = field(repr=False)
    s: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Hello:
    """Opens or (resume) re-opens a session; proves the session key on this very circuit."""

    v: int
    session: bytes = field(repr=False)
    key: bytes = field(repr=False)
    resume: bool
    sig: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pay:
    """Ecash worth `sat` for the ghost; what the proofs hold above it comes back in `outs`."""

    n: int
    mint: str
    sat: int
    id: bytes = field(repr=False)
    proofs: tuple[WireProof, ...] = field(repr=False)
    outs: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ask:
    """A question: `body` is the JSON of an OpenAI chat request without `model` and `stream`.
    `quote` is the id of the quote whose terms hold for it; b"" means the one sent last."""

    q: int
    model: str
    body: bytes = field(repr=False)
    quote: bytes = b""


@dataclass(frozen=True, slots=True)
class Mail:
    """Where answer `q` may be sent when its client is away: one to three reply blocks. A later
    message with other blocks takes the place of an earlier one."""

    q: int
    blocks: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Cancel:
    q: int


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on with answer `q` after its first `have` bytes."""

    q: int
    have: int


@dataclass(frozen=True, slots=True)
class Sign:
    """Countersignature of receipt `n`."""

    n: int
    sig: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Settle:
    """Asks for `sat` of the unspent credit back, into these blank outputs. The same message sent
    again after a cut gets the same answer, whatever the credit is by then."""

    mint: str
    sat: int
    id: bytes = field(repr=False)
    outs: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bye:
    pass


@dataclass(frozen=True, slots=True)
class QuoteMsg:
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Paid:
    """Payment `n` was redeemed. n = 0 answers a resumed hello: only `credit` counts."""

    n: int
    credit: int
    change: tuple[WireSignature, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Started:
    q: int


@dataclass(frozen=True, slots=True)
class Delta:
    """Text of answer `q` at byte offset `off`; `out` is the cumulative count of output tokens."""

    q: int
    off: int
    out: int
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Need:
    """The answer waits: it needs `due` msat in all while the credit is `credit`."""

    q: int
    due: int
    credit: int


@dataclass(frozen=True, slots=True)
class Done:
    """The bill. `tcached` are the tokens of `tin` read from a cache, `treason` those of `tout`
    spent on reasoning."""

    q: int
    reason: str
    tin: int
    tout: int
    tcached: int
    treason: int
    cost: int
    receipt: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Settled:
    credit: int
    change: tuple[WireSignature, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Error:
    """q names the answer or is 0, n names the payment or is 0; `after` s is when to retry."""

    q: int
    n: int
    code: str
    message: str
    kept: str
    retry: bool
    after: int


ClientMessage: TypeAlias = Hello | Pay | Ask | Mail | Cancel | Resume | Sign | Settle | Bye
GhostMessage: TypeAlias = QuoteMsg | Paid | Started | Delta | Need | Done | Settled | Error
Message: TypeAlias = ClientMessage | GhostMessage

_ID = octets(*KEYSET_SIZES)
_PROOF = record(WireProof, {"a": uint(2**63, 1), "id": _ID, "s": text(MAX_SECRET), "c": octets(33)})
_SIGNATURE = record(
    WireSignature,
    {"a": uint(2**63, 1), "id": _ID, "c": octets(33), "e": octets(32), "s": octets(32)},
)
_OUTS = many(octets(33), MAX_OUTPUTS)
_CHANGE = many(_SIGNATURE, MAX_OUTPUTS)
_U32 = uint(2**32 - 1)
_Q = uint(2**32 - 1, 1)
_WORDS = text(MAX_WORDS)
_MODEL = text(MAX_MODEL_NAME)

_CLIENT: dict[str, tuple[type[ClientMessage], Fields]] = {
    "hello": (
        Hello,
        {
            "v": uint(255),
            "session": octets(16),
            "key": octets(32),
            "resume": flag,
            "sig": octets(64),
        },
    ),
    "pay": (
        Pay,
        {
            "n": _Q,
            "mint": text(MAX_URL),
            "sat": uint(2**43, 1),
            "id": _ID,
            "proofs": many(_PROOF, MAX_PROOFS),
            "outs": _OUTS,
        },
    ),
    "ask": (Ask, {"q": _Q, "model": _MODEL, "body": blob(MAX_BODY), "quote": octets(0, 16)}),
    "mail": (Mail, {"q": _Q, "blocks": many(blob(MAX_BLOCK_BYTES), MAX_BLOCKS, 1)}),
    "cancel": (Cancel, {"q": _Q}),
    "resume": (Resume, {"q": _Q, "have": uint()}),
    "sign": (Sign, {"n": _Q, "sig": octets(64)}),
    "settle": (
        Settle,
        {"mint": text(MAX_URL), "sat": uint(2**43, 1), "id": _ID, "outs": _OUTS},
    ),
    "bye": (Bye, {}),
}
_GHOST: dict[str, tuple[type[GhostMessage], Fields]] = {
    "quote": (QuoteMsg, {"raw": blob(MAX_QUOTE_BYTES)}),
    "paid": (Paid, {"n": _U32, "credit": uint(), "change": _CHANGE}),
    "started": (Started, {"q": _Q}),
    "delta": (Delta, {"q": _Q, "off": uint(), "out": uint(), "text": text(MAX_DELTA)}),
    "need": (Need, {"q": _Q, "due": uint(), "credit": uint()}),
    "done": (
        Done,
        {
            "q": _Q,
            "reason": text(32),
            "tin": uint(),
            "tout": uint(),
            "tcached": uint(),
            "treason": uint(),
            "cost": uint(),
            "receipt": blob(MAX_RECEIPT_BYTES),
        },
    ),
    "settled": (Settled, {"credit": uint(), "change": _CHANGE}),
    "error": (
        Error,
        {
            "q": _U32,
            "n": _U32,
            "code": text(32),
            "message": _WORDS,
            "kept": _WORDS,
            "retry": flag,
            "after": uint(86_400),
        },
    ),
}
CATALOGUE: Catalogue[Message] = Catalogue({**_CLIENT, **_GHOST}, MAX_MESSAGE)
encode, decode = CATALOGUE.encode, CATALOGUE.decode


class MessageReader(messages.MessageReader[Message]):
    """Cuts a byte stream into messages of one direction."""

    CLIENT: ClassVar[tuple[type[Message], ...]] = tuple(kind for kind, _ in _CLIENT.values())
    GHOST: ClassVar[tuple[type[Message], ...]] = tuple(kind for kind, _ in _GHOST.values())

    def __init__(self, *, from_client: bool) -> None:
        super().__init__(CATALOGUE, self.CLIENT if from_client else self.GHOST)


def session_hash(session: bytes, key: bytes) -> bytes:
    """Names a session's credit. It covers the key, so nobody else's hello reaches the credit."""
    return hashlib.sha256(HASH_LABEL + session + key).digest()


def hello_bytes(node_id: bytes, circuit_tag: bytes, session: bytes, *, resume: bool) -> bytes:
    """What the session key signs: this ghost, this circuit, this session, so no replay."""
    parts = (node_id, len(circuit_tag).to_bytes(2, "big"), circuit_tag, session)
    return b"".join((HELLO_LABEL, *parts, b"\x01" if resume else b"\x00"))
