"""Acts on single messages: edit, ask again, branch, versions, copy, unfold."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.screen import Screen, open_screen
from tests.helpers.scripted_node import ScriptedError, ScriptedNode, message
from tui.app.code_blocks import CodeBlock, code_blocks

pytestmark = pytest.mark.asyncio


async def _opened(screen: Screen) -> None:
    await screen.connected()
    await screen.until(lambda: bool(screen.app.model.chat.sessions), "sessions")
    screen.app.open_session("s1")
    await screen.until(lambda: len(screen.conversation.messages) == 2, "read")
    await screen.until(lambda: "cost 0.412 sat" in screen.seen(), "drawn")


async def _into(screen: Screen) -> None:
    """The focus goes to the conversation; its last message is selected."""
    await screen.press("escape")
    await screen.until(lambda: screen.chat.transcript.selected() is not None, "selected")


async def _answered(screen: Screen) -> None:
    await screen.until(lambda: screen.conversation.live is None, "answered")
    await screen.until(
        lambda: all(m.number is not None for m in screen.conversation.messages), "stored"
    )


async def test_an_edited_question_is_asked_on_a_branch_of_its_own(
    folder: Path, node: ScriptedNode
) -> None:
    node.pause_s = 0.0
    async with open_screen(folder) as screen:
        await _opened(screen)
        await screen.type("half a thought")
        await _into(screen)
        await screen.press("up", "e")
        assert screen.chat.prompt.text == "What is an onion?"
        await screen.until(lambda: "Editing: Enter asks it" in screen.seen(), "said")
        await screen.press("!", "enter")
        await screen.until(lambda: bool(node.called("sessions.edit")), "asked")
        assert node.called("sessions.edit") == [
            {"session_id": "s1", "message_id": 1, "text": "What is an onion?!"}
        ]
        await _answered(screen)
        assert screen.conversation.messages[0].text == "What is an onion?!"
        assert len(screen.conversation.messages) == 2
        assert screen.chat.prompt.text == "half a thought"
        assert "Editing" not in screen.seen()


async def test_escape_leaves_the_editing_and_brings_the_draft_back(
    folder: Path, node: ScriptedNode
) -> None:
    async with open_screen(folder) as screen:
        await _opened(screen)
        await screen.type("half a thought")
        await screen.press("alt+e")
        assert screen.chat.prompt.text == "What is an onion?"
        await screen.press("escape")
        assert screen.chat.prompt.text == "half a thought"
        assert node.called("sessions.edit") == []


async def test_another_answer_stands_beside_the_first(folder: Path, node: ScriptedNode) -> None:
    node.pause_s = 0.0
    async with open_screen(folder) as screen:
        await _opened(screen)
        node.answer = "Quite another answer."
        await screen.press("ctrl+r")
        await _answered(screen)
        assert node.called("sessions.retry")[0]["message_id"] == 1
        await screen.until(lambda: "2 of 2" in screen.seen(), "its place")
        await _into(screen)
        await screen.press("left")
        await screen.until(lambda: "1 of 2" in screen.seen(), "the first version")
        assert "Quite another" not in screen.conversation.messages[-1].text
        await screen.press("right")
        await screen.until(lambda: "2 of 2" in screen.seen(), "the second version")
        assert screen.conversation.messages[-1].text == "Quite another answer."
        await screen.press("alt+comma")
        await screen.until(lambda: "1 of 2" in screen.seen(), "by its other key")


async def test_a_refused_question_leaves_what_was_shown(folder: Path, node: ScriptedNode) -> None:
    node.failures["sessions.retry"] = ScriptedError("busy", "It cannot be asked now.")
    async with open_screen(folder) as screen:
        await _opened(screen)
        shown = list(screen.conversation.messages)
        await screen.press("ctrl+r")
        await screen.until(lambda: "It cannot be asked now." in screen.seen(), "said")
        assert screen.conversation.messages == shown
        assert screen.conversation.live is None


async def test_the_next_question_follows_the_chosen_answer(
    folder: Path, node: ScriptedNode
) -> None:
    node.state["messages"]["s1"] += [
        message(11, "user", "And a leek?", 1.0),
        message(12, "assistant", "Longer.", 2.0),
    ]
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.until(lambda: bool(screen.app.model.chat.sessions), "sessions")
        screen.app.open_session("s1")
        await screen.until(lambda: "Longer." in screen.seen(), "drawn")
        await _into(screen)
        await screen.press("up", "up", "b")
        await screen.until(lambda: len(screen.conversation.messages) == 2, "cut")
        assert node.called("sessions.branch")[0]["message_id"] == 2
        assert screen.chat.prompt.has_focus


async def test_a_branch_can_be_a_conversation_of_its_own(folder: Path, node: ScriptedNode) -> None:
    async with open_screen(folder) as screen:
        await _opened(screen)
        await screen.press("alt+n")
        await screen.until(lambda: screen.conversation.session_id == "copy2", "opened")
        await screen.until(lambda: len(screen.conversation.messages) == 2, "read")
        assert node.called("sessions.branch")[0]["as_new"] is True


async def test_messages_and_code_are_copied(folder: Path, node: ScriptedNode) -> None:
    del node
    copied: list[str] = []
    async with open_screen(folder) as screen:
        await _opened(screen)
        screen.app.copy_to_clipboard = copied.append  # type: ignore[method-assign]
        await _into(screen)
        await screen.press("up", "c")
        await screen.press("down", "k")
    assert copied[0] == "What is an onion?"
    assert copied[1] == "for hop in reversed(path):\n    cell = hop.seal(cell)"


async def test_of_several_blocks_one_is_chosen(folder: Path, node: ScriptedNode) -> None:
    node.state["messages"]["s1"][1]["text"] = "```\none\n```\nThe vegetable\n~~~py\ntwo\n~~~\n"
    copied: list[str] = []
    async with open_screen(folder) as screen:
        await _opened(screen)
        screen.app.copy_to_clipboard = copied.append  # type: ignore[method-assign]
        await screen.press("alt+c")
        await screen.dialog("PickScreen")
        await screen.press("down", "enter")
        await screen.until(lambda: copied == ["two"], "copied")


async def test_reasoning_and_calls_are_folded_until_asked_for(
    folder: Path, node: ScriptedNode
) -> None:
    node.answer = None
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.ask("hello")
        await screen.until(lambda: bool(screen.app.model.chat.asks), "accepted")
        ids = {"ask_id": "ask1", "session_id": "new1"}
        node.publish("ask.part", **ids, part=1, kind="reasoning", text="Let me ")
        node.publish("ask.part", **ids, part=1, kind="reasoning", text="think.")
        node.publish("ask.part", **ids, part=2, kind="call", name="weather", text='{"at":1}')
        node.publish("ask.delta", **ids, text="Done.", offset=0)
        await screen.until(lambda: "Tool call: weather" in screen.seen(), "folded")
        assert "Let me think." not in screen.seen()
        await screen.press("alt+f")
        await screen.until(lambda: "Let me think." in screen.seen(), "unfolded")
        assert '{"at":1}' in screen.seen()
        await screen.press("alt+f")
        await screen.until(lambda: "Let me think." not in screen.seen(), "folded again")


async def test_the_selected_message_is_marked(folder: Path, node: ScriptedNode) -> None:
    del node
    async with open_screen(folder) as screen:
        await _opened(screen)
        await _into(screen)
        await screen.press("up")
        await screen.until(
            lambda: any("You " in row and "‹" in row for row in screen.seen().split("\n")), "marked"
        )
        assert "copy" in screen.seen()
        await screen.press("escape")
        await screen.until(lambda: "‹" not in screen.seen(), "not while nobody acts on it")


async def test_what_cannot_be_done_is_said(folder: Path, node: ScriptedNode) -> None:
    del node
    async with open_screen(folder) as screen:
        await screen.connected()
        for name, words in (
            ("edit_question", "no stored question"),
            ("retry", "no question to ask again"),
            ("branch", "Choose a stored answer"),
            ("branch_new", "not stored"),
            ("version_after", "only one version"),
            ("copy_message", "nothing to copy"),
            ("copy_code", "no code block"),
            ("unfold", "no reasoning"),
        ):
            screen.app.perform(name)
            await screen.until(lambda words=words: words in screen.seen(), name)


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("no code", []),
        ("```py\na\n\nb\n```", [CodeBlock("py", "a\n\nb")]),
        ("````\n```\nx\n```\n````", [CodeBlock("", "```\nx\n```")]),
        ("```\nopen", [CodeBlock("", "open")]),
        ("```\n```", [CodeBlock("", "")]),
    ],
)
async def test_blocks_of_code_are_found(text: str, blocks: list[CodeBlock]) -> None:
    assert code_blocks(text) == blocks
