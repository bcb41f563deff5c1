"""The chats of the scripted node: a tree of messages, search, pins, files, snippets, consent."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from engine.errors import ControlError

Handler = Callable[[dict[str, Any]], Any]


def chats_state() -> dict[str, Any]:
    """What the handlers below answer with until a test says otherwise."""
    return {
        "snippets": [{"name": "brief", "text": "Answer in one sentence."}],
        "estimate": {
            "least_msat": 300,
            "likely_msat": 900,
            "most_msat": 4_000,
            "model": "smollm2-135m",
            "tokens_in": 40,
            "context": {"used": 1_000, "bound": 4_000, "left_out": 0},
            "fits": True,
        },
    }


class ScriptedChats:
    """`again(session_id, question)` streams an answer to a question that is stored already and
    returns what `ask` returns."""

    def __init__(self, state: dict[str, Any], again: Callable[[str, str], dict[str, Any]]) -> None:
        self._state, self._again = state, again
        self._all: dict[int, dict[str, Any]] = {}
        self._next = 5000

    def handlers(self) -> dict[str, Handler]:
        return {
            "sessions.edit": self._edit,
            "sessions.retry": self._retry,
            "sessions.branch": self._branch,
            "sessions.choose": self._choose,
            "sessions.search": self._search,
            "sessions.pin": self._pin,
            "sessions.archive": self._archive,
            "sessions.create": self._create,
            "sessions.show": self._show,
            "sessions.set": self._set,
            "sessions.rotate": self._show,
            "sessions.export": self._export,
            "sessions.import": self._import,
            "snippets.list": self._snippets,
            "snippets.put": self._put,
            "snippets.delete": self._drop,
            "ask.estimate": self._estimate,
            "ask.failover": self._failover,
        }

    # -- the tree --------------------------------------------------------------------------------

    async def _edit(self, params: dict[str, Any]) -> object:
        chat = params["session_id"]
        path = self._before(chat, params["message_id"])
        self._next += 2
        asked = {
            "message_id": self._next,
            "role": "user",
            "text": params["text"],
            "created": time.time(),
            "meta": {"state": "done"},
        }
        self._show_path(chat, [*path, asked])
        return self._again(chat, params["text"])

    async def _retry(self, params: dict[str, Any]) -> object:
        chat, number = params["session_id"], params["message_id"]
        path = self._before(chat, number)
        asked = self._all[number]
        self._show_path(chat, [*path, asked])
        return self._again(chat, asked["text"])

    async def _branch(self, params: dict[str, Any]) -> object:
        chat, number = params["session_id"], params["message_id"]
        path = [*self._before(chat, number), self._all[number]]
        if params["as_new"]:
            session = {"session_id": f"copy{number}", "title": "A copy", "updated": time.time()}
            self._state["sessions.list"].append(session)
            self._state["messages"][session["session_id"]] = [dict(m) for m in path]
            return session
        self._show_path(chat, path)
        return self._session(chat)

    async def _choose(self, params: dict[str, Any]) -> object:
        chat, number = params["session_id"], params["message_id"]
        path = [*self._before(chat, number), self._all[number]]
        while after := [m for m in self._all.values() if m["parent"] == path[-1]["message_id"]]:
            path.append(max(after, key=lambda m: m["message_id"]))
        self._show_path(chat, path)
        return self._session(chat)

    def _absorb(self, chat: str) -> None:
        parent = None
        for message in self._state["messages"].get(chat, []):
            message.setdefault("parent", parent)
            parent = message["message_id"]
            self._all[parent] = message

    def _before(self, chat: str, number: int) -> list[dict[str, Any]]:
        """The messages on the way to one, without it."""
        self._absorb(chat)
        path: list[dict[str, Any]] = []
        parent = self._all[number]["parent"]
        while parent is not None:
            path.insert(0, self._all[parent])
            parent = self._all[parent]["parent"]
        return path

    def _show_path(self, chat: str, path: list[dict[str, Any]]) -> None:
        parent = None
        for message in path:
            message.setdefault("parent", parent)
            parent = message["message_id"]
            self._all[parent] = message
        self._state["messages"][chat] = path

    def mark(self, chat: str) -> None:
        """Tell every shown message its place among its siblings."""
        self._absorb(chat)
        ids = {m["message_id"] for m in self._state["messages"].get(chat, [])}
        for number in ids:
            message = self._all[number]
            beside = sorted(
                other["message_id"]
                for other in self._all.values()
                if other["parent"] == message["parent"]
                and other["role"] == message["role"]
                and (message["parent"] is not None or number in ids)
            )
            several = len(beside) > 1 and message["parent"] is not None
            message["siblings"] = beside if several else []
            message["place"] = beside.index(number) + 1 if several else 1

    # -- the list --------------------------------------------------------------------------------

    def _session(self, chat: str) -> dict[str, Any]:
        found = (s for s in self._state["sessions.list"] if s["session_id"] == chat)
        session = next(found, None)
        if session is None:
            raise ControlError("There is no such chat.")
        return dict(session)

    def _change(self, chat: str, **changes: Any) -> dict[str, Any]:
        self._session(chat)
        for session in self._state["sessions.list"]:
            if session["session_id"] == chat:
                session.update(changes)
        return self._session(chat)

    async def _search(self, params: dict[str, Any]) -> object:
        found = []
        word = params["text"].lower()
        for chat, messages in self._state["messages"].items():
            for message in messages:
                place = message["text"].lower().find(word)
                if place >= 0:
                    start = max(0, place - 20)
                    found.append(
                        {
                            "session_id": chat,
                            "message_id": message["message_id"],
                            "title": self._session(chat)["title"],
                            "role": message["role"],
                            "created": message["created"],
                            "snippet": message["text"][start : start + 80],
                            "marks": [(place - start, place - start + len(word))],
                        }
                    )
        return found[: params["limit"]]

    async def _pin(self, params: dict[str, Any]) -> object:
        return self._change(params["session_id"], pinned=params["pinned"])

    async def _archive(self, params: dict[str, Any]) -> object:
        return self._change(params["session_id"], archived=params["archived"])

    async def _create(self, params: dict[str, Any]) -> object:
        self._next += 2
        given = {name: value for name, value in params.items() if value is not None}
        session = {**given, "session_id": f"made{self._next}", "updated": time.time()}
        self._state["sessions.list"].append(session)
        return session

    async def _show(self, params: dict[str, Any]) -> object:
        return self._session(params["session_id"])

    async def _set(self, params: dict[str, Any]) -> object:
        changes = {k: v for k, v in params.items() if v is not None}
        return self._change(**{"chat": changes.pop("session_id"), **changes})

    async def _export(self, params: dict[str, Any]) -> object:
        return {"path": params["path"], "sessions": 1, "messages": 2}

    async def _import(self, params: dict[str, Any]) -> object:
        del params
        return {"sessions": ["s2"], "messages": 2}

    # -- snippets, costs, consent ----------------------------------------------------------------

    async def _snippets(self, params: dict[str, Any]) -> object:
        del params
        return list(self._state["snippets"])

    async def _put(self, params: dict[str, Any]) -> object:
        await self._drop(params)
        self._state["snippets"].append({"name": params["name"], "text": params["text"]})
        return {}

    async def _drop(self, params: dict[str, Any]) -> object:
        kept = [s for s in self._state["snippets"] if s["name"] != params["name"]]
        self._state["snippets"][:] = kept
        return {}

    async def _estimate(self, params: dict[str, Any]) -> object:
        del params
        return dict(self._state["estimate"])

    async def _failover(self, params: dict[str, Any]) -> object:
        chat = params["session_id"]
        if params["consent"] == "no":
            return {"session_id": chat, "ask_id": ""}
        return self._again(chat, "")
