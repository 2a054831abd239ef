"""The logins of one store in memory: loaded, merged with what others write, written back.

A write names the version that it was made from, and brings both together where somebody was faster.
Linked logins are read from the files of the programs that they belong to.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from typing import Final

from cliproxy.account.credential import Credential
from cliproxy.base.json import Json, Obj
from cliproxy.keeper.linked import linked_file, read_linked, with_link, without_tokens
from cliproxy.keeper.store import Conflict, Store, Stored, merged
from cliproxy.keeper.times import AllTimes
from cliproxy.login.flow import LoggedIn

_log: Final = logging.getLogger("cliproxy.accounts")
_IDENTITY: Final = ("organization_uuid", "account_uuid", "account_id", "sub")
"""Fields that tell accounts of one person apart."""


class Shelf:
    """Holds the credentials. `changed` hears the names of those that are not what they were."""

    def __init__(self, store: Store, times: AllTimes, changed: Callable[[set[str]], None]) -> None:
        self.store = store
        self._times = times
        self._changed = changed
        self._credentials: dict[str, Credential] = {}
        self._links: dict[str, object] = {}
        # Before the files are read: what is written meanwhile is then seen as a change.
        self._stamp: object = store.stamp()
        self._take(store.snapshot())

    # ---- what there is --------------------------------------------------------------------------
    def all(self) -> list[Credential]:
        """Return all logins, in the order in which they came."""
        return list(self._credentials.values())

    def sorted(self) -> list[Credential]:
        """Return all logins, in the order of their names."""
        return [self._credentials[name] for name in sorted(self._credentials)]

    def find(self, name: str) -> Credential | None:
        """Return a login by the name of its file."""
        return self._credentials.get(name)

    # ---- what others write ----------------------------------------------------------------------
    def reload(self) -> None:
        """Take over what others have written."""
        changed = {each.name for each in self._credentials.values() if self._followed(each)}
        if changed:
            self._changed(changed)
        stamp = self.store.stamp()
        if stamp != self._stamp:
            self._stamp = stamp
            self._take(self.store.snapshot())

    def follow(self, credential: Credential) -> None:
        """Take over what the program that a linked login belongs to has written."""
        if self.find(credential.name) is credential and self._followed(credential):
            self._changed({credential.name})

    async def read_again(self, credential: Credential) -> None:
        """Take over what others have written into one file."""
        stored = await self.store.get(credential.name)
        if (
            stored is not None
            and stored.version != credential.version
            and not self.unsaved(credential)
        ):
            credential.fields = with_link(stored.fields)
            credential.version = stored.version

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
        self._changed({name})
        return credential

    async def edit(self, name: str, changes: Mapping[str, Json]) -> Credential:
        """Set fields of a login; None removes one. Raises `KeyError`, `OSError`."""
        credential = self._credentials[name]
        fields = {**credential.fields, **changes}
        wanted = {key: value for key, value in fields.items() if value is not None}
        await self._write(credential, wanted)
        self._changed({name})
        return credential

    async def delete(self, name: str) -> bool:
        """Remove a login; tell whether there was one."""
        gone = await self.store.delete(name)
        if self._credentials.pop(name, None) is not None:
            self._times.pop(name, None)
            self._changed({name})
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

    # ---- what providers say ---------------------------------------------------------------------
    async def keep(self, credential: Credential, fields: Obj) -> None:
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
            times = self._times[credential.name]
            if times.unsaved is None:
                times.unsaved = base
            credential.fields = fields

    async def save_again(self, credential: Credential) -> None:
        """Write what a disk has refused before, if there is such a thing."""
        base, fields = self._times[credential.name].unsaved, credential.fields
        if base is None:
            return
        credential.fields = base
        try:
            await self._write(credential, fields)
        except OSError:
            credential.fields = fields
        else:
            _log.info("%s was written at last", credential.name)

    def unsaved(self, credential: Credential) -> bool:
        """Tell whether there is more in memory than on the disk."""
        return self._times[credential.name].unsaved is not None

    # ---- within ---------------------------------------------------------------------------------
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
            elif credential.version != stored.version and not self.unsaved(credential):
                credential.fields = with_link(stored.fields)
                credential.version = stored.version
                self._renewed(credential)
                changed.add(stored.name)
        if changed:
            self._changed(changed)

    def _followed(self, credential: Credential) -> bool:
        path = linked_file(credential.fields)
        if path is None:
            return False
        try:
            seen = path.stat()
        except (OSError, ValueError):
            return False
        mark = (seen.st_mtime_ns, seen.st_size)
        if self._links.get(credential.name) == mark:
            return False
        self._links[credential.name] = mark
        fields = read_linked(credential.fields)
        if fields is None or fields == credential.fields:
            return False
        credential.fields = fields
        self._renewed(credential)
        return True

    def _renewed(self, credential: Credential) -> None:
        """Take note that somebody has put other tokens into a login."""
        well(credential)
        self._times.pop(credential.name, None)

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
                self._times[credential.name].unsaved = None
                return


def well(credential: Credential) -> None:
    """Note that nothing is known against a login."""
    credential.state, credential.problem, credential.retry_at = "ok", "", 0.0


def told_apart(old: Obj, new: Obj) -> str:
    """Return what tells a new login from another account's of the same name; "" = nothing does."""
    for key in _IDENTITY:
        before, now = old.get(key), new.get(key)
        if isinstance(before, str) and isinstance(now, str) and before and now and before != now:
            return hashlib.sha256(now.encode()).hexdigest()[:8]
    return ""
