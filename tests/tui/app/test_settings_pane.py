"""The settings pane: what can be set is listed with its meaning, changed, written and undone."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.helpers.screen import Screen, open_screen
from tests.helpers.scripted_node import ScriptedNode
from tui.app.panes.settings import KEY_PREFIX, SettingsPane
from tui.app.preferences import SETTINGS

pytestmark = pytest.mark.asyncio


async def _settings(screen: Screen) -> SettingsPane:
    await screen.press("f7")
    await screen.until(lambda: bool(screen.app.query(SettingsPane)), "made")
    pane = screen.app.query_one(SettingsPane)
    await screen.until(lambda: pane.ready and pane.options.option_count > len(SETTINGS), "listed")
    return pane


def _go(pane: SettingsPane, name: str) -> None:
    pane.options.highlighted = pane.options.get_option_index(name)


def _file(folder: Path) -> dict[str, object]:
    return tomllib.loads((folder / "config" / "tui.toml").read_text())


async def test_each_setting_is_explained(folder: Path) -> None:
    async with open_screen(folder, (80, 24)) as screen:
        pane = await _settings(screen)
        for setting in SETTINGS:
            _go(pane, setting.key)
            first = setting.meaning.split(".")[0].split()[:4]
            await screen.until(lambda first=first: " ".join(first) in screen.seen(), setting.key)


async def test_settings_are_changed_written_and_reset(folder: Path) -> None:
    async with open_screen(folder, (100, 30)) as screen:
        pane = await _settings(screen)
        _go(pane, "notifications")
        await screen.press("enter")
        await screen.until(lambda: not screen.app.preferences.flag("notifications"), "off")
        assert _file(folder) == {"notifications": False}
        _go(pane, "text_width")
        await screen.press("enter")
        await screen.dialog("FormScreen")
        await screen.press("end", "backspace", "backspace", "backspace", "7", "enter")
        await screen.until(lambda: "from 40 to 400" in screen.seen(), "refused")
        await screen.press("2", "enter")
        await screen.until(lambda: screen.app.preferences.number("text_width") == 72, "72")
        assert screen.app.look.text_width == 72
        await screen.press("d")
        await screen.until(lambda: screen.app.preferences.number("text_width") == 100, "default")


async def test_a_setting_is_found_by_what_it_does(folder: Path) -> None:
    async with open_screen(folder, (80, 24)) as screen:
        pane = await _settings(screen)
        await screen.press("slash")
        await screen.dialog("FindScreen")
        await screen.press(*"xyzzy")
        await screen.until(lambda: "Nothing is called so." in screen.seen(), "nothing")
        await screen.press("enter", *["backspace"] * 5, *"fresh circ")
        action = screen.app.actions.by_name["rotate"]
        await screen.until(lambda: action.help.split(".")[0][:30] in screen.seen(), "its meaning")
        await screen.press("enter")
        await screen.until(lambda: pane.under_cursor() == KEY_PREFIX + "rotate", "gone there")
        assert pane.options.has_focus


async def test_profile_and_theme_are_picked(folder: Path) -> None:
    async with open_screen(folder, (100, 30)) as screen:
        pane = await _settings(screen)
        _go(pane, "profile")
        await screen.press("enter")
        await screen.dialog("PickScreen")
        await screen.press("end", "enter")
        await screen.until(lambda: screen.app.profile.name == "plain", "plain")
        _go(pane, "theme")
        await screen.press("enter")
        await screen.dialog("PickScreen")
        worn = screen.app.theme_file.name
        await screen.press("home")
        await screen.until(lambda: screen.app.theme_file.name == "amber", "tried on")
        await screen.press("escape")
        await screen.until(lambda: screen.app.theme_file.name == worn, "back to the one before")
        assert _file(folder) == {"profile": "plain"}
        await screen.press("enter")
        await screen.dialog("PickScreen")
        await screen.press("home", "enter")
        await screen.until(lambda: _file(folder).get("theme") == "amber", "kept")
        assert screen.app.theme_file.name == "amber"


async def test_keys_are_changed_and_work_at_once(folder: Path) -> None:
    async with open_screen(folder, (100, 30)) as screen:
        pane = await _settings(screen)
        _go(pane, KEY_PREFIX + "circuit")
        await screen.press("enter")
        await screen.dialog("KeyScreen")
        await screen.press("f9")
        await screen.until(lambda: "Go to Circuit: F9" in screen.seen(), "said")
        assert _file(folder) == {"keys": {"circuit": ["f9"]}}
        await screen.press("f3")
        assert screen.app.front == "settings"
        await screen.press("f9")
        await screen.until(lambda: screen.app.front == "circuit", "there")
        await screen.press("f7")
        _go(pane, KEY_PREFIX + "circuit")
        await screen.press("d")
        await screen.press("f3")
        await screen.until(lambda: screen.app.front == "circuit", "its own again")


async def test_a_key_that_fields_need_is_refused(folder: Path) -> None:
    async with open_screen(folder, (100, 30)) as screen:
        pane = await _settings(screen)
        _go(pane, KEY_PREFIX + "quit")
        await screen.press("enter")
        await screen.dialog("KeyScreen")
        await screen.press("tab")
        await screen.until(lambda: "cannot be given away" in screen.seen(), "refused")
        assert screen.app.actions.by_name["quit"].keys == ("ctrl+q",)


async def test_an_answer_elsewhere_is_told_and_rung(
    folder: Path, node: ScriptedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.answer = None
    async with open_screen(folder, (100, 30)) as screen:
        rung: list[bool] = []
        monkeypatch.setattr(screen.app, "bell", lambda: rung.append(True))
        await screen.connected()
        screen.app.prefer("bell", True)
        for number, told in ((1, True), (2, False)):
            screen.app.prefer("notifications", told)
            await screen.press("f2", "ctrl+n")
            await screen.ask(f"question {number}")
            await screen.until(lambda: bool(screen.app.model.chat.asks), "accepted")
            await screen.press("f3")
            ids = {"ask_id": f"ask{number}", "session_id": f"new{number}"}
            node.publish("ask.done", **ids, result={"answer": "yes", "cost_msat": 1})
            await screen.until(lambda number=number: len(rung) == number, "rung")
            note = f"“question {number}” has its answer"
            if told:
                await screen.until(lambda note=note: note in screen.seen().replace("\n", " "), note)
            else:
                assert not any(note in n.message for n in screen.app._notifications)
        await screen.press("f2", "ctrl+n")
        await screen.ask("looked at")
        await screen.until(lambda: bool(screen.app.model.chat.asks), "accepted")
        ids = {"ask_id": "ask3", "session_id": "new3"}
        node.publish("ask.done", **ids, result={"answer": "here", "cost_msat": 1})
        await screen.until(lambda: "here" in screen.seen(), "shown")
        await screen.until(lambda: not screen.app.model.chat.finished, "noticed")
        assert len(rung) == 2


async def test_the_nodes_settings_stand_below_with_their_meaning(
    folder: Path, node: ScriptedNode
) -> None:
    del node
    async with open_screen(folder, (100, 30)) as screen:
        await screen.connected()
        pane = await _settings(screen)
        await screen.until(lambda: "node:shape.tick_ms" in pane.options._id_to_option, "read")
        _go(pane, "node:shape.tick_ms")
        await screen.until(lambda: "Milliseconds between two cells." in screen.seen(), "meaning")
        assert "250   default: 125" in screen.seen()
        await screen.press("enter")
        await screen.until(lambda: "config.toml" in screen.seen(), "where to change it")
