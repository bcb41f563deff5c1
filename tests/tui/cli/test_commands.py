"""Each command as a process of its own, against a real control server with scripted answers."""

from __future__ import annotations

import base64
import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest
import trio

from engine.control.events import EventBus
from tests.helpers.control import serving
from tests.tui.cli.scripted import (
    ANSWER,
    BALANCE,
    EARNINGS,
    INVOICE,
    MINT,
    RESULT,
    STATUS,
    WRONG,
    cli,
    cli_in_terminal,
    command_line,
    environment,
    scripted,
)
from wallet.errors import MintUnreachable

pytestmark = pytest.mark.trio

PLAIN = [
    (["status"], ["ab12cd34", "1 h 1 min", "500 sat", "4 boxes, 64 slots", "Only one [31mguard"]),
    (["models"], ["small", "bb22", "10", "0.81", "0.9 s", "its receipt did not hold"]),
    (["ghosts"], ["bb22cc33", "0.62", "quarantine: you said so", "3 asked, 2 right", "10 sat"]),
    (["ghosts", "bb22"], ["7 answered", "2 overbilled", "chain", "first words", "12"]),
    (["ghosts", "bb22", "--trust"], ["bb22cc33"]),
    (["ghosts", "--import", "/dev/null"], ["1 new, 2 known already, 3 that prove nothing"]),
    (["ghost", "caps"], ["$5", "no cap", "16", "64, for 60 s at most"]),
    (["shapes"], ["text", "131 kB each way at least (8 s)", "at most 2 bit", "Hides."]),
    (["circuits"], ["guard aa11 > ghost bb22", "drawn by weight", "205 kB, 40 % of them dummies"]),
    (["circuits", "--events"], ["ask circuit 1 open"]),
    (["traffic"], ["text", "98 %", "2 padding cells", "1,000 cells out", "3 circuits"]),
    (["network"], ["aa11", "ghost", "line 3 is not an advert"]),
    (["network"], ["primary, no answer", "10 d", "81 d", "96% of 52", "4, the next", "1 d 2 h"]),
    (["network"], ["24 relays, 7", "3.2 s", "asn.dat of 2023-11-14, 1000000", "refused: No safe"]),
    (
        ["network"],
        ["demo", "7 comparisons", "9 nodes from 3 sources", "x1 showed as little as 50%"],
    ),
    (["network"], ["invite 4 (3 answered)", "3 of 4 networks answered", "2941, 2 d"]),
    (["network"], ["203.0.113.7:9001, reachable: 4 of 5 networks agree, 3 got in"]),
    (["network"], ["small", "10,000 to 12,001", "40,000"]),
    (["network"], ["5 kept for others, 8 of our own", "12 relays, 11 of them answered"]),
    (["invite"], ["P2P1ABC"]),
    (["join", "P2P1ABC"], ["1 of 2 nodes answered", "6 relays"]),
    (["earnings"], ["2000.500 sat", "small", "asks for large: give --cost"]),
    (["sessions", "list"], ["3f2a9900", "Onions"]),
    (["sessions", "list", "--archived"], ["3f2a9900"]),
    (["sessions", "show", "3f2a"], ["words 1", "words 450", "ghost bb22cc33", "7 answers"]),
    (["sessions", "show", "3f2a"], ["900 tokens of 8192", "Be brief.", '{"seed": 1}', "450."]),
    (["sessions", "search", "onion"], ["3f2a9900 17 user", "what an *onion*", "Onions"]),
    (["sessions", "pin", "3f2a"], ["Changed 3f2a9900"]),
    (["sessions", "archive", "3f2a", "--back"], ["Changed 3f2a9900"]),
    (["sessions", "rotate", "3f2a"], ["Changed 3f2a9900"]),
    (["sessions", "set", "3f2a", "--param", "seed=2"], ["Changed 3f2a9900"]),
    (["sessions", "defaults", "--failover", "never"], ["Be kind.", "9 answers", "config.toml"]),
    (["sessions", "branch", "3f2a", "17"], ["goes on from message 450"]),
    (["sessions", "branch", "3f2a", "17", "--show"], ["goes on from message 450"]),
    (["sessions", "retry", "3f2a"], [ANSWER]),
    (["sessions", "edit", "3f2a", "17", "Why?"], [ANSWER]),
    (["sessions", "import", "/dev/null"], ["1 conversations with 4 messages: aabbccdd"]),
    (["sessions", "export", "--all"], ["# Onions"]),
    (["snippets", "list"], ["brief", "Be brief."]),
    (["snippets", "put", "brief", "Be", "brief."], ["Kept brief"]),
    (["snippets", "delete", "brief"], ["Forgot brief"]),
    (["ask", "--estimate", "Why?"], ["1 sat to 9 sat, likely 2 sat", "small", "3 ghosts"]),
    (["ask", "--estimate", "Why?"], ["900 tokens of 8192", "2 earlier", "5 oldest", "refused"]),
    (["ask", "--session", "3f2a", "--failover", "once"], [ANSWER]),
    (["sessions", "export", "3f2a"], ["# Onions", "## 1. user", "words 450"]),
    (["wallet", "info"], ["500 sat", "circuit"]),
    (["wallet", "balance"], [MINT, "480", "total  500 sat"]),
    (["wallet", "mints"], ["Evil", "down", "timeout"]),
    (["wallet", "history"], ["500", MINT]),
    (["wallet", "add-mint", MINT, "--yes"], ["Fresh mint", "send only what you can lose", "Added"]),
    (["wallet", "move", "9", "--from", MINT, "--to", "https://b", "--yes"], ["for 1 sat"]),
    (["wallet", "rebalance", "--dry-run"], ["https://b", "9", "2"]),
    (["wallet", "rebalance", "--to", f"{MINT}=2", "--yes"], ["Moved 9 sat for 1 sat"]),
    (["wallet", "swap", MINT], ["Swapped 480 sat"]),
    (["wallet", "policy", "--even", "20"], ["rest"]),
    (["wallet", "restore"], ["Recovered 33 sat at all mints"]),
    (["wallet", "forget-mint", MINT], [f"Forgot {MINT}."]),
    (["wallet", "fund", "100"], [INVOICE, "wallet check q1"]),
    (["wallet", "fund", "100", "--wait"], [INVOICE, "100 sat are in the wallet"]),
    (["wallet", "check", "q1"], ["100 sat came"]),
    (["wallet", "send", "21"], ["cashuBabc"]),
    (["wallet", "receive", "cashuBabc"], ["Received 21 sat"]),
    (["wallet", "policy"], ["rest", "spent only afterwards"]),
    (["wallet", "policy", "--rest", "1", "9"], ["rest"]),
    (["wallet", "policy", "--wake"], ["7 sat may be spent now"]),
    (["wallet", "fund", "100", "--spread", "--wait"], [INVOICE, "100 sat are in the wallet"]),
    (["store", "backup", "/tmp/b"], ["4096 bytes"]),
    (["wipe", "--yes"], ["destroyed"]),
    (["wallet", "info", "--nuts"], ["spending conditions", "yes"]),
    (["wallet", "send", "21", "--lock", "02ab", "--for-hours", "2"], ["cashuBabc"]),
    (["wallet", "key"], ["02ab"]),
    (["wallet", "sent"], ["ab12", "21", "not taken yet"]),
    (["wallet", "sent", "--check"], ["ab12", "21", "taken"]),
    (["wallet", "take-back", "ab"], ["Took 20 sat back"]),
    (["wallet", "history", "--find", "mint"], ["sat", "500"]),
    (["wallet", "cosign", "cashuBabc"], ["cashuBsigned"]),
    (["wallet", "request", "21", "--text", "tea"], ["creqAx"]),
    (["wallet", "request", "21", "--compact"], ["CREQB1X"]),
    (["wallet", "pay-request", "creqAx", "--yes"], ["cashuBpaid"]),
    (["wallet", "pay", INVOICE, "--yes"], ["Paid 21 sat", "1 sat came back"]),
    (
        ["wallet", "pay", INVOICE, "--yes", "--part", "20@https://a", "--part", "1@https://b"],
        ["https://a", "20", "PAID"],
    ),
    (["wallet", "restore", MINT], ["Recovered 33 sat"]),
    (["wallet", "seed", "--yes"], ["abandon ability able"]),
]


async def test_every_command_speaks_to_people(home: Path) -> None:
    async with scripted(home):
        for argv, wanted in PLAIN:
            ran = await cli(home, *argv)
            assert ran.code == 0, (argv, ran)
            for words in wanted:
                assert words in ran.out, (argv, ran.out)
            if argv[:2] != ["sessions", "export"]:
                assert "\x1b" not in ran.out, argv


async def test_every_command_speaks_json(home: Path) -> None:
    async with scripted(home):
        for argv, _ in PLAIN:
            ran = await cli(home, *argv, "--json")
            assert ran.code == 0, (argv, ran)
            assert ran.json is not None
            assert ran.err == ""
        assert (await cli(home, "status", "--json")).json == STATUS
        assert (await cli(home, "status", "--check")).code == 10, "it warns"
        assert (await cli(home, "wallet", "balance", "--json")).json == BALANCE
        assert (await cli(home, "earnings", "--json")).json == EARNINGS
        shown = (await cli(home, "sessions", "show", "3f2a", "--json")).json
        assert [message["message_id"] for message in shown["messages"]] == list(range(1, 451))


async def test_cents_are_written_as_dollars(home: Path) -> None:
    """A mint counts usd in cents; who reads "250 usd" would think of dollars."""
    async with scripted(home) as node:
        usd = {"url": f"{MINT}#usd", "unit": "usd", "available_sat": 250, "held_sat": 5}
        quoted = {"quote_id": "q", "invoice": INVOICE, "amount_sat": 250, "mint": usd["url"]}
        node.answers |= {
            "wallet.balance": {"total_sat": 0, "mints": [usd]},
            "wallet.fund": quoted,
            "wallet.fund.check": {"state": "ISSUED", "minted_sat": 250, "unit": "usd"},
            "wallet.receive": {"amount_sat": 1, "mint": usd["url"]},
            "wallet.melt.quote": {**quoted, "fee_reserve_sat": 3},
            "wallet.history": [{"ts": 1.0, "kind": "send", "amount_sat": -7, "unit": "usd"}],
        }
        for argv, words in (
            (("balance",), "2.50"),
            (("fund", "250"), "to put 2.50 usd into"),
            (("check", "q"), "2.50 usd came"),
            (("receive", "cashuBabc"), "Received 0.01 usd"),
            (("pay", INVOICE, "--mint", usd["url"], "--yes"), "Paid 2.50 usd with 0.01 usd"),
            (("history",), "-0.07"),
            (("add-mint", usd["url"], "--yes"), f"fund CENTS --mint {usd['url']}"),
        ):
            assert words in (await cli(home, "wallet", *argv)).out, argv


async def test_options_reach_the_node(home: Path) -> None:
    async with scripted(home) as node:
        await cli(home, "wallet", "send", "5", "--mint", MINT)
        await cli(home, "wallet", "receive", "-", "--allow-new-mint", stdin="cashuBxyz\n")
        await cli(home, "wallet", "history", "--limit", "3")
        await cli(home, "circuits", "--rotate")
        assert node.calls == [
            ("wallet.send", {"amount_sat": 5, "mint": MINT, "lock": None}),
            ("wallet.receive", {"token": "cashuBxyz", "allow_new_mint": True, "preimage": ""}),
            ("wallet.history", {"limit": 3, "text": "", "mint": "", "offset": 0}),
            ("circuit.rotate", {}),
            ("circuits", {}),
        ]


async def test_ask_streams_each_byte_once(home: Path) -> None:
    async with scripted(home) as node:
        ran = await cli(home, "ask", "What", "is it?", "--max-tokens", "9")
        assert (ran.code, ran.out, ran.err) == (0, ANSWER + "\n", "")
        assert node.calls[0][1]["text"] == "What is it?"
        assert node.calls[0][1]["max_tokens"] == 9
        assert (await cli(home, "ask", "x", "--no-stream")).out == ANSWER + "\n"
        assert (await cli(home, "ask", "-", stdin="from a pipe\n")).out == ANSWER + "\n"
        assert node.calls[-1][1]["text"] == "from a pipe"
        assert (await cli(home, "ask", stdin="no dash\n")).code == 0
        whole = (await cli(home, "ask", "x", "--json")).json
        assert whole["answer"] == ANSWER
        assert whole["session_id"] == "3f2c1111"
        assert whole["route"] == RESULT["route"]


async def test_ask_goes_on_with_a_conversation(home: Path) -> None:
    async with scripted(home) as node:
        assert (await cli(home, "ask", "x", "--session", "3f2a")).code == 0
        assert node.calls[-1][1]["session_id"] == "3f2a9900"
        many = await cli(home, "ask", "x", "--session", "3f")
        assert many.code == 2
        assert "2 conversations begin" in many.err
        assert "no such conversation" in (await cli(home, "ask", "x", "--session", "zz")).err


async def test_ask_refuses_before_it_asks(home: Path) -> None:
    async with scripted(home) as node:
        for argv in (["ask"], ["ask", " "], ["ask", "x", "--temperature", "3"]):
            ran = await cli(home, *argv)
            assert ran.code == 2, argv
        assert node.calls == []


async def test_ask_fails_in_sentences(home: Path) -> None:
    async with scripted(home, script="fail"):
        ran = await cli(home, "ask", "x")
        assert ran.code == 6
        assert ran.out == ANSWER[:7] + "\n"
        assert ran.err.splitlines() == [
            "peer2prompt: The ghost broke off.",
            "  Half is kept.",
            "  Ask again.",
        ]
        ran = await cli(home, "ask", "x", "--model", "none", "--json")
        assert ran.code == 4
        assert ran.json["error"]["code"] == "no_route"


@pytest.mark.parametrize("script", ["hang", "slow"])
async def test_ctrl_c_cancels_the_question(home: Path, script: str) -> None:
    async with scripted(home, script=script) as node, trio.open_nursery() as nursery:
        process = await nursery.start(
            lambda task_status: trio.run_process(
                command_line("ask", "x"),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
                env=environment(home),
                task_status=task_status,
            )
        )
        with trio.fail_after(60):
            await node.asked.wait()
            process.send_signal(signal.SIGINT)
            node.released.set()
            await node.cancelled.wait()
            assert await process.wait() == 130
        assert ("ask.cancel", {"ask_id": 5}) in node.calls


async def test_a_question_whose_events_were_lost_is_read_from_its_conversation(
    home: Path,
) -> None:
    async with scripted(home, script="hang") as node:
        node.answers["sessions.list"] = [{"session_id": "3f2a9900"}]

        async def lose() -> None:
            await node.asked.wait()
            for _ in range(3000):
                node._event("ask.delta", text="", offset=0)

        assert node.nursery is not None
        node.nursery.start_soon(lose)
        ran = await cli(home, "ask", "x", "--session", "3f2a", "--json")
        assert ran.code == 0
        assert ran.json["answer"].startswith("words 450")


async def test_the_node_going_away_is_an_error(home: Path) -> None:
    async with scripted(home, script="hang") as node:

        async def leave() -> None:
            await node.asked.wait()
            node.stopping.set()

        assert node.nursery is not None
        node.nursery.start_soon(leave)
        ran = await cli(home, "ask", "x")
        assert ran.code == 8
        assert "went away" in ran.err


async def test_errors_of_the_node_become_sentences_and_codes(home: Path) -> None:
    async with scripted(home, answers={"wallet.balance": WRONG, "wallet.send": ValueError("x")}):
        ran = await cli(home, "wallet", "balance")
        assert (ran.code, ran.out) == (2, "")
        assert ran.err == "peer2prompt: This is wrong.\n  All is kept.\n  Do it better.\n"
        ran = await cli(home, "wallet", "balance", "--json")
        assert ran.json == {"error": WRONG.as_dict()}
        assert ran.err == ""
        assert (await cli(home, "wallet", "send", "1")).code == 1


async def test_a_mint_that_is_down_keeps_no_other_from_being_asked(home: Path) -> None:
    tokens = [
        {"op_id": name, "mint": MINT, "amount_sat": 21, "ts": 1.0, "state": "waiting"}
        for name in ("ab12", "cd34")
    ]
    down = MintUnreachable("The mint is down.")
    async with scripted(home, answers={"wallet.sent": tokens, "wallet.sent.check": down}) as node:
        ran = await cli(home, "wallet", "sent", "--check")
        assert ran.code == down.exit_code
        assert "ab12" in ran.out
        assert "cd34" in ran.out
        assert "Not asked about: The mint is down." in ran.err
        assert [params["op_id"] for name, params in node.calls if name.endswith("check")] == [
            *("ab12", "cd34")
        ]


async def test_an_unpaid_melt_is_not_a_success(home: Path) -> None:
    async with scripted(home, answers={"wallet.melt": {"paid": False, "state": "PENDING"}}):
        ran = await cli(home, "wallet", "pay", INVOICE, "--yes")
        assert ran.code == 7
        assert "PENDING" in ran.err
        ran = await cli(home, "wallet", "pay", INVOICE, "--yes", "--json")
        assert (ran.code, ran.json["paid"]) == (7, False)


async def test_no_node_says_how_to_start_one(home: Path) -> None:
    for argv in (["status"], ["ask", "x"], ["wallet", "fund", "5"], ["attach"], ["stop"]):
        ran = await cli(home, *argv)
        assert ran.code == 8, argv
        assert "No Peer2Prompt node is running here." in ran.err
        assert "peer2prompt node" in ran.err


async def test_confirmations_need_a_terminal_or_yes(home: Path) -> None:
    async with scripted(home) as node:
        for argv in (
            ["wallet", "pay", INVOICE],
            ["wallet", "seed"],
            ["sessions", "delete", "3f2a"],
        ):
            ran = await cli(home, *argv)
            assert ran.code == 2
            assert "--yes" in ran.err
        assert {"wallet.melt", "wallet.seed", "sessions.delete"}.isdisjoint(dict(node.calls))
        assert (await cli(home, "sessions", "delete", "3f2a", "--yes")).code == 0
        assert node.calls[-1] == ("sessions.delete", {"session_id": "3f2a9900"})


async def test_confirmations_at_a_terminal(home: Path) -> None:
    async with scripted(home) as node:
        ran = await cli_in_terminal(home, "wallet", "pay", INVOICE, typed="n\n")
        assert "Nothing was paid" in ran.out
        assert "wallet.melt" not in dict(node.calls)
        ran = await cli_in_terminal(home, "wallet", "pay", INVOICE, typed="y\n")
        assert "Paid 21 sat" in ran.out


async def test_an_invoice_is_shown_as_a_picture_where_it_fits(home: Path) -> None:
    async with scripted(home):
        wide = await cli_in_terminal(home, "wallet", "fund", "100", columns=100)
        assert "▀" in wide.out
        assert INVOICE in wide.out.replace("\n", "")
        narrow = await cli_in_terminal(home, "wallet", "fund", "100", columns=20)
        assert "▀" not in narrow.out
        assert INVOICE in narrow.out
        assert "▀" not in (await cli(home, "wallet", "fund", "100")).out


async def test_colour_only_where_it_is_wanted(home: Path) -> None:
    async with scripted(home):
        assert "\x1b[1m" in (await cli_in_terminal(home, "status")).out
        for quiet in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            for argv in (["status"], ["ask", "x"]):
                assert "\x1b" not in (await cli_in_terminal(home, *argv, env=quiet)).out


async def test_stop_waits_until_the_node_is_gone(home: Path) -> None:
    async with scripted(home) as node:
        ran = await cli(home, "stop", "--drain", "2")
        assert ran.code == 0
        assert "has stopped" in ran.out
        assert node.calls == [("stop", {"drain_s": 2.0, "patient": True})]
    assert (await cli(home, "status")).code == 8


async def test_an_export_is_private_and_overwrites_nothing(home: Path) -> None:
    target = home / "chat.md"
    async with scripted(home):
        assert (await cli(home, "sessions", "export", "3f2a", "--output", str(target))).code == 0
        assert stat.S_IMODE(os.stat(target).st_mode) == 0o600
        ran = await cli(home, "sessions", "export", "3f2a", "--output", str(target))
        assert ran.code == 2
        assert "exists already" in ran.err


async def test_a_reader_that_leaves_is_no_drama(home: Path) -> None:
    async with scripted(home):
        ours, theirs = os.pipe()
        os.close(ours)
        try:
            done = await trio.run_process(
                command_line("sessions", "show", "3f2a"),
                stdout=theirs,
                capture_stderr=True,
                check=False,
                env=environment(home),
            )
        finally:
            os.close(theirs)
        assert done.returncode == 141
        assert done.stderr == b""


async def test_version_and_home_before_the_command(home: Path) -> None:
    ran = await cli(home, "--version")
    assert ran.code == 0
    assert ran.out.startswith("peer2prompt ")
    async with serving(home, {"models": _no_models}, EventBus()):
        ran = await cli(Path("/nonexistent"), "--home", str(home), "models")
        assert ran.out == "No ghost is known that offers a model.\n"


async def _no_models(_params: object) -> object:
    return []


async def test_marks_need_a_ghost_and_reach_the_node(home: Path) -> None:
    async with scripted(home) as node:
        ran = await cli(home, "ghosts", "--quarantine")
        assert ran.code == 2
        ran = await cli(home, "ghosts", "bb22", "--quarantine", "--json")
        assert ran.code == 0
    assert ("ghosts.mark", {"ghost": "bb22", "mark": "quarantine"}) in node.calls


async def test_caps_reach_the_ghost(home: Path) -> None:
    options = ("--usd-per-day", "0", "--concurrent", "8", "--queue-wait", "30")
    async with scripted(home) as node:
        ran = await cli(home, "ghost", "caps", *options)
        assert ran.code == 0
        assert "no cap" in ran.out
        assert "512 KiB at most" in ran.out
        await cli(home, "ghost", "caps", "--json")
    given = {"usd_per_day": "0", "concurrent": 8, "queue_wait_s": 30}
    (name, changed), (shown, _) = node.calls
    assert {key: value for key, value in changed.items() if value is not None} == given
    assert (name, shown) == ("ghost.caps.set", "ghost.caps")


async def test_evidence_goes_to_a_new_file_only(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "evidence.txt"
    async with scripted(home):
        ran = await cli(home, "ghosts", "--export", str(target))
        assert ran.code == 0
        assert target.read_text() == "peer2prompt-evidence 1\n"
        ran = await cli(home, "ghosts", "--export", str(target))
        assert ran.code == 2


async def test_options_of_a_question_reach_the_node(home: Path, tmp_path: Path) -> None:
    notes = tmp_path / "deep" / "notes.txt"
    notes.parent.mkdir()
    notes.write_text("garlic")
    more = ("--system", "Be brief.", "--param", "seed=2", "--param", "user_mode=x y", "--temporary")
    more += ("--result", "call_1=a=b")
    async with scripted(home) as node:
        ran = await cli(home, "ask", "Why?", "--attach", str(notes), *more, "--trim")
        assert ran.code == 0
        asked = next(params for name, params in node.calls if name == "ask")
        (file,) = asked["attachments"]
        assert (file.name, base64.b64decode(file.data)) == ("notes.txt", b"garlic")
        assert asked["system"] == "Be brief."
        assert asked["params"] == {"seed": 2, "user_mode": "x y"}
        assert asked["temporary"]
        assert asked["trim"]
        assert [(one.id, one.content) for one in asked["results"]] == [("call_1", "a=b")]
        wrong = await cli(home, "ask", "Why?", "--param", "seed")
        assert (wrong.code, "NAME=VALUE" in wrong.err) == (2, True)
        missing = await cli(home, "ask", "Why?", "--attach", str(tmp_path / "none"))
        assert (missing.code, "cannot be read" in missing.err) == (2, True)


async def test_settings_of_a_conversation_reach_the_node(home: Path) -> None:
    async with scripted(home) as node:
        await cli(
            home, "sessions", "set", "3f2a", "--rotate-hours", "2", "--keep", "--full", "trim"
        )
        changed = node.calls[-1][1]
        assert changed["rotate_after"].age_s == 7_200
        assert changed["temporary"] is False
        assert (changed["full"], changed["title"], changed["params"]) == ("trim", None, None)
        await cli(home, "sessions", "retry", "3f2a", "--model", "large")
        assert node.calls[-1][1]["message_id"] == 450
        assert (await cli(home, "sessions", "export")).code == 2
        assert (await cli(home, "sessions", "export", "3f2a", "--all")).code == 2
