"""The guards of a client in its encrypted store: read once, then only what changed is written.

Each guard is one entry; layer-2 guards stand beside the others under a name of their own, because
one relay can be both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from engine.enduring import unless_full


class Entries(Protocol):
    """The store's table of guards."""

    async def all(self) -> dict[str, dict[str, Any]]: ...

    async def put(self, node_id: str, data: dict[str, Any]) -> None: ...

    async def delete(self, node_id: str) -> None: ...


class GuardStore:
    """Loads and saves the values that `GuardList` takes and gives."""

    def __init__(self, entries: Entries) -> None:
        self._entries = entries
        self._saved: dict[str, dict[str, Any]] = {}

    async def load(self) -> list[dict[str, Any]]:
        """Every guard in the order in which they were drawn."""
        self._saved = await self._entries.all()
        guards = sorted(self._saved.values(), key=lambda guard: int(guard.get("place", 0)))
        return [{k: v for k, v in guard.items() if k != "place"} for guard in guards]

    async def save(self, sample: Sequence[Mapping[str, object]]) -> None:
        """Write the entries that changed, delete those that are gone; later when the store cannot
        be written now."""
        await unless_full(lambda: self._save(sample))

    async def _save(self, sample: Sequence[Mapping[str, object]]) -> None:
        wanted = {_name(guard): {**guard, "place": n} for n, guard in enumerate(sample)}
        for name in self._saved.keys() - wanted.keys():
            await self._entries.delete(name)
        for name, guard in wanted.items():
            if self._saved.get(name) != guard:
                await self._entries.put(name, guard)
        self._saved = wanted


def _name(guard: Mapping[str, object]) -> str:
    layer = guard.get("layer", 1)
    return str(guard["node_id"]) if layer == 1 else f"{layer}:{guard['node_id']}"
