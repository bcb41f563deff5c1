"""Nothing but the closed vocabulary can be logged: by type, by source and by search."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest

import engine.log.events
import engine.log.events_client  # noqa: F401  (registers its events)
from engine.log.event import Event
from engine.log.words import Code, Fault, Kind, Library, Named, Names

ROOT = Path(__file__).resolve().parents[3]
SAFE = (int, bool, Code, Fault, Kind, Library, Named, Names)
FIELD_NAMES = {
    *("after_s", "code", "fault", "faults", "grace_s", "kind", "library", "method", "on_gpu"),
    *("outcome", "pid", "roles", "severity"),
    *("applied", "on", "role", "waiting"),
}
"""Whoever adds one asks what it tells of peers, users and payments."""


def subclasses(kind: type[Event]) -> Iterator[type[Event]]:
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


EVENTS = list(
    {e.__name__: e for e in subclasses(Event) if not e.__name__.endswith("Event")}.values()
)


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for package in ("engine", "wallet"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path, ast.parse(path.read_text("utf-8"))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_fields_are_numbers_and_words_of_ours(event: type[Event]) -> None:
    hints = get_type_hints(event)
    for field in fields(event):
        assert hints[field.name] in SAFE, f"{event.__name__}.{field.name}"
        assert field.name in FIELD_NAMES
    assert inspect.getdoc(event)
    assert event.level in (10, 20, 30, 40)


def test_the_vocabulary_is_large_and_its_names_are_its_own() -> None:
    names = {event.name() for event in EVENTS}
    assert len(names) == len(EVENTS) > 40


def test_no_other_door_to_the_log() -> None:
    """No logger, no print and no writing to standard error outside engine.log."""
    wrong = []
    may_print = {"engine/__main__.py", "engine/keeping.py", "engine/settings_tool.py"}
    may_print |= {"engine/json_tool.py"}
    for path, tree in sources():
        name = str(path.relative_to(ROOT))
        if name.startswith("engine/log/"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import) and any(a.name == "logging" for a in node.names):
                wrong.append(f"{name}:{node.lineno} imports logging")
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Name) and called.id == "print" and name not in may_print:
                wrong.append(f"{name}:{node.lineno} prints")
            if isinstance(called, ast.Attribute) and called.attr in (
                "print_exc",
                "print_exception",
            ):
                wrong.append(f"{name}:{node.lineno} prints a traceback")
    assert wrong == []


def test_words_are_made_by_their_class_methods_alone() -> None:
    """`Code("...")` would let any text through."""
    words = {"Code", "Fault", "Kind", "Library", "Named", "Word"}
    wrong = [
        f"{path}:{node.lineno}"
        for path, tree in sources()
        if "engine/log/words.py" not in str(path)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in words
        and "engine.log" in ast.unparse(tree)
        and not (node.func.id == "Kind" and "journal" in ast.unparse(tree))  # another Kind
    ]
    assert wrong == []


def test_the_guide_lists_every_event() -> None:
    guide = (ROOT / "docs" / "operating.md").read_text("utf-8")
    assert [e.name() for e in EVENTS if f"`{e.name()}`" not in guide] == []


def test_every_event_is_said_somewhere() -> None:
    text = "".join(path.read_text("utf-8") for path, _ in sources())
    assert [e.__name__ for e in EVENTS if f"{e.__name__}(" not in text.replace("class ", "")] == []
