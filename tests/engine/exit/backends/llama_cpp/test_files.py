"""Which file a model is: hash, side file, refusals."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.exit.backends.llama_cpp import files
from engine.exit.backends.llama_cpp.files import SIDE_FILE, identify

BODY = b"GGUF and some weights"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(BODY)
    return path


def test_hash_and_size(model: Path) -> None:
    found = identify(model)
    assert (found.size, found.sha256) == (len(BODY), hashlib.sha256(BODY).digest())


def test_the_side_file_saves_the_second_reading(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = identify(model, tmp_path)

    def never(*_args: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(files.hashlib, "file_digest", never)
    assert identify(model, tmp_path) == first
    os.utime(model, ns=(1, 1))
    with pytest.raises(AssertionError):
        identify(model, tmp_path)


@pytest.mark.parametrize("side", [b"", b"[]", b"{", b'{"x": 1}', b"\xff"])
def test_a_broken_side_file_costs_time_only(model: Path, tmp_path: Path, side: bytes) -> None:
    (tmp_path / SIDE_FILE).write_bytes(side)
    assert identify(model, tmp_path).sha256 == hashlib.sha256(BODY).digest()
    assert str(model) in json.loads((tmp_path / SIDE_FILE).read_text())


def test_a_side_folder_that_cannot_be_written(model: Path, tmp_path: Path) -> None:
    assert identify(model, tmp_path / "absent").size == len(BODY)


def test_another_file_than_expected(model: Path) -> None:
    digest = hashlib.sha256(BODY).hexdigest()
    assert identify(model, expected=digest.upper()).sha256.hex() == digest
    with pytest.raises(ConfigError, match=digest) as caught:
        identify(model, expected="0" * 64)
    assert caught.value.kept == "It was not loaded."


def test_no_file_and_no_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        identify(tmp_path / "absent.gguf")
    other = tmp_path / "picture.png"
    other.write_bytes(b"\x89PNG")
    with pytest.raises(ConfigError, match="not a GGUF"):
        identify(other)
