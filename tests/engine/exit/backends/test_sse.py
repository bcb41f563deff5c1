"""Server-sent events in pieces of any size."""

from __future__ import annotations

import pytest

from engine.exit.backends.sse import SseParser


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_event_stream_lines_in_any_pieces(size: int) -> None:
    raw = (
        "\ufeff: hi\r\ndata: a\r\ndata:b é\r\n\r\nevent: x\ndata:  c\n\ndata\r\rid: 1\n\ndata: lost"
    )
    data = raw.encode()
    parser = SseParser()
    found: list[str] = []
    for start in range(0, len(data), size):
        found += parser.feed(data[start : start + size])
    assert found == ["a\nb é", " c", ""]
