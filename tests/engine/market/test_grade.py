"""What grade of payment two policies make, or why they do not meet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.errors import GhostError
from engine.market.grade import Grade
from tests.engine.market.make_vectors import POINT, quote

OPEN = replace(quote(), lock=b"")
OFFERED = replace(quote(), lock=POINT)
ONLY = replace(OFFERED, locked_only=True)
KEY = POINT.hex()


@pytest.mark.parametrize(
    ("found", "policy", "expected"),
    [
        (OPEN, "off", Grade()),
        (OPEN, "when-offered", Grade()),
        (OFFERED, "off", Grade()),
        (OFFERED, "when-offered", Grade(KEY)),
        (OFFERED, "always", Grade(KEY, must=True)),
        (ONLY, "when-offered", Grade(KEY, must=True)),
        (ONLY, "always", Grade(KEY, must=True)),
    ],
)
def test_both_sides_choose(found: object, policy: str, expected: Grade) -> None:
    assert Grade.of(found, policy) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(("found", "policy"), [(OPEN, "always"), (ONLY, "off")])
def test_policies_that_do_not_meet(found: object, policy: str) -> None:
    with pytest.raises(GhostError) as caught:
        Grade.of(found, policy)  # type: ignore[arg-type]
    assert "Nothing was paid" in caught.value.kept
    assert "lock_chunks" in caught.value.hint
