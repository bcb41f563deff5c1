"""The wallet of the scripted node: answers that a screen's tests change before and meanwhile."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

import trio

from engine.control.events import EventBus
from engine.errors import ControlError

DEMO_MINT = "http://127.0.0.1:3338"
OTHER_MINT = "https://mint.example.org/Bitcoin"
Handler = Callable[[dict[str, Any]], Any]


class WalletError(ControlError):
    """An error with the code a test wants."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def wallet_state() -> dict[str, Any]:
    """A wallet with two mints, something that moved, and two tokens that are out."""
    now = time.time()
    return {
        "wallet.balance": {
            "total_sat": 4096,
            "mints": [
                {
                    "url": DEMO_MINT,
                    "name": "Demo mint",
                    "unit": "sat",
                    "available_sat": 4096,
                    "reserved_sat": 4,
                    "held_sat": 0,
                    "healthy": True,
                    "latency_ms": 23.4,
                    "last_error": None,
                },
                {
                    "url": OTHER_MINT,
                    "name": "",
                    "unit": "sat",
                    "available_sat": 0,
                    "reserved_sat": 0,
                    "resting_sat": 128,
                    "healthy": False,
                    "latency_ms": None,
                    "last_error": "The mint did not answer within 10 s.",
                    "failures_percent": 62,
                    "warnings": ["62 % of its last answers failed."],
                },
            ],
        },
        "wallet.history": [
            moved(now - 50, "slot", 3, "unspent credit came back"),
            moved(now - 70, "pay", -4, "paid for an answer"),
            moved(now - 9000, "mint", 4096, "minted"),
        ],
        "wallet.sent": [
            sent("aa11", 21, "waiting", now - 60),
            sent("bb22", 5, "taken", now - 4000),
        ],
        "wallet.policy": {
            "choices": [
                {"name": "rest", "setting": "20 to 180 s", "drawback": "spent only afterwards"},
                {"name": "usual amounts", "setting": "yes", "drawback": "up to 2.5 times more"},
                {"name": "spread", "setting": "1 mints", "drawback": "a fee for each invoice"},
                {"name": "lock chunks", "setting": "off", "drawback": "a swap more"},
                {"name": "even", "setting": "on request", "drawback": "Lightning fees"},
                {"name": "ahead", "setting": "no", "drawback": "one swap each time"},
            ],
            "rest_min_s": 20.0,
            "rest_max_s": 180.0,
            "round_up": True,
        },
        "wallet.even.quote": [quoted(DEMO_MINT, OTHER_MINT, 2000)],
        "wallet.pay.quote": [
            {"quote_id": "m1", "amount_sat": 100, "fee_reserve_sat": 2, "mint": DEMO_MINT}
        ],
        "wallet.seed": {"words": " ".join(f"word{n}" for n in range(1, 13))},
        "wallet.key": {"key": "02" + "ab" * 32},
        "wallet.cosign": {"token": "cashuBsigned"},
        "wallet.request": {"request": "creqApXF0gaNhdGVub3N0cmFheKlucHJvZmlsZTE"},
        "wallet.request.pay": {"amount_sat": 9, "mint": DEMO_MINT, "token": "cashuBpaid"},
        "wallet.wake": {"amount_sat": 128},
        "wallet.swap": {"amount_sat": 4095},
        "wallet.melt": {"paid": True, "fee_sat": 1, "change_sat": 1, "state": "PAID"},
        "wallet.parts.pay": [{"paid": True, "fee_sat": 1, "state": "PAID"}] * 2,
        "wallet.moves": [{"amount_sat": 100, "cost_sat": 2, "arrived": True}],
        "wallet.sent.back": {"amount_sat": 21},
    }


def moved(ts: float, kind: str, amount: int, detail: str) -> dict[str, Any]:
    return {"ts": ts, "kind": kind, "mint": DEMO_MINT, "amount_sat": amount, "detail": detail}


def sent(op_id: str, amount: int, state: str, ts: float) -> dict[str, Any]:
    token = "cashuBout" + op_id if state == "waiting" else ""
    found = {"op_id": op_id, "mint": DEMO_MINT, "amount_sat": amount, "state": state, "ts": ts}
    return {**found, "left_sat": amount if token else 0, "token": token}


def quoted(source: str, target: str, amount: int) -> dict[str, Any]:
    ids = {"fund_id": "f1", "pay_id": "p1"}
    return {"source": source, "target": target, "amount_sat": amount, "fee_reserve_sat": 3, **ids}


class ScriptedWallet:
    """Handlers over the node's `state`, in which `waited` ends every wait and `restored` are what
    restoring finds, mint by mint, each when a test lets it, or (text) why nothing is searched."""

    def __init__(self, state: dict[str, Any], events: Callable[[], EventBus | None]) -> None:
        self._state = state
        self._events = events
        self._waits: dict[str, trio.CancelScope] = {}

    def handlers(self) -> dict[str, Handler]:
        plain = {name: self._plain(name) for name in wallet_state()}
        return {
            **plain,
            "wallet.history": self._history,
            "wallet.policy.set": self._plain("wallet.policy"),
            "wallet.sent.check": self._check,
            "wallet.mints.add": self._nothing,
            "wallet.mints.forget": self._nothing,
            "wallet.mints.look": self._look,
            "wallet.fund": self._fund,
            "wallet.fund.spread": self._spread,
            "wallet.wait": self._wait,
            "wallet.wait.stop": self._stop,
            "wallet.send": self._send,
            "wallet.receive": self._receive,
            "wallet.move.quote": self._quote_move,
            "wallet.restore": self._restore,
        }

    def _plain(self, name: str) -> Handler:
        async def call(params: dict[str, Any]) -> object:
            del params
            return copy.deepcopy(self._state[name])

        return call

    async def _nothing(self, params: dict[str, Any]) -> object:
        del params
        return {}

    async def _history(self, params: dict[str, Any]) -> object:
        found = [item for item in self._state["wallet.history"] if params["text"] in item["detail"]]
        return found[params["offset"] :][: params["limit"]]

    async def _look(self, params: dict[str, Any]) -> object:
        return {"url": params["url"], "name": "Fresh mint"}

    async def _fund(self, params: dict[str, Any]) -> object:
        return {
            "quote_id": "q1",
            "invoice": "lnbc10u1p" + "3k5d7q2w9x" * 22,
            "amount_sat": params["amount_sat"],
            "expiry": time.time() + 600,
            "mint": params.get("mint") or DEMO_MINT,
        }

    async def _spread(self, params: dict[str, Any]) -> object:
        return [await self._fund(params), await self._fund({**params, "mint": OTHER_MINT})]

    async def _wait(self, params: dict[str, Any]) -> object:
        with trio.CancelScope() as scope:
            self._waits[params["handle"]] = scope
            while not self._state.get("waited"):
                await trio.sleep(0.02)
            return {"state": self._state["waited"], "live": True, "minted_sat": 0}
        return {}

    async def _stop(self, params: dict[str, Any]) -> object:
        self._waits[params["handle"]].cancel()
        return {}

    async def _send(self, params: dict[str, Any]) -> object:
        del params
        return {"token": "cashuB" + "o2FteBtodHRwOi8vMTI3" * 12}

    async def _receive(self, params: dict[str, Any]) -> object:
        if not params.get("allow_new_mint") and params["token"].endswith("new"):
            raise WalletError("untrusted_mint", "The token is from a mint this wallet lacks.")
        return {"amount_sat": 21, "mint": DEMO_MINT}

    async def _check(self, params: dict[str, Any]) -> object:
        for token in self._state["wallet.sent"]:
            if token["op_id"] == params["op_id"]:
                token["state"] = "taken"
                return token
        return {}

    async def _quote_move(self, params: dict[str, Any]) -> object:
        return quoted(params["source"], params["target"], params["amount_sat"])

    async def _restore(self, params: dict[str, Any]) -> object:
        del params
        total = 0
        for mint in self._state["wallet.balance"]["mints"]:
            while self._state.get("restored", {}).get(mint["url"]) is None:
                await trio.sleep(0.02)
            said = self._state["restored"][mint["url"]]
            found, trouble = (0, said) if isinstance(said, str) else (int(said), "")
            total += found
            events = self._events()
            if events is not None:
                told = {"recovered_sat": found, "mint": mint["url"], "trouble": trouble}
                events.publish("wallet.restoring", told)
        return {"recovered_sat": total, "mint": ""}
