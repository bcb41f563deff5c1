"""The local API inside the node: on from the start or when told, and its control methods.

The server and its libraries are loaded when it is switched on, so a node without it pays nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import trio

from engine.control.protocol.api import (
    ApiDescription,
    ApiKeyInfo,
    ApiKeyMade,
    ApiReleased,
    ApiStatus,
    ApiTag,
)
from engine.control.protocol.asking import AskStarted
from engine.control.protocol.frames import Empty
from engine.control.protocol.sessions import Model
from engine.control.server import Handler
from engine.errors import BadValue, ShuttingDown
from engine.gateway.apart import Apart
from engine.gateway.asking import Asker
from engine.gateway.keys import ApiKeys, SecretBook
from engine.gateway.settings import USUAL, ApiSettings, Listen, parse_listen
from engine.log import say
from engine.log.events import ApiOpened
from engine.session.chat import ChatService
from engine.session.raw import Watcher


class _Chats:
    """What of the chats the API uses: raw questions, and nothing that is stored."""

    def __init__(self, chats: ChatService) -> None:
        self._chats = chats

    async def ask(self, params: dict[str, Any], watcher: Watcher) -> AskStarted:
        return await self._chats.raw.ask(params, watcher)

    async def cancel(self, params: dict[str, Any]) -> dict[str, Any]:
        return await self._chats.cancel(params)

    async def models(self, params: dict[str, Any]) -> list[Model]:
        return await self._chats.desk.chooser.models(params)


class Gateway:
    """Answers `api.*`. `run` owns the server; call nothing before it has started."""

    def __init__(
        self, chats: ChatService, store: SecretBook, home: Path, settings: ApiSettings
    ) -> None:
        self.apart = Apart(chats.raw, settings.tag_idle_s)
        self.asker = Asker(_Chats(chats), self.apart)
        self.keys = ApiKeys(store)
        self._home = home
        self._set = settings.listen
        self._where: Listen | None = None
        self._changing = trio.Lock()
        self._scope: trio.CancelScope | None = None
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve while it is on, until cancelled."""
        await self.keys.load()
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                await nursery.start(self.apart.run)
                if self._set is not None:
                    await self._open(self._set)
                task_status.started()
                await trio.sleep_forever()
            finally:
                self._nursery = None

    @property
    def is_on(self) -> bool:
        """Whether it listens."""
        return self._where is not None

    def use(self, listen: Listen | None) -> None:
        """Where it listens when it is switched on next and nobody says where."""
        self._set = listen

    def table(self) -> Mapping[str, Handler]:
        """Method name to handler."""
        return {
            "api.status": self.status,
            "api.start": self.start,
            "api.stop": self.stop,
            "api.keys": self.list_keys,
            "api.key.new": self.new_key,
            "api.key.revoke": self.revoke_key,
            "api.tags": self.list_tags,
            "api.release": self.release_tags,
            "api.openapi": self.describe,
        }

    async def status(self, _params: dict[str, Any]) -> ApiStatus:
        """Whether it is on, where, and how busy."""
        where = self._where
        return ApiStatus(
            on=where is not None,
            url=where.url if where is not None else "",
            socket=str(where.socket) if where is not None and where.socket is not None else "",
            keys=len(self.keys.all()),
            asked=self.asker.asked,
            under_way=self.asker.under_way,
            waiting=self.asker.waiting,
            sessions=len(self.apart),
        )

    async def start(self, params: dict[str, Any]) -> ApiStatus:
        """Switch it on. Where it is on already, it stays as it is."""
        named = params["listen"]
        listen = parse_listen(named, self._home) if named else self._set
        async with self._changing:
            if self._where is None:
                await self._open(listen or parse_listen(USUAL, self._home))
        where = self._where
        if named and listen is not None and where is not None and not listen.is_at(where):
            raise BadValue(
                "The local API is on already, at another address.",
                kept="It goes on there.",
                hint="Switch it off first: peer2prompt api stop",
            )
        return await self.status({})

    async def stop(self, _params: dict[str, Any]) -> ApiStatus:
        """Switch it off: answers under way are stopped."""
        if self._scope is not None:
            self._scope.cancel()
            self._scope = self._where = None
        return await self.status({})

    async def list_keys(self, _params: dict[str, Any]) -> list[ApiKeyInfo]:
        return [ApiKeyInfo(name=key.name, created=key.created) for key in self.keys.all()]

    async def new_key(self, params: dict[str, Any]) -> ApiKeyMade:
        name = params["name"]
        return ApiKeyMade(name=name, key=await self.keys.new(name))

    async def revoke_key(self, params: dict[str, Any]) -> Empty:
        name = params["name"]
        await self.keys.revoke(name)
        await self.apart.release_key(name)
        return Empty()

    async def describe(self, _params: dict[str, Any]) -> ApiDescription:
        """The API's description in OpenAPI."""
        from engine.gateway.openapi import describe_api

        url = self._where.url if self._where is not None else ""
        told = describe_api(url.removesuffix("/v1")) if url else describe_api()
        return ApiDescription(openapi=told)

    async def list_tags(self, _params: dict[str, Any]) -> list[ApiTag]:
        return self.apart.listed()

    async def release_tags(self, params: dict[str, Any]) -> ApiReleased:
        return ApiReleased(released=await self.apart.release(params["tag"]))

    async def _open(self, listen: Listen) -> None:
        from engine.gateway.app import Api  # the server's libraries
        from engine.gateway.server import serve_api

        if self._nursery is None:
            raise ShuttingDown("The node is shutting down.")
        scope = trio.CancelScope()
        api = Api(self.asker, self.keys)

        async def serve(task_status: trio.TaskStatus[Listen]) -> None:
            with scope:
                await serve_api(api, listen, task_status=task_status)

        self._where = await self._nursery.start(serve)
        self._scope = scope
        say(ApiOpened())
