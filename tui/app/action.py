"""What an act of the screen is, and where acts belong. The acts themselves stand in `acts`."""

from __future__ import annotations

from dataclasses import dataclass

ANYWHERE = "anywhere"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Action:
    name: str
    title: str
    help: str
    keys: tuple[str, ...] = ()
    group: str = ANYWHERE
    hint: str = ""  # short word for the hint line; empty: not shown there
    bound: bool = True  # False: the key is handled by a widget itself, the table only explains it

    @property
    def key_words(self) -> str:
        return " or ".join(pretty_key(key) for key in self.keys)


PANES = ("chat", "circuit", "mints", "earnings", "network", "settings")
PANE_TITLES = {
    "chat": "Chat",
    "circuit": "Circuit",
    "mints": "Mints",
    "earnings": "Earnings",
    "network": "Network",
    "settings": "Settings",
}

_KEY_WORDS = {
    "question_mark": "?",
    "slash": "/",
    "escape": "Esc",
    "enter": "Enter",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "alt+comma": "Alt+,",
    "alt+full_stop": "Alt+.",
}


def pretty_key(key: str) -> str:
    """`ctrl+n` as people write it: Ctrl+N."""
    if key in _KEY_WORDS:
        return _KEY_WORDS[key]
    return (
        "+".join(
            part.upper() if len(part) <= 2 and "+" not in key else part.capitalize()
            for part in key.split("+")
        )
        if len(key) > 1
        else key
    )
