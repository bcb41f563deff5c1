"""What a ghost is sent of a chat: the messages as the provider takes them.

The same chat gives the same bytes each time, so that what a provider has read before is found in
its cache: a longer chat's messages begin with a shorter one's. Pure.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from engine.session.files.attach import is_picture
from engine.session.tooling import calls_of, results_of, told, turn_of
from wallet.store import ChatMessage, Enclosed, Measured

FINISHED = ("", "done", "cancelled")
"""States of answers that are sent on; what broke off is not."""
Files = Mapping[int, Sequence[Enclosed]]


def is_sent(role: str, state: str, text_bytes: int) -> bool:
    """Whether a message goes to the ghost: unfinished and empty answers do not."""
    return role != "assistant" or (state in FINISHED and text_bytes > 0)


def sent_of(branch: Sequence[Measured]) -> list[Measured]:
    """The messages of a branch that go to the ghost."""
    return [m for m in branch if is_sent(m.role, m.state, m.text_bytes)]


def messages_of(
    system: str, chat: Sequence[ChatMessage], files: Files, *, tools: bool = False
) -> list[dict[str, Any]]:
    """The question's messages, the chat's own words to the model first. With `tools`, calls and
    their results keep their form; without it an answer is its text."""
    found: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    called = False
    for message, after in zip_longest(chat, chat[1:]):
        state = message.meta.get("state", "")
        calls = calls_of(message) if tools and state in FINISHED else []
        if calls:
            found += turn_of(message, calls, after)
        elif message.role == "user":
            found += _asked(message, files, in_form=called)
        elif is_sent(message.role, state, len(message.text)):
            found.append({"role": message.role, "content": content_of(message, files)})
        called = bool(calls)
    return found


def _asked(message: ChatMessage, files: Files, *, in_form: bool) -> list[dict[str, Any]]:
    """A question; the results it brought are words of it, unless they were sent `in_form`."""
    results = results_of(message)
    if results and not in_form:
        words = "\n\n".join(filter(None, (told(results.values()), message.text)))
        message = replace(message, text=words)
    if results and in_form and not message.text and not files.get(message.message_id):
        return []
    return [{"role": "user", "content": content_of(message, files)}]


def content_of(message: ChatMessage, files: Files) -> str | list[dict[str, Any]]:
    """The text with its text files; with pictures, a list of parts."""
    enclosed = files.get(message.message_id, ())
    text = "".join([message.text, *(_inlined(file) for file in enclosed if not is_picture(file))])
    pictures = [file for file in enclosed if is_picture(file)]
    if not pictures:
        return text
    return [
        {"type": "text", "text": text},
        *({"type": "image_url", "image_url": {"url": _data_url(file)}} for file in pictures),
    ]


def _inlined(file: Enclosed) -> str:
    """A text file with its name, between fences that it does not hold."""
    text = file.data.decode("utf-8", "replace")
    fence = "`" * max(3, _longest_run(text) + 1)
    end = "" if text.endswith("\n") else "\n"
    return f"\n\nFile {file.name}:\n{fence}\n{text}{end}{fence}"


def _longest_run(text: str) -> int:
    longest = run = 0
    for character in text:
        run = run + 1 if character == "`" else 0
        longest = max(longest, run)
    return longest


def _data_url(file: Enclosed) -> str:
    return f"data:{file.mime};base64,{base64.b64encode(file.data).decode('ascii')}"
