"""Refreshing, once per login at a time, and never with a token whose fate is unknown.

In this process tasks wait for the one that runs. Between processes there is a lease, after which
the file is read again: somebody else may have been faster. What a refresh brought is put into the
`Credential` first and to the disk afterwards; a disk that refuses is tried again, the login works
meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from cliproxy import login
from cliproxy.account.credential import Credential, State
from cliproxy.base.clock import Clock
from cliproxy.base.tasks import own
from cliproxy.keeper.journal import Journal
from cliproxy.keeper.linked import linked_file
from cliproxy.keeper.shelf import Shelf, well
from cliproxy.keeper.times import AllTimes
from cliproxy.login.flow import Problem

if TYPE_CHECKING:
    from cliproxy.keeper.keeper import Keeper

_log: Final = logging.getLogger("cliproxy.accounts")
AGAIN: Final = 60.0
"""Seconds in which a login is not refreshed twice ahead of need, whatever the clock does."""
AFTER_FAILURE: Final = 300.0
"""Seconds until a refresh that failed is tried again ahead of need."""
ON_DEMAND: Final = 10.0
"""Seconds until a refresh that failed is tried again for a request."""
_FINAL: Final = frozenset({"needs_login", "revoked"})
_STATES: Final[dict[str, State]] = {
    "needs_login": "needs_login",
    "revoked": "revoked",
    "limited": "limited",
    "refused": "needs_login",
}


class Renewal:
    """Gets new tokens.

    Attributes:
        running: the refreshes that run, by the name of the login.
        closed: whether none may begin any more.
        later: who refreshes instead, once closed: the keeper of another folder.
        moved: the names of the logins that are there, too.
    """

    def __init__(
        self, keeper: Keeper, shelf: Shelf, times: AllTimes, clock: Clock, journal: Journal
    ) -> None:
        self.shelf = shelf
        self.times = times
        self.journal = journal
        self.running: dict[str, asyncio.Task[bool]] = {}
        self.closed = False
        self.later: Renewal | None = None
        self.moved: frozenset[str] = frozenset()
        self._keeper = keeper
        self._clock = clock

    async def renew(self, credential: Credential, *, spent: str) -> bool:
        """Replace an access token that is used up; see `Keeper.renew`."""
        self.shelf.follow(credential)
        if credential.token and credential.token != spent:
            return True
        if not refreshable(credential):
            return False
        running = self.running.get(credential.name)
        if running is None:
            if self.closed:
                return await self._renewed_later(credential, spent)
            if credential.state in _FINAL:
                return False
            if self._clock.monotonic() < self.times[credential.name].failed + ON_DEMAND:
                return False
            running = self.run(credential.name, own(self._renew(credential, spent)))
        # Whoever waits may go away; the refresh must not.
        return await asyncio.shield(running)

    def run(self, name: str, task: asyncio.Task[bool]) -> asyncio.Task[bool]:
        """Let all who need a login's new token wait for a task."""
        self.running[name] = task
        task.add_done_callback(lambda _: self.running.pop(name, None))
        return task

    def is_due(self, credential: Credential) -> bool:
        """Tell whether a login is to be refreshed now, ahead of need."""
        times = self.times[credential.name]
        return (
            credential.name not in self.running
            and self._clock.monotonic() >= max(times.tried + AGAIN, times.failed + AFTER_FAILURE)
            and due(credential, self._clock.now())
        )

    async def close(self) -> None:
        """Begin nothing more, and let refreshes end that run: broken off they would cost logins."""
        self.closed = True
        await asyncio.gather(*self.running.values(), return_exceptions=True)

    async def _renewed_later(self, credential: Credential, spent: str) -> bool:
        """Have a login's token from whoever refreshes it now."""
        if self.later is None or credential.name not in self.moved:
            return False
        theirs = self.later.shelf.find(credential.name)
        if theirs is None or not await self.later.renew(theirs, spent=spent):
            return False
        credential.fields = theirs.fields
        return True

    async def _renew(self, credential: Credential, spent: str) -> bool:
        times = self.times[credential.name]
        times.tried = self._clock.monotonic()
        credential.state = "refreshing"
        try:
            async with self.shelf.store.lease(credential.name):
                await self.shelf.read_again(credential)
                if credential.token and credential.token != spent:
                    _log.info("%s was refreshed by another process", credential.name)
                    well(credential)
                    return True
                await self._refresh(credential)
        except Problem as err:
            times.failed = self._clock.monotonic()
            wait = err.retry_after or 0.0
            times.failed += max(0.0, wait - ON_DEMAND)
            credential.state = _STATES.get(err.kind, "network")
            credential.problem = err.message
            credential.retry_at = self._clock.now() + max(wait, ON_DEMAND)
            _log.warning("%s could not be refreshed: %s", credential.name, err.message)
            return False
        except BaseException:
            credential.state = "network"
            credential.problem = "the refresh was broken off"
            raise
        well(credential)
        _log.info("%s has a new token", credential.name)
        return True

    async def _refresh(self, credential: Credential) -> None:
        """Get a new token for a login that this process has the lease of. Raises `Problem`."""
        name, used = credential.name, credential.refresh_token
        if not self.journal.begin(name, used):
            raise Problem(
                "needs_login",
                "The answers to the last refreshes were lost, so its refresh token may be spent; "
                "using it again could end the login. Log in again.",
            )
        await self._keeper.know(credential.provider)
        talk = login.get(credential.provider).refresh(
            credential.fields, self._keeper.setting(credential.provider)
        )
        try:
            changes = await self._keeper.talk(talk, credential)
        except Problem as err:
            if err.kind != "unknown_outcome":
                self.journal.end(name, used)
            raise
        await self.shelf.keep(credential, {**credential.fields, **changes})
        # Only now: until the new token is on the disk the old one must not be trusted.
        if not self.shelf.unsaved(credential):
            self.journal.end(name, used)


def refreshable(credential: Credential) -> bool:
    """Tell whether a new token can be got without a person, and is ours to get."""
    if linked_file(credential.fields) is not None or not login.known(credential.provider):
        return False
    return login.get(credential.provider).renewable(credential.fields)


def due(credential: Credential, now: float) -> bool:
    """Tell whether a login is to be refreshed ahead of need. `now` is in Unix seconds."""
    if credential.state in _FINAL or credential.flag("disabled") or not refreshable(credential):
        return False
    wanted = credential.refresh_interval
    lead = login.get(credential.provider).ahead(credential.fields) if wanted is None else wanted
    if lead <= 0:
        return False
    expires, refreshed = credential.expires, credential.refreshed
    if expires is None:
        return refreshed is None or now - refreshed >= lead
    if wanted is not None and refreshed is not None and now - refreshed >= wanted:
        return True
    if refreshed is not None and expires > refreshed:
        # A token that lasts less than that would be due as soon as it is there.
        lead = min(lead, (expires - refreshed) / 2)
    return expires - now <= lead
