"""When a provider wants to be asked again, in every documented way of saying it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.exit.backends.retry_after import MAX_S, retry_after_s

DATE = {"date": "Wed, 21 Oct 2026 07:28:00 GMT"}
EPOCH = 1792567680  # that date


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "999999"}, MAX_S),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", **DATE}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:27:30 GMT", **DATE}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"}, 360.0),
        (
            {
                "x-ratelimit-reset-requests": "20ms",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-tokens": "6m0s",
                "x-ratelimit-remaining-tokens": "149984",
            },
            0.02,
        ),
        ({"x-ratelimit-reset-tokens": "2m59.56s"}, 179.56),
        ({"x-ratelimit-reset": str((EPOCH + 5) * 1000), **DATE}, 5.0),
        ({"x-ratelimit-reset": str(EPOCH + 9), **DATE}, 9.0),
        ({"x-ratelimit-reset": str(EPOCH + 9)}, None),
        ({"anthropic-ratelimit-tokens-reset": "2026-10-21T07:29:00Z", **DATE}, 60.0),
        ({"anthropic-ratelimit-tokens-reset": "2026-10-21T07:29:00", **DATE}, 60.0),
    ],
)
def test_headers(headers: dict[str, str], seconds: float | None) -> None:
    found = retry_after_s(headers)
    assert found == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("delay", "seconds"), [("34.07s", 34.07), ("3s", 3.0), ("x", None), (3, None)]
)
def test_retry_info_of_google(delay: object, seconds: float | None) -> None:
    details = ["x", {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]
    assert retry_after_s({}, {"details": details}) == seconds


NAMES = st.sampled_from(
    ["retry-after", "retry-after-ms", "date", "x-ratelimit-reset", "x-ratelimit-reset-tokens"]
)
VALUES = st.text(max_size=20) | st.text("0123456789.:-+TZmshd ", max_size=24)


@given(st.dictionaries(NAMES, VALUES))
def test_any_headers_are_seconds_or_nothing(headers: dict[str, str]) -> None:
    found = retry_after_s(headers)
    assert found is None or 0 <= found <= MAX_S
