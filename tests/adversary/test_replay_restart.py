"""CREATEs recorded on the wire and sent again after the hop was killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio

from engine.circuit.key_keeper import KeyKeeper
from engine.circuit.replay_journal import ReplayJournal
from engine.crypto.hop import ClientHop
from engine.crypto.replay import HandshakeReplayCache
from engine.crypto.suite import default_suite
from engine.errors import HandshakeError
from engine.wire.cells import Command, DestroyReason
from engine.wire.create import create_body
from engine.wire.refusal import parse_destroy
from tests.helpers.adversaries import put_cell, stranger
from tests.helpers.network import LocalNode

SECRET = bytes(range(32))
BOOT = b"b" * 16


@dataclass
class Restarted:
    """A relay that dies without a word and comes back with its store and its disk."""

    home: Path
    saved: bytes | None = None
    identity_seed: LocalNode | None = None

    async def keeper(self, boot: bytes = BOOT) -> KeyKeeper:
        """The keys, as the next process finds them."""

        async def save(data: bytes) -> None:
            self.saved = data

        return await KeyKeeper.open(self.home, self.saved, SECRET, save, boot=boot)

    async def node(self, boot: bytes = BOOT) -> LocalNode:
        """The next process of the relay."""
        keeper = await self.keeper(boot)
        node = LocalNode("127.1.0.1", {})
        if self.identity_seed is not None:
            node.identity = self.identity_seed.identity
        self.identity_seed = node
        node.keys = keeper.keys
        node.core._node_id = node.identity.node_id
        node.core._onion_keys = keeper.keys.private_keys
        node.core.replays = keeper.replays
        node.links._identity = node.identity
        return node


@dataclass
class Recorder:
    """Somebody who kept CREATE payloads and plays them to a hop, as its neighbour."""

    answers: list[int] = field(default_factory=list)
    reasons: list[DestroyReason] = field(default_factory=list)

    async def play(self, node: LocalNode, payload: bytes) -> None:
        """Send one recorded CREATE over a link of this adversary's; wait for the answer."""
        links = stranger(default_suite())
        async with trio.open_nursery() as nursery:
            await nursery.start(node.run)
            await nursery.start(links.run)
            link = await links.get(node.identity.node_id, node.host, node.port)
            heard: list[tuple[int, bytes]] = []
            circ_id = link.new_circ_id(lambda command, body: heard.append((command, bytes(body))))
            put_cell(link, circ_id, Command.CREATE, create_body(payload))
            with trio.fail_after(60):
                while not heard:
                    await trio.sleep(0.005)
            command, body = heard[0]
            self.answers.append(command)
            if command == Command.DESTROY:
                self.reasons.append(parse_destroy(body).reason)
            nursery.cancel_scope.cancel()


def recorded(node: LocalNode) -> bytes:
    """A CREATE of some client for this relay."""
    key = node.keys.adverts()[-1].public
    return ClientHop.start(1, node.identity.node_id, key)[1]


@pytest.mark.trio
async def test_a_create_recorded_before_a_kill_is_refused_after_it(tmp_path: Path) -> None:
    """Pass: the relay answers the CREATE once; the next process, started on the same store and
    disk without any clean end of the first, serves the same onion key, refuses the recorded CREATE
    and answers a new one."""
    relay, adversary = Restarted(tmp_path), Recorder()
    first = await relay.node()
    payload = recorded(first)
    await adversary.play(first, payload)
    assert adversary.answers == [Command.CREATED]
    second = await relay.node()
    assert second.keys.adverts() == first.keys.adverts()
    await adversary.play(second, payload)
    assert adversary.answers[1:] == [Command.DESTROY]
    assert adversary.reasons == [DestroyReason.PROTOCOL]
    third = await relay.node()
    await adversary.play(third, recorded(third))
    assert adversary.answers[2:] == [Command.CREATED]


@pytest.mark.trio
async def test_after_a_power_cut_the_old_key_is_not_served_at_all(tmp_path: Path) -> None:
    """Pass: when the journal may have lost entries, the recorded CREATE is refused because its key
    is gone; the relay has a new one."""
    relay, adversary = Restarted(tmp_path), Recorder()
    first = await relay.node()
    payload = recorded(first)
    await adversary.play(first, payload)
    second = await relay.node(boot=b"another boot----")
    assert not set(second.keys.private_keys()) & {k.public for k in first.keys.adverts()}
    await adversary.play(second, payload)
    assert adversary.reasons == [DestroyReason.KEY_EXPIRED]


@pytest.mark.trio
async def test_whoever_writes_the_disk_can_make_the_relay_forget(
    tmp_path: Path,
) -> None:
    """Pass (a limit that is stated, not a promise): whoever can write the relay's disk can make it
    forget, and then gets a circuit that nobody holds the client's keys for."""
    relay, adversary = Restarted(tmp_path), Recorder()
    first = await relay.node()
    path = next((tmp_path / "replays").glob("*.log"))
    before = path.read_bytes()
    payload = recorded(first)
    await adversary.play(first, payload)
    path.write_bytes(before)
    await adversary.play(await relay.node(), payload)
    assert adversary.answers == [Command.CREATED, Command.CREATED]


CHILD = """
import sys, time
from pathlib import Path
from engine.circuit.replay_journal import ReplayJournal
from engine.crypto.replay import HandshakeReplayCache
journal = ReplayJournal(Path(sys.argv[1]))
journal.start(bytes(32))
cache = HandshakeReplayCache(secret=bytes(32), journal=journal)
for n in range(1000):
    cache.remember(bytes(32), n.to_bytes(32, "big"))
print("answered", flush=True)
time.sleep(60)
"""


def test_a_real_process_killed_with_minus_nine_has_lost_nothing(tmp_path: Path) -> None:
    """Pass: each of a thousand handshakes that a process noted before kill -9 is refused after."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "replays")], stdout=subprocess.PIPE
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"answered\n"
        os.kill(child.pid, signal.SIGKILL)
    kept = ReplayJournal(tmp_path / "replays").load(bytes(32))
    assert kept is not None
    cache = HandshakeReplayCache(secret=bytes(32))
    cache.restore(bytes(32), *kept)
    for number in range(1_000):
        with pytest.raises(HandshakeError, match="replayed"):
            cache.check(bytes(32), number.to_bytes(32, "big"))
