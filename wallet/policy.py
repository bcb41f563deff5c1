"""How the wallet keeps a mint from linking what comes in with what goes out. Pure choices, no I/O.

Each choice has a cost, which `Policy.lines` says in words beside it:

* **rest**: fresh coins rest for a random time before they can be spent, so that the time of a
  funding says nothing about the time of the first question;
* **usual amounts**: invoices are made for amounts that many people use (1, 2 or 5 times a power
  of ten), so that an amount names nobody;
* **spread**: funding is divided over several mints, so that none sees all of it;
* **even**: what is held is spread evenly over the mints again when too much lies on one side, so
  that none of them can take much with it;
* **ahead**: coins for many payments are made in one swap at a random moment before they are needed,
  so that no payment waits for the mint and the mint sees one swap instead of one for each answer;
* **lock chunks**: payments to ghosts are made of coins that only the ghost can spend;
* **largest chunk**: a ghost that wants more ahead of an answer is not used.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec

from wallet.errors import BadAmount

MAX_REST_S = 7 * 86_400
MAX_SPREAD = 8
MAX_CHUNK_SAT = 1_000_000
LOCKING = ("off", "when-offered", "always")
MAX_AHEAD = 64
MOST_UNEVEN = 100


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`ahead` payments of `ahead_sat` each are kept ready; times are seconds. The mints are evened
    out when more than `even_percent` of the whole lie on one side, never when it is 0."""

    rest_min_s: float = 0.0
    rest_max_s: float = 0.0
    round_up: bool = False
    spread: int = 1
    ahead: int = 0
    ahead_sat: int = 16
    even_percent: int = 0
    lock_chunks: str = "off"
    max_chunk_sat: int = 1000

    def checked(self) -> Policy:
        """The policy, or BadAmount for one that makes no sense."""
        if not 0 <= self.rest_min_s <= self.rest_max_s <= MAX_REST_S:
            raise BadAmount("Coins can rest from 0 to 604,800 seconds (a week), least first.")
        if not 1 <= self.spread <= MAX_SPREAD:
            raise BadAmount(f"Funding can be spread over 1 to {MAX_SPREAD} mints.")
        if not (0 <= self.ahead <= MAX_AHEAD and 0 < self.ahead_sat <= 1_000_000):
            raise BadAmount(f"Coins can be kept ready for 0 to {MAX_AHEAD} payments.")
        if not 0 <= self.even_percent <= MOST_UNEVEN:
            raise BadAmount("Mints are evened out from 0 (never) to 100 percent.")
        if not 2 <= self.max_chunk_sat <= MAX_CHUNK_SAT:
            raise BadAmount(f"A ghost can be trusted with chunks of 2 to {MAX_CHUNK_SAT} sat.")
        if self.lock_chunks not in LOCKING:
            raise BadAmount(f"Payments to ghosts are locked: {', '.join(LOCKING)}.")
        return self

    def rest_s(self, rng: random.Random) -> float:
        """How long the coins of one funding rest."""
        return rng.uniform(self.rest_min_s, self.rest_max_s)

    def amount(self, wanted_sat: int) -> int:
        """What an invoice for `wanted_sat` is made for."""
        return standard(wanted_sat) if self.round_up else wanted_sat

    def parts(
        self, wanted_sat: int, mints: Sequence[str], rng: random.Random
    ) -> list[tuple[str, int]]:
        """Which mints to fund with how much; together at least `wanted_sat`. The shares are
        unequal and in random order, so that one mint cannot tell the whole from its part."""
        count = min(self.spread, len(mints), wanted_sat)
        chosen = rng.sample(list(mints), max(1, count))
        weights = [rng.uniform(0.5, 1.5) for _ in chosen]
        left, found = wanted_sat, []
        for place, url in enumerate(chosen):
            others = len(chosen) - place - 1
            share = left if not others else int(left * weights[place] / sum(weights[place:]))
            share = min(max(1, share), left - others)
            found.append((url, self.amount(share)))
            left -= share
        return found

    def wanted(self) -> list[int]:
        """The payments to have coins ready for."""
        return [self.ahead_sat] * self.ahead

    def lines(self) -> list[tuple[str, str, str]]:
        """(choice, setting, cost) in words."""
        rest = f"{self.rest_min_s:.0f} to {self.rest_max_s:.0f} s" if self.rest_max_s else "no"
        even = f"from {self.even_percent} % on" if self.even_percent else "on request"
        ahead = f"{self.ahead} payments of {self.ahead_sat} sat" if self.ahead else "no"
        return [
            ("rest", rest, "money that came in can be spent only afterwards"),
            (
                "usual amounts",
                "yes" if self.round_up else "no",
                "an invoice may be for up to 2.5 times what was asked for",
            ),
            ("spread", f"{self.spread} mints", "one invoice, with its Lightning fee, for each"),
            ("even", even, "Lightning fees, up to 3 percent; mints see who pays whom and when"),
            ("ahead", ahead, "one swap, with the mint's input fee, each time they run out"),
            (
                "lock chunks",
                self.lock_chunks,
                "a swap more, with its fee, and coins that are back after an hour at the latest",
            ),
            (
                "largest chunk",
                f"{self.max_chunk_sat} sat",
                "what a ghost can take with it; dear models may need more",
            ),
        ]


# What a node uses unless its settings or its user say otherwise.
PRIVATE = Policy(rest_min_s=20, rest_max_s=180, round_up=True, ahead=8)


def standard(amount: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50, ... that is not smaller."""
    unit = 10 ** (len(str(max(1, amount))) - 1)
    return next(int(step * unit) for step in (1, 2, 5, 10) if step * unit >= amount)


def decode(text: str) -> Policy:
    """A stored policy; the plain one when it cannot be read."""
    try:
        return msgspec.json.decode(text, type=Policy).checked()
    except (msgspec.DecodeError, BadAmount):
        return Policy()


def encode(policy: Policy) -> str:
    return msgspec.json.encode(policy).decode()
