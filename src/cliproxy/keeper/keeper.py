"""Logins while the proxy runs: loaded, kept fresh, written back, never lost.

All refreshing goes through `renew`: once per login at a time, in this process (tasks wait for the
one that runs) and between processes (a lease, then the file is read again: somebody else may have
been faster). What a refresh brought is put into the `Credential` first and to the disk afterwards;
a disk that refuses is tried again, the login works meanwhile.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar

from msgspec import Struct, field

from cliproxy import login
from cliproxy.account.credential import Credential, State
from cliproxy.account.model import Account
from cliproxy.base.clock import SYSTEM_CLOCK, Clock
from cliproxy.base.errors import UpstreamError, UpstreamUnreachable
from cliproxy.base.json import Json, Obj
from cliproxy.base.redact import Hidden
from cliproxy.base.tasks import own, spawn
from cliproxy.keeper.client_secrets import APPS
from cliproxy.keeper.discovery import Discovery
from cliproxy.keeper.journal import Journal
from cliproxy.keeper.linked import linked_file, read_linked, with_link, without_tokens
from cliproxy.keeper.questions import Questions
from cliproxy.keeper.store import Conflict, Store, Stored, merged
from cliproxy.keeper.talking import converse
from cliproxy.login.flow import (
    Client,
    LoggedIn,
    ModelFound,
    Problem,
    Report,
    Setting,
    Talk,
)
from cliproxy.transport.client import Transport

_log: Final = logging.getLogger("cliproxy.accounts")
CHECK: Final = 1.0
"""Seconds between two looks at what is to be refreshed or has changed on the disk."""
AGAIN: Final = 60.0
"""Seconds in which a login is not refreshed twice ahead of need, whatever the clock does."""
AFTER_FAILURE: Final = 300.0
"""Seconds until a refresh that failed is tried again ahead of need."""
ON_DEMAND: Final = 10.0
"""Seconds until a refresh that failed is tried again for a request."""
SKEW: Final = 30.0
"""Seconds before its end that a token is no longer sent: clocks differ, requests take time."""
AT_ONCE: Final = 16
T = TypeVar("T")
_FINAL: Final = frozenset({"needs_login", "revoked"})


def no_secret(provider: str) -> str:
    """Find nothing."""
    del provider
    return ""


class Settings(Hidden, Struct, frozen=True):
    """What the configuration says about logins."""

    endpoints: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    clients: Mapping[str, Client] = field(default_factory=dict)
    proxy: str | None = None
    find_secret: Callable[[str], str] = no_secret
    """Finds the secret of a provider's OAuth client on this machine; "" = there is none."""
    workers: int = AT_ONCE
    """How many logins are renewed at once ahead of need."""
    models_every: float = 21600.0
    """Seconds after which providers are asked again which models there are; 0 = never."""


class _Times(Hidden, Struct):
    """When something was last done about a login, on the monotonic clock."""

    tried: float = float("-inf")
    failed: float = float("-inf")
    incomplete: float = float("-inf")
    """When what was missing was last looked for."""
    unsaved: Obj | None = None
    """What is in memory and not on the disk: the base it was made from."""


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
        self._transport = transport
        self._clock = clock
        self._journal = Journal(journal)
        self._credentials: dict[str, Credential] = {}
        self._running: dict[str, asyncio.Task[bool]] = {}
        self._completing: dict[str, asyncio.Task[bool]] = {}
        self._secrets: dict[str, str] = {}
        self._times: dict[str, _Times] = {}
        self._questions = Questions(self, clock)
        self.discovery = Discovery(self, clock, journal)
        self._closed = False
        self._stamp: object = None
        self._links: dict[str, object] = {}
        self.changed: Callable[[set[str]], None] = unheard
        """Hears the names of logins that came, went, or were edited otherwise than by a refresh."""
        self.told: Callable[[Credential, Report], None] = untold
        """Hears what is left of a login whenever its provider was asked."""
        self._take(self.store.snapshot())
        self._stamp = self.store.stamp()

    # ---- what there is --------------------------------------------------------------------------
    def credentials(self) -> list[Credential]:
        """Return all logins, in the order of their names."""
        return [self._credentials[name] for name in sorted(self._credentials)]

    def find(self, name: str) -> Credential | None:
        """Return a login by the name of its file."""
        return self._credentials.get(name)

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

    async def close(self) -> None:
        """Begin nothing more, and let refreshes end that run: broken off they would cost logins."""
        self._closed = True
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    # ---- for requests ---------------------------------------------------------------------------
    async def ready(self, account: Account) -> None:
        """Have a token that can be sent. Raises an `UpstreamError` when there can be none now."""
        credential = account.credential
        if credential is None:
            return
        expires, now = credential.expires, self._clock.now()
        fresh = credential.token and (expires is None or expires - SKEW > now)
        # Of one that nobody can renew the upstream itself says what there is to say.
        if not fresh and not (credential.token and not refreshable(credential)):
            renewed = await self.renew(credential, spent=credential.token)
            if not renewed and not (credential.token and expires is not None and expires > now):
                raise unusable(credential)
        if self._incomplete(credential):
            await self._complete_once(credential)

    async def renew(self, credential: Credential, *, spent: str) -> bool:
        """Replace an access token that is used up; tell whether there is another one now.

        Any number of callers lead to one refresh. A login that must be renewed by its owner is not
        asked for again.
        """
        self._follow_links()
        if credential.token and credential.token != spent:
            return True
        if self._closed or not refreshable(credential):
            return False
        times = self._of(credential)
        running = self._running.get(credential.name)
        if running is None:
            if credential.state in _FINAL:
                return False
            if self._clock.monotonic() < times.failed + ON_DEMAND:
                return False
            running = own(self._renew(credential, spent))
            self._running[credential.name] = running
            running.add_done_callback(lambda _: self._running.pop(credential.name, None))
        # Whoever waits may go away; the refresh must not.
        return await asyncio.shield(running)

    def _incomplete(self, credential: Credential) -> bool:
        provider = credential.provider
        return login.known(provider) and (
            login.get(provider).complete(credential.fields, self.setting(provider)) is not None
        )

    async def _complete_once(self, credential: Credential) -> None:
        """Find what a login lacks, once for all who need it; a failure is not repeated soon."""
        times = self._of(credential)
        running = self._completing.get(credential.name)
        if running is None:
            if self._closed or self._clock.monotonic() < times.incomplete + AFTER_FAILURE:
                return
            times.incomplete = self._clock.monotonic()
            running = own(self.complete(credential))
            self._completing[credential.name] = running
            running.add_done_callback(lambda _: self._completing.pop(credential.name, None))
        try:
            await asyncio.shield(running)
        except Problem as err:
            credential.problem = err.message
            _log.warning("%s is not ready to be used: %s", credential.name, err.message)

    async def complete(self, credential: Credential) -> bool:
        """Find out what a login lacks before it can be used; tell whether something was found.

        Raises `Problem`.
        """
        talk = login.get(credential.provider).complete(
            credential.fields, self.setting(credential.provider)
        )
        if talk is None:
            return False
        found = await self.talk(talk, credential)
        if not found:
            return False
        await self._keep(credential, {**credential.fields, **found})
        self.changed({credential.name})
        return True

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
        return await converse(talk, self._transport, self._clock, proxy=self._proxy(credential))

    async def usable(self, credential: Credential) -> None:
        """Have a token that can be sent. Raises `Problem`."""
        expires = credential.expires
        if credential.token and (expires is None or expires - SKEW > self._clock.now()):
            return
        if refreshable(credential) and not await self.renew(credential, spent=credential.token):
            raise Problem("network", credential.problem or "There is no token to ask with.")

    # ---- ahead of need --------------------------------------------------------------------------
    def check(self) -> None:
        """Look once: at the files, and at who needs a new token soon."""
        self.reload()
        every = self.settings.models_every
        if (asked := self.discovery.due(every)) is not None:
            spawn(self._discover(asked, every), name="list-models")
        now = self._clock.monotonic()
        for credential in self._credentials.values():
            times = self._of(credential)
            if times.unsaved is not None:
                spawn(self._save_again(credential), name="save-login")
            if len(self._running) >= self.settings.workers:
                return
            if (
                credential.name not in self._running
                and now >= max(times.tried + AGAIN, times.failed + AFTER_FAILURE)
                and due(credential, self._clock.now())
            ):
                spawn(self.renew(credential, spent=credential.token), name="refresh-login")

    async def _discover(self, credential: Credential, every: float) -> None:
        if await self.discovery.ask(credential, every):
            _log.info("%s has other models than before", credential.name)
            self.changed({credential.name})

    def reload(self) -> None:
        """Take over what others have written."""
        self._follow_links()
        stamp = self.store.stamp()
        if stamp != self._stamp:
            self._stamp = stamp
            self._take(self.store.snapshot())

    # ---- by the owner ---------------------------------------------------------------------------
    async def save(self, name: str, fields: Obj) -> Credential:
        """Keep a login under a name, new or instead of what is there. Raises `OSError`."""
        known = await self.store.get(name)
        version = known.version if known is not None else None
        while True:
            try:
                written = await self.store.put(name, without_tokens(fields), version)
            except Conflict as err:
                version = err.now.version if err.now is not None else None
            else:
                break
        self._stamp = None
        credential = self._credentials.get(name)
        if credential is None:
            credential = self._credentials[name] = Credential(name, with_link(fields), written)
        else:
            credential.fields, credential.version = with_link(fields), written
        self._renewed(credential)
        self.changed({name})
        return credential

    async def edit(self, name: str, changes: Mapping[str, Json]) -> Credential:
        """Set fields of a login; None removes one. Raises `KeyError`, `OSError`."""
        credential = self._credentials[name]
        fields = {**credential.fields, **changes}
        wanted = {key: value for key, value in fields.items() if value is not None}
        await self._write(credential, wanted)
        self.changed({name})
        return credential

    async def delete(self, name: str) -> bool:
        """Remove a login; tell whether there was one."""
        gone = await self.store.delete(name)
        if self._credentials.pop(name, None) is not None:
            self._times.pop(name, None)
            self.changed({name})
        return gone

    async def add(self, new: LoggedIn) -> Credential:
        """Keep a login that has just been made; what its owner set on an older one stays."""
        name = new.name
        old = self._credentials.get(name)
        if old is not None and (other := told_apart(old.fields, new.fields)):
            # The same person in another organisation: another account, not a newer login.
            name = f"{name.removesuffix('.json')}-{other}.json"
            old = self._credentials.get(name)
        fields = {**old.fields, **new.fields} if old is not None else dict(new.fields)
        return await self.save(name, fields)

    # ---- within ---------------------------------------------------------------------------------
    def _of(self, credential: Credential) -> _Times:
        return self._times.setdefault(credential.name, _Times())

    def _proxy(self, credential: Credential) -> str | None:
        return credential.text("proxy_url") or credential.text("proxy-url") or self.settings.proxy

    def _take(self, found: list[Stored]) -> None:
        changed: set[str] = set()
        names = {stored.name for stored in found}
        for name in [n for n in self._credentials if n not in names]:
            del self._credentials[name]
            changed.add(name)
        for stored in found:
            credential = self._credentials.get(stored.name)
            if credential is None:
                self._credentials[stored.name] = Credential(
                    stored.name, with_link(stored.fields), stored.version
                )
                changed.add(stored.name)
            elif credential.version != stored.version and not self._unsaved(credential):
                credential.fields = with_link(stored.fields)
                credential.version = stored.version
                self._renewed(credential)
                changed.add(stored.name)
        if changed:
            self.changed(changed)

    def _unsaved(self, credential: Credential) -> bool:
        return self._of(credential).unsaved is not None

    def _renewed(self, credential: Credential) -> None:
        """Take note that somebody has put other tokens into a login."""
        credential.state, credential.problem, credential.retry_at = "ok", "", 0.0
        self._times.pop(credential.name, None)

    def _follow_links(self) -> None:
        changed: set[str] = set()
        for credential in self._credentials.values():
            path = linked_file(credential.fields)
            if path is None:
                continue
            try:
                seen = path.stat()
            except (OSError, ValueError):
                continue
            mark = (seen.st_mtime_ns, seen.st_size)
            if self._links.get(credential.name) == mark:
                continue
            self._links[credential.name] = mark
            fields = read_linked(credential.fields)
            if fields is not None and fields != credential.fields:
                credential.fields = fields
                self._renewed(credential)
                changed.add(credential.name)
        if changed:
            self.changed(changed)

    async def _renew(self, credential: Credential, spent: str) -> bool:
        times = self._of(credential)
        times.tried = self._clock.monotonic()
        credential.state = "refreshing"
        try:
            async with self.store.lease(credential.name):
                await self._read_again(credential)
                if credential.token and credential.token != spent:
                    _log.info("%s was refreshed by another process", credential.name)
                    self._well(credential)
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
        self._well(credential)
        _log.info("%s has a new token", credential.name)
        return True

    def _well(self, credential: Credential) -> None:
        credential.state, credential.problem, credential.retry_at = "ok", "", 0.0

    async def _refresh(self, credential: Credential) -> None:
        """Get a new token for a login that this process has the lease of. Raises `Problem`."""
        name, used = credential.name, credential.refresh_token
        if not self._journal.begin(name, used):
            raise Problem(
                "needs_login",
                "The answers to the last refreshes were lost, so its refresh token may be spent; "
                "using it again could end the login. Log in again.",
            )
        await self.know(credential.provider)
        talk = login.get(credential.provider).refresh(
            credential.fields, self.setting(credential.provider)
        )
        try:
            changes = await self.talk(talk, credential)
        except Problem as err:
            if err.kind != "unknown_outcome":
                self._journal.end(name, used)
            raise
        await self._keep(credential, {**credential.fields, **changes})
        # Only now: until the new token is on the disk the old one must not be trusted.
        if not self._unsaved(credential):
            self._journal.end(name, used)

    async def _read_again(self, credential: Credential) -> None:
        stored = await self.store.get(credential.name)
        if (
            stored is not None
            and stored.version != credential.version
            and not self._unsaved(credential)
        ):
            credential.fields = with_link(stored.fields)
            credential.version = stored.version

    async def _keep(self, credential: Credential, fields: Obj) -> None:
        """Use new fields from now on, and write them; a disk that refuses is tried again."""
        base = credential.fields
        try:
            await self._write(credential, fields)
        except OSError as err:
            _log.error(  # the owner needs the sentence, not the stack
                "%s cannot be written (%s); the new token is kept in memory and written later",
                credential.name,
                err,
            )
            times = self._of(credential)
            if times.unsaved is None:
                times.unsaved = base
            credential.fields = fields

    async def _write(self, credential: Credential, fields: Obj) -> None:
        """Write fields made from the credential's own, merged with what others wrote meanwhile."""
        base, version = credential.fields, credential.version
        credential.fields = fields
        ours: Obj = fields
        while True:
            try:
                written = await self.store.put(
                    credential.name, without_tokens(ours), version or None
                )
            except Conflict as err:
                if err.now is None:
                    # Deleted meanwhile: it is not brought back.
                    self._credentials.pop(credential.name, None)
                    return
                ours = merged(base, fields, err.now.fields)
                version = err.now.version
            except OSError:
                credential.fields = base
                raise
            else:
                credential.fields, credential.version = with_link(ours), written
                self._of(credential).unsaved = None
                return

    async def _save_again(self, credential: Credential) -> None:
        times = self._of(credential)
        base, fields = times.unsaved, credential.fields
        if base is None:
            return
        credential.fields = base
        try:
            await self._write(credential, fields)
        except OSError:
            credential.fields = fields
        else:
            _log.info("%s was written at last", credential.name)


_STATES: Final[dict[str, State]] = {
    "needs_login": "needs_login",
    "revoked": "revoked",
    "limited": "limited",
    "refused": "needs_login",
}


_IDENTITY: Final = ("organization_uuid", "account_uuid", "account_id", "sub")
"""Fields that tell accounts of one person apart."""


def told_apart(old: Obj, new: Obj) -> str:
    """Return what tells a new login from another account's of the same name; "" = nothing does."""
    for key in _IDENTITY:
        before, now = old.get(key), new.get(key)
        if isinstance(before, str) and isinstance(now, str) and before and now and before != now:
            return hashlib.sha256(now.encode()).hexdigest()[:8]
    return ""


def unheard(names: set[str]) -> None:
    """Be told in vain."""
    del names


def untold(credential: Credential, report: Report) -> None:
    """Be told in vain."""
    del credential, report


def refreshable(credential: Credential) -> bool:
    """Tell whether a new token can be got without a person, and is ours to get."""
    if linked_file(credential.fields) is not None or not login.known(credential.provider):
        return False
    return login.get(credential.provider).renewable(credential.fields)


def due(credential: Credential, now: float) -> bool:
    """Tell whether a login is to be refreshed ahead of need. `now` is in Unix seconds."""
    if credential.state in _FINAL or credential.flag("disabled") or not refreshable(credential):
        return False
    lead = login.get(credential.provider).lead
    if lead <= 0:
        return False
    expires, refreshed = credential.expires, credential.refreshed
    if expires is not None:
        return expires - now <= lead
    return refreshed is None or now - refreshed >= lead


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
        case _:
            why = credential.problem or "there is no refresh token"
            return UpstreamError(
                f"{who} must be made anew with cliproxy login: {why}",
                status=401,
                code="login_ended",
            )
