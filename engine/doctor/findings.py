"""What a check says, how bad it is, and running many of them at once within their time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import trio

from engine.control.protocol.overview import Examination, Finding
from engine.errors import Peer2PromptError
from engine.log.words import Fault
from wallet.errors import WalletError

OK, WARN, FAIL, SKIP = "ok", "warn", "fail", "skip"
BADNESS = (OK, SKIP, WARN, FAIL)
USUAL_LIMIT_S = 10.0
Seen = Finding | Sequence[Finding]


@dataclass(frozen=True, slots=True)
class Check:
    """One examination: a name, what is done, and how long it may take (seconds)."""

    name: str
    work: Callable[[], Awaitable[Finding]]
    limit_s: float = USUAL_LIMIT_S


def blocking(name: str, work: Callable[[], Finding]) -> Check:
    """A check that reads files or calls the system: it runs in a thread, left alone when a dead
    file system holds it."""
    return Check(name, partial(trio.to_thread.run_sync, work, abandon_on_cancel=True))


def good(found: str) -> Finding:
    return Finding("", OK, found)


def warn(found: str, means: str, advice: str) -> Finding:
    return Finding("", WARN, found, means, advice)


def fail(found: str, means: str, advice: str) -> Finding:
    return Finding("", FAIL, found, means, advice)


def skip(why: str) -> Finding:
    return Finding("", SKIP, why)


def many(number: int, name: str) -> str:
    """ "1 relay", "2 relays"."""
    return f"{number:,} {name}" if number == 1 else f"{number:,} {name}s"


async def examine(checks: Sequence[Check], *, running: bool) -> Examination:
    """All checks side by side; their findings in the order of the checks."""
    found: list[Finding | None] = [None] * len(checks)

    async def one(place: int, check: Check) -> None:
        found[place] = await _within(check)

    async with trio.open_nursery() as nursery:
        for place, check in enumerate(checks):
            nursery.start_soon(one, place, check)
    return whole([finding for finding in found if finding is not None], running=running)


def whole(findings: Sequence[Finding], *, running: bool) -> Examination:
    """Findings with the worst state among them."""
    states = [finding.state for finding in findings]
    worst = max(states, key=BADNESS.index, default=OK)
    return Examination(OK if worst == SKIP else worst, running, list(findings))


async def _within(check: Check) -> Finding:
    finding = warn(
        f"It gave no answer in {check.limit_s:.0f} s.",
        "The check could not be made: something it depends on hangs.",
        "Try again; look at the load of the machine and of its disks.",
    )
    with trio.move_on_after(check.limit_s):
        try:
            finding = await check.work()
        except (Peer2PromptError, WalletError) as error:
            finding = fail(error.message, error.kept, error.hint)
        except Exception as error:  # one broken check must not hide the others
            finding = warn(
                f"The check itself failed ({Fault.of(error)}).",
                "Nothing is known of this part.",
                "Please report it.",
            )
    return Finding(check.name, finding.state, finding.found, finding.means, finding.advice)
