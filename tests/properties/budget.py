"""How many examples a property tries."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings


def examples(ordinary: int = 500) -> Callable[[Any], Any]:
    """Return the settings of one property; `CLIPROXY_EXAMPLES` asks for another number."""
    return settings(
        max_examples=int(os.environ.get("CLIPROXY_EXAMPLES") or ordinary),
        deadline=None,
        # The examples are whole conversations: they take more choices than most.
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
