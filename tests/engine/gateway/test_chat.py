"""Chat completions over real HTTP: whole, streamed, refused, cut; tags that share no ghost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from tests.helpers.api_world import CHAT, ApiWorld, a_while, api_world, question, raw_question
from tests.helpers.chat_world import WORDS
from tests.helpers.market_fakes import ScriptedBackend

pytestmark = pytest.mark.trio
ANSWER = "".join(WORDS)


def events(text: str) -> list[Any]:
    """The values of server-sent events; the end mark stays a word."""
    found = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    return [one if one == "[DONE]" else json.loads(one) for one in found]


async def test_a_whole_answer_with_its_price_and_receipt(tmp_path: Path) -> None:
    async with api_world(tmp_path) as w:
        reply = await w.ask("What is an onion?", temperature=0.5, user="someone", store=False)
        assert reply.status_code == 200
        told = reply.json()
        (choice,) = told["choices"]
        assert choice["message"]["content"] == ANSWER
        assert choice["finish_reason"] == "stop"
        assert told["usage"]["total_tokens"] == 25
        account = told["peer2prompt"]
        assert account["cost_msat"] > 0
        assert reply.headers["x-peer2prompt-cost-msat"] == str(account["cost_msat"])
        assert reply.headers["x-peer2prompt-receipt"] == account["receipts"][-1]["hash"]
        assert account["ghost"] == w.chats.ghosts[0].id.hex()[:8]
        (request,) = w.chats.ghosts[0].backend.requests
        assert request.params == {"temperature": 0.5}
        assert await w.chats.call("sessions.list") == []


async def test_a_streamed_answer(tmp_path: Path) -> None:
    async with api_world(tmp_path) as w:
        reply = await w.ask(stream=True, stream_options={"include_usage": True})
        assert reply.headers["content-type"].startswith("text/event-stream")
        *chunks, ended, usage, done = events(reply.text)
        said = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
        assert said == ANSWER
        assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
        assert ended["choices"][0]["finish_reason"] == "stop"
        assert ended["peer2prompt"]["cost_msat"] > 0
        assert usage["usage"]["prompt_tokens"] == 20
        assert done == "[DONE]"


async def test_models_are_listed_once(tmp_path: Path) -> None:
    async with api_world(tmp_path, ghosts=2) as w, w.client() as client:
        await w.ask()
        (model,) = (await client.get("/models")).json()["data"]
        assert model["id"] == "tiny"
        assert (await client.get("/models/tiny")).json() == model
        missing = await client.get("/models/none")
        assert missing.status_code == 404
        assert missing.json()["error"]["code"] == "model_not_found"
        for path, status, code in (
            ("/none", 404, "unknown_url"),
            (CHAT, 405, "method_not_allowed"),
        ):
            reply = await client.get(path)
            assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)


async def test_an_empty_wallet_is_402_with_a_hint(tmp_path: Path) -> None:
    async with api_world(tmp_path) as w:
        w.chats.wallet.balance_sat = 0
        for stream in (False, True):
            reply = await w.ask(stream=stream)
            assert reply.status_code == 402
            assert reply.json()["error"]["type"] == "insufficient_quota"
            assert reply.json()["peer2prompt"]["hint"]
            assert reply.headers["x-should-retry"] == "false"


async def test_no_way_is_503_with_its_reason(tmp_path: Path) -> None:
    async with api_world(tmp_path, ghosts=0) as w:
        reply = await w.ask()
        assert reply.status_code == 503
        assert reply.json()["error"]["message"]
    async with api_world(tmp_path / "cut") as w:
        w.chats.ghosts[0].down = True
        reply = await w.ask()
        assert reply.status_code == 503
        assert reply.json()["error"]["code"] == "circuit_closed"


@pytest.mark.parametrize(
    ("kind", "status"),
    [("rate_limit", 429), ("bad_request", 400), ("overloaded", 502), ("broken_stream", 502)],
)
async def test_failures_of_the_provider(tmp_path: Path, kind: str, status: int) -> None:
    backend = ScriptedBackend(WORDS, fail_at=0, kind=kind)
    async with api_world(tmp_path, backend=backend) as w:
        for said in (("One?", "Two.", "Three?"), ("Alone?",)):
            reply = await w.ask(*said)
            assert reply.status_code == status
            assert reply.json()["error"]["code"] == f"provider_{kind}"


async def test_a_stream_that_breaks_off_says_so(tmp_path: Path) -> None:
    backend = ScriptedBackend(WORDS, usage=(20, 5), fail_at=1, gate=a_while)
    async with api_world(tmp_path, backend=backend) as w:
        reply = await w.ask(stream=True)
        assert reply.status_code == 200
        *_, broken = events(reply.text)
        assert broken["error"]["code"].startswith("provider")


async def test_who_goes_away_stops_the_answer(tmp_path: Path) -> None:
    async def slow(_index: int) -> None:
        await trio.sleep(0.05)

    backend = ScriptedBackend(["word "] * 400, usage=(20, 400), gate=slow)
    async with api_world(tmp_path, backend=backend) as w:
        for number, streamed in enumerate((True, False), 1):
            body = json.dumps(question(stream=streamed)).encode()
            stream = await raw_question(w, f"Content-Length: {len(body)}", body)
            with trio.fail_after(60):
                while len(backend.requests) < number:
                    await trio.sleep(0.02)
                if streamed:
                    assert (await stream.receive_some(1000)).startswith(b"HTTP/1.1 200")
                await stream.aclose()
                while w.gateway.asker.under_way or backend.closed < number:
                    await trio.sleep(0.02)
        assert backend.yielded < 300


async def test_tags_share_no_ghost(tmp_path: Path) -> None:
    async with api_world(tmp_path, ghosts=4) as w:
        other = (await w.gateway.new_key({"name": "other"})).key
        title = "Generate a concise title for the following conversation: Mine?"
        asks: list[tuple[str, dict[str, str]]] = [
            ("Mine?", {}),
            (title, {}),
            ("Session?", {"X-Peer2Prompt-Session": "two"}),
            ("Theirs?", {"Authorization": f"Bearer {other}"}),
            ("Mine again?", {}),
        ]
        for said, headers in asks:
            assert (await w.ask(said, headers=headers)).status_code == 200
        seen = [{one[0]["content"] for one in ghost.asked} for ghost in w.chats.ghosts]
        assert {"Mine?", "Mine again?"} in seen
        assert all(len(said) == 1 for said in seen if "Mine?" not in said)
        full = await w.ask("A fifth?", headers={"X-Peer2Prompt-Session": "five"})
        assert full.status_code == 503
        assert "No ghost is left" in full.json()["error"]["message"]


async def test_many_at_a_time_all_get_an_answer(tmp_path: Path) -> None:
    async with api_world(tmp_path) as w, w.client() as client:
        statuses: list[int] = []

        async def ask(number: int) -> None:
            reply = await client.post(CHAT, json=question(f"Number {number}?"))
            statuses.append(reply.status_code)

        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(ask, number)
        assert statuses == [200] * 50
        assert (await w.gateway.status({})).waiting == 0


async def test_switched_off_it_answers_nobody_and_on_again_it_does(tmp_path: Path) -> None:
    async with api_world(tmp_path) as w:
        assert not (await w.gateway.stop({})).on
        with pytest.raises(httpx.ConnectError):
            await w.ask()
        w.url = (await w.gateway.start({"listen": "127.0.0.1:0"})).url
        assert (await w.ask()).status_code == 200


async def _unix(w: ApiWorld, path: Path) -> httpx.Response:
    transport = httpx.AsyncHTTPTransport(uds=str(path))
    async with httpx.AsyncClient(transport=transport) as client:
        headers = {"Authorization": f"Bearer {w.key}"}
        return await client.get("http://localhost/v1/models", headers=headers)


async def test_over_a_unix_socket_of_this_user_alone(tmp_path: Path) -> None:
    async with api_world(tmp_path) as w:
        await w.gateway.stop({})
        path = tmp_path / "api"
        found = await w.gateway.start({"listen": f"unix:{path}"})
        assert (found.on, found.socket) == (True, str(path))
        assert path.stat().st_mode & 0o777 == 0o600
        assert (await _unix(w, path)).status_code == 200
