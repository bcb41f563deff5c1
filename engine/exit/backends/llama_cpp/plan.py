"""Which tokens the next call of the library reads: fair between answers and new prompts. Pure.

Every running answer gets one token in each step, so a long prompt never stops the others. What is
left of the step is shared among the prompts that are still being read, in equal parts.
"""

from __future__ import annotations

from collections.abc import Sequence


def share_step(waiting: Sequence[int], room: int, *, answering: bool) -> list[int]:
    """How many tokens each conversation may put into this step.

    `waiting` holds how many tokens each of them has to read, at least one each; `room` is the size
    of a step and never below their number. While somebody's answer is running, prompts take half of
    a step, so that answers keep flowing.
    """
    shares = [1] * len(waiting)
    spare = room - len(waiting)
    if answering:
        spare = min(spare, room // 2)
    hungry = [place for place, count in enumerate(waiting) if count > 1]
    while spare > 0 and hungry:
        part = max(spare // len(hungry), 1)
        for place in hungry:
            more = min(part, waiting[place] - shares[place], spare)
            shares[place] += more
            spare -= more
        hungry = [place for place in hungry if waiting[place] > shares[place]]
    return shares
