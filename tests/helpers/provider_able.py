"""A stand-in provider whose model does what it is told: it calls tools, keeps to a schema, looks at
pictures, embeds texts and repeats words, the same each time.

Speaks OpenAI's wire format over plain trio sockets, for tests of foreign programs:

    python -m tests.helpers.provider_able --port 8089

What it is told by the last words of the user:

    `repeat: WORDS`     says WORDS
    `count to N`        says 1 2 3 ... N, a number every PAUSE_S
    the name of a tool  calls that tool; of several, one after the other, then says what they found
    anything else       says what an onion is

GET /seen tells how many answers were begun, told to their end and broken off by whoever asked.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import trio

from tests.helpers.http_peer import HttpPeer, respond, send_chunk

MODEL = "able"
PAUSE_S = 0.1
DIMENSIONS = 8
ONION = "An onion is a bulb of many layers, sweet and sharp."
Message = dict[str, Any]


@dataclass
class Seen:
    """Answers by their fate."""

    begun: int = 0
    ended: int = 0
    broken_off: int = 0
    questions: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class AbleProvider(HttpPeer):
    """The server."""

    seen: Seen = field(default_factory=Seen)
    port: int = 0

    async def handle(
        self, stream: trio.SocketStream, path: str, _headers: dict[str, str], body: bytes
    ) -> None:
        if path == "/seen":
            await respond(stream, 200, asdict(self.seen))
        elif path.endswith("/models"):
            await respond(stream, 200, {"object": "list", "data": [{"id": MODEL}]})
        elif path.endswith("/embeddings"):
            await respond(stream, 200, embeddings(json.loads(body)))
        elif path.endswith("/chat/completions"):
            await self._chat(stream, json.loads(body))
        else:
            await respond(stream, 404, {"error": {"message": "no such path"}})

    async def _chat(self, stream: trio.SocketStream, asked: dict[str, Any]) -> None:
        self.seen.begun += 1
        self.seen.questions = [*self.seen.questions[-99:], asked]
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n"
        await stream.send_all((head + "Transfer-Encoding: chunked\r\n\r\n").encode())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, stream, nursery.cancel_scope)
            for event, pause_s in events(asked):
                await trio.sleep(pause_s)
                await send_chunk(stream, f"data: {json.dumps(event)}\n\n".encode())
            await send_chunk(stream, b"data: [DONE]\n\n")
            await stream.send_all(b"0\r\n\r\n")
            self.seen.ended += 1
            nursery.cancel_scope.cancel()

    async def _watch(self, stream: trio.SocketStream, answering: trio.CancelScope) -> None:
        """Whoever asked sends nothing more; what comes is the end."""
        with contextlib.suppress(trio.BrokenResourceError):
            await stream.receive_some(1)
        self.seen.broken_off += 1
        answering.cancel()


def events(asked: dict[str, Any]) -> Iterator[tuple[dict[str, Any], float]]:
    """The chunks of an answer, each with the pause before it in seconds."""
    pieces, calls, pause_s = answer(asked)
    most = asked.get("max_tokens") or len(pieces)
    yield _chunk({"role": "assistant", "content": ""}), 0.0
    for piece in pieces[:most]:
        yield _chunk({"content": piece}), pause_s
    for index, call in enumerate(calls):
        yield _chunk({"tool_calls": [{"index": index, **call}]}), 0.0
    cut = "length" if most < len(pieces) else "stop"
    yield _chunk({}, "tool_calls" if calls else cut), 0.0
    spent = min(most, len(pieces)) + sum(len(call["function"]["arguments"]) // 4 for call in calls)
    usage = {"prompt_tokens": _tokens(asked), "completion_tokens": max(spent, 1)}
    yield {**_chunk({}), "choices": [], "usage": usage}, 0.0


def answer(asked: dict[str, Any]) -> tuple[list[str], list[dict[str, Any]], float]:
    """The words, the tools called, and the seconds between the words."""
    messages: list[Message] = asked["messages"]
    said = _last_words(messages)
    form = asked.get("response_format") or {}
    if called := _tool_to_call(asked, said):
        return [], [called], 0.0
    if found := [text_of(one) for one in _since_question(messages) if one["role"] == "tool"]:
        return _words("The tools found: " + "; ".join(found)), [], 0.0
    if form.get("type") == "json_schema":
        return _words(json.dumps(instance(form["json_schema"]["schema"]))), [], 0.0
    if form.get("type") == "json_object":
        return _words(json.dumps({"answer": ONION})), [], 0.0
    if pictures := list(_pictures(messages)):
        return _words(f"I see {len(pictures)} pictures: {', '.join(pictures)}."), [], 0.0
    if match := re.search(r"repeat: (.+)", said):
        return _words(match[1]), [], 0.0
    if match := re.search(r"count to (\d+)", said, re.IGNORECASE):
        return _words(" ".join(str(n + 1) for n in range(int(match[1])))), [], PAUSE_S
    return _words(ONION), [], 0.0


def instance(schema: dict[str, Any], root: dict[str, Any] | None = None) -> Any:
    """Something that fits a JSON schema of the sort that programs write for tools and answers."""
    root = schema if root is None else root
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return instance(root["$defs"][name], root)
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return instance(schema["anyOf"][0], root)
    kind = schema.get("type", "object")
    if kind == "object":
        properties = schema.get("properties", {})
        wanted = schema.get("required", list(properties))
        return {name: instance(properties[name], root) for name in wanted}
    if kind == "array":
        return [instance(schema.get("items", {"type": "string"}), root)]
    return {"string": "onion", "integer": 21, "number": 2.5, "boolean": True}.get(kind)


def embeddings(asked: dict[str, Any]) -> dict[str, Any]:
    """Vectors made of how often the first letters stand in each text."""
    inputs = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
    size = asked.get("dimensions") or DIMENSIONS
    data = [
        {"object": "embedding", "index": index, "embedding": vector(text, size)}
        for index, text in enumerate(inputs)
    ]
    usage = {"prompt_tokens": sum(len(text.split()) for text in inputs)}
    return {"object": "list", "data": data, "model": MODEL, "usage": usage}


def vector(text: str, size: int = DIMENSIONS) -> list[float]:
    """The embedding of a text."""
    return [text.count(chr(ord("a") + place)) / 4 for place in range(size)]


def _tool_to_call(asked: dict[str, Any], said: str) -> dict[str, Any] | None:
    """The first tool that the question names and that was not called since; or the one that must
    be called."""
    functions = [tool["function"] for tool in asked.get("tools") or ()]
    since = _since_question(asked["messages"])
    called = [c["function"]["name"] for one in since for c in one.get("tool_calls") or ()]
    choice = asked.get("tool_choice")
    must = choice["function"]["name"] if isinstance(choice, dict) else ""
    named = sorted((said.find(f["name"]), f["name"]) for f in functions if f["name"] in said)
    wanted = [must] if must else [name for _, name in named]
    if choice == "required" and not wanted and functions and not called:
        wanted = [functions[0]["name"]]
    for function in (f for name in wanted for f in functions if f["name"] == name):
        if function["name"] not in called:
            text = json.dumps(instance(function.get("parameters") or {}))
            made = {"name": function["name"], "arguments": text}
            return {"id": f"call_{len(called) + 1}", "type": "function", "function": made}
    return None


def _since_question(messages: Sequence[Message]) -> list[Message]:
    """What follows the user's last words."""
    last = max((n for n, one in enumerate(messages) if one["role"] == "user"), default=-1)
    return list(messages[last + 1 :])


def _last_words(messages: Sequence[Message]) -> str:
    said = [text_of(one) for one in messages if one["role"] == "user"]
    return said[-1] if said else ""


def text_of(message: Message) -> str:
    """The words of a message."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part["type"] == "text")


def _pictures(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if part["type"] == "image_url":
                head, _, data = part["image_url"]["url"].partition(",")
                yield f"{head} of {len(data)} characters"


def _words(text: str) -> list[str]:
    return re.findall(r"\s*\S+", text)


def _tokens(asked: dict[str, Any]) -> int:
    return max(1, sum(len(text_of(one).split()) for one in asked["messages"]))


def _chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "a1", "object": "chat.completion.chunk", "model": MODEL, "choices": [choice]}


def main() -> None:
    """Serve as a program."""
    parser = argparse.ArgumentParser(description="An OpenAI-compatible server that does as told.")
    parser.add_argument("--port", type=int, required=True)
    try:
        trio.run(partial(AbleProvider().run, parser.parse_args().port))
    except* KeyboardInterrupt:
        print("stopped", flush=True)


if __name__ == "__main__":
    main()
