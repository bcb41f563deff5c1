"""The answers of /v1/responses: whole, or as events. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.gateway.account import account, finish
from engine.gateway.asking import Piece
from engine.gateway.bodies import ANY_MODEL, Wanted
from engine.gateway.forms import Frame
from engine.gateway.problems import Problem


class ResponsesForm:
    """See `engine.gateway.forms.Form`. `created` is unix seconds."""

    def __init__(self, answer_id: str, wanted: Wanted, created: int) -> None:
        self._id = answer_id
        self._created = created
        self._model = wanted.model or ANY_MODEL
        self._output: list[dict[str, Any]] = []
        self._open = False
        self._sent = 0

    def add(self, piece: Piece) -> list[Frame]:
        if piece.kind == "call":
            return [*self._begin(), *self._close(), *self._call(piece)]
        kind = {"text": "message", "reasoning": "reasoning"}.get(piece.kind)
        if kind is None:
            return []
        frames = self._begin()
        if not self._open or self._output[-1]["type"] != kind:
            frames += [*self._close(), *self._start(kind)]
        self._output[-1]["content"][0]["text"] += piece.text
        name = "output_text" if kind == "message" else "reasoning_text"
        told = {**self._place(), "delta": piece.text, "logprobs": []}
        return [*frames, self._event(f"response.{name}.delta", told)]

    def last(self, result: Mapping[str, Any]) -> list[Frame]:
        frames = [*self._begin(), *self._close()]
        whole = self.whole(result)
        return [*frames, self._event(f"response.{whole['status']}", {"response": whole})]

    def whole(self, result: Mapping[str, Any]) -> dict[str, Any]:
        cut = finish(result, calls=False)
        ended = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(cut)
        status = "incomplete" if ended else "completed"
        self._settle()
        tokens_in, tokens_out = result["tokens_in"], result["tokens_out"]
        return {
            **self._response(status),
            "model": result["model"] or self._model,
            "output": self._output,
            "incomplete_details": {"reason": ended} if ended else None,
            "usage": {
                "input_tokens": tokens_in,
                "input_tokens_details": {"cached_tokens": result["tokens_cached"]},
                "output_tokens": tokens_out,
                "output_tokens_details": {"reasoning_tokens": result["tokens_reasoning"]},
                "total_tokens": tokens_in + tokens_out,
            },
            "peer2prompt": account(result),
        }

    def failed(self, problem: Problem) -> list[Frame]:
        """Both events that clients know: some look for the one, some for the other."""
        error = problem.as_body()["error"]
        told = {"code": error["code"], "message": error["message"], "param": None}
        self._settle()
        inside = {"code": "server_error", "message": error["message"]}
        ended = {**self._response("failed"), "output": self._output, "error": inside}
        return [self._event("error", told), self._event("response.failed", {"response": ended})]

    def _response(self, status: str) -> dict[str, Any]:
        return {
            "id": f"resp_{self._id}",
            "object": "response",
            "created_at": self._created,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "model": self._model,
            "output": [],
            "parallel_tool_calls": True,
            "temperature": None,
            "tool_choice": "auto",
            "tools": [],
            "top_p": None,
            "usage": None,
        }

    def _begin(self) -> list[Frame]:
        if self._sent:
            return []
        told = {"response": self._response("in_progress")}
        return [self._event("response.created", told), self._event("response.in_progress", told)]

    def _start(self, kind: str) -> list[Frame]:
        self._open = True
        number = len(self._output)
        if kind == "message":
            part: dict[str, Any] = {
                "type": "output_text",
                "text": "",
                "annotations": [],
                "logprobs": [],
            }
            more: dict[str, Any] = {"role": "assistant", "status": "in_progress"}
        else:
            part = {"type": "reasoning_text", "text": ""}
            more = {"summary": []}
        item = {"type": kind, "id": f"{kind[:3]}_{self._id}_{number}", **more}
        self._output.append({**item, "content": [part]})
        added = {"output_index": number, "item": {**item, "content": []}}
        return [
            self._event("response.output_item.added", added),
            self._event("response.content_part.added", {**self._place(), "part": dict(part)}),
        ]

    def _close(self) -> list[Frame]:
        if not self._open:
            return []
        self._settle()
        item = self._output[-1]
        (part,) = item["content"]
        name = "output_text" if item["type"] == "message" else "reasoning_text"
        ended = {**self._place(), "text": part["text"], "logprobs": []}
        done = {"output_index": len(self._output) - 1, "item": item}
        return [
            self._event(f"response.{name}.done", ended),
            self._event("response.content_part.done", {**self._place(), "part": part}),
            self._event("response.output_item.done", done),
        ]

    def _settle(self) -> None:
        if self._open:
            self._open = False
            if self._output[-1]["type"] == "message":
                self._output[-1]["status"] = "completed"

    def _call(self, piece: Piece) -> list[Frame]:
        number = len(self._output)
        item = {
            "type": "function_call",
            "id": f"fc_{self._id}_{number}",
            "call_id": piece.id,
            "name": piece.name,
            "arguments": piece.text,
            "status": "completed",
        }
        self._output.append(item)
        begun = {**item, "arguments": "", "status": "in_progress"}
        place = {"output_index": number, "item_id": item["id"]}
        name = "response.function_call_arguments"
        return [
            self._event("response.output_item.added", {"output_index": number, "item": begun}),
            self._event(f"{name}.delta", {**place, "delta": piece.text}),
            self._event(f"{name}.done", {**place, "name": piece.name, "arguments": piece.text}),
            self._event("response.output_item.done", {"output_index": number, "item": item}),
        ]

    def _place(self) -> dict[str, Any]:
        number = len(self._output) - 1
        return {"output_index": number, "item_id": self._output[-1]["id"], "content_index": 0}

    def _event(self, name: str, told: dict[str, Any]) -> Frame:
        self._sent += 1
        return name, {"type": name, "sequence_number": self._sent - 1, **told}
