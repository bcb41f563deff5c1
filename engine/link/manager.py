"""All links of a node: listening, dialling, one link per neighbour, and the handshake's I/O.

Owns every link task. It decides who a neighbour is (the certified NodeID) and never what a cell
means: circuits are handed in through `on_create`.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from collections.abc import Callable

import trio

from engine.crypto.keys import x25519_generate
from engine.errors import (
    CircuitClosed,
    HandshakeError,
    LinkError,
    ProtocolError,
)
from engine.identity import Identity
from engine.limits import Limits
from engine.link.connection import Link
from engine.link.counts import LinkCounts
from engine.link.gate import Gate, Visit
from engine.link.pace import Pace
from engine.link.padding import IdlePadding, Padding
from engine.link.sockets import bind, host_of, receive_record, send_record, shake_hands, tune
from engine.wire.cells import Command
from engine.wire.link import CERT_LIFE_S, LinkCredentials, LinkHandshake
from engine.wire.network import MAIN_NETWORK

CONNECT_TIMEOUT_S = 10.0
LISTEN_BACKLOG = 256
MAX_OWN_HOSTS = 64  # addresses of one machine
UPKEEP_EVERY_S = 30.0

OnCreate = Callable[[Link, int, memoryview], None]
OnLinkCell = Callable[[Link, memoryview], None]


class LinkManager:
    """Dials and serves links in one nursery."""

    def __init__(
        self,
        identity: Identity,
        suite: int,
        *,
        on_create: OnCreate | None,
        static: bytes | None = None,
        padding: Padding = Padding.OFF,
        network: bytes = MAIN_NETWORK,
        limits: Limits | None = None,
        exempt: Callable[[str], bool] = lambda _host: False,
        rate: int = 0,
    ) -> None:
        self.own_hosts: set[str] = set()  # addresses of this machine that neighbours reached
        self.on_link_cell: dict[Command, OnLinkCell] = {}  # services set theirs before `run`
        self._static = static or x25519_generate()
        self._padding = padding
        self._idle = IdlePadding()
        self._closed_counts = LinkCounts()
        self._identity = identity
        self._network = network
        self._issued: LinkCredentials | None = None
        self._suite = suite
        self._on_create = on_create
        self._links: dict[bytes, Link] = {}
        self._all: set[Link] = set()
        self._dirty: set[Link] = set()
        self._dialling: dict[bytes, trio.Lock] = {}
        self._nursery: trio.Nursery | None = None
        self._limits = limits or Limits()
        self._pace = Pace(rate, self._limits.burst_s) if rate else None
        self.gate = Gate(self._limits, exempt)

    @property
    def links(self) -> frozenset[Link]:
        """Every open link."""
        return frozenset(self._all)

    @property
    def _credentials(self) -> LinkCredentials:
        """The static key with a certificate that has at least half of its life left."""
        now = int(time.time())
        if self._issued is None or self._issued.cert.not_after - now < CERT_LIFE_S // 2:
            self._issued = LinkCredentials.of(
                self._identity,
                self._static,
                not_after=now + CERT_LIFE_S,
                network=self._network,
            )
        return self._issued

    @property
    def link_static(self) -> bytes:
        """The X25519 public key this node certifies for its links."""
        return self._credentials.static_public

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own the link tasks until cancelled; closes every link on the way out."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                if self._padding is not Padding.OFF:
                    nursery.start_soon(self._idle.run)
                if self._pace is not None:
                    nursery.start_soon(self._pace.run)
                task_status.started()
                await self._keep_up()
        finally:
            self._nursery = None
            for link in list(self._all):
                link.close()

    async def _keep_up(self) -> None:
        """Close links that nobody uses and links whose neighbour takes nothing."""
        while True:
            await trio.sleep(UPKEEP_EVERY_S)
            for link in list(self._all):
                if link.looks_dead(trio.current_time(), idle_s=self._limits.link_idle_s):
                    link.close()
            self.flush()

    def flush(self) -> None:
        """Flush every link that has cells queued."""
        dirty = self._dirty
        while dirty:
            dirty.pop().flush()

    # -- listening -----------------------------------------------------------------------------

    async def serve(
        self, host: str, port: int, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Accept links on host:port (reports the port bound) until cancelled."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with trio.socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            await bind(listener, host, port)
            listener.listen(LISTEN_BACKLOG)
            task_status.started(listener.getsockname()[1])
            while True:
                try:
                    sock, address = await listener.accept()
                except OSError as error:
                    if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ECONNABORTED):
                        raise
                    await trio.sleep(0.1)
                    continue
                self._learn(sock)
                self._admit(sock, address[0])

    def _learn(self, sock: trio.socket.SocketType) -> None:
        if len(self.own_hosts) < MAX_OWN_HOSTS:
            with contextlib.suppress(OSError):  # the neighbour is gone already
                self.own_hosts.add(sock.getsockname()[0])

    def _admit(self, sock: trio.socket.SocketType, host: str) -> None:
        scope = trio.CancelScope()
        visit = self.gate.enter(host, scope.cancel, trio.current_time()) if self._nursery else None
        if self._nursery is None or visit is None:
            sock.close()
            return
        self._nursery.start_soon(self._respond, sock, visit, scope)

    async def _respond(
        self, sock: trio.socket.SocketType, visit: Visit, scope: trio.CancelScope
    ) -> None:
        handshake = LinkHandshake.responder(self._credentials, now=int(time.time()))
        try:
            done = False
            scope.deadline = trio.current_time() + self._limits.handshake_timeout_s
            with scope:
                done = await shake_hands(sock, handshake)
            self.gate.shaken(visit)
            if done:
                await self._serve_link(sock, handshake, initiator=False)
        finally:
            sock.close()
            self.gate.leave(visit)

    # -- dialling ------------------------------------------------------------------------------

    def find(self, node_id: bytes) -> Link | None:
        """The open link to `node_id`, if there is one."""
        link = self._links.get(node_id)
        return link if link is not None and not link.closed else None

    async def get(self, node_id: bytes, host: str, port: int) -> Link:
        """The open link to `node_id`, dialled if there is none.

        Raises CircuitClosed when it cannot be reached or is somebody else.
        """
        if (link := self.find(node_id)) is not None:
            return link
        lock = self._dialling.setdefault(node_id, trio.Lock())
        try:
            async with lock:
                if (link := self.find(node_id)) is not None:
                    return link
                return await self._dial(node_id, host, port)
        finally:
            if not lock.locked() and self._dialling.get(node_id) is lock:
                del self._dialling[node_id]

    async def _dial(self, node_id: bytes, host: str, port: int) -> Link:
        if self._nursery is None:
            raise CircuitClosed("The node is shutting down.")
        sock, handshake = await self._connect(node_id, host, port)
        link: Link = await self._nursery.start(self._run_dialled, sock, handshake)
        return link

    async def _connect(
        self, node_id: bytes, host: str, port: int
    ) -> tuple[trio.socket.SocketType, LinkHandshake]:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = trio.socket.socket(family, socket.SOCK_STREAM)
        try:
            with trio.fail_after(CONNECT_TIMEOUT_S):
                await sock.connect((host, port))
                tune(sock)
                handshake = LinkHandshake.initiator(
                    self._credentials, self._suite, node_id, now=int(time.time())
                )
                await send_record(sock, handshake.write_message())
                handshake.read_message(await receive_record(sock))
                await send_record(sock, handshake.write_message())
        except (OSError, trio.TooSlowError, LinkError) as error:
            sock.close()
            raise CircuitClosed(
                "A relay could not be reached.", hint="Another one is tried."
            ) from (error)
        except HandshakeError as error:
            sock.close()
            raise CircuitClosed("A relay did not prove the identity in its advert.") from error
        except BaseException:
            sock.close()
            raise
        return sock, handshake

    async def probe(self, node_id: bytes, host: str, port: int) -> bool:
        """True when `node_id` answers at host:port and proves it; the connection ends at once."""
        try:
            sock, _handshake = await self._connect(node_id, host, port)
        except CircuitClosed:
            return False
        sock.close()
        return True

    async def _run_dialled(
        self,
        sock: trio.socket.SocketType,
        handshake: LinkHandshake,
        *,
        task_status: trio.TaskStatus[Link],
    ) -> None:
        await self._serve_link(sock, handshake, initiator=True, task_status=task_status)

    # -- both ----------------------------------------------------------------------------------

    async def _serve_link(
        self,
        sock: trio.socket.SocketType,
        handshake: LinkHandshake,
        *,
        initiator: bool,
        task_status: trio.TaskStatus[Link] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        tune(sock)
        raw = socket.socket(fileno=sock.detach())
        raw.setblocking(False)
        link = Link(
            raw,
            handshake.result(),
            initiator=initiator,
            dirty=self._dirty,
            on_create=self._on_create,
            on_padding=self._answer_padding,
            on_link_cell=self.on_link_cell,
            pace=self._pace,
            peer_host=host_of(raw),
        )
        self._all.add(link)
        if initiator and self._padding is Padding.DIAL:
            self._idle.add(link, trio.current_time())
        # An outbound link wins the place: its peer was the one we meant to reach.
        if initiator or link.peer_node_id not in self._links:
            self._links[link.peer_node_id] = link
        task_status.started(link)
        try:
            await link.run(self.flush)
        except ProtocolError:
            link.close()
        finally:
            self._all.discard(link)
            self._closed_counts += LinkCounts.of(link)
            if self._links.get(link.peer_node_id) is link:
                del self._links[link.peer_node_id]
            self.flush()  # what the link's circuits told their other neighbours

    def _answer_padding(self, link: Link) -> None:
        """A neighbour pads a link that it dialled: pad it in the other direction too."""
        if self._padding is not Padding.OFF and not link.initiator:
            self._idle.add(link, trio.current_time())

    def counts(self) -> LinkCounts:
        """What went over this manager's links so far, the closed ones included."""
        return sum(map(LinkCounts.of, self._all), self._closed_counts)
