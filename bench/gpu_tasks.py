"""What bench/gpu.py has its processes do: questions with their options, and what was measured."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

OPTIONS = {"temperature": 0.8, "top_p": 0.95, "top_k": 40, "min_p": 0.05, "seed": 7}
"""The same sampling for all; llama.cpp's own defaults."""


@dataclass(frozen=True, slots=True)
class Task:
    """So many questions at once, each for so many tokens. `number` makes every prompt new from
    its first words on, so that nobody's prefix cache helps."""

    number: int
    sessions: int
    tokens: int

    def questions(self) -> list[str]:
        return [
            f"{self.number * 100 + place}: write a very long story about a fox, a lighthouse and "
            "a letter that never arrived. Describe every place and every person in many words."
            for place in range(self.sessions)
        ]

    def line(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @staticmethod
    def read(line: str) -> Task:
        return Task(**json.loads(line))


@dataclass(frozen=True, slots=True)
class Done:
    """Tokens that were made, in how many seconds, for how many seconds of processor time."""

    tokens: int
    wall_s: float
    cpu_s: float

    @property
    def rate(self) -> float:
        """Tokens per second."""
        return self.tokens / self.wall_s

    @property
    def cpu_rate(self) -> float:
        """Tokens per second of processor time: what a loaded machine disturbs least."""
        return self.tokens / self.cpu_s

    def as_dict(self) -> dict[str, float]:
        return asdict(self)
