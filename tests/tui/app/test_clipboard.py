"""Copying says which way was used, and whether anything was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.app import clipboard, editor


def test_outside_tmux_the_terminal_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    sent: list[str] = []
    words, done = clipboard.copy("text", "The answer", sent.append)
    assert (sent, done) == (["text"], True)
    assert "OSC 52" in words
    assert "asked" in words


def test_too_long_for_the_terminal_is_admitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    sent: list[str] = []
    words, done = clipboard.copy("x" * 100_000, "The answer", sent.append)
    assert (sent, done) == ([], False)
    assert "Nothing was copied" in words


def test_a_tmux_that_fails_falls_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "tmux"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o700)
    monkeypatch.setenv("TMUX", "/nowhere,1,0")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    sent: list[str] = []
    words, _ = clipboard.copy("text", "The answer", sent.append)
    assert sent == ["text"]
    assert "OSC 52" in words


def test_editor_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "second")
    monkeypatch.setenv("VISUAL", "code --wait")
    assert editor.editor_command() == ["code", "--wait"]
    monkeypatch.delenv("VISUAL")
    assert editor.editor_command() == ["second"]
