"""A publication says what holders said, and ends when the last has spoken or is given up."""

from __future__ import annotations

from engine.directory.dht.publication import Publication
from engine.wire.dht import Verdict


def test_it_counts_and_ends() -> None:
    told = []
    found = Publication(b"k", b"r")
    found.on_done = lambda: told.append(True)
    found.sent_to([b"a", b"b", b"c"])
    found.answered(b"a", Verdict.KEPT, 0)
    found.answered(b"b", Verdict.FULL, 12)
    assert not found.done
    found.failed(b"c")
    assert found.done
    assert (found.stored, found.refused, found.silent, found.bits) == (1, 1, 1, 12)
    found.failed(b"c")
    assert told == [True]


def test_nobody_to_send_to_ends_it() -> None:
    found = Publication(b"k", b"r")
    found.sent_to([])
    assert found.done
