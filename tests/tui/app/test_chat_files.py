"""Files for a question, and what it would cost, before anything is sent."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events

from tests.helpers.screen import Screen, open_screen
from tests.helpers.scripted_node import ScriptedError, ScriptedNode
from tui.app.estimate import Estimate
from tui.app.files import MAX_FILE, FileProblem, completion, pasted_path, read_file

pytestmark = pytest.mark.asyncio


def _note(folder: Path, name: str = "notes one.txt") -> Path:
    path = folder / name
    path.write_text("Some words.\n")
    return path


async def _paste(screen: Screen, text: str) -> None:
    screen.app.post_message(events.Paste(text))
    await screen.pilot.pause()


async def test_a_pasted_path_becomes_a_file_of_the_question(
    folder: Path, node: ScriptedNode
) -> None:
    node.pause_s = 0.0
    path = _note(folder)
    async with open_screen(folder) as screen:
        await screen.connected()
        await _paste(screen, f"'{path}'")
        await screen.until(lambda: "notes one.txt (12 B)" in screen.seen(), "shown")
        assert screen.chat.prompt.text == ""
        await _paste(screen, "no path at all")
        await screen.until(lambda: screen.chat.prompt.text == "no path at all", "text stays text")
        await screen.press("enter")
        await screen.until(lambda: bool(node.called("ask")), "asked")
        sent = node.called("ask")[0]["attachments"]
        assert [(f.name, base64.b64decode(f.data)) for f in sent] == [
            ("notes one.txt", b"Some words.\n")
        ]
        await screen.until(lambda: screen.conversation.live is None, "answered")
        await screen.until(lambda: screen.conversation.files == [], "gone from the box")


async def test_a_file_is_attached_by_its_path_and_taken_away(
    folder: Path, node: ScriptedNode
) -> None:
    _note(folder)
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.press("alt+a")
        await screen.dialog("FormScreen")
        await screen.press(*str(folder / "nothing"), "enter")
        await screen.until(lambda: "cannot be read" in screen.seen(), "refused")
        await screen.press(*(["backspace"] * len("nothing")), *"not")
        await screen.pilot.pause(0.2)
        await screen.press("right", "enter")
        await screen.until(lambda: len(screen.conversation.files) == 1, "attached")
        await screen.press("alt+d")
        await screen.until(lambda: screen.conversation.files == [], "taken away")
        assert node.called("ask") == []


async def test_of_several_files_one_is_taken_away(folder: Path, node: ScriptedNode) -> None:
    del node
    async with open_screen(folder) as screen:
        await screen.connected()
        for number in range(9):
            await _paste(screen, str(_note(folder, f"n{number}.txt")))
        await screen.until(lambda: "at most 8 files" in screen.seen(), "no more")
        await screen.press("alt+d")
        await screen.dialog("PickScreen")
        await screen.press("down", "enter")
        await screen.until(lambda: len(screen.conversation.files) == 7, "taken away")
        assert screen.conversation.files[1].name == "n2.txt"


async def test_a_question_that_was_not_taken_keeps_its_files(
    folder: Path, node: ScriptedNode
) -> None:
    node.failures["ask"] = ScriptedError("attachment", "The file is no text.")
    async with open_screen(folder) as screen:
        await screen.connected()
        await _paste(screen, str(_note(folder)))
        await screen.ask("read it")
        await screen.until(lambda: "The file is no text." in screen.seen(), "said")
        assert [f.name for f in screen.conversation.files] == ["notes one.txt"]


async def test_the_cost_is_told_before_sending(folder: Path, node: ScriptedNode) -> None:
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.type("a question")
        await screen.until(lambda: "likely 0.9 sat, at most 4 sat" in screen.seen(), "cost")
        assert ", 25 % of the context" in screen.seen()
        node.state["estimate"]["context"]["left_out"] = 3
        await screen.type("!")
        await screen.until(lambda: "3 old messages left out" in screen.seen(), "trimmed")
        node.state["estimate"]["fits"] = False
        await screen.type("!")
        await screen.until(lambda: "it would be refused" in screen.seen(), "refused")
        node.failures["ask.estimate"] = ScriptedError("attachment", "The picture is too large.")
        await screen.type("!")
        await screen.until(lambda: "The picture is too large." in screen.seen(), "trouble")
        screen.chat.prompt.put("")
        await screen.until(lambda: "at most 20 sat an answer" in screen.seen(), "no question")
        assert node.called("ask") == []


async def test_the_same_question_is_estimated_once(folder: Path, node: ScriptedNode) -> None:
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.type("a question")
        await screen.until(lambda: "likely" in screen.seen(), "cost")
        for _ in range(5):
            screen.chat.paint_cost()
            await screen.pilot.pause(0.02)
        assert len(node.called("ask.estimate")) == 1


async def test_files_are_read_whole_or_not_at_all(tmp_path: Path) -> None:
    for name, data, words in (
        ("empty", b"", "is empty"),
        ("large", bytes(MAX_FILE + 1), "larger than 2 MiB"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(FileProblem, match=words):
            read_file(tmp_path / name)
    with pytest.raises(FileProblem, match="not a file"):
        read_file(tmp_path)
    with pytest.raises(FileProblem, match="cannot be read"):
        read_file(tmp_path / "missing")
    with pytest.raises(FileProblem, match="cannot be read"):
        read_file(Path("/a\0b"))


async def test_paths_are_known_as_terminals_paste_them(tmp_path: Path) -> None:
    path = tmp_path / "a b.txt"
    path.write_text("x")
    escaped = str(path).replace(" ", "\\ ")
    for text in (str(path), f"'{path}'", f'"{path}"', escaped, path.as_uri(), f"  {path}\n"):
        assert pasted_path(text) == path
    for text in ("", "a b.txt", f"{path} and {path}", str(tmp_path), f"see {path}", "/a\0b", "'"):
        assert pasted_path(text) is None


@given(st.text())
async def test_any_text_is_a_path_or_not(text: str) -> None:
    found = pasted_path(text)
    assert found is None or found.is_file()
    completion(text)


async def test_paths_are_completed(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "new").mkdir()
    (tmp_path / ".hidden").write_text("x")
    assert completion(f"{tmp_path}/no") == f"{tmp_path}/notes.txt"
    assert completion(f"{tmp_path}/") == f"{tmp_path}/new/"
    assert completion(f"{tmp_path}/zz") is None
    assert completion("") is None


async def test_odd_estimates_become_defaults() -> None:
    estimate = Estimate.of({"likely_msat": "x", "context": 3, "fits": None})
    assert (estimate.likely_msat, estimate.context(), estimate.warning()) == (0, "", "")
