"""What providers tell of an account when asked: what is left, and which models there are."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from cliproxy import login
from cliproxy.account.credential import Credential
from cliproxy.base.clock import Clock
from cliproxy.base.tasks import own
from cliproxy.login.flow import ModelFound, Report

if TYPE_CHECKING:
    from cliproxy.keeper.keeper import Keeper

FRESH: Final = 60.0
"""Seconds that an answer about what is left is given again."""


class Questions:
    """Asks politely: once at a time per login, and not again within a minute."""

    def __init__(self, keeper: Keeper, clock: Clock) -> None:
        self._keeper = keeper
        self._clock = clock
        self._quotas: dict[str, tuple[float, Report | None]] = {}
        self._asking: dict[str, asyncio.Task[Report | None]] = {}

    async def quota(self, credential: Credential) -> Report | None:
        """Return what is left; None where the provider does not tell. Raises `Problem`."""
        known = self._quotas.get(credential.name)
        if known is not None and self._clock.monotonic() - known[0] < FRESH:
            return known[1]
        running = self._asking.get(credential.name)
        if running is None:
            running = own(self._ask_quota(credential))
            self._asking[credential.name] = running
            running.add_done_callback(lambda _: self._asking.pop(credential.name, None))
        return await asyncio.shield(running)

    async def models(self, credential: Credential) -> list[ModelFound] | None:
        """Return the models; None where the provider does not tell. Raises `Problem`."""
        provider = credential.provider
        if not login.known(provider):
            return None
        found = login.get(provider)
        if found.models(credential.fields, self._keeper.setting(provider)) is None:
            return None
        await self._keeper.usable(credential)
        talk = found.models(credential.fields, self._keeper.setting(provider))
        return await self._keeper.talk(talk, credential) if talk is not None else None

    async def _ask_quota(self, credential: Credential) -> Report | None:
        provider = credential.provider
        report: Report | None = None
        if login.known(provider):
            found = login.get(provider)
            if found.quota(credential.fields, self._keeper.setting(provider)) is not None:
                await self._keeper.usable(credential)
                # Made anew: the token may be another one by now.
                talk = found.quota(credential.fields, self._keeper.setting(provider))
                if talk is not None:
                    report = await self._keeper.talk(talk, credential)
        self._quotas[credential.name] = (self._clock.monotonic(), report)
        if report is not None:
            self._keeper.told(credential, report)
        return report
