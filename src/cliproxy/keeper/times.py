"""What is remembered of each login while the proxy runs, beside its credential."""

from __future__ import annotations

from collections import defaultdict
from typing import TypeAlias

from msgspec import Struct

from cliproxy.base.json import Obj
from cliproxy.base.redact import Hidden

_NEVER = float("-inf")


class Times(Hidden, Struct):
    """When something was last done about a login, on the monotonic clock; and what came of it."""

    tried: float = _NEVER
    failed: float = _NEVER
    incomplete: float = _NEVER
    """When what was missing was last looked for."""
    unsaved: Obj | None = None
    """What is in memory and not on the disk: the base it was made from."""
    sendable: Obj | None = None
    """The fields that were last found to be complete, with a token that is good `until` then.

    Fields are replaced and never edited, so that the same object says the same.
    """
    until: float = _NEVER
    """In Unix seconds, unlike the others."""


AllTimes: TypeAlias = defaultdict[str, Times]
"""By the name of the login."""
