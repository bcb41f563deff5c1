"""The node of `bench.api_load`: a real local API over real sessions, in a process of its own.

Real: the HTTP server and its door, keys, isolation tags, the session layer, meter, receipts, the
encrypted store on disk. In memory: the ghosts, their provider (words with pauses), the streams to
them instead of circuits, and the mint. What those remember is thrown away now and then, so that
what grows is ours.

Prints {"url", "keys"}; then one JSON object of its own figures for each line that it reads. At the
line "leave" it first leaves all sessions, as it does with those that rest.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import trio

from engine.wire.quote import ModelOffer
from tests.helpers.api_world import ApiWorld, api_world
from tests.helpers.market_fakes import ScriptedBackend

WORDS = [f"word{number} " for number in range(24)]
PAUSE_S = 0.02
PURSE_SAT = 1_000_000_000
FORGET_S = 2.0
KEEP = 2_000
OFFER = ModelOffer.plain("tiny", 1_000_000, 10_000_000, 1000)


async def pause(_index: int) -> None:
    """Between two words of the provider."""
    await trio.sleep(PAUSE_S)


async def forget(w: ApiWorld) -> None:
    """What the parts in memory remember for tests."""
    world = w.chats
    while True:
        await trio.sleep(FORGET_S)
        world.drain()
        world.events.clear()
        world.routes.clear()
        world.mint.spent.clear()
        _shorten(world.mint.signed)
        for ghost in world.ghosts:
            ghost.backend.requests.clear()
            ghost.books.earnings.rows.clear()
            ghost.earner.redeemed_at.clear()
            _shorten(ghost.earner._done)
            _shorten(ghost.earner._refunds)
            _shorten(ghost.books.receipts.kept)
            for receipts in ghost.books.receipts.kept.values():
                del receipts[:-5]


def _shorten(kept: dict[Any, Any]) -> None:
    for key in list(kept)[:-KEEP]:
        del kept[key]


def figures(w: ApiWorld) -> dict[str, Any]:
    """What this process holds now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    asker = w.gateway.asker
    return {
        "rss_mb": round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 2),
        "files": len(os.listdir("/proc/self/fd")),
        "tasks": trio.lowlevel.current_statistics().tasks_living,
        "under_way": asker.under_way,
        "waiting": asker.waiting,
        "sessions": len(w.chats.chats.desk.open_sessions),
        "tags": len(w.gateway.apart),
        "asked": asker.asked,
    }


async def serve(keys: int, ghosts: int) -> None:
    """Until standard input ends."""
    with tempfile.TemporaryDirectory() as folder:
        backend = ScriptedBackend(WORDS, usage=(20, len(WORDS)), gate=pause)
        options = {"backend": backend, "models": (OFFER,)}
        async with api_world(Path(folder), ghosts=ghosts, **options) as w:
            w.chats.wallet.balance_sat = PURSE_SAT
            names = [f"program{number}" for number in range(keys)]
            made = [(await w.gateway.new_key({"name": name})).key for name in names]
            print(json.dumps({"url": w.url, "keys": made}), flush=True)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(forget, w)
                while line := await trio.to_thread.run_sync(sys.stdin.readline):
                    if line == "leave\n":
                        await w.gateway.apart.release("")
                    print(json.dumps(figures(w)), flush=True)
                nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(serve, int(sys.argv[1]), int(sys.argv[2]))
