"""Limits that are known beforehand: so many requests of one account in a minute.

A host that counts so does not say it in its answers, and takes what comes on top amiss. So the
request that would be one too many goes to another account, or is told when to come back.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from cliproxy.base.errors import RateLimited

PER_MINUTE: Final = {"qwen": 60}
"""By provider; the others say in their answers how much they take."""
_MINUTE: Final = 60.0


class Rates:
    """When the last requests of each such account were made."""

    def __init__(self) -> None:
        self._made: dict[str, deque[float]] = {}

    def count(self, account: str, most: int, now: float) -> None:
        """Count a request. Raises `RateLimited` (another account may be asked) for one too many."""
        made = self._made.get(account)
        if made is None:
            made = self._made[account] = deque(maxlen=most)
        if len(made) == most and (wait := made[0] + _MINUTE - now) > 0:
            raise RateLimited(
                f"The account takes {most} requests a minute, and has had them; the next one can "
                f"be made in {wait:.0f} s.",
                retry_after=wait,
                next_account=True,
            )
        made.append(now)
