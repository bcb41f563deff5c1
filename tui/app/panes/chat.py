"""The chat pane: conversations, the one in front, the prompt, and what it costs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import OptionList, Static

from tui.app.panes.base import Pane
from tui.app.panes.chat_consent import ConsentDeeds
from tui.app.panes.chat_cost import CostLine
from tui.app.panes.chat_files import FileDeeds
from tui.app.panes.chat_list import ListDeeds
from tui.app.panes.chat_messages import MessageDeeds
from tui.app.panes.chat_settings import SettingDeeds
from tui.app.text import clean, msat
from tui.app.widgets.prompt import Prompt
from tui.app.widgets.transcript import Transcript

if TYPE_CHECKING:
    from tui.app.action import Action
    from tui.app.app import PeerApp

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class ChatPane(MessageDeeds, ListDeeds, FileDeeds, ConsentDeeds, CostLine, SettingDeeds, Pane):
    group = "chat"

    def __init__(self, app: PeerApp) -> None:
        super().__init__(app)
        self._state_text: object = None
        self._list_wanted = False

    def compose(self) -> ComposeResult:
        with Horizontal(id="chat-body"):
            yield OptionList(id="sessions")
            with Vertical(id="chat-main"):
                yield Transcript(self.peer.look, id="transcript")
                yield Static(id="ask-state")
                with Horizontal(id="composer"):
                    yield Static("›", id="prompt-mark")
                    yield Prompt(id="prompt")
                yield Static(id="ask-files")
                yield Static(id="ask-cost")

    def on_mount(self) -> None:
        self.prompt = self.query_one(Prompt)
        self.transcript = self.query_one(Transcript)
        self.sessions = self.query_one(OptionList)
        self.state_line = self.query_one("#ask-state", Static)
        self.files_line = self.query_one("#ask-files", Static)
        self.cost_line = self.query_one("#ask-cost", Static)
        self.sessions.border_title = "Conversations"
        self.composer = self.query_one("#composer")

    def focus_first(self) -> None:
        self.to_prompt()

    def to_prompt(self) -> None:
        if self._list_wanted:  # in a narrow window the list covers the conversation
            self._show_list(False)
        self.prompt.focus()

    def hinted(self) -> list[Action]:
        return self.list_hints() if self.ready and self.sessions.has_focus else super().hinted()

    # -- painting ----------------------------------------------------------------------------

    def paint_fast(self) -> None:
        self.transcript.paint(self.conversation, self._welcome())
        self._paint_state()

    def paint(self) -> None:
        chat, up = self.model.chat, self.model.link.state == "up"
        if up and chat.current.session_id in chat.stale and chat.current.live is None:
            self.peer.act(self.controller.freshen(chat.current))
        self.ask_consent_once()
        self.paint_cost()
        self.paint_files()
        self.paint_sessions()

    def relook(self) -> None:
        self.transcript.set_look(self.peer.look)
        self._listed = None

    def _paint_state(self) -> None:
        live = self.conversation.live
        below = self.transcript.lines_below()
        right = f"▼ {below} more below" if below > 0 and not self.transcript.following else ""
        if live is None:
            cues = self._cues()
            fresh: tuple[object, ...] = (tuple(cues), right)
            parts = [((key, "bold $primary"), (f" {words}  ", "$muted")) for key, words in cues]
            left = Content.assemble(*(part for pair in parts for part in pair))
        else:
            now = time.monotonic()
            ticking = self.peer.profile.ticking and self.app.animation_level != "none"
            glyph = SPINNER[int(now * 5) % len(SPINNER)] if ticking else "·"
            words = live.words() + (f" ({live.detail})" if live.detail else "")
            spent = f"{now - live.began:.0f} s" if ticking else ""
            comma = ", " if spent else ""
            paid = f"{comma}{msat(live.paid_msat)} handed over" if live.paid_msat else ""
            fresh = (glyph, words, spent, paid, right)
            left = Content.assemble(
                (f"{glyph} ", "$accent"),
                (words, "$foreground"),
                (f"  {spent}{paid}", "$muted"),
                ("  Esc", "bold $primary"),
                (" stops", "$muted"),
            )
        if fresh == self._state_text:
            return
        self._state_text = fresh
        gap = " " * max(2, self.state_line.size.width - left.cell_length - len(right) - 1)
        self.state_line.update(Content.assemble(" ", left, gap, (right, "$muted")))

    def _cues(self) -> list[tuple[str, str]]:
        """Keys and what they do here, for the line above the box."""
        selected = self.transcript.selected() if self.transcript.has_focus else None
        if selected is None:
            waits = self.conversation.consent is not None
            cues = [(self.key_of("consent"), "asks another ghost")] if waits else []
            retry = (self.short_key("retry"), "asks again")
            return [*cues, retry] if self.conversation.can_retry() else cues
        cues = [("edit_question", "edit"), ("retry", "ask again"), ("branch", "branch")]
        cues += [("copy_message", "copy")]
        if selected.pieces:
            cues.insert(0, ("unfold", "fold" if selected.unfolded else "unfold"))
        found = [(self.short_key(name, -1), words) for name, words in cues]
        return [("← →", "versions"), *found] if len(selected.siblings) > 1 else found

    def _welcome(self) -> list[tuple[str, str]]:
        if not self.conversation.loaded:
            return [("muted", "Reading this conversation from the encrypted store …")]
        if not self.model.link.ever_up:
            lost = self.model.link.state == "lost"
            words = self.model.link.reason if lost else "Connecting to the node …"
            return [("strong", "Not connected yet"), ("base", words)]
        return [
            ("strong", "Ask something."),
            ("base", ""),
            (
                "base",
                "Your question leaves through three relays to a ghost, a stranger's computer "
                "that asks the model for you. You pay it in ecash, a little at a time.",
            ),
            ("base", ""),
            (
                "muted",
                "The relays cannot read the question. The ghost and the model's provider can "
                "read it, but do not learn who asked; so leave out what names you. Somebody who "
                "watches the whole network at once can still link the two ends.",
            ),
        ]

    # -- events ------------------------------------------------------------------------------

    @on(Prompt.Submitted)
    def _submitted(self, event: Prompt.Submitted) -> None:
        self.submit(event.text)

    def submit(self, text: str) -> None:
        question = clean(text).strip()
        if not question and not self.conversation.files:
            return
        if not self.free():
            return
        if (editing := self.conversation.editing) is not None:
            self.submit_edited(editing, question)
            return
        self.prompt.put("")
        self.transcript.go_to_end()
        self.peer.act(self.controller.ask(self.conversation, question))

    @on(Prompt.PathPasted)
    def _path_pasted(self, event: Prompt.PathPasted) -> None:
        if self.attach(event.path):
            key = self.short_key("detach")
            self.peer.say(f"{event.path.name} goes with your question. {key} takes it away.")

    @on(Prompt.Scroll)
    def _scroll(self, event: Prompt.Scroll) -> None:
        self._scroll_pages(event.pages)

    def _scroll_pages(self, pages: int) -> None:
        rows = max(1, self.transcript.size.height - 2)
        self.transcript.scroll_relative(y=pages * rows, animate=False)

    @on(Prompt.Recall)
    def _recall(self) -> None:
        if question := self.conversation.last_question():
            self.prompt.put(question)

    def paint_editing(self) -> None:
        editing = self.conversation.editing is not None
        words = "Temporary: nothing of this is kept" if self.conversation.temporary else ""
        if editing:
            words = "Editing: Enter asks it on a branch of its own, Esc leaves it"
        self.composer.border_title = words

    @on(Transcript.Beside)
    def _beside(self, event: Transcript.Beside) -> None:
        self.go_beside(event.step)

    @on(Transcript.TopReached)
    def _top(self) -> None:
        if not self.conversation.complete:
            self.peer.act(self.controller.load_older(self.conversation))

    @on(OptionList.OptionSelected, "#sessions")
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        chosen = event.option.id or ""
        if chosen == "new":
            self.do_new_chat()
        else:
            self.switch(chosen)

    def switch(self, session_id: str) -> None:
        self.bring(session_id)
        self.peer.act(self.controller.open_session(session_id))

    def bring(self, session_id: str) -> None:
        self._keep_draft()
        self.model.chat.open(session_id)
        self.prompt.put(self.model.chat.current.draft)
        self.to_prompt()
        self.paint_editing()

    def _keep_draft(self) -> None:
        self.conversation.draft = self.prompt.text

    # -- deeds -------------------------------------------------------------------------------

    def do_send_question(self) -> None:
        self.submit(self.prompt.text)

    def do_newline(self) -> None:
        self.prompt.insert("\n")

    def do_page_up(self) -> None:
        self._scroll_pages(-1)

    def do_page_down(self) -> None:
        self._scroll_pages(1)

    def do_stop(self) -> None:
        if self.conversation.live is not None:
            self.peer.act(self.controller.stop(self.conversation))
        elif self.conversation.editing is not None:
            self.leave_editing()
        elif self.prompt.has_focus:
            self.transcript.focus()
        else:
            self.to_prompt()

    def do_new_chat(self) -> None:
        self.begin_new(temporary=False)

    def begin_new(self, *, temporary: bool) -> None:
        self._keep_draft()
        self.model.chat.new_conversation().temporary = temporary
        self.prompt.put("")
        self.to_prompt()
        self.paint_editing()

    def do_editor(self) -> None:
        from tui.app.editor import edit

        text, complaint = edit(self.app, self.prompt.text)
        if text is not None:
            self.prompt.put(clean(text).rstrip("\n"))
        if complaint:
            self.peer.say(complaint, "warning")
        self.to_prompt()

    def do_copy_answer(self) -> None:
        answer = self.conversation.last_answer()
        if answer is None:
            self.peer.say("There is no answer to copy yet.")
        else:
            self.peer.copy(answer.text, "The answer")

    def do_sessions(self) -> None:
        if self.sessions.display and self.sessions.has_focus:
            self.to_prompt()
            return
        self._show_list(True)
        self.paint_sessions()
        if self.sessions.highlighted is None and self.sessions.option_count:
            self.sessions.highlighted = 0
        self.sessions.focus()

    def _show_list(self, wanted: bool) -> None:
        """Where the window is too narrow for both it stands in place of the conversation."""
        self._list_wanted = wanted
        self.set_class(wanted, "-list")
        self.call_after_refresh(self.paint_sessions)

    async def do_model(self) -> None:
        from tui.app.screens.pick import pick_model

        name = await pick_model(self.peer)
        if name:
            self.conversation.model = name
            self.paint_cost()

    async def do_shape(self) -> None:
        from tui.app.screens.pick import pick_shape

        name = await pick_shape(self.peer)
        if name:
            self.peer.use_shape(name)
            self.paint_cost()
