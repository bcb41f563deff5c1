"""What a ghost's session has to say to its client and to do by its shell, in order."""

from __future__ import annotations

from collections import deque

from engine.market.commands import Command
from engine.wire import session as wire


class Outbox:
    """Messages for the client, which are void on a new stream, and commands for the shell."""

    def __init__(self) -> None:
        self.messages: deque[wire.Message] = deque()
        self.commands: deque[Command] = deque()

    def __repr__(self) -> str:
        return f"Outbox(messages={len(self.messages)}, commands={len(self.commands)})"

    def say(self, message: wire.Message) -> None:
        self.messages.append(message)

    def do(self, command: Command) -> None:
        self.commands.append(command)

    def error(
        self,
        code: str,
        message: str,
        *,
        q: int = 0,
        n: int = 0,
        kept: str = "Nothing was charged.",
        retry: bool = False,
        after: int = 0,
    ) -> wire.Error:
        """Say that something failed; what was said."""
        error = wire.Error(q, n, code, message[: wire.MAX_WORDS // 4], kept, retry, after)
        self.say(error)
        return error
