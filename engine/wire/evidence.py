"""Evidence against a ghost that needs nobody's word: two documents that it signed itself.

    evidence = deterministic CBOR {v, kind, key, first, second}
      "twice"     two receipts of one session with the same number and different content
      "chain"     a receipt, and the next of its session, which does not name it
      "overbill"  a quote, and a receipt under it that costs more than the quote allows
    file     = "peer2prompt-evidence 1", then one document a line in base64

What it shows to whoever reads it: the ghost's key, the hash of one session, which is random and
used for nothing else, the model, token counts and prices. No text: the answer's hash is keyed by
the session's secret id. Strict codec only; `engine.market.evidence` says what a document proves.
Format: docs/protocol-session.md, "Evidence". Pure.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from engine.errors import WireError
from engine.wire import cbor
from engine.wire.quote import MAX_QUOTE_BYTES
from engine.wire.receipt import MAX_RECEIPT_BYTES
from engine.wire.schema import blob, dump, octets, take, text, uint

LABEL = b"peer2prompt evidence v1"
TWICE, CHAIN, OVERBILL = "twice", "chain", "overbill"
KINDS = (TWICE, CHAIN, OVERBILL)
MAX_EVIDENCE_BYTES = MAX_QUOTE_BYTES + MAX_RECEIPT_BYTES + 256
HEADER_LINE = "peer2prompt-evidence 1"
MAX_DOCUMENTS = 1_024
"""In one file: more than one client can hold (wallet.store.evidence)."""
MAX_FILE_BYTES = 2 << 20


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two signed documents of the ghost with this Ed25519 key, and what they are said to show."""

    VERSION: ClassVar[int] = 1

    kind: str
    key: bytes
    first: bytes = field(repr=False)
    second: bytes = field(repr=False)

    def encode(self) -> bytes:
        """The canonical bytes. Raises WireError when they would not decode."""
        raw = cbor.encode({"v": self.VERSION, **dump(self)})  # type: ignore[dict-item]
        self.decode(raw)
        return raw

    @classmethod
    def decode(cls, raw: bytes) -> Evidence:
        """The document in `raw`; nothing in it is checked yet. Raises WireError."""
        if len(raw) > MAX_EVIDENCE_BYTES:
            raise WireError("A document of evidence is too long.")
        fields = take(cbor.decode_map(raw), _EVIDENCE)
        fields.pop("v")
        found = cls(**fields)
        if found.kind not in KINDS:
            raise WireError("A document of evidence is of an unknown kind.")
        if found.kind != OVERBILL and len(found.first) > MAX_RECEIPT_BYTES:
            raise WireError("A document of evidence holds a receipt that is too long.")
        if found.kind == TWICE and found.first >= found.second:
            raise WireError("The documents of an evidence are not in their order.")
        return found

    @property
    def digest(self) -> bytes:
        """Names the document (32 bytes)."""
        return hashlib.sha256(LABEL + self.encode()).digest()


def format_evidence(documents: Iterable[bytes]) -> str:
    """The text of a file with these encoded documents."""
    lines = [HEADER_LINE, *(base64.b64encode(one).decode("ascii") for one in documents)]
    return "\n".join(lines) + "\n"


def parse_evidence(data: str) -> list[Evidence]:
    """The documents in a file. Raises WireError: a file with one bad line is taken as a whole for
    bad, for nobody writes such a file by hand."""
    if len(data) > MAX_FILE_BYTES:
        raise WireError("A file of evidence is too long.")
    lines = data.splitlines()
    if not lines or lines[0] != HEADER_LINE:
        raise WireError(f'A file of evidence begins with the line "{HEADER_LINE}".')
    if len(lines) - 1 > MAX_DOCUMENTS:
        raise WireError("A file of evidence holds too many documents.")
    return [Evidence.decode(_from_base64(line)) for line in lines[1:]]


def _from_base64(line: str) -> bytes:
    try:
        raw = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        raise WireError("A line of a file of evidence is not base64.") from None
    if base64.b64encode(raw).decode("ascii") != line:
        raise WireError("A line of a file of evidence is not canonical base64.")
    return raw


_EVIDENCE = {
    "v": uint(Evidence.VERSION, Evidence.VERSION),
    "kind": text(16),
    "key": octets(32),
    "first": blob(MAX_QUOTE_BYTES),
    "second": blob(MAX_RECEIPT_BYTES),
}
