"""A node that does what a test says, behind the real control server on a real Unix socket.

The server is trio's and the screen's tests are asyncio's, so it lives in a thread of its own. Run
as a program it serves a lively sample node, for looking at the screen by hand:

    python -m tests.helpers.scripted_node /tmp/sample.sock
"""

from __future__ import annotations

import copy
import math
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio

from engine.control.events import EventBus
from engine.control.server import ControlServer
from engine.errors import ControlError, Peer2PromptError
from tests.helpers.scripted_chats import ScriptedChats, chats_state
from tests.helpers.scripted_ghost import ScriptedGhost, ghosts_known
from tests.helpers.scripted_wallet import DEMO_MINT, ScriptedWallet, wallet_state

GHOST = "4f2a91c0"
ANSWER = """An **onion** is two things here.

## The vegetable

- a bulb of many layers
- it makes you cry

## The routing

1. Your question is wrapped in *layers*.
2. Each relay takes one off.

```python
for hop in reversed(path):
    cell = hop.seal(cell)
```

See <https://en.wikipedia.org/wiki/Onion_routing> for more.
"""


def sample_state() -> dict[str, Any]:
    """What a small healthy node would answer, by method."""
    now = time.time()
    return {
        "status": {
            "version": "0.1.0",
            "node": "c0ffee12",
            "roles": ["client"],
            "uptime_s": 312.0,
            "home": "/home/ada/.local/share/peer2prompt",
            "pid": 4242,
            "relays_known": 24,
            "ghosts_known": 2,
            "circuits_open": 2,
            "wallet_sat": 4096,
            "store": "open",
            "shape_class": "text",
            "tick_ms": 125,
            "tier": "text-shaped",
            "set_size": 24,
            "guard_age_s": 1_040_000.0,
            "shape_leak_bound": "2 bit per answer",
            "last_cost_msat": 412,
            "warnings": [],
        },
        "models": [
            {
                "model": "smollm2-135m",
                "ghost": GHOST,
                "in_price": 100_000,
                "out_price": 300_000,
                "chunk_msat": 4000,
                "cap_msat": 20_000,
                "mints": [DEMO_MINT],
                "score": 0.82,
                "latency_ms": 900,
                "why": "It answered 14 of 14 questions in time.",
                "features": ["json"],
                "context": 2_048,
                "policy": {"moderation": "rules", "refused": ["malware"], "jurisdiction": "CH"},
            },
            {
                "model": "qwen3-32b",
                "ghost": "77aa0192",
                "in_price": 900_000,
                "out_price": 2_700_000,
                "chunk_msat": 16_000,
                "cap_msat": 200_000,
                "mints": ["https://mint.example.org"],
                "score": 0.5,
                "latency_ms": 400,
                "features": ["images", "tools"],
                "misfit": "it takes no mint of yours",
            },
        ],
        "sessions.list": [
            {
                "session_id": "s1",
                "title": "What is an onion?",
                "model": "smollm2-135m",
                "created": now - 4000,
                "updated": now - 60,
                "messages": 2,
            },
            {
                "session_id": "s2",
                "title": "Explain blind signatures to a cat, slowly",
                "model": "qwen3-32b",
                "created": now - 90_000,
                "updated": now - 80_000,
                "messages": 2,
            },
        ],
        "messages": {
            "s1": [
                message(1, "user", "What is an onion?", now - 70),
                message(2, "assistant", ANSWER, now - 60, cost=412, tokens=(31, 120), ttft=903.0),
            ],
            "s2": [
                message(3, "user", "Explain blind signatures to a cat.", now - 80_100),
                message(4, "assistant", "Meow, but *signed*.", now - 80_000, cost=1200),
            ],
        },
        "circuits": [
            circuit("a41f", "chat", "open", 252.0, 2100, 2230, 40, 130),
            circuit("b7c2", "wallet", "open", 91.0, 40, 44, 30, 39),
            circuit("c903", "spare", "building", 1.0, 0, 0, 0, 0),
        ],
        "shapes": [
            {
                "shape": "text",
                "default": True,
                "tick_ms": 125,
                "bytes_per_minute": 983_040,
                "least_bytes": 131_072,
                "least_s": 8.0,
                "leak_bits": 2.0,
                "leak_bound": "2 bit per answer",
                "words": "A cell leaves every tick, both ways.",
            },
            {
                "shape": "always-on",
                "tick_ms": 125,
                "bytes_per_minute": 983_040,
                "leak_bits": 0.0,
                "leak_bound": "0 bit per answer",
                "words": "A cell leaves every tick, all the time.",
            },
            {"shape": "bulk", "leak_bound": "unbounded", "words": "Weaker: cells as they come."},
        ],
        "traffic": {
            "classes": [
                {
                    "shape": "text",
                    "circuits": 1,
                    "bytes_up": 4_300_000,
                    "bytes_down": 4_400_000,
                    "padding_share": 0.97,
                }
            ],
            "links": {"links": 1, "bytes_in": 4_600_000, "padding_out": 3, "padding_in": 4},
        },
        "circuit.notes": [
            {
                "ts": now - 300,
                "circuit_id": "a41f",
                "purpose": "chat",
                "state": "open",
                "reason": "open for chat",
            }
        ],
        "node.doctor": {
            "worst": "warn",
            "running": True,
            "findings": [
                {"check": "disk", "state": "ok", "found": "9,000 MiB are free."},
                {
                    "check": "clock",
                    "state": "warn",
                    "found": "This clock is 90 s behind 1 mint.",
                    "means": "Keys go by the time.",
                    "advice": "Switch time synchronisation on: timedatectl set-ntp true",
                },
                {"check": "ghost", "state": "skip", "found": "This node is no ghost."},
            ],
        },
        "network": {
            "relays": [
                {"id": f"{n:08x}", "roles": ["relay"], "age_s": 90_000.0 + 9770 * (n % 64)}
                for n in range(0xA1B2C300, 0xA1B2C318)
            ],
            "ghosts": [{"id": GHOST, "roles": ["ghost"], "age_s": 400_000.0}],
            "directory": {
                "source": "",
                "errors": [],
                "network": "main",
                "view": {
                    "at": now - 40,
                    "sources": 3,
                    "known": 25,
                    "lowest": 0.98,
                    "dissenting": [],
                },
                "sources": [{"origin": "invite", "contacts": 4, "answered": 3}],
                "networks_heard": 3,
                "networks_possible": 4,
                "epoch": 2941,
                "epoch_left_s": 300_000.0,
            },
            "offers": [
                {
                    "model": "qwen-small",
                    "ghosts": 2,
                    "in_low": 10_000_000,
                    "in_high": 12_000_000,
                    "out_low": 40_000_000,
                    "out_high": 40_000_000,
                }
            ],
        },
        "ghosts": ghosts_known(),
        **wallet_state(),
        "api.tags": copy.deepcopy(API_TAGS),
        "api.release": {"released": 1},
        **chats_state(),
        "earnings": {
            "enabled": False,
        },
    }


def ghost_earnings() -> dict[str, Any]:
    """Earnings of a ghost that had a good hour."""
    now = time.time()
    return {
        "enabled": True,
        "total_msat": 1_204_412,
        "today_msat": 88_412,
        "week_msat": 640_000,
        "answers": 214,
        "refused": 3,
        "tokens_out": 48_211,
        "models": [
            {"model": "smollm2-135m", "answers": 190, "msat": 804_412},
            {"model": "qwen3-32b", "answers": 24, "msat": 400_000, "cost_msat": 260_000},
        ],
        "recent": [
            {
                "ts": now - 31 * n,
                "model": "smollm2-135m" if n % 3 else "qwen3-32b",
                "tokens_in": 31 + n,
                "tokens_out": 120 + 7 * n,
                "cost_msat": 412 + 90 * n,
            }
            for n in range(12)
        ],
        "cost_msat": 260_000,
        "margin_msat": 944_412,
        "refusals": {"busy": 2, "moderated": 1},
        "paid_out_sat": 12_000,
        "hours": [
            {"ts": now - 3_600 * n, "msat": int(20_000 * (1 + math.sin(n / 4)) + 400 * n)}
            for n in range(23, -1, -1)
        ],
        "days": [
            {"ts": now - 86_400 * n, "msat": 50_000 * (n % 4), "answers": n}
            for n in range(29, -1, -1)
        ],
        "sessions_open": 2,
        "credit_msat": 5_600,
    }


def message(
    number: int,
    role: str,
    text: str,
    created: float,
    cost: int | None = None,
    tokens: tuple[int, int] | None = None,
    ttft: float | None = None,
) -> dict[str, Any]:
    meta = {"state": "done", "cost_msat": cost, "ttft_ms": ttft, "tokens_in": None}
    meta["tokens_in"], meta["tokens_out"] = tokens or (None, None)
    return {"message_id": number, "role": role, "text": text, "created": created, "meta": meta}


def circuit(
    name: str, purpose: str, state: str, age_s: float, up: int, down: int, dup: int, ddown: int
) -> dict[str, Any]:
    ids = [
        "a1b2c301",
        f"{0xA1B2C302 + len(purpose):08x}",
        f"{0xA1B2C30A + len(purpose):08x}",
        GHOST,
    ]
    roles = ["guard", "middle", "middle", "ghost"]
    built = 4 if state == "open" else 2
    return {
        "circuit_id": name,
        "purpose": purpose,
        "state": state,
        "hops": [
            {"role": r, "id": i, "built_ms": ms, "asn": asn, "country": land}
            for r, i, ms, asn, land in zip(
                *(roles, ids, (1.1, 2.3, 3.4, 4.2)),
                *((24940, 16276, None, 3320), ("DE", "FR", "", "")),
                strict=True,
            )
        ][:built],
        "age_s": age_s,
        "cells_up": up,
        "cells_down": down,
        "data_cells_up": dup,
        "data_cells_down": ddown,
        "rtt_ms": 4.2 if state == "open" else None,
        "dummies_up": up - dup,
        "dummies_down": down - ddown,
        "bytes_up": up * 2_048,
        "bytes_down": down * 2_048,
        "shape_class": "text" if purpose == "chat" else "bulk",
        "tick_ms": 125 if purpose == "chat" else 0,
        "running": purpose == "chat",
        "why": "The ghost was drawn first; the guard is the one you keep; middles by weight.",
        "reason": None,
    }


API_TAGS: list[dict[str, Any]] = [
    {
        "tag": "3f9a01c2",
        "key": "editor",
        "purposes": ["chat", "embeddings"],
        "session": "",
        "circuits": 2,
        "ghosts": ["9c41d0ab"],
        "asked": 41,
        "under_way": 1,
        "spent_msat": 12_345,
        "idle_s": 0.2,
    },
    {
        "tag": "77b0e4d1",
        "key": "webui",
        "purposes": ["titles"],
        "session": "a1b2c3",
        "circuits": 0,
        "ghosts": ["0d2e88f4"],
        "asked": 3,
        "under_way": 0,
        "spent_msat": 210,
        "idle_s": 754.0,
    },
]


class ScriptedError(ControlError):
    """An error with the code a test wants."""

    def __init__(self, code: str, message: str, kept: str = "", hint: str = "") -> None:
        super().__init__(message, kept=kept, hint=hint)
        self.code = code


class ScriptedNode:
    """Serves `state` by method; `calls` records what was asked; `failures` makes methods fail, and
    what is in `held` is answered only when it is taken out.

    `answer`: what questions are answered with, streamed in pieces of `piece` characters every
    `pause_s`. None: a question is accepted and the test publishes the events itself.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state = sample_state()
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.failures: dict[str, Peer2PromptError] = {}
        self.held: set[str] = set()
        self.answer: str | None = ANSWER
        self.piece = 12
        self.pause_s = 0.01
        self.lively = False
        self._chats = ScriptedChats(self.state, self._answer_again)
        self._asks = 0
        self._events: EventBus | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._cancel: trio.CancelScope | None = None
        self._thread: threading.Thread | None = None
        self._nursery: trio.Nursery | None = None
        self._asking: dict[str, trio.CancelScope] = {}

    def __enter__(self) -> ScriptedNode:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- for tests, from any thread --------------------------------------------------------------

    def start(self) -> None:
        ready = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._main, ready), daemon=True)
        self._thread.start()
        if not ready.wait(10):
            raise RuntimeError("the scripted node did not start")

    def stop(self) -> None:
        if self._thread is None or self._token is None or self._cancel is None:
            return
        self._token.run_sync_soon(self._cancel.cancel)
        self._thread.join(10)
        self._thread = None

    def publish(self, name: str, /, **data: Any) -> None:
        if self._token is None or self._events is None:
            raise RuntimeError("the scripted node does not run")
        self._token.run_sync_soon(self._events.publish, name, data)

    def called(self, method: str) -> list[dict[str, Any]]:
        return [params for name, params in list(self.calls) if name == method]

    # -- serving ---------------------------------------------------------------------------------

    async def _main(self, ready: threading.Event) -> None:
        self._events = EventBus()
        self._token = trio.lowlevel.current_trio_token()
        server = ControlServer(self.path, self._handlers(), self._events)
        async with trio.open_nursery() as nursery:
            self._nursery, self._cancel = nursery, nursery.cancel_scope
            await nursery.start(server.run)
            if self.lively:
                nursery.start_soon(self._live)
            ready.set()

    def _handlers(self) -> dict[str, Callable[[dict[str, Any]], Any]]:
        special = {
            "sessions.list": self._sessions,
            "sessions.messages": self._messages,
            "sessions.rename": self._rename,
            "sessions.delete": self._delete,
            "ask": self._ask,
            "ask.cancel": self._ask_cancel,
            "circuit.rotate": self._nothing,
            "wipe": self._nothing,
            "ghosts.mark": self._nothing,
            "evidence.export": self._evidence,
            "evidence.import": self._evidence_taken,
            "store.check": self._check,
            "config": self._config,
            "guide": self._guide,
            "guide.set": self._guide_set,
        }
        plain: tuple[str, ...] = ("status", "models", "circuits", "network", "node.doctor")
        plain += ("earnings", "shapes", "traffic", "circuit.notes", "network.invite")
        plain += ("network.join", "ghosts", "api.tags", "api.release")
        handlers: dict[str, Callable[[dict[str, Any]], Any]] = {}
        special.update(self._chats.handlers())
        special.update(ScriptedGhost(self.state).handlers())
        special.update(ScriptedWallet(self.state, lambda: self._events).handlers())
        for name in plain:
            handlers[name] = self._recorded(name, self._plain(name))
        for name, handler in special.items():
            handlers[name] = self._recorded(name, handler)
        return handlers

    def _recorded(self, name: str, handler: Callable[[dict[str, Any]], Any]) -> Callable[..., Any]:
        async def call(params: dict[str, Any]) -> object:
            self.calls.append((name, params))
            while name in self.held:
                await trio.sleep(0.01)
            if name in self.failures:
                raise self.failures[name]
            return await handler(params)

        return call

    def _plain(self, name: str) -> Callable[[dict[str, Any]], Any]:
        async def call(params: dict[str, Any]) -> object:
            del params
            return copy.deepcopy(self.state[name])

        return call

    async def _config(self, params: dict[str, Any]) -> object:
        del params
        tick = {"name": "shape.tick_ms", "value": 250, "default": 125, "changed": True}
        roles = {"name": "roles", "value": [], "default": [], "changed": False}
        return [
            {**roles, "meaning": "What this node is."},
            {**tick, "meaning": "Milliseconds between two cells."},
        ]

    async def _guide(self, params: dict[str, Any]) -> object:
        del params
        return {"step": self.state.get("guide", "done")}

    async def _guide_set(self, params: dict[str, Any]) -> object:
        self.state["guide"] = params["step"]
        return {}

    async def _check(self, params: dict[str, Any]) -> object:
        if params["passphrase"] not in ("", "open sesame"):
            raise ScriptedError("wrong_passphrase", "The passphrase does not open this store.")
        return {"passphrase": self.state.get("lock", True)}

    async def _evidence(self, params: dict[str, Any]) -> object:
        del params
        return {"data": "P2PE1", "documents": 2}

    async def _evidence_taken(self, params: dict[str, Any]) -> object:
        return {"new": 1, "known": 2, "unproven": int(params["data"] != "P2PE1")}

    async def _nothing(self, params: dict[str, Any]) -> object:
        del params
        return {}

    # -- sessions and asking ---------------------------------------------------------------------

    async def _sessions(self, params: dict[str, Any]) -> object:
        sessions = self.state["sessions.list"]
        shown = [s for s in sessions if params.get("archived") or not s.get("archived")]
        return copy.deepcopy(shown)

    async def _messages(self, params: dict[str, Any]) -> object:
        self._chats.mark(params["session_id"])
        messages = self.state["messages"].get(params["session_id"], [])
        after = params.get("after")
        if after is not None:
            return [m for m in messages if m["message_id"] > after][: params.get("limit", 200)]
        before = params.get("before")
        if before is not None:
            messages = [m for m in messages if m["message_id"] < before]
        return messages[-params.get("limit", 200) :]

    async def _rename(self, params: dict[str, Any]) -> object:
        for session in self.state["sessions.list"]:
            if session["session_id"] == params["session_id"]:
                session["title"] = params["title"]
        return {}

    async def _delete(self, params: dict[str, Any]) -> object:
        sessions = self.state["sessions.list"]
        sessions[:] = [s for s in sessions if s["session_id"] != params["session_id"]]
        return {}

    async def _ask(self, params: dict[str, Any]) -> object:
        self._asks += 1
        ask_id = f"ask{self._asks}"
        session_id = params.get("session_id") or f"new{self._asks}"
        if self.answer is not None and self._nursery is not None:
            self._nursery.start_soon(self._stream, ask_id, session_id, params["text"])
        return {"ask_id": ask_id, "session_id": session_id}

    def _answer_again(self, session_id: str, question: str) -> dict[str, Any]:
        """Answer a question that is stored already."""
        self._asks += 1
        ask_id = f"ask{self._asks}"
        if self.answer is not None and self._nursery is not None:
            self._nursery.start_soon(self._stream, ask_id, session_id, question, True)
        return {"ask_id": ask_id, "session_id": session_id}

    async def _ask_cancel(self, params: dict[str, Any]) -> object:
        scope = self._asking.get(str(params["ask_id"]))
        if scope is not None:
            scope.cancel()
        return {}

    async def _stream(
        self, ask_id: str, session_id: str, question: str, again: bool = False
    ) -> None:
        whole, sent = self.answer or "", ""
        ids = {"ask_id": ask_id, "session_id": session_id}
        events = self._events
        if events is None:
            return
        with trio.CancelScope() as scope:
            self._asking[ask_id] = scope
            for state in ("building", "opening", "paying", "asking"):
                events.publish("ask.state", {**ids, "state": state, "detail": ""})
                await trio.sleep(self.pause_s)
            events.publish("ask.paid", {"ask_id": ask_id, "msat": 4000})
            for start in range(0, len(whole), self.piece):
                text = whole[start : start + self.piece]
                offset = len(sent.encode())
                events.publish("ask.delta", {**ids, "text": text, "offset": offset})
                sent += text
                await trio.sleep(self.pause_s)
        self._finish(ids, question, sent, "stop" if sent == whole else "cancelled", again)

    def _finish(
        self, ids: dict[str, str], question: str, answer: str, reason: str, again: bool
    ) -> None:
        now = time.time()
        stored = self.state["messages"].setdefault(ids["session_id"], [])
        number = 1000 + 2 * self._asks
        if not again:
            stored.append(message(number, "user", question, now - 1))
        stored.append(message(number + 1, "assistant", answer, now, cost=412, tokens=(31, 120)))
        sessions = self.state["sessions.list"]
        if all(s["session_id"] != ids["session_id"] for s in sessions):
            sessions.append({"session_id": ids["session_id"], "title": question, "updated": now})
        result = {
            "answer": answer,
            "model": "smollm2-135m",
            "tokens_in": 31,
            "tokens_out": 120,
            "quoted_msat": 20_000,
            "paid_msat": 4000,
            "change_msat": 3588,
            "cost_msat": 412,
            "ttft_ms": 903.0,
            "total_ms": 4123.0,
            "finish_reason": reason,
        }
        if self._events is not None:
            self._events.publish("ask.done", {**ids, "result": result})

    # -- a node to look at -----------------------------------------------------------------------

    async def _live(self) -> None:
        while True:
            await trio.sleep(0.25)
            for item in self.state["circuits"]:
                item["age_s"] += 0.25
                if item["state"] == "open":
                    item["cells_up"] += 2
                    item["cells_down"] += 2
                    item["data_cells_down"] += int(time.time()) % 2


def main() -> None:
    """Serve the sample node until Ctrl+C."""
    node = ScriptedNode(Path(sys.argv[1]))
    node.lively, node.pause_s = True, 0.05
    node.state["earnings"] = ghost_earnings() if "--ghost" in sys.argv else {"enabled": False}
    with node:
        threading.Event().wait()


if __name__ == "__main__":
    main()
