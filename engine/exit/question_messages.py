"""The messages of a chat question: roles, content as text or parts, tool calls and their results.

An image comes inside the question as a data: URL, never as the address of one: the ghost fetches
nothing for a client, and a provider that fetched it would tell somebody else about the question.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

from engine.exit.question_checks import Unfit, keys_fit, need
from engine.exit.question_tools import NAME, check_id

ROLES = ("system", "developer", "user", "assistant", "tool")
MAX_MESSAGES = 2048
MAX_PARTS = 256
MAX_IMAGES = 32
DETAILS = ("auto", "low", "high")
IMAGE_TYPES = {
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/webp": (b"RIFF",),
}
"""The kinds that all providers take, and how each file begins."""
_DATA_URL = re.compile(r"data:(image/[a-z]+);base64,([A-Za-z0-9+/]+={0,2})")
_FORM = "A message is not made of a role and a content."
_CONTENT = "A message has an unknown role, or content that is neither text nor known parts."


def read_messages(found: Any, features: frozenset[str]) -> list[dict[str, Any]]:
    """The messages, checked. Raises Unfit."""
    if not isinstance(found, list) or not 1 <= len(found) <= MAX_MESSAGES:
        raise Unfit("The question holds no list of messages.")
    called: set[str] = set()
    for message in found:
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise Unfit(_CONTENT if isinstance(message, dict) else _FORM)
        if message["role"] == "assistant":
            called |= _check_assistant(message, features)
        elif message["role"] == "tool":
            _check_result(message, called, features)
        else:
            _check_words(message, features)
    images = sum(1 for message in found for _ in images_of(message))
    if images > MAX_IMAGES:
        raise Unfit("The question holds too many images.")
    return found


def images_of(message: dict[str, Any]) -> Iterator[str]:
    """The data: URLs of a checked message."""
    content = message.get("content")
    for part in content if isinstance(content, list) else ():
        if part["type"] == "image_url":
            yield part["image_url"]["url"]


def split_image(url: str) -> tuple[str, str]:
    """(media type, base64) of a checked data: URL. Raises Unfit for any other."""
    match = _DATA_URL.fullmatch(url)
    if match is None:
        raise Unfit("An image is not inside the question as a data: URL in base64.")
    return match[1], match[2]


def _check_words(message: dict[str, Any], features: frozenset[str]) -> None:
    if not keys_fit(message, {"role", "content"}):
        raise Unfit(_FORM)
    _check_content(message["content"], features, images=message["role"] == "user")


def _check_assistant(message: dict[str, Any], features: frozenset[str]) -> set[str]:
    """The ids of the calls it makes."""
    calls = message.get("tool_calls")
    if calls is None:
        if not keys_fit(message, {"role", "content"}):
            raise Unfit(_FORM)
        _check_content(message["content"], features, images=False)
        return set()
    need("tools", features)
    if not keys_fit(message, {"role", "tool_calls"}, frozenset({"content"})):
        raise Unfit(_FORM)
    if message.get("content") is not None:
        _check_content(message["content"], features, images=False)
    if not isinstance(calls, list) or not 1 <= len(calls) <= MAX_PARTS:
        raise Unfit("A message's tool_calls are not a list of calls.")
    return {_check_call(call) for call in calls}


def _check_call(call: Any) -> str:
    if not keys_fit(call, {"id", "type", "function"}) or call["type"] != "function":
        raise Unfit("A tool call is not made of an id, a type and a function.")
    function = call["function"]
    if not keys_fit(function, {"name", "arguments"}) or not isinstance(function["arguments"], str):
        raise Unfit("The function of a tool call is not made of a name and arguments in text.")
    if not isinstance(function["name"], str) or not NAME.fullmatch(function["name"]):
        raise Unfit("The function of a tool call has a name that no function can have.")
    return check_id(call["id"])


def _check_result(message: dict[str, Any], called: set[str], features: frozenset[str]) -> None:
    need("tools", features)
    if not keys_fit(message, {"role", "content", "tool_call_id"}):
        raise Unfit("A tool's result is not made of a role, a content and a tool_call_id.")
    if check_id(message["tool_call_id"]) not in called:
        raise Unfit("A tool's result belongs to no earlier call.")
    _check_content(message["content"], features, images=False)


def _check_content(content: Any, features: frozenset[str], *, images: bool) -> None:
    if isinstance(content, str):
        return
    if not isinstance(content, list) or not 1 <= len(content) <= MAX_PARTS:
        raise Unfit(_CONTENT)
    for part in content:
        if keys_fit(part, {"type", "text"}) and part["type"] == "text":
            if not isinstance(part["text"], str):
                raise Unfit(_CONTENT)
        elif images and keys_fit(part, {"type", "image_url"}) and part["type"] == "image_url":
            need("images", features)
            _check_image(part["image_url"])
        else:
            raise Unfit(_CONTENT)


def _check_image(image: Any) -> None:
    if not keys_fit(image, {"url"}, frozenset({"detail"})) or not isinstance(image["url"], str):
        raise Unfit("An image is not made of a url and a detail.")
    if image.get("detail", "auto") not in DETAILS:
        raise Unfit("An image asks for an unknown detail.")
    kind, packed = split_image(image["url"])
    try:
        raw = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        raise Unfit("An image is not valid base64.") from None
    if not raw.startswith(IMAGE_TYPES.get(kind, ())):
        raise Unfit("An image is not the PNG, JPEG, GIF or WebP file that it says.")
