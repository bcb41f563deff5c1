"""A ghost's letter as the client reads it: the text from byte 0, then the bill or what is owed.

A letter is hostile bytes until its receipt verifies: everything here may come from a mailbox that
lies. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.errors import ProtocolError, WireError
from engine.wire import session as wire


@dataclass(frozen=True, slots=True)
class Letter:
    """What a letter says of one answer. `out` is the token count of its text."""

    text: bytes = field(repr=False)
    out: int
    done: wire.Done | None = None
    need: wire.Need | None = None

    @property
    def complete(self) -> bool:
        """Whether the answer's bill is in it."""
        return self.done is not None


def read_letter(data: bytes, q: int) -> Letter:
    """The letter for answer `q`, or as much of it as `data` holds. Raises ProtocolError."""
    text = bytearray()
    out = 0
    done: wire.Done | None = None
    need: wire.Need | None = None
    for message in wire.MessageReader(from_client=False).feed(data):
        if done is not None or need is not None:
            raise ProtocolError("A letter goes on behind its end.")
        match message:
            case wire.Delta(number, off, out, part) if number == q and off == len(text):
                text += part.encode("utf-8")
            case wire.Done(number) if number == q:
                done = message
            case wire.Need(number) if number == q:
                need = message
            case _:
                raise ProtocolError("A letter holds something that has no place in it.")
    return Letter(bytes(text), out, done, need)


def holds_end(data: bytes, q: int) -> bool:
    """Whether the letter in `data` has come in whole: nothing more is worth waiting for."""
    try:
        letter = read_letter(data, q)
    except WireError:
        return False
    except ProtocolError:
        return True
    return letter.done is not None or letter.need is not None
