"""Every shape survives the wire; names keep their promises."""

from __future__ import annotations

import importlib
import pkgutil
import typing

import msgspec
import pytest

from engine.control import protocol
from engine.control.protocol.asking import AskDelta
from engine.control.protocol.events import EVENTS, read_event
from engine.control.protocol.frames import Event
from engine.control.protocol.methods import METHODS


@pytest.mark.parametrize("name", sorted(METHODS))
def test_parameters_refuse_what_they_do_not_know(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"no_such_option": 1}, type=METHODS[name].params)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_results_accept_what_they_do_not_know(name: str) -> None:
    shape = METHODS[name].result
    shape = typing.get_args(shape)[0] if typing.get_origin(shape) is list else shape
    assert not shape.__struct_config__.forbid_unknown_fields


def shapes() -> list[type[msgspec.Struct]]:
    """Every shape of every topic."""
    names = [module.name for module in pkgutil.iter_modules(protocol.__path__)]
    modules = [importlib.import_module(f"{protocol.__name__}.{name}") for name in names]
    values = [value for module in modules for value in vars(module).values()]
    return [v for v in values if isinstance(v, type) and issubclass(v, msgspec.Struct)]


def test_amounts_name_their_unit() -> None:
    assert len(shapes()) > 100
    for shape in shapes():
        for field in shape.__struct_fields__:
            if "amount" in field or "cost" in field or "balance" in field:
                assert field.endswith(("_sat", "_msat")), f"{shape.__name__}.{field}"


def test_known_events_are_typed_and_unknown_ones_pass() -> None:
    delta = read_event(
        Event("ask.delta", {"ask_id": 1, "session_id": "s", "text": "hi", "offset": 3, "new": 1})
    )
    assert isinstance(delta, AskDelta)
    assert (delta.text, delta.offset) == ("hi", 3)
    assert read_event(Event("tomorrow.event", {})) is None
    assert set(EVENTS) >= {"ask.state", "ask.done", "ask.failed", "control.lagged"}
