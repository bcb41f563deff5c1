"""Every shape survives the wire; names keep their promises."""

from __future__ import annotations

import typing

import msgspec
import pytest

from engine.control import protocol
from engine.control.protocol import EVENTS, METHODS, Event, read_event


@pytest.mark.parametrize("name", sorted(METHODS))
def test_parameters_refuse_what_they_do_not_know(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"no_such_option": 1}, type=METHODS[name].params)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_results_accept_what_they_do_not_know(name: str) -> None:
    shape = METHODS[name].result
    shape = typing.get_args(shape)[0] if typing.get_origin(shape) is list else shape
    assert not shape.__struct_config__.forbid_unknown_fields


def test_amounts_name_their_unit() -> None:
    for value in vars(protocol).values():
        if isinstance(value, type) and issubclass(value, msgspec.Struct):
            for field in value.__struct_fields__:
                if "amount" in field or "cost" in field or "balance" in field:
                    assert field.endswith(("_sat", "_msat")), f"{value.__name__}.{field}"


def test_known_events_are_typed_and_unknown_ones_pass() -> None:
    delta = read_event(
        Event("ask.delta", {"ask_id": 1, "session_id": "s", "text": "hi", "offset": 3, "new": 1})
    )
    assert isinstance(delta, protocol.AskDelta)
    assert (delta.text, delta.offset) == ("hi", 3)
    assert read_event(Event("tomorrow.event", {})) is None
    assert set(EVENTS) >= {"ask.state", "ask.done", "ask.failed", "control.lagged"}
