"""Where credential files live, behind one small interface.

A store keeps JSON objects under names (`claude-me@example.com.json`, sub-folders with `/`) with a
version each. Writes name the version they were made from, so that nobody overwrites what they have
not read; `merged` then brings both together field by field.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from msgspec import Struct

from cliproxy.base.json import Obj
from cliproxy.base.redact import Hidden
from cliproxy.stores.merge import merged

__all__ = ["Conflict", "Store", "Stored", "merged"]


class Stored(Hidden, Struct, frozen=True):
    """One file."""

    name: str
    fields: Obj
    version: str
    """Changes with the content."""


class Conflict(Exception):
    """The file is not what the writer thinks it is; `now` is what it is, None when it is gone."""

    def __init__(self, now: Stored | None) -> None:
        super().__init__("the credential was changed meanwhile")
        self.now = now


class Store(Protocol):
    """A place for credential files."""

    def snapshot(self) -> list[Stored]:
        """Return all files that hold credentials, in the order of their names."""
        ...

    def stamp(self) -> object:
        """Return something that is different once a file came, went or changed."""
        ...

    async def get(self, name: str) -> Stored | None:
        """Return one file."""
        ...

    async def put(self, name: str, fields: Obj, version: str | None) -> str:
        """Write a file made from `version` (None: there was none) and return its new version.

        Raises `Conflict`, and `OSError` when the place refuses; the old content then stays.
        """
        ...

    async def delete(self, name: str) -> bool:
        """Remove a file; tell whether there was one."""
        ...

    def remark(self, name: str) -> str:
        """Return what its owner should know of where a file is kept; "" = nothing."""
        ...

    def lease(self, name: str) -> AbstractAsyncContextManager[None]:
        """Keep all others, also other processes, from refreshing a login meanwhile."""
        ...
