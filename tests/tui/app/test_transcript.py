"""The conversation widget: cached strips, following the end, staying put, selection."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Offset, Region
from textual.selection import Selection
from textual.strip import Strip

from tests.helpers.screen import Screen, open_screen
from tests.helpers.scripted_node import ScriptedNode
from tui.app.look import Look
from tui.app.message import Message
from tui.app.render import MessageLines, Renderer, first_difference
from tui.app.themes import BUILT_IN
from tui.app.widgets.transcript import SCROLL_STEP, Transcript

LOOK = Look.of(BUILT_IN.colours, True)


def _text(lines: MessageLines) -> str:
    return "\n".join(strip.text.rstrip() for strip in lines.strips)


def test_streamed_and_whole_answers_look_the_same() -> None:
    from tests.helpers.scripted_node import ANSWER

    renderer = Renderer(80, LOOK)
    streamed = MessageLines(message := Message("assistant", "", state="waiting"))
    for end in range(0, len(ANSWER) + 7, 7):
        message.text, message.state = ANSWER[:end], "streaming"
        message.touch()
        streamed.update(renderer)
    message.state = "done"
    message.touch()
    streamed.update(renderer)
    whole = MessageLines(Message("assistant", ANSWER))
    whole.update(renderer)
    assert _text(streamed) == _text(whole)
    assert all(strip.cell_length == 80 for strip in whole.strips)


def test_unchanged_messages_are_not_drawn_again() -> None:
    renderer = Renderer(80, LOOK)
    lines = MessageLines(Message("assistant", "Text"))
    assert lines.update(renderer)
    assert not lines.update(renderer)


def test_a_link_cannot_hide_its_address() -> None:
    lines = MessageLines(Message("assistant", "[your bank](http://evil.example/)"))
    lines.update(Renderer(80, LOOK))
    assert "http://evil.example/" in _text(lines)
    assert not any(segment.style and segment.style.link for s in lines.strips for segment in s)


def test_markup_in_messages_stays_text() -> None:
    lines = MessageLines(Message("user", "[bold]x[/bold] :smile: [@click=app.quit]y[/]"))
    lines.update(Renderer(80, LOOK))
    assert "[bold]x[/bold] :smile: [@click=app.quit]y[/]" in _text(lines)


async def _long(screen: Screen, node: ScriptedNode) -> None:
    await screen.connected()
    await screen.ask("go")
    await screen.until(lambda: bool(screen.app.model.chat.asks), "accepted")
    _say(node, "\n\n".join(f"line {n}" for n in range(40)) + "\n\n", 0)
    await screen.until(lambda: "line 39" in screen.seen(), "at the end")


def _say(node: ScriptedNode, text: str, offset: int) -> None:
    node.publish("ask.delta", ask_id="ask1", session_id="new1", text=text, offset=offset)


@pytest.mark.asyncio
async def test_the_end_is_followed_until_the_user_scrolls_up(
    folder: Path, node: ScriptedNode
) -> None:
    node.answer = None
    async with open_screen(folder) as screen:
        await _long(screen, node)
        view = screen.chat.transcript
        assert (view.virtual_size.height - view.size.height) % SCROLL_STEP == 0
        await screen.press("pageup")
        await screen.until(lambda: not view.following, "left the end")
        place = view.scroll_offset.y
        sent = screen.conversation.messages[-1].text
        _say(node, "one more\n\nand more", len(sent))
        await screen.until(lambda: "and more" in screen.conversation.messages[-1].text, "grown")
        await screen.until(lambda: "more below" in screen.seen(), "cue")
        assert view.scroll_offset.y == place
        await screen.press("pagedown", "pagedown", "pagedown")
        await screen.until(lambda: view.following and "and more" in screen.seen(), "end again")


@pytest.mark.asyncio
async def test_a_smaller_window_stays_at_the_end(folder: Path, node: ScriptedNode) -> None:
    node.answer = None
    async with open_screen(folder, (100, 40)) as screen:
        await _long(screen, node)
        await screen.pilot.resize_terminal(80, 24)
        await screen.until(lambda: screen.chat.transcript.size.width < 80, "resized")
        await screen.until(lambda: "line 39" in screen.seen(), "still at the end")


@pytest.mark.asyncio
async def test_selected_text_can_be_read(folder: Path, node: ScriptedNode) -> None:
    node.answer = "Some words."
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.ask("hello")
        await screen.until(lambda: screen.conversation.live is None, "done")
        await screen.until(lambda: "Some words." in screen.seen(), "shown")
        selection = Selection(Offset(0, 0), Offset(80, 5))
        text, _ = screen.chat.transcript.get_selection(selection) or ("", "")
        assert "hello" in text
        assert "Some words." in text


@pytest.mark.asyncio
async def test_a_thousand_messages_open_at_once(folder: Path, node: ScriptedNode) -> None:
    from tui.app.conversation import Conversation

    del node
    async with open_screen(folder) as screen:
        await screen.connected()
        many = [Message("user" if n % 2 else "assistant", f"number {n}") for n in range(1000)]
        screen.app.model.chat.current = Conversation("big", messages=many, revision=1)
        await screen.until(lambda: "number 999" in screen.seen(), "newest first")
        await screen.until(lambda: not screen.chat.transcript._pending, "the rest")
        assert "number 999" in screen.seen()
        assert len(screen.chat.transcript._lines) == 1000


def _strip(*parts: tuple[str, str]) -> Strip:
    return Strip([Segment(text, Style.parse(style)) for text, style in parts])


def test_the_first_difference_of_two_rows() -> None:
    row = _strip(("a word ", "bold"), ("more   ", "red"))
    assert first_difference(row, _strip(("a word ", "bold"), ("more   ", "red"))) == 14
    assert first_difference(row, _strip(("a word ", "bold"), ("move   ", "red"))) == 9
    assert first_difference(row, _strip(("a word ", "bold"), ("more   ", "blue"))) == 7
    assert first_difference(row, _strip(("a word ", "bold"))) == 7
    assert first_difference(None, row) == first_difference(row, None) == 0


@pytest.mark.asyncio
async def test_a_streamed_word_paints_only_its_own_place(folder: Path, node: ScriptedNode) -> None:
    node.answer = None
    async with open_screen(folder) as screen:
        await _long(screen, node)
        transcript = screen.app.query_one(Transcript)
        painted: list[Region] = []
        whole = transcript.refresh

        def refresh(*regions: Region, **options: bool) -> Transcript:
            painted.extend(regions or [transcript.size.region])
            return whole(*regions, **options)

        transcript.refresh = refresh  # type: ignore[method-assign]
        text = "\n\n".join(f"line {n}" for n in range(40)) + "\n\n"
        _say(node, "and one", len(text))
        await screen.until(lambda: "and one" in screen.seen(), "the first words")
        painted.clear()
        _say(node, " more", len(text) + 7)
        await screen.until(lambda: "and one more" in screen.seen(), "the next word")
        assert [(region.x, region.height) for region in painted] == [(len("  and one "), 1)]
