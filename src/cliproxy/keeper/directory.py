"""Credential files in a folder, shared with whoever else reads and writes it.

Files are replaced as a whole, are mode 0600, and the folder is 0700. A lock file beside them makes
read-compare-write one step also between processes; readers need none.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import logging
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from filelock import FileLock, Timeout

from cliproxy.base import json
from cliproxy.base.files import atomic_write, private_folder, read_file
from cliproxy.base.json import Obj
from cliproxy.keeper.store import Conflict, Stored

_log: Final = logging.getLogger("cliproxy.accounts")
PRIVATE: Final = ".cliproxy"
"""Our own folder inside: locks and the journal."""
_WAIT: Final = 60.0
"""Seconds to wait for another process before going on without its leave."""
_ROUND: Final = 0.02
_MOST: Final = 4 * 1024 * 1024
"""Bytes of one file that are read."""


class BadName(OSError, ValueError):
    """No credential file may be written under such a name."""

    def __init__(self, name: str) -> None:
        super().__init__(errno.EINVAL, f"{name[:100]!a} is not a name of a credential file")


class DirectoryStore:
    """Credential files in a folder and its sub-folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._told: set[str] = set()

    def snapshot(self) -> list[Stored]:
        """Return every `*.json` file whose object has a `type`; others are not credentials."""
        found: list[Stored] = []
        for path in self._paths():
            stored = self._read(path)
            if stored is not None:
                found.append(stored)
        return found

    def stamp(self) -> object:
        """Return names, sizes, times and inodes of the files."""
        marks: list[tuple[str, int, int, int]] = []
        for path in self._paths():
            with contextlib.suppress(OSError):
                seen = path.stat()
                marks.append((str(path), seen.st_mtime_ns, seen.st_size, seen.st_ino))
        return tuple(marks)

    async def get(self, name: str) -> Stored | None:
        """Return one file."""
        return await asyncio.to_thread(self._read, self._path(name))

    async def put(self, name: str, fields: Obj, version: str | None) -> str:
        """Write a file; see `Store.put`."""
        return await asyncio.to_thread(self._put, name, fields, version)

    async def delete(self, name: str) -> bool:
        """Remove a file; tell whether there was one."""
        return await asyncio.to_thread(self._delete, name)

    @contextlib.asynccontextmanager
    async def lease(self, name: str) -> AsyncGenerator[None, None]:
        """Hold the login's lock file. A folder that takes no locks is used without."""
        lock = self._lock(f"refresh-{_short(name)}.lock")
        held = await self._acquired(lock)
        try:
            yield
        finally:
            if held:
                lock.release()

    def tidy(self) -> int:
        """Remove what writers that were killed left behind; return how many files that were."""
        gone = 0
        if not self.folder.is_dir():
            return 0
        with self._exclusive():
            for path in self.folder.rglob(".*.json.*"):
                with contextlib.suppress(OSError):
                    path.unlink()
                    gone += 1
        return gone

    # ---- below: threads -------------------------------------------------------------------------
    def _paths(self) -> Iterator[Path]:
        if not self.folder.is_dir():
            return
        for path in sorted(self.folder.rglob("*")):
            inside = path.relative_to(self.folder)
            if path.suffix.lower() != ".json" or any(p.startswith(".") for p in inside.parts):
                continue
            if not inside.as_posix().isprintable():
                # It would be obeyed by terminals, and break lines of logs and headers.
                self._tell(ascii(inside.as_posix()), "has a name that cannot be shown; not used")
                continue
            yield path

    def _path(self, name: str) -> Path:
        parts = PurePosixPath(name).parts
        if (
            any(p.startswith((".", "/")) or "\\" in p for p in parts)
            or not name.isprintable()
            or not name.lower().endswith(".json")
        ):
            raise BadName(name)
        path = self.folder.joinpath(*parts)
        # A folder in it may be a link.
        if not path.parent.resolve().is_relative_to(self.folder.resolve()):
            raise BadName(name)
        return path

    def _read(self, path: Path) -> Stored | None:
        name = path.relative_to(self.folder).as_posix()
        try:
            data = read_file(path, _MOST)
            fields = json.loads(data) if data.strip() else None
        except FileNotFoundError:
            return None
        except (OSError, json.InvalidJson) as err:
            self._tell(name, f"cannot be read: {err}")
            return None
        if not isinstance(fields, dict) or not isinstance(fields.get("type"), str):
            return None
        self._told.discard(name)
        return Stored(name, fields, _version(data))

    def _tell(self, name: str, what: str) -> None:
        if name not in self._told:
            self._told.add(name)
            _log.warning("the credential file %s %s", name, what)

    def _put(self, name: str, fields: Obj, version: str | None) -> str:
        path = self._path(name)
        private_folder(path.parent)
        data = json.dumps(fields) + b"\n"
        with self._exclusive():
            now = self._read(path)
            if (now.version if now is not None else None) != version:
                raise Conflict(now)
            # Nothing is written elsewhere: a link is replaced by the file.
            atomic_write(path, data, follow=False)
        return _version(data)

    def _delete(self, name: str) -> bool:
        path = self._path(name)
        with self._exclusive():
            try:
                path.unlink()
            except FileNotFoundError:
                return False
        return True

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        lock = self._lock("write.lock")
        try:
            lock.acquire(timeout=_WAIT, poll_interval=_ROUND)
        except (Timeout, OSError, NotImplementedError) as err:
            _log.warning("%s cannot be locked (%s); going on without", self.folder, err)
            yield
            return
        try:
            yield
        finally:
            lock.release()

    def _lock(self, name: str) -> FileLock:
        private = self.folder / PRIVATE
        with contextlib.suppress(OSError):
            private_folder(private)
        # One object per use: in one process too, each holder has its own lock.
        return FileLock(private / name, mode=0o600, thread_local=False)

    async def _acquired(self, lock: FileLock) -> bool:
        waited = 0.0
        while True:
            try:
                await asyncio.to_thread(lock.acquire, blocking=False)
            except Timeout:
                if waited >= _WAIT:
                    return False
                waited += _ROUND
                await asyncio.sleep(_ROUND)
            except (OSError, NotImplementedError) as err:
                _log.warning("%s cannot be locked (%s); going on without", self.folder, err)
                return False
            else:
                return True


def _version(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _short(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]
