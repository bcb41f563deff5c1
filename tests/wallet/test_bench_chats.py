"""The bench of long chats runs, and measures what it says."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from bench.chats import run

pytestmark = pytest.mark.trio


async def test_a_short_run_has_every_figure() -> None:
    figures = asdict(await run(400))
    assert figures.pop("messages") == 400
    assert all(value > 0 for value in figures.values())
