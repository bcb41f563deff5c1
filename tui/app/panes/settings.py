"""The settings pane: every setting of this screen with its default and meaning, and every key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.app import themes
from tui.app.action import ANYWHERE, PANE_TITLES, Action, pretty_key
from tui.app.jsonish import Json, line, records
from tui.app.panes.base import Pane, style_sheet
from tui.app.preferences import BY_KEY, SETTINGS, Setting, Value
from tui.app.screens.find import Entry, FindScreen
from tui.app.text import ellipsis

if TYPE_CHECKING:
    from tui.app.app import PeerApp
    from tui.app.screens.form import Check

TITLE_WIDTH = 34
KEY_PREFIX = "key:"
NODE_PREFIX = "node:"
NODE_HINT = " Set in config.toml; the node reads it at its start."


class SettingsPane(Pane):
    group = "settings"
    DEFAULT_CSS = style_sheet("settings")

    def __init__(self, app: PeerApp) -> None:
        super().__init__(app)
        self._seen: object = None
        self._node: list[Json] = []

    def compose(self) -> ComposeResult:
        yield OptionList(id="settings-list")
        yield Static(id="settings-meaning", markup=False)

    def on_mount(self) -> None:
        self.options = self.query_one(OptionList)
        self.meaning = self.query_one("#settings-meaning", Static)
        self.options.border_title = "Settings of this screen, and its keys"

        self.peer.act(self._read_node())

    async def _read_node(self) -> None:
        """The node's own settings, which stand below the screen's while there is a node."""
        from tui.app.link import CallFailed

        try:
            self._node = records(await self.peer.link.call("config"))
        except CallFailed:
            return
        self._seen = None
        self.paint()

    def focus_first(self) -> None:
        self.options.focus()

    def paint(self) -> None:
        fresh = (dict(self.peer.preferences.values), self.peer.actions, self.size.width)
        if fresh == self._seen or not self.size.width:
            return
        self._seen = fresh
        place = self.options.highlighted
        self.options.clear_options()
        self.options.add_options(self._lines())
        self.options.highlighted = 0 if place is None else place

    def _lines(self) -> list[Option]:
        lines = [Option(self._setting_line(setting), id=setting.key) for setting in SETTINGS]
        for group in (ANYWHERE, *PANE_TITLES):
            actions = self.peer.actions.of_group(group)
            title = "Keys anywhere" if group == ANYWHERE else f"Keys on {PANE_TITLES[group]}"
            lines.append(Option(Content.styled(title, "bold $accent"), disabled=True))
            lines += [Option(self._key_line(a), id=KEY_PREFIX + a.name) for a in actions]
        if self._node:
            words = "The node's settings (config.toml)"
            lines.append(Option(Content.styled(words, "bold $accent"), disabled=True))
        lines += [
            Option(_node_line(found), id=NODE_PREFIX + line(found, "name")) for found in self._node
        ]
        return lines

    def _setting_line(self, setting: Setting) -> Content:
        value = self.peer.preferences.values.get(setting.key, setting.default)
        changed = value != setting.default
        return Content.assemble(
            ellipsis(setting.title, TITLE_WIDTH).ljust(TITLE_WIDTH + 2),
            (said(setting, value), "bold $primary" if changed else "$foreground"),
            (f"   default: {said(setting, setting.default)}" if changed else "", "$muted"),
        )

    def _key_line(self, action: Action) -> Content:
        changed = action.name in self.peer.preferences.keys
        style = "bold $primary" if changed else "$foreground" if action.bound else "$muted"
        return Content.assemble(
            ellipsis(action.title, TITLE_WIDTH).ljust(TITLE_WIDTH + 2),
            (_keys_of(action), style),
            ("   changed" if changed else "", "$muted"),
        )

    @on(OptionList.OptionHighlighted)
    def _explain(self, event: OptionList.OptionHighlighted) -> None:
        self.meaning.update(self._entry(event.option.id or "").meaning)

    def _entry(self, name: str) -> Entry:
        """The line of this id in words."""
        if name.startswith(KEY_PREFIX):
            action = self.peer.actions.by_name[name.removeprefix(KEY_PREFIX)]
            return Entry(name, action.title, _keys_of(action), action.help)
        if name.startswith(NODE_PREFIX):
            wanted = name.removeprefix(NODE_PREFIX)
            found = next(item for item in self._node if line(item, "name") == wanted)
            meaning = line(found, "meaning") + NODE_HINT
            return Entry(name, wanted, json.dumps(found.get("value")), meaning)
        setting = BY_KEY[name]
        value = self.peer.preferences.values.get(name, setting.default)
        return Entry(name, setting.title, said(setting, value), setting.meaning)

    # -- deeds -------------------------------------------------------------------------------

    @on(OptionList.OptionSelected)
    def _chosen(self) -> None:
        self.peer.perform("change")

    def under_cursor(self) -> str:
        place = self.options.highlighted
        return "" if place is None else self.options.get_option_at_index(place).id or ""

    async def do_change(self) -> None:
        name = self.under_cursor()
        if name.startswith(NODE_PREFIX):
            self.peer.say(f"{name.removeprefix(NODE_PREFIX)}:{NODE_HINT}")
        elif name.startswith(KEY_PREFIX):
            await self._change_key(self.peer.actions.by_name[name.removeprefix(KEY_PREFIX)])
        elif name in BY_KEY:
            value = await self._ask(BY_KEY[name])
            if value is not None:
                self.peer.prefer(name, value)
                self.paint()

    async def do_find_setting(self) -> None:
        names = [option.id for option in self.options.options if option.id]
        screen = FindScreen(self.peer, [self._entry(name) for name in names])
        name = await self.peer.push_screen_wait(screen)
        if name is not None:
            self.options.highlighted = self.options.get_option_index(name)
            self.options.focus()

    async def do_reset(self) -> None:
        name = self.under_cursor()
        if name.startswith(KEY_PREFIX):
            self._rebind(name.removeprefix(KEY_PREFIX), ())
        elif name in BY_KEY:
            self.peer.prefer(name, BY_KEY[name].default)
        self.paint()

    async def _ask(self, setting: Setting) -> Value | None:
        from tui.app.screens.form import Field, ask_form
        from tui.app.screens.pick import PickScreen

        current = self.peer.preferences.values.get(setting.key, setting.default)
        if isinstance(setting.default, bool):
            return not current
        if isinstance(setting.default, int):
            field = Field(setting.key, setting.title, str(current), check=_whole(setting))
            answer = await ask_form(self.peer, setting.title, setting.meaning, [field], "Set")
            return None if answer is None else int(answer[setting.key])
        if setting.choices:
            options = [(choice, Content(choice)) for choice in setting.choices]
            screen = PickScreen(setting.title, setting.meaning, options, current=str(current))
            return await self.peer.push_screen_wait(screen)
        return await self._ask_theme(setting)

    async def _ask_theme(self, setting: Setting) -> str | None:
        """Each theme is worn while the cursor is on it."""
        from tui.app.screens.pick import PickScreen

        worn, folder = self.peer.theme_file, self.peer.config
        found = [themes.choose(name, folder)[0] for name in themes.available(folder)]
        options = [(one.name, Content(one.title)) for one in found]
        screen = PickScreen(
            setting.title,
            "Seen as you go through them; Esc goes back to the one you had.",
            options,
            current=worn.name,
            preview=self.peer.show_theme,
        )
        chosen = await self.peer.push_screen_wait(screen)
        if chosen is None:
            self.peer.show_theme(worn.name)
        return chosen

    async def _change_key(self, action: Action) -> None:
        from tui.app.screens.key import KeyScreen

        if not action.bound:
            self.peer.say(f"The key of {action.title!r} cannot be changed.", "warning")
            return
        key = await self.peer.push_screen_wait(KeyScreen(action.title))
        if key is not None:
            self._rebind(action.name, (key,))
            self.paint()

    def _rebind(self, name: str, keys: tuple[str, ...]) -> None:
        try:
            self.peer.rebind(name, keys)
        except ValueError as exc:
            self.peer.say(f"{exc} The keys stay as they were.", "warning")
            return
        action = self.peer.actions.by_name[name]
        words = " or ".join(pretty_key(key) for key in action.keys) or "no key"
        self.peer.say(f"{action.title}: {words}.")


def _keys_of(action: Action) -> str:
    return action.key_words or "by name: Ctrl+P"


def _node_line(found: Json) -> Content:
    """A setting of the node, to be read only."""
    value, default = (json.dumps(found.get(name)) for name in ("value", "default"))
    changed = found.get("changed") is True
    return Content.assemble(
        ellipsis(line(found, "name"), TITLE_WIDTH).ljust(TITLE_WIDTH + 2),
        (ellipsis(value, 40), "bold $primary" if changed else "$foreground"),
        (f"   default: {ellipsis(default, 30)}" if changed else "", "$muted"),
    )


def said(setting: Setting, value: Value) -> str:
    """A value in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and setting.least == 0 and value == 0:
        return "never"
    return str(value) or "goes with the profile"


def _whole(setting: Setting) -> Check:
    def check(text: str) -> str:
        return setting.problem(int(text)) if text.isdecimal() and len(text) < 9 else "a number."

    return check
