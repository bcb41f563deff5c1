"""The magics in a real IPython, as in a terminal; tests/e2e/test_notebook.py has a real kernel."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import peer2prompt
from tests.helpers.processes import wait_until
from tests.helpers.scripted_node import ANSWER, ScriptedError, ScriptedNode
from tui.notebook.arguments import TOPICS, read_asked
from tui.notebook.magics import Stopped
from tui.notebook.stage import TerminalStage, follow


@pytest.fixture
def shell(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """An IPython that leaves no files and no exit handlers behind."""
    monkeypatch.setenv("IPYTHONDIR", str(home / "ipython"))
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    shell.run_line_magic("load_ext", "peer2prompt")
    yield shell
    shell.run_line_magic("unload_ext", "peer2prompt")
    shell.history_manager.end_session()
    shell.restore_sys_module_state()
    InteractiveShell.clear_instance()


def run(shell: InteractiveShell, cell: str) -> Any:
    """Run a cell; its value. Fails when the cell did."""
    done = shell.run_cell(cell)
    assert done.success, done
    return done.result


def test_a_question_is_answered_and_kept(
    shell: InteractiveShell, node: ScriptedNode, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = (
        "%%ask --model qwen3-32b --max-tokens 9 --system 'Be short.' --into r\nWhat is\n  an onion?"
    )
    assert run(shell, cell) is None
    shown = capsys.readouterr().out
    assert ANSWER in shown
    assert "31 + 120 tokens · 0.412 sat" in shown
    (asked,) = node.called("ask")
    assert asked["text"] == "What is\n  an onion?"
    assert (asked["model"], asked["max_tokens"], asked["system"]) == ("qwen3-32b", 9, "Be short.")
    assert run(shell, "str(r)") == ANSWER
    assert run(shell, "r") is shell.user_ns["r"]


def test_a_line_will_do(shell: InteractiveShell, node: ScriptedNode) -> None:
    run(shell, "%ask --temporary What is an onion?")
    (asked,) = node.called("ask")
    assert (asked["text"], asked["temporary"]) == ("What is an onion?", True)


def test_what_is_written_is_what_is_asked(shell: InteractiveShell, node: ScriptedNode) -> None:
    run(shell, "secret = 1\nif True:\n    %ask Isn't $secret {secret} 'mine'?")
    run(shell, '"""\n%ask Not this?\n"""')
    (asked,) = node.called("ask")
    assert asked["text"] == "Isn't $secret {secret} 'mine'?"


def test_a_named_chat_goes_on(shell: InteractiveShell, node: ScriptedNode) -> None:
    run(shell, "%ask --session Onions --model qwen3-32b One?")
    run(shell, "%ask --session Onions Two?")
    run(shell, "%ask --session 'What is an onion?' Three?")  # one that the node keeps
    (made,) = node.called("sessions.create")
    assert (made["title"], made["model"]) == ("Onions", "qwen3-32b")
    one, two, three = node.called("ask")
    assert one["session_id"] == two["session_id"]
    assert one["session_id"].startswith("made")
    assert three["session_id"] == "s1"


def test_a_question_that_is_too_dear_is_not_put(
    shell: InteractiveShell, node: ScriptedNode, capsys: pytest.CaptureFixture[str]
) -> None:
    node.state["estimate"] = {"most_msat": 9_000, "ghosts": 1}
    assert not shell.run_cell("%ask --max-sat 8.5 What?").success
    shown = capsys.readouterr().out
    assert "TooDear: The longest answer would cost 9 sat, more than the 8.5 allowed." in shown
    assert "Nothing was sent and nothing was paid." in shown
    assert "Traceback" not in shown
    assert node.called("ask") == []


@pytest.mark.parametrize(
    ("cell", "wrong"),
    [
        ("%ask --sesion x What?", "unrecognized arguments: --sesion"),
        ("%ask", "There is no question"),
        ("%%ask --model m\n\n", "There is no question"),
        ("%ask --temporary=x What?", "ignored explicit argument"),
        ("%ask What? --max-sat 3", "before the question: --max-sat"),
        ("%ask --into 3x What?", "name of a variable"),
        ("%ask --max-sat much What?", "invalid float"),
        ("%p2p weather", "status, models, wallet"),
    ],
)
@pytest.mark.usefixtures("node")
def test_mistakes_are_told_in_a_line(
    shell: InteractiveShell, cell: str, wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not shell.run_cell(cell).success
    shown = capsys.readouterr().err
    assert wrong in shown
    assert "Traceback" not in shown


def test_every_topic_shows_something(shell: InteractiveShell, node: ScriptedNode) -> None:
    for topic in TOPICS:
        if topic not in ("help", "doctor"):  # the latter against a real node
            assert run(shell, f"%p2p {topic}")._repr_html_()
    assert run(shell, "%p2p").node == "c0ffee12"
    assert node.called("status")


def test_help_lists_it_all(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    run(shell, "%p2p help")
    shown = capsys.readouterr().out
    for word in (*TOPICS, "--session", "--temporary", "--max-sat", "--into", "unencrypted"):
        assert word in shown


def test_no_node_is_told_without_a_traceback(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    for cell in ("%p2p status", "%ask What?"):
        assert not shell.run_cell(cell).success
        shown = capsys.readouterr().out
        assert "NodeNotRunning" in shown
        assert "peer2prompt node" in shown
        assert "Traceback" not in shown


def test_an_interrupt_calls_the_question_off(
    shell: InteractiveShell, node: ScriptedNode, capsys: pytest.CaptureFixture[str]
) -> None:
    node.answer, node.piece, node.pause_s = "word " * 10_000, 5, 0.02

    def press() -> None:
        wait_until(lambda: node._asking, "the answer is under way")
        wait_until(lambda: "word" in "".join(seen()), "something is shown")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def seen() -> list[str]:
        shown.append(capsys.readouterr().out)
        return shown

    shown: list[str] = []
    presser = threading.Thread(target=press)
    presser.start()
    done = shell.run_cell("%ask --into r Tell me everything.")
    presser.join()
    assert isinstance(done.error_in_exec, Stopped)
    assert node.called("ask.cancel") == [{"ask_id": "ask1"}]
    text = "".join(seen())
    assert "stopped · smollm2-135m" in text
    assert "Stopped: only what had come was paid." in text
    assert "Traceback" not in text
    assert "r" not in shell.user_ns


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_answer_shows_itself(
    node: ScriptedNode, backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def main() -> None:
        async with peer2prompt.connect() as p:
            answer = p.chat("What is an onion?")
            await follow(answer, TerminalStage())
            assert answer.done
            node.failures["ask"] = ScriptedError("broken", "It broke.")
            with pytest.raises(peer2prompt.RemoteError, match="It broke"):
                await follow(p.chat("And a leek?"), TerminalStage())

    anyio.run(main, backend=backend)
    shown = capsys.readouterr().out
    assert shown.startswith(ANSWER)
    assert shown.endswith("chat new1\n")


def test_words_are_completed(shell: InteractiveShell) -> None:
    with provisionalcompleter():
        topics = [one.text for one in shell.Completer.completions("%p2p mo", 7)]
        options = [one.text for one in shell.Completer.completions("%%ask --max-s", 13)]
    assert topics == ["models"]
    assert "--max-sat" in options
    assert "--model" not in options


def test_a_terminal_obeys_no_answer(
    shell: InteractiveShell, node: ScriptedNode, capsys: pytest.CaptureFixture[str]
) -> None:
    node.answer = "a\x1b[2Jb\x07c"
    run(shell, "%ask What?")
    assert "a[2Jbc" in capsys.readouterr().out


def test_unloading_takes_the_magics_away(shell: InteractiveShell) -> None:
    shell.run_line_magic("unload_ext", "peer2prompt")
    assert shell.find_line_magic("p2p") is None
    assert shell.find_cell_magic("ask") is None
    shell.run_line_magic("load_ext", "peer2prompt")


def test_options_and_question_are_told_apart() -> None:
    asked, question = read_asked("--into r --system='Be  short.' About  it:", "Why?\n")
    assert (asked.into, asked.system, question) == ("r", "Be  short.", "About  it:\nWhy?")
    assert read_asked("-- isn't one", None)[1] == "-- isn't one"
    assert read_asked('--attach "my notes.txt" --attach b.png', None)[0].attach[0].name[:2] == "my"
