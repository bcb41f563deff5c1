"""The list of conversations in the chat pane, and deeds on whole conversations.

They are about the conversation under the list's cursor while the list has the focus, else about
the one in front.
"""

from __future__ import annotations

from dataclasses import replace

from textual.content import Content
from textual.widgets import OptionList

from tui.app.action import Action
from tui.app.conversation import SessionInfo
from tui.app.panes.chat_deeds import ChatDeeds
from tui.app.text import ellipsis

HINTS = {
    "pin": "pin",
    "archive": "put away",
    "rename": "rename",
    "stop": "back",
    "delete": "delete",
    "archived": "show all",
    "search": "search",
}
"""What the line of keys says while the list has the focus, the most useful first."""
NOT_YET = "This conversation is not stored yet; ask something first."


class ListDeeds(ChatDeeds):
    sessions: OptionList
    _listed: object = None
    _with_archived = False

    def chosen_session(self) -> SessionInfo | None:
        """The conversation that acts are about; the user is told when there is none."""
        wanted = self.conversation.session_id
        row = self.sessions.highlighted
        if self.sessions.has_focus and row is not None:
            wanted = self.sessions.get_option_at_index(row).id or ""
        found = next((s for s in self.model.chat.sessions if s.session_id == wanted), None)
        if found is None:
            self.peer.say(NOT_YET)
        return found

    def paint_sessions(self) -> None:
        width = max(8, self.sessions.size.width - 4)
        current = self.conversation.session_id
        fresh = (tuple(self.model.chat.sessions), current, width)
        if fresh == self._listed or not self.sessions.display:
            return
        self._listed = fresh
        from textual.widgets.option_list import Option

        marked = self.sessions.highlighted_option  # the list may have another order by now
        self.sessions.clear_options()
        options = [Option(_option("+ New conversation", not current), id="new")]
        for info in self.model.chat.sessions:
            label = _label(info, info.session_id == current, width)
            options.append(Option(label, id=info.session_id))
        self.sessions.add_options(options)
        ids = [option.id for option in options]
        if marked is not None and marked.id in ids:
            self.sessions.highlighted = ids.index(marked.id)

    def list_hints(self) -> list[Action]:
        return [replace(self.peer.actions.by_name[name], hint=word) for name, word in HINTS.items()]

    # -- deeds -------------------------------------------------------------------------------

    async def do_search(self) -> None:
        from tui.app.screens.search import SearchScreen

        found = await self.peer.push_screen_wait(SearchScreen(self.peer))
        if found is None:
            return
        self.bring(found.session_id)
        await self.controller.open_at(found.session_id, found.message_id)
        self.paint_fast()
        shown = (m for m in self.conversation.messages if m.number == found.message_id)
        if (message := next(shown, None)) is not None:
            self.transcript.select(message)
            self.transcript.focus()

    def bring(self, session_id: str) -> None:
        """Show a conversation; whoever calls reads its messages."""
        raise NotImplementedError

    def paint_fast(self) -> None:
        raise NotImplementedError

    async def do_pin(self) -> None:
        if (info := self.chosen_session()) is not None:
            await self.controller.session_call(
                "sessions.pin", session_id=info.session_id, pinned=not info.pinned
            )

    async def do_archive(self) -> None:
        info = self.chosen_session()
        if info is None:
            return
        await self.controller.session_call(
            "sessions.archive", session_id=info.session_id, archived=not info.archived
        )
        if not info.archived and not self._with_archived:
            key = self.key_of("archived")
            self.peer.say(f"“{ellipsis(info.title, 40)}” is put away. {key} shows such ones.")

    def do_archived(self) -> None:
        self._with_archived = not self._with_archived
        self.controller.link.ask_for("sessions.list", archived=self._with_archived)
        title = "Conversations, all" if self._with_archived else "Conversations"
        self.sessions.border_title = title

    async def do_rename(self) -> None:
        from tui.app.screens.form import Field, ask_form

        if (info := self.chosen_session()) is None:
            return
        answer = await ask_form(
            self.peer, "Rename the conversation", "", [Field("title", "Title", info.title)]
        )
        if answer:
            await self.controller.rename(info.session_id, answer["title"])

    async def do_delete(self) -> None:
        from tui.app.screens.form import confirm

        if (info := self.chosen_session()) is None:
            return
        words = f"Delete “{ellipsis(info.title, 40)}” from the store?"
        if await confirm(self.peer, words, "Its messages cannot be brought back.", "Delete"):
            await self.controller.delete(info.session_id)
            self.to_prompt()


def _label(info: SessionInfo, current: bool, width: int) -> Content:
    marks = ("* " if info.pinned else "") + ("(temporary) " if info.temporary else "")
    title = ellipsis(marks + info.title, width)
    return _option(title, current, "$muted" if info.archived else "")


def _option(title: str, current: bool, tone: str = "") -> Content:
    mark = "▸ " if current else "  "
    return Content.assemble((mark, "$accent"), (title, f"bold {tone}" if current else tone))
