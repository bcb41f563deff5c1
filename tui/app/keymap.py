"""The actions with the keys the user gave them: checked, never two meanings for one key. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tui.app.action import ANYWHERE, Action, pretty_key
from tui.app.actions import ACTIONS

RESERVED = ("enter", "escape", "tab", "shift+tab", "up", "down", "left", "right", "ctrl+c")
"""Keys that fields and lists live by."""


class ActionTable:
    """All actions with the keys the user gave them. `problems` says which changes were refused."""

    def __init__(self, changed: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self.problems: list[str] = []
        wanted = dict(changed or {})
        known = {action.name: action for action in ACTIONS}
        for name in list(wanted):
            if problem := _problem(known.get(name), name, wanted[name]):
                self.problems.append(problem)
                del wanted[name]
        self.all = tuple(
            replace(action, keys=wanted.get(action.name, action.keys)) for action in ACTIONS
        )
        self._refuse_doubles(wanted)
        self._drop_clashes(set(wanted))
        self.by_name = {action.name: action for action in self.all}

    def of_group(self, group: str) -> list[Action]:
        return [action for action in self.all if action.group == group]

    def _refuse_doubles(self, wanted: Mapping[str, tuple[str, ...]]) -> None:
        """A key that two changes want where both can be done belongs to neither by right."""
        changed = [action for action in self.all if action.name in wanted]
        for place, one in enumerate(changed):
            for other in changed[place + 1 :]:
                shared = [key for key in one.keys if key in other.keys]
                if shared and _meet(one.group, other.group):
                    key = pretty_key(shared[0])
                    self.problems.append(f"{key} is given to {one.title!r} and {other.title!r}.")

    def _drop_clashes(self, changed: set[str]) -> None:
        """A key the user gave to one action is no longer another's."""
        taken = [(a.group, key) for a in self.all if a.name in changed for key in a.keys]
        self.all = tuple(
            action
            if action.name in changed
            else replace(
                action,
                keys=tuple(
                    key
                    for key in action.keys
                    if not any(k == key and _meet(group, action.group) for group, k in taken)
                ),
            )
            for action in self.all
        )


def _problem(action: Action | None, name: str, keys: tuple[str, ...]) -> str:
    if action is None:
        return f"There is no action called {name!r} to give a key to."
    if not action.bound:
        return f"The key of {action.title!r} cannot be changed."
    for key in keys:
        if key in RESERVED:
            return f"{pretty_key(key)} cannot be given away: fields and lists need it."
        if len(key) == 1 and action.group in (ANYWHERE, "chat"):
            return f"{action.title!r} needs a key that cannot be typed into a question."
    return ""


def _meet(one: str, other: str) -> bool:
    """Whether two groups can be in reach at once."""
    return one == other or ANYWHERE in (one, other)
