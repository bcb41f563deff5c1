"""Whether a mint shows everybody the same keys: keys of its own would mark all coins of a wallet.

Asks over the two clients it is handed; what leads to them is not its affair.
"""

from __future__ import annotations

from collections.abc import Sequence

from wallet.errors import MintLied
from wallet.mint import MintClient
from wallet.schemas import KeysetHead


async def compare_keysets(
    client: MintClient, heads: Sequence[KeysetHead], stranger: MintClient
) -> None:
    """MintLied when `stranger`, who is closed at the end, sees other keysets than `heads`, those
    that `client` was shown. The mint may have changed them between the questions, so the first way
    is asked once more before it is accused."""
    try:
        others = _shown(await stranger.keysets())
    finally:
        await stranger.aclose()
    if others not in (_shown(heads), _shown(await client.keysets())):
        raise MintLied(
            f"The mint {client.url} shows different keys to different askers.",
            kept="Nothing was asked of it with these keys.",
            hint="Such keys can mark your ecash: do not use this mint.",
        )


def _shown(heads: Sequence[KeysetHead]) -> set[tuple[str, str, bool, int]]:
    return {(head.id, head.unit, head.active, head.input_fee_ppk or 0) for head in heads}
