"""One small interface for places that keep the files of a deployment.

A store holds bytes under names, with a version each: `config/config.yaml`, and credential files
below `auths/`. It knows nothing of what is in them; `mirror.py` brings two stores together.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import PurePosixPath
from typing import Final, Protocol

from msgspec import Struct

from cliproxy.base.redact import Hidden

CONFIG: Final = "config/config.yaml"
AUTHS: Final = "auths/"
MOST: Final = 4 * 1024 * 1024
"""Bytes of one file that are kept."""
PATIENCE: Final = 30.0
"""Seconds that one question to a store may take."""
SHORT: Final = 5.0
"""Seconds that a refresh may wait for the store, and that the end of the proxy may."""


class Blob(Hidden, Struct, frozen=True):
    """What a store holds under a name."""

    data: bytes
    version: str
    """Changes with the content."""


class Conflict(Exception):
    """The store holds something else than the writer thinks; it is to be read again."""


class StoreError(Exception):
    """A store cannot be used. The message holds no secret, `cure` says what helps."""

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure


class Away(StoreError):
    """The store does not answer; it may later."""


class Refused(StoreError):
    """The store answers, and says no."""


class Unstorable(StoreError):
    """The store cannot hold this one file; others it can."""


class Hindered(StoreError):
    """A file of this machine cannot be read or written now; it may later."""


class MissingExtra(StoreError):
    """The library that speaks with this kind of store is not installed."""

    def __init__(self, extra: str, variable: str) -> None:
        super().__init__(
            f"{variable} is set, and what it needs is not installed.",
            f'Install it: pip install "cliproxy[{extra}]", or unset {variable}.',
        )


class Store(Protocol):
    """A place for files. Everything may raise `StoreError`."""

    title: str
    """What to call it: kind and place, without secrets."""
    identity: str
    """What differs between any two places that hold different files; without secrets."""
    at_once: int
    """Questions that it answers at the same time."""

    async def open(self, *, make: bool = True) -> None:
        """Connect, and make what the place lacks, if wanted; again after `close` is allowed."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...

    async def list(self) -> dict[str, str]:
        """Return the version of every file by its name."""
        ...

    async def get(self, name: str, *, fresh: bool = True) -> Blob | None:
        """Return one file; without `fresh` as the last `list` saw it, where that is less work."""
        ...

    async def put(self, name: str, data: bytes, *, if_version: str | None) -> str:
        """Write a file made from a version (None: there was none) and return its new one.

        Raises `Conflict`; the old content then stays.
        """
        ...

    async def delete(self, name: str) -> bool:
        """Remove a file; tell whether there was one."""
        ...

    async def watch(self) -> None:
        """Return once something may have changed, after a bounded time at the latest."""
        ...

    def lease(self, name: str) -> AbstractAsyncContextManager[None]:
        """Keep other machines from refreshing a login meanwhile, where the store can."""
        ...


def is_name(name: str) -> bool:
    """Tell whether a file may have such a name: nothing leads out of its folder, or hides."""
    if name == CONFIG:
        return True
    inside = name.removeprefix(AUTHS)
    return name.startswith(AUTHS) and is_inside(inside)


def is_inside(name: str) -> bool:
    """Tell whether a name, relative to its folder, stays in it and is one of a credential file."""
    parts = PurePosixPath(name).parts
    return (
        bool(parts)
        and "/".join(parts) == name
        and not any(part.startswith((".", "/")) or "\\" in part for part in parts)
        and not (len(parts[0]) > 1 and parts[0][1] == ":")
        and name.isprintable()
        and name.lower().endswith(".json")
    )


def variable(env: Mapping[str, str], name: str) -> str:
    """Return a variable of the environment, written in upper or lower case; "" = unset."""
    return env.get(name, "").strip() or env.get(name.lower(), "").strip()
