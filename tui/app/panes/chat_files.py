"""Deeds of the chat pane about files that go with the next question."""

from __future__ import annotations

from pathlib import Path

from textual.content import Content
from textual.widgets import Static

from tui.app.files import MAX_FILES, FileProblem, read_file
from tui.app.panes.chat_deeds import ChatDeeds
from tui.app.text import clean_line
from tui.sizes import data_size


class FileDeeds(ChatDeeds):
    files_line: Static
    _files_text: object = None

    async def do_attach(self) -> None:
        from tui.app.screens.form import ask_form
        from tui.app.screens.paths import path_field

        intro = (
            "A text or a picture for your next question. The ghost and its provider read it. Of a "
            "picture place, time and camera are taken out. → takes the name that is proposed."
        )
        field = path_field("path", "Path of the file", self._wrong)
        answer = await ask_form(self.peer, "Attach a file", intro, [field], "Attach")
        if answer is not None:
            self.attach(Path(answer["path"]).expanduser())
            self.to_prompt()

    @staticmethod
    def _wrong(text: str) -> str:
        try:
            read_file(Path(text).expanduser())
        except (FileProblem, RuntimeError) as exc:
            return str(exc)
        return ""

    def attach(self, path: Path) -> bool:
        """Put a file to the next question. False when it cannot go; the user is told why."""
        conversation = self.conversation
        if len(conversation.files) >= MAX_FILES:
            self.peer.say(f"A question takes at most {MAX_FILES} files.", "warning")
            return False
        try:
            conversation.files.append(read_file(path))
        except FileProblem as exc:
            self.peer.say(str(exc), "warning")
            return False
        self.paint_files()
        return True

    async def do_detach(self) -> None:
        from tui.app.screens.pick import PickScreen

        files = self.conversation.files
        if not files:
            self.peer.say("No file waits for the next question.")
            return
        chosen: str | None = "0"
        if len(files) > 1:
            options = [
                (str(place), Content.assemble((_words(file.name, file.bytes), "")))
                for place, file in enumerate(files)
            ]
            options.append(("all", Content("All of them")))
            chosen = await self.peer.push_screen_wait(
                PickScreen("Take a file away", "It stays where it is on your disk.", options)
            )
        if chosen == "all":
            files.clear()
        elif chosen is not None:
            del files[int(chosen)]
        self.paint_files()

    def paint_files(self) -> None:
        """Name and size of each file under the box."""
        files = self.conversation.files
        fresh = tuple((file.name, file.bytes) for file in files)
        if fresh == self._files_text:
            return
        self._files_text = fresh
        self.files_line.display = bool(files)
        key = self.short_key("detach")
        names = ", ".join(_words(name, size) for name, size in fresh)
        self.files_line.update(
            Content.assemble(
                " with ", (names, "$accent"), ("  " + key, "bold $primary"), " removes"
            )
        )


def _words(name: str, size: int) -> str:
    return f"{clean_line(name)} ({data_size(size)})"
