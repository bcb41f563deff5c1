"""Control protocol: one question, from the request to its answer."""

from __future__ import annotations

from engine.control.protocol.frames import ErrorBody, Params, Result


class AskParams(Params, frozen=True):
    text: str
    session_id: str | None = None
    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    shape: str | None = None
    """Traffic shape of this chat from now on; None keeps what was chosen."""
    settle: bool = False
    """Get the unspent credit back before `ask.done`, so that its account is final."""


class AskStarted(Result, frozen=True):
    ask_id: int | str
    session_id: str


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


class AskPaid(Result, frozen=True):
    ask_id: int | str
    msat: int


class AskDone(Result, frozen=True):
    ask_id: int | str
    session_id: str
    result: AskResult


class AskFailed(Result, frozen=True):
    ask_id: int | str
    session_id: str
    error: ErrorBody
