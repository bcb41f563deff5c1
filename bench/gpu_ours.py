"""The GPU node's backend in a process of its own, as bench/gpu.py measures it.

    python -m bench.gpu_ours MODEL CONTEXT PARALLEL THREADS MICRO_BATCH

Reads one task as JSON per line, or `lag`, `hashing`, `cancel`, `prefix`; answers one line of
JSON each. Ends when its input ends.
"""

from __future__ import annotations

import hashlib
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import trio

from bench.gpu_tasks import OPTIONS, Done, Task
from engine.exit.backends.base import ChatRequest, Delta, Usage
from engine.exit.backends.llama_cpp.backend import LlamaCppBackend
from engine.exit.backends.llama_cpp.settings import LlamaSettings

TICK_S = 0.005
STORY = "Tell a story about a fox. " * 60


async def answer(
    backend: LlamaCppBackend, text: str, tokens: int, session: bytes | None = None
) -> tuple[Usage, float]:
    """The usage of one answer, and the seconds to its first text."""
    begun, first = time.perf_counter(), 0.0
    usage = Usage(0, 0)
    request = ChatRequest("m", [{"role": "user", "content": text}], tokens, OPTIONS, None, session)
    async for event in backend.stream_chat(request):
        match event:
            case Delta():
                first = first or time.perf_counter() - begun
            case Usage():
                usage = event
    return usage, first


async def together(backend: LlamaCppBackend, task: Task) -> Done:
    made: list[int] = []

    async def one(text: str) -> None:
        usage, _ = await answer(backend, text, task.tokens)
        made.append(usage.tokens_out)

    begun, cpu = time.perf_counter(), time.process_time()
    async with trio.open_nursery() as nursery:
        for text in task.questions():
            nursery.start_soon(one, text)
    return Done(sum(made), time.perf_counter() - begun, time.process_time() - cpu)


async def lag(backend: LlamaCppBackend, *, busy: bool) -> dict[str, float]:
    """How late the loop wakes, in ms: while four answers run, or, as the measure of what the
    machine does anyway, while a thread hashes, which holds no lock and needs as much processor."""
    late: list[float] = []

    async def watch() -> None:
        while True:
            due = time.perf_counter() + TICK_S
            await trio.sleep(TICK_S)
            late.append((time.perf_counter() - due) * 1e3)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        if busy:
            await together(backend, Task(900, 4, 64))
        else:
            with trio.move_on_after(6):
                while True:
                    await trio.to_thread.run_sync(hash_for_a_while)
        nursery.cancel_scope.cancel()
    late.sort()
    return {"p50": late[len(late) // 2], "p99": late[int(len(late) * 0.99)], "max": late[-1]}


def hash_for_a_while() -> None:
    hashlib.pbkdf2_hmac("sha256", b"", b"", 100_000)


async def cancel(backend: LlamaCppBackend) -> dict[str, float]:
    """Milliseconds from cancelling an answer to its place being free, beside three others: while
    it flows, and while its long prompt is being read. Medians of five."""
    return {
        "answering": await cancelled(backend, "Tell a story.", 12),
        "reading": await cancelled(backend, STORY, 0),
    }


async def cancelled(backend: LlamaCppBackend, text: str, steps: int) -> float:
    times: list[float] = []
    number = 0
    while len(times) < 5:
        number += 1
        async with trio.open_nursery() as nursery:
            for place in range(3):
                nursery.start_soon(answer, backend, f"{number}{place} Tell a story", 400)
            await until(lambda: backend.stats.running == 3)
            scope = trio.CancelScope()
            nursery.start_soon(within, scope, backend, f"{number} {text}")
            await until(lambda: backend.stats.running == 4)
            reached = backend.stats.steps + steps
            await until(lambda: backend.stats.steps >= reached)  # noqa: B023 - awaited at once
            await trio.sleep(random.random() * 0.1)  # anywhere within a step
            all_run = backend.stats.running == 4  # one of the others may have come to its end
            begun = time.perf_counter()
            scope.cancel()
            await until(lambda: backend.stats.running < 4)
            if all_run:
                times.append((time.perf_counter() - begun) * 1e3)
            nursery.cancel_scope.cancel()
        await until(lambda: not backend.stats.running)
    return statistics.median(times)


async def within(scope: trio.CancelScope, backend: LlamaCppBackend, text: str) -> None:
    with scope:
        await answer(backend, text, 400)


async def until(fact: Callable[[], bool]) -> None:
    while not fact():
        await trio.sleep(0.0005)


async def prefix(backend: LlamaCppBackend) -> dict[str, float]:
    """The second question of a session, beside the same one where nothing is cached."""
    session = b"bench"
    await answer(backend, STORY, 4, session)
    warm, warm_s = await answer(backend, STORY + "And now of an owl.", 4, session)
    again, again_s = await answer(backend, STORY + "And now of an owl.", 4, None)
    return {
        "tokens": warm.tokens_in,
        "cached": warm.cached,
        "first_ms_warm": warm_s * 1e3,
        "first_ms_without": again_s * 1e3,
        "times_faster": again_s / warm_s,
        "cached_of_others": again.cached,
    }


async def serve(path: Path, context: int, parallel: int, threads: int, micro_batch: int) -> None:
    settings = LlamaSettings(
        context=context, parallel=parallel, threads=threads, micro_batch=micro_batch
    )
    backend = LlamaCppBackend(path, settings)
    await backend.load()
    print("ready", flush=True)
    while line := await trio.to_thread.run_sync(sys.stdin.readline):
        match line.strip():
            case "lag":
                found = await lag(backend, busy=True)
            case "hashing":
                found = await lag(backend, busy=False)
            case "cancel":
                found = await cancel(backend)
            case "prefix":
                found = await prefix(backend)
            case _:
                found = (await together(backend, Task.read(line))).as_dict()
        print(json.dumps(found), flush=True)
    await backend.aclose()


if __name__ == "__main__":
    context, parallel, threads, micro_batch = map(int, sys.argv[2:])
    trio.run(serve, Path(sys.argv[1]), context, parallel, threads, micro_batch)
