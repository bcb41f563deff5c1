"""Chat against a node on a real socket: asking, streaming, errors, stopping, losing the link."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.helpers.screen import open_screen
from tests.helpers.scripted_node import ANSWER, ScriptedError, ScriptedNode

pytestmark = pytest.mark.asyncio

NO_ROUTE = ScriptedError(
    "no_route", "No path satisfies the rules.", "Nothing was paid.", "Wait for more relays."
)


async def test_a_question_streams_and_shows_its_cost(folder: Path, node: ScriptedNode) -> None:
    node.pause_s = 0.05  # long enough to be seen streaming on a busy machine
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.until(lambda: "at most 20 sat an answer" in screen.seen(), "cost before")
        await screen.ask("What is an onion?")
        await screen.until(lambda: screen.conversation.live is not None, "live")
        await screen.until(lambda: "The answer is streaming" in screen.seen(), "state line")
        await screen.until(lambda: screen.conversation.live is None, "done")
        await screen.until(lambda: "cost 0.412 sat" in screen.seen(), "cost after")
        assert screen.conversation.messages[-1].text == ANSWER
        assert node.called("ask")[0]["model"] == "smollm2-135m"
        assert screen.chat.prompt.text == ""


async def test_the_next_question_goes_to_the_same_session(folder: Path, node: ScriptedNode) -> None:
    node.pause_s = 0.0
    async with open_screen(folder) as screen:
        await screen.connected()
        for text in ("one", "two"):
            await screen.ask(text)
            await screen.until(lambda: screen.conversation.live is None, "done")
        first, second = node.called("ask")
        assert first["session_id"] is None
        assert second["session_id"] == screen.conversation.session_id
        assert len(screen.conversation.messages) == 4


async def test_ctrl_j_breaks_the_line_and_enter_sends(folder: Path, node: ScriptedNode) -> None:
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.press("a", "ctrl+j", "b", "enter")
        await screen.until(lambda: bool(node.called("ask")), "asked")
        assert node.called("ask")[0]["text"] == "a\nb"


async def test_a_refusal_is_a_sentence_in_the_chat_and_ctrl_r_asks_again(
    folder: Path, node: ScriptedNode
) -> None:
    node.failures["ask"] = NO_ROUTE
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.ask("hello")
        await screen.until(lambda: "What to do: Wait for" in screen.seen(), "error")
        assert "No path satisfies the rules." in screen.seen()
        assert "Kept: Nothing was paid." in screen.seen()
        assert "What to do: Wait for more relays." in screen.seen()
        del node.failures["ask"]
        await screen.press("ctrl+r")
        await screen.until(lambda: "cost 0.412 sat" in screen.seen(), "answered")
        assert [m.role for m in screen.conversation.messages] == ["user", "assistant"]
        assert [call["text"] for call in node.called("ask")] == ["hello", "hello"]


async def test_a_failure_in_the_middle_keeps_the_text(folder: Path, node: ScriptedNode) -> None:
    node.answer = None
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.ask("hello")
        await screen.until(lambda: bool(screen.app.model.chat.asks), "accepted")
        ids = {"ask_id": "ask1", "session_id": "new1"}
        node.publish("ask.delta", **ids, text="Half an ans", offset=0)
        node.publish("ask.failed", **ids, error=NO_ROUTE.as_dict())
        await screen.until(lambda: "No path satisfies" in screen.seen(), "error")
        assert "Half an ans" in screen.seen()


async def test_escape_stops_the_answer(folder: Path, node: ScriptedNode) -> None:
    node.pause_s, node.piece = 0.05, 4
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.ask("hello")
        await screen.until(lambda: bool(screen.conversation.messages[-1:][0].text), "streaming")
        await screen.press("escape")
        await screen.until(lambda: screen.conversation.live is None, "stopped")
        await screen.until(lambda: "You stopped this answer." in screen.seen(), "said so")
        assert node.called("ask.cancel") == [{"ask_id": "ask1"}]
        assert 0 < len(screen.conversation.messages[-1].text) < len(ANSWER)


async def test_a_second_escape_does_not_wait_for_the_node(folder: Path, node: ScriptedNode) -> None:
    node.answer = None
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.ask("hello")
        await screen.until(lambda: bool(screen.app.model.chat.asks), "accepted")
        await screen.press("escape")
        await screen.until(lambda: bool(node.called("ask.cancel")), "cancelled")
        await screen.press("escape")
        await screen.until(lambda: screen.conversation.live is None, "given up")
        await screen.until(lambda: "You stopped waiting before" in screen.seen(), "said so")


async def test_without_a_node_the_question_stays_in_the_box(folder: Path) -> None:
    async with open_screen(folder) as screen:
        await screen.until(lambda: "No Peer2Prompt node is running here." in screen.seen(), "words")
        await screen.until(lambda: "There is no node to talk to;" in screen.seen(), "banner")
        await screen.ask("hello")
        assert screen.chat.prompt.text == "hello"
        assert screen.conversation.messages == []


async def test_a_lost_link_comes_back_and_nothing_is_lost(folder: Path, node: ScriptedNode) -> None:
    node.pause_s = 0.0
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.ask("hello")
        await screen.until(lambda: screen.conversation.live is None, "done")
        await screen.type("a draft")
        node.stop()
        await screen.until(lambda: "The link to the node is lost;" in screen.seen(), "banner")
        assert len(screen.conversation.messages) == 2
        node.start()
        await screen.until(lambda: screen.app.model.link.state == "up", "back")
        await screen.until(lambda: "link to the node is lost" not in screen.seen(), "no banner")
        assert screen.chat.prompt.text == "a draft"
        assert [m.role for m in screen.conversation.messages] == ["user", "assistant"]


async def test_a_node_that_died_while_answering_says_so(folder: Path, node: ScriptedNode) -> None:
    node.answer = None
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.ask("hello")
        await screen.until(lambda: bool(screen.app.model.chat.asks), "accepted")
        node.stop()
        node.start()
        await screen.until(
            lambda: "The node stopped while it was answering" in screen.seen(), "said"
        )
        assert screen.conversation.can_retry()


async def test_a_question_to_a_node_that_came_back_is_its_own(
    folder: Path, node: ScriptedNode
) -> None:
    """The new node takes the question before it has said how it is, as a slow one does."""
    node.answer = None
    async with open_screen(folder) as screen:
        await screen.connected()
        node.stop()
        await screen.until(lambda: "The link to the node is lost;" in screen.seen(), "banner")
        node.held.add("status")
        node.state["status"].update(pid=4343, relays_known=7)
        node.start()
        await screen.until(lambda: screen.app.model.link.state == "up", "back")
        await screen.ask("hello")
        await screen.until(lambda: bool(screen.app.model.chat.asks), "taken")
        node.held.clear()
        await screen.until(lambda: screen.app.model.status.relays_known == 7, "its status")
        ids = {"ask_id": "ask1", "session_id": "new1"}
        node.publish("ask.done", **ids, result={"answer": "Hello."})
        await screen.until(lambda: screen.conversation.live is None, "done")
        answer = screen.conversation.messages[-1]
        assert (answer.text, answer.state, answer.trouble) == ("Hello.", "done", None)


async def test_lost_events_lead_to_a_fresh_snapshot(folder: Path, node: ScriptedNode) -> None:
    node.pause_s = 0.0
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.ask("hello")
        await screen.until(lambda: screen.conversation.live is None, "done")
        before = len(node.called("sessions.messages"))
        node.publish("control.lagged", dropped=7)
        await screen.until(lambda: len(node.called("sessions.messages")) > before, "read anew")
        assert len(screen.conversation.messages) == 2


async def test_opening_an_old_conversation_and_keeping_the_draft(
    folder: Path, node: ScriptedNode
) -> None:
    del node
    async with open_screen(folder, (120, 30)) as screen:
        await screen.connected()
        await screen.until(lambda: "blind signatures" in screen.seen(), "list")
        await screen.type("unfinished")
        await screen.press("ctrl+b", "down", "down", "enter")
        await screen.until(lambda: "Meow" in screen.seen(), "opened")
        assert screen.chat.prompt.text == ""
        screen.app.open_session("s1")
        await screen.until(lambda: "An onion is two things here." in screen.seen(), "other one")
        assert screen.conversation.model == "smollm2-135m"


async def test_the_list_is_a_page_of_its_own_in_a_narrow_window(
    folder: Path, node: ScriptedNode
) -> None:
    del node
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.until(lambda: len(screen.app.model.chat.sessions) == 2, "sessions")
        assert not screen.chat.sessions.display
        await screen.press("ctrl+b")
        await screen.until(lambda: "Conversations" in screen.seen(), "list")
        await screen.press("down", "enter")
        await screen.until(lambda: screen.conversation.session_id == "s1", "opened")
        await screen.until(lambda: not screen.chat.sessions.display, "list gone")


async def test_rename_and_delete(folder: Path, node: ScriptedNode) -> None:
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.until(lambda: len(screen.app.model.chat.sessions) == 2, "sessions")
        screen.app.open_session("s1")
        await screen.until(lambda: screen.conversation.loaded, "loaded")
        screen.app.perform("rename")
        await screen.dialog("FormScreen")
        await screen.press("home", "N", "o", "t", ":", "enter")
        await screen.until(lambda: bool(node.called("sessions.rename")), "renamed")
        assert node.called("sessions.rename")[0]["title"] == "Not:What is an onion?"
        screen.app.perform("delete")
        await screen.dialog("ConfirmScreen")
        await screen.press("y")
        await screen.until(lambda: bool(node.called("sessions.delete")), "deleted")
        await screen.until(lambda: screen.conversation.session_id == "", "new one")


async def test_choosing_a_model(folder: Path, node: ScriptedNode) -> None:
    del node
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.press("ctrl+o")
        await screen.dialog("ModelScreen")
        assert "At most 20 sat an answer" in screen.seen()
        await screen.press("up")
        await screen.until(lambda: "At most 200 sat an answer" in screen.seen(), "the other")
        await screen.press("enter")
        await screen.until(lambda: screen.conversation.model == "qwen3-32b", "chosen")
        await screen.until(lambda: "at most 200 sat" in screen.seen(), "its price")


async def test_older_messages_are_fetched_when_scrolled_to(
    folder: Path, node: ScriptedNode
) -> None:
    from tests.helpers.scripted_node import message

    node.state["messages"]["s1"] = [
        message(n, "user" if n % 2 else "assistant", f"number {n}", 1.0) for n in range(1, 151)
    ]
    async with open_screen(folder) as screen:
        await screen.connected()
        screen.app.open_session("s1")
        await screen.until(lambda: "number 150" in screen.seen(), "newest")
        assert len(screen.conversation.messages) == 60
        await screen.until(lambda: not screen.chat.transcript._pending, "all rendered")
        screen.chat.transcript.scroll_home(animate=False, force=True)
        await screen.until(lambda: len(screen.conversation.messages) == 120, "older ones")
        assert node.called("sessions.messages")[-1]["before"] == 91


async def test_a_list_in_another_order_keeps_the_cursor_on_its_row(
    folder: Path, node: ScriptedNode
) -> None:
    async with open_screen(folder, (120, 40)) as screen:
        await screen.connected()
        await screen.until(lambda: "Explain blind" in screen.seen(), "the list")
        sessions = screen.chat.sessions
        sessions.highlighted = [o.id for o in sessions.options].index("s2")
        node.state["sessions.list"][1]["updated"] = time.time()
        node.state["sessions.list"].reverse()
        node.publish("sessions.changed", session_id="s2")
        await screen.until(lambda: [o.id for o in sessions.options][1:3] == ["s2", "s1"], "moved")
        marked = sessions.highlighted_option
        assert marked is not None
        assert marked.id == "s2"
