"""Control protocol: models, shapes and the chats with their messages."""

from __future__ import annotations

from typing import Any, Literal

from engine.control.protocol.frames import ErrorBody, Params, Result
from engine.control.protocol.ghost import GhostPolicyInfo


class Model(Result, frozen=True):
    model: str
    ghost: str = ""
    in_price: int = 0
    out_price: int = 0
    chunk_msat: int = 0
    cap_msat: int = 0
    mints: list[str] = []
    score: float | None = None
    """What is thought of the ghost for this model, from 0 to 1; newcomers have the prior."""
    why: str = ""
    """What speaks for and against it, in one sentence."""
    latency_ms: int | None = None
    """From a question to its first word, as measured here."""
    quarantined: str = ""
    """Why the ghost is left alone; empty when it is not."""
    misfit: str = ""
    """Why the settings rule this offer out; empty when they do not."""
    tier: int = 0
    """The user's own quality tier of the model, from 1 to 5."""
    cached_price: int = 0
    reasoning_price: int = 0
    context: int = 0
    """Tokens the model takes; 0 where the ghost does not say."""
    features: list[str] = []
    """What it can do beyond text."""
    weights: str = ""
    """SHA-256 of an open model's file, in hex."""
    policy: GhostPolicyInfo | None = None
    """What the ghost says it does with questions; None while only its quote is known."""


class RotateAfter(Params, frozen=True):
    """When a chat leaves its ghost for another one by itself; 0 stands for never."""

    messages: int = 0
    """Answers of one ghost."""
    age_s: float = 0
    """Seconds since the chat first asked it."""
    spent_msat: int = 0


class PinInfo(Result, frozen=True):
    """The ghost that a chat is with, and what it has seen of it. `since` is unix seconds."""

    ghost: str
    since: float = 0
    messages: int = 0
    spent_msat: int = 0
    open: bool = False
    """Its circuit stands now."""


class ContextInfo(Result, frozen=True):
    """How much of the model's context the chat fills, in tokens as the meter estimates them."""

    used: int = 0
    bound: int = 0
    """What the model takes, the answer included; 0 while it is not known."""
    left_out: int = 0
    """The oldest messages that would not be sent with the next question."""


class Session(Result, frozen=True):
    session_id: str
    title: str = ""
    model: str | None = None
    created: float = 0
    updated: float = 0
    messages: int = 0
    """All of them, those of other branches too."""
    shape: str = ""
    """The traffic shape chosen for this chat; empty for the node's default."""
    pinned: bool = False
    archived: bool = False
    temporary: bool = False
    """Kept in memory alone: it is gone when the node stops."""
    leaf: int | None = None
    """The last message of the branch that is shown and gone on with."""
    system: str = ""
    params: dict[str, Any] = {}
    failover: str = ""
    """ask, always or never; empty for the node's setting"""
    full: str = ""
    """refuse or trim, when the model's context is full; empty for the node's setting"""
    rotate_after: RotateAfter | None = None
    answering: bool = False
    pin: PinInfo | None = None
    """Null in lists, and while the chat is with no ghost."""
    context: ContextInfo | None = None
    """Null in lists."""


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
    model: str = ""
    ghost: str = ""
    """Short id of the ghost that answered."""


class Part(Result, frozen=True):
    """A piece of an answer. `kind` is text, reasoning, call, embedding or refusal; a call has an
    id, a name, and its arguments (JSON) as text. A question can hold text and pieces of kind
    result, with the id of the call."""

    kind: str
    text: str = ""
    id: str = ""
    name: str = ""


class AttachmentInfo(Result, frozen=True):
    """A file that went with a question; `note` says what was done to it before."""

    name: str
    mime: str = ""
    bytes: int = 0
    note: str = ""


class Message(Result, frozen=True):
    message_id: int
    role: str
    text: str
    """What is read of it: an answer's text without its reasoning and calls."""
    created: float = 0
    meta: MessageMeta = MessageMeta()
    parent: int | None = None
    """The message before it on every branch that it is on."""
    siblings: list[int] = []
    """All messages at this place of the tree, itself among them, when there are several."""
    place: int = 1
    """Which of its siblings it is, from 1."""
    parts: list[Part] = []
    """The whole answer, when it is more than text."""
    attachments: list[AttachmentInfo] = []


class SessionListParams(Params, frozen=True):
    archived: bool = False
    """Those that were put away too."""


class SessionCreateParams(Params, frozen=True):
    title: str = ""
    model: str | None = None
    shape: str | None = None
    system: str = ""
    params: dict[str, Any] = {}
    temporary: bool = False
    """Leave nothing of it on disk."""


class SessionMessagesParams(Params, frozen=True):
    """A page of the branch that ends at the chat's leaf, oldest first."""

    session_id: str
    limit: int = 200
    before: int | None = None
    """Only messages with a smaller `message_id`, for reading a long history backwards."""
    after: int | None = None
    """The messages next to this one with a larger `message_id`, for reading on."""


class SessionRenameParams(Params, frozen=True):
    session_id: str
    title: str


class SessionParams(Params, frozen=True):
    session_id: str


class SessionSetParams(Params, frozen=True):
    """What is given is changed; an empty string goes back to the node's setting. With `temporary`
    a chat is taken from the disk into memory, or back."""

    session_id: str
    title: str | None = None
    model: str | None = None
    system: str | None = None
    params: dict[str, Any] | None = None
    """Options for the model. Those named are changed, null forgets one."""
    shape: str | None = None
    temporary: bool | None = None
    rotate_after: RotateAfter | None = None
    failover: Literal["", "ask", "always", "never"] | None = None
    full: Literal["", "refuse", "trim"] | None = None


class SessionPinParams(Params, frozen=True):
    """Keep a chat at the head of the list."""

    session_id: str
    pinned: bool = True


class SessionArchiveParams(Params, frozen=True):
    """Put a chat away, or bring it back."""

    session_id: str
    archived: bool = True
