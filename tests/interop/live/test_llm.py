"""The `llm` command-line tool as its users install it, told of the local API in its own file."""

from __future__ import annotations

import json
import re

import pytest

from tests.helpers.pictures import PNG
from tests.helpers.provider_able import ONION, vector
from tests.interop.live.conftest import Tools
from tests.interop.live.examples import blocks

FUNCTION = '''
def layers(of: str) -> str:
    """How many layers a vegetable has."""
    return f"seven layers of {of}"
'''


@pytest.fixture
def llm(tools: Tools) -> Tools:
    """With the model of docs/api.md, and its key."""
    (yaml,) = blocks("yaml")
    folder = tools.home / "llm"
    folder.mkdir()
    text = re.sub(r"http://127\.0\.0\.1:\d+/v1", tools.demo.url, yaml)
    (folder / "extra-openai-models.yaml").write_text(text)
    tools.run("llm", "keys", "set", "peer2prompt", "--value", tools.demo.key("tools"))
    return tools


def test_a_question_streamed_or_whole(llm: Tools) -> None:
    assert llm.run("llm", "-m", "onion", "What is an onion?").strip() == ONION
    whole = llm.run("llm", "-m", "onion", "--no-stream", "-s", "Be brief.", "What is an onion?")
    assert whole.strip() == ONION


def test_a_conversation_goes_on(llm: Tools) -> None:
    llm.run("llm", "-m", "onion", "repeat: leek")
    assert llm.run("llm", "-c", "repeat: chive").strip() == "chive"
    said = [m["content"] for m in llm.demo.seen()["questions"][-1]["messages"]]
    assert said == ["repeat: leek", "leek", "repeat: chive"]
    used = json.loads(llm.run("llm", "logs", "-n", "1", "--json"))[0]
    assert used["input_tokens"] > 0
    assert used["output_tokens"] == 1
    shown = llm.run("llm", "chat", "-m", "onion", typed="repeat: garlic\nquit\n")
    assert "garlic" in shown


def test_tools_schemas_and_pictures(llm: Tools) -> None:
    said = llm.run("llm", "-m", "onion", "--functions", FUNCTION, "Ask layers.")
    assert said.strip() == "The tools found: seven layers of onion"
    schema = llm.run("llm", "-m", "onion", "--schema", "name, layers int", "An onion?")
    assert json.loads(schema) == {"name": "onion", "layers": 21}
    (llm.home / "onion.png").write_bytes(PNG)
    seen = llm.run("llm", "-m", "onion", "-a", "onion.png", "What is this?")
    assert seen.startswith("I see 1 pictures: data:image/png")


def test_embeddings(llm: Tools) -> None:
    """Its models of embeddings have OpenAI's names; where they are asked the environment says."""
    assert json.loads(llm.run("llm", "embed", "-m", "3-small", "-c", "abba")) == vector("abba")


def test_its_user_is_told_what_is_wrong(llm: Tools) -> None:
    bias = llm.run("llm", "-m", "onion", "-o", "logit_bias", '{"5": 1}', "Hi", code=1)
    assert "The option logit_bias cannot be passed on" in bias
    llm.run("llm", "keys", "set", "peer2prompt", "--value", "p2p-wrong")
    refused = llm.run("llm", "-m", "onion", "What is an onion?", code=1)
    assert "Make one with: peer2prompt api key new NAME" in refused
