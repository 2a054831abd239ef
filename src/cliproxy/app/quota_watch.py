"""What providers say is left of their accounts, brought to where accounts are chosen.

Asked for seldom, one account at a time, and only where it matters: where accounts are chosen by
what is left of them, and where an account rests, since limits often end before their time.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from cliproxy.account.credential import Credential
from cliproxy.account.model import Account
from cliproxy.base.clock import Clock
from cliproxy.base.tasks import spawn
from cliproxy.keeper.keeper import Keeper
from cliproxy.login.flow import Problem, Report
from cliproxy.routing.pool import Pool
from cliproxy.routing.quota import TOLD, Quota

_log: Final = logging.getLogger("cliproxy.routing")
EVERY: Final = 300.0
"""Seconds between two questions about the same account."""
AFTER_FAILURE: Final = 1800.0
"""Seconds until an account whose provider did not tell is asked about again."""
LEFT: Final = 2.0
"""Per cent that must be left of every window before a rest is thought to be over."""


class QuotaWatch:
    """Asks, and passes on. Outlives configurations."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next: dict[str, float] = {}
        self._busy = False

    def check(self, keeper: Keeper, pool: Pool, accounts: Iterable[Account]) -> None:
        """Ask about one account if one is due."""
        if self._busy:
            return
        now = self._clock.monotonic()
        for account in accounts:
            credential = account.credential
            if credential is None or now < self._next.get(credential.name, 0.0):
                continue
            if pool.by_quota or pool.rests(account.id):
                self._busy = True
                self._next[credential.name] = now + EVERY
                spawn(self._ask(keeper, credential), name="quota")
                return

    async def _ask(self, keeper: Keeper, credential: Credential) -> None:
        try:
            report = await keeper.quota(credential)
        except Problem as err:
            report = None
            _log.info("what is left of %s is not known: %s", credential.name, err.message)
        finally:
            self._busy = False
        if report is None:
            self._next[credential.name] = self._clock.monotonic() + AFTER_FAILURE


def take(pool: Pool, accounts: Iterable[Account], credential: Credential, report: Report) -> None:
    """Let a pool know what a provider said is left of a login."""
    for account in accounts:
        if account.credential is not credential:
            continue
        mine = [w for w in report.windows if not account.project or _in(w.id, account.project)]
        quotas: list[tuple[str, Quota]] = []
        for window in mine:
            if window.used_percent is None:
                continue
            share = min(1.0, max(0.0, window.used_percent / 100))
            row = Quota(
                f"{TOLD}{window.id}",
                window.period_seconds or 0.0,
                share,
                window.reset_at or 0.0,
                "model" if window.models else "account",
            )
            quotas += [(model, row) for model in window.models or ("",)]
        pool.tell(account.id, quotas)
        if quotas and all((1 - row.used) * 100 >= LEFT for _, row in quotas):
            over = pool.relieve(account.id)
            if over:
                _log.info("%s has something left again and rests no more", account.label)


def _in(window: str, project: str) -> bool:
    # Of a login with several projects each window's name begins with its own.
    return ":" not in window or window.startswith(f"{project}:")
