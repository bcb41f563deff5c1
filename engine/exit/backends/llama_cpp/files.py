"""Which file a model is: its SHA-256, and whether it is a GGUF file at all.

Hashing takes a second per few gigabytes, so the result is kept in a side file with the size and the
time of change that it belongs to. The side file holds no secret; whoever can change it could have
changed the model.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ConfigError

MAGIC = b"GGUF"
SIDE_FILE = "model-hashes.json"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file as it lay there when it was looked at."""

    path: Path
    size: int
    sha256: bytes


def identify(path: Path, side_folder: Path | None = None, expected: str = "") -> ModelFile:
    """Size and hash of the file. Blocks while it reads: call it in a thread.

    ConfigError when there is no such file, it is no GGUF file, or it is another than `expected`.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if file.read(len(MAGIC)) != MAGIC:
                raise ConfigError(
                    f"The model file {path.name} is not a GGUF file.",
                    hint="llama.cpp serves models in the GGUF format only.",
                )
            stamp = [status.st_size, status.st_mtime_ns]
            digest = _known(side_folder, path, stamp)
            if digest is None:
                file.seek(0)
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                _remember(side_folder, path, stamp, digest)
    except OSError as error:
        raise ConfigError(
            f"The model file {path.name} cannot be read ({error.strerror}).",
            hint="Check model_file of the upstream.",
        ) from error
    if expected and digest != expected.lower():
        raise ConfigError(
            f"The model file {path.name} has the SHA-256 {digest}, not {expected.lower()}.",
            kept="It was not loaded.",
            hint="Fetch the file again, or correct the expected hash.",
        )
    return ModelFile(path, status.st_size, bytes.fromhex(digest))


def _read(side: Path) -> dict[str, object]:
    try:
        found = json.loads(side.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _known(folder: Path | None, path: Path, stamp: list[int]) -> str | None:
    entry = _read(folder / SIDE_FILE).get(str(path.absolute())) if folder else None
    match entry:
        case [size, changed, str(digest)] if [size, changed] == stamp and len(digest) == 64:
            return digest
    return None


def _remember(folder: Path | None, path: Path, stamp: list[int], digest: str) -> None:
    """A side file that cannot be written only costs the next start its time."""
    if folder is None:
        return
    side = folder / SIDE_FILE
    entries = _read(side) | {str(path.absolute()): [*stamp, digest]}
    with contextlib.suppress(OSError):
        new = side.with_suffix(f".{os.getpid()}")
        new.write_text(json.dumps(entries), "utf-8")
        new.replace(side)
