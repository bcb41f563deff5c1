"""A ghost that no directory names is found by its model, over circuits, and answers."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.e2e.demo_process import environment, fake_provider, short_folder
from tests.helpers.patience import PATIENCE_S
from tests.helpers.provider_fake import TEXT


def test_a_ghost_in_nobodys_directory_is_found_by_its_model_and_used() -> None:
    with fake_provider("normal") as url, short_folder() as folder:
        home = folder / "home"
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.helpers.unlisted_demo", "demo"),
                *("--provider-url", url, "--model", "fake-model"),
                *("--ask", "What is an onion?", "--json", "--keep", "--home", str(home)),
            ],
            cwd=folder,
            env=environment(folder),
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "not all nodes have found each other" in done.stderr  # no directory has it
        result = json.loads(done.stdout)
        assert result["answer"] == TEXT
        assert result["model"] == "fake-model"
