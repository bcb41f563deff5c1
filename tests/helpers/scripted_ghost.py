"""A ghost's operation as a test wants it: the control methods of `ghost.*` over plain values."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

import msgspec

from engine.control.protocol.ghost import (
    GhostCaps,
    GhostPolicyInfo,
    GhostPrices,
    GhostStatus,
    GhostUpstream,
    LocalEngine,
    ModelPrice,
    Payout,
)
from engine.control.protocol.market import Ghost, Ghosts, ModelOpinion, Probes, Quarantine

ADDRESS = "ada@example.org"


def plain(value: Any) -> Any:
    """As it comes out of the socket."""
    return msgspec.to_builtins(value)


def ghost_state() -> dict[str, Any]:
    """What a ghost with two providers and a model of its own would answer, by method."""
    now = time.time()
    return {
        "ghost.status": plain(
            GhostStatus(
                enabled=True,
                models=["smollm2-135m", "qwen3-32b"],
                running=3,
                waiting=1,
                concurrent=16,
                queue=64,
                load_percent=19,
                spent_usd_today=0.42,
                usd_per_day=5.0,
                tokens_today=48_211,
                sessions_open=2,
                moderation="rules",
                keys=["main"],
                warnings=["The upstream second refuses its key; others answer in its place."],
                upstreams=[
                    GhostUpstream("first", "openai", "well", in_flight=2),
                    GhostUpstream("second", "anthropic", "out", "auth"),
                    GhostUpstream("third", "google", "paused", "rate_limit", 42.0),
                ],
                engines=[
                    LocalEngine(
                        "smollm2-135m",
                        running=1,
                        kept=2,
                        tokens_in=1000,
                        tokens_cached=400,
                        tokens_out=9_000,
                    )
                ],
            )
        ),
        "ghost.caps": plain(GhostCaps(5.0, None, 16, 64, 60, 4_096)),
        "ghost.policy": plain(
            GhostPolicyInfo(refused=["sexual-minors"], moderation="rules", jurisdiction="DE")
        ),
        "ghost.prices": plain(
            GhostPrices(
                mode="fixed",
                margin_percent=30,
                sat_per_usd=1_000,
                models=[
                    ModelPrice("smollm2-135m", in_price=100_000, out_price=300_000),
                    ModelPrice("qwen3-32b", in_price=900_000, out_price=2_700_000),
                ],
            )
        ),
        "ghost.payouts": [
            plain(Payout(2, "paid", "https://m", ADDRESS, 12_000, 24, created=now - 3_600)),
            plain(Payout(1, "failed", "https://m", ADDRESS, 500, error="No route.", created=1.0)),
        ],
    }


def ghosts_known() -> dict[str, Any]:
    """What a client knows of four ghosts."""
    known: dict[str, Any] = plain(
        Ghosts(
            [
                Ghost(
                    "4f2a91c0",
                    id="4f2a91c0" + "0" * 56,
                    listed=True,
                    score=0.91,
                    honesty=1.0,
                    reliability=0.97,
                    trusted=True,
                    newcomer=False,
                    models=[ModelOpinion("smollm2-135m", 0.97, 0.8, 903, 40, 31.0, 1.0)],
                    seen={"answered": 31, "refused": 1},
                    words=["31 answers", "trusted by you"],
                ),
                Ghost("77aa0192", id="77aa0192" + "1" * 56, listed=True, score=0.5),
                Ghost(
                    "b1b1b1b1",
                    id="b1b1b1b1" + "2" * 56,
                    listed=True,
                    score=0.42,
                    newcomer=False,
                    quarantine=Quarantine(
                        "it did not answer", time.time(), time.time() + 300, True
                    ),
                    words=["3 of 4 answers did not come"],
                ),
                Ghost(
                    "c2c2c2c2",
                    id="c2c2c2c2" + "3" * 56,
                    score=0.0,
                    newcomer=False,
                    quarantine=Quarantine("it billed more than agreed"),
                    evidence=["overbilled"],
                    evidence_told=1,
                ),
            ],
            Probes(sat_per_day=20, spent_today_msat=4_000, asked=5, right=4, wrong=1),
        )
    )
    return known


class ScriptedGhost:
    """Handlers that change `state` as the node would, as far as a screen can see."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        state.update(ghost_state())

    def handlers(self) -> dict[str, Callable[[dict[str, Any]], Any]]:
        shown = ("status", "caps", "policy", "prices", "payouts")
        found: dict[str, Callable[[dict[str, Any]], Any]] = {
            f"ghost.{name}": self._show(f"ghost.{name}") for name in shown
        }
        found.update({f"ghost.{name}.set": self._set(f"ghost.{name}") for name in shown[1:4]})
        found["ghost.pause"] = self._paused(True)
        found["ghost.resume"] = self._paused(False)
        found["ghost.key"] = self._show("ghost.status")
        found["ghost.payout"] = self._payout
        return found

    def _show(self, name: str) -> Callable[[dict[str, Any]], Any]:
        async def call(_params: dict[str, Any]) -> object:
            return copy.deepcopy(self.state[name])

        return call

    def _set(self, name: str) -> Callable[[dict[str, Any]], Any]:
        async def call(params: dict[str, Any]) -> object:
            known = self.state[name]
            known.update(
                {k: v for k, v in params.items() if v is not None and k in known and k != "models"}
            )
            return copy.deepcopy(known)

        return call

    def _paused(self, paused: bool) -> Callable[[dict[str, Any]], Any]:
        async def call(_params: dict[str, Any]) -> object:
            self.state["ghost.status"]["paused"] = paused
            return copy.deepcopy(self.state["ghost.status"])

        return call

    async def _payout(self, params: dict[str, Any]) -> object:
        amount = params.get("amount_sat") or 7_000
        address = params.get("address") or ADDRESS
        made = plain(Payout(3, "paid", "https://m", address, amount, 3, created=time.time()))
        self.state["ghost.payouts"].insert(0, made)
        return [made]
