"""The screen's own settings: `<config>/tui.toml`, each with a default and a meaning.

Only what concerns this screen; the node has a configuration of its own. A bad file or value never
stops the program: the default holds, and the complaint is kept for the user to read. Writing
leaves comments and other keys of the file as they are.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tui.app import profile

FILE = "tui.toml"
Value = str | int | bool


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `choices` for words, `least` and `most` for numbers."""

    key: str
    title: str
    meaning: str
    default: Value
    choices: tuple[str, ...] = ()
    least: int = 0
    most: int = 0

    def problem(self, value: object) -> str:
        """What is wrong with a value, or nothing."""
        if isinstance(self.default, bool):
            return "" if isinstance(value, bool) else "must be true or false"
        if isinstance(self.default, int):
            fits = type(value) is int and self.least <= value <= self.most
            return "" if fits else f"must be a whole number from {self.least} to {self.most}"
        if not isinstance(value, str):
            return "must be a text"
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(self.choices)}"
        return ""


SETTINGS = (
    Setting(
        "theme",
        "Colour theme",
        "The name of a theme; empty for the one that goes with the profile.",
        "",
    ),
    Setting(
        "profile",
        "Profile",
        "How much the screen moves. auto takes `slow` over SSH and `full` elsewhere.",
        profile.AUTO,
        (profile.AUTO, *profile.PROFILES),
    ),
    Setting(
        "notifications",
        "Notes about other conversations",
        "Whether a note says that an answer in a conversation you are not looking at is done.",
        True,
    ),
    Setting("bell", "Bell", "Whether the terminal's bell rings when a long answer is done.", False),
    Setting(
        "lock_after_min",
        "Lock after",
        "Minutes without a key after which the screen hides everything until the passphrase is "
        "typed. 0: never.",
        0,
        most=1_440,
    ),
    Setting(
        "text_width",
        "Width of text",
        "The most columns a line of an answer takes; longer lines are hard to read.",
        100,
        least=40,
        most=400,
    ),
    Setting("mouse", "Mouse", "Whether the mouse clicks and scrolls. Needs a new start.", True),
)
BY_KEY = {setting.key: setting for setting in SETTINGS}


@dataclass
class Preferences:
    """What the user chose."""

    folder: Path
    values: dict[str, Value] = field(default_factory=dict)
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Keys of actions that the user changed, by the action's name."""
    complaints: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, folder: Path) -> Preferences:
        """Read the file; what cannot be used is complained about and left at its default."""
        found = cls(folder)
        try:
            data = tomllib.loads((folder / FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return found
        except (OSError, ValueError, RecursionError) as exc:
            found.complaints.append(f"{FILE} cannot be used ({exc}); the defaults hold.")
            return found
        found._take(data)
        return found

    def _take(self, data: Mapping[str, Any]) -> None:
        for key, value in data.items():
            if key == "keys" and isinstance(value, dict):
                self._take_keys(value)
            elif (setting := BY_KEY.get(key)) is None:
                self.complaints.append(f"{FILE}: there is no setting called {key!r}.")
            elif problem := setting.problem(value):
                self.complaints.append(f"{FILE}: {key} {problem}; the default holds.")
            else:
                self.values[key] = value

    def _take_keys(self, table: Mapping[str, Any]) -> None:
        for name, value in table.items():
            wanted = [value] if isinstance(value, str) else value
            if isinstance(wanted, list) and all(isinstance(key, str) and key for key in wanted):
                self.keys[name] = tuple(wanted)
            else:
                self.complaints.append(f"{FILE}: keys.{name} must be a key or a list of keys.")

    def text(self, key: str) -> str:
        return str(self._value(key))

    def number(self, key: str) -> int:
        return int(self._value(key))

    def flag(self, key: str) -> bool:
        return bool(self._value(key))

    def _value(self, key: str) -> Value:
        return self.values.get(key, BY_KEY[key].default)

    def set(self, key: str, value: Value) -> bool:
        """Choose a value and write it down; False when the folder cannot be written. Raises
        ValueError for a value that does not fit."""
        if problem := BY_KEY[key].problem(value):
            raise ValueError(f"{BY_KEY[key].title} {problem}.")
        self.values[key] = value
        return self._write({key: value})

    def set_keys(self, action: str, keys: tuple[str, ...]) -> bool:
        """Choose the keys of an action; none gives it back its own."""
        self.keys.pop(action, None)
        if keys:
            self.keys[action] = keys
        return self._write({"keys": {name: list(value) for name, value in self.keys.items()}})

    def _write(self, change: Mapping[str, Any]) -> bool:
        import tomlkit
        from tomlkit.exceptions import TOMLKitError

        path = self.folder / FILE
        try:
            document = tomlkit.parse(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError, TOMLKitError):
            document = tomlkit.document()  # none yet, or one that nobody can read
        document.update(change)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            fresh = self.folder / f".{FILE}.new"
            fresh.write_text(tomlkit.dumps(document), encoding="utf-8")
            fresh.replace(path)
        except OSError:
            return False
        return True
