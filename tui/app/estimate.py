"""What the next question would cost, as `ask.estimate` says it. Headless."""

from __future__ import annotations

from dataclasses import dataclass

from tui.app.jsonish import Json, line, record, whole
from tui.app.message import Trouble
from tui.app.text import msat, percent, plural


@dataclass(frozen=True, slots=True)
class Estimate:
    likely_msat: int = 0
    most_msat: int = 0
    model: str = ""
    used: int = 0
    bound: int = 0
    left_out: int = 0
    fits: bool = True
    trouble: Trouble | None = None
    """Why the question would be refused."""

    @classmethod
    def of(cls, source: Json) -> Estimate:
        context = record(source.get("context"))
        return cls(
            likely_msat=whole(source, "likely_msat"),
            most_msat=whole(source, "most_msat"),
            model=line(source, "model"),
            used=whole(context, "used"),
            bound=whole(context, "bound"),
            left_out=whole(context, "left_out"),
            fits=source.get("fits") is not False,
        )

    def cost(self) -> str:
        return f"likely {msat(self.likely_msat)}, at most {msat(self.most_msat)}"

    def context(self) -> str:
        """The share of the model's context; empty when its size is not known."""
        return f"{percent(self.used / self.bound)} of the context" if self.bound else ""

    def warning(self) -> str:
        """What the user should know before sending."""
        if self.trouble is not None:
            return f"{self.trouble.message} {self.trouble.hint}".strip()
        if not self.fits:
            return "Too long for the model's context: it would be refused, unpaid."
        if self.left_out:
            return f"Context full: {plural(self.left_out, 'old message')} left out."
        return ""
