"""The answers of /v1/chat/completions: whole, or as chunks while they come. Pure.

`reasoning_content` is the word that most clients know for reasoning; OpenAI's own has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.gateway.account import account, finish, usage
from engine.gateway.asking import Piece
from engine.gateway.bodies import ANY_MODEL, Wanted
from engine.gateway.forms import Frame
from engine.gateway.problems import Problem

DONE: Frame = ("", b"data: [DONE]\n\n")


class ChatForm:
    """See `engine.gateway.forms.Form`. `created` is unix seconds."""

    def __init__(self, answer_id: str, wanted: Wanted, created: int) -> None:
        self._head = {"id": f"chatcmpl-{answer_id}", "created": created}
        self._model = wanted.model or ANY_MODEL
        self._usage = wanted.usage
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[dict[str, Any]] = []
        self._begun = False

    def add(self, piece: Piece) -> list[Frame]:
        delta: dict[str, Any]
        if piece.kind == "text":
            self._text.append(piece.text)
            delta = {"content": piece.text}
        elif piece.kind == "reasoning":
            self._reasoning.append(piece.text)
            delta = {"reasoning_content": piece.text}
        elif piece.kind == "call":
            function = {"name": piece.name, "arguments": piece.text}
            call = {"id": piece.id, "type": "function", "function": function}
            delta = {"tool_calls": [{"index": len(self._calls), **call}]}
            self._calls.append(call)
        else:
            return []
        return [("", self._chunk(delta))]

    def last(self, result: Mapping[str, Any]) -> list[Frame]:
        reason = finish(result, calls=bool(self._calls))
        frames: list[Frame] = [
            ("", {**self._chunk({}, reason), "peer2prompt": account(result)}),
        ]
        if self._usage:
            frames.append(("", {**self._chunk_head(), "choices": [], "usage": usage(result)}))
        return [*frames, DONE]

    def whole(self, result: Mapping[str, Any]) -> dict[str, Any]:
        text = "".join(self._text)
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        if self._reasoning:
            message["reasoning_content"] = "".join(self._reasoning)
        if self._calls:
            message |= {"tool_calls": self._calls, "content": text or None}
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": finish(result, calls=bool(self._calls)),
        }
        return {
            **self._head,
            "object": "chat.completion",
            "model": result["model"] or self._model,
            "choices": [choice],
            "usage": usage(result),
            "peer2prompt": account(result),
        }

    def failed(self, problem: Problem) -> list[Frame]:
        return [("", problem.as_body())]

    def _chunk(self, delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        if not self._begun:
            self._begun, delta = True, {"role": "assistant", "content": "", **delta}
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {**self._chunk_head(), "choices": [choice]}

    def _chunk_head(self) -> dict[str, Any]:
        return {**self._head, "object": "chat.completion.chunk", "model": self._model}
