"""Things that are looked at by awaiting them: `await p.wallet`, and `await p.wallet()` as well."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Now(Generic[T]):
    """Awaiting it asks the node anew each time."""

    def __init__(self, ask: Callable[[], Awaitable[T]]) -> None:
        self._ask = ask

    def __await__(self) -> Generator[Any, None, T]:
        return self._ask().__await__()

    def __call__(self) -> Awaitable[T]:
        return self._ask()
