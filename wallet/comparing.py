"""Learning a mint's keys, and whether it shows everybody the same: keys of its own would mark all
coins of a wallet.

Asks over the clients it is handed; what leads to them is not its affair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from wallet.ecash.keysets import Keyset, keyset_version
from wallet.errors import MintLied
from wallet.mint import MintClient
from wallet.schemas import KeysetHead

KINDS = ("00", "01")


async def learn_keysets(
    client: MintClient, known: Mapping[str, Keyset], stranger: MintClient | None
) -> dict[str, Keyset]:
    """All keysets of the client's unit; of those that are known only the state is updated.
    MintLied when the stranger, where there is one, is shown others, or when there are none."""
    heads = await client.keysets()
    if stranger is not None:
        await _compare_heads(client, heads, stranger)
    listed = {head.id for head in heads}
    # One that is not listed any more signs nothing, and no word on its end holds.
    found = {
        keyset.id: keyset
        if keyset.id in listed
        else replace(keyset, active=False, final_expiry=None)
        for keyset in known.values()
    }
    for head in heads:
        if head.unit == client.unit and head.id.startswith(KINDS):
            found[head.id] = await _learn(client, head, known.get(head.id), stranger)
    if not found:
        raise MintLied(
            f"The mint {client.url} has no keyset for {client.unit}.", hint="Use another mint."
        )
    return found


async def _learn(
    client: MintClient, head: KeysetHead, old: Keyset | None, stranger: MintClient | None
) -> Keyset:
    """The keys of a known keyset stay what they were, whatever its state is now."""
    fee = head.input_fee_ppk or 0
    if old is not None:
        changed = replace(
            old, active=head.active, input_fee_ppk=fee, final_expiry=head.final_expiry
        )
        # Ids of version 2 commit to everything but whether it signs: what changed is looked into.
        if changed == replace(old, active=head.active) or keyset_version(head.id) == 1:
            return changed
    keyset = await client.keyset(head)
    # Two sets of keys with one short id can be found (2^28 tries); with one of version 2 not.
    short = keyset_version(head.id) == 1
    if stranger is not None and short and (await stranger.keyset(head)).keys != keyset.keys:
        raise _differs(client)
    return keyset


async def _compare_heads(
    client: MintClient, heads: Sequence[KeysetHead], stranger: MintClient
) -> None:
    """The mint may have changed them between the questions, so the first way is asked once more
    before it is accused."""
    others = _shown(await stranger.keysets())
    if others not in (_shown(heads), _shown(await client.keysets())):
        raise _differs(client)


def _differs(client: MintClient) -> MintLied:
    return MintLied(
        f"The mint {client.url} shows different keys to different askers.",
        kept="Nothing was asked of it with these keys.",
        hint="Such keys can mark your ecash: do not use this mint.",
    )


def _shown(heads: Sequence[KeysetHead]) -> set[tuple[str, str, bool, int, int | None]]:
    return {
        (head.id, head.unit, head.active, head.input_fee_ppk or 0, head.final_expiry)
        for head in heads
    }
