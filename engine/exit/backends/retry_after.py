"""When a provider that refused wants to be asked again: seconds from its headers or error details.

    Retry-After, retry-after-ms        RFC 9110, 10.2.3 (seconds, or a date); OpenAI's SDKs
    x-ratelimit-reset-requests         OpenAI "Rate limits": durations such as 6m0s, 1.5s, 20ms
    anthropic-ratelimit-tokens-reset   Anthropic "Rate limits": RFC 3339 times
    X-RateLimit-Reset                  OpenRouter: milliseconds since 1970
    RetryInfo.retryDelay               google.rpc.RetryInfo in the error's details: "34.07s"

A reset header counts when its `remaining` says 0, or when none does. Times are read against the
server's own Date, so no clock is needed. At most a day. Pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_S = 86_400.0
_UNITS = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:us|ms|d|h|m|s))+", re.ASCII)
_PIECE = re.compile(r"(\d+(?:\.\d+)?)(us|ms|d|h|m|s)", re.ASCII)
_NUMBER = re.compile(r"\d{1,16}(?:\.\d{1,9})?", re.ASCII)
_EPOCH_S = 1e9
_EPOCH_MS = 1e12


def retry_after_s(headers: Mapping[str, str], error: object = None) -> float | None:
    """Seconds to wait, or None when nothing was said. `headers` has lower-case names."""
    now = _date(headers.get("date", ""))
    for found in (
        _scaled(headers.get("retry-after-ms", ""), 0.001),
        _moment(headers.get("retry-after", ""), now),
        _retry_info(error),
        _longest(_resets(headers, now)),
    ):
        if found is not None:
            return min(max(found, 0.0), MAX_S)
    return None


def _resets(headers: Mapping[str, str], now: float | None) -> Iterator[tuple[bool, float]]:
    """(whether its limit is used up, seconds) of every reset header."""
    for name, value in headers.items():
        if "ratelimit" not in name or "reset" not in name:
            continue
        left = headers.get(name.replace("reset", "remaining"), "")
        seconds = _moment(value, now)
        if seconds is not None:
            yield left.strip() == "0", seconds


def _longest(found: Iterator[tuple[bool, float]]) -> float | None:
    resets = list(found)
    used_up = [seconds for empty, seconds in resets if empty]
    return max(used_up or [seconds for _, seconds in resets], default=None)


def _moment(value: str, now: float | None) -> float | None:
    """Seconds from a number, a duration, or a point in time."""
    value = value.strip()
    if _NUMBER.fullmatch(value):
        number = float(value)
        if number < _EPOCH_S:
            return number
        since = number / 1000 if number >= _EPOCH_MS else number
        return None if now is None else since - now
    if _DURATION.fullmatch(value):
        return math.fsum(float(count) * _UNITS[unit] for count, unit in _PIECE.findall(value))
    then = _date(value)
    return None if then is None or now is None else then - now


def _scaled(value: str, unit: float) -> float | None:
    value = value.strip()
    return float(value) * unit if _NUMBER.fullmatch(value) else None


def _date(value: str) -> float | None:
    """Seconds since 1970 of an HTTP date or an RFC 3339 time."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            found = read(value.strip())
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        return (found - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    return None


def _retry_info(error: object) -> float | None:
    details = error.get("details") if isinstance(error, Mapping) else None
    for item in details if isinstance(details, list) else ():
        if not isinstance(item, Mapping) or not str(item.get("@type")).endswith(".RetryInfo"):
            continue
        delay = item.get("retryDelay")
        if isinstance(delay, str) and _DURATION.fullmatch(delay):
            return _moment(delay, None)
    return None
