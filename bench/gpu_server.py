"""llama-server with the settings of bench/gpu.py, run by the interpreter of the provider
environment, so it imports nothing of ours. Prints `ready {json}`; ends when its input ends.

    .venv-provider/bin/python bench/gpu_server.py MODEL CONTEXT PARALLEL THREADS MICRO_BATCH
"""

from __future__ import annotations

import json
import sys

import xllamacpp  # type: ignore[import-not-found,unused-ignore]


def main() -> None:
    model, *numbers = sys.argv[1:]
    context, parallel, threads, micro_batch = map(int, numbers)
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = context * parallel
    params.n_parallel = parallel
    params.kv_unified = True
    params.n_batch = params.n_ubatch = micro_batch
    params.n_threads_http = 2
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.cache_ram_mib = 0
    params.endpoint_slots = False
    params.ui = False
    params.verbosity = 0
    server = xllamacpp.Server(params)
    print("ready " + json.dumps({"url": server.listening_address}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
