"""The description of the local API in OpenAPI 3.1, made from the shapes that are checked. Pure.

Bodies come from `shapes_in`, which every request is held against, and answers from `shapes_out`,
which the tests hold every answer against; so neither can say what the program does not do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from engine.gateway import counting, shapes_in, shapes_out
from engine.gateway.shapes_in import UNSET, Shape
from engine.gateway.tags import MAX_SESSION
from engine.version import VERSION

Object = dict[str, Any]
USUAL_SERVER = "http://127.0.0.1:8765"
PATH = "/openapi.json"
_REF = "#/components/schemas/{name}"

ASKED: Mapping[str, tuple[str, str, type[Shape], type[shapes_out.Out], bool]] = {
    "/v1/chat/completions": (
        "createChatCompletion",
        "Ask in the form of OpenAI's chat completions",
        shapes_in.ChatBody,
        shapes_out.ChatAnswer,
        True,
    ),
    "/v1/responses": (
        "createResponse",
        "Ask in the form of OpenAI's responses",
        shapes_in.ResponsesBody,
        shapes_out.ResponsesAnswer,
        True,
    ),
    "/v1/messages": (
        "createMessage",
        "Ask in the form of Anthropic's messages",
        shapes_in.MessagesBody,
        shapes_out.MessagesAnswer,
        True,
    ),
    "/v1/embeddings": (
        "createEmbeddings",
        "Turn texts into vectors",
        shapes_in.EmbeddingsBody,
        shapes_out.EmbeddingsAnswer,
        False,
    ),
}
"""By path: name, words, what is sent, what comes back, whether it can be streamed."""

AT_THE_DOOR = {
    "400": "Malformed, an option that cannot be passed on, or a question the ghost refuses.",
    "401": "No key, or one that is not valid.",
    "403": "The Host header names another machine, or a web page asks.",
    "404": "No such path, or no ghost offers the model.",
    "405": "The path takes another method.",
    "413": "The body is longer than any ghost takes.",
}
OF_ASKING = {
    "402": "The wallet has no ecash for it: `peer2prompt wallet fund`.",
    "408": "The body did not come in time.",
    "429": "The ghost or its provider is busy, or too many wait. `Retry-After` says how long.",
    "499": "The question was stopped by somebody else on this machine.",
    "500": "A fault of this program; the node's log says where, without a word of the question.",
    "502": "The ghost or its provider failed.",
    "503": "No safe path, no ghost for the tag, or a mint that does not answer. Nothing was sent: "
    "there is no direct way to fall back to.",
}
_AGAIN = {
    "description": "Whether a client may ask again by itself.",
    "schema": {"type": "string", "enum": ["true", "false"]},
}
_AFTER: Object = {"description": "Seconds.", "schema": {"type": "string", "pattern": "^[0-9]+$"}}
_ACCOUNT = {
    "X-Peer2Prompt-Cost-Msat": {
        "description": "What the answer cost; not in a stream, which begins before that is known.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "X-Peer2Prompt-Ghost": {"description": "Short id.", "schema": {"type": "string"}},
    "X-Peer2Prompt-Receipt": {"description": "Its hash.", "schema": {"type": "string"}},
}
_EVENT = {
    "type": "object",
    "description": "With `stream: true`: each event, as the clients of this form know them; `data` "
    "is JSON. What the answer cost comes with the last that has words.",
    "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
    "required": ["data"],
}
_SESSION = {
    "name": "X-Peer2Prompt-Session",
    "in": "header",
    "description": "Any words. Requests with other words share no ghost and no circuit with this.",
    "schema": {"type": "string", "maxLength": MAX_SESSION},
}


def describe_api(server: str = USUAL_SERVER) -> Object:
    """The whole description, of an API that listens at `server`."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Peer2Prompt's local API",
            "version": VERSION,
            "summary": "Asks ghosts over onion circuits, paid with ecash, on this machine alone.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": server}],
        "security": [{"bearer": []}, {"key": []}],
        "paths": {path: {"post": _asking(path)} for path in ASKED}
        | {counting.PATH: {"post": _counting()}}
        | _reading(),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


def _asking(path: str) -> Object:
    name, words, shape, answer, streams = ASKED[path]
    content = _json(answer)
    if streams:
        content["text/event-stream"] = {"schema": _EVENT}
    said = {"description": "The answer.", "headers": _ACCOUNT, "content": content}
    return {
        "operationId": name,
        "summary": words,
        "parameters": [_SESSION],
        "requestBody": {"required": True, "content": _json(shape)},
        "responses": {"200": said, **_failures({**AT_THE_DOOR, **OF_ASKING})},
    }


def _counting() -> Object:
    failures = {**AT_THE_DOOR, "408": OF_ASKING["408"], "500": OF_ASKING["500"]}
    counted = {"description": "An estimate.", "content": _json(shapes_out.TokenCount)}
    return {
        "operationId": "countTokens",
        "summary": "About how many tokens a question has; nothing is sent",
        "requestBody": {"required": True, "content": _json(shapes_in.MessagesBody)},
        "responses": {"200": counted, **_failures(failures)},
    }


def _reading() -> Object:
    model = {
        "name": "name",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
    }
    return {
        "/v1/models": {
            "get": _read("listModels", "What the known ghosts offer", _json(shapes_out.ModelList))
        },
        "/v1/models/{name}": {
            "get": _read("getModel", "One of them", _json(shapes_out.ModelEntry))
            | {"parameters": [model]}
        },
        PATH: {
            "get": _read(
                "describe", "This description", {"application/json": {"schema": {"type": "object"}}}
            )
        },
    }


def _read(name: str, words: str, content: Object) -> Object:
    found = {"description": "What there is.", "content": content}
    failures = {**AT_THE_DOOR, "500": OF_ASKING["500"], "503": "No relay or ghost is known."}
    return {
        "operationId": name,
        "summary": words,
        "responses": {"200": found, **_failures(failures)},
    }


def _failures(words: Mapping[str, str]) -> Object:
    return {
        status: {
            "description": why,
            "headers": {"X-Should-Retry": _AGAIN}
            | ({"Retry-After": _AFTER} if status == "429" else {}),
            "content": _json(shapes_out.Error),
        }
        for status, why in sorted(words.items())
    }


def _json(shape: type[msgspec.Struct]) -> Object:
    return {"application/json": {"schema": {"$ref": _REF.format(name=shape.__name__)}}}


def _schemas() -> Object:
    bodies = [shape for _, _, shape, _, _ in ASKED.values()]
    answers = [answer for _, _, _, answer, _ in ASKED.values()]
    more = [shapes_out.ModelList, shapes_out.ModelEntry, shapes_out.TokenCount, shapes_out.Error]
    _, found = msgspec.json.schema_components([*bodies, *answers, *more], ref_template=_REF)
    for body in bodies:
        found[body.__name__]["additionalProperties"] = {
            "enum": [*UNSET, 0],
            "description": "An option that is not taken may stand there when it is not set.",
        }
    return found
