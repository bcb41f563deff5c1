"""Which programs of the local API are kept apart: one line for each isolation tag."""

from __future__ import annotations

from dataclasses import dataclass

from tui.app.jsonish import Json, line, lines, maybe_real, whole


@dataclass(frozen=True, slots=True)
class TagLine:
    """One tag. `session` is a digest: the words of a session are not told."""

    tag: str
    key: str
    purposes: tuple[str, ...]
    session: str
    circuits: int
    ghosts: tuple[str, ...]
    asked: int
    under_way: int
    spent_msat: int
    idle_s: float

    @classmethod
    def of(cls, source: Json) -> TagLine:
        return cls(
            tag=line(source, "tag"),
            key=line(source, "key"),
            purposes=tuple(lines(source, "purposes")),
            session=line(source, "session"),
            circuits=whole(source, "circuits"),
            ghosts=tuple(lines(source, "ghosts")),
            asked=whole(source, "asked"),
            under_way=whole(source, "under_way"),
            spent_msat=whole(source, "spent_msat"),
            idle_s=maybe_real(source, "idle_s") or 0.0,
        )

    @property
    def who(self) -> str:
        """The key's name and what it asks for, with the digest of a session that was named."""
        name = self.key or "this machine's own"
        what = ", ".join(self.purposes)
        return " ".join(word for word in (name, what, self.session and f"#{self.session}") if word)
