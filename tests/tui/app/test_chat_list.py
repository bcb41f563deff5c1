"""Acts on whole conversations: search, pin, put away, rename, delete; and the word on failover."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.screen import Screen, open_screen
from tests.helpers.scripted_node import ScriptedError, ScriptedNode, message
from tui.app.found import Found

pytestmark = pytest.mark.asyncio
WIDE = (120, 30)


async def _listed(screen: Screen) -> None:
    await screen.connected()
    await screen.until(lambda: "What is an onion?" in screen.seen(), "listed")
    await screen.press("ctrl+b", "down")
    await screen.until(lambda: screen.chat.sessions.has_focus, "in the list")


async def test_searching_opens_the_message(folder: Path, node: ScriptedNode) -> None:
    node.state["messages"]["s1"] = [
        message(n, "user" if n % 2 else "assistant", f"talk {n}\n\nmore", float(n))
        for n in range(1, 301)
    ]
    node.state["messages"]["s1"][9]["text"] = "the needle is here"
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.type("a draft")
        await screen.press("ctrl+f")
        await screen.dialog("SearchScreen")
        await screen.press(*"needle")
        await screen.until(lambda: "the needle is here" in screen.seen(), "found")
        assert "What is an onion?" in screen.seen()
        await screen.press("enter")
        await screen.until(lambda: screen.conversation.session_id == "s1", "opened")
        await screen.until(lambda: screen.conversation.loaded, "read")
        selected = screen.chat.transcript.selected
        await screen.until(lambda: getattr(selected(), "number", 0) == 10, "selected")
        await screen.until(lambda: "the needle is here" in screen.seen(), "in view")
        assert screen.conversation.messages[-1].number == 300
        assert [m.number for m in screen.conversation.messages] == list(range(1, 301))


async def test_the_list_of_a_narrow_window_gives_way_to_the_box(
    folder: Path, node: ScriptedNode
) -> None:
    del node
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.press("ctrl+b")
        await screen.until(lambda: "p pin" in screen.seen(), "keys of the list")
        for key in ("escape", "ctrl+n"):
            await screen.press(key)
            await screen.until(lambda: screen.chat.prompt.has_focus, f"the box after {key}")
            assert not screen.chat.sessions.display
            await screen.press("ctrl+b")
            await screen.until(lambda: screen.chat.sessions.has_focus, "the list again")
        screen.chat.sessions.highlighted = 0
        await screen.press("enter", *"words")
        await screen.until(lambda: "› words" in screen.seen(), "typed into a new conversation")


async def test_what_is_not_there_is_said(folder: Path, node: ScriptedNode) -> None:
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.press("ctrl+f")
        await screen.dialog("SearchScreen")
        await screen.press("z", "z")
        await screen.until(lambda: "No message has these words." in screen.seen(), "said")
        node.failures["sessions.search"] = ScriptedError("store", "The store is locked.")
        await screen.press("z")
        await screen.until(lambda: "The store is locked." in screen.seen(), "failed")
        await screen.press("enter", "escape")
        await screen.until(lambda: not screen.app.screen.is_modal, "left")


async def test_pinned_ones_stand_first(folder: Path, node: ScriptedNode) -> None:
    async with open_screen(folder, WIDE) as screen:
        await _listed(screen)
        await screen.press("down", "p")
        await screen.until(lambda: "* Explain blind" in screen.seen(), "starred")
        assert node.called("sessions.pin") == [{"session_id": "s2", "pinned": True}]
        assert [s.session_id for s in screen.app.model.chat.sessions] == ["s2", "s1"]


async def test_what_is_put_away_is_shown_when_asked_for(folder: Path, node: ScriptedNode) -> None:
    async with open_screen(folder, WIDE) as screen:
        await _listed(screen)
        await screen.press("a")
        await screen.until(lambda: len(screen.app.model.chat.sessions) == 1, "gone")
        assert node.called("sessions.archive") == [{"session_id": "s1", "archived": True}]
        await screen.press("h")
        await screen.until(lambda: len(screen.app.model.chat.sessions) == 2, "shown")
        await screen.until(lambda: "Conversations, all" in screen.seen(), "said")
        await screen.press("h")
        await screen.until(lambda: len(screen.app.model.chat.sessions) == 1, "hidden")


async def test_the_one_under_the_cursor_is_renamed_and_deleted(
    folder: Path, node: ScriptedNode
) -> None:
    async with open_screen(folder, WIDE) as screen:
        await _listed(screen)
        await screen.press("down", "t")
        await screen.dialog("FormScreen")
        await screen.press("!", "enter")
        await screen.until(lambda: bool(node.called("sessions.rename")), "renamed")
        assert node.called("sessions.rename")[0]["session_id"] == "s2"
        await screen.until(lambda: not screen.app.screen.is_modal, "left")
        await screen.press("delete")
        await screen.dialog("ConfirmScreen")
        await screen.press("y")
        await screen.until(lambda: node.called("sessions.delete") == [{"session_id": "s2"}], "gone")


async def _failed(screen: Screen, node: ScriptedNode) -> None:
    node.answer = None
    await screen.connected()
    await screen.until(lambda: bool(screen.app.model.chat.sessions), "sessions")
    screen.app.open_session("s1")
    await screen.until(lambda: len(screen.conversation.messages) == 2, "read")
    await screen.ask("And now?")
    await screen.until(lambda: bool(screen.app.model.chat.asks), "accepted")
    error = ScriptedError("needs_consent", "The ghost is gone.").as_dict()
    consent = {"messages": 2, "bytes": 12_000, "ghost": "4f2a91c0"}
    ids = {"ask_id": "ask1", "session_id": "s1"}
    node.publish("ask.failed", **ids, error=error, consent=consent)
    await screen.dialog("PickScreen")


async def test_another_ghost_is_asked_only_with_consent(folder: Path, node: ScriptedNode) -> None:
    async with open_screen(folder) as screen:
        await _failed(screen, node)
        assert "2 messages" in screen.seen()
        assert "12 kB" in screen.seen()
        assert "4f2a91c0" in screen.seen()
        assert node.called("ask.failover") == []
        node.answer, node.pause_s = "From another.", 0.0
        await screen.press("down", "enter")
        await screen.until(lambda: bool(node.called("ask.failover")), "consented")
        assert node.called("ask.failover") == [{"session_id": "s1", "consent": "once"}]
        await screen.until(lambda: "From another." in screen.seen(), "answered")


async def test_without_consent_nothing_is_shown_to_anybody(
    folder: Path, node: ScriptedNode
) -> None:
    async with open_screen(folder) as screen:
        await _failed(screen, node)
        await screen.press("escape")
        await screen.until(lambda: "asks another ghost" in screen.seen(), "can be had later")
        assert node.called("ask.failover") == []
        await screen.press("alt+o")
        await screen.dialog("PickScreen")
        await screen.press("enter")
        await screen.until(lambda: bool(node.called("ask.failover")), "said no")
        assert node.called("ask.failover")[0]["consent"] == "no"
        await screen.until(lambda: screen.conversation.consent is None, "settled")
        assert "The ghost is gone." in screen.seen()


@given(
    st.text(),
    st.lists(st.lists(st.one_of(st.integers(-5, 50), st.text(max_size=2)), max_size=3), max_size=4),
)
async def test_odd_marks_are_left_out(snippet: str, marks: list[list[object]]) -> None:
    found = Found.of({"snippet": snippet, "marks": marks})
    assert len(found.snippet) == len(snippet)
    assert all(0 <= start < end <= len(snippet) for start, end in found.marks)
