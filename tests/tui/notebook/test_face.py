"""The public face is whole, says what everything is for, and keeps its promises about types."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import peer2prompt
from tui.notebook import face


def members() -> Iterator[tuple[str, object]]:
    """Every public name, and every public method and property of our classes among them."""
    for name in peer2prompt.__all__:
        thing = getattr(peer2prompt, name)
        yield name, thing
        if inspect.isclass(thing) and thing.__module__.startswith("tui.notebook"):
            for part, value in vars(thing).items():
                if not part.startswith("_") and (callable(value) or isinstance(value, property)):
                    yield f"{name}.{part}", value


def test_everything_says_what_it_is() -> None:
    silent = [name for name, thing in members() if not inspect.getdoc(thing)]
    short = {"Answer.done", "Reply.text", "Reply.cost_sat", "Reply.reasoning", "Ghost.state"}
    assert set(silent) <= short


def test_everything_is_typed() -> None:
    for name, thing in members():
        if inspect.isfunction(thing):
            signature = inspect.signature(thing)
            assert signature.return_annotation is not inspect.Signature.empty, name
            for parameter in list(signature.parameters.values()):
                assert parameter.name == "self" or parameter.annotation is not parameter.empty, name


def test_the_list_is_sorted_and_whole() -> None:
    listed = peer2prompt.__all__
    assert listed == sorted(set(listed), key=lambda name: (name[0].islower(), name))
    errors = [e for e in vars(face).values() if isinstance(e, type) and issubclass(e, Exception)]
    assert all(issubclass(error, peer2prompt.Peer2PromptError) for error in errors)
    assert {error.__name__ for error in errors} <= set(listed)
