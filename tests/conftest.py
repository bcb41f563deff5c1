"""Settings every test shares: Hypothesis profiles. Fixtures live beside the tests that use them."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# `fast` is what `make test` runs; `deep` is for a night: HYPOTHESIS_PROFILE=deep make test.
# No deadline: two busy cores make honest examples slow now and then.
settings.register_profile(
    "fast", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("deep", parent=settings.get_profile("fast"), max_examples=3000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))
