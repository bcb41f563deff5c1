"""The provider behind the ghosts of the market simulation: plans of answers, and what was read.

What it logs is the truth that bills are compared with: tokens that left the provider, whether the
client asked for them or not.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import trio

from engine.errors import ProviderError
from engine.exit.backends.base import ChatRequest, Delta, EmbedRequest, Events, Finish, Usage

WORDS = ("onion ", "layer ", "peel it ", "cell", ". ", "relay upon relay ", "é", "circuit, ")
FAILURES = ("broken_stream", "rate_limit", "overloaded", "timeout", "auth")


@dataclass(frozen=True, slots=True)
class Plan:
    """One answer: its pieces, the provider's counts, where it breaks."""

    pieces: tuple[str, ...]
    usage: tuple[int, int, int, int] | None
    fails_at: int | None
    failure: str
    pause_s: float


@dataclass(slots=True)
class Served:
    """What the provider was asked for and gave."""

    case: int
    pieces: int = 0
    bytes: int = 0
    ended: bool = False
    failed: bool = False
    usage: tuple[int, int, int, int] | None = None

    def tokens(self, most: int) -> int:
        """Output tokens that were read, by the running meter's count."""
        return min(max(self.pieces, self.bytes // 4), self.bytes, most)


@dataclass
class Provider:
    """The ghosts' backend. `plans` holds the answers to come for each case."""

    rng: random.Random
    plans: dict[int, list[Plan]] = field(default_factory=dict)
    served: list[Served] = field(default_factory=list)

    def plan(self, case: int, *, fails: bool, filler: int = 0) -> None:
        """Make up the next answer of a case."""
        rng = self.rng
        count = rng.choice((0, 1, 2, 5, 20, 40, 80, 120, 160, 250))
        pieces = tuple(rng.choice(WORDS) for _ in range(count))
        if rng.random() < 0.05:
            pieces = (*pieces, "long " * 12)
        size = sum(len(piece.encode()) for piece in pieces)
        usage = None
        if rng.random() < 0.7:
            tokens = max(1, int(size / rng.choice((3, 4, 4.5)))) if size else 0
            tin = rng.randrange(15, 40) + filler // rng.choice((3, 4, 5))
            usage = (tin, tokens, rng.choice((0, tin // 2)), rng.choice((0, 0, tokens // 3)))
        broken = fails and rng.random() < 0.15
        self.plans.setdefault(case, []).append(
            Plan(
                pieces,
                usage,
                rng.randrange(0, count + 1) if broken else None,
                rng.choice(FAILURES),
                rng.choice((0.0, 0.002, 0.02, 0.2)),
            )
        )

    async def stream_chat(self, request: ChatRequest) -> Events:
        content = request.messages[0]["content"]
        case, turn = (int(word) for word in str(content).split()[:2])
        plan = self.plans[case][turn]
        served = Served(case)
        self.served.append(served)
        await trio.sleep(plan.pause_s)
        for index, piece in enumerate(plan.pieces):
            await trio.sleep(plan.pause_s)
            _break(plan, index, served)
            served.pieces += 1
            served.bytes += len(piece.encode())
            yield Delta(piece)
        _break(plan, len(plan.pieces), served)
        if plan.usage is not None:
            served.usage = plan.usage
            yield Usage(*plan.usage)
        served.ended = True
        yield Finish("stop")

    def embed(self, request: EmbedRequest) -> Events:
        raise NotImplementedError

    async def models(self) -> Sequence[str]:
        return []

    def features(self, _model: str) -> frozenset[str]:
        return frozenset()

    async def aclose(self) -> None:
        """Nothing is open."""


def _break(plan: Plan, index: int, served: Served) -> None:
    if plan.fails_at == index:
        served.failed = True
        raise ProviderError("The provider broke.", kind=plan.failure, retry_after_s=1.0)
