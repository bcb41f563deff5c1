"""Finding nodes in the local network by mDNS. An opt-in: `[network] lan = true`.

A node that listens announces one contact, itself, under a random name that is changed every day; a
client announces nothing. Both browse, which everybody in the local network can see. The library
(zeroconf, extra `lan`) runs threads of its own; nothing but bounded notes crosses over.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import trio

from engine.circuit.addresses import is_local
from engine.directory.contacts import Contact, encode_invite
from engine.directory.lan_book import LanBook
from engine.directory.sources import Origin

if TYPE_CHECKING:
    from zeroconf import ServiceInfo, Zeroconf

SERVICE = "_peer2prompt._tcp.local."
INVITE_KEY = b"i"
ROTATE_S = 86_400.0
FIRST_LOOK_S = 1.5  # announcements answer a question within a second
READ_TIMEOUT_MS = 2_000
MAX_WAITING = 64  # announcements that wait to be read; more are dropped

WILDCARDS = ("0.0.0.0", "::")


class LanFinder:
    """Browses, and announces when there is something to announce."""

    origin = Origin.LAN

    def __init__(
        self,
        tag: bytes,
        *,
        test_network: bool,
        interfaces: Sequence[str] | None = None,
    ) -> None:
        self.error = ""
        self.book = LanBook(tag, test_network=test_network)
        self._tag = tag
        self._interfaces = interfaces
        self._test_network = test_network
        self._own: Contact | None = None
        self._running = False
        self._looked = False

    def announce(self, own: Contact) -> None:
        """Announce this node, that listens at `own` (which may be a wildcard); before `run`."""
        self._own = own

    def contacts(self) -> Sequence[Contact]:
        """Who announces itself now."""
        return self.book.contacts()

    async def look(self) -> None:
        """Give the first announcements time to come in."""
        if self._running and not self._looked:
            self._looked = True
            await trio.sleep(FIRST_LOOK_S)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Browse and announce until cancelled. Where that is not possible, `error` says why."""
        try:
            zeroconf = await trio.to_thread.run_sync(self._open)
        except ModuleNotFoundError:
            self.error = 'Looking in the local network needs a library: "peer2prompt[lan]".'
        except OSError as error:
            self.error = f"The local network cannot be searched ({error.strerror or error})."
        else:
            await self._serve(zeroconf, task_status)
            return
        task_status.started()

    def _open(self) -> Zeroconf:
        from zeroconf import InterfaceChoice, IPVersion, Zeroconf

        where = list(self._interfaces) if self._interfaces else InterfaceChoice.Default
        return Zeroconf(interfaces=where, ip_version=IPVersion.V4Only)

    async def _serve(self, zeroconf: Zeroconf, task_status: trio.TaskStatus[None]) -> None:
        send, receive = trio.open_memory_channel[tuple[str, bool]](MAX_WAITING)
        token = trio.lowlevel.current_trio_token()

        def note(name: str, present: bool) -> None:
            try:
                send.send_nowait((name, present))
            except trio.WouldBlock:
                self.book.refused += 1

        def on_change(name: str, present: bool) -> None:
            token.run_sync_soon(note, name, present)

        try:
            await trio.to_thread.run_sync(_browse, zeroconf, on_change)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_announcing, zeroconf)
                self._running = True
                task_status.started()
                async for name, present in receive:
                    await self._take(zeroconf, name, present)
        finally:
            with trio.CancelScope(shield=True):  # takes the announcement back
                await trio.to_thread.run_sync(zeroconf.close)

    async def _take(self, zeroconf: Zeroconf, name: str, present: bool) -> None:
        if not present:
            self.book.gone(name)
            return
        info = await trio.to_thread.run_sync(
            lambda: zeroconf.get_service_info(SERVICE, name, timeout=READ_TIMEOUT_MS)
        )
        line = info.properties.get(INVITE_KEY) if info is not None else None
        if line is not None:
            self.book.heard(name, line)

    # -- announcing ----------------------------------------------------------------------------

    async def _keep_announcing(self, zeroconf: Zeroconf) -> None:
        while True:
            info = await trio.to_thread.run_sync(self._service)
            if info is not None:
                await trio.to_thread.run_sync(zeroconf.register_service, info)
            await trio.sleep(ROTATE_S)
            if info is not None:
                await trio.to_thread.run_sync(zeroconf.unregister_service, info)

    def _service(self) -> ServiceInfo | None:
        """What is announced: a random name and one contact. No NodeID outside of the contact."""
        import socket

        from zeroconf import ServiceInfo

        host = self._own_host()
        if self._own is None or host is None:
            return None
        line = encode_invite(self._tag, [replace(self._own, host=host)])
        name = f"{os.urandom(8).hex()}.{SERVICE}"
        return ServiceInfo(
            SERVICE,
            name,
            port=self._own.port,
            addresses=[socket.inet_pton(socket.AF_INET, host)],
            properties={INVITE_KEY: line.encode("ascii")},
            server=name,
        )

    def _own_host(self) -> str | None:
        """Where the local network finds this node; None when it listens elsewhere."""
        from ifaddr import get_adapters

        if self._own is None:
            return None
        if self._own.host not in WILDCARDS:
            return (
                self._own.host if is_local(self._own.host) and ":" not in self._own.host else None
            )
        hosts = [str(ip.ip) for adapter in get_adapters() for ip in adapter.ips if ip.is_IPv4]
        near = [host for host in hosts if is_local(host) and not host.startswith("127.")]
        return next(iter(near), None)


def _browse(zeroconf: Zeroconf, on_change: Callable[[str, bool], None]) -> None:
    from zeroconf import ServiceBrowser, ServiceStateChange

    def handler(name: str, state_change: ServiceStateChange, **_more: object) -> None:
        on_change(name, state_change is not ServiceStateChange.Removed)

    ServiceBrowser(zeroconf, SERVICE, handlers=[handler])
