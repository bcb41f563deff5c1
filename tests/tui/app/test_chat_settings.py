"""Models, settings of a conversation, temporary ones, export, import and snippets."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.screen import Screen, open_screen
from tests.helpers.scripted_node import ScriptedNode
from tui.app.chat_options import changed_options, file_name, options_text, read_options
from tui.app.model import ModelOffer
from tui.app.screens.models import rows_of, shown_rows

pytestmark = pytest.mark.asyncio


async def _opened(screen: Screen) -> None:
    await screen.connected()
    await screen.until(lambda: bool(screen.app.model.chat.sessions), "sessions")
    screen.app.open_session("s1")
    await screen.until(lambda: len(screen.conversation.messages) == 2, "read")


async def test_models_are_filtered_sorted_and_explained(folder: Path, node: ScriptedNode) -> None:
    del node
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.press("ctrl+o")
        await screen.dialog("ModelScreen")
        await screen.until(lambda: "It answered 14 of 14 questions" in screen.seen(), "why")
        for words in (
            "82 %",
            "2,048 tokens.",
            "Can: json.",
            "keeps nothing",
            "malware",
            "law of CH",
            "900 ms",
        ):
            assert words in screen.seen(), words
        await screen.press("ctrl+s", "ctrl+s")
        await screen.until(lambda: "by speed" in screen.seen(), "sorted")
        await screen.until(lambda: "Would not be asked: it takes no mint" in screen.seen(), "first")
        await screen.press("ctrl+x")
        await screen.until(lambda: "qwen3-32b" not in screen.seen(), "hidden")
        await screen.press("ctrl+x", *"images")
        await screen.until(lambda: "images, tools." in screen.seen(), "by what it can")
        await screen.press("enter")
        await screen.until(lambda: screen.conversation.model == "qwen3-32b", "taken")


async def test_a_temporary_conversation_says_so(folder: Path, node: ScriptedNode) -> None:
    node.pause_s = 0.0
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.press("alt+t")
        await screen.until(lambda: "Temporary: nothing of this is kept" in screen.seen(), "said")
        await screen.ask("a secret")
        await screen.until(lambda: bool(node.called("ask")), "asked")
        assert node.called("ask")[0]["temporary"] is True
        await screen.press("ctrl+n")
        assert not screen.conversation.temporary


async def test_settings_of_a_conversation_are_changed(folder: Path, node: ScriptedNode) -> None:
    node.state["sessions.list"][0] |= {
        "system": "Be brief.\nAlways.",
        "params": {"temperature": 0.2, "seed": 7},
        "rotate_after": {"messages": 9, "age_s": 7200.0, "spent_msat": 5000},
    }
    async with open_screen(folder) as screen:
        await _opened(screen)
        await screen.press("alt+s")
        await screen.dialog("FormScreen")
        assert "Be brief.\\nAlways." in screen.seen()
        await screen.press("end", "!", "enter", "end", *(["backspace"] * 7), "enter")
        await screen.press(*"yes", "enter", "3", "enter", "enter", "enter")
        await screen.press(*"never", "enter", *"trim", "enter")
        await screen.until(lambda: bool(node.called("sessions.set")), "set")
        sent = node.called("sessions.set")[0]
        assert sent["system"] == "Be brief.\nAlways.!"
        assert sent["params"] == {"temperature": 0.2, "seed": None}
        assert sent["temporary"] is True
        after = sent["rotate_after"]
        assert (after.messages, after.age_s, after.spent_msat) == (3, 7200.0, 5000)
        assert (sent["failover"], sent["full"]) == ("never", "trim")
        await screen.until(lambda: "Temporary: nothing of this" in screen.seen(), "said")


async def test_settings_can_come_before_the_first_question(
    folder: Path, node: ScriptedNode
) -> None:
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.press("alt+s")
        await screen.dialog("FormScreen")
        await screen.press(*"Short.", *(["enter"] * 8))
        await screen.until(lambda: bool(node.called("sessions.set")), "set")
        assert node.called("sessions.create")[0]["temporary"] is False
        made = screen.conversation.session_id
        assert node.called("sessions.set")[0]["session_id"] == made
        assert node.called("sessions.set")[0]["system"] == "Short."


async def test_another_ghost_only_after_a_yes(folder: Path, node: ScriptedNode) -> None:
    async with open_screen(folder) as screen:
        await _opened(screen)
        await screen.press("alt+g")
        await screen.dialog("ConfirmScreen")
        await screen.press("n")
        await screen.until(lambda: not screen.app.screen.is_modal, "no")
        assert node.called("sessions.rotate") == []
        await screen.press("alt+g")
        await screen.dialog("ConfirmScreen")
        await screen.press("y")
        await screen.until(lambda: node.called("sessions.rotate") == [{"session_id": "s1"}], "yes")


async def test_a_conversation_is_exported_to_a_new_file(folder: Path, node: ScriptedNode) -> None:
    there = folder / "there.md"
    there.write_text("mine")
    async with open_screen(folder) as screen:
        await _opened(screen)
        await screen.press("alt+x")
        await screen.dialog("FormScreen")
        assert "~/what-is-an-onion.md" in screen.seen()
        await screen.press("ctrl+u", *str(there), "enter")
        await screen.until(lambda: "this file exists" in screen.seen(), "never over another")
        await screen.press("ctrl+u", *str(folder / "new.md"), "enter")
        await screen.until(lambda: bool(node.called("sessions.export")), "written")
        sent = node.called("sessions.export")[0]
        assert (sent["path"], sent["format"]) == (str(folder / "new.md"), "markdown")
        assert (sent["session_id"], sent["all"]) == ("s1", False)
        await screen.until(lambda: not screen.app.screen.is_modal, "left")
        screen.app.perform("export_all")
        await screen.dialog("FormScreen")
        await screen.press("ctrl+u", *str(folder / "all.json"), "enter")
        await screen.until(lambda: len(node.called("sessions.export")) == 2, "all written")
        sent = node.called("sessions.export")[1]
        assert (sent["format"], sent["session_id"], sent["all"]) == ("json", None, True)


async def test_what_is_imported_is_opened(folder: Path, node: ScriptedNode) -> None:
    (folder / "one.json").write_text("{}")
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.until(lambda: bool(screen.app.model.chat.sessions), "sessions")
        screen.app.perform("import")
        await screen.dialog("FormScreen")
        await screen.press(*str(folder / "one.json"), "enter")
        await screen.until(lambda: bool(node.called("sessions.import")), "imported")
        assert node.called("sessions.import")[0]["path"] == str(folder / "one.json")
        await screen.until(lambda: screen.conversation.session_id == "s2", "opened")


async def test_snippets_are_kept_inserted_and_deleted(folder: Path, node: ScriptedNode) -> None:
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.press("alt+k")
        await screen.until(lambda: "Write the text into the box first" in screen.seen(), "empty")
        await screen.type("Explain it to a cat.")
        await screen.press("alt+k")
        await screen.dialog("FormScreen")
        await screen.press(*"cat", "enter")
        await screen.until(lambda: len(node.state["snippets"]) == 2, "kept")
        await screen.until(lambda: not screen.app.screen.is_modal, "left")
        screen.chat.prompt.put("")
        await screen.press("alt+i")
        await screen.dialog("PickScreen")
        await screen.press("down", "enter")
        await screen.until(lambda: screen.chat.prompt.text == "Explain it to a cat.", "inserted")
        screen.app.perform("snippet_drop")
        await screen.dialog("PickScreen")
        await screen.press("enter")
        await screen.until(lambda: [s["name"] for s in node.state["snippets"]] == ["cat"], "gone")


VALUES = st.one_of(
    st.booleans(),
    st.integers(),
    st.text(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(st.text(), max_size=3),
    st.none(),
)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), VALUES, max_size=4))
async def test_options_are_read_as_they_are_written(params: dict[str, Any]) -> None:
    assert read_options(options_text(params)) == params


@given(st.text())
async def test_any_text_is_options_or_a_reason(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert all(name.isidentifier() for name in read_options(text))
    assert 0 < len(file_name(text)) <= 40
    assert "/" not in file_name(text)


async def test_what_is_missing_is_forgotten() -> None:
    assert changed_options({"a": 1, "b": 2}, {"b": 3, "c": 4}) == {"a": None, "b": 3, "c": 4}


async def test_an_offer_that_would_be_asked_stands_for_its_model() -> None:
    def offer(ghost: str, score: float, misfit: str = "", price: int = 5) -> ModelOffer:
        source = {"model": "m", "ghost": ghost, "score": score, "misfit": misfit}
        return ModelOffer.of({**source, "out_price": price})

    row = rows_of([offer("a", 0.9, "too dear"), offer("b", 0.4), offer("c", 0.6, price=3)])[0]
    assert [o.ghost for o in row.offers] == ["c", "b", "a"]
    assert row.misfit == ""
    assert row.price == (3, 0)
    assert shown_rows([row], "M", "score", hide=True) == [row]
    assert shown_rows([row], "x", "price", hide=False) == []
