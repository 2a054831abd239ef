"""From one folder of logins to another while the proxy runs: no login is used up on the way.

The files may have been moved or copied, so that both keepers have the same refresh tokens. The
former one begins nothing more. Whatever it has under way the later one waits for, and takes over;
requests that still hold one of its logins get new tokens from the later one.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from cliproxy.account.credential import Credential
from cliproxy.base.json import Obj
from cliproxy.base.tasks import own
from cliproxy.keeper.renewal import Renewal
from cliproxy.keeper.shelf import well
from cliproxy.keeper.store import merged

_log: Final = logging.getLogger("cliproxy.accounts")


def hand_over(former: Renewal, later: Renewal) -> None:
    """Let one keeper go on where another ends."""
    moved: set[str] = set()
    for mine in former.shelf.all():
        theirs = later.shelf.find(mine.name)
        times = former.times.get(mine.name)
        unsaved = times.unsaved if times is not None else None
        base = mine.fields if unsaved is None else unsaved
        if theirs is None or not _same(base, theirs.fields):
            continue
        moved.add(mine.name)
        running = former.running.get(mine.name)
        if running is not None or unsaved is not None:
            taking = _Taking(mine, theirs, base, former, later)
            later.run(mine.name, own(taking.over(running)))
        else:
            later.journal.adopt(former.journal, mine.name, mine.refresh_token)
    former.closed, former.later, former.moved = True, later, frozenset(moved)


class _Taking:
    """One login, in both keepers."""

    def __init__(
        self, mine: Credential, theirs: Credential, base: Obj, former: Renewal, later: Renewal
    ) -> None:
        self._mine, self._theirs, self._base = mine, theirs, base
        self._former, self._later = former, later

    async def over(self, running: asyncio.Task[bool] | None) -> bool:
        """Wait for what the former keeper is doing; tell whether there is a new token by it."""
        mine, theirs, base = self._mine, self._theirs, self._base
        if running is not None:
            await asyncio.wait((running,))
        if not _same(base, theirs.fields):
            # Somebody has put another login, or a newer one, there meanwhile.
            return theirs.token != Credential(theirs.name, base).token
        if _tokens(mine.fields) == _tokens(base):
            theirs.state, theirs.problem, theirs.retry_at = mine.state, mine.problem, mine.retry_at
            self._later.times[theirs.name].failed = self._former.times[mine.name].failed
            self._later.journal.adopt(self._former.journal, mine.name, mine.refresh_token)
            return False
        await self._later.shelf.keep(theirs, merged(base, mine.fields, theirs.fields))
        well(theirs)
        _log.info("%s has its new token in the new folder, too", theirs.name)
        return True


def _same(one: Obj, other: Obj) -> bool:
    """Tell whether the fields of two files of the same name are of the same login."""
    first, second = _tokens(one), _tokens(other)
    return first[1] == second[1] if first[1] or second[1] else one == other


def _tokens(fields: Obj) -> tuple[str, str]:
    credential = Credential("", fields)
    return credential.token, credential.refresh_token
