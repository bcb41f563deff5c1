"""`%ask`, `%%ask` and `%p2p` for IPython terminals and Jupyter kernels.

Nothing is stored here but the names of chats and the one connection. An interrupt calls the
question off: what came is shown with its cost, and the cell ends as interrupted.
"""

from __future__ import annotations

import atexit
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, wait
from typing import Any, Final

from IPython.core.error import UsageError
from IPython.core.magic import (
    Magics,
    line_cell_magic,
    line_magic,
    magics_class,
    no_var_expand,
)

from engine.control.client import ControlError, Peer2PromptError
from engine.control.protocol.sessions import Session
from tui.app.text import clean_line
from tui.notebook.answer import Answer
from tui.notebook.arguments import (
    TOPICS,
    Asked,
    help_text,
    options_of_ask,
    questions,
    read_asked,
)
from tui.notebook.backstage import Backstage
from tui.notebook.conversation import Conversation
from tui.notebook.peer import Peer
from tui.notebook.reply import Reply
from tui.notebook.stage import Stage, stage_of

STOP_S: Final = 30.0
"""How long an interrupt waits for the account of what had come; a second one does not wait."""


class CellError(Peer2PromptError):
    """A magic's failure, shown as its sentences instead of a traceback of ours."""

    def __init__(self, error: Peer2PromptError) -> None:
        super().__init__(error.message, kept=error.kept, hint=error.hint)
        self.code, self.exit_code = error.code, error.exit_code
        self.kind = type(error).__name__

    def _render_traceback_(self) -> list[str]:
        sentences = [f"{self.kind}: {self.message}", self.kept, self.hint]
        return [clean_line(sentence, 2000) for sentence in sentences if sentence]


class Stopped(KeyboardInterrupt):
    """The interrupt after the question was called off."""

    def _render_traceback_(self) -> list[str]:
        return [f"Stopped: {self}"]


@magics_class
class PromptMagics(Magics):
    """The magics of one IPython."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.backstage = Backstage()
        self._chats: dict[str, Conversation] = {}

    @no_var_expand
    @line_cell_magic
    def ask(self, line: str, cell: str | None = None) -> None:
        """Ask a question and show its answer as it comes; `%p2p help` has the options.

        What is written is what is asked: no variable is put in for `$name` or `{name}`.
        """
        asked, question = read_asked(line, cell)
        shell: Any = self.shell
        try:
            reply = self._ask(asked, question, stage_of(shell))
        except ControlError as exc:
            failure = CellError(exc)
        else:
            if asked.into is not None:
                shell.push({asked.into: reply})
            return
        raise failure

    @line_magic
    def p2p(self, line: str) -> object:
        """Look at the node, the wallet, the network: `%p2p help` lists what there is."""
        topic = line.strip() or "status"
        if topic == "help":
            print(help_text())
            return None
        look = _LOOKS.get(topic)
        if look is None:
            raise UsageError(f"%p2p takes one of {', '.join(TOPICS)}.")
        try:
            return self.backstage.run(look)
        except ControlError as exc:
            failure = CellError(exc)
        raise failure

    def _ask(self, asked: Asked, question: str, stage: Stage) -> Reply:
        async def make(peer: Peer) -> Answer:
            conversation = await self._conversation(peer, asked)
            return conversation.ask(
                question,
                attachments=asked.attach,
                max_tokens=asked.max_tokens,
                max_sat=asked.max_sat,
            )

        async def whole(peer: Peer) -> Reply:
            del peer
            return await answer

        answer = self.backstage.run(make)
        future = self.backstage.start(whole)
        try:
            while not wait([future], timeout=stage.pause_s).done:
                stage.show(answer)
        except KeyboardInterrupt:
            raise self._stopped(answer, future, stage) from None
        stage.end(answer)
        return future.result()

    def _stopped(self, answer: Answer, future: Future[Reply], stage: Stage) -> Stopped:
        async def cancel(peer: Peer) -> None:
            del peer
            await answer.cancel()

        stopping = self.backstage.start(cancel)
        wait([stopping], timeout=STOP_S)
        stopping.cancel()
        future.cancel()
        stage.end(answer)
        if answer.reply is None:
            return Stopped("the question was called off.")
        return Stopped("only what had come was paid.")

    async def _conversation(self, peer: Peer, asked: Asked) -> Conversation:
        """The chat to ask in: a new one, or the one of this name."""
        name = asked.session
        if name is None:
            return peer.conversation(
                model=asked.model, system=asked.system, temporary=asked.temporary
            )
        known = self._chats.get(name) or await _of_name(peer, name)
        if known is None:
            made = await peer.call_as(
                Session,
                "sessions.create",
                title=name,
                model=asked.model,
                system=asked.system or "",
                temporary=asked.temporary,
            )
            known = peer.conversation(made.session_id)
        elif asked.model is not None or asked.system is not None:
            known = peer.conversation(known.session_id, model=asked.model, system=asked.system)
        self._chats[name] = known
        return known


async def _of_name(peer: Peer, name: str) -> Conversation | None:
    """The chat that the node keeps with this title, or this id or the beginning of it."""
    chats = await peer.chats(archived=True)
    titled = [chat for chat in chats if chat.title == name]
    begun = [chat for chat in chats if len(name) >= 6 and chat.session_id.startswith(name)]
    found = titled or begun
    return peer.conversation(found[0].session_id) if found else None


_LOOKS: Final[dict[str, Callable[[Peer], Awaitable[object]]]] = {
    "status": lambda peer: peer.status(),
    "models": lambda peer: peer.models(),
    "wallet": lambda peer: peer.wallet.balance(),
    "history": lambda peer: peer.wallet.history(),
    "circuit": lambda peer: peer.circuit.now(),
    "circuits": lambda peer: peer.circuit.all(),
    "ghosts": lambda peer: peer.ghosts(),
    "earnings": lambda peer: peer.earnings(),
    "chats": lambda peer: peer.chats(),
    "doctor": lambda peer: peer.doctor(),
}


def install(shell: Any) -> None:
    """Register the magics and the completion of their words."""
    magics = PromptMagics(shell)
    shell.register_magics(magics)
    for name, words in (
        ("%p2p", list(TOPICS)),
        ("%ask", options_of_ask()),
        ("%%ask", options_of_ask()),
    ):
        shell.set_hook("complete_command", _completer(words), str_key=name)
    shell.input_transformers_cleanup.append(questions)
    atexit.register(magics.backstage.close)


def remove(shell: Any) -> None:
    """Hang up and take the magics away."""
    magics = shell.magics_manager.registry.pop(PromptMagics.__name__, None)
    if magics is None:
        return
    atexit.unregister(magics.backstage.close)
    magics.backstage.close()
    if questions in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(questions)
    for kind, name in (("line", "ask"), ("cell", "ask"), ("line", "p2p")):
        shell.magics_manager.magics[kind].pop(name, None)


def _completer(words: Sequence[str]) -> Callable[[Any, Any], list[str]]:
    def complete(_shell: Any, event: Any) -> list[str]:
        return [word for word in words if word.startswith(event.symbol)]

    return complete
