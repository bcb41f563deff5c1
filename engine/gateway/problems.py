"""Every failure as a client of the OpenAI API reads it: a status and an error object. Pure.

The sentences are those of the engine's errors; nothing of a question or an answer is in them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from engine.control.failures import describe
from engine.control.protocol.frames import ErrorBody

NO_MONEY = frozenset({"insufficient_funds", "payment"})
NOT_NOW = frozenset({"no_route", "circuit_closed", "shutting_down", "store_full"})
OF_THE_QUESTION = frozenset({"moderated", "refused", "bad_request", "too_long", "blocked"})
FUND = "Put ecash into the wallet: peer2prompt wallet fund 1000"
LATER = frozenset({"busy", "cap_reached", "rate_limit"})
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


@dataclass(eq=False)
class Problem(Exception):
    """A request that is not answered. `status` is HTTP's."""

    status: int
    code: str
    message: str
    hint: str = ""
    kept: str = ""
    param: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    """What Anthropic's clients look for beside the words."""

    @property
    def kind(self) -> str:
        """OpenAI's word for the sort of error."""
        usual = "invalid_request_error" if self.status < 500 else "server_error"
        return _TYPES.get(self.status, usual)

    def as_body(self) -> dict[str, Any]:
        """The error object; the hint is in the message too, because clients show only that."""
        told = " ".join(part for part in (self.message, self.kept, self.hint) if part)
        error: dict[str, Any] = {
            "message": told,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }
        if self.details:
            error["details"] = self.details
        own = {"kept": self.kept, "hint": self.hint}
        return {"type": "error", "error": error, "peer2prompt": own}

    def all_headers(self) -> dict[str, str]:
        """A client must not ask again by itself what may have cost something."""
        again = "true" if self.status == 429 else "false"
        return {"x-should-retry": again, **self.headers}


def bad_request(message: str, param: str | None = None, code: str = "invalid_value") -> Problem:
    """The caller's mistake: nothing was sent or paid."""
    return Problem(400, code, message, param=param)


def problem_of(error: BaseException) -> Problem:
    """A failure of the engine or the wallet."""
    body = describe(error)
    reason = str(getattr(error, "reason", "") or getattr(error, "kind", "") or "")
    after = getattr(error, "retry_after_s", None)
    headers = {}
    if isinstance(after, int | float) and math.isfinite(after):
        headers["Retry-After"] = str(max(1, math.ceil(after)))
    code = body.code
    if code in ("ghost", "provider") and reason:
        code = f"{code}_{reason}"
    status = _status(body, reason)
    hint = body.hint or (FUND if status == 402 else "")
    return Problem(status, code, body.message, hint, body.kept, headers=headers)


def _status(body: ErrorBody, reason: str) -> int:
    code, sort = body.code, body.exit_code
    if code in NO_MONEY:
        return 402
    if code in NOT_NOW:
        return 503
    if reason in OF_THE_QUESTION:
        return 400
    if reason in LATER:
        return 429
    if code == "ghost":
        return 502 if reason else 503  # without a reason of its own: nobody could be asked
    return {2: 400, 4: 502, 5: 503, 6: 502, 7: 402}.get(sort, 500)
