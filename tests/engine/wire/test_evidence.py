"""Documents of evidence: strict form, files of them, any bytes survived."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import WireError
from engine.wire import cbor
from engine.wire.evidence import (
    CHAIN,
    HEADER_LINE,
    KINDS,
    MAX_DOCUMENTS,
    MAX_EVIDENCE_BYTES,
    OVERBILL,
    TWICE,
    Evidence,
    format_evidence,
    parse_evidence,
)
from engine.wire.receipt import MAX_RECEIPT_BYTES

KEY = b"k" * 32
documents = st.builds(
    Evidence,
    st.just(CHAIN),
    st.binary(min_size=32, max_size=32),
    st.binary(max_size=200),
    st.binary(max_size=200),
)


@given(documents)
def test_what_is_encoded_comes_back(evidence: Evidence) -> None:
    raw = evidence.encode()
    assert Evidence.decode(raw) == evidence
    assert parse_evidence(format_evidence([raw, raw])) == [evidence, evidence]
    assert "first" not in repr(evidence)
    assert "second" not in repr(evidence)


@given(st.binary(max_size=300))
def test_any_bytes_are_evidence_or_an_error(raw: bytes) -> None:
    try:
        found = Evidence.decode(raw)
    except WireError:
        return
    assert found.encode() == raw


@given(st.text(max_size=300))
def test_any_text_is_a_file_or_an_error(text: str) -> None:
    for data in (text, f"{HEADER_LINE}\n{text}"):
        try:
            found = parse_evidence(data)
        except WireError:
            continue
        assert format_evidence(one.encode() for one in found).splitlines() == data.splitlines()


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "slow"},
        {"key": b"k" * 31},
        {"first": "text"},
        {"kind": TWICE, "first": b"b", "second": b"a"},
        {"kind": TWICE, "first": b"a", "second": b"a"},
        {"kind": CHAIN, "first": b"a" * (MAX_RECEIPT_BYTES + 1)},
        {"kind": OVERBILL, "second": b"a" * (MAX_RECEIPT_BYTES + 1)},
        {"v": 2},
        {"more": 1},
    ],
)
def test_malformed_documents_are_refused(fields: dict[str, cbor.Value]) -> None:
    good: dict[str, cbor.Value] = {
        "v": 1,
        "kind": OVERBILL,
        "key": KEY,
        "first": b"a",
        "second": b"b",
    }
    assert Evidence.decode(cbor.encode(good)).kind in KINDS
    with pytest.raises(WireError):
        Evidence.decode(cbor.encode({**good, **fields}))


def test_what_is_too_long_is_refused() -> None:
    with pytest.raises(WireError):
        Evidence.decode(bytes(MAX_EVIDENCE_BYTES + 1))
    raw = Evidence(CHAIN, KEY, b"a", b"b").encode()
    assert len(parse_evidence(format_evidence([raw] * MAX_DOCUMENTS))) == MAX_DOCUMENTS
    with pytest.raises(WireError):
        parse_evidence(format_evidence([raw] * (MAX_DOCUMENTS + 1)))


def test_a_file_with_one_bad_line_is_no_file() -> None:
    raw = Evidence(CHAIN, KEY, b"a", b"b").encode()
    line = base64.b64encode(raw).decode()
    for bad in ("", " " + line, line[:-4], line.rstrip("=") + "==="):
        with pytest.raises(WireError):
            parse_evidence(f"{HEADER_LINE}\n{line}\n{bad}\n{line}\n")
    with pytest.raises(WireError):
        parse_evidence(line)
