"""What the user's acts mean: calls to the node, and their effect on the model. Headless.

Panes and the command palette both end here, so an act has one meaning wherever it came from.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from tui.app.conversation import Conversation
from tui.app.estimate import Estimate
from tui.app.jsonish import Json, line, record, records, whole
from tui.app.link import CallFailed, NodeLink
from tui.app.message import Message, Trouble
from tui.app.model import AppModel

PAGE = 60  # messages fetched at once


class Controller:
    """Acts on the model through the link."""

    def __init__(self, model: AppModel, link: NodeLink) -> None:
        self.model = model
        self.link = link
        self._loading: set[str] = set()
        self._stopping: set[asyncio.Future[None]] = set()
        self._reading_history = False

    # -- chat --------------------------------------------------------------------------------

    async def ask(self, conversation: Conversation, question: str) -> bool:
        """Send a question. False when the node did not take it (the error is in the chat)."""
        chat = self.model.chat
        if conversation.live is not None:
            return False
        chat.begin(conversation, question, time.monotonic(), time.time())
        params: dict[str, Any] = {"text": question}
        if conversation.session_id:
            params["session_id"] = conversation.session_id
        if conversation.model:
            params["model"] = conversation.model
        if conversation.shape:
            params["shape"] = conversation.shape
        if conversation.temporary and not conversation.session_id:
            params["temporary"] = True
        files, conversation.files = conversation.files, []
        if files:
            params["attachments"] = [file.as_param() for file in files]
        try:
            started = record(await self.link.call("ask", **params))
        except CallFailed as exc:
            conversation.files = files
            chat.fail(conversation, exc.trouble)
            return False
        chat.accepted(conversation, started)
        self.link.refresh("sessions.list")
        return True

    async def estimate(self, conversation: Conversation, text: str) -> Estimate:
        """What a question would cost; nothing is sent for it."""
        value = await self.link.call(
            "ask.estimate",
            text=text,
            session_id=conversation.session_id or None,
            model=conversation.model or None,
            attachments=[file.as_param() for file in conversation.files],
        )
        return Estimate.of(record(value))

    async def retry(self, conversation: Conversation) -> bool:
        """Ask the last question again after an error."""
        question = conversation.last_question()
        if not conversation.can_retry() or not question:
            return False
        return await self.ask(conversation, question)

    async def edit(self, conversation: Conversation, asked: Message, text: str) -> None:
        """Ask a stored question in other words, on a branch of its own."""
        shown = list(conversation.messages)
        self.model.chat.begin_edited(conversation, asked, text, time.monotonic(), time.time())
        await self._ask_beside(
            conversation, shown, "sessions.edit", message_id=asked.number, text=text
        )

    async def again(self, conversation: Conversation, asked: Message) -> None:
        """Another answer to a stored question, beside the ones it has."""
        shown = list(conversation.messages)
        self.model.chat.begin_again(conversation, asked, time.monotonic(), time.time())
        await self._ask_beside(
            conversation,
            shown,
            "sessions.retry",
            message_id=asked.number,
            model=conversation.model or None,
        )

    async def _ask_beside(
        self, conversation: Conversation, shown: list[Message], method: str, **params: Any
    ) -> None:
        try:
            started = record(
                await self.link.call(method, session_id=conversation.session_id, **params)
            )
        except CallFailed:
            self.model.chat.refused(conversation, shown)
            raise
        self.model.chat.accepted(conversation, started)

    async def failover(self, conversation: Conversation, consent: str) -> None:
        """The user's word on asking another ghost: once, always or no."""
        if consent == "no":
            conversation.consent = None
        asked = next((m for m in reversed(conversation.messages) if m.role == "user"), None)
        shown, waits = list(conversation.messages), conversation.consent
        if waits is not None and asked is not None:
            self.model.chat.begin_again(conversation, asked, time.monotonic(), time.time())
        try:
            started = record(
                await self.link.call(
                    "ask.failover", session_id=conversation.session_id, consent=consent
                )
            )
        except CallFailed:
            self.model.chat.refused(conversation, shown)
            conversation.consent = waits
            raise
        if line(started, "ask_id"):
            self.model.chat.accepted(conversation, started)
        elif waits is not None:
            self.model.chat.refused(conversation, shown)

    async def session_call(self, method: str, **params: Any) -> Json:
        """A change of one conversation; the list shows it at once."""
        value = await self.link.call(method, **params)
        self.model.chat.set_session(value)
        self.link.refresh("sessions.list")
        return record(value)

    async def open_at(self, session_id: str, number: int) -> None:
        """Read a conversation from some messages before this one to its end, on its branch."""
        following = await self._page(session_id, after=number - 1)
        if not following or whole(following[0], "message_id") != number:
            await self.link.call("sessions.choose", session_id=session_id, message_id=number)
            following = await self._page(session_id, after=number - 1)
        page = following
        while len(page) == PAGE:
            page = await self._page(session_id, after=whole(page[-1], "message_id"))
            following += page
        before = await self._page(session_id, before=number)
        self.model.chat.stale.discard(session_id)
        self.model.chat.set_messages(
            session_id, before + following, len(before) < PAGE, other_branch=True
        )

    async def _page(self, session_id: str, **where: int) -> list[Json]:
        value = await self.link.call(
            "sessions.messages", session_id=session_id, limit=PAGE, **where
        )
        return records(value)

    async def branch(self, conversation: Conversation, number: int) -> None:
        """The next question follows this message."""
        await self._move(conversation, "sessions.branch", number)

    async def choose(self, conversation: Conversation, number: int) -> None:
        """Show the branch that this message is on."""
        await self._move(conversation, "sessions.choose", number)

    async def _move(self, conversation: Conversation, method: str, number: int) -> None:
        await self.link.call(method, session_id=conversation.session_id, message_id=number)
        await self.reload(conversation, other_branch=True)

    async def branch_new(self, conversation: Conversation, number: int) -> str:
        """The way to a message as a conversation of its own; its id."""
        made = await self.link.call(
            "sessions.branch",
            session_id=conversation.session_id,
            message_id=number,
            as_new=True,
        )
        self.model.chat.set_session(made)
        return line(record(made), "session_id")

    async def freshen(self, conversation: Conversation) -> None:
        """Read anew what changed; when that fails, later."""
        try:
            await self.reload(conversation)
        except CallFailed:
            self.model.chat.stale.add(conversation.session_id)

    async def stop(self, conversation: Conversation) -> None:
        """Stop the answer under way. A second stop no longer waits for the node."""
        live = conversation.live
        if live is None:
            return
        chat = self.model.chat
        if live.state == "stopping" or not live.ask_id:
            chat.fail(conversation, _GAVE_UP)
            return
        chat.stopping(conversation)
        try:
            await self.link.call("ask.cancel", ask_id=live.wire_id)
        except CallFailed as exc:
            chat.fail(conversation, exc.trouble)

    async def open_session(self, session_id: str) -> None:
        conversation = self.model.chat.open(session_id)
        if not conversation.loaded or session_id in self.model.chat.stale:
            await self.reload(conversation)

    async def reload(self, conversation: Conversation, *, other_branch: bool = False) -> None:
        """Take a fresh snapshot of a session's newest messages."""
        session_id = conversation.session_id
        if not session_id:
            return
        self.model.chat.stale.discard(session_id)
        value = await self.link.call("sessions.messages", session_id=session_id, limit=PAGE)
        complete = len(records(value)) < PAGE
        self.model.chat.set_messages(session_id, value, complete, other_branch=other_branch)

    async def load_older(self, conversation: Conversation) -> None:
        """Fetch the page before the oldest message that is shown."""
        session_id = conversation.session_id
        if conversation.complete or not session_id or session_id in self._loading:
            return
        oldest = next((m.message_id for m in conversation.messages if m.message_id), "")
        before = int(oldest) if oldest.isdigit() else None
        self._loading.add(session_id)
        try:
            value = await self.link.call(
                "sessions.messages", session_id=session_id, limit=PAGE, before=before
            )
            complete = len(records(value)) < PAGE or before is None
            self.model.chat.prepend_messages(session_id, value, complete)
        finally:
            self._loading.discard(session_id)

    async def rename(self, session_id: str, title: str) -> None:
        await self.link.call("sessions.rename", session_id=session_id, title=title)
        self.link.refresh("sessions.list")

    async def delete(self, session_id: str) -> None:
        await self.link.call("sessions.delete", session_id=session_id)
        chat = self.model.chat
        chat.opened.pop(session_id, None)
        if chat.current.session_id == session_id:
            chat.new_conversation()
        self.link.refresh("sessions.list")

    async def resync(self) -> None:
        """After the link came up again, or events were lost: read anew what is on screen."""
        try:
            await self.reload(self.model.chat.current)
        except CallFailed:
            self.model.chat.stale.add(self.model.chat.current.session_id)

    async def join(self, invite: str) -> object:
        """Take an invite; the pane's figures are read anew."""
        try:
            return await self.link.call("network.join", invite=invite)
        finally:
            self.link.refresh("network", "status")

    # -- circuits and wallet -----------------------------------------------------------------

    async def rotate(self) -> None:
        await self.link.call("circuit.rotate")
        self.model.circuits.note(time.time(), "you asked for a fresh circuit")
        self.link.refresh("circuits")

    async def wallet_raw(self, method: str, **params: Any) -> object:
        """A call that moves money; balances and history are read anew afterwards."""
        try:
            answer: object = await self.link.call(method, **params)
            return answer
        finally:
            self.link.refresh("wallet.balance", "wallet.history", "status")

    async def wallet_call(self, method: str, **params: Any) -> Json:
        """The same, with one object as the answer."""
        return record(await self.wallet_raw(method, **params))

    async def wait_for(self, kind: str, name: str, mint: str, timeout_s: float) -> Json:
        """What a mint says in the end of an invoice, a payment or a token. A cancelled wait ends
        at the node, too: a mint is kept on the line only while somebody looks."""
        from secrets import token_hex  # late: it costs the first paint two milliseconds

        handle = token_hex(8)
        try:
            answer = await self.link.call(
                "wallet.wait", kind=kind, id=name, mint=mint, timeout_s=timeout_s, handle=handle
            )
        except asyncio.CancelledError:
            self._stopping.add(task := asyncio.ensure_future(self._stop_waiting(handle)))
            task.add_done_callback(self._stopping.discard)
            raise
        finally:
            self.link.refresh("wallet.balance", "wallet.history", "status")
        return record(answer)

    async def _stop_waiting(self, handle: str) -> None:
        with contextlib.suppress(CallFailed):  # a lost link has ended the wait, too
            await self.link.call("wallet.wait.stop", handle=handle)

    async def wallet_list(self, method: str, **params: Any) -> list[Json]:
        """A question of the wallet whose answer is a list."""
        return records(await self.link.call(method, **params))

    async def search_history(self, text: str) -> None:
        """Show only what has this in its words; everything when it is empty."""
        self.model.wallet.search(text)
        self.link.ask_for("wallet.history", text=text)

    async def older_history(self) -> None:
        """Read the page after the last line that is shown."""
        wallet = self.model.wallet
        if wallet.all_read or not wallet.history or self._reading_history:
            return
        self._reading_history = True
        try:
            value = await self.link.call(
                "wallet.history", limit=PAGE, text=wallet.find, offset=len(wallet.history)
            )
            wallet.add_older(value, PAGE)
        finally:
            self._reading_history = False


_GAVE_UP = Trouble(
    "You stopped waiting before the node confirmed it.",
    "The node finishes or undoes the payment by itself; nothing paid for is lost.",
    "",
    "stopped",
)
