"""The notebook's client under asyncio and trio, against a node behind the real control server."""

from __future__ import annotations

import base64
import gc
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest

import peer2prompt
from engine.control.paths import control_socket
from tests.helpers.processes import is_alive
from tests.helpers.scripted_node import ANSWER, ScriptedError, ScriptedNode
from tui.notebook.conversation import ChatOptions, QuestionOptions

Run = Callable[[Callable[[], Awaitable[None]]], None]


async def until(fact: Callable[[], object]) -> None:
    """Wait for something the node does; the test's own limit ends it."""
    while not fact():
        await anyio.sleep(0.005)


# -- asking ----------------------------------------------------------------------------------------


def test_an_answer_comes_in_pieces_and_ends_with_its_account(node: ScriptedNode, run: Run) -> None:
    async def main() -> None:
        async with peer2prompt.connect() as p:
            answer = p.chat("What is an onion?", model="smollm2-135m", max_tokens=200)
            pieces = [piece async for piece in answer]
            assert "".join(pieces) == ANSWER
            assert len(pieces) > 5
            assert [piece async for piece in answer] == pieces  # again from the beginning
            reply = await answer
            assert reply is answer.reply
            assert (reply.text, str(reply)) == (ANSWER, ANSWER)
            assert (reply.cost_msat, reply.cost_sat, reply.tokens_out) == (412, 0.412, 120)
            assert not reply.cancelled

    run(main)
    (asked,) = node.called("ask")
    assert asked["text"] == "What is an onion?"
    assert (asked["model"], asked["max_tokens"]) == ("smollm2-135m", 200)
    assert asked["session_id"] is None


def test_a_question_is_put_only_when_its_answer_is_wanted(node: ScriptedNode, run: Run) -> None:
    async def main() -> None:
        async with peer2prompt.connect() as p:
            answer = p.chat("Never mind.")
            assert await answer.cancel() is None
            with pytest.raises(peer2prompt.ControlError, match="never put"):
                await answer

    run(main)
    assert node.called("ask") == []


def test_a_conversation_goes_on_where_it_was(node: ScriptedNode, run: Run) -> None:
    async def main() -> None:
        async with peer2prompt.connect() as p:
            chat = p.conversation(system="Be short.", temporary=True)
            first = await chat.ask("One?")
            assert chat.session_id == first.session_id
            second = chat.ask("Two?", temperature=0.5, params={"top_p": 0.9})
            assert (await second).session_id == first.session_id
            assert second.conversation is chat
            assert len(await chat.messages()) == 4

    run(main)
    one, two = node.called("ask")
    assert (one["temporary"], two["temporary"]) == (True, False)
    assert two["session_id"] is not None
    assert (two["temperature"], two["params"]) == (0.5, {"top_p": 0.9})
    assert one["system"] == "Be short."


def test_reasoning_and_calls_come_along(node: ScriptedNode, run: Run) -> None:
    node.answer = None  # the test tells the events itself

    async def main() -> None:
        async with peer2prompt.connect() as p:
            answer = p.chat("What is the weather?")
            whole: list[peer2prompt.Reply] = []

            async def read() -> None:
                whole.append(await answer)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read)
                await until(lambda: node.called("ask"))
                ids = {"ask_id": "ask1", "session_id": "new1"}
                node.publish("ask.part", **ids, part=0, kind="reasoning", text="Rain or ")
                node.publish("ask.part", **ids, part=0, kind="reasoning", text="shine?")
                node.publish("ask.delta", **ids, text="Wait", offset=0)
                # What a path taken up again repeats is not there twice; a gap is filled at the end.
                node.publish("ask.delta", **ids, text="Wait, ", offset=0)
                node.publish("ask.delta", **ids, text="look", offset=99)
                await until(lambda: answer.text == "Wait, ")
                assert [part.text for part in answer.parts] == ["Rain or shine?"]
                call = {"kind": "call", "id": "c1", "name": "weather", "text": '{"city": "Bern"}'}
                thought = {"kind": "reasoning", "text": "Rain or shine?"}
                result = {"answer": "Wait, I look.", "parts": [thought, call], "cost_msat": 5}
                node.publish("ask.done", **ids, result=result)
            (reply,) = whole
            assert reply.text == "Wait, I look."
            assert reply.reasoning == "Rain or shine?"
            (wanted,) = reply.calls
            assert (wanted.name, wanted.arguments) == ("weather", {"city": "Bern"})
            assert "Bern" not in repr(wanted)

    run(main)


def test_files_go_along_by_name_alone(node: ScriptedNode, run: Run, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("hello")

    async def main() -> None:
        async with peer2prompt.connect() as p:
            files = [note, b"\x89PNG\r\n", ("../secret/a.md", b"# A")]
            await p.chat("Read these.", attachments=files)
            with pytest.raises(peer2prompt.WrongUse, match="cannot be read"):
                await p.chat("And this.", attachments=[tmp_path / "missing"])
            with pytest.raises(peer2prompt.WrongUse, match="no question"):
                await p.chat(" ")

    run(main)
    (asked,) = node.called("ask")
    assert [one.name for one in asked["attachments"]] == ["note.txt", "picture.png", "a.md"]
    assert base64.b64decode(asked["attachments"][0].data) == b"hello"


def test_a_question_that_may_cost_too_much_is_not_sent(node: ScriptedNode, run: Run) -> None:
    node.state["estimate"] = {"most_msat": 5_001, "likely_msat": 700, "ghosts": 2}

    async def main() -> None:
        async with peer2prompt.connect() as p:
            assert (await p.estimate("What?", max_tokens=9)).likely_msat == 700
            with pytest.raises(peer2prompt.TooDear, match="6 sat, more than the 5") as caught:
                await p.chat("What?", max_sat=5)
            assert (caught.value.most_msat, caught.value.limit_msat) == (5_001, 5_000)
            node.state["estimate"]["ghosts"] = 0
            with pytest.raises(peer2prompt.TooDear, match="No ghost's price"):
                await p.chat("What?", max_sat=5)
            assert node.called("ask") == []
            node.state["estimate"].update(ghosts=1, most_msat=5_000)
            assert (await p.chat("What?", max_sat=5)).text == ANSWER

    run(main)
    assert node.called("ask.estimate")[0]["max_tokens"] == 9


@pytest.mark.usefixtures("node")
def test_a_misspelled_option_is_refused(run: Run) -> None:
    async def main() -> None:
        async with peer2prompt.connect() as p:
            with pytest.raises(TypeError, match="Did you mean max_sat"):
                p.chat("What?", max_sats=1)  # type: ignore[call-arg]
            with pytest.raises(TypeError, match="no option 'max_sat'"):
                p.conversation(max_sat=1)  # type: ignore[call-arg]

    run(main)
    assert not ChatOptions.__optional_keys__ & QuestionOptions.__optional_keys__


# -- stopping --------------------------------------------------------------------------------------


def test_leaving_the_loop_calls_the_question_off(node: ScriptedNode, run: Run) -> None:
    node.pause_s = 0.05

    async def main() -> None:
        async with peer2prompt.connect() as p:
            answer = p.chat("Tell me everything.")
            async for _ in answer:
                break
            gc.collect()
            await until(lambda: node.called("ask.cancel"))
            reply = await answer
            assert reply.cancelled
            assert 0 < len(reply.text) < len(ANSWER)

    run(main)


def test_cancel_gives_what_came_and_its_cost(node: ScriptedNode, run: Run) -> None:
    node.pause_s = 0.05

    async def main() -> None:
        async with peer2prompt.connect() as p:
            answer = p.chat("Tell me everything.")
            pieces = aiter(answer)
            await anext(pieces)
            reply = await answer.cancel()
            assert reply is not None
            assert reply.cancelled
            assert reply.cost_msat == 412
            async with p.chat("Tell me more.") as again:
                await anext(aiter(again))
            await until(lambda: len(node.called("ask.cancel")) == 2)

    run(main)


def test_a_cancelled_reader_stops_paying(node: ScriptedNode, run: Run) -> None:
    node.answer = None

    async def main() -> None:
        async with peer2prompt.connect() as p:
            answer = p.chat("Tell me everything.")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(answer.whole)
                await until(lambda: node.called("ask"))
                await anyio.sleep(0.01)
                tasks.cancel_scope.cancel()
            assert node.called("ask.cancel") == [{"ask_id": "ask1"}]

    run(main)


def test_closing_calls_off_what_is_under_way(node: ScriptedNode, run: Run) -> None:
    node.answer = None

    async def main() -> None:
        p = await peer2prompt.connect()
        answer = p.chat("Tell me everything.")

        async def read() -> None:
            with pytest.raises(peer2prompt.ControlClosed):
                await answer

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await until(lambda: answer._started is not None)
            await p.close()
        assert p.closed

    run(main)
    assert node.called("ask.cancel") == [{"ask_id": "ask1"}]


# -- errors ----------------------------------------------------------------------------------------


def test_errors_have_their_types_and_all_three_sentences(node: ScriptedNode, run: Run) -> None:
    broke = ScriptedError("no_funds", "The wallet holds too little.", "Nothing was paid.", "Fund.")
    broke.exit_code = 7  # type: ignore[misc]

    async def main() -> None:
        async with peer2prompt.connect() as p:
            node.failures["ask"] = broke
            answer = p.chat("What?")
            with pytest.raises(peer2prompt.PaymentFailed) as caught:
                await answer
            error = caught.value
            assert (error.code, error.kept, error.hint) == ("no_funds", broke.kept, broke.hint)
            assert error.__notes__ == ["Nothing was paid.", "Fund."]
            assert error.__cause__ is None
            assert answer.done
            with pytest.raises(peer2prompt.PaymentFailed):
                await answer
            assert isinstance(error, peer2prompt.Peer2PromptError)

    run(main)


def test_another_ghost_is_asked_with_consent(node: ScriptedNode, run: Run) -> None:
    node.answer = None

    async def main() -> None:
        async with peer2prompt.connect() as p:
            chat = p.conversation()

            async def read() -> None:
                with pytest.raises(peer2prompt.NeedsConsent) as caught:
                    await chat.ask("What?")
                assert caught.value.consent.messages == 4

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read)
                await until(lambda: chat.session_id)
                error = {"code": "needs_consent", "message": "Its ghost is gone.", "exit_code": 6}
                ids = {"ask_id": "ask1", "session_id": chat.session_id}
                node.publish("ask.failed", **ids, error=error, consent={"messages": 4})
            node.answer = "From elsewhere."
            assert (await chat.failover()).text == "From elsewhere."
            await chat.decline()

    run(main)
    assert [one["consent"] for one in node.called("ask.failover")] == ["once", "no"]


def test_no_node_names_the_command(home: Path, run: Run) -> None:
    async def main() -> None:
        with pytest.raises(peer2prompt.NodeNotRunning) as caught:
            await peer2prompt.connect()
        assert "peer2prompt node" in caught.value.hint
        with pytest.raises(peer2prompt.NodeNotRunning):
            async with peer2prompt.connect(home):
                pass

    run(main)


def test_a_node_that_went_away_is_connected_to_again(node: ScriptedNode, run: Run) -> None:
    async def main() -> None:
        p = await peer2prompt.connect()
        node.answer = None
        answer = p.chat("What?")

        async def read() -> None:
            with pytest.raises(peer2prompt.ControlClosed, match="before the answer was whole"):
                await answer

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await until(lambda: answer._started is not None)
            await anyio.to_thread.run_sync(node.stop)
        with pytest.raises(peer2prompt.NodeNotRunning):
            await p.status()
        node.start()
        assert (await p.status()).node == "c0ffee12"
        await p.close()
        await p.close()
        with pytest.raises(peer2prompt.ControlClosed, match="was closed"):
            await p.status()

    run(main)


@pytest.mark.usefixtures("node")
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_it_outlives_its_event_loop(backend: str) -> None:
    """Cells under `%autoawait trio`, and scripts that run twice, each have a loop of their own."""
    p = anyio.run(_connected, backend=backend)
    later = p.chat("What is an onion?")  # made where no loop runs at all

    async def again() -> str:
        return (await p.status()).node

    assert anyio.run(again, backend=backend) == "c0ffee12"
    assert anyio.run(later.whole, backend=backend).text == ANSWER
    anyio.run(p.close, backend=backend)


async def _connected() -> peer2prompt.Peer:
    return await peer2prompt.connect()


@pytest.mark.usefixtures("node")
def test_another_loop_that_runs_too_is_refused() -> None:
    async def main() -> None:
        p = await peer2prompt.connect()
        with pytest.raises(peer2prompt.ControlError, match="another event loop"):
            await anyio.to_thread.run_sync(anyio.run, p.status)
        await p.close()

    anyio.run(main)


def test_any_method_and_event_can_be_had(node: ScriptedNode, run: Run) -> None:
    async def main() -> None:
        async with peer2prompt.connect(socket=control_socket(node.path.parent.parent)) as p:
            assert (await p.call("status"))["node"] == "c0ffee12"
            seen: list[str] = []

            async def listen() -> None:
                async for event in p.events():
                    seen.append(event.event)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listen)
                while not seen:
                    node.publish("wallet.changed")
                    await anyio.sleep(0.005)
                tasks.cancel_scope.cancel()
            assert seen[0] == "wallet.changed"

    run(main)


@pytest.mark.usefixtures("node")
def test_an_error_of_the_block_comes_out_as_it_is(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            async with peer2prompt.connect():
                raise ZeroDivisionError

    run(main)


def test_a_node_is_started_when_wanted_and_stopped_at_the_end(home: Path) -> None:
    """A real one on an empty home: it serves, and knows nobody to ask."""

    async def main() -> int:
        async with peer2prompt.connect(home, start=True, passphrase="open sesame") as p:
            status = await p.status()
            assert is_alive(status.pid)
            async with peer2prompt.connect(home, start=True) as other:
                assert (await other.status()).pid == status.pid  # one runs already
            with pytest.raises(peer2prompt.NetworkFailed):
                await p.chat("What is an onion?")
            return status.pid

    assert not is_alive(anyio.run(main))


def test_a_node_that_cannot_start_says_why(home: Path, run: Run) -> None:
    (home / "config.toml").write_text("roles = 3\n")

    async def main() -> None:
        with pytest.raises(peer2prompt.NodeStartFailed) as caught:
            await peer2prompt.connect(home, start=True)
        assert "roles" in caught.value.message
        with pytest.raises(peer2prompt.NodeNotRunning):
            await peer2prompt.connect(home)

    run(main)
