"""A mistake in the screen must not print what the screen holds."""

from __future__ import annotations

import contextlib
import io

import pytest
from rich.console import Console
from textual.app import App

from tui.app.app import PeerApp
from tui.app.crash import DiscreetApp

SECRET = "the-words-of-a-prompt"


class _Broken(DiscreetApp):
    def on_mount(self) -> None:
        prompt = SECRET
        raise RuntimeError(f"about {prompt}")


@pytest.mark.asyncio
async def test_a_crash_names_kind_and_place_only() -> None:
    app = _Broken()
    out = io.StringIO()
    app.error_console = Console(file=out, width=200)
    with contextlib.suppress(RuntimeError):
        async with app.run_test():
            pass
    app._print_error_renderables()
    text = out.getvalue()
    assert "RuntimeError at test_crash.py" in text
    assert SECRET not in text
    assert "Traceback" not in text


def test_the_hook_still_exists() -> None:
    assert hasattr(App, "_fatal_error")
    assert issubclass(PeerApp, DiscreetApp)
