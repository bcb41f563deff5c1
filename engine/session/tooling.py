"""Calls of tools in a chat, and their results: kept with the messages, and sent on in their form.

A model that called tools is shown its calls and what came of them, each result right after its
call, because providers take a call without its result for an error. Results come from whoever
carries the calls out (`ask` with `results`); they lie in the raw text of the question they came
with, one part each:

    raw = text of the question *( U+001E "o" JSON {"id", "content"} )

Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.errors import Peer2PromptError
from engine.wire.answer import MARK, Call, read_answer
from wallet.store import ChatMessage

RESULT = "o"
NO_RESULT = "There is no result: the call was not carried out."
MAX_ID = 256
MAX_RESULTS_BYTES = 512 * 1024
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class BadResult(Peer2PromptError):
    """A result of a tool belongs to no call. Nothing was asked."""

    code = "bad_result"
    exit_code = 2


def calls_of(message: ChatMessage) -> list[Call]:
    """The calls of an answer, as far as every provider takes them back."""
    if message.role != "assistant" or not message.raw:
        return []
    calls = [part for part in read_answer(message.raw) if isinstance(part, Call)]
    return [call for call in calls if _NAME.fullmatch(call.name) and 0 < len(call.id) <= MAX_ID]


def results_of(message: ChatMessage) -> dict[str, str]:
    """What came of the calls before this question, by the calls' ids."""
    if message.role != "user" or not message.raw:
        return {}
    found: dict[str, str] = {}
    for part in message.raw.split(MARK)[1:]:
        if part.startswith(RESULT):
            found.update(_result(part[1:]))
    return found


def _result(body: str) -> dict[str, str]:
    try:
        found = json.loads(body)
        return {str(found["id"]): str(found["content"])}
    except (ValueError, KeyError, TypeError):
        return {}


def with_results(text: str, results: Sequence[Mapping[str, str]]) -> str | None:
    """The raw text of a question that brings these results; None when it brings none."""
    if not results:
        return None
    parts = (
        MARK + RESULT + json.dumps({"id": one["id"], "content": one["content"]}, ensure_ascii=False)
        for one in results
    )
    return "".join([text.replace(MARK, " "), *parts])


def check_results(results: Sequence[Mapping[str, str]], before: ChatMessage | None) -> None:
    """Raises BadResult for results that are not of the calls of the answer `before`."""
    if not results:
        return
    known = {call.id for call in calls_of(before)} if before is not None else set()
    named = [one["id"] for one in results]
    if len(set(named)) != len(named) or not known.issuperset(named):
        raise BadResult(
            "A result belongs to no call of the answer before it, or a call has two.",
            kept="Nothing was asked.",
            hint="The calls and their ids: peer2prompt sessions show ID --json",
        )
    if sum(len(one["content"].encode()) for one in results) > MAX_RESULTS_BYTES:
        raise BadResult(
            f"The results are longer than {MAX_RESULTS_BYTES // 1024} KiB.",
            kept="Nothing was asked.",
        )


def turn_of(message: ChatMessage, calls: Sequence[Call], after: ChatMessage | None) -> list[Any]:
    """An answer that called tools, and the results that the next message brings."""
    results = {} if after is None else results_of(after)
    return [
        {
            "role": "assistant",
            **({"content": message.text} if message.text else {}),
            "tool_calls": [_call(call) for call in calls],
        },
        *(
            {"role": "tool", "tool_call_id": call.id, "content": results.get(call.id, NO_RESULT)}
            for call in calls
        ),
    ]


def _call(call: Call) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def told(results: Iterable[str]) -> str:
    """Results in words, for a model that takes no tools."""
    return "\n".join(f"Result: {content}" for content in results)
