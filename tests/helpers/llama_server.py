"""llama.cpp's own server over the small model, as a program of the provider environment and as a
fixture of tests. As a program it imports nothing of ours:

    .venv-provider/bin/python tests/helpers/llama_server.py MODEL_FILE [--embeddings]

Prints `ready {json}` and ends when its input ends.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def main() -> None:
    import xllamacpp  # type: ignore[import-not-found,unused-ignore]

    params = xllamacpp.CommonParams()
    params.model.path = sys.argv[1]
    params.model_alias = {"small"}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = 1024
    params.n_batch = params.n_ubatch = 64
    params.n_parallel = 2
    params.kv_unified = True
    params.n_threads_http = 2
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.cache_ram_mib = 0
    params.warmup = False
    params.ui = False
    params.verbosity = 0
    if "--embeddings" in sys.argv:
        params.embedding = True
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    server = xllamacpp.Server(params)
    print("ready " + json.dumps({"url": server.listening_address}), flush=True)
    sys.stdin.read()


@contextmanager
def llama_server(*options: str) -> Iterator[str]:
    """Its address, while the block runs."""
    from tui.demo.tools import provider_model, provider_python

    command = [str(provider_python()), __file__, str(provider_model()), *options]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith("ready "):
                yield json.loads(line.removeprefix("ready "))["url"]
                break
        else:
            raise AssertionError("llama-server did not start")
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


if __name__ == "__main__":
    main()
