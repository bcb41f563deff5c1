"""Notebooks on a real kernel against a whole network: the example, the page, the stop button."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.docs.pages import ROOT, blocks
from tests.e2e.demo_process import COMMAND, environment, short_folder
from tests.helpers.kernel import Cell, Kernel, running_kernel
from tests.tui.notebook.html_inspector import inspected

EXAMPLE = ROOT / "docs" / "examples" / "peer2prompt.ipynb"
PAGE = ROOT / "docs" / "notebook.md"
LIMIT_S = 180


@pytest.fixture(scope="module")
def demo() -> Iterator[dict[str, str]]:
    """A demo network; the environment of a notebook on its client's machine."""
    with short_folder() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "jupyter"))
        process = subprocess.Popen(
            [*COMMAND, "demo", "--api", "--json", "--home", str(folder / "home")],
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            json.loads(process.stdout.readline())
            yield environment(
                folder, PEER2PROMPT_HOME=str(folder / "home" / "client"), HOME=str(folder)
            )
        finally:
            process.terminate()
            process.communicate(timeout=LIMIT_S)


@pytest.fixture(scope="module")
def kernel(demo: dict[str, str]) -> Iterator[Kernel]:
    with running_kernel(demo) as kernel:
        yield kernel


def test_the_example_runs_as_it_stands(demo: dict[str, str]) -> None:
    notebook = nbformat.read(EXAMPLE, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
    client = NotebookClient(notebook, timeout=LIMIT_S, kernel_name="python3")
    client.km = client.create_kernel_manager()
    client.km.transport = "ipc"
    client.execute(env=demo)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [one.data["text/html"] for one in outputs if "text/html" in one.get("data", {})]
    assert len(shown) >= 8
    text = "\n".join(inspected(one) for one in shown)
    for wanted in ("relays", "smollm2-135m-instruct", "1 receipt", "guard", "Wallet:", "sat"):
        assert wanted in text
    streamed = "".join(one.text for one in outputs if one.output_type == "stream")
    assert len(streamed.split()) > 3


def test_the_page_runs_as_it_stands(kernel: Kernel) -> None:
    cells = [one for one in blocks(PAGE) if one.language in ("python", "text") and not one.run]
    assert len(cells) >= 12
    for one in cells:
        done = kernel.run(one.text)
        assert done.error == "", f"{one}: {done.trace}"
        for shown in done.html:
            inspected(shown)


def test_the_doctor_comes_to_a_notebook(kernel: Kernel) -> None:
    kernel.run("%load_ext peer2prompt")
    cell = kernel.run("%p2p doctor")
    assert "clock" in cell.text, cell.trace
    inspected(cell.html[0])


def test_the_stop_button_ends_the_answer_of_a_magic(kernel: Kernel) -> None:
    kernel.run("%load_ext peer2prompt")
    cell = kernel.run(
        "%%ask --into never\nTell me a very long story about an onion.",
        stop_when=lambda cell: len(_answer(cell).split()) > 4,
    )
    assert cell.error == "Stopped"
    assert "only what had come was paid" in cell.trace
    assert "Traceback" not in cell.trace
    assert len(cell.outputs) == 1  # one display, updated
    assert "stopped · smollm2" in cell.text
    assert "stopped" in inspected(cell.html[0])
    assert kernel.run("never").error == "NameError"
    cost = re.search(r"· ([0-9.]+) sat ·", cell.text)
    assert cost is not None
    assert 0 < float(cost[1]) < 20  # of the 64 that the longest answer costs here


def test_the_stop_button_ends_the_answer_of_a_loop(kernel: Kernel) -> None:
    kernel.run("import peer2prompt\np = await peer2prompt.connect()")
    kernel.run("a = p.chat('Tell me a very long story about a leek.')")
    cell = kernel.run(
        "async for piece in a: print(piece, end='')",
        stop_when=lambda cell: len(cell.text.split()) > 3,
    )
    assert cell.error in ("KeyboardInterrupt", "CancelledError")
    ended = kernel.run("r = await a\nprint(r.cancelled, r.cost_msat > 0, len(r.text) > 3)")
    assert ended.text == "True True True\n", ended.trace
    assert kernel.run("await p.close()").error == ""


def test_no_node_is_told_in_three_sentences(kernel: Kernel, tmp_path: Path) -> None:
    cell = kernel.run(f"await peer2prompt.connect({str(tmp_path)!r})")
    assert cell.error == "NodeNotRunning"
    assert "Start one with `peer2prompt node`" in cell.trace


def _answer(cell: Cell) -> str:
    """The text of an answer that is being shown, without the line below it."""
    return cell.text.rpartition("\n")[0]
