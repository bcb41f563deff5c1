"""Control protocol: one question, from the request to its answer."""

from __future__ import annotations

from typing import Any, Literal

from engine.control.protocol.frames import ErrorBody, Params, Result
from engine.control.protocol.sessions import ContextInfo, Part


class Attachment(Params, frozen=True):
    """A file for a question: a text or a picture. `data` is base64."""

    name: str
    data: str
    mime: str = ""


class ToolResult(Params, frozen=True):
    """What came of a call of a tool: `id` is the call's."""

    id: str
    content: str


class AskParams(Params, frozen=True):
    text: str
    session_id: str | None = None
    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    shape: str | None = None
    """Traffic shape of this chat from now on; None keeps what was chosen."""
    ghost: str = ""
    """Ask this ghost and no other: its id or the beginning of it. Quarantine does not count."""
    prefer: str = ""
    """price, speed, quality or reliability above all else, for this session."""
    settle: bool = False
    """Get the unspent credit back before `ask.done`, so that its account is final."""
    attachments: list[Attachment] = []
    system: str | None = None
    """Words to the model before everything else, for this chat from now on."""
    params: dict[str, Any] = {}
    """More options for the model, for this question alone."""
    results: list[ToolResult] = []
    """What came of the calls that the chat's last answer made; `text` may then be empty."""
    temporary: bool = False
    """A new chat of which nothing is left on disk."""
    trim: bool | None = None
    """Whether to leave out the oldest messages when the context is full; None: as is set."""


class AskStarted(Result, frozen=True):
    ask_id: int | str
    session_id: str


class RawParams(Params, frozen=True):
    """One question with a whole OpenAI body. Nothing of it is stored, and what has another `tag`
    never shares a session, a circuit or a ghost with it."""

    body: dict[str, Any]
    model: str | None = None
    tag: str = ""
    shape: str | None = None


class FailoverParams(Params, frozen=True):
    """The user's word on asking another ghost, which is then shown the chat: this once, from now on
    in this chat, or not."""

    session_id: str
    consent: Literal["once", "always", "no"]


class Failover(Result, frozen=True):
    """The new question's id; empty when nothing is asked."""

    session_id: str
    ask_id: str = ""


class EstimateParams(Params, frozen=True):
    text: str
    session_id: str | None = None
    model: str | None = None
    max_tokens: int | None = None
    attachments: list[Attachment] = []
    system: str | None = None


class Estimate(Result, frozen=True):
    """What a question would cost, from the meter: with the shortest answer, with one as long as
    the chat's were, and with the longest. Nothing is sent for it."""

    least_msat: int = 0
    likely_msat: int = 0
    most_msat: int = 0
    model: str = ""
    ghost: str = ""
    """Short id; empty while it is not known which one would answer."""
    ghosts: int = 0
    """How many could answer; the range covers the dearest and the cheapest."""
    tokens_in: int = 0
    context: ContextInfo = ContextInfo()
    fits: bool = True
    """False: the question would be refused, because the context is full."""
    messages_shown: int = 0
    """Messages of the chat that a ghost which does not know them yet would see."""


class AskCancelParams(Params, frozen=True):
    ask_id: int | str


class Hop(Result, frozen=True):
    role: str
    id: str


class ReceiptInfo(Result, frozen=True):
    n: int = 0
    cost_msat: int = 0
    hash: str = ""


class AskResult(Result, frozen=True):
    """What a finished question came to. Also the object that `demo --ask --json` prints."""

    answer: str
    model: str = ""
    route: list[Hop] = []
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    """Of `tokens_in`: read from a cache, at its own price."""
    tokens_reasoning: int = 0
    """Of `tokens_out`: spent on reasoning, at its own price."""
    quoted_msat: int = 0
    paid_msat: int = 0
    change_msat: int = 0
    cost_msat: int = 0
    receipts: list[ReceiptInfo] = []
    ttft_ms: float | None = None
    total_ms: float = 0
    cells_up: int = 0
    cells_down: int = 0
    mint: str = ""
    shape_class: str = ""
    finish_reason: str = ""
    mailboxes: int = 0
    by_mail: bool = False
    parts: list[Part] = []
    """The whole answer, when it is more than text."""
    message_id: int | None = None
    """Where it is in the chat; null for a raw question."""
    why: str = ""
    """Why this ghost, in one sentence."""


class AskState(Result, frozen=True):
    """`state` is building, opening, paying, asking, streaming, resuming, fetching or settling."""

    ask_id: int | str
    session_id: str
    state: str
    detail: str = ""


class AskDelta(Result, frozen=True):
    ask_id: int | str
    session_id: str
    text: str
    offset: int = 0


class AskPart(Result, frozen=True):
    """More of what is not the text of an answer; `kind` as in `Part`, `part` counts the pieces of
    the answer. Reasoning grows, the others come whole."""

    ask_id: int | str
    session_id: str
    part: int
    kind: str
    text: str = ""
    id: str = ""
    name: str = ""


class AskPaid(Result, frozen=True):
    ask_id: int | str
    msat: int


class AskDone(Result, frozen=True):
    ask_id: int | str
    session_id: str
    result: AskResult


class Consent(Result, frozen=True):
    """What another ghost would be shown, were it asked instead."""

    messages: int = 0
    bytes: int = 0
    ghost: str = ""
    """Short id of the one that failed."""


class AskFailed(Result, frozen=True):
    """With the code `needs_consent` the same question can go to another ghost: `ask.failover`."""

    ask_id: int | str
    session_id: str
    error: ErrorBody
    consent: Consent | None = None
