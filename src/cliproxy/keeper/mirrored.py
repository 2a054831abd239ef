"""Credential files in a folder that is kept alike with a store elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

from cliproxy.base.json import Obj
from cliproxy.keeper.directory import DirectoryStore
from cliproxy.stores.mirror import Mirror


class MirroredDirectory(DirectoryStore):
    """Reads and writes the folder; the mirror is told, and does not keep anybody waiting."""

    def __init__(self, mirror: Mirror) -> None:
        super().__init__(mirror.auths)
        self._mirror = mirror

    async def put(self, name: str, fields: Obj, version: str | None) -> str:
        """Write a file; see `Store.put`."""
        written = await super().put(name, fields, version)
        self._mirror.touch(name)
        return written

    async def delete(self, name: str) -> bool:
        """Remove a file; tell whether there was one."""
        # Before, so that it is known whatever happens; and after, as the mirror may have looked at
        # the file meanwhile and found it there.
        self._mirror.touch(name, removed=True)
        gone = await super().delete(name)
        self._mirror.touch(name, removed=True)
        return gone

    @contextlib.asynccontextmanager
    async def lease(self, name: str) -> AsyncGenerator[None, None]:
        """Hold the login's lock file, and the store's lease while that can be reached."""
        async with super().lease(name), self._mirror.lease(name):
            yield

    def remark(self, name: str) -> str:
        """Return what its owner should know of where a file is kept."""
        return self._mirror.remark(name)
