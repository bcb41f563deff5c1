"""Tables of the site that come from the program: a line `<!-- made: NAME -->` becomes its table.

They are made when the site is built, so they cannot be out of date and are in no file that two
people change at once. An unknown name stops the build.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, get_args, get_origin

import msgspec
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

MARK = re.compile(r"^<!-- made: (.+) -->$", re.MULTILINE)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", _replace)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _replace(app: Sphinx, docname: str, source: list[str]) -> None:
    def made(match: re.Match[str]) -> str:
        try:
            return TABLES[match[1]]()
        except KeyError:
            raise ExtensionError(f"{docname}: nothing makes the table {match[1]!r}") from None

    del app
    source[0] = MARK.sub(made, source[0])


def settings() -> str:
    """Every setting of config.toml."""
    from engine.catalogue import SETTINGS

    return table(
        ("setting", "default", "meaning"),
        (
            (f"`{known.name}`", f"`{json.dumps(known.default)}`" if known.default else "", text)
            for known in SETTINGS
            if (text := known.meaning)
        ),
    )


def exit_codes() -> str:
    """What the shell gets."""
    from tui.cli.failures import EXIT_CODES

    return table(("code", "meaning"), ((str(code), text) for code, text in EXIT_CODES))


def methods() -> str:
    """The methods of the control protocol."""
    from engine.control.protocol.methods import METHODS

    return table(
        ("method", "takes", "answers"),
        ((f"`{name}`", fields(m.params), shape(m.result)) for name, m in METHODS.items()),
    )


def events() -> str:
    """The events of the control protocol."""
    from engine.control.protocol.events import EVENTS

    return table(("event", "carries"), ((f"`{name}`", fields(e)) for name, e in EVENTS.items()))


def environment() -> str:
    """The variables that the program reads."""
    from tui.cli.manpage import ENVIRONMENT

    return table(("variable", "meaning"), ((f"`{name}`", text) for name, text in ENVIRONMENT))


def python_api() -> str:
    """What programs and notebooks call: the methods of the objects they get."""
    from tui.notebook.answer import Answer
    from tui.notebook.circuit import CircuitFace
    from tui.notebook.conversation import Conversation
    from tui.notebook.peer import Peer
    from tui.notebook.wallet import Invoice, WalletFace

    objects = {
        "p": Peer,
        "p.wallet": WalletFace,
        "p.circuit": CircuitFace,
        "answer": Answer,
        "chat": Conversation,
        "invoice": Invoice,
    }
    return table(
        ("call", "what it does"),
        (
            (f"`{name}.{method}({arguments(of)})`", sentence(of))
            for name, kind in objects.items()
            for method, of in vars(kind).items()
            if inspect.isfunction(of) and not method.startswith("_")
        ),
    )


def arguments(of: Callable[..., object]) -> str:
    """The names of a function's arguments, defaults left out."""
    names = [p.name for p in inspect.signature(of).parameters.values() if p.name != "self"]
    return ", ".join("..." if name == "options" else name for name in names)


def sentence(of: object) -> str:
    """The first paragraph of a docstring on one line."""
    return " ".join((inspect.getdoc(of) or "").partition("\n\n")[0].split())


def fields(struct: type[msgspec.Struct]) -> str:
    """The names of a shape's fields; those that may be left out are in brackets."""
    known = msgspec.structs.fields(struct)
    return " ".join(f"`{f.encode_name}`" if f.required else f"[`{f.encode_name}`]" for f in known)


def shape(of: Any) -> str:
    """The fields of a result, or of the things in a list or table of them."""
    if isinstance(of, type) and issubclass(of, msgspec.Struct):
        return fields(of) or "nothing"
    if get_origin(of) is list:
        return f"list of: {shape(get_args(of)[0])}"
    if get_origin(of) is dict:
        return f"by name: {shape(get_args(of)[1])}"
    return getattr(of, "__name__", str(of)).replace("|", "or")


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a bar inside a cell stays a bar."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', BAR) for cell in line)} |" for line in lines)


BAR = "\\|"

TABLES: dict[str, Callable[[], str]] = {
    "settings": settings,
    "exit codes": exit_codes,
    "methods": methods,
    "events": events,
    "environment": environment,
    "python api": python_api,
}
