"""Cells: the fixed-size units that travel on a link. Layout and commands, nothing about meaning.

A record on the wire is 2,048 bytes: an AEAD of a 2,032-byte cell. A cell is a header of eight bytes
and a body of 2,024. Wire format: docs/protocol.md, "Cells".
"""

from __future__ import annotations

import enum
import struct

from engine.errors import WireError

RECORD_BYTES = 2_048  # holds an ML-KEM-768 handshake message; 64 KiB batches are 32 records
TAG_BYTES = 16
CELL_BYTES = RECORD_BYTES - TAG_BYTES
HEADER = struct.Struct(">IB3x")  # circ_id, command, three zero bytes
HEADER_BYTES = HEADER.size
BODY_BYTES = CELL_BYTES - HEADER_BYTES

LINK_CIRC_ID = 0  # cells of the link itself
INITIATOR_BIT = 0x8000_0000  # set in the circuit ids that the link's initiator chooses

_WORDS = struct.Struct(">II")


class Command(enum.IntEnum):
    """What a cell is for."""

    PADDING = 0
    CREATE = 1
    CREATED = 2
    RELAY = 3
    DESTROY = 4
    PACKET = 5
    ADVERT = 6
    DHT = 7
    REACH = 8


class DestroyReason(enum.IntEnum):
    """Why a circuit ends: the first byte of a DESTROY body. A hint, never proof: anyone on the
    path may have written it."""

    NONE = 0
    PROTOCOL = 1
    INTERNAL = 2
    REQUESTED = 3
    HIBERNATING = 4
    RESOURCE = 5
    CONNECT_FAILED = 6
    IDENTITY = 7
    TIMEOUT = 8
    REPLAY = 9
    ADDRESS = 10
    FINISHED = 11
    KEY_EXPIRED = 12
    WORK_NEEDED = 13


# Commands of the link itself, which have no circuit.
_LINK_COMMANDS = frozenset(
    {Command.PADDING, Command.PACKET, Command.ADVERT, Command.DHT, Command.REACH}
)
# The second header word is the command and three zero bytes, so one look-up checks all four.
_COMMAND_OF_WORD = {command << 24: command for command in Command}
_REASONS = {int(reason): reason for reason in DestroyReason}


def parse_header(cell: bytes | bytearray | memoryview) -> tuple[int, Command]:
    """(circ_id, command) of a cell, strictly: known command, zero reserved bytes, and circuit id 0
    for the link's own cells and only for them. Raises WireError otherwise; the link is then closed.
    """
    if len(cell) < HEADER_BYTES:
        raise WireError("a cell is shorter than its header")
    circ_id, word = _WORDS.unpack_from(cell)
    command = _COMMAND_OF_WORD.get(word)
    if command is None:
        raise WireError("a neighbour sent an unknown cell command")
    if (circ_id == LINK_CIRC_ID) != (command in _LINK_COMMANDS):
        raise WireError("a neighbour used a circuit id that does not fit the command")
    return circ_id, command


def build_cell(circ_id: int, command: Command, body: bytes | bytearray | memoryview) -> bytearray:
    """A whole cell; a short body is padded with zeros (CREATE bodies are filled by their codec)."""
    if len(body) > BODY_BYTES:
        raise ValueError("a cell body is at most 2024 bytes")
    cell = bytearray(CELL_BYTES)
    HEADER.pack_into(cell, 0, circ_id, command)
    cell[HEADER_BYTES : HEADER_BYTES + len(body)] = body
    return cell


def destroy_reason(body: bytes | bytearray | memoryview) -> DestroyReason:
    """The reason in a DESTROY body; NONE for a number of a later version."""
    return _REASONS.get(body[0], DestroyReason.NONE) if len(body) else DestroyReason.NONE
