"""Chats of other programs: lists of messages in OpenAI's form, and our own file. Strict. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from engine.control.protocol.asking import Attachment
from engine.session.chat_file import (
    FORMAT,
    MAX_CHATS,
    MAX_FILE_BYTES,
    MAX_MESSAGES,
    MAX_TEXT,
    MAX_TITLE,
    BadChatFile,
    read_chats,
)
from engine.session.chat_settings import ChatSettings
from engine.session.files.attach import read_files
from wallet.store import Enclosed
from wallet.store.trees import Node, Tree

ROLES = ("system", "developer", "user", "assistant")
DATA_URL = "data:"
TITLE_CHARS = 48


def read_any(text: str, now: float) -> list[Tree]:
    """The chats in a text. Raises BadChatFile with what is wrong with it."""
    if len(text.encode("utf-8", "replace")) > MAX_FILE_BYTES:
        raise BadChatFile(f"The file is larger than {MAX_FILE_BYTES >> 20} MiB.")
    try:
        found = msgspec.json.decode(text)  # no NaN, no 1e400, no half of a character
    except (ValueError, RecursionError):
        raise BadChatFile("The file is not JSON.") from None
    if isinstance(found, dict) and found.get("format") == FORMAT:
        return read_chats(found)
    chats = found if isinstance(found, list) and _is_chat(found[:1]) else [found]
    if len(chats) > MAX_CHATS:
        raise BadChatFile(f"The file holds more than {MAX_CHATS} chats.")
    return [_chat(chat, now) for chat in chats]


def _is_chat(first: list[Any]) -> bool:
    return any(isinstance(one, dict) and "messages" in one for one in first)


def _chat(found: Any, now: float) -> Tree:
    named = found if isinstance(found, dict) else {"messages": found}
    messages = named.get("messages")
    if not isinstance(messages, list) or not 1 <= len(messages) <= MAX_MESSAGES:
        raise BadChatFile("The file holds neither exported chats nor a list of messages.")
    system, rest = _split_system(messages)
    nodes = [_node(number, message, now) for number, message in enumerate(rest, 1)]
    title = named.get("title")
    model = named.get("model")
    if not isinstance(title, str) or not title.strip():
        title = next((node.text for node in nodes if node.role == "user"), "Imported chat")
        title = " ".join(title.split())[:TITLE_CHARS]
    return Tree(
        title=title[:MAX_TITLE],
        model=model if isinstance(model, str) else "",
        created=now,
        updated=now,
        nodes=nodes,
        leaf=len(nodes) or None,
        settings=ChatSettings(system=system).checked().plain(),
    )


def _split_system(messages: Sequence[Any]) -> tuple[str, Sequence[Any]]:
    """The first message, where it is the system's, is the chat's own."""
    first = messages[0]
    if isinstance(first, dict) and first.get("role") in ("system", "developer"):
        return _content(first.get("content"), 0)[0], messages[1:]
    return "", messages


def _node(number: int, message: Any, now: float) -> Node:
    role = message.get("role") if isinstance(message, dict) else None
    if role not in ROLES:
        raise BadChatFile(f"Message {number} has a role that a chat cannot hold.")
    text, files = _content(message.get("content"), number)
    return Node(
        number=number,
        parent=number - 1 or None,
        role=role,
        text=text,
        created=now,
        meta={"state": "done"} if role == "assistant" else {},
        files=files,
    )


def _content(content: Any, number: int) -> tuple[str, Sequence[Enclosed]]:
    if isinstance(content, str):
        return _bounded(content, number), ()
    if content is None:
        return "", ()
    if not isinstance(content, list):
        raise BadChatFile(f"Message {number} has a content of no known form.")
    texts: list[str] = []
    pictures: list[Attachment] = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind == "image_url":
            pictures.append(_picture(part, number, len(pictures)))
        else:
            raise BadChatFile(f"Message {number} has a content of no known form.")
    return _bounded("\n".join(texts), number), read_files(pictures)


def _picture(part: dict[str, Any], number: int, place: int) -> Attachment:
    inner = part.get("image_url")
    url = inner.get("url") if isinstance(inner, dict) else None
    if not isinstance(url, str) or not url.startswith(DATA_URL) or ";base64," not in url:
        raise BadChatFile(f"Message {number} has a picture that is not inside the file.")
    return Attachment(f"picture-{number}-{place + 1}", url.split(";base64,", 1)[1], "image/*")


def _bounded(text: str, number: int) -> str:
    if len(text) > MAX_TEXT:
        raise BadChatFile(f"Message {number} has more than {MAX_TEXT} characters.")
    return text
