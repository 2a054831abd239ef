"""The files of a deployment in a folder of this machine, as a store like the others.

`auths/` is the folder that the keeper reads and writes; both use the same lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from cliproxy.stores.base import AUTHS, CONFIG, Blob, Conflict, Hindered, StoreError, Unstorable
from cliproxy.stores.folder import BadName, Changed, Folder, version

LOOK: Final = 1.0
"""Seconds between two looks at the files."""
_SHARE: Final = 50.0
"""How much longer than a look the pause until the next one is, at least."""
NEVER: Final = frozenset(
    {
        errno.EINVAL, errno.EFBIG, errno.ENAMETOOLONG, errno.EILSEQ, errno.ELOOP,
        errno.ENOTDIR, errno.EISDIR, errno.EEXIST,
    }
)  # fmt: skip
"""What is wrong with a file or its name, and not with the disk at this moment."""
_Mark = tuple[int, int, int]


class LocalStore:
    """A folder with `config/config.yaml` and `auths/`."""

    def __init__(self, root: Path, *, look: float = LOOK) -> None:
        self.root = root
        self.title = self.identity = f"the folder {root}"
        self.at_once = 8
        self.auths = Folder(root / AUTHS.rstrip("/"))
        self.config = Folder(root / CONFIG.partition("/")[0], ".yaml")
        self._look = look
        self._took = 0.0
        self._known: dict[str, tuple[_Mark, str]] = {}

    async def open(self, *, make: bool = True) -> None:
        """Do nothing: folders are made when the first file is written."""
        del make

    async def close(self) -> None:
        """Do nothing."""

    async def list(self) -> dict[str, str]:
        """Return the version of every file by its name; only what was written since is read."""
        return await asyncio.to_thread(self.versions)

    async def get(self, name: str, *, fresh: bool = True) -> Blob | None:
        """Return one file."""
        del fresh
        folder, inside = self.place(name)
        try:
            data = await asyncio.to_thread(folder.read, inside)
        except OSError as err:
            raise _told(f"{name} cannot be read", err) from err
        return None if data is None else Blob(data, version(data))

    async def put(self, name: str, data: bytes, *, if_version: str | None) -> str:
        """Write a file; see `Store.put`."""
        folder, inside = self.place(name)
        try:
            return await asyncio.to_thread(folder.put, inside, data, if_version)
        except Changed as err:
            raise Conflict from err
        except OSError as err:
            raise _told(f"{name} cannot be written", err) from err

    async def delete(self, name: str) -> bool:
        """Remove a file; tell whether there was one."""
        folder, inside = self.place(name)
        try:
            return await asyncio.to_thread(folder.delete, inside)
        except OSError as err:
            raise _told(f"{name} cannot be removed", err) from err

    async def watch(self) -> None:
        """Return after the pause between two looks: looking is cheap, and works everywhere."""
        # A folder with thousands of files takes a while to look through.
        await asyncio.sleep(max(self._look, _SHARE * self._took))

    @contextlib.asynccontextmanager
    async def lease(self, name: str) -> AsyncGenerator[None, None]:
        """Do nothing: within one machine the keeper has a lock of its own."""
        del name
        yield

    def place(self, name: str) -> tuple[Folder, str]:
        """Return in which folder a file is, and as what. Raises `Unstorable` for a bad name."""
        if name == CONFIG:
            return self.config, CONFIG.rpartition("/")[2]
        try:
            if not name.startswith(AUTHS):
                raise BadName(name)  # noqa: TRY301  # one way out for all bad names
            inside = name.removeprefix(AUTHS)
            self.auths.path(inside)
        except BadName as err:
            raise Unstorable(str(err.strerror)) from err
        return self.auths, inside

    def versions(self) -> dict[str, str]:
        """Return what `list` does; blocks."""
        began = time.monotonic()
        marks = {f"{AUTHS}{name}": mark for name, mark in self.auths.marks().items()}
        config = self.config.marks().get(CONFIG.rpartition("/")[2])
        if config is not None:
            marks[CONFIG] = config
        known: dict[str, tuple[_Mark, str]] = {}
        for name, mark in marks.items():
            before = self._known.get(name)
            if before is not None and before[0] == mark:
                known[name] = before
                continue
            try:
                folder, inside = self.place(name)
            except Unstorable:
                continue  # not written by us, and told of by its reader
            with contextlib.suppress(OSError):  # gone since, or not to be read: told by its reader
                data = folder.read(inside)
                if data is not None:
                    known[name] = mark, version(data)
        self._known = known
        self._took = time.monotonic() - began
        return {name: found for name, (_, found) in known.items()}


def _told(what: str, err: OSError) -> StoreError:
    kind = Unstorable if err.errno in NEVER else Hindered
    return kind(f"{what}: {err.strerror or err}")
