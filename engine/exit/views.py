"""A ghost's upstreams and own models as the control protocol shows them: states and counts."""

from __future__ import annotations

from dataclasses import asdict

from engine.control.protocol.ghost import GhostUpstream, LocalEngine
from engine.exit.local_models import counting
from engine.exit.upstreams import Upstreams


def upstreams_of(upstreams: Upstreams) -> list[GhostUpstream]:
    """In the order of the settings."""
    return [GhostUpstream(**asdict(one)) for one in upstreams.status()]


def engines_of(upstreams: Upstreams) -> list[LocalEngine]:
    """The models of this process with what they computed; none for a ghost of providers alone."""
    found = []
    for model, stats in counting(upstreams.pool.backends()).items():
        facts = upstreams.facts.get(model)
        found.append(
            LocalEngine(
                model=model,
                running=stats.running,
                waiting=stats.waiting,
                kept=stats.resting,
                tokens_in=stats.tokens_in,
                tokens_cached=stats.tokens_cached,
                tokens_out=stats.tokens_out,
                context=facts.context if facts is not None else 0,
            )
        )
    return found
