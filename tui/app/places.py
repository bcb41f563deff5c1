"""What the thing with the focus is and which keys it takes, for the top of the help. Pure."""

from __future__ import annotations

PLACES: dict[str, tuple[str, str]] = {
    "prompt": (
        "The question",
        "Type here. Enter sends, Ctrl+J breaks the line, ↑ on an empty line brings back what you "
        "asked before, Ctrl+G opens your editor, Alt+A attaches a file (so does pasting its path). "
        "The line below says what it would cost. Nothing is sent before Enter.",
    ),
    "transcript": (
        "The conversation",
        "↑ ↓ go from message to message, PgUp PgDn Home End scroll. On the selected message: e "
        "edits the question, r asks for another answer, ← → show its other versions, b goes on "
        "from it, c copies it, k copies a block of code, f unfolds reasoning and tool calls. While "
        "an answer streams the view follows its end until you scroll up.",
    ),
    "sessions": (
        "The list of conversations",
        "↑ ↓ move, Enter opens. p pins, a puts away, h shows what was put away, t renames, Delete "
        "deletes. Conversations lie encrypted on this machine; Ctrl+F searches them all.",
    ),
    "search-text": (
        "The search",
        "Type words: all must be found, the last one may be a beginning. ↑ ↓ choose a message, "
        "Enter opens it.",
    ),
    "model-text": (
        "The models",
        "Type a part of the name, or images, tools, json, reasoning. Each line: price of a million "
        "tokens in and out, time to the first word, what is thought of its best ghost. Ctrl+S "
        "changes the order, Ctrl+X hides models that would not be asked, Enter takes one.",
    ),
    "circuits": (
        "The list of circuits",
        "One line for each: what it is for, its shape, its age, cells a second each way, and the "
        "share that carried nothing. ↑ ↓ choose the one drawn below.",
    ),
    "circuit-detail": (
        "The circuit that was chosen",
        "Its hops with their ages and times, its cells, then what happened and sums since the node "
        "started. ↑ ↓ PgUp PgDn scroll; Tab goes back to the list. e explains every number.",
    ),
    "mints": (
        "The mints",
        "One line for each: what is ready to spend, what payments under way hold, what rests after "
        "it came in, and how the mint answers. ↑ ↓ choose one, Enter tells all of it.",
    ),
    "history": ("What moved", "Every movement of ecash, the newest first. ↑ ↓ scroll."),
    "earnings-answers": (
        "What was answered",
        "Each model with its answers, what they brought, what the provider asks for them and what "
        "is left; below it the latest answers. ↑ ↓ scroll, Tab goes to how the ghost runs.",
    ),
    "earnings-operation": (
        "How the ghost runs",
        "Its queue, what is left of the caps, providers, refusals by reason, payouts, and what "
        "the node passes on as a relay. ↑ ↓ scroll.",
    ),
    "network-offers": ("Offers", "Models on offer with the lowest and the highest price."),
    "network-ghosts": (
        "Ghosts, the best first",
        "What your own sessions say of each: its score from 0 to 1, whether it is trusted, new or "
        "left alone, how fast its first word comes, its price and why. Enter shows all of it.",
    ),
    "network-nodes": ("Nodes", "Relays and ghosts this node knows, and how old their adverts are."),
    "settings-list": (
        "The settings",
        "↑ ↓ move, Enter changes what is under the cursor, d gives it its default again.",
    ),
}


def place(widget_ids: list[str]) -> tuple[str, str] | None:
    """Title and words of the innermost place that is known; ids from the inside out."""
    return next((PLACES[name] for name in widget_ids if name in PLACES), None)
