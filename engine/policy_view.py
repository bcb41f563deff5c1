"""A policy document as the control protocol shows it, to clients and to its ghost's operator."""

from __future__ import annotations

from engine.control.protocol.ghost import GhostPolicyInfo
from engine.wire.policy import GhostPolicy


def policy_info(policy: GhostPolicy) -> GhostPolicyInfo:
    """The same in the protocol's shape."""
    return GhostPolicyInfo(
        retention=policy.retention,
        refused=list(policy.refused),
        moderation=policy.moderation,
        params=list(policy.params),
        images=policy.images,
        tools=policy.tools,
        user=policy.user,
        jurisdiction=policy.jurisdiction,
        provider=policy.provider,
    )
