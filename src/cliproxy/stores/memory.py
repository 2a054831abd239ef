"""What a mirror remembers on the disk, in `.cliproxy/` of its folder. Everything here blocks.

`agreed/` has the files as both sides had them last, `removed/` the names of those that were deleted
here on purpose and not in the store yet, `aside/` what had to give way. `store.json` says which
store that is about, and `lost` which side was lost and is being filled again.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from itertools import count
from pathlib import Path
from typing import Final

from cliproxy.base import json
from cliproxy.base.clock import SYSTEM_CLOCK
from cliproxy.base.files import atomic_write, private_folder, read_file
from cliproxy.stores.base import MOST, StoreError
from cliproxy.stores.folder import PRIVATE
from cliproxy.stores.local import LocalStore

_log: Final = logging.getLogger("cliproxy.stores")
STORE: Final = "store"
MIRROR: Final = "mirror"
_SMALL: Final = 4096
_ODD: Final = 8
_OLD: Final = 3600.0


class Memory:
    """Remembers what was agreed on with one store."""

    def __init__(self, root: Path, identity: str, *, keeps: bool) -> None:
        """Read what there is; what is about another store is not used.

        Args:
            root: The mirror's folder.
            identity: Says which store it is.
            keeps: On the very first meeting, files that only the folder has are new.
        """
        self._root = root / PRIVATE
        self._digest = hashlib.sha256(identity.encode()).hexdigest()
        agreed = self._root / "agreed"
        known = agreed.is_dir()
        self._agreed = _Files(agreed)
        self._removals = _Files(self._root / "removed")
        bond = self._bond() if known else None
        self.foreign = bool(self._agreed.versions()) if bond is None else bond[0] != self._digest
        """What is remembered is about another store."""
        self.first = bond is None or self.foreign or not bond[1]
        """The two have not been compared as a whole yet."""
        self.aside = self.foreign or (not keeps if bond is None else bond[2])
        """On this first meeting, what is not as in the store is put aside."""
        self.removed = set() if self.foreign else set(self._removals.versions())
        """What was deleted here on purpose."""
        self.lost = "" if self.foreign else self._read("lost").decode("ascii", "replace")
        """Which side is being filled again: `STORE`, `MIRROR`, or "" = none."""

    # ---- the meeting ----------------------------------------------------------------------------
    def begin(self) -> None:
        """Note that the first comparison begins; what is about another store is forgotten."""
        if self.foreign:
            self._bind("", met=False)
            for files in (self._agreed, self._removals):
                files.clear()
            self._lose("")
            self.foreign = False
        self._bind(self._digest, met=False)

    def strange(self) -> bool:
        """Tell whether another program has bound the folder to another store since then."""
        bond = self._bond()
        return bond is not None and not self.first and bond[0] != self._digest

    def met(self) -> None:
        """Note that the first comparison was whole."""
        self._bind(self._digest, met=True)
        self.first = False

    def _bind(self, digest: str, *, met: bool) -> None:
        written = json.dumps({"store": digest, "met": met, "aside": self.aside})
        atomic_write(self._root / "store.json", written + b"\n")

    def _bond(self) -> tuple[str, bool, bool] | None:
        data = self._read("store.json")
        if not data:
            return None
        found = json.loads_object(data) or {}
        return str(found.get("store")), found.get("met") is True, found.get("aside") is True

    def _read(self, name: str) -> bytes:
        try:
            return read_file(self._root / name, _SMALL)
        except FileNotFoundError:
            return b""

    def tidy(self) -> None:
        """Remove what writers that were killed have left behind; those who write now are quick."""
        long_ago = SYSTEM_CLOCK.now() - _OLD
        for path in self._root.rglob(".*.*.*"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < long_ago and path.is_file():
                    path.unlink()

    # ---- a loss ---------------------------------------------------------------------------------
    def lose(self, side: str) -> None:
        """Note that a side was lost, until it is filled again (""). Raises `OSError`."""
        if side != self.lost:
            self._lose(side)

    def _lose(self, side: str) -> None:
        path = self._root / "lost"
        if side:
            atomic_write(path, side.encode())
        else:
            path.unlink(missing_ok=True)
        self.lost = side

    # ---- deletions ------------------------------------------------------------------------------
    def remove(self, name: str) -> None:
        """Note that a file was deleted here on purpose."""
        self.removed.add(name)
        try:
            self._removals.write(name, b"{}")
        except (OSError, StoreError) as err:
            _log.warning("that %s was deleted cannot be noted: %s", ascii(name), err)

    def settle(self, name: str) -> None:
        """Note that a deletion is done, or void."""
        if name in self.removed:
            self.removed.discard(name)
            with contextlib.suppress(OSError, StoreError):
                self._removals.delete(name)

    def look(self) -> None:
        """Take over what other processes have noted."""
        if not self.foreign:
            self.removed |= set(self._removals.versions())

    # ---- what was agreed on ---------------------------------------------------------------------
    def versions(self) -> dict[str, str]:
        """Return the version of every file as it was agreed on."""
        return {} if self.foreign else self._agreed.versions()

    def read(self, name: str) -> bytes | None:
        """Return a file as it was agreed on."""
        return self._agreed.read(name)

    def write(self, name: str, data: bytes) -> None:
        """Keep a file as it is agreed on."""
        self._agreed.write(name, data)

    def delete(self, name: str) -> None:
        """Forget a file."""
        self._agreed.delete(name)

    # ---- what gives way -------------------------------------------------------------------------
    def put_aside(self, name: str, data: bytes) -> Path:
        """Keep a file that gives way; return where."""
        return keep(self._root / "aside" / name, data)


class _Files:
    """Files under the names of a store, in a folder of ours."""

    def __init__(self, root: Path) -> None:
        self._local = LocalStore(root)
        private_folder(root)

    def versions(self) -> dict[str, str]:
        return self._local.versions()

    def read(self, name: str) -> bytes | None:
        folder, inside = self._local.place(name)
        return folder.read(inside)

    def write(self, name: str, data: bytes) -> None:
        folder, inside = self._local.place(name)
        folder.write(inside, data)

    def delete(self, name: str) -> None:
        folder, inside = self._local.place(name)
        folder.delete(inside)

    def clear(self) -> None:
        for name in self.versions():
            self.delete(name)


def keep(path: Path, data: bytes) -> Path:
    """Write a file beside those that were kept before; return where it is. Raises `OSError`."""
    unreadable = 0
    for number in count():
        place = path.with_name(f"{path.name}.{number}") if number else path
        try:
            if read_file(place, MOST) == data:
                return place
        except FileNotFoundError:
            atomic_write(place, data)
            return place
        except OSError:
            # One of them may be no file; where all are so, it is the folder.
            unreadable += 1
            if unreadable > _ODD:
                raise
    raise AssertionError  # pragma: no cover  # there is always another number
