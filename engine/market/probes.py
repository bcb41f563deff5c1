"""Hidden test questions: made fresh from templates, with an answer that is known beforehand.

No two are alike: names, things, numbers and wording are drawn anew, far more of them than a ghost
could list. But this file is public, so a ghost that wants to can write a recogniser for its
templates; docs/reputation.md says what follows from that. Some carry a canary: a made-up surname
that is told to this ghost alone. Pure; the dice are an argument.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

CANARY_CHANCE = 0.3
DIGITS = re.compile(r"\d[\d.,:' ]*")


def _words(text: str, between: str | None = None) -> tuple[str, ...]:
    return tuple(text.split(between))


_NAMES = _words(
    "Anna Ben Carla David Elena Farid Grace Hugo Ines Jonas Kavya Liam Mara Noah Olga Pablo Quinn"
    " Rosa Samir Tara Uwe Vera Wei Yusuf Zoe"
)
_THINGS = _words(
    "apples pens notebooks mugs candles tickets postcards plants books lamps chairs cables bolts"
    " tiles boxes shirts bricks stamps jars keys"
)
_PLACES = _words(
    "the shop|a market|the office|the school|a warehouse|the club|a workshop|the library", "|"
)
_OPENINGS = (
    *("", "", "", "Hi, ", "Quick question: ", "Can you help me with this? ", "hey "),
    *("I keep getting this wrong. ", "For a list I am making: ", "Please check this for me. "),
)
_CLOSINGS = (
    *("", "", "", " Just the number please.", " Thanks!", " A short answer is enough.", " thx"),
    *(" No need to explain.", " Only the result.", " Please keep it brief."),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ONSETS = _words("b br c d dr f g gr h k kl l m n p pr r s st t tr v vr w z")
_VOWELS = _words("a e i o u ae io ou")
_CODAS = _words("l n r s m nd rt st x")


@dataclass(frozen=True, slots=True)
class Probe:
    """One test question. `answers` are the words of which one must be in the answer."""

    text: str = field(repr=False)
    answers: tuple[str, ...] = field(repr=False)
    canary: str = field(repr=False, default="")


def draw_probe(rng: Random) -> Probe:
    """A fresh test question."""
    canary = draw_canary(rng) if rng.random() < CANARY_CHANCE else ""
    name = rng.choice(_NAMES) + (f" {canary}" if canary else "")
    text, answers = rng.choice(_TEMPLATES)(rng, name)
    while answers[0][0].isdigit() and is_right(Probe(text, answers), text):
        text, answers = rng.choice(_TEMPLATES)(rng, name)  # or repeating the question were right
    return Probe(rng.choice(_OPENINGS) + text + rng.choice(_CLOSINGS), answers, canary)


def draw_canary(rng: Random) -> str:
    """A word that looks like a rare surname: about one of 10^8."""
    syllables = [rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(3)]
    return ("".join(syllables) + rng.choice(_ONSETS[:8]) + "a" + rng.choice(_CODAS)).capitalize()


def is_right(probe: Probe, answer: str) -> bool:
    """Whether the answer holds what it must. Spelling of numbers is forgiven, not their value."""
    words = {word.lower() for word in re.findall(r"[A-Za-z]+", answer)}
    numbers = {_plain(found.group()) for found in DIGITS.finditer(answer)}
    return any(one.lower() in words or _plain(one) in numbers for one in probe.answers)


def _plain(number: str) -> str:
    """A number without separators of thousands; a time keeps its colon."""
    text = number.strip(" .,:'")
    text = re.sub(r"(?<=\d)[,' ](?=\d{3}(?!\d))", "", text)
    text = re.sub(r"\.0+$", "", text)
    return text.lstrip("0") or text


_Made = tuple[str, tuple[str, ...]]


def _shopping(rng: Random, name: str) -> _Made:
    a, b = rng.randint(3, 19), rng.randint(2, 14)
    p, q = rng.randint(2, 15), rng.randint(3, 25)
    one, other = rng.sample(_THINGS, 2)
    text = f"{name} buys {a} {one} at {p} dollars each and {b} {other} at {q} dollars each."
    return f"{text} What does that come to in total?", (str(a * p + b * q),)


def _left_over(rng: Random, name: str) -> _Made:
    have, gone = rng.randint(60, 400), rng.randint(12, 50)
    more, thing = rng.randint(5, 40), rng.choice(_THINGS)
    text = (
        f"There were {have} {thing} in {rng.choice(_PLACES)}. {name} took {gone} of them away and"
    )
    return f"{text} later brought {more} back. How many are there now?", (str(have - gone + more),)


def _arrival(rng: Random, name: str) -> _Made:
    start, takes = rng.randint(5 * 60, 15 * 60), rng.randint(35, 7 * 60)
    hours, minutes = divmod(takes, 60)
    end = start + takes
    text = f"{name} leaves at {start // 60}:{start % 60:02d} and is on the way for {hours} hours"
    told = f"{end // 60}:{end % 60:02d}"
    return f"{text} and {minutes} minutes. At what time (24 h) is the arrival?", (told,)


def _weekday(rng: Random, name: str) -> _Made:
    today, days = rng.randrange(7), rng.randint(9, 95)
    text = f"If today is {_DAYS[today]}, which day of the week will it be in {days} days, when"
    return f"{text} {name} comes back?", (_DAYS[(today + days) % 7],)


def _ages(rng: Random, name: str) -> _Made:
    age, older = rng.randint(8, 40), rng.randint(3, 30)
    later = rng.randint(2, 15)
    text = f"{name} is {age} years old and has a cousin who is {older} years older."
    return f"{text} How old will the cousin be in {later} years?", (str(age + older + later),)


def _minutes(rng: Random, name: str) -> _Made:
    hours, minutes = rng.randint(2, 28), rng.randint(1, 59)
    text = f"{name} noted {hours} hours and {minutes} minutes. How many minutes is that?"
    return text, (str(60 * hours + minutes),)


def _share(rng: Random, name: str) -> _Made:
    percent, base = rng.choice((5, 10, 15, 20, 25, 30, 40, 60, 75)), 20 * rng.randint(4, 60)
    text = f"{name} gets a discount of {percent} % on a bill of {base} euros."
    return f"{text} How many euros is the discount?", (f"{percent * base / 100:g}",)


def _last_word(rng: Random, name: str) -> _Made:
    words = rng.sample(_THINGS, 5)
    text = f"{name} sorts these by the alphabet: {', '.join(words)}. Which one comes last?"
    return text, (max(words),)


_TEMPLATES: tuple[Callable[[Random, str], _Made], ...] = (
    *(_shopping, _left_over, _arrival, _weekday, _ages, _minutes, _share, _last_word),
)


# -- when and how long ----------------------------------------------------------------------------

DAY_S = 86_400.0
MOST_A_DAY = 12.0
LEAST_COST_MSAT = 500.0
GO_ON = 0.35
"""The chance that a probe has one more question, at most twice."""
THINK_S = 60.0


def wait_s(rng: Random, budget_msat: int, usual_cost_msat: float) -> float:
    """Until the next probe: exponential, so that the last one tells nothing of the next."""
    a_day = min(MOST_A_DAY, budget_msat / max(LEAST_COST_MSAT, usual_cost_msat))
    return rng.expovariate(a_day / DAY_S)


def draw_questions(rng: Random) -> list[Probe]:
    """The questions of one probe: mostly one, at most three."""
    found = [draw_probe(rng)]
    while len(found) < 3 and rng.random() < GO_ON:
        found.append(draw_probe(rng))
    return found
