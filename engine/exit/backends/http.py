"""HTTP towards an AI provider: one client, streamed answers, small JSON documents.

Redirects are refused, environment proxies ignored, cookies dropped, bodies bounded. Every failure
leaves as ProviderError. The caller decides about retries and money.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

import httpx
import trio

from engine.exit.backends.base import Events
from engine.exit.backends.faults import error_in, kind_of, provider_error, raise_mapped
from engine.exit.backends.reading import StreamReader
from engine.exit.backends.retry_after import retry_after_s

MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
"""A list of models or a batch of embeddings: 256 vectors of 8,192 numbers in text."""
MAX_ERROR_BYTES = 64 * 1024
"""What is read of the body of a refusal, to find its error codes."""
ERROR_READ_S = 10.0
IDLE_S = 3.0
"""How long an idle connection is kept. Several servers close theirs after 5 s, and a question that
meets such a close is lost."""
EVENT_STREAM = "text/event-stream"
JSON = "application/json"


class HttpBackend:
    """What the backends of all HTTP formats share. `base_url` may end in its version or not; `key`
    may be empty for local servers."""

    version: ClassVar[str] = "v1"
    able: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        base_url: str,
        key: str = "",
        *,
        connect_timeout_s: float = 15.0,
        read_timeout_s: float = 120.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._base = versioned(base_url, self.version)
        self._http = ProviderHttp(
            self.headers(key),
            connect_timeout_s=connect_timeout_s,
            read_timeout_s=read_timeout_s,
            transport=transport,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @staticmethod
    def headers(key: str) -> dict[str, str]:
        """The headers that carry the key."""
        return {"Authorization": f"Bearer {key}"} if key else {}

    async def aclose(self) -> None:
        await self._http.aclose()

    def features(self, model: str) -> frozenset[str]:  # noqa: ARG002 - the format knows them all
        """What can be asked in this format; whether a model can do it is its operator's word."""
        return self.able


def versioned(base_url: str, version: str) -> str:
    """The base address with its version, when it names no path of its own."""
    url = base_url.rstrip("/")
    return url if httpx.URL(url).path.strip("/") else f"{url}/{version}"


class ProviderHttp:
    """Requests to one provider. `headers` hold the key; they are in no repr and no error."""

    def __init__(
        self,
        headers: Mapping[str, str],
        *,
        connect_timeout_s: float = 15.0,
        read_timeout_s: float = 120.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._client = httpx.AsyncClient(
            headers={
                "Accept-Encoding": "identity",
                "User-Agent": "openai-compatible-client",
                **headers,
            },
            timeout=httpx.Timeout(read_timeout_s, connect=connect_timeout_s),
            limits=httpx.Limits(
                max_connections=None,
                max_keepalive_connections=32,
                keepalive_expiry=IDLE_S,
            ),
            transport=transport,
            follow_redirects=False,
            trust_env=False,
        )

    def __repr__(self) -> str:
        return "ProviderHttp()"

    async def aclose(self) -> None:
        await self._client.aclose()

    async def stream(self, url: str, body: Mapping[str, Any], reader: StreamReader) -> Events:
        """The events of a streamed answer as they come; the last is a Finish."""
        self._client.cookies.clear()
        asked = _content(body, EVENT_STREAM)
        try:
            async with self._client.stream("POST", url, **asked) as response:
                await _check(response, EVENT_STREAM)
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
            if not reader.complete:
                raise_mapped(error)
        for event in reader.end():
            yield event

    async def document(
        self, method: str, url: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The JSON object that the provider answers."""
        self._client.cookies.clear()
        asked = _content(body, JSON)
        try:
            async with self._client.stream(method, url, **asked) as response:
                await _check(response, JSON)
                raw = await _body(response, MAX_DOCUMENT_BYTES)
        except httpx.HTTPError as error:
            raise_mapped(error)
        found = _parsed(raw)
        if raw is None or not isinstance(found, dict):
            raise provider_error("protocol")
        return found


def _content(body: Mapping[str, Any] | None, wanted: str) -> dict[str, Any]:
    """Body and headers of a request. ProviderError for what JSON or UTF-8 cannot hold."""
    if body is None:
        return {"headers": {"Accept": wanted}}
    try:
        raw = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise provider_error("bad_request") from None
    return {"content": raw, "headers": {"Accept": wanted, "Content-Type": JSON}}


async def _unwind(chunks: AsyncIterator[bytes]) -> None:
    """End httpx's nested generators from within. Closing only the outer one would leave the inner
    ones to the garbage collector, and the connection with them."""
    with trio.CancelScope() as scope:
        scope.cancel()
        async for _ in chunks:
            continue


async def _check(response: httpx.Response, content_type: str) -> None:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if response.status_code == 200 and kind == content_type:
        return
    error = None
    if kind == JSON:
        with trio.move_on_after(ERROR_READ_S):
            error = error_in(_parsed(await _body(response, MAX_ERROR_BYTES)))
    if response.status_code == 200:
        # OpenRouter answers some failures with 200 and an error object in place of a stream.
        said = isinstance(error, dict) and "choices" not in error and "code" in error
        raise provider_error(kind_of(0, error) if said else "protocol")
    wanted = kind_of(response.status_code, error)
    waits = wanted in ("rate_limit", "overloaded")
    raise provider_error(wanted, retry_after_s(response.headers, error) if waits else None)


async def _body(response: httpx.Response, limit: int) -> bytes | None:
    """The body, or None when it is longer than `limit` bytes."""
    raw = bytearray()
    chunks = response.aiter_bytes()
    try:
        async for chunk in chunks:
            raw += chunk
            if len(raw) > limit:
                return None
    finally:
        await _unwind(chunks)
    return bytes(raw)


def _parsed(raw: bytes | None) -> object:
    try:
        return json.loads(raw or b"")
    except (ValueError, RecursionError):
        return None
