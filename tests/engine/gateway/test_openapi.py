"""The description of the local API, and schemathesis against it: every body that breaks a shape is
refused cleanly, every answer is of the shape that is described, and nothing falls over."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import trio

from engine.gateway import counting, openapi, shapes_out
from engine.gateway.app import FORMS
from tests.helpers.api_backends import TOOLS, embedding, tooled
from tests.helpers.api_world import ApiWorld, api_world

SEED = 8
EXAMPLES = 25
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "ignored_auth",
)
SETTINGS = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "4xx", 503]  # 503: each session needs a ghost, and there are four
"""


async def schemathesis(w: ApiWorld, folder: Path) -> tuple[int, str]:
    """Exit status and report of a run against the gateway."""
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "run",
        w.url.removesuffix("/v1") + openapi.PATH,
        f"--exclude-path={counting.PATH}",  # takes the body of /v1/messages, checked there
        f"--header=Authorization: Bearer {w.key}",
        f"--checks={','.join(CHECKS)}",
        "--phases=examples,coverage,fuzzing",
        f"--max-examples={EXAMPLES}",
        f"--seed={SEED}",
        "--generation-deterministic",
        "--suppress-health-check=all",
        "--warnings=off",
        "--continue-on-failure",
        "--no-color",
    ]
    ended = await trio.run_process(
        command, check=False, capture_stdout=True, capture_stderr=True, cwd=folder
    )
    return ended.returncode, (ended.stdout + ended.stderr).decode()


@pytest.mark.trio
async def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(SETTINGS)
    async with api_world(tmp_path, ghosts=4) as w:
        status, told = await schemathesis(w, tmp_path)
        assert status == 0, told[-6000:]
        assert "6 selected / 7 total" in told
        cases = re.search(r"(\d+) generated", told)
        assert cases is not None
        assert int(cases[1]) > 300
        assert (await w.ask()).status_code == 200
        assert w.gateway.asker.under_way == w.gateway.asker.waiting == 0


@pytest.mark.trio
async def test_key_holders_get_it_and_nobody_else(tmp_path: Path) -> None:
    async with api_world(tmp_path) as w:
        url = w.url.removesuffix("/v1")
        async with w.client() as client:
            told = (await client.get(url + openapi.PATH)).json()
        assert told["servers"] == [{"url": url}]
        assert told == (await w.gateway.describe({})).openapi
        async with httpx.AsyncClient() as stranger:
            refused = await stranger.get(url + openapi.PATH)
        assert refused.status_code == 401
        msgspec.convert(refused.json(), shapes_out.Error)


def test_it_describes_what_is_served() -> None:
    told = openapi.describe_api()
    posted = {path for path, item in told["paths"].items() if "post" in item}
    asked = posted - {counting.PATH}
    assert asked == {path for path, _, _ in FORMS}
    for path, item in told["paths"].items():
        for operation in item.values():
            statuses = set(operation["responses"])
            assert {"200", "400", "401", "403", "404", "405", "413", "500"} <= statuses
            assert ("503" in statuses) is (path != counting.PATH)
            assert ({"402", "408", "429", "502"} <= statuses) is (path in asked)


@pytest.mark.trio
@pytest.mark.parametrize("kind", ["tools", "embeddings"])
async def test_every_whole_answer_is_of_its_shape(tmp_path: Path, kind: str) -> None:
    said = [{"role": "user", "content": "Hello?"}]
    asked: dict[str, dict[str, Any]] = {
        "/chat/completions": {"messages": said, "tools": TOOLS},
        "/responses": {"input": "Hello?", "tools": [{"type": "function", **TOOLS[0]["function"]}]},
        "/messages": {"messages": said, "tools": [{"name": "weather", "input_schema": {}}]},
    }
    embeddings = {"/embeddings": {"input": ["a", "b"]}}
    options = tooled() if kind == "tools" else embedding()
    async with api_world(tmp_path, **options) as w, w.client() as client:
        msgspec.convert((await client.get("/models")).json(), shapes_out.ModelList)
        msgspec.convert((await client.get("/models/tiny")).json(), shapes_out.ModelEntry)
        for path, body in (asked if kind == "tools" else embeddings).items():
            reply = await client.post(path, json={"model": "tiny", **body})
            assert reply.status_code == 200, reply.text
            msgspec.convert(reply.json(), openapi.ASKED["/v1" + path][3])
