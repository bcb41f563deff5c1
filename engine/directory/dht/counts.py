"""What one node's DHT did since its start: numbers alone, nothing of keys and peers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counts:
    """What happened since the start."""

    asked: int = 0
    answered: int = 0
    unanswered: int = 0
    served: int = 0
    limited: int = 0  # requests over a peer's rate
    stored: int = 0
    refused: int = 0  # records
    lookups: int = 0
    bad_answers: int = 0  # that named strangers' records, or were no answer to the question
