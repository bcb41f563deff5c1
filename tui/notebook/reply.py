"""A whole answer with its account, and how an answer looks while it comes and when it is there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from engine.control.protocol.asking import AskDone, AskResult
from engine.control.protocol.sessions import Message, Part
from tui.app.text import msat, plural, took
from tui.cli.style import moment
from tui.notebook.view import (
    Answered,
    Block,
    Folded,
    Guarded,
    GuardedShelf,
    Verbatim,
    View,
    Words,
)


class Call(Guarded, msgspec.Struct, frozen=True):
    """A tool that the model wants called. Its arguments are the model's words: check them."""

    id: str
    name: str
    arguments_json: str

    @property
    def arguments(self) -> Any:
        """The arguments, read; the text as it came when it is not JSON."""
        try:
            return json.loads(self.arguments_json)
        except ValueError:
            return self.arguments_json

    def _summary(self) -> str:
        return f"{len(self.arguments_json)} characters of arguments"

    def _view(self) -> View:
        return View(f"Call of {self.name}", [Verbatim(self.arguments_json)])


class Reply(Guarded, AskResult, frozen=True, kw_only=True):
    """A finished answer. `str(reply)` is its text; `repr` says nothing of it."""

    session_id: str
    """The chat it belongs to."""

    @property
    def text(self) -> str:
        return self.answer

    @property
    def cost_sat(self) -> float:
        return self.cost_msat / 1000

    @property
    def calls(self) -> list[Call]:
        """The tools the model wants called."""
        return [Call(p.id, p.name, p.text) for p in self.parts if p.kind == "call"]

    @property
    def reasoning(self) -> str:
        return "".join(part.text for part in self.parts if part.kind == "reasoning")

    @property
    def cancelled(self) -> bool:
        """Whether it was stopped: the text is what had come, and only that was paid."""
        return self.finish_reason == "cancelled"

    def __str__(self) -> str:
        return self.answer

    def _summary(self) -> str:
        return f"{plural(self.tokens_out, 'token')}, {msat(self.cost_msat)}"

    def _view(self) -> View:
        blocks = answer_blocks(self.answer, self.parts)
        return View("", [*blocks, Words(cost_line(self), quiet=True)])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        from tui.notebook.plain import plain

        printer.text("..." if cycle else plain(self._view()))


def reply_of(done: AskDone) -> Reply:
    """The node's word on a finished answer, as a reply."""
    return Reply(**msgspec.structs.asdict(done.result), session_id=done.session_id)


def answer_blocks(text: str, parts: Sequence[Part]) -> list[Block]:
    """An answer, whole or as far as it came."""
    blocks: list[Block] = []
    thought = "".join(part.text for part in parts if part.kind == "reasoning")
    if thought:
        blocks.append(Folded("reasoning", thought))
    blocks.append(Answered(text))
    for part in parts:
        if part.kind == "call":
            blocks += [Words(f"The model calls {part.name}:"), Verbatim(part.text)]
        elif part.kind == "refusal":
            blocks.append(Words(f"The provider refused: {part.text}", loud=True))
    return blocks


def cost_line(reply: Reply) -> str:
    """What it cost and came from, in a line."""
    words = [
        "stopped" if reply.cancelled else "",
        reply.model,
        f"{reply.tokens_in:,} + {reply.tokens_out:,} tokens",
        msat(reply.cost_msat),
        plural(len(reply.receipts), "receipt") if reply.receipts else "",
        took(reply.total_ms) if reply.total_ms else "",
        f"chat {reply.session_id[:8]}",
    ]
    return " · ".join(word for word in words if word)


class Messages(GuardedShelf[Message]):
    """The messages of a chat, the oldest first."""

    __slots__ = ()

    def _view(self) -> View:
        blocks: list[Block] = []
        for one in self:
            who = "You" if one.role == "user" else one.meta.model or one.role
            blocks.append(Words(f"{who}, {moment(one.created)}", quiet=True))
            blocks += answer_blocks(one.text, one.parts)
        return View("", blocks or [Words("No message yet.", quiet=True)])
