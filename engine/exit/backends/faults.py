"""Why a provider gave no answer: a kind and words of our own, from its status and error object.

The words never repeat what a provider said, because providers like to quote the prompt; of an
error object only its codes are read and compared with known ones. Sources: OpenAI "Error codes",
Anthropic "Errors", Google "Gemini API troubleshooting" with google.rpc.Code, OpenRouter "Errors",
and the error types of llama-server's README. Pure, but for mapping httpx's exceptions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import httpx

from engine.errors import ProviderError

KEPT = "Nothing was charged for this answer."
_OTHER = "Try again or use another ghost."
_WORDS = {
    "auth": ("The AI provider refused the ghost's key.", "Its operator must check the key."),
    "rate_limit": ("The AI provider limits the ghost's rate.", "Wait a little."),
    "bad_request": ("The AI provider refused the request.", "Check the model and its options."),
    "too_long": ("The question is too long for this model.", "Shorten it or start a new session."),
    "blocked": ("The AI provider's rules do not allow this question.", "Ask in another way."),
    "overloaded": ("The AI provider failed or is overloaded.", _OTHER),
    "broken_stream": ("The AI provider's answer broke off.", "Ask again."),
    "timeout": ("The AI provider took too long.", _OTHER),
    "unreachable": ("The AI provider cannot be reached.", "Its operator must check the address."),
    "protocol": ("The AI provider's answer is not in the expected form.", "Use another ghost."),
}
KINDS = tuple(_WORDS)
_STATUS_KINDS = {
    401: "auth",
    402: "auth",
    403: "auth",
    408: "timeout",
    413: "too_long",
    429: "rate_limit",
    504: "timeout",
}
_CODE_KINDS = {
    "auth": (
        "insufficient_quota billing_error billing_not_active billing_hard_limit_reached "
        "invalid_api_key api_key_invalid authentication_error permission_error permission_denied "
        "unauthenticated account_deactivated access_terminated"
    ),
    "rate_limit": (
        "rate_limit_error rate_limit_exceeded rate_limit resource_exhausted too_many_requests"
    ),
    "too_long": (
        "context_length_exceeded request_too_large exceed_context_size_error "
        "string_above_max_length"
    ),
    "blocked": (
        "content_filter content_policy_violation invalid_prompt moderation_blocked "
        "prohibited_content"
    ),
    "overloaded": (
        "overloaded_error overloaded server_error api_error internal_server_error internal "
        "unavailable unavailable_error engine_overloaded_error service_unavailable"
    ),
    "timeout": "timeout_error deadline_exceeded timeout request_timeout",
    "bad_request": (
        "invalid_request_error invalid_argument not_found_error not_found model_not_found "
        "failed_precondition unimplemented unsupported_value unsupported_parameter out_of_range"
    ),
}
_KIND_OF_CODE = {code: kind for kind, codes in _CODE_KINDS.items() for code in codes.split()}


def provider_error(kind: str, retry_after_s: float | None = None) -> ProviderError:
    """The error of one kind, in words for the person who asked."""
    message, hint = _WORDS[kind]
    return ProviderError(message, kind=kind, retry_after_s=retry_after_s, kept=KEPT, hint=hint)


def kind_of(status: int, error: object = None) -> str:
    """The kind of an HTTP status with the error object of its body, or of one in a stream (0)."""
    for code in codes_of(error):
        if code in _KIND_OF_CODE:
            return _KIND_OF_CODE[code]
    status = status or _status_in(error)
    if status in _STATUS_KINDS:
        return _STATUS_KINDS[status]
    if 400 <= status < 500:
        return "bad_request"
    return "overloaded" if status >= 500 or not status else "protocol"


def codes_of(error: object) -> Iterator[str]:
    """The machine-readable words of an error object, the most particular first."""
    if not isinstance(error, Mapping):
        return
    for found in _items(error.get("details")):
        yield from _words(found, ("reason",))
    if _flagged(error.get("metadata")):
        yield "moderation_blocked"
    yield from _words(error, ("code", "type", "status"))


def error_in(body: object) -> object:
    """The error object of a body: {"error": {...}}, a list with one (Google), or a bare one."""
    if isinstance(body, list):
        body = body[0] if body else None
    if isinstance(body, Mapping):
        return body.get("error") or body
    return None


def raise_mapped(error: httpx.HTTPError) -> NoReturn:
    """The text of httpx's errors can hold addresses, so it is not passed on."""
    if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError):
        kind = "unreachable"
    elif isinstance(error, httpx.TimeoutException):
        kind = "timeout"
    elif isinstance(error, httpx.DecodingError | httpx.UnsupportedProtocol):
        kind = "protocol"
    else:
        kind = "broken_stream"
    raise provider_error(kind) from None


def _words(found: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        value = found.get(name)
        if isinstance(value, str) and len(value) <= 64:
            yield value.strip().lower().replace("-", "_")


def _items(found: object) -> Iterator[Mapping[str, Any]]:
    for item in found if isinstance(found, list) else ():
        if isinstance(item, Mapping):
            yield item


def _flagged(metadata: object) -> bool:
    """OpenRouter's 403 for a question that a moderation service flagged."""
    return isinstance(metadata, Mapping) and isinstance(metadata.get("reasons"), list)


def _status_in(error: object) -> int:
    code = error.get("code") if isinstance(error, Mapping) else None
    if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) == 3:
        code = int(code)
    whole = isinstance(code, int) and not isinstance(code, bool)
    return int(code) if whole and 400 <= code < 600 else 0  # type: ignore[arg-type,operator]
