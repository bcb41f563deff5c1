"""The Textual app: five panes over one model, painted on timers. Acts are dispatched here.

It imports as little as the first paint needs: the chat pane. Other panes, dialogs and the control
client are imported when they are first used.
"""

from __future__ import annotations

import gc
import inspect
import os
import signal
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container
from textual.screen import Screen
from textual.theme import Theme
from textual.widgets import Static

from tui.app import profile, themes
from tui.app.action import ANYWHERE, Action
from tui.app.alerts import alerts, headline
from tui.app.controller import Controller
from tui.app.crash import DiscreetApp
from tui.app.explain import figures
from tui.app.keymap import ActionTable
from tui.app.link import CallFailed, NodeLink
from tui.app.look import Look
from tui.app.model import AppModel
from tui.app.panes.chat import ChatPane
from tui.app.preferences import Preferences, Value
from tui.app.text import ellipsis
from tui.app.widgets.bars import Banner, ClickBar, HintBar, StatusBar, TabBar

if TYPE_CHECKING:
    from textual.command import Provider
    from textual.timer import Timer

    from tui.app.panes.base import Pane

THEME_S = 1.0
LEAST_COLUMNS, LEAST_ROWS = 60, 16
TOO_SMALL = (
    f"This window is too small. Peer2Prompt needs {LEAST_COLUMNS} columns and {LEAST_ROWS} lines; "
    "enlarge the window or use a smaller font. Nothing is lost meanwhile."
)
INTERRUPTED = 130
KEPT_HINTS = frozenset({"palette", "quit"})  # with these nobody is lost; F1 stands above the line
Severity = Literal["information", "warning", "error"]


def _commands() -> type[Provider]:
    from tui.app.commands import Commands

    return Commands


class PeerApp(DiscreetApp):
    """Peer2Prompt's screen."""

    TITLE = "Peer2Prompt"
    CSS_PATH = "app.tcss"
    COMMANDS = {_commands}  # noqa: RUF012 (Textual's own spelling)
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide"), (140, "-very-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012

    def __init__(
        self,
        socket: Path,
        *,
        earnings_socket: Path | None = None,
        theme: str | None = None,
        config: Path | None = None,
    ) -> None:
        self.config = config or themes.config_dir()
        self.preferences = Preferences.load(self.config)
        self.profile = profile.choose(self.preferences.text("profile"), os.environ)
        wanted = theme or self.preferences.text("theme") or self.profile.theme
        self.theme_file, complaint = themes.choose(wanted, self.config)
        self.actions = ActionTable(self.preferences.keys)
        self._complaints = [*self.preferences.complaints, *self.actions.problems]
        self._complaints += [complaint] if complaint else []
        super().__init__()
        self._own_bindings = self._bindings
        self._bind()
        self._painting: list[Timer] = []
        self._last_input = time.monotonic()
        self.locked = False
        self.model = AppModel()
        self.model.earnings_from_demo_ghost = earnings_socket is not None
        self.link = NodeLink(socket, self.model)
        self.ghost_link = (
            NodeLink(earnings_socket, self.model, earnings_only=True) if earnings_socket else None
        )
        self.controller = Controller(self.model, self.link)
        self.link.on_ready = self._connected
        self._offered = False
        self.front = "chat"
        self._panes: dict[str, Pane] = {}
        self._theme_stamp = 0.0
        self._theme_serial = 0
        self._wear(self.theme_file)
        self._dress()

    # -- life --------------------------------------------------------------------------------

    def get_default_screen(self) -> Screen[object]:
        """With its breakpoint classes from the start, so that the first size restyles nothing."""
        width, height = self.size
        classes = [name for least, name in self.HORIZONTAL_BREAKPOINTS if width >= least][-1:]
        classes += [name for least, name in self.VERTICAL_BREAKPOINTS if height >= least][-1:]
        return Screen(id="_default", classes=" ".join(classes))

    def compose(self) -> ComposeResult:
        yield Static(TOO_SMALL, id="too-small")
        yield TabBar(id="tabs")
        yield Banner(id="banner")
        with Container(id="stage"):
            pane = ChatPane(self)
            self._panes["chat"] = pane
            yield pane
        yield StatusBar(id="status")
        yield HintBar(id="hints")

    def on_mount(self) -> None:
        self._find_bars()
        self._paint_bars()
        self._catch_signals()
        self.call_after_refresh(self._after_first_paint)

    def _find_bars(self) -> None:
        self.tabs = self.query_one(TabBar)
        self.status_bar = self.query_one(StatusBar)
        self.hints = self.query_one(HintBar)
        self.banner = self.query_one(Banner)

    def _after_first_paint(self) -> None:
        gc.enable()
        self._paint_bars()
        self._panes["chat"].paint_fast()
        self.run_worker(self.link.run(), exit_on_error=False)
        if self.ghost_link is not None:
            self.run_worker(self.ghost_link.run(), exit_on_error=False)
        self._start_timers()
        self.set_interval(THEME_S, self._reload_theme)
        for complaint in self._complaints:
            self.say(complaint, "warning")

    def _start_timers(self) -> None:
        """Paint as often as the profile says."""
        for timer in self._painting:
            timer.stop()
        self._painting = [
            self.set_interval(self.profile.fast_s, self._paint_fast),
            self.set_interval(self.profile.slow_s, self._paint_slow),
        ]

    def on_resize(self, event: events.Resize) -> None:
        small = event.size.width < LEAST_COLUMNS or event.size.height < LEAST_ROWS
        self.set_class(small, "-tiny")

    def _catch_signals(self) -> None:
        """Textual leaves the terminal broken when SIGTERM or SIGHUP kills it; so end in order."""
        import asyncio

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            try:
                loop.add_signal_handler(number, self._signalled)
            except (ValueError, RuntimeError, NotImplementedError):
                return  # not in the main thread: whoever runs us there owns the signals

    def _signalled(self) -> None:
        self.exit(INTERRUPTED, return_code=INTERRUPTED)

    def _bind(self) -> None:
        """Keys that work everywhere. A new conversation is begun from anywhere, too."""
        self._bindings = self._own_bindings.copy()
        everywhere = [a for a in self.actions.all if a.group == ANYWHERE or a.name == "new_chat"]
        for action in everywhere:
            for key in action.keys if action.bound and action.name != "palette" else ():
                first = key.startswith(("ctrl+", "f", "alt+")) and len(key) > 1
                deed = f"do('{action.name}')"
                binding = Binding(key, deed, action.title, show=False, priority=first)
                self._bindings.key_to_bindings.setdefault(key, []).insert(0, binding)

    def rebind(self, name: str, keys: tuple[str, ...]) -> None:
        """Give an action other keys, from now on; none gives it back its own. Raises ValueError
        with the reason when it cannot have them."""
        wanted = {**self.preferences.keys, name: keys} if keys else dict(self.preferences.keys)
        if not keys:
            wanted.pop(name, None)
        table = ActionTable(wanted)
        if table.problems:
            raise ValueError(table.problems[0])
        self.actions = table
        if not self.preferences.set_keys(name, keys):
            self.say("For this time only: the choice could not be written down.", "warning")
        self._bind()
        for pane in self._panes.values():
            pane.bind_keys()
        self._bars = None

    # -- painting ----------------------------------------------------------------------------

    def _paint_fast(self) -> None:
        pane = self._panes.get(self.front)
        if pane is not None and pane.ready:
            pane.paint_fast()

    def _paint_slow(self) -> None:
        self._paint_bars()
        self._tell_finished()
        self._lock_when_idle()
        pane = self._panes.get(self.front)
        if pane is not None and pane.ready:
            pane.paint()

    def _tell_finished(self) -> None:
        """A note, and the bell if wanted, for answers that ended where nobody was looking."""
        finished = self.model.chat.finished
        while finished:
            conversation = finished.popleft()
            looked_at = self.front == "chat" and conversation is self.model.chat.current
            if looked_at and self.app_focus:
                continue
            if self.preferences.flag("bell"):
                self.bell()
            if self.preferences.flag("notifications") and not looked_at:
                title = ellipsis(conversation.title or conversation.last_question(), 40)
                failed = conversation.can_retry()
                words = "could not be answered" if failed else "has its answer"
                self.say(f"“{title}” {words}.", "warning" if failed else "information")

    def _paint_bars(self) -> None:
        if not hasattr(self, "banner"):
            return
        status = self.model.status
        state = self.model.link.state
        right = f"node {status.node[:8]} {'●' if state == 'up' else '○'}" if status.node else ""
        figures_now = figures(self.model)
        hinted = self._hinted()
        keys = [(action.name, action.keys, action.hint) for action in hinted]
        fresh = (self.size.width, self.front, right, figures_now, self._banner_text(), keys)
        if fresh == self._bars:
            return
        self._bars = fresh
        self.tabs.show(self.front, right)
        self.status_bar.show(figures_now)
        self.hints.show(hinted, KEPT_HINTS)
        self.banner.show(self._banner_text())

    _bars: object = None
    _read: frozenset[str] = frozenset()  # alerts that were read in the help
    _waiting_deed: tuple[Pane, str] | None = None

    def _banner_text(self) -> str:
        return headline(self.model, self._read)

    def _hinted(self) -> list[Action]:
        """What the line of keys offers: the pane's, then those that hold anywhere."""
        pane = self._panes.get(self.front)
        here = pane.hinted() if pane is not None else []
        return [*here, *(a for a in self.actions.of_group(ANYWHERE) if a.hint)]

    def on_click_bar_chosen(self, event: ClickBar.Chosen) -> None:
        self.action_do(event.name)

    # -- acts --------------------------------------------------------------------------------

    def action_do(self, name: str) -> None:
        """A key or a click asks for an action. A dialog in front keeps the panes out of reach."""
        if self.screen.is_modal and name not in ("quit", "theme", "lock"):
            return
        self.perform(name)

    def perform(self, name: str) -> None:
        """Do an action of the table, on the pane it belongs to."""
        action = self.actions.by_name[name]
        if action.group == ANYWHERE:
            self._run(getattr(self, f"do_{name}", lambda: self.show_pane(name)))
            return
        if self.front != action.group:
            self.show_pane(action.group)
        pane = self._panes[action.group]
        if pane.ready:
            self._run(getattr(pane, f"do_{name}"))
        else:
            self._waiting_deed = (pane, name)

    def _run(self, deed: Callable[[], object]) -> None:
        result = deed()
        if inspect.iscoroutine(result):
            self.act(result)

    def act(self, deed: Coroutine[Any, Any, object]) -> None:
        """Run something that talks to the node; a failure is shown, never raised."""
        self.run_worker(self._guarded(deed), exit_on_error=False)

    async def _guarded(self, deed: Coroutine[Any, Any, object]) -> None:
        try:
            await deed
        except CallFailed as exc:
            trouble = exc.trouble
            parts = [trouble.message, trouble.kept, trouble.hint]
            self.say("\n".join(part for part in parts if part), "error")

    def say(self, words: str, severity: Severity = "information") -> None:
        """A short note that goes away by itself; none while the screen is locked."""
        if self.locked:
            return
        self.notify(words, severity=severity, timeout=8 if severity == "error" else 5, markup=False)

    def copy(self, text: str, what: str) -> None:
        from tui.app import clipboard

        words, done = clipboard.copy(text, what, self.copy_to_clipboard)
        self.say(words, "information" if done else "warning")

    def show_pane(self, name: str) -> None:
        if name == self.front:
            self._panes[name].focus_first()
            return
        self.front = name
        pane = self._panes.get(name)
        for other in self._panes.values():
            other.display = other is pane
        self.link.show_pane(name)
        if self.ghost_link is not None:
            self.ghost_link.show_pane(name)
        if pane is None:
            pane = self._panes[name] = self._make_pane(name)
            self.query_one("#stage").mount(pane)
        else:
            self.arrived(pane)

    def arrived(self, pane: Pane) -> None:
        """A pane that is in front is ready to be used."""
        if pane.group != self.front:
            return
        pane.call_after_refresh(pane.paint)
        pane.focus_first()
        self._paint_bars()
        deed, self._waiting_deed = self._waiting_deed, None
        if deed is not None and deed[0] is pane:
            self._run(getattr(pane, f"do_{deed[1]}"))

    def _make_pane(self, name: str) -> Pane:
        if name == "circuit":
            from tui.app.panes.circuit import CircuitPane

            return CircuitPane(self)
        if name == "mints":
            from tui.app.panes.mints import MintsPane

            return MintsPane(self)
        if name == "network":
            from tui.app.panes.network import NetworkPane

            return NetworkPane(self)
        if name == "settings":
            from tui.app.panes.settings import SettingsPane

            return SettingsPane(self)
        from tui.app.panes.earnings import EarningsPane

        return EarningsPane(self)

    async def _connected(self) -> None:
        await self.controller.resync()
        if not self._offered:
            self._offered = True
            self.run_worker(self._offer_guide(), exit_on_error=False)

    async def _offer_guide(self) -> None:
        """A new home is shown around; a node that knows no guide is left alone."""
        from tui.app.first_run.guide import Guide

        with suppress(CallFailed):
            await Guide(self).offer()

    async def do_guide(self) -> None:
        from tui.app.first_run.guide import Guide

        await Guide(self).run()

    def do_checkup(self) -> None:
        from tui.app.screens.checkup import CheckupScreen

        self.push_screen(CheckupScreen(self))

    def do_help(self) -> None:
        from tui.app.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self._read = frozenset(alerts(self.model))
            self.push_screen(HelpScreen(self, self.front))

    def do_palette(self) -> None:
        self.action_command_palette()

    def do_quit(self) -> None:
        self.exit(0)

    async def do_jump(self) -> None:
        from tui.app.screens.jump import JumpScreen

        target = await self.push_screen_wait(JumpScreen(self.screen))
        if target is not None and target.is_attached:
            target.focus()

    def do_lock(self) -> None:
        from tui.app.screens.lock import LockScreen

        if not self.locked:
            self.locked = True
            self.clear_notifications()
            self.push_screen(LockScreen(self), self._unlocked)

    def _unlocked(self, _result: None) -> None:
        self.locked = False

    def _lock_when_idle(self) -> None:
        minutes = self.preferences.number("lock_after_min")
        if minutes and time.monotonic() - self._last_input > 60 * minutes:
            self._last_input = time.monotonic()
            self.do_lock()

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.InputEvent):
            self._last_input = time.monotonic()
        await super().on_event(event)

    async def do_wipe(self) -> None:
        """Panic: one question whose safe answer is focused, then nothing is left."""
        from tui.app.screens.form import confirm

        detail = "The wallet, every conversation and all keys of this node are gone for ever."
        if await confirm(self, "Destroy everything?", detail, "Destroy"):
            await self.link.call("wipe")
            self.exit(0)

    async def action_quit(self) -> None:
        self.exit(0)

    def do_theme(self) -> None:
        names = themes.available(self.config)
        place = names.index(self.theme_file.name) if self.theme_file.name in names else -1
        self.use_theme(names[(place + 1) % len(names)])

    def prefer(self, key: str, value: Value) -> None:
        """Change one of the screen's settings and act on it at once."""
        if key == "theme" and value:
            self.use_theme(str(value))
            return
        if not self.preferences.set(key, value):
            self.say("For this time only: the choice could not be written down.", "warning")
        if key == "profile":
            self._take_profile(profile.choose(str(value), os.environ))
        elif key == "theme":
            self._change(themes.choose(self.profile.theme, self.config)[0])
        elif key == "text_width":
            self._relook()

    def do_profile(self) -> None:
        """The next profile: full, slow link, plain."""
        names = list(profile.PROFILES)
        self.use_profile(names[(names.index(self.profile.name) + 1) % len(names)])

    def use_profile(self, name: str) -> None:
        """Move as much as this profile says, from now on, and remember it."""
        self._take_profile(profile.PROFILES[name])
        written = self.preferences.set("profile", name)
        words = f"{self.profile.title}. {self.profile.meaning}"
        self.say(words if written else f"{words} For this time only: it could not be written down.")

    def _take_profile(self, chosen: profile.Profile) -> None:
        self.profile = chosen
        if not self.preferences.text("theme"):
            self._change(themes.choose(chosen.theme, self.config)[0])
        self._dress()
        self._start_timers()
        self._relook()

    def _dress(self) -> None:
        """Classes of the style sheets for the profile."""
        self.set_class(not self.profile.framed, "-plain")
        self.animation_level = "full" if self.profile.ticking else "none"

    def use_model(self, name: str) -> None:
        self.model.chat.current.model = name
        self.show_pane("chat")

    def use_shape(self, name: str) -> None:
        """The conversation in front travels in this shape from its next question on."""
        self.model.chat.current.shape = name
        self.model.revision += 1
        self.show_pane("chat")

    def open_session(self, session_id: str) -> None:
        self.show_pane("chat")
        chat = self._panes["chat"]
        if isinstance(chat, ChatPane):
            chat.switch(session_id)

    # -- themes ------------------------------------------------------------------------------

    @property
    def look(self) -> Look:
        theme = self.theme_file
        return Look.of(
            theme.colours,
            theme.dark,
            framed=self.profile.framed,
            whole_blocks=self.profile.whole_blocks,
            text_width=self.preferences.number("text_width"),
        )

    def show_theme(self, name: str) -> str:
        """Wear a theme for now; returns what is wrong with it."""
        chosen, complaint = themes.choose(name, self.config)
        self._change(chosen)
        return complaint

    def use_theme(self, name: str) -> None:
        """Wear a theme and remember it."""
        complaint = self.show_theme(name)
        if complaint:
            self.say(complaint, "warning")
        elif not self.preferences.set("theme", name):
            title = self.theme_file.title
            self.say(f"{title}, for this time only: the choice could not be written down.")

    def _reload_theme(self) -> None:
        """Follow changes of the theme's file, so that it can be tuned while looking at it."""
        path = self.theme_file.path
        if path is None:
            return
        try:
            stamp = path.stat().st_mtime
        except OSError:
            return
        if stamp == self._theme_stamp:
            return
        self._theme_stamp = stamp
        try:
            self._change(themes.load(path))
        except themes.ThemeError as exc:
            self.say(f"{exc} The colours stay as they were.", "warning")

    def _change(self, theme: themes.ThemeFile) -> None:
        if theme == self.theme_file:
            return
        self.theme_file = theme
        self._wear(theme)
        self._relook()

    def _relook(self) -> None:
        chat = self._panes.get("chat")
        if isinstance(chat, ChatPane) and chat.ready:
            chat.relook()
        self._bars = None

    def _wear(self, theme: themes.ThemeFile) -> None:
        if theme.path is not None:
            try:
                self._theme_stamp = theme.path.stat().st_mtime
            except OSError:
                self._theme_stamp = 0.0
        self._theme_serial += 1
        name = f"{theme.name}-{self._theme_serial}"
        self.register_theme(_textual_theme(name, theme))
        self.theme = name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return {"muted": themes.BUILT_IN.colours["muted"]}


def _textual_theme(name: str, theme: themes.ThemeFile) -> Theme:
    prefix = "ansi_" if theme.terminal else ""
    c = {key: prefix + value for key, value in theme.colours.items()}
    return Theme(
        name=name,
        ansi=theme.terminal,
        primary=c["primary"],
        secondary=c["secondary"],
        accent=c["accent"],
        foreground=c["foreground"],
        background=c["background"],
        surface=c["surface"],
        panel=c["panel"],
        success=c["success"],
        warning=c["warning"],
        error=c["error"],
        dark=theme.dark,
        variables={
            "muted": c["muted"],
            "ansi-background": c["background"],
            "ansi-foreground": c["foreground"],
            "text-muted": c["muted"],
            "block-cursor-background": c["primary"],
            "block-cursor-foreground": c["background"],
            "block-cursor-text-style": "none",
            "block-cursor-blurred-background": c["panel"],
            "block-cursor-blurred-foreground": c["foreground"],
            "border": c["primary"],
            "border-blurred": c["panel"],
            "input-selection-background": c["panel"],
            "input-selection-foreground": c["foreground"],
            "scrollbar": c["muted"],
            "scrollbar-hover": c["primary"],
            "scrollbar-active": c["primary"],
            "scrollbar-background": c["surface"],
            "scrollbar-background-hover": c["surface"],
            "scrollbar-background-active": c["surface"],
            "scrollbar-corner-color": c["background"],
            "button-color-foreground": c["background"],
            "link-style": "none",
            "link-style-hover": "underline",
            "link-background-hover": "transparent",
        },
    )
