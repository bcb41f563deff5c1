"""What long chats cost: a page of a chat of 10,000 messages, a search over 100,000, an export.

    python -m bench.chats [--messages N] [--json]

Everything is read from an encrypted store on disk, with the code that answers the control protocol.
Wall-clock milliseconds, medians of several rounds. No network is used.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import trio

from wallet.store import KeyFile, Store, Transaction

CHAT, PAGE, ROUNDS = 10_000, 200, 9
WORDS_EACH = 60
SEED = 7


@dataclass(frozen=True)
class Figures:
    """Milliseconds. `rare` words are in a few messages, `common` ones in every tenth."""

    messages: int
    newest_page_ms: float
    middle_page_ms: float
    page_after_first_ms: float
    measure_branch_ms: float
    search_rare_ms: float
    search_common_ms: float
    search_two_words_ms: float
    search_beginning_ms: float
    search_unspaced_ms: float
    list_chats_ms: float
    file_mb: float


def vocabulary(rng: random.Random) -> list[str]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return ["".join(rng.choices(letters, k=rng.randint(3, 10))) for _ in range(20_000)]


def fill(tx: Transaction, messages: int) -> tuple[str, int]:
    """Chats with so many messages together; the id of a long one, and its middle message."""
    rng = random.Random(SEED)
    words = vocabulary(rng)
    weights = [1 / (n + 1) for n in range(len(words))]
    longest, middle = "", 0
    for chat in range(max(1, messages // CHAT)):
        name = longest = f"chat{chat}"
        tx.execute(
            "INSERT INTO chat_sessions (session_id, title, model, created, updated)"
            " VALUES (?, ?, 'm', 1, ?)",
            (name, name, chat),
        )
        parent = None
        for number in range(min(CHAT, messages)):
            said = rng.choices(words, weights, k=WORDS_EACH)
            said += ["decile"] * (number % 10 == 0) + ["needle"] * (number % 5_000 == 0)
            parent = tx.insert(
                "INSERT INTO messages (session_id, role, text, created, meta, parent)"
                " VALUES (?, ?, ?, ?, '{}', ?)",
                (name, ("user", "assistant")[number % 2], " ".join(said), number, parent),
            )
            if number == CHAT // 2:
                middle = parent
        tx.execute("UPDATE chat_sessions SET leaf = ? WHERE session_id = ?", (parent, name))
    return longest, middle


async def median_ms(work: Callable[[], Awaitable[Any]]) -> float:
    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        await work()
        took.append((time.perf_counter() - started) * 1000)
    return round(statistics.median(took), 2)


async def run(messages: int) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        key = KeyFile(Path(folder) / "key", create=True)
        async with await Store.open(path, key, create=True) as store:
            chat, middle = await store.run(lambda tx: fill(tx, messages))
        async with await Store.open(path, key) as store:
            return await measure(store, path, messages, chat, middle)


async def measure(store: Store, path: Path, messages: int, chat: str, middle: int) -> Figures:
    async def page(**cursor: int) -> None:
        found = await store.messages.list(chat, limit=PAGE, **cursor)
        await store.messages.siblings(found)
        await store.messages.files([one.message_id for one in found])

    first = (await store.messages.measure(chat))[0].message_id
    return Figures(
        messages=messages,
        newest_page_ms=await median_ms(page),
        middle_page_ms=await median_ms(lambda: page(before=middle)),
        page_after_first_ms=await median_ms(lambda: page(after=first)),
        measure_branch_ms=await median_ms(lambda: store.messages.measure(chat)),
        search_rare_ms=await median_ms(lambda: store.search.find("needle")),
        search_common_ms=await median_ms(lambda: store.search.find("decile")),
        search_two_words_ms=await median_ms(lambda: store.search.find("decile needle")),
        search_beginning_ms=await median_ms(lambda: store.search.find("need")),
        search_unspaced_ms=await median_ms(lambda: store.search.find("洋葱")),
        list_chats_ms=await median_ms(store.sessions.list),
        file_mb=round(path.stat().st_size / 1e6, 1),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    figures = asdict(trio.run(run, args.messages))
    if args.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:22} {value}")


if __name__ == "__main__":
    main()
