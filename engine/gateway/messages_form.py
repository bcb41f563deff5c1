"""The answers of /v1/messages, in Anthropic's form: whole, or as events. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from engine.gateway.account import account, finish
from engine.gateway.asking import Piece
from engine.gateway.bodies import ANY_MODEL, Wanted
from engine.gateway.forms import Frame
from engine.gateway.problems import Problem

_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
_FIELD = {"text": "text", "thinking": "thinking"}
_KINDS = {"text": "text", "reasoning": "thinking"}


class MessagesForm:
    """See `engine.gateway.forms.Form`."""

    def __init__(self, answer_id: str, wanted: Wanted, _created: int) -> None:
        self._id = f"msg_{answer_id}"
        self._model = wanted.model or ANY_MODEL
        self._blocks: list[dict[str, Any]] = []
        self._open = False
        self._begun = False

    def add(self, piece: Piece) -> list[Frame]:
        if piece.kind == "call":
            return [*self._begin(), *self._close(), *self._call(piece)]
        if (kind := _KINDS.get(piece.kind)) is None:
            return []
        frames = self._begin()
        if not self._open or self._blocks[-1]["type"] != kind:
            more = {"signature": ""} if kind == "thinking" else {}
            frames += [*self._close(), *self._start({"type": kind, _FIELD[kind]: "", **more})]
        self._blocks[-1][_FIELD[kind]] += piece.text
        return [*frames, self._delta({"type": f"{kind}_delta", _FIELD[kind]: piece.text})]

    def last(self, result: Mapping[str, Any]) -> list[Frame]:
        delta = {"stop_reason": self._reason(result), "stop_sequence": None}
        told = {"delta": delta, "usage": _usage(result), "peer2prompt": account(result)}
        return [
            *self._begin(),
            *self._close(),
            _event("message_delta", told),
            _event("message_stop", {}),
        ]

    def whole(self, result: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **self._head(),
            "model": result["model"] or self._model,
            "content": self._blocks,
            "stop_reason": self._reason(result),
            "usage": _usage(result),
            "peer2prompt": account(result),
        }

    def failed(self, problem: Problem) -> list[Frame]:
        return [("error", problem.as_body())]

    def _head(self) -> dict[str, Any]:
        return {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        }

    def _begin(self) -> list[Frame]:
        if self._begun:
            return []
        self._begun = True
        return [_event("message_start", {"message": self._head()})]

    def _start(self, block: dict[str, Any]) -> list[Frame]:
        self._blocks.append(block)
        self._open = True
        told = {"index": len(self._blocks) - 1, "content_block": dict(block)}
        return [_event("content_block_start", told)]

    def _close(self) -> list[Frame]:
        if not self._open:
            return []
        self._open = False
        return [_event("content_block_stop", {"index": len(self._blocks) - 1})]

    def _call(self, piece: Piece) -> list[Frame]:
        block = {"type": "tool_use", "id": piece.id, "name": piece.name, "input": {}}
        frames = self._start(block)
        self._blocks[-1]["input"] = _arguments(piece.text)
        delta = {"type": "input_json_delta", "partial_json": piece.text}
        return [*frames, self._delta(delta), *self._close()]

    def _delta(self, delta: dict[str, Any]) -> Frame:
        told = {"index": len(self._blocks) - 1, "delta": delta}
        return _event("content_block_delta", told)

    def _reason(self, result: Mapping[str, Any]) -> str:
        calls = any(block["type"] == "tool_use" for block in self._blocks)
        return _REASONS[finish(result, calls=calls)]


def _event(name: str, told: dict[str, Any]) -> Frame:
    return name, {"type": name, **told}


def _arguments(text: str) -> dict[str, Any]:
    """What the model wrote, as an object; whatever else it wrote is told as one text."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {"arguments": text}


def _usage(result: Mapping[str, Any]) -> dict[str, int]:
    cached = result["tokens_cached"]
    return {
        "input_tokens": result["tokens_in"] - cached,
        "cache_read_input_tokens": cached,
        "output_tokens": result["tokens_out"],
    }
