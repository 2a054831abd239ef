"""What a login needs before a request can be made with it: a token that is good, and no gaps."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from cliproxy import login
from cliproxy.account.credential import Credential
from cliproxy.base.clock import Clock
from cliproxy.base.errors import UpstreamError, UpstreamUnreachable
from cliproxy.base.tasks import own
from cliproxy.keeper.linked import linked_file
from cliproxy.keeper.renewal import AFTER_FAILURE, Renewal, refreshable
from cliproxy.keeper.shelf import Shelf
from cliproxy.keeper.times import AllTimes
from cliproxy.login.flow import Problem

if TYPE_CHECKING:
    from cliproxy.keeper.keeper import Keeper

_log: Final = logging.getLogger("cliproxy.accounts")
SKEW: Final = 30.0
"""Seconds before its end that a token is no longer sent: clocks differ, requests take time."""


class Readiness:
    """Makes logins ready, or says why they cannot be."""

    def __init__(
        self, keeper: Keeper, shelf: Shelf, renewal: Renewal, times: AllTimes, clock: Clock
    ) -> None:
        self._keeper = keeper
        self._shelf = shelf
        self._renewal = renewal
        self._times = times
        self._clock = clock
        self._completing: dict[str, asyncio.Task[bool]] = {}

    def known(self, credential: Credential) -> bool:
        """Tell whether nothing is to be done, as far as that is known from the last time."""
        times = self._times.get(credential.name)
        return (
            times is not None
            and times.sendable is credential.fields
            and self._clock.now() < times.until
        )

    async def ready(self, credential: Credential) -> None:
        """Have a token that can be sent; see `Keeper.ready`."""
        expires, now = credential.expires, self._clock.now()
        # Of one that nobody can renew the upstream itself says what there is to say.
        if not fresh(credential, now) and (refreshable(credential) or not credential.token):
            renewed = await self._renewal.renew(credential, spent=credential.token)
            if not renewed and not (credential.token and expires is not None and expires > now):
                raise unusable(credential)
        if self._incomplete(credential):
            await self._complete_once(credential)
        elif credential.token:
            times, expires = self._times[credential.name], credential.expires
            times.sendable = credential.fields
            times.until = float("inf") if expires is None else expires - SKEW

    async def usable(self, credential: Credential) -> None:
        """Have a token that can be sent. Raises `Problem`."""
        if fresh(credential, self._clock.now()) or not refreshable(credential):
            return
        if not await self._renewal.renew(credential, spent=credential.token):
            raise Problem("network", credential.problem or "There is no token to ask with.")

    async def complete(self, credential: Credential) -> bool:
        """Find out what a login lacks; see `Keeper.complete`."""
        talk = login.get(credential.provider).complete(
            credential.fields, self._keeper.setting(credential.provider)
        )
        if talk is None:
            return False
        found = await self._keeper.talk(talk, credential)
        if not found:
            return False
        await self._shelf.keep(credential, {**credential.fields, **found})
        self._keeper.changed({credential.name})
        return True

    def _incomplete(self, credential: Credential) -> bool:
        provider = credential.provider
        return login.known(provider) and (
            login.get(provider).complete(credential.fields, self._keeper.setting(provider))
            is not None
        )

    async def _complete_once(self, credential: Credential) -> None:
        """Find what a login lacks, once for all who need it; a failure is not repeated soon."""
        times = self._times[credential.name]
        running = self._completing.get(credential.name)
        if running is None:
            now = self._clock.monotonic()
            if self._renewal.closed or now < times.incomplete + AFTER_FAILURE:
                return
            times.incomplete = now
            running = own(self.complete(credential))
            self._completing[credential.name] = running
            running.add_done_callback(lambda _: self._completing.pop(credential.name, None))
        try:
            await asyncio.shield(running)
        except Problem as err:
            credential.problem = err.message
            _log.warning("%s is not ready to be used: %s", credential.name, err.message)


def fresh(credential: Credential, now: float) -> bool:
    """Tell whether there is a token that can be sent. `now` is in Unix seconds."""
    expires = credential.expires
    return bool(credential.token) and (expires is None or expires - SKEW > now)


def unusable(credential: Credential) -> UpstreamError:
    """Return what a request is told of a login that has no token to send."""
    who = f"The login {credential.label} ({credential.provider})"
    if linked_file(credential.fields) is not None:
        return UpstreamError(
            f"{who} has ended; it belongs to another program: run that once, and it goes on.",
            status=401,
            code="login_ended",
        )
    match credential.state:
        case "network":
            return UpstreamUnreachable(f"{who} could not be refreshed: {credential.problem}")
        case "limited":
            return UpstreamError(
                f"{who} could not be refreshed yet: {credential.problem}",
                status=429,
                code="rate_limit_exceeded",
            )
        case "ok" | "refreshing" if refreshable(credential):
            # Its keeper has ended while it was in use; nothing is wrong with the login.
            return UpstreamUnreachable(f"{who} is not refreshed any more by this process")
        case _:
            why = credential.problem or "there is no refresh token"
            return UpstreamError(
                f"{who} must be made anew with cliproxy login: {why}",
                status=401,
                code="login_ended",
            )
