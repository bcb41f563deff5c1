"""/v1/embeddings: its questions and its answers. Pure."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping
from typing import Any

from engine.gateway.account import account
from engine.gateway.asking import Piece
from engine.gateway.bodies import ANY_MODEL, Wanted, read_model
from engine.gateway.forms import Frame
from engine.gateway.problems import Problem
from engine.gateway.shapes_in import EmbeddingsBody, conform


def read_embeddings(found: Mapping[str, Any]) -> Wanted:
    """A body of /v1/embeddings. Raises Problem."""
    conform(found, EmbeddingsBody)
    given = found["input"]
    inputs = [given] if isinstance(given, str) else given
    body: dict[str, Any] = {"input": inputs}
    if found.get("dimensions") is not None:
        body["dimensions"] = found["dimensions"]
    return Wanted(body, read_model(found), packed=found.get("encoding_format") == "base64")


class EmbeddingsForm:
    """See `engine.gateway.forms.Form`. It is never streamed."""

    def __init__(self, _answer_id: str, wanted: Wanted, _created: int) -> None:
        self._model = wanted.model or ANY_MODEL
        self._packed = wanted.packed
        self._vectors: dict[int, list[float]] = {}

    def add(self, piece: Piece) -> list[Frame]:
        if piece.kind == "embedding":
            self._vectors[int(piece.id)] = json.loads(piece.text)
        return []

    def last(self, result: Mapping[str, Any]) -> list[Frame]:
        return [("", self.whole(result))]

    def whole(self, result: Mapping[str, Any]) -> dict[str, Any]:
        data = [
            {"object": "embedding", "index": index, "embedding": self._told(vector)}
            for index, vector in sorted(self._vectors.items())
        ]
        tokens = result["tokens_in"]
        return {
            "object": "list",
            "data": data,
            "model": result["model"] or self._model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            "peer2prompt": account(result),
        }

    def failed(self, problem: Problem) -> list[Frame]:
        return [("", problem.as_body())]

    def _told(self, vector: list[float]) -> list[float] | str:
        if not self._packed:
            return vector
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")
