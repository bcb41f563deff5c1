"""Chats over a whole network of processes, from the command line: one demo for all of it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.demo_process import ScreenDemo, fake_provider, short_folder

SECRET = "xylophone-zebra"


def test_a_life_of_chats() -> None:
    with fake_provider("normal") as url, short_folder() as folder:
        (folder / "notes.txt").write_text("Garlic is a bulb.")
        demo = ScreenDemo(folder, "--provider-url", url)
        try:
            demo.wait_open()
            _life(demo, str(folder))
        finally:
            demo.close()


def _life(demo: ScreenDemo, folder: str) -> None:
    first = demo.cli("ask", "What is an onion?", "--attach", f"{folder}/notes.txt")
    chat = first["session_id"]
    second = demo.cli("ask", "And a leek?", "--session", chat)
    assert first["answer"]
    assert second["answer"]
    assert first["route"][-1] == second["route"][-1]
    shown = demo.cli("sessions", "show", chat)
    assert shown["pin"]["messages"] == 2
    assert shown["pin"]["ghost"] == first["route"][-1]["id"]
    assert shown["messages"][0]["attachments"][0]["name"] == "notes.txt"

    guess = demo.cli("ask", "--estimate", "Why?", "--session", chat)
    assert 0 < guess["least_msat"] <= guess["most_msat"]
    demo.cli("sessions", "retry", chat)
    messages = demo.cli("sessions", "show", chat)["messages"]
    assert len(messages) == 4
    assert len(messages[-1]["siblings"]) == 2
    demo.cli("sessions", "branch", chat, str(messages[1]["message_id"]))
    assert len(demo.cli("sessions", "show", chat)["messages"]) == 2
    assert demo.cli("sessions", "search", "leek")[-1]["session_id"] == chat

    hidden = demo.cli("ask", f"What is a {SECRET}?", "--temporary")
    assert demo.cli("sessions", "search", SECRET)[0]["session_id"] == hidden["session_id"]
    kept = demo.cli("sessions", "export", "--all")
    assert len(kept["chats"]) == 1
    assert len(kept["chats"][0]["messages"]) == 5
    assert SECRET not in str(kept)
    out = Path(folder) / "chats.json"
    out.write_text(json.dumps(kept))
    made = demo.cli("sessions", "import", str(out))
    assert len(demo.cli("sessions", "show", made["sessions"][0])["messages"]) == 2
