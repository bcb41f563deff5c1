"""Amounts of data and costs of traffic shapes in words, for the screen and the command line."""

from __future__ import annotations


def data_size(count: float) -> str:
    """Bytes for people, in steps of a thousand.

    >>> data_size(131_072), data_size(983_040), data_size(58_982_400)
    ('131 kB', '983 kB', '59 MB')
    """
    if count < 1_000:
        return f"{count:.0f} B"
    for unit in ("kB", "MB", "GB"):
        count /= 1_000
        if count < 999.5:
            return f"{count:.0f} {unit}" if count >= 10 else f"{count:.1f} {unit}"
    return f"{count / 1_000:.1f} TB"


def shape_cost(bytes_per_minute: int | None, least_bytes: int | None, least_s: float | None) -> str:
    """The cost of a traffic shape, each way, in a line."""
    if bytes_per_minute is None:
        return "only what the text needs"
    if least_bytes is None:
        return f"{data_size(bytes_per_minute)} a minute each way, all the time"
    seconds = f"{least_s:.0f} s" if least_s is not None else "a run"
    return (
        f"{data_size(least_bytes)} each way at least ({seconds}), "
        f"then {data_size(bytes_per_minute)} a minute"
    )


def shape_leak(leak_bits: float | None) -> str:
    """What an answer tells the guard at most, in a few words."""
    if leak_bits is None:
        return "tells length and rhythm: weaker"
    if leak_bits == 0:
        return "tells nothing of answers"
    return f"tells at most {leak_bits:.0f} bit an answer"
