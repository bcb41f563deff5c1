"""The line of keys: what fits, and what always has its room."""

from __future__ import annotations

import pytest

from tui.app.action import ANYWHERE, PANES, Action
from tui.app.app import KEPT_HINTS
from tui.app.keymap import ActionTable
from tui.app.panes.chat_list import HINTS
from tui.app.widgets.bars import fitting

# At 80 columns each pane names the keys that a newcomer cannot do without.
NEEDED = {
    "chat": {"send_question", "new_chat", "model", "help"},
    "circuit": {"rotate", "api_tags", "events", "explain"},
    "mints": {"fund", "send_token", "receive_token", "pay", "mints_explain"},
    "earnings": {"ghost_pause", "ghost_explain", "ghost_model", "ghost_caps"},
    "network": {"ghost_facts", "ghosts_explain", "ghost_trust", "ghost_ban"},
    "settings": {"change", "reset", "find_setting", "help"},
}


def _fit(pane: str, columns: int) -> set[str]:
    return {action.name for action in fitting(_hints(pane), KEPT_HINTS, columns)}


def _hints(pane: str) -> list[Action]:
    actions = ActionTable()
    return [a for group in (pane, ANYWHERE) for a in actions.of_group(group) if a.hint]


@pytest.mark.parametrize("pane", PANES)
def test_every_pane_names_its_keys_and_the_way_out(pane: str) -> None:
    assert KEPT_HINTS | NEEDED[pane] <= _fit(pane, 80)
    assert _fit(pane, 60) >= KEPT_HINTS
    assert _fit(pane, 200) == {action.name for action in _hints(pane)}


def test_an_action_without_a_key_takes_no_room() -> None:
    table = ActionTable({"theme": ("f1",), "sessions": ("question_mark",)})
    assert not [a for a in fitting(list(table.all), frozenset(), 10_000) if not a.keys]


def test_the_list_of_conversations_names_acts_that_there_are() -> None:
    assert set(HINTS) <= set(ActionTable().by_name)
