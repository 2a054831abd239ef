"""Credential files in a folder, as the keeper wants them: objects with a version each."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from filelock import FileLock, Timeout

from cliproxy.base import json
from cliproxy.base.json import Obj
from cliproxy.keeper.store import Conflict, Stored
from cliproxy.stores.folder import PRIVATE, ROUND, WAIT, BadName, Folder, version

__all__ = ["PRIVATE", "BadName", "DirectoryStore"]


class DirectoryStore:
    """Credential files in a folder and its sub-folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files = Folder(folder)

    def snapshot(self) -> list[Stored]:
        """Return every `*.json` file whose object has a `type`; others are not credentials."""
        found: list[Stored] = []
        for name in self._files.names():
            stored = self._read(name, self._files.read_listed)
            if stored is not None:
                found.append(stored)
        return found

    def stamp(self) -> object:
        """Return names, sizes, times and inodes of the files."""
        return self._files.marks()

    async def get(self, name: str) -> Stored | None:
        """Return one file."""
        self._files.path(name)
        return await asyncio.to_thread(self._read, name)

    async def put(self, name: str, fields: Obj, version: str | None) -> str:
        """Write a file; see `Store.put`."""
        return await asyncio.to_thread(self._put, name, fields, version)

    async def delete(self, name: str) -> bool:
        """Remove a file; tell whether there was one."""
        return await asyncio.to_thread(self._files.delete, name)

    @contextlib.asynccontextmanager
    async def lease(self, name: str) -> AsyncGenerator[None, None]:
        """Hold the login's lock file. A folder that takes no locks is used without."""
        lock = self._files.lock(f"refresh-{_short(name)}.lock")
        held = await self._acquired(lock)
        try:
            yield
        finally:
            if held:
                lock.release()

    def remark(self, name: str) -> str:
        """Return what its owner should know of where a file is kept: nothing."""
        del name
        return ""

    def tidy(self) -> int:
        """Remove what writers that were killed left behind; return how many files that were."""
        return self._files.tidy()

    # ---- below: threads -------------------------------------------------------------------------
    def _read(self, name: str, read: Callable[[str], bytes | None] | None = None) -> Stored | None:
        try:
            data = (read or self._files.read)(name)
            fields = json.loads(data) if data is not None and data.strip() else None
        except (OSError, json.InvalidJson) as err:
            self._files.tell(name, f"cannot be read: {err}")
            return None
        return self._stored(name, data, fields)

    def _stored(self, name: str, data: bytes | None, fields: object) -> Stored | None:
        if data is None or not isinstance(fields, dict) or not isinstance(fields.get("type"), str):
            return None
        self._files.well(name)
        return Stored(name, fields, version(data))

    def _put(self, name: str, fields: Obj, before: str | None) -> str:
        self._files.path(name)
        data = json.dumps(fields) + b"\n"
        with self._files.exclusive():
            # What holds no credentials counts as nothing, and may be written over.
            now = self._read(name)
            if (now.version if now is not None else None) != before:
                raise Conflict(now)
            self._files.write(name, data)
        return version(data)

    async def _acquired(self, lock: FileLock) -> bool:
        waited = 0.0
        while True:
            try:
                await asyncio.to_thread(lock.acquire, blocking=False)
            except Timeout:
                if waited >= WAIT:
                    return False
                waited += ROUND
                await asyncio.sleep(ROUND)
            except (OSError, NotImplementedError) as err:
                self._files.unlocked(err)
                return False
            else:
                return True


def _short(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]
