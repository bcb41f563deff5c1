"""Roles switched and settings read again while a node runs: what the control protocol asks for.

Every change is checked as a whole settings file first, then taken up by the node, and kept in the
file only when it runs. One change at a time.
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from engine.config import NodeConfig, load_config, parse_config
from engine.control.protocol.roles import Reloaded, RoleInfo
from engine.control.server import Handler
from engine.errors import ConfigError, Peer2PromptError
from engine.log import say
from engine.log.events import RoleSwitched, SettingsReloaded
from engine.log.words import names
from engine.parts import wait_while
from engine.role_settings import (
    MEANINGS,
    check_name,
    check_possible,
    has_role,
    merge,
    set_role,
)
from engine.service.notify import Notifier

if TYPE_CHECKING:
    from engine.exit.desk import Desk
    from engine.gateway.service import Gateway

LONGEST_WAIT_S = 3_600.0


class Switches:
    """Answers `roles`, `role.set` and `config.reload`."""

    def __init__(
        self,
        config: Callable[[], NodeConfig],
        use: Callable[[NodeConfig, float], Awaitable[None]],
        *,
        gateway: Callable[[], Gateway | None],
        desk: Callable[[], Desk | None],
        notifier: Notifier,
    ) -> None:
        """`config` is what the node runs by, `use` makes it run by other settings."""
        self._config = config
        self._use = use
        self._gateway = gateway
        self._desk = desk
        self._notifier = notifier
        self._changing = trio.Lock()
        self._ending = ""

    def table(self) -> Mapping[str, Handler]:
        """Method name to handler."""
        return {"roles": self.roles, "role.set": self.set, "config.reload": self.reload}

    async def roles(self, _params: object) -> list[RoleInfo]:
        """Every role: whether it is on now, and after a restart."""
        running, kept = self._config(), self._kept()
        return [
            RoleInfo(
                name=name,
                on=self._is_on(running, name),
                kept=has_role(kept, name),
                ending=name == self._ending,
                meaning=meaning,
            )
            for name, meaning in MEANINGS.items()
        ]

    async def set(self, params: dict[str, Any]) -> list[RoleInfo]:
        """Switch one on or off; returns when that is done. Goes on when its caller leaves."""
        name, on = params["name"], params["on"]
        check_name(name)
        with trio.CancelScope(shield=True):
            async with self._changing:
                await self._switch(name, on, _bounded(params["wait_s"]))
                if params["keep"]:
                    await trio.to_thread.run_sync(self._keep, name, on)
        return await self.roles({})

    async def _switch(self, name: str, on: bool, wait_s: float) -> None:
        running = self._config()
        data = self._written()
        set_role(data, name, on)
        config = _parsed(running, data)
        if on:
            check_possible(config, name)
        if self._is_on(running, name) == on:
            return
        self._ending = "" if on else name
        try:
            if name == "api":
                await self._switch_api(config, on, wait_s)
            await self._use(config, wait_s)
        finally:
            self._ending = ""
        say(RoleSwitched(names([name], tuple(MEANINGS)), on))

    def _is_on(self, running: NodeConfig, name: str) -> bool:
        if name != "api":
            return has_role(running, name)
        gateway = self._gateway()
        return gateway is not None and gateway.is_on

    async def _switch_api(self, config: NodeConfig, on: bool, wait_s: float) -> None:
        gateway = self._gateway()
        if gateway is None:
            raise ConfigError("This node is no client.", kept="Nothing was changed.")
        if on:
            gateway.use(config.api.listen)
            await gateway.start({"listen": ""})
            return
        gateway.asker.closing = True
        try:
            with trio.move_on_after(wait_s):
                await wait_while(lambda: gateway.asker.under_way)
            await gateway.stop({})
        finally:
            gateway.asker.closing = False

    async def reload(self, params: dict[str, Any]) -> Reloaded:
        """Read config.toml again and take up what can be taken up. Raises ConfigError for a file
        that is wrong anywhere, and changes nothing then."""
        done = Reloaded()
        with trio.CancelScope(shield=True):
            async with self._changing:
                self._notifier.reloading()
                try:
                    done = await self._reload(_bounded(params["wait_s"]))
                finally:
                    self._notifier.ready()
        return done

    async def _reload(self, wait_s: float) -> Reloaded:
        running = self._config()
        new = await trio.to_thread.run_sync(load_config, running.home, _file_of(running))
        merged, applied, restart = merge(running.written, new.written)
        config = _parsed(running, merged)
        if "api.listen" in applied and "client" in config.roles:
            await self._move_api(config)
        await self._use(config, wait_s)
        desk = self._desk()
        if desk is not None and config.ghost is not None and any("ghost." in n for n in applied):
            await desk.use(config.ghost)
        say(SettingsReloaded(len(applied), len(restart)))
        return Reloaded(applied=applied, restart=restart)

    async def _move_api(self, config: NodeConfig) -> None:
        gateway = self._gateway()
        if gateway is None:
            return
        await gateway.stop({})
        gateway.use(config.api.listen)
        if config.api.listen is not None:
            await gateway.start({"listen": ""})

    # -- the file ------------------------------------------------------------------------------

    def _written(self) -> dict[str, Any]:
        config = self._config()
        _file_of(config)
        return copy.deepcopy(dict(config.written))

    def _kept(self) -> NodeConfig:
        """By the file as it is now; by what runs when that cannot be read."""
        running = self._config()
        try:
            return load_config(running.home, running.file)
        except Peer2PromptError:
            return running

    def _keep(self, name: str, on: bool) -> None:
        from engine.exit.settings_file import rewrite

        running = self._config()
        file = _file_of(running)
        rewrite(
            file,
            lambda document: set_role(document, name, on),
            lambda data: parse_config(running.home, data, base=file.parent),
        )


def _bounded(wait_s: float) -> float:
    return min(max(0.0, wait_s), LONGEST_WAIT_S)


def _file_of(config: NodeConfig) -> Path:
    if config.file is None:
        raise ConfigError("This node's settings did not come from a file, so they stay.")
    return config.file


def _parsed(running: NodeConfig, data: dict[str, Any]) -> NodeConfig:
    """The settings of `data`, for a node whose store is open. Raises ConfigError."""
    config = parse_config(running.home, data, base=_file_of(running).parent)
    return replace(config, file=running.file, written=data, store=running.store)
