"""The form of a Lightning address (name@host), for those who only want to know whether it is one.

Apart from `wallet.address`, so that reading the settings of a relay loads no HTTP client. Pure.
"""

from __future__ import annotations

import re

ADDRESS = re.compile(
    r"([a-z0-9_.+-]{1,64})@((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9])"
)


def is_lightning_address(text: str) -> bool:
    """Whether this has the form of a Lightning address."""
    return ADDRESS.fullmatch(text.strip().lower()) is not None
