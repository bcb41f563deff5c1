"""Keys of the user's choice: checked, and a key has one meaning wherever it works."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.app.action import ANYWHERE
from tui.app.actions import ACTIONS
from tui.app.keymap import ActionTable


def _doubles(table: ActionTable) -> list[tuple[str, str, str]]:
    found = []
    for place, one in enumerate(table.all):
        for other in table.all[place + 1 :]:
            near = one.group == other.group or ANYWHERE in (one.group, other.group)
            found += [(k, one.name, other.name) for k in one.keys if near and k in other.keys]
    return found


def test_no_key_of_the_program_has_two_meanings() -> None:
    assert _doubles(ActionTable()) == []


def test_a_changed_key_is_taken_from_who_had_it() -> None:
    table = ActionTable({"editor": ("ctrl+o",)})
    assert table.problems == []
    assert table.by_name["editor"].keys == ("ctrl+o",)
    assert "ctrl+o" not in table.by_name["model"].keys
    assert table.by_name["new_chat"].keys == ("ctrl+n",)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"nothing": ("x",)}, "no action called 'nothing'"),
        ({"send_question": ("ctrl+x",)}, "cannot be changed"),
        ({"quit": ("escape",)}, "cannot be given away"),
        ({"quit": ("x",)}, "cannot be typed into a question"),
        ({"model": ("ctrl+x",), "editor": ("ctrl+x",)}, "is given to"),
        ({"quit": ("ctrl+x",), "editor": ("ctrl+x",)}, "is given to"),
    ],
)
def test_what_cannot_be_is_said(changed: dict[str, tuple[str, ...]], words: str) -> None:
    table = ActionTable(changed)
    assert len(table.problems) == 1
    assert words in table.problems[0]


KEYS = st.sampled_from(["ctrl+x", "ctrl+n", "ctrl+o", "f", "e", "x", "f9", "alt+w"])


@given(st.dictionaries(st.sampled_from([a.name for a in ACTIONS]), st.tuples(KEYS), max_size=4))
def test_whatever_is_changed_no_key_has_two_meanings(changed: dict[str, tuple[str, ...]]) -> None:
    table = ActionTable(changed)
    assert {action.name for action in table.all} == {action.name for action in ACTIONS}
    if not any("is given to" in problem for problem in table.problems):
        assert _doubles(table) == []
