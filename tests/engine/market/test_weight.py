"""What questions weigh on the meter."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.market.weight import IMAGE_BYTES, metered_bytes


def body(*parts: Any, **more: Any) -> bytes:
    messages = [{"role": "user", "content": list(parts)}]
    return json.dumps({"messages": messages, **more}, separators=(",", ":")).encode()


def image(size: int) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": "data:".ljust(size, "A")}}


def test_an_image_weighs_no_more_than_its_tokens() -> None:
    text = {"type": "text", "text": "What is this?"}
    empty = len(body(text, image(5), image(5))) - 10
    assert metered_bytes(body(text, image(100), image(400_000))) == empty + 100 + IMAGE_BYTES


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff" * 30_000,
        b'"image_url"' + b"[" * 100_000,
        json.dumps({"messages": [{"content": "data:image_url" + "A" * 30_000}]}).encode(),
        body({"type": "text", "text": '{"type": "image_url"}' + "A" * 30_000}),
        body({"type": "text", "text": "x", "image_url": {"url": "A" * 30_000}}),
        body({"type": "image_url", "image_url": "A" * 30_000}),
        body({"type": "image_url", "image_url": {"url": "é" * 30_000}}),
        body(tools=[image(30_000)]),
        json.dumps({"input": "image_url" * 4000}).encode(),
    ],
)
def test_everything_else_weighs_its_bytes(raw: bytes) -> None:
    assert metered_bytes(raw) == len(raw)


PARTS = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["type", "image_url", "url", "content", "messages"]), inner
        )
    ),
    max_leaves=6,
)


@given(PARTS, st.integers(0, 30_000))
def test_any_json_has_a_weight(found: Any, size: int) -> None:
    raw = body(found, image(size), image_url=found)
    assert 0 <= metered_bytes(raw) <= len(raw)
    assert metered_bytes(raw) >= len(raw) - max(0, size - IMAGE_BYTES) - len(json.dumps(found))
