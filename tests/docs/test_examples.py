"""The examples on the pages do what they say: blocks marked `<!-- run -->` are run as they stand.

Those marked `<!-- run: demo -->` run beside a demo network whose client's home is the default one;
the address and key of its local API are put in the place of those on the page.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, Block, blocks
from tests.e2e.demo_process import COMMAND, environment, fake_provider, short_folder

MARKED = [block for page in PAGES for block in blocks(page) if block.run]
ALONE = [block for block in MARKED if block.run == "run"]
BESIDE = [block for block in MARKED if block.run == "run: demo"]
WAIT_S = 300
API_ON_THE_PAGE = "http://127.0.0.1:8765/v1"
KEY_ON_THE_PAGE = "p2p-…"


@dataclass(frozen=True)
class Where:
    """A place to run a block in."""

    folder: Path
    home: Path
    swapped: Mapping[str, str] = field(default_factory=dict)

    def run(self, block: Block) -> None:
        """Run it; the block fails when anything in it does."""
        for number, (program, arguments) in enumerate(self._programs(block)):
            done = subprocess.run(
                [*program, *arguments],
                cwd=self.folder,
                env=environment(
                    self.folder,
                    PEER2PROMPT_HOME=str(self.home),
                    PATH=f"{self._shim()}{os.pathsep}{os.environ['PATH']}",
                ),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=WAIT_S,
            )
            assert done.returncode == 0, f"{block}, command {number + 1}: {done.stderr}"
            assert "Traceback" not in done.stderr

    def _programs(self, block: Block) -> Iterator[tuple[list[str], list[str]]]:
        text = block.text
        for old, new in self.swapped.items():
            text = text.replace(old, new)
        if block.language == "python":
            yield [sys.executable], ["-c", text]
        else:
            assert block.language == "console", f"{block}: only python and console are run"
            for line in text.splitlines():
                if line.startswith("$ "):
                    yield ["bash", "-o", "pipefail", "-c"], [line[2:]]

    def _shim(self) -> Path:
        """A folder with a `peer2prompt` that is this source."""
        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        shim = folder / "peer2prompt"
        shim.write_text(f'#!/bin/sh\nexec {sys.executable} -m {COMMAND[-1]} "$@"\n')
        shim.chmod(0o755)
        return folder


@pytest.fixture(scope="module")
def demo() -> Iterator[Where]:
    """One network for all blocks of all pages: the demo, its provider a stand-in."""
    with fake_provider("normal") as provider, short_folder() as folder:
        home = folder / "home"
        process = subprocess.Popen(
            [*COMMAND, "demo", "--api", "--json", "--home", str(home), "--provider-url", provider],
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            swapped = {API_ON_THE_PAGE: said["url"], KEY_ON_THE_PAGE: said["key"]}
            yield Where(folder, home / "client", swapped)
        finally:
            process.terminate()
            process.communicate(timeout=WAIT_S)


@pytest.mark.parametrize("block", ALONE, ids=str)
def test_examples_that_need_no_node(block: Block, tmp_path: Path) -> None:
    Where(tmp_path, tmp_path / "home").run(block)


@pytest.mark.parametrize("block", BESIDE, ids=str)
def test_examples_beside_a_network(block: Block, demo: Where) -> None:
    demo.run(block)


def test_marks_are_understood() -> None:
    """A misspelt mark would leave its block out in silence."""
    assert {block.run for block in MARKED} == {"run", "run: demo"}
    text = "".join(page.read_text("utf-8") for page in PAGES)
    marks = text.count("\n<!-- run -->\n") + text.count("\n<!-- run: demo -->\n")
    assert marks == len(MARKED)
    assert len(BESIDE) >= 5
    assert (ROOT / "docs" / "api.md").name in {block.page for block in BESIDE}


def test_a_block_that_fails_is_seen(tmp_path: Path) -> None:
    for language, text in (("python", "assert False"), ("console", "$ peer2prompt statsu")):
        with pytest.raises(AssertionError):
            Where(tmp_path, tmp_path / "home").run(Block("page", 1, "run", language, text))
