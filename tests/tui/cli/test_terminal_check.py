"""What `doctor` says of the terminal it runs in."""

from __future__ import annotations

import io
import sys

import pytest

from tui.cli import style
from tui.cli.terminal_check import terminal


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("kind", "encoding", "size", "state"),
    [
        ("xterm-256color", "utf-8", (80, 24), "ok"),
        ("dumb", "utf-8", (80, 24), "warn"),
        ("", "utf-8", (80, 24), "warn"),
        ("xterm", "latin-1", (80, 24), "warn"),
        ("xterm", "utf-8", (79, 24), "warn"),
        ("xterm", "utf-8", (80, 23), "warn"),
    ],
)
def test_what_the_screen_needs(
    monkeypatch: pytest.MonkeyPatch, kind: str, encoding: str, size: tuple[int, int], state: str
) -> None:
    monkeypatch.setenv("TERM", kind)
    monkeypatch.setattr(sys, "stdout", Terminal(io.BytesIO(), encoding=encoding))
    monkeypatch.setattr(style, "width", lambda: size[0])
    monkeypatch.setattr(style, "height", lambda: size[1])
    assert terminal().state == state


def test_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO()))
    assert terminal().state == "ok"
