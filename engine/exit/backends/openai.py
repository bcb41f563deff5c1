"""OpenAI-compatible chat completions, streamed (also vLLM, SGLang, llama-server, Ollama, ...).

Every failure leaves as ProviderError with a kind; its words never repeat what the provider said,
because providers like to quote the prompt. Redirects are refused, environment proxies ignored,
cookies dropped. The caller decides about retries and money.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

import httpx
import trio

from engine.errors import ProviderError
from engine.exit.backends.base import BackendEvent, ChatRequest, Delta, Finish, Usage
from engine.exit.backends.sse import SseParser

KEPT = "Nothing was charged for this answer."
MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""Bytes of text in one answer; the longest model output is a tenth of this."""
MAX_STREAM_BYTES = 256 * 1024 * 1024
"""Bytes of the HTTP body: a chunk of JSON around each token is some 300 bytes."""
_STATUS_KINDS = {
    401: "auth",
    402: "auth",
    403: "auth",
    408: "timeout",
    429: "rate_limit",
    504: "timeout",
}
_WORDS = {
    "auth": (
        "The AI provider refused the ghost's key.",
        "Its operator must check the key.",
    ),
    "rate_limit": (
        "The AI provider limits the ghost's rate.",
        "Wait a little.",
    ),
    "bad_request": ("The AI provider refused the request.", "Check the model and its options."),
    "overloaded": ("The AI provider failed or is overloaded.", "Try again or use another ghost."),
    "broken_stream": ("The AI provider's answer broke off.", "Ask again."),
    "timeout": ("The AI provider took too long.", "Try again or use another ghost."),
    "unreachable": (
        "The AI provider cannot be reached.",
        "Its operator must check the address.",
    ),
    "protocol": ("The AI provider's answer is not in the expected form.", "Use another ghost."),
}


def provider_error(kind: str, retry_after_s: float | None = None) -> ProviderError:
    """The error of one kind, in words for the person who asked."""
    message, hint = _WORDS[kind]
    return ProviderError(message, kind=kind, retry_after_s=retry_after_s, kept=KEPT, hint=hint)


class OpenAIBackend:
    """One provider. `base_url` may end in /v1 or not; `key` may be empty for local servers."""

    def __init__(
        self,
        base_url: str,
        key: str = "",
        *,
        connect_timeout_s: float = 15.0,
        read_timeout_s: float = 120.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
        headers["User-Agent"] = "openai-compatible-client"
        if key:
            headers["Authorization"] = f"Bearer {key}"
        timeout = httpx.Timeout(read_timeout_s, connect=connect_timeout_s)
        self._url = _chat_url(base_url)
        self._client = httpx.AsyncClient(
            headers=headers,
            timeout=timeout,
            transport=transport,
            follow_redirects=False,
            trust_env=False,
        )

    def __repr__(self) -> str:
        return "OpenAIBackend()"

    async def aclose(self) -> None:
        await self._client.aclose()

    async def stream_chat(self, request: ChatRequest) -> AsyncGenerator[BackendEvent, None]:
        """Delta and Usage events as they come, then one Finish; ProviderError on any failure."""
        reader = _AnswerReader()
        self._client.cookies.clear()
        try:
            async with self._client.stream("POST", self._url, json=_body(request)) as response:
                await _check_response(response)
                chunks = response.aiter_bytes()
                try:
                    async for chunk in chunks:
                        for event in reader.feed(chunk):
                            yield event
                        if reader.done:
                            break
                finally:
                    await _unwind(chunks)
        except httpx.HTTPError as error:
            if not reader.reason:
                _raise_mapped(error)
        for event in reader.end():
            yield event


async def _unwind(chunks: AsyncIterator[bytes]) -> None:
    """End httpx's nested generators from within. Closing only the outer one would leave the inner
    ones to the garbage collector, and the connection with them."""
    with trio.CancelScope() as scope:
        scope.cancel()
        async for _ in chunks:
            continue


class _AnswerReader:
    """The events of one answer from the bytes of its HTTP body."""

    def __init__(self) -> None:
        self.done = False
        self.reason = ""
        self._sse = SseParser()
        self._deltas = 0
        self._bytes = 0
        self._seen = 0

    def feed(self, chunk: bytes) -> Iterator[BackendEvent]:
        self._seen += len(chunk)
        if self._seen > MAX_STREAM_BYTES:
            raise provider_error("protocol")
        for data in self._sse.feed(chunk):
            if self.done:
                return
            if data.strip() == "[DONE]":
                self.done = True
                return
            if not data.strip():
                continue
            yield from self._event(data)

    def _event(self, data: str) -> Iterator[BackendEvent]:
        found = _json_object(data)
        if found.get("error"):
            raise _stream_error(found["error"])
        choices = found.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if isinstance(choice, dict):
            text = _text_of(choice)
            if text:
                self._count(text)
                yield Delta(text)
            if isinstance(choice.get("finish_reason"), str):
                self.reason = choice["finish_reason"][:32]
        usage = _usage_of(found.get("usage"))
        if usage is not None:
            yield usage

    def _count(self, text: str) -> None:
        self._deltas += 1
        self._bytes += len(text)
        if self._bytes > MAX_ANSWER_BYTES:
            raise provider_error("protocol")

    def end(self) -> Iterator[BackendEvent]:
        """The Finish, or the error that the answer broke off."""
        if not self.reason and not (self.done and self._deltas):
            raise provider_error("broken_stream")
        yield Finish(self.reason or "stop")


def _chat_url(base_url: str) -> str:
    url = base_url.rstrip("/")
    if not httpx.URL(url).path.strip("/"):
        url += "/v1"
    return url + "/chat/completions"


def _body(request: ChatRequest) -> dict[str, Any]:
    body: dict[str, Any] = {
        **request.params,
        "model": request.model,
        "messages": list(request.messages),
        "max_tokens": request.max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if request.user is not None:
        body["user"] = request.user
    return body


async def _check_response(response: httpx.Response) -> None:
    status = response.status_code
    if status != 200:
        after = _retry_after(response) if status in (429, 503) else None
        raise provider_error(_kind_of(status), after)
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "text/event-stream":
        raise provider_error("protocol")


def _kind_of(status: int) -> str:
    if status in _STATUS_KINDS:
        return _STATUS_KINDS[status]
    if 400 <= status < 500:
        return "bad_request"
    return "overloaded" if status >= 500 else "protocol"


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds of a Retry-After header: a number, or a date beside the server's own Date."""
    value = response.headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            then = parsedate_to_datetime(value)
            seconds = (then - parsedate_to_datetime(response.headers["date"])).total_seconds()
        except (ValueError, TypeError, KeyError):
            return None
    return min(max(seconds, 0.0), 86_400.0) if seconds == seconds else None


def _raise_mapped(error: httpx.HTTPError) -> NoReturn:
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


def _json_object(data: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise provider_error("protocol") from None
    if not isinstance(found, dict):
        raise provider_error("protocol")
    return found


def _stream_error(error: object) -> ProviderError:
    """An error object inside the stream; servers put a status, a type or a code into it."""
    code = error.get("code") if isinstance(error, dict) else None
    kind = error.get("type") if isinstance(error, dict) else None
    if isinstance(code, int) and 400 <= code < 600:
        return provider_error(_kind_of(code))
    words = f"{code} {kind}".lower()
    if "rate_limit" in words or "quota" in words:
        return provider_error("rate_limit")
    if "invalid" in words or "content_filter" in words:
        return provider_error("bad_request")
    return provider_error("overloaded")


def _text_of(choice: dict[str, Any]) -> str:
    delta = choice.get("delta")
    text = delta.get("content") if isinstance(delta, dict) else None
    if text is None:
        return ""
    if not isinstance(text, str):
        raise provider_error("protocol")
    # A lone surrogate cannot be sent on as UTF-8.
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _usage_of(usage: object) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    counts = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if all(isinstance(count, int) and count >= 0 for count in counts):
        return Usage(int(counts[0]), int(counts[1]))  # type: ignore[arg-type]
    return None
