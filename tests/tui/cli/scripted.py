"""A node with scripted answers, and ways to run the command line against it as a process."""

from __future__ import annotations

import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from fcntl import ioctl
from pathlib import Path
from typing import Any

import trio

from engine.control.events import EventBus
from engine.control.server import Handler
from engine.errors import ConfigError, ControlError, NoRoute
from tests.helpers.control import serving

MINT = "https://mint.example"
INVOICE = "lnbc210n1" + "q" * 60

ANSWER = "An onion is a bulb. Œuf? Ja! 🧅\n\nIt has layers."
RESULT: dict[str, Any] = {
    "answer": ANSWER,
    "model": "small",
    "route": [{"role": "guard", "id": "aa11"}, {"role": "ghost", "id": "bb22"}],
    "tokens_in": 4,
    "tokens_out": 12,
    "cost_msat": 1500,
    "paid_msat": 16000,
    "change_msat": 14500,
    "ttft_ms": 200.0,
    "total_ms": 900.0,
    "mint": MINT,
    "shape_class": "text",
}

STATUS = {
    "version": "0.1.0",
    "node": "ab12cd34",
    "roles": ["client"],
    "uptime_s": 3700.0,
    "pid": 77,
    "relays_known": 4,
    "ghosts_known": 1,
    "circuits_open": 2,
    "wallet_sat": 500,
    "tick_ms": 125,
    "tier": "text-shaped",
    "mailboxes": {"slots": 64, "boxes": 4, "packets_passed": 7, "packets_dropped": 1},
    "warnings": ["Only one \x1b[31mguard is known."],
}

MOVE = {
    "source": MINT,
    "target": "https://b",
    "amount_sat": 9,
    "fee_reserve_sat": 2,
    "fund_id": "f",
    "pay_id": "p",
}
POLICY = {"choices": [{"name": "rest", "setting": "no", "drawback": "spent only afterwards"}]}
NUT_LIST = [{"nut": 10, "name": "spending conditions", "support": "yes"}]
BALANCE = {
    "total_sat": 500,
    "mints": [
        {"url": MINT, "name": "Evil\x1b[2J", "available_sat": 480, "reserved_sat": 20},
        {"url": "https://down.example", "healthy": False, "last_error": "timeout"},
    ],
}

GHOSTS = {
    "ghosts": [
        {
            "ghost": "bb22cc33",
            "id": "bb22cc33" * 8,
            "score": 0.62,
            "seen": {"answered": 7, "overbilled": 2},
            "evidence": ["chain"],
            "quarantine": {"reason": "you said so", "by_user": True},
            "models": [{"model": "small", "latency_ms": 900, "tokens_per_s": 12}],
            "words": ["first words after 0.9 s"],
        }
    ],
    "probes": {"sat_per_day": 10, "asked": 3, "right": 2, "wrong": 1},
}

EARNINGS = {
    "enabled": True,
    "total_msat": 2_000_500,
    "answers": 9,
    "models": [{"model": "small", "answers": 9, "msat": 2_000_500}],
    "uncounted": ["large"],
}

SESSIONS = [
    {
        "session_id": "3f2a9900",
        "title": "Onions",
        "model": "small",
        "updated": 2.0,
        "messages": 450,
    },
    {"session_id": "3f2b0000", "title": "Leeks", "updated": 5.0, "messages": 0},
]
SHOWN = {
    **SESSIONS[0],
    "system": "Be brief.",
    "params": {"seed": 1},
    "leaf": 450,
    "pin": {"ghost": "bb22cc33", "since": 1.7e9, "messages": 7, "spent_msat": 12_000},
    "context": {"used": 900, "bound": 8_192},
}
EXPORT = "# Onions\n\n## 1. user\n\nwords 450\n"
CHATS = {
    "sessions.show": SHOWN,
    "sessions.set": SHOWN,
    "sessions.pin": SHOWN,
    "sessions.archive": SHOWN,
    "sessions.rotate": SHOWN,
    "sessions.branch": SHOWN,
    "sessions.choose": SHOWN,
    "sessions.defaults": {"system": "Be kind.", "rotate_after": {"messages": 9}},
    "sessions.search": [
        {
            "session_id": "3f2a9900",
            "message_id": 17,
            "title": "Onions",
            "role": "user",
            "snippet": "what an onion \x1b[31mis",
            "marks": [[8, 13]],
        }
    ],
    "sessions.import": {"sessions": ["aabbccdd00"], "messages": 4},
    "snippets.list": [{"name": "brief", "text": "Be brief."}],
    "snippets.put": {},
    "snippets.delete": {},
    "ask.estimate": {
        "least_msat": 1_000,
        "likely_msat": 2_000,
        "most_msat": 9_000,
        "model": "small",
        "ghosts": 3,
        "messages_shown": 2,
        "context": {"used": 900, "bound": 8_192, "left_out": 5},
        "fits": False,
    },
}


@dataclass
class ScriptedNode:
    """Handlers for every method the command line uses. `calls` holds what was asked of it."""

    bus: EventBus = field(default_factory=EventBus)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    script: str = "stream"
    stopping: trio.Event = field(default_factory=trio.Event)
    asked: trio.Event = field(default_factory=trio.Event)
    cancelled: trio.Event = field(default_factory=trio.Event)
    released: trio.Event = field(default_factory=trio.Event)
    nursery: trio.Nursery | None = None

    def handlers(self) -> dict[str, Handler]:
        plain = {
            "status": STATUS,
            "models": [
                {
                    "model": "small",
                    "ghost": "bb22",
                    "in_price": 10_000_000,
                    "score": 0.81,
                    "latency_ms": 900,
                    "quarantined": "its receipt did not hold",
                }
            ],
            "ghosts": GHOSTS,
            "ghost.caps": {"usd_per_day": 5.0, "concurrent": 16, "queue": 64, "queue_wait_s": 60},
            "ghost.caps.set": {"concurrent": 8, "max_question_kib": 512},
            "ghosts.mark": {},
            "evidence.import": {"new": 1, "known": 2, "unproven": 3},
            "evidence.export": {"data": "peer2prompt-evidence 1\n", "documents": 0},
            "shapes": [
                {
                    "shape": "text",
                    "default": True,
                    "bytes_per_minute": 983_040,
                    "least_bytes": 131_072,
                    "least_s": 8.0,
                    "leak_bits": 2.0,
                    "words": "Hides.",
                }
            ],
            "circuits": [
                {
                    "circuit_id": 1,
                    "purpose": "ask",
                    "hops": RESULT["route"],
                    "rtt_ms": 4.25,
                    "why": "middles drawn by weight",
                    "cells_up": 100,
                    "dummies_up": 40,
                    "bytes_up": 204_800,
                    "guard_age_s": 90_000.0,
                    "tick_ms": 125,
                    "shape_class": "text",
                }
            ],
            "circuit.notes": [
                {
                    "ts": 1.0,
                    "circuit_id": 1,
                    "purpose": "ask",
                    "state": "open",
                    "reason": "open for ask",
                }
            ],
            "traffic": {
                "classes": [{"shape": "text", "cells_up": 9, "padding_share": 0.98}],
                "links": {"links": 1, "padding_out": 2},
                "relay": {"cells_forward": 1_000, "circuits_refused": 3},
            },
            "circuit.rotate": {},
            "network.invite": {"invite": "P2P1ABC"},
            "network.join": {"contacts": 2, "answered": 1, "relays_known": 6},
            "network": {
                "relays": [{"id": "aa11", "roles": ["relay"], "age_s": 70}],
                "ghosts": [{"id": "bb22", "roles": ["ghost"], "age_s": 70}],
                "directory": {
                    "source": "file",
                    "errors": ["line 3 is not an advert"],
                    "network": "demo",
                    "contacts": 2,
                    "gossip_rounds": 7,
                    "view": {
                        "at": 1,
                        "sources": 3,
                        "known": 9,
                        "lowest": 0.5,
                        "dissenting": ["x1"],
                    },
                    "sources": [{"origin": "invite", "contacts": 4, "answered": 3}],
                    "networks_heard": 3,
                    "networks_possible": 4,
                    "epoch": 2_941,
                    "epoch_left_s": 172_800,
                    "reach": {
                        "address": "203.0.113.7:9001",
                        "state": "reachable",
                        "asked": 5,
                        "agreeing": 4,
                        "reached": 3,
                    },
                },
                "offers": [
                    {
                        "model": "small",
                        "ghosts": 2,
                        "in_low": 10_000_000,
                        "in_high": 12_000_001,
                        "out_low": 40_000_000,
                        "out_high": 40_000_000,
                    }
                ],
                "dht": {"members": 12, "contacts": 11, "records": 5, "published": 8},
                "paths": {
                    "guards": [
                        {
                            "id": "aa11",
                            "state": "primary",
                            "age_s": 864_000,
                            "left_s": 7_000_000,
                            "reachable": False,
                            "circuits": 51,
                            "builds": 52,
                            "builds_good": 0.96,
                        }
                    ],
                    "guard": "aa11",
                    "layer2": 4,
                    "layer2_change_s": 93_600,
                    "set_size": 24,
                    "measured": 7,
                    "build_timeout_s": 3.25,
                    "table": {"name": "asn.dat", "made": 1.7e9, "entries": 1_000_000},
                    "refusals": ["No safe path: 2 more relays are needed."],
                },
            },
            "earnings": EARNINGS,
            "sessions.list": SESSIONS,
            "sessions.delete": {},
            **CHATS,
            "wallet.info": {"total_sat": 500, "mints": 2, "via": "circuit", "nuts": NUT_LIST},
            "wallet.balance": BALANCE,
            "wallet.history": [{"ts": 1.0, "kind": "mint", "mint": MINT, "amount_sat": 500}],
            "wallet.mints.add": {},
            "wallet.mints.forget": {},
            "wallet.mints.look": {
                "url": MINT,
                "name": "Fresh mint",
                "motd": "send only what you can lose",
            },
            "wallet.swap": {"amount_sat": 480},
            "wallet.move.quote": MOVE,
            "wallet.even.quote": [MOVE],
            "wallet.moves": [{"amount_sat": 9, "cost_sat": 1, "arrived": True}],
            "wallet.pay.quote": [
                {"quote_id": "m1", "amount_sat": 21, "fee_reserve_sat": 2, "mint": MINT}
            ],
            "wallet.fund": {"quote_id": "q1", "invoice": INVOICE, "amount_sat": 100, "mint": MINT},
            "wallet.fund.check": {"state": "PAID", "minted_sat": 100},
            "wallet.wait": {"state": "PAID", "live": True, "minted_sat": 100},
            "wallet.send": {"token": "cashuBabc"},
            "store.passphrase": {},
            "store.backup": {"path": "/tmp/b", "bytes": 4096},
            "wipe": {"removed": ["store.db"]},
            "wallet.policy": POLICY,
            "wallet.policy.set": POLICY,
            "wallet.wake": {"amount_sat": 7},
            "wallet.fund.spread": [
                {"quote_id": "q1", "invoice": INVOICE, "amount_sat": 100, "mint": MINT}
            ],
            "wallet.key": {"key": "02ab"},
            "wallet.cosign": {"token": "cashuBsigned"},
            "wallet.request": {"request": "creqAx", "compact": "CREQB1X"},
            "wallet.request.pay": {"amount_sat": 21, "token": "cashuBpaid"},
            "wallet.receive": {"amount_sat": 21, "mint": MINT},
            "wallet.melt.quote": {"quote_id": "m1", "amount_sat": 21, "fee_reserve_sat": 2},
            "wallet.melt": {"paid": True, "fee_sat": 1, "change_sat": 1, "state": "PAID"},
            "wallet.parts.quote": [
                {"quote_id": "m2", "amount_sat": 20, "fee_reserve_sat": 2, "mint": "https://a"},
                {"quote_id": "m3", "amount_sat": 1, "fee_reserve_sat": 2, "mint": "https://b"},
            ],
            "wallet.parts.pay": [{"paid": True, "state": "PAID"}] * 2,
            "wallet.sent": [{"op_id": "ab12", "mint": MINT, "amount_sat": 21, "ts": 1.0}],
            "wallet.sent.check": {
                "op_id": "ab12",
                "mint": MINT,
                "amount_sat": 21,
                "state": "taken",
            },
            "wallet.sent.back": {"amount_sat": 20},
            "wallet.restore": {"recovered_sat": 33, "mint": MINT},
            "wallet.seed": {"words": "abandon ability able"},
        }
        handlers = {name: self._plain(name, value) for name, value in plain.items()}
        handlers["ask"] = handlers["sessions.retry"] = handlers["sessions.edit"] = self._ask
        handlers["ask.failover"] = self._ask
        handlers["sessions.export"] = self._export
        handlers["ask.cancel"] = self._cancel
        handlers["stop"] = self._stop
        handlers["sessions.messages"] = self._messages
        return handlers

    def _plain(self, name: str, value: object) -> Handler:
        async def handler(params: dict[str, Any]) -> object:
            self.calls.append((name, params))
            answer = self.answers.get(name, value)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return handler

    async def _export(self, params: dict[str, Any]) -> object:
        self.calls.append(("sessions.export", params))
        text = '{"format": "peer2prompt chats"}' if params["format"] == "json" else EXPORT
        return {"text": text, "sessions": 1, "messages": 450}

    async def _ask(self, params: dict[str, Any]) -> object:
        self.calls.append(("ask", params))
        if params.get("model") == "none":
            raise NoRoute("No path satisfies the rules.", kept="Nothing was paid.", hint="Wait.")
        assert self.nursery is not None
        self.nursery.start_soon(self._stream)
        if self.script == "slow":  # the question has begun; its id is still on the way
            await self.released.wait()
        return {"ask_id": 5, "session_id": params["session_id"] or "3f2c1111"}

    def _event(self, name: str, **data: Any) -> None:
        self.bus.publish(name, {"ask_id": 5, "session_id": "3f2c1111", **data})

    async def _stream(self) -> None:
        """Bytes arrive in odd pieces, some of them twice, beside another question's."""
        self._event("ask.state", state="building")
        self.bus.publish("ask.delta", {"ask_id": 6, "session_id": "x", "text": "NOT YOURS"})
        offset = 0
        for piece in (ANSWER[:7], ANSWER[7:20], ANSWER[20:]):
            self._event("ask.delta", text=piece, offset=offset)
            self._event("ask.delta", text=piece, offset=offset)
            offset += len(piece.encode())
            if self.script in ("hang", "slow", "fail"):
                break
        if self.script == "fail":
            error = ControlError("The ghost broke off.", kept="Half is kept.", hint="Ask again.")
            self._event("ask.failed", error={**error.as_dict(), "exit_code": 6})
        elif self.script == "stream":
            self._event("ask.done", result=RESULT)
        self.asked.set()

    async def _cancel(self, params: dict[str, Any]) -> object:
        self.calls.append(("ask.cancel", params))
        self.cancelled.set()
        return {}

    async def _stop(self, params: dict[str, Any]) -> object:
        self.calls.append(("stop", params))
        assert self.nursery is not None
        self.nursery.start_soon(self._end)
        return {}

    async def _end(self) -> None:
        await trio.testing.wait_all_tasks_blocked()
        self.stopping.set()

    async def _messages(self, params: dict[str, Any]) -> object:
        self.calls.append(("sessions.messages", params))
        if params["session_id"] != "3f2a9900":
            return []
        before = params["before"] or 451
        ids = range(max(1, before - params["limit"]), before)
        return [
            {
                "message_id": n,
                "role": "user" if n % 2 else "assistant",
                "text": f"words {n}\x1b[2J",
                "created": 1.0,
            }
            for n in ids
        ]


@asynccontextmanager
async def scripted(home: Path, **settings: Any) -> AsyncIterator[ScriptedNode]:
    """The scripted node, serving on the home's socket until it is stopped or the block ends."""
    node = ScriptedNode(**settings)
    async with trio.open_nursery() as nursery:
        node.nursery = nursery

        async def serve(task_status: trio.TaskStatus[None]) -> None:
            async with serving(home, node.handlers(), node.bus):
                task_status.started()
                await node.stopping.wait()

        await nursery.start(serve)
        yield node
        nursery.cancel_scope.cancel()


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def environment(home: Path, **more: str) -> dict[str, str]:
    """A plain environment for a command; PEER2PROMPT_* of the caller do not leak in."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PEER2PROMPT")}
    return {**kept, "PEER2PROMPT_HOME": str(home), "PYTHONWARNINGS": "error", **more}


def command_line(*argv: str) -> list[str]:
    return [sys.executable, "-m", "tui.cli.main", *argv]


async def cli(home: Path, *argv: str, stdin: str = "", **env: str) -> Ran:
    """Run a command with pipes for its input and output."""
    with trio.fail_after(60):
        done = await trio.run_process(
            command_line(*argv),
            stdin=stdin.encode(),
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            env=environment(home, **env),
        )
    ran = Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in ran.out + ran.err, ran.err
    return ran


async def cli_in_terminal(
    home: Path, *argv: str, typed: str = "", columns: int = 120, env: dict[str, str] | None = None
) -> Ran:
    """Run a command in a terminal of its own; `out` is all that it shows."""
    return await trio.to_thread.run_sync(_in_terminal, home, argv, typed, columns, env or {})


def _in_terminal(
    home: Path, argv: tuple[str, ...], typed: str, columns: int, env: dict[str, str]
) -> Ran:
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    variables = {"TERM": "xterm", "COLUMNS": str(columns), "PYTHONIOENCODING": "utf-8", **env}
    with subprocess.Popen(
        command_line(*argv),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env=environment(home, **variables),
    ) as process:
        os.close(theirs)
        os.write(ours, typed.encode())
        shown = b""
        try:
            while chunk := os.read(ours, 4096):
                shown += chunk
        except OSError:  # the other side of the terminal was closed
            pass
        finally:
            os.close(ours)
        code = process.wait(30)
    return Ran(code, shown.decode().replace("\r\n", "\n"), "")


WRONG = ConfigError("This is wrong.", kept="All is kept.", hint="Do it better.")
