"""Control protocol: models, shapes and the chats with their messages."""

from __future__ import annotations

from engine.control.protocol.frames import ErrorBody, Params, Result


class Model(Result, frozen=True):
    model: str
    ghost: str = ""
    in_price: int = 0
    out_price: int = 0
    chunk_msat: int = 0
    cap_msat: int = 0
    mints: list[str] = []


class Session(Result, frozen=True):
    session_id: str
    title: str = ""
    model: str | None = None
    created: float = 0
    updated: float = 0
    messages: int = 0
    shape: str = ""
    """The traffic shape chosen for this chat; empty for the node's default."""


class Shape(Result, frozen=True):
    """A traffic shape: what it costs, each way, and the most an answer tells the guard."""

    shape: str
    default: bool = False
    tick_ms: int = 0
    ladder: list[int] = []
    bytes_per_minute: int | None = None
    least_bytes: int | None = None
    least_s: float | None = None
    leak_bits: float | None = None
    leak_bound: str = ""
    words: str = ""


class MessageMeta(Result, frozen=True):
    cost_msat: int | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    ttft_ms: float | None = None
    state: str = "done"
    """streaming (under way), done, cancelled, cut (it broke off) or failed"""
    mailboxes: int | None = None
    """How many mailboxes stood by for the answer; none: only a live circuit could bring it."""
    by_mail: bool = False
    """It came from a mailbox: no circuit to the ghost lived."""
    error: ErrorBody | None = None
    """Why the answer broke off."""


class Message(Result, frozen=True):
    message_id: int
    role: str
    text: str
    created: float = 0
    meta: MessageMeta = MessageMeta()


class SessionCreateParams(Params, frozen=True):
    title: str = ""
    model: str | None = None
    shape: str | None = None


class SessionMessagesParams(Params, frozen=True):
    session_id: str
    limit: int = 200
    before: int | None = None
    """Only messages with a smaller `message_id`, for reading a long history backwards."""


class SessionRenameParams(Params, frozen=True):
    session_id: str
    title: str


class SessionParams(Params, frozen=True):
    session_id: str
