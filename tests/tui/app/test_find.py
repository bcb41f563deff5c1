"""Finding a setting: all words of what was typed are in it; titles come first."""

from __future__ import annotations

from tui.app.screens.find import Entry, having


def test_words_in_a_title_come_first() -> None:
    entries = [
        Entry("a", "Bell", "no", "Rings at a note."),
        Entry("b", "Notes", "yes", "Tells of others."),
        Entry("c", "Lock", "never", "Hides everything."),
    ]
    assert [entry.name for entry in having(entries, "NOTE")] == ["b", "a"]
    assert [entry.name for entry in having(entries, "hides never")] == ["c"]
    assert having(entries, "") == entries
