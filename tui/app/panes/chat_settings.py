"""Deeds of the chat pane on how a conversation is held, on its export, and on snippets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.app.chat_options import changed_options, file_name, options_text, read_options
from tui.app.jsonish import Json, line, maybe_real, record, records, whole
from tui.app.panes.chat_deeds import ChatDeeds
from tui.app.text import clean, ellipsis, plural

if TYPE_CHECKING:
    from tui.app.screens.form import Field

FAILOVER = ("", "ask", "always", "never")
FULL = ("", "refuse", "trim")
HOUR_S = 3600


class SettingDeeds(ChatDeeds):
    def begin_new(self, *, temporary: bool) -> None:
        raise NotImplementedError

    def paint_editing(self) -> None:
        raise NotImplementedError

    def do_temporary(self) -> None:
        self.begin_new(temporary=True)
        self.peer.say(
            "A temporary conversation: nothing of it is written to the disk, and it is gone when "
            "the node stops. The ghost still reads what you ask."
        )

    # -- settings ----------------------------------------------------------------------------

    async def do_chat_settings(self) -> None:
        from tui.app.screens.form import ask_form

        conversation = self.conversation
        session = await self._session()
        intro = "Empty fields stand for the node's settings."
        answer = await ask_form(
            self.peer, "Settings of this conversation", intro, _fields(session), "Save"
        )
        if answer is None:
            return
        changes = _changes(session, answer)
        temporary = changes.pop("temporary")
        if not conversation.session_id:
            made = await self.controller.session_call(
                "sessions.create",
                model=conversation.model or None,
                shape=conversation.shape or None,
                temporary=temporary,
            )
            self.model.chat.name_session(conversation, line(made, "session_id"))
        elif temporary != conversation.temporary:
            changes["temporary"] = temporary
        await self.controller.session_call(
            "sessions.set", session_id=conversation.session_id, **changes
        )
        conversation.temporary = temporary
        conversation.settings_serial += 1
        self.paint_editing()

    async def _session(self) -> Json:
        """The conversation as the node has it, or as it will begin."""
        conversation = self.conversation
        if not conversation.session_id:
            return {"temporary": conversation.temporary}
        value = await self.controller.link.call("sessions.show", session_id=conversation.session_id)
        return record(value)

    async def do_other_ghost(self) -> None:
        from tui.app.screens.form import confirm

        conversation = self.conversation
        if not conversation.session_id:
            self.peer.say("A new conversation asks a fresh ghost anyway.")
            return
        detail = (
            "The next question goes to another ghost over a fresh circuit. It is shown this "
            "conversation, so that it can go on; both ghosts then know it."
        )
        if await confirm(self.peer, "Go on with another ghost?", detail, "Go on"):
            await self.controller.session_call(
                "sessions.rotate", session_id=conversation.session_id
            )
            self.peer.say("The next question goes to another ghost.")

    # -- export and import -------------------------------------------------------------------

    async def do_export(self) -> None:
        if not self.conversation.session_id:
            self.peer.say("This conversation is not stored yet; ask something first.")
            return
        title = self.conversation.title
        await self._export(f"~/{file_name(title)}.md", session_id=self.conversation.session_id)

    async def do_export_all(self) -> None:
        await self._export("~/conversations.json", all=True)

    async def _export(self, proposal: str, **what: Any) -> None:
        from tui.app.screens.form import ask_form
        from tui.app.screens.paths import path_field

        intro = (
            "The file is not encrypted; only you may read it. An existing file is never "
            "overwritten. A name ending in .json can be imported again, .md is for reading."
        )
        field = path_field("path", "Path of the new file", _export_path, proposal)
        answer = await ask_form(self.peer, "Export", intro, [field], "Write")
        if answer is None:
            return
        path = _absolute(answer["path"])
        kind = "json" if path.suffix == ".json" else "markdown"
        done = record(
            await self.controller.link.call("sessions.export", format=kind, path=str(path), **what)
        )
        words = plural(whole(done, "sessions"), "conversation")
        self.peer.say(f"{words} written to {path}.")

    async def do_import(self) -> None:
        from tui.app.screens.form import ask_form
        from tui.app.screens.paths import path_field

        intro = "A file that was exported as JSON, or a list of messages as OpenAI has it."
        field = path_field("path", "Path of the file", _import_path)
        answer = await ask_form(self.peer, "Import conversations", intro, [field], "Read")
        if answer is None:
            return
        path = _absolute(answer["path"])
        done = record(await self.controller.link.call("sessions.import", path=str(path)))
        self.controller.link.refresh("sessions.list")
        made = [item for item in done.get("sessions", []) if isinstance(item, str)]
        self.peer.say(f"{plural(len(made), 'conversation')} taken in.")
        if len(made) == 1:
            self.peer.open_session(made[0])

    # -- snippets ----------------------------------------------------------------------------

    async def do_snippet(self) -> None:
        found = await self._pick_snippet("Insert a snippet", "It goes where the cursor is.")
        if found is not None:
            self.prompt.insert(found[1])
            self.to_prompt()

    async def do_snippet_save(self) -> None:
        from tui.app.screens.form import Field, ask_form

        text = self.prompt.text
        if not text.strip():
            self.peer.say("Write the text into the box first; then it can be kept.")
            return
        answer = await ask_form(
            self.peer,
            "Keep as a snippet",
            "What stands in the box is kept in the encrypted store.",
            [Field("name", "Name")],
            "Keep",
        )
        if answer is not None:
            await self.controller.link.call("snippets.put", name=answer["name"], text=text)
            self.peer.say(f"Kept as “{answer['name']}”.")

    async def do_snippet_drop(self) -> None:
        found = await self._pick_snippet("Delete a snippet", "It cannot be brought back.")
        if found is not None:
            await self.controller.link.call("snippets.delete", name=found[0])
            self.peer.say(f"“{found[0]}” is gone.")

    async def _pick_snippet(self, title: str, intro: str) -> tuple[str, str] | None:
        """Name and text of a snippet of the user's choice."""
        from textual.content import Content

        from tui.app.screens.pick import PickScreen

        value = await self.controller.link.call("snippets.list")
        snippets = [(line(s, "name"), clean(s.get("text"))) for s in records(value)]
        if not snippets:
            save = self.key_of("snippet_save")
            self.peer.say(f"There is no snippet yet; {save} keeps what stands in the box.")
            return None
        options = [
            (
                str(place),
                Content.assemble(
                    (name, "bold"), (f"\n  {ellipsis(' '.join(text.split()), 60)}", "$muted")
                ),
            )
            for place, (name, text) in enumerate(snippets)
        ]
        chosen = await self.peer.push_screen_wait(PickScreen(title, intro, options))
        return None if chosen is None else snippets[int(chosen)]


def _fields(session: Json) -> list[Field]:
    from tui.app.screens.form import Field, optional, whole_number, yes_or_no

    after = record(session.get("rotate_after"))
    hours = (maybe_real(after, "age_s") or 0.0) / HOUR_S
    sat = whole(after, "spent_msat") // 1000
    messages = whole(after, "messages")
    system = session.get("system")
    escaped = str(system or "").replace("\\", "\\\\").replace("\n", "\\n")
    number = optional(whole_number)
    return [
        Field(
            "system", "Words to the model before everything (\\n breaks)", escaped, check=optional()
        ),
        Field(
            "params",
            "Options for the model, like temperature=0.2",
            options_text(record(session.get("params"))),
            check=_options_check,
        ),
        yes_or_no("temporary", "Temporary: kept in memory alone", session.get("temporary")),
        Field("messages", "Another ghost after so many answers", _or_empty(messages), check=number),
        Field(
            "hours",
            "Another ghost after so many hours",
            f"{hours:.0f}" if hours else "",
            check=number,
        ),
        Field("sat", "Another ghost after so many sat", _or_empty(sat), check=number),
        Field(
            "failover",
            "When its ghost fails, another one",
            line(session, "failover"),
            choices=FAILOVER,
        ),
        Field(
            "full",
            "When the context is full",
            line(session, "full"),
            choices=FULL,
        ),
    ]


def _changes(session: Json, answer: dict[str, str]) -> dict[str, Any]:
    """What `sessions.set` takes."""
    count = {name: int(answer[name] or 0) for name in ("messages", "hours", "sat")}
    return {
        "system": answer["system"].replace("\\\\", "\0").replace("\\n", "\n").replace("\0", "\\"),
        "params": changed_options(record(session.get("params")), read_options(answer["params"])),
        "temporary": answer["temporary"] == "yes",
        "rotate_after": {
            "messages": count["messages"],
            "age_s": float(count["hours"] * HOUR_S),
            "spent_msat": count["sat"] * 1000,
        },
        "failover": answer["failover"],
        "full": answer["full"],
    }


def _or_empty(number: int) -> str:
    return str(number) if number else ""


def _options_check(text: str) -> str:
    try:
        read_options(text)
    except ValueError as exc:
        return str(exc)
    return ""


def _absolute(text: str) -> Path:
    return Path(os.path.abspath(os.path.expanduser(text)))


def _export_path(text: str) -> str:
    if not text.endswith((".md", ".json")):
        return "a name ending in .md or .json."
    path = _absolute(text)
    if path.exists():
        return "this file exists; choose another name."
    return "" if path.parent.is_dir() else "there is no such folder."


def _import_path(text: str) -> str:
    return "" if text and _absolute(text).is_file() else "there is no such file."
