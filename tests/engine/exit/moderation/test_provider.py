"""The moderation endpoint over real HTTP: its form, its verdicts, and a no for all that fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from engine.exit.moderation.provider import ProviderModeration
from tests.engine.exit.moderation.judged import question
from tests.helpers.threaded_http import QuietHandler, serving_in_thread

pytestmark = pytest.mark.trio


class Service:
    def __init__(self, url: str) -> None:
        self.url = url
        self.status = 200
        self.answer: Any = {}
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []


@contextmanager
def service() -> Iterator[Service]:
    class Handler(QuietHandler):
        def do_POST(self) -> None:
            found.asked.append(json.loads(self.read_body()))
            found.keys.append(self.headers.get("authorization", ""))
            raw = found.answer
            raw = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
            self.answer(found.status if self.path == "/v1/moderations" else 404, raw)

    with serving_in_thread(Handler) as port:
        found = Service(f"http://127.0.0.1:{port}/v1")
        yield found


def result(flagged: bool, **categories: bool) -> dict[str, Any]:
    named = {name.replace("__", "/"): hit for name, hit in categories.items()}
    return {"id": "m", "results": [{"flagged": flagged, "categories": named}]}


async def judge(found: Service, *refused: str, text: str = "SECRET", **more: Any) -> str:
    gate = ProviderModeration(found.url, "sk-key", "omni", refused)
    try:
        verdict = await gate(question(text, **more))
    finally:
        await gate.aclose()
    assert verdict is None or "SECRET" not in verdict.message
    return "" if verdict is None else verdict.message


async def test_the_documented_form_is_spoken() -> None:
    with service() as found:
        found.answer = result(False, hate=False)
        assert await judge(found, "hate") == ""
        assert found.asked == [{"model": "omni", "input": "SECRET"}]
        assert found.keys == ["Bearer sk-key"]


async def test_images_are_shown_to_it() -> None:
    url = "data:image/png;base64,AAAA"
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "x"}]
    with service() as found:
        found.answer = result(False)
        await judge(found, messages=[{"role": "user", "content": content}])
        kinds = [part["type"] for part in found.asked[0]["input"]]
        assert kinds == ["text", "image_url"]


async def test_categories_decide_where_some_are_chosen() -> None:
    with service() as found:
        found.answer = result(True, hate__threatening=True, sexual=False)
        assert "hatred" in await judge(found, "hate")
        assert await judge(found, "sexual") == ""


async def test_the_flag_decides_where_none_is_chosen() -> None:
    with service() as found:
        found.answer = result(True, hate=True)
        assert "flagged" in await judge(found)


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, {}),
        (401, {}),
        (200, b"nonsense"),
        (200, []),
        (200, {"results": []}),
        (200, {"results": [{"flagged": "no", "categories": {}}]}),
        (200, {"results": [{"flagged": False}]}),
    ],
)
async def test_whatever_fails_is_a_no(status: int, answer: Any) -> None:
    with service() as found:
        found.status, found.answer = status, answer
        assert "could not check" in await judge(found, "hate")


async def test_a_service_that_is_away_is_a_no() -> None:
    gate = ProviderModeration("http://127.0.0.1:1", "", "omni", [])
    verdict = await gate(question("x"))
    assert verdict is not None
    assert verdict.after > 0
    assert gate.failures == 1
    await gate.aclose()
