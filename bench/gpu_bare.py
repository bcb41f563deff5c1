"""llama-cpp-python's own high-level class, as bench/gpu.py measures it: one answer at a time.

    python -m bench.gpu_bare MODEL CONTEXT THREADS MICRO_BATCH

Reads one task as JSON per line, answers one line of JSON each; ends when its input ends.
"""

from __future__ import annotations

import importlib
import json
import sys
import time

from bench.gpu_tasks import OPTIONS, Done, Task


def main() -> None:
    model, *numbers = sys.argv[1:]
    context, threads, micro_batch = map(int, numbers)
    llama = importlib.import_module("llama_cpp").Llama(
        model,
        n_ctx=context,
        n_threads=threads,
        n_threads_batch=threads,
        n_batch=micro_batch,
        n_ubatch=micro_batch,
        flash_attn=True,
        verbose=False,
    )
    print("ready", flush=True)
    for line in sys.stdin:
        task = Task.read(line)
        llama.reset()
        begun, cpu = time.perf_counter(), time.process_time()
        events = llama.create_chat_completion(
            [{"role": "user", "content": task.questions()[0]}],
            max_tokens=task.tokens,
            stream=True,
            **OPTIONS,
        )
        # One event per token, but for the first (the role) and the last (the reason of its end).
        count = sum(1 for _ in events) - 2
        done = Done(count, time.perf_counter() - begun, time.process_time() - cpu)
        print(json.dumps(done.as_dict()), flush=True)


if __name__ == "__main__":
    main()
