"""Options of the demo: what is refused before anything starts, and that the key never shows."""

from __future__ import annotations

import argparse
import io
import socket
from typing import Any

import pytest

from tui.demo.errors import DemoError
from tui.demo.nodes import invoice_text
from tui.demo.options import read_options
from tui.demo.ports import HIGHEST, LOWEST, free_port, is_free
from tui.demo.urls import check_url


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PEER2PROMPT_HOME", "PEER2PROMPT_PROVIDER_KEY"):
        monkeypatch.delenv(name, raising=False)


def options(**given: Any) -> argparse.Namespace:
    return argparse.Namespace(**{"ask": "Why?", **given})


def test_defaults() -> None:
    found = read_options(options())
    assert (found.ask, found.home, found.mint, found.keep, found.json) == (
        "Why?",
        None,
        None,
        False,
        False,
    )


def test_home_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEER2PROMPT_HOME", "/srv/p2p")
    assert read_options(options()).home == "/srv/p2p"
    assert read_options(options(home="/tmp/other")).home == "/tmp/other"


def test_key_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read_options(options(provider_url="http://127.0.0.1:1/v1/", provider_key="sk-secret"))
    assert found.provider_url == "http://127.0.0.1:1/v1"
    assert found.provider_key == "sk-secret"
    assert "sk-secret" not in repr(found)
    monkeypatch.setenv("PEER2PROMPT_PROVIDER_KEY", "sk-env")
    assert read_options(options(provider_url="http://h")).provider_key == "sk-env"
    assert read_options(options()).provider_key is None


def test_a_demo_for_programs() -> None:
    found = read_options(
        options(ask=None, api=True, json=True, ghosts=3, features="tools, json,", model="a,b")
    )
    assert (found.api, found.ghosts, found.features) == (True, 3, ("json", "tools"))
    assert found.models == ("a", "b")
    usual = read_options(options())
    assert (usual.api, usual.ghosts, usual.features, usual.models) == (False, 1, None, ())


def test_question_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("What is a leek?"))
    assert read_options(options(ask="-")).ask == "What is a leek?"


@pytest.mark.parametrize(
    "bad",
    [
        {"ask": "  "},
        {"ask": None},
        {"ask": None, "json": True},
        {"api": True},
        {"ghosts": 0},
        {"ghosts": 13},
        {"features": "tools,telepathy"},
        {"timeout": 0},
        {"timeout": -1.0},
        {"provider_key": "k"},
        {"provider_url": "http://h", "provider_key": "a\nb"},
        {"provider_url": "ftp://h"},
        {"provider_url": "http://"},
        {"provider_url": "http://h:99999"},
        {"mint": "127.0.0.1:3338"},
        {"mint": "http://user:pw@h"},
        {"mint": "http://[bad"},
    ],
)
def test_mistakes_are_usage_errors(bad: dict[str, Any]) -> None:
    with pytest.raises(DemoError) as caught:
        read_options(options(**bad))
    assert caught.value.exit_code == 2
    assert caught.value.hint
    assert "pw" not in str(caught.value)


def test_url_loses_its_slash() -> None:
    assert check_url("https://mint.example/path/", "--mint") == "https://mint.example/path"


def test_ports_in_use_are_seen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not is_free("127.0.0.1", server.getsockname()[1])
    assert LOWEST <= free_port("127.3.0.1") < HIGHEST


def test_invoice_is_shown_as_text_and_picture() -> None:
    text = invoice_text("lnbc20u1p" + "q" * 200, 2000, "http://mint")
    assert "lnbc20u1p" in text
    assert "2000 sat" in text
    assert "█" in text or "▄" in text or "\x1b[" in text


def test_a_gpu_node_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert not read_options(options()).gpu
    with pytest.raises(DemoError, match="llama-cpp-python, which is not installed") as caught:
        read_options(options(gpu=True))
    assert "make gpu-env" in caught.value.hint
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: object())
    assert read_options(options(gpu=True)).gpu
