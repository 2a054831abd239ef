"""Logins while the proxy runs: loaded, kept fresh, written back, never lost.

The public face of it. `shelf.py` has the files, `renewal.py` the refreshes, `readiness.py` what a
request waits for, `handover.py` the change to another folder.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar

from cliproxy.account.credential import Credential
from cliproxy.account.model import Account
from cliproxy.base.clock import SYSTEM_CLOCK, Clock
from cliproxy.base.json import Json, Obj
from cliproxy.base.tasks import spawn
from cliproxy.keeper.client_secrets import APPS
from cliproxy.keeper.discovery import Discovery
from cliproxy.keeper.handover import hand_over
from cliproxy.keeper.journal import Journal
from cliproxy.keeper.questions import Questions
from cliproxy.keeper.readiness import Readiness
from cliproxy.keeper.renewal import AFTER_FAILURE, AGAIN, Renewal, due, refreshable
from cliproxy.keeper.settings import AT_ONCE, Settings
from cliproxy.keeper.shelf import Shelf
from cliproxy.keeper.store import Store
from cliproxy.keeper.talking import converse
from cliproxy.keeper.times import AllTimes, Times
from cliproxy.login.flow import Client, LoggedIn, ModelFound, Report, Setting, Talk
from cliproxy.transport.client import Transport

_log: Final = logging.getLogger("cliproxy.accounts")
CHECK: Final = 1.0
"""Seconds between two looks at what is to be refreshed or has changed on the disk."""
T = TypeVar("T")


class Keeper:
    """Keeps the logins of one store."""

    def __init__(
        self,
        store: Store,
        transport: Transport,
        *,
        clock: Clock = SYSTEM_CLOCK,
        settings: Settings | None = None,
        journal: Path | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.store = store
        self.changed: Callable[[set[str]], None] = unheard
        """Hears the names of logins that came, went, or were edited otherwise than by a refresh."""
        self.told: Callable[[Credential, Report], None] = untold
        """Hears what is left of a login whenever its provider was asked."""
        self._transport = transport
        self._clock = clock
        self._secrets: dict[str, str] = {}
        self._times: AllTimes = defaultdict(Times)
        self._shelf = Shelf(store, self._times, self._heard)
        self._renewal = Renewal(self, self._shelf, self._times, clock, Journal(journal))
        self._readiness = Readiness(self, self._shelf, self._renewal, self._times, clock)
        self._questions = Questions(self, clock)
        self.discovery = Discovery(self, clock, journal)

    # ---- what there is --------------------------------------------------------------------------
    def credentials(self) -> list[Credential]:
        """Return all logins, in the order of their names."""
        return self._shelf.sorted()

    def find(self, name: str) -> Credential | None:
        """Return a login by the name of its file."""
        return self._shelf.find(name)

    def remark(self, credential: Credential) -> str:
        """Return what is wrong with a login, or with where it is kept; "" = nothing."""
        return credential.problem or self.store.remark(credential.name)

    def setting(self, provider: str, **options: str) -> Setting:
        """Return what talks with a provider may know."""
        return Setting(
            now=self._clock.now(),
            endpoints=self.settings.endpoints.get(provider, {}),
            client=self._client(provider),
            options=options,
        )

    async def know(self, provider: str) -> None:
        """Look for the secret of a provider's OAuth client, where it needs one and nobody said it.

        Programs on this machine are looked through once, which takes a moment.
        """
        if provider not in APPS or provider in self._secrets or self._client(provider).secret:
            return
        self._secrets[provider] = await asyncio.to_thread(self.settings.find_secret, provider)

    def _client(self, provider: str) -> Client:
        client = self.settings.clients.get(provider, Client(""))
        found = self._secrets.get(provider)
        return Client(client.id, found) if found and not client.secret else client

    # ---- for requests ---------------------------------------------------------------------------
    async def ready(self, account: Account) -> None:
        """Have a token that can be sent. Raises an `UpstreamError` when there can be none now."""
        credential = account.credential
        if credential is not None and not self._readiness.known(credential):
            await self._readiness.ready(credential)

    async def renew(self, credential: Credential, *, spent: str) -> bool:
        """Replace an access token that is used up; tell whether there is another one now.

        Any number of callers lead to one refresh. A login that must be renewed by its owner is not
        asked for again.
        """
        return await self._renewal.renew(credential, spent=spent)

    async def complete(self, credential: Credential) -> bool:
        """Find out what a login lacks before it can be used; tell whether something was found.

        Raises `Problem`.
        """
        return await self._readiness.complete(credential)

    async def usable(self, credential: Credential) -> None:
        """Have a token that can be sent. Raises `Problem`."""
        await self._readiness.usable(credential)

    # ---- questions ------------------------------------------------------------------------------
    async def quota(self, credential: Credential) -> Report | None:
        """Ask what is left of an account; None where its provider does not tell.

        An answer is good for a minute, and whoever asks while another asks gets the same one.
        Raises `Problem`.
        """
        return await self._questions.quota(credential)

    async def models(self, credential: Credential) -> list[ModelFound] | None:
        """Ask which models an account may use; None where its provider does not tell.

        Raises `Problem`.
        """
        return await self._questions.models(credential)

    async def talk(self, talk: Talk[T], credential: Credential) -> T:
        """Talk with a login's provider, through the login's proxy. Raises `Problem`."""
        proxy = credential.text("proxy_url") or credential.text("proxy-url")
        return await converse(
            talk, self._transport, self._clock, proxy=proxy or self.settings.proxy
        )

    def _heard(self, names: set[str]) -> None:
        # Looked up each time: whoever listens comes after the shelf was made.
        self.changed(names)

    # ---- ahead of need --------------------------------------------------------------------------
    def check(self) -> None:
        """Look once: at the files, and at who needs a new token soon."""
        self.reload()
        every = self.settings.models_every
        if (asked := self.discovery.due(every)) is not None:
            spawn(self._discover(asked, every), name="list-models")
        # What is begun here runs only after this look.
        free = self.settings.workers - len(self._renewal.running)
        for credential in self._shelf.all():
            if self._shelf.unsaved(credential):
                spawn(self._shelf.save_again(credential), name="save-login")
            if free > 0 and self._renewal.is_due(credential):
                free -= 1
                spawn(self.renew(credential, spent=credential.token), name="refresh-login")

    async def _discover(self, credential: Credential, every: float) -> None:
        if await self.discovery.ask(credential, every):
            _log.info("%s has other models than before", credential.name)
            self.changed({credential.name})

    def reload(self) -> None:
        """Take over what others have written."""
        self._shelf.reload()

    # ---- by the owner ---------------------------------------------------------------------------
    async def save(self, name: str, fields: Obj) -> Credential:
        """Keep a login under a name, new or instead of what is there. Raises `OSError`."""
        return await self._shelf.save(name, fields)

    async def edit(self, name: str, changes: Mapping[str, Json]) -> Credential:
        """Set fields of a login; None removes one. Raises `KeyError`, `OSError`."""
        return await self._shelf.edit(name, changes)

    async def delete(self, name: str) -> bool:
        """Remove a login; tell whether there was one."""
        return await self._shelf.delete(name)

    async def add(self, new: LoggedIn) -> Credential:
        """Keep a login that has just been made; what its owner set on an older one stays."""
        return await self._shelf.add(new)

    # ---- the end --------------------------------------------------------------------------------
    def succeed(self, former: Keeper) -> None:
        """Go on after the keeper of another folder, which begins nothing more and is to be closed.

        Requests that hold one of its logins have its new tokens from here, where that is the same
        login.
        """
        former.changed, former.told = unheard, untold
        hand_over(former._renewal, self._renewal)

    async def close(self) -> None:
        """Begin nothing more, and let refreshes end that run: broken off they would cost logins."""
        await self._renewal.close()
        for credential in self._shelf.all():
            # The last try for what a disk has refused.
            await self._shelf.save_again(credential)


def unheard(names: set[str]) -> None:
    """Be told in vain."""
    del names


def untold(credential: Credential, report: Report) -> None:
    """Be told in vain."""
    del credential, report


__all__ = [
    "AFTER_FAILURE",
    "AGAIN",
    "AT_ONCE",
    "CHECK",
    "Keeper",
    "Settings",
    "due",
    "refreshable",
    "unheard",
    "untold",
]
