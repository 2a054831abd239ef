"""Files in a folder, shared with whoever else reads and writes it.

Files are replaced as a whole, are mode 0600, and the folder is 0700. A lock file beside them makes
read-compare-write one step also between processes; readers need none. Everything here blocks.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from filelock import FileLock, Timeout

from cliproxy.base.files import atomic_write, private_folder, read_file
from cliproxy.stores.base import MOST

_log: Final = logging.getLogger("cliproxy.accounts")
PRIVATE: Final = ".cliproxy"
"""Our own folder inside: locks and what is noted."""
WAIT: Final = 60.0
"""Seconds to wait for another process before going on without its leave."""
ROUND: Final = 0.02


class BadName(OSError, ValueError):
    """No credential file may be written under such a name."""

    def __init__(self, name: str) -> None:
        super().__init__(errno.EINVAL, f"{name[:100]!a} is not a name of a credential file")


class Changed(Exception):
    """The file is not what the writer thinks it is."""


class Folder:
    """Files with one ending in a folder and its sub-folders, under their relative names."""

    def __init__(self, root: Path, ending: str = ".json") -> None:
        self.root = root
        self._ending = ending
        self._told: set[str] = set()

    def names(self) -> Iterator[str]:
        """Return the names of all files, sorted; hidden ones are not ours."""
        if not self.root.is_dir():
            return
        for path in sorted(self.root.rglob("*")):
            inside = path.relative_to(self.root)
            if path.suffix.lower() != self._ending or any(p.startswith(".") for p in inside.parts):
                continue
            name = inside.as_posix()
            if not name.isprintable():
                # It would be obeyed by terminals, and break lines of logs and headers.
                self.tell(ascii(name), "has a name that cannot be shown; not used")
                continue
            yield name

    def marks(self) -> dict[str, tuple[int, int, int]]:
        """Return what differs once a file was written: time, size and inode, by name."""
        found: dict[str, tuple[int, int, int]] = {}
        for name in self.names():
            with contextlib.suppress(OSError):
                seen = (self.root / name).stat()
                found[name] = seen.st_mtime_ns, seen.st_size, seen.st_ino
        return found

    def path(self, name: str) -> Path:
        """Return where a file is. Raises `BadName` for what leads out of the folder."""
        parts = PurePosixPath(name).parts
        if (
            not parts
            or any(p.startswith((".", "/")) or "\\" in p for p in parts)
            or not name.isprintable()
            or not name.lower().endswith(self._ending)
        ):
            raise BadName(name)
        path = self.root.joinpath(*parts)
        # A folder in it may be a link.
        if not path.parent.resolve().is_relative_to(self.root.resolve()):
            raise BadName(name)
        return path

    def read(self, name: str) -> bytes | None:
        """Return what a file holds, None where there is none. Raises `OSError`."""
        try:
            return read_file(self.path(name), MOST)
        except FileNotFoundError:
            return None

    def read_listed(self, name: str) -> bytes | None:
        """Return what a file holds that `names` has just found. Raises `OSError`."""
        try:
            return read_file(self.root / name, MOST)
        except FileNotFoundError:
            return None

    def put(self, name: str, data: bytes, before: str | None) -> str:
        """Replace what has the version `before` (None: nothing); return the new version.

        Raises `Changed` and `OSError`; the old content then stays.
        """
        with self.exclusive():
            now = self.read(name)
            if (version(now) if now is not None else None) != before:
                raise Changed
            self.write(name, data)
        return version(data)

    def write(self, name: str, data: bytes) -> None:
        """Replace a file, whatever it holds; its writer is to be the only one."""
        path = self.path(name)
        private_folder(path.parent)
        # Nothing is written elsewhere: a link is replaced by the file.
        atomic_write(path, data, follow=False)

    def delete(self, name: str) -> bool:
        """Remove a file; tell whether there was one."""
        path = self.path(name)
        with self.exclusive():
            try:
                path.unlink()
            except FileNotFoundError:
                return False
        return True

    def tidy(self) -> int:
        """Remove what writers that were killed left behind; return how many files that were."""
        gone = 0
        if not self.root.is_dir():
            return 0
        with self.exclusive():
            for path in self.root.rglob(f".*{self._ending}.*"):
                with contextlib.suppress(OSError):
                    path.unlink()
                    gone += 1
        return gone

    def tell(self, name: str, what: str) -> None:
        """Say what is wrong with a file, once."""
        if name not in self._told:
            self._told.add(name)
            _log.warning("the credential file %s %s", name, what)

    def well(self, name: str) -> None:
        """Note that nothing is wrong with a file any more."""
        self._told.discard(name)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Be the only writer. A folder that takes no locks is used without."""
        lock = self.lock("write.lock")
        try:
            lock.acquire(timeout=WAIT, poll_interval=ROUND)
        except (Timeout, OSError, NotImplementedError) as err:
            self.unlocked(err)
            yield
            return
        try:
            yield
        finally:
            lock.release()

    def lock(self, name: str) -> FileLock:
        """Return a lock of this folder, not yet held."""
        private = self.root / PRIVATE
        with contextlib.suppress(OSError):
            private_folder(private)
        # One object per use: in one process too, each holder has its own lock.
        return FileLock(private / name, mode=0o600, thread_local=False)

    def unlocked(self, err: Exception) -> None:
        """Say that the folder is used without its lock."""
        _log.warning("%s cannot be locked (%s); going on without", self.root, err)


def version(data: bytes) -> str:
    """Return what differs once the content does."""
    return hashlib.sha256(data).hexdigest()[:32]
