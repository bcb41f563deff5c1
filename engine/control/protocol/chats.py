"""Control protocol: the tree of a chat, search over all chats, export and import, snippets."""

from __future__ import annotations

from typing import Any, Literal

from engine.control.protocol.frames import Params, Result
from engine.control.protocol.sessions import RotateAfter


class SearchParams(Params, frozen=True):
    """All words must be found, the last one may be a beginning; "..." stands for a phrase."""

    text: str
    limit: int = 50
    session_id: str | None = None
    """Only in this chat."""


class Found(Result, frozen=True):
    """A message with the words. `marks` are from and to, in characters of `snippet`."""

    session_id: str
    message_id: int
    title: str = ""
    role: str = ""
    created: float = 0
    archived: bool = False
    snippet: str = ""
    marks: list[tuple[int, int]] = []


class BranchParams(Params, frozen=True):
    """The next question follows this message; `as_new` copies the way to it into a chat of its
    own, which asks a ghost of its own."""

    session_id: str
    message_id: int
    as_new: bool = False


class ChooseParams(Params, frozen=True):
    """Show the branch that this message is on, to its newest end."""

    session_id: str
    message_id: int


class EditParams(Params, frozen=True):
    """Ask a question of the chat again in other words, on a branch of its own. Its attachments go
    along."""

    session_id: str
    message_id: int
    text: str


class RetryParams(Params, frozen=True):
    """Ask for another answer beside this one; or for one to a question that has none."""

    session_id: str
    message_id: int
    model: str | None = None


class ExportParams(Params, frozen=True):
    """One chat, or with `all` every chat. With `path` (absolute, not existing yet) it is written to
    a file that only its owner reads; without, it has to fit into one answer."""

    session_id: str | None = None
    all: bool = False
    format: Literal["markdown", "json"] = "json"
    path: str | None = None


class Exported(Result, frozen=True):
    text: str = ""
    """Empty when it was written to a file."""
    path: str = ""
    sessions: int = 0
    messages: int = 0


class ImportParams(Params, frozen=True):
    """The text of an export, or the absolute path of a file with one. A list of OpenAI messages, or
    an object with `messages`, is taken too."""

    data: str | None = None
    path: str | None = None


class Imported(Result, frozen=True):
    sessions: list[str] = []
    messages: int = 0


class DefaultsParams(Params, frozen=True):
    """For chats that chose nothing themselves. What is given is changed."""

    system: str | None = None
    params: dict[str, Any] | None = None
    """Those named are changed, null forgets one."""
    rotate_after: RotateAfter | None = None
    failover: Literal["", "ask", "always", "never"] | None = None
    full: Literal["", "refuse", "trim"] | None = None


class Defaults(Result, frozen=True):
    """Empty values stand for those of config.toml."""

    system: str = ""
    params: dict[str, Any] = {}
    rotate_after: RotateAfter | None = None
    failover: str = ""
    full: str = ""


class Snippet(Result, frozen=True):
    name: str
    text: str = ""


class SnippetParams(Params, frozen=True):
    name: str
    text: str


class SnippetName(Params, frozen=True):
    name: str


class SessionsChanged(Result, frozen=True):
    """A chat changed, or the list of them (then without an id)."""

    session_id: str = ""
