"""Who is let in: keys, hosts, pages, sizes, forms; and what a stranger learns."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.gateway.asides import is_aside
from engine.gateway.bodies import Wanted, read_chat, read_object
from engine.gateway.door import MAX_REQUEST_BYTES, check, read_body
from engine.gateway.embeddings import read_embeddings
from engine.gateway.keys import ApiKeys, BadKeyName
from engine.gateway.messages_body import read_messages
from engine.gateway.problems import Problem
from engine.gateway.responses_body import read_responses
from engine.gateway.settings import Listen, parse_listen
from engine.gateway.tags import tag_of
from tests.helpers.api_world import CHAT, api_world, question, raw_question


class Book:
    """Secrets in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], bytes] = {}

    async def get_secret(self, ns: str, key: str) -> bytes | None:
        return self.kept.get((ns, key))

    async def put_secret(self, ns: str, key: str, value: bytes) -> None:
        self.kept[ns, key] = value


def keys_with(name: str = "editor") -> tuple[ApiKeys, str]:
    keys = ApiKeys(Book())
    return keys, trio.run(keys.new, name)


def refused(*headers: tuple[str, str], keys: ApiKeys | None = None) -> Problem:
    with pytest.raises(Problem) as caught:
        check([(n.encode(), v.encode()) for n, v in headers], keys or keys_with()[0])
    return caught.value


@pytest.mark.trio
async def test_keys_are_kept_as_hashes_and_survive_a_restart() -> None:
    book = Book()
    keys = ApiKeys(book)
    await keys.load()
    key = await keys.new("editor")
    assert key.encode() not in b"".join(book.kept.values())
    again = ApiKeys(book)
    await again.load()
    assert again.name_of(key) == "editor"
    assert again.name_of(key[:-1]) is None
    assert again.name_of("") is None
    for name in ("editor", "", "a b", "x" * 41, "../a"):
        with pytest.raises(BadKeyName):
            await again.new(name)
    await again.revoke("editor")
    assert again.name_of(key) is None
    with pytest.raises(BadKeyName):
        await again.revoke("editor")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8765", "[::1]:80", "[::1]", "LOCALHOST"])
def test_names_of_this_machine_are_let_in(host: str) -> None:
    keys, key = keys_with()
    good = [(b"Host", host.encode()), (b"Authorization", b"Bearer " + key.encode())]
    assert check(good, keys) == "editor"
    assert check([(b"host", host.encode()), (b"x-api-key", key.encode())], keys) == "editor"


@pytest.mark.parametrize(
    "host", ["", "evil.example", "localhost.evil.example:80", "127.0.0.1.nip.io", "10.0.0.1", "a:b"]
)
def test_other_names_are_refused_before_the_key_is_looked_at(host: str) -> None:
    keys, key = keys_with()
    problem = refused(("host", host), ("authorization", f"Bearer {key}"), keys=keys)
    assert (problem.status, problem.code) == (403, "foreign_host")


@pytest.mark.parametrize(
    ("header", "value"),
    [("origin", "http://localhost:8765"), ("origin", "null"), ("sec-fetch-site", "cross-site")],
)
def test_web_pages_are_refused(header: str, value: str) -> None:
    keys, key = keys_with()
    problem = refused(
        ("host", "localhost"), (header, value), ("authorization", f"Bearer {key}"), keys=keys
    )
    assert (problem.status, problem.code) == (403, "web_page")


def test_doubled_headers_are_refused() -> None:
    assert refused(("host", "localhost"), ("host", "evil.example")).status == 400


@pytest.mark.trio
async def test_strangers_over_http(tmp_path: Path) -> None:
    async with api_world(tmp_path) as w, w.client() as client:
        headers: list[tuple[dict[str, str], int]] = [
            ({"Authorization": ""}, 401),
            ({"Authorization": "Bearer p2p-wrong"}, 401),
            ({"Authorization": f"Basic {w.key}"}, 401),
            ({"Host": "evil.example"}, 403),
            ({"Origin": "https://evil.example"}, 403),
        ]
        for wrong, status in headers:
            for method, path in (("POST", CHAT), ("GET", "/models"), ("GET", "/none")):
                reply = await client.request(method, path, json=question(), headers=wrong)
                assert reply.status_code == status, (wrong, path)
                assert reply.json()["error"]["code"]
                assert not [name for name in reply.headers if name.startswith("access-control")]
        preflight = await client.options(CHAT, headers={"Origin": "https://evil.example"})
        assert preflight.status_code == 403
        await w.gateway.revoke_key({"name": "editor"})
        assert (await client.get("/models")).status_code == 401
        assert w.chats.ghosts[0].asked == []


@pytest.mark.trio
async def test_bodies_that_are_too_long_or_malformed(tmp_path: Path) -> None:
    async with api_world(tmp_path) as w, w.client() as client:
        long = b'{"model": "tiny", "messages": "' + b"x" * MAX_REQUEST_BYTES + b'"}'

        for said in (f"Content-Length: {len(long)}", "Transfer-Encoding: chunked"):
            async with await raw_question(w, said) as stream:
                with contextlib.suppress(trio.BrokenResourceError):
                    if "chunked" in said:
                        await stream.send_all(f"{len(long):x}\r\n".encode() + long + b"\r\n")
                assert (await stream.receive_some(1000)).startswith(b"HTTP/1.1 413")
        for content, code in (
            (b"", "invalid_json"),
            (b"\xff{}", "invalid_json"),
            (b"[]", "invalid_json"),
            (b'{"a": NaN}', "invalid_json"),
            (b'{"a": "\\ud800"}', "invalid_json"),
            (b"[" * 100_000, "invalid_json"),
            (b'{"model": "tiny"}', "invalid_value"),
        ):
            reply = await client.post(CHAT, content=content)
            assert reply.status_code == 400
            assert reply.json()["error"]["code"] == code
        for more in (
            {"n": 2},
            {"logit_bias": {"1": 5}},
            {"model": 5},
            {"model": ""},
            {"stream": "yes"},
            {"messages": ["hello"]},
        ):
            reply = await client.post(CHAT, json={**question(), **more})
            assert reply.status_code == 400
            assert reply.json()["error"]["param"] == next(iter(more))
        assert w.chats.ghosts[0].asked == []


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_a_problem(raw: bytes) -> None:
    with contextlib.suppress(Problem):
        assert isinstance(read_object(raw), dict)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(
        ["user", "assistant", "text", "tool_use", "tool_result", "image", "function"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "text", "type", "source", "name"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["model", "messages", "input", "stream", "system", "text", "tools", "tool_choice"]
)


@pytest.mark.parametrize(
    "read",
    [read_chat, read_responses, read_messages, read_embeddings],
    ids=lambda one: one.__name__,
)
@given(found=st.dictionaries(KEYS, JSON), model=st.booleans())
def test_any_object_is_a_question_or_a_problem(
    read: Callable[[Mapping[str, Any]], Wanted], found: dict[str, Any], model: bool
) -> None:
    is_aside(found)
    tag_of("key", "", found)
    with contextlib.suppress(Problem):
        wanted = read({**found, **({"model": "tiny"} if model else {})})
        assert "user" not in wanted.body
        assert wanted.body.get("messages") or wanted.body["input"]
        json.dumps(wanted.body)


@pytest.mark.trio
async def test_a_body_that_does_not_come_is_not_waited_for_for_ever(
    autojump_clock: trio.testing.MockClock,  # noqa: ARG001 - virtual time
) -> None:
    async def never() -> dict[str, object]:
        await trio.sleep_forever()
        raise AssertionError

    with pytest.raises(Problem) as caught:
        await read_body(never)
    assert caught.value.status == 408


@pytest.mark.parametrize("where", ["0.0.0.0:80", "example.org:80", "127.0.0.1", "::1:x", "unix:"])
def test_only_this_machine_can_be_listened_on(where: str) -> None:
    with pytest.raises(ConfigError):
        parse_listen(where, Path("/home"))


def test_where_to_listen() -> None:
    home = Path("/home")
    assert parse_listen("localhost:8765", home) == Listen("127.0.0.1", 8765)
    assert parse_listen("[::1]:9", home).url == "http://[::1]:9/v1"
    assert parse_listen("unix:api", home).socket == home / "api"


@pytest.mark.parametrize(
    ("text", "aside"),
    [
        ("### Task:\nGenerate a concise, 3-5 word title with an emoji.", True),
        ("Please provide a concise, 5-word-or-less title for the conversation.", True),
        ("Suggest 3-5 relevant follow-up questions based on the chat history", True),
        ("Generate 1-3 broad tags categorizing the main themes of the chat history", True),
        ("Summarize our conversation in a title of up to ten words for this thread", True),
        ("Analyze this conversation and tell:\n1. its language\n2. a concise title", True),
        ("You need to summarize the user's conversation into a title of ten words.", True),
        ("Based on the chat history, give this conversation a name.", True),
        ("Given the following please reply with a title for the chat, 3-4 words.", True),
        ("If this message begins a new topic, extract a short title for the session.", True),
        ("Analyze if this message begins a new topic. If so, extract a 2-3 word title.", True),
        ("You are a title generator. Say nothing else.", True),
        (
            "An onion has layers.\n" * 90 + "Make a few words as a title for the previous query.",
            True,
        ),
        ("Summarize in a 10-word Title. Give the title only.", True),
        ("Provide a concise description of this session in 4 words or less.", True),
        ("将用户的会话总结为十个字以内的标题", True),
        ("### Task:\nRespond to the user query using the provided context.", False),
        ("Read this text and tell me what an onion is.", False),
        ("Give me a recipe for a soup of onions.", False),
        ("An onion has layers.\n" * 90 + "How many?", False),
        ("What is a good title for a book about onions?", False),
        ("Write a poem about tags.", False),
        ("What is an onion?", False),
    ],
)
def test_what_front_ends_ask_behind_the_users_back(text: str, aside: bool) -> None:
    assert is_aside(question(text)) is aside
    parts = [{"type": "text", "text": text}]
    assert is_aside({"messages": [{"role": "user", "content": parts}]}) is aside
    assert not is_aside(question("Hello", "Hello.", text))


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_tags_differ_as_their_parts_do(a: str, b: str, c: str, d: str) -> None:
    same = tag_of(a, b, question()) == tag_of(c, d, question())
    assert same is ((a, b) == (c, d))
