"""Deeds of the chat pane on single messages: edit, ask again, branch, versions, copy, unfold.

They are about the selected message; while none is selected, about the last one that fits.
"""

from __future__ import annotations

from collections.abc import Callable

from tui.app.link import CallFailed
from tui.app.message import Message
from tui.app.panes.chat_deeds import ChatDeeds
from tui.app.text import clean, ellipsis

NOT_STORED = "This message is not stored, so nothing can be asked from it."


class MessageDeeds(ChatDeeds):
    def fitting(self, fits: Callable[[Message], bool]) -> Message | None:
        """The selected message, if it fits, else the last one that does."""
        chosen = self.transcript.selected()
        if chosen is not None:
            return chosen if fits(chosen) else None
        return next((m for m in reversed(self.conversation.messages) if fits(m)), None)

    def _question(self) -> Message | None:
        """The question that the selected message is or answers."""
        message = self.fitting(lambda m: m.role in ("user", "assistant"))
        if message is not None and message.role == "assistant":
            message = self.conversation.before(message)
        return message if message is not None and message.role == "user" else None

    # -- asking from a message ---------------------------------------------------------------

    def do_edit_question(self) -> None:
        conversation, asked = self.conversation, self._question()
        if asked is None or asked.number is None:
            self.peer.say("There is no stored question to edit.")
        elif self.free():
            if conversation.editing is None:
                conversation.aside = self.prompt.text
            conversation.editing = asked
            self.prompt.put(asked.text)
            self.to_prompt()
            self.paint_editing()

    def leave_editing(self) -> None:
        """What was in the box before comes back."""
        conversation = self.conversation
        conversation.editing = None
        self.prompt.put(conversation.aside)
        conversation.aside = ""
        self.paint_editing()

    def submit_edited(self, asked: Message, text: str) -> None:
        self.leave_editing()
        self.transcript.go_to_end()
        self.peer.act(self._edit(asked, text))

    async def _edit(self, asked: Message, text: str) -> None:
        conversation = self.conversation
        try:
            await self.controller.edit(conversation, asked, text)
        except CallFailed:
            if conversation is self.conversation and not self.prompt.text:
                conversation.editing = asked
                self.prompt.put(text)
                self.paint_editing()
            raise

    def paint_editing(self) -> None:
        """Say above the box what Enter does with it."""
        raise NotImplementedError

    def do_retry(self) -> None:
        conversation, asked = self.conversation, self._question()
        if not self.free():
            return
        if asked is not None and asked.number is not None:
            self.transcript.go_to_end()
            self.peer.act(self.controller.again(conversation, asked))
        elif conversation.can_retry():
            self.transcript.go_to_end()
            self.peer.act(self.controller.retry(conversation))
        else:
            self.peer.say("There is no question to ask again.")

    # -- the tree ----------------------------------------------------------------------------

    def do_branch(self) -> None:
        message = self.fitting(lambda m: m.role == "assistant")
        if message is None or message.number is None:
            edit = self.key_of("edit_question")
            self.peer.say(f"Choose a stored answer to go on from; {edit} edits a question.")
        elif self.free():
            self.peer.act(self._branch(message.number))

    async def _branch(self, number: int) -> None:
        await self.controller.branch(self.conversation, number)
        self.to_prompt()
        self.peer.say("Your next question follows this answer. What came after it is kept.")

    def do_branch_new(self) -> None:
        message = self.fitting(lambda m: m.number is not None)
        number = None if message is None else message.number
        if number is None:
            self.peer.say(NOT_STORED)
        elif self.free():
            self.peer.act(self._branch_new(number))

    async def _branch_new(self, number: int) -> None:
        session_id = await self.controller.branch_new(self.conversation, number)
        if session_id:
            self.peer.open_session(session_id)
            self.peer.say("A conversation of its own; it asks a ghost of its own.")

    def do_version_before(self) -> None:
        self.go_beside(-1)

    def do_version_after(self) -> None:
        self.go_beside(1)

    def go_beside(self, step: int) -> None:
        message = self.fitting(lambda m: len(m.siblings) > 1)
        number = None if message is None else message.beside(step)
        if message is None:
            self.peer.say("There is only one version of this message.")
        elif number is not None and self.free():
            self.peer.act(self._show_version(number))

    async def _show_version(self, number: int) -> None:
        conversation = self.conversation
        await self.controller.choose(conversation, number)
        shown = next((m for m in conversation.messages if m.number == number), None)
        if shown is not None and conversation is self.conversation:
            self.transcript.select(shown)

    # -- copying and looking -----------------------------------------------------------------

    def do_copy_message(self) -> None:
        message = self.fitting(lambda m: bool(m.text))
        if message is None:
            self.peer.say("There is nothing to copy yet.")
        else:
            self.peer.copy(message.text, "The question" if message.role == "user" else "The answer")

    async def do_copy_code(self) -> None:
        from textual.content import Content

        from tui.app.code_blocks import code_blocks
        from tui.app.screens.pick import PickScreen

        message = self.fitting(lambda m: bool(code_blocks(m.text)))
        blocks = [] if message is None else code_blocks(message.text)
        if not blocks:
            self.peer.say("There is no code block in it.")
            return
        number = 0
        if len(blocks) > 1:
            options = [
                (
                    str(place),
                    Content.assemble(
                        (ellipsis(clean(block.first_line), 60), "bold"),
                        (
                            f"\n  {block.language or 'code'}, {len(block.code):,} characters",
                            "$muted",
                        ),
                    ),
                )
                for place, block in enumerate(blocks)
            ]
            chosen = await self.peer.push_screen_wait(
                PickScreen("Copy a code block", "Which one?", options)
            )
            if chosen is None:
                return
            number = int(chosen)
        self.peer.copy(blocks[number].code, "The code")

    def do_unfold(self) -> None:
        message = self.fitting(lambda m: bool(m.pieces))
        if message is None:
            self.peer.say("This answer has no reasoning and no tool calls.")
            return
        message.unfolded = not message.unfolded
        message.touch()
        self.conversation.touch()
