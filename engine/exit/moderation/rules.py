"""Local rules: the operator's file of words and phrases, each with the category it stands for.

    # a comment
    illicit-violent: pipe bomb
    hate: some*word            * stands for the rest of a word

Case, accents of width, odd spaces and invisible characters do not matter. Patterns are no regular
expressions: the time to search grows with the text and the number of rules, whatever they say.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import trio

from engine.errors import ConfigError
from engine.exit.admission import Question
from engine.exit.categories import CATEGORIES, first_refused, normal
from engine.exit.moderation.words import texts_of
from engine.market.commands import Refusal

MAX_RULES = 5_000
MAX_FILE_BYTES = 1 << 20
MAX_STARS = 2
THREAD_CHARS = 20_000
"""Longer texts are searched in a thread, so that circuits go on."""


@dataclass(frozen=True, slots=True)
class Rule:
    category: str
    pattern: re.Pattern[str]


class Rules:
    """A gate over a list of rules. `refused` empty means that every category is refused."""

    def __init__(self, rules: Iterable[Rule], refused: Iterable[str]) -> None:
        chosen = tuple(refused)
        self._rules = [
            rule for rule in rules if not chosen or first_refused(chosen, [rule.category])
        ]

    def __len__(self) -> int:
        return len(self._rules)

    async def __call__(self, question: Question) -> Refusal | None:
        """A refusal for the first rule that fits."""
        text = "\n".join(texts_of(question.form.request))
        if len(text) > THREAD_CHARS:
            category = await trio.to_thread.run_sync(self.find, text)
        else:
            await trio.lowlevel.checkpoint()
            category = self.find(text)
        return None if category is None else refusal(category)

    def find(self, text: str) -> str | None:
        """The category of the first rule that the text fits."""
        plain = flat(text)
        return next((r.category for r in self._rules if r.pattern.search(plain)), None)


def refusal(category: str) -> Refusal:
    """A refusal in words that name the category and nothing of the question."""
    about = CATEGORIES.get(category, category)
    return Refusal(f"The ghost does not answer questions of this kind: {about}.", "moderated")


def read_rules(path: Path) -> list[Rule]:
    """The rules in a file. Raises ConfigError with the line that is wrong."""
    try:
        raw = path.read_bytes()
        lines = raw[: MAX_FILE_BYTES + 1].decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The file of moderation rules {path} cannot be read.",
            hint="Check [ghost.policy] rules; it is text in UTF-8.",
        ) from error
    rules = [
        _rule(path, number, line)
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if len(raw) > MAX_FILE_BYTES or len(rules) > MAX_RULES:
        raise ConfigError(f"The file of moderation rules {path} is longer than {MAX_RULES} rules.")
    if not rules:
        raise ConfigError(f"The file of moderation rules {path} holds no rule.")
    return rules


def _rule(path: Path, number: int, line: str) -> Rule:
    category, colon, words = line.partition(":")
    category, words = normal(category), flat(words).strip()
    if not colon or category not in CATEGORIES or not words.strip("* "):
        raise ConfigError(
            f"Line {number} of {path} is no moderation rule.",
            hint=f"Write `category: words`; categories are: {', '.join(CATEGORIES)}.",
        )
    if words.count("*") > MAX_STARS:
        raise ConfigError(f"Line {number} of {path} has more than {MAX_STARS} stars.")
    body = r"\w*".join(re.escape(part) for part in words.split("*"))
    start = "" if words.startswith("*") else r"(?<!\w)"
    end = "" if words.endswith("*") else r"(?!\w)"
    return Rule(category, re.compile(start + body + end))


def flat(text: str) -> str:
    """The text as rules see it: compatible forms, small letters, single spaces, no invisibles."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    seen = "".join(ch for ch in plain if unicodedata.category(ch) != "Cf")
    return re.sub(r"\s+", " ", seen)
