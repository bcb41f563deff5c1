"""Cell headers and DESTROY reasons."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import WireError
from engine.wire.cells import (
    BODY_BYTES,
    CELL_BYTES,
    HEADER,
    HEADER_BYTES,
    RECORD_BYTES,
    Command,
    DestroyReason,
    build_cell,
    destroy_reason,
    parse_header,
)

OF_THE_LINK = (Command.PADDING, Command.PACKET, Command.ADVERT, Command.DHT, Command.REACH)
OF_CIRCUITS = [command for command in Command if command not in OF_THE_LINK]


def test_sizes_are_those_of_the_document() -> None:
    assert (RECORD_BYTES, CELL_BYTES, HEADER_BYTES, BODY_BYTES) == (2_048, 2_032, 8, 2_024)


@given(st.integers(1, 2**32 - 1), st.sampled_from(OF_CIRCUITS), st.binary(max_size=50))
def test_round_trip(circ_id: int, command: Command, body: bytes) -> None:
    cell = build_cell(circ_id, command, body)
    assert len(cell) == CELL_BYTES
    assert parse_header(cell) == (circ_id, command)
    assert parse_header(memoryview(cell)) == (circ_id, command)
    assert HEADER.unpack_from(cell) == (circ_id, command)
    assert bytes(cell[8:]) == body.ljust(BODY_BYTES, b"\0")


def test_some_cells_belong_to_the_link() -> None:
    for command in OF_THE_LINK:
        assert parse_header(build_cell(0, command, b"")) == (0, command)
        with pytest.raises(WireError, match="circuit id"):
            parse_header(build_cell(5, command, b""))
    for command in OF_CIRCUITS:
        with pytest.raises(WireError, match="circuit id"):
            parse_header(build_cell(0, command, b""))


@pytest.mark.parametrize("header", ["000000017f000000", "00000001ff000000", "0000000103000001"])
def test_unknown_commands_and_reserved_bytes_are_refused(header: str) -> None:
    with pytest.raises(WireError, match="unknown"):
        parse_header(bytes.fromhex(header))


@given(st.binary(max_size=20))
def test_any_bytes_parse_or_are_refused(data: bytes) -> None:
    try:
        circ_id, command = parse_header(data)
    except WireError:
        return
    assert HEADER.pack(circ_id, command) == data[:8]


def test_an_oversized_body_is_a_local_mistake() -> None:
    with pytest.raises(ValueError, match="2024"):
        build_cell(1, Command.RELAY, bytes(BODY_BYTES + 1))


@given(st.binary(max_size=3))
def test_destroy_reasons(body: bytes) -> None:
    reason = destroy_reason(body)
    assert reason == (body[0] if body and body[0] <= 13 else DestroyReason.NONE)
