"""What a search over all conversations found. Headless."""

from __future__ import annotations

from dataclasses import dataclass

from tui.app.jsonish import Json, line, maybe_real, whole


@dataclass(frozen=True, slots=True)
class Found:
    """A message with the words. `marks` are from and to, in characters of `snippet`."""

    session_id: str
    message_id: int
    title: str
    role: str
    created: float
    archived: bool
    snippet: str
    marks: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, source: Json) -> Found:
        text = source.get("snippet")
        snippet = "".join(c if c.isprintable() else " " for c in text) if text else ""
        return cls(
            session_id=line(source, "session_id"),
            message_id=whole(source, "message_id"),
            title=line(source, "title") or "Untitled",
            role=line(source, "role"),
            created=maybe_real(source, "created") or 0.0,
            archived=source.get("archived") is True,
            snippet=snippet,
            marks=tuple(_marks(source.get("marks"), len(snippet))),
        )


def _marks(value: object, length: int) -> list[tuple[int, int]]:
    pairs = value if isinstance(value, list) else []
    found = [tuple(p) for p in pairs if isinstance(p, list | tuple) and len(p) == 2]
    return [
        (start, end)
        for start, end in found
        if isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= length
    ]
