"""The one error of the pure ecash code. May import nothing."""

from __future__ import annotations


class EcashError(ValueError):
    """Bytes or numbers from outside that are not valid ecash. The text holds no secret."""
