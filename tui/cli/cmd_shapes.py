"""`peer2prompt shapes`: the traffic shapes, what each costs and what it still tells."""

from __future__ import annotations

import argparse
import textwrap

from engine.control.protocol.sessions import Shape
from tui.cli import style
from tui.cli.call import call, call_as, print_json
from tui.sizes import shape_cost, shape_leak


def run(args: argparse.Namespace) -> int:
    """Print each shape with its cost and its words."""
    if args.json:
        print_json(call(args, "shapes"))
        return 0
    for shape in call_as(args, list[Shape], "shapes"):
        usual = "  (used when none is chosen)" if shape.default else ""
        print(f"{style.bold(shape.shape)}{usual}")
        for line in (_cost(shape), shape.words):
            print(textwrap.indent(textwrap.fill(style.clean(line), style.width() - 2), "  "))
    return 0


def one_line(shape: Shape) -> str:
    """The shape and its price, as `ask` shows it before it sends."""
    return f"shape {shape.shape}: {_cost(shape)}"


def _cost(shape: Shape) -> str:
    cost = shape_cost(shape.bytes_per_minute, shape.least_bytes, shape.least_s)
    return f"{cost}; {shape_leak(shape.leak_bits)}"
