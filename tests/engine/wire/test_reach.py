"""REACH cells: round trips, and that any other bytes are refused."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import WireError
from engine.wire.cells import BODY_BYTES
from engine.wire.reach import (
    ReachAnswer,
    ReachQuestion,
    Verdict,
    encode_answer,
    encode_question,
    parse_reach,
)

NAME = bytes(range(8))
HOSTS = st.ip_addresses(v=4) | st.ip_addresses(v=6).filter(lambda a: a.ipv4_mapped is None)


@given(st.binary(min_size=8, max_size=8), st.integers(1, 65_535))
def test_questions_round_trip(name: bytes, port: int) -> None:
    body = encode_question(ReachQuestion(name, port))
    assert len(body) == BODY_BYTES
    assert parse_reach(body) == ReachQuestion(name, port)


@given(st.binary(min_size=8, max_size=8), st.sampled_from(Verdict), HOSTS, st.integers(1, 65_535))
def test_answers_round_trip(
    name: bytes,
    verdict: Verdict,
    host: ipaddress.IPv4Address | ipaddress.IPv6Address,
    port: int,
) -> None:
    answer = ReachAnswer(name, verdict, str(host), port)
    body = encode_answer(answer)
    assert len(body) == BODY_BYTES
    assert parse_reach(memoryview(body)) == answer


QUESTION = encode_question(ReachQuestion(NAME, 9_001))
ANSWER = encode_answer(ReachAnswer(NAME, Verdict.REACHED, "192.0.2.1", 9_001))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        bytes(BODY_BYTES),
        QUESTION[:-1],
        QUESTION[:-1] + b"\1",
        QUESTION[:9] + bytes(BODY_BYTES - 9),
        b"\3" + QUESTION[1:],
        ANSWER[:9] + b"\3" + ANSWER[10:],
        ANSWER[:-1] + b"\1",
        ANSWER[:10] + b"\7" + ANSWER[11:],
    ],
    ids=["empty", "zeros", "short", "rest", "port 0", "kind", "verdict", "rest 2", "family"],
)
def test_what_is_malformed_is_refused(body: bytes) -> None:
    with pytest.raises(WireError):
        parse_reach(body)


@given(st.sampled_from([0, 1, 2, 3]), st.binary(max_size=40))
def test_any_bytes_are_a_value_or_refused(kind: int, head: bytes) -> None:
    body = (bytes([kind]) + head).ljust(BODY_BYTES, b"\0")
    try:
        found = parse_reach(body)
    except WireError:
        return
    encode = encode_question if isinstance(found, ReachQuestion) else encode_answer
    assert encode(found) == body  # type: ignore[operator]


@pytest.mark.parametrize(("name", "port"), [(b"short", 1), (NAME, 0), (NAME, 65_536)])
def test_a_question_that_cannot_be_asked_is_a_local_mistake(name: bytes, port: int) -> None:
    with pytest.raises(ValueError, match="question"):
        encode_question(ReachQuestion(name, port))


def test_an_answer_with_a_wrong_id_is_a_local_mistake() -> None:
    with pytest.raises(ValueError, match="answer"):
        encode_answer(ReachAnswer(b"", Verdict.REACHED, "192.0.2.1", 1))
