"""A chat as Markdown for people: the branch in use, then what the other branches hold. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from wallet.store.trees import Node, Tree


def markdown_of(tree: Tree) -> str:
    """The whole chat. Times are in the machine's own zone."""
    by_number = {node.number: node for node in tree.nodes}
    shown: set[int] = set()
    parts = [f"# {_one_line(tree.title) or 'Chat'}\n"]
    if system := str(tree.settings.get("system", "")):
        parts.append("> " + "\n> ".join(system.splitlines()) + "\n")
    parts += _said(_branch(by_number, tree.leaf, shown))
    for end in _ends(tree.nodes):
        rest = _branch(by_number, end, shown)
        if rest:
            before = rest[0].parent
            place = "the beginning" if before is None else f"message {before}"
            parts.append(f"---\n\n*Another branch, from {place} on:*\n")
            parts += _said(rest)
    return "\n".join(parts)


def _branch(by_number: dict[int, Node], end: int | None, shown: set[int]) -> list[Node]:
    """The messages up to this end that were not shown yet, oldest first."""
    found: list[Node] = []
    while end is not None and end not in shown:
        shown.add(end)
        found.append(by_number[end])
        end = by_number[end].parent
    return found[::-1]


def _ends(nodes: Sequence[Node]) -> list[int]:
    parents = {node.parent for node in nodes}
    return [node.number for node in nodes if node.number not in parents]


def _said(nodes: Iterable[Node]) -> list[str]:
    parts = []
    for node in nodes:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(node.created))
        files = "".join(f"*File: {_one_line(file.name)}*\n\n" for file in node.files)
        parts.append(f"## {node.number}. {node.role}, {when}\n\n{files}{node.text}\n")
    return parts


def _one_line(text: str) -> str:
    return " ".join(text.split())
