"""The directions in which our packages may import each other.

`lint-imports` checks the layers including indirect imports; this file checks what it cannot say:
the exact list of engine modules a face may touch, and what the command really loads at start.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[1]
OURS = {"engine", "wallet", "tui", "themes", "peer2prompt"}
CLIENT_HALF = {
    "engine.control",
    "engine.control.client",
    "engine.control.paths",
}
PROTOCOL = "engine.control.protocol."  # its modules hold shapes alone
# Each of these costs start-up time or pulls in a role that the command line must not have.
HEAVY = ("engine.node", "engine.crypto", "wallet", "textual", "trio", "httpx", "sqlcipher3", "nacl")


def imported_modules(path: Path) -> Iterator[tuple[int, str]]:
    """Every module a file imports anywhere, also inside functions, with its line number."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} uses a relative import"
            yield node.lineno, node.module or ""
            # `from engine import control` names a module, too.
            if node.module in OURS:
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def imports_of_ours(package: str) -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        for line, module in imported_modules(path):
            if module.partition(".")[0] in OURS:
                yield f"{path.relative_to(ROOT)}:{line}", module


def test_faces_touch_only_the_client_half_of_the_control_socket() -> None:
    allowed = CLIENT_HALF | {"engine", "engine.version"}
    wrong = [
        (place, module)
        for place, module in imports_of_ours("tui")
        if not module.startswith(("tui", "themes", PROTOCOL)) and module not in allowed
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("package", "may_use"),
    [("engine", ("engine", "wallet")), ("wallet", ("wallet",)), ("themes", ("themes",))],
)
def test_lower_packages_do_not_look_up(package: str, may_use: tuple[str, ...]) -> None:
    wrong = [
        (place, module)
        for place, module in imports_of_ours(package)
        if module.partition(".")[0] not in may_use
    ]
    assert wrong == []


def test_pure_parts_stand_on_their_own() -> None:
    allowed = {
        "wallet/ecash": ("wallet.ecash", "wallet.errors"),
        "engine/wire": ("engine.wire", "engine.errors", "engine.crypto", "engine.identity"),
        "engine/crypto": ("engine.crypto", "engine.errors", "engine.wire"),
    }
    wrong = [
        (place, module)
        for part, roots in allowed.items()
        for place, module in imports_of_ours(part)
        if not module.startswith(roots)
    ]
    assert wrong == []


def test_demo_scripts_need_only_the_standard_library() -> None:
    """They are run by other interpreters or with `-S`, where nothing else exists."""
    for name in ("trampoline.py", "keeper.py", "provider_server.py"):
        for line, module in imported_modules(ROOT / "tui" / "demo" / name):
            top = module.partition(".")[0]
            assert top in sys.stdlib_module_names or top == "xllamacpp", f"{name}:{line} {module}"


@pytest.mark.parametrize("module", ["tui.cli.main", "tui.cli.parser", "tui.demo"])
def test_the_command_starts_light(module: str) -> None:
    code = (
        f"import sys, {module}\n"
        f"heavy = {HEAVY!r}\n"
        "print([n for n in sys.modules if (n + '.').startswith(tuple(h + '.' for h in heavy))])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert (result.stdout.strip(), result.stderr) == ("[]", "")


def test_the_public_face_brings_no_notebook_along() -> None:
    """A program that imports it needs neither IPython nor a screen nor the node's own parts."""
    heavy = tuple(f"{name}." for name in (*HEAVY, "IPython", "ipykernel", "rich", "markdown_it"))
    code = (
        "import sys, peer2prompt\n"
        f"print([n for n in sys.modules if (n + '.').startswith({heavy!r})])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert (result.stdout.strip(), result.stderr) == ("[]", "")
