"""One file of a mirror and its counterpart in the store: which of both is right.

What both agreed on last says who has changed what. Whatever cannot be brought together is put
aside, and nothing is written over what somebody has changed in the meantime.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Final, Protocol, TypeVar

from msgspec import Struct

from cliproxy.base import json
from cliproxy.stores.base import CONFIG, MOST, Blob, Conflict, Store, Unstorable
from cliproxy.stores.local import LocalStore
from cliproxy.stores.memory import MIRROR, STORE, Memory, keep
from cliproxy.stores.merge import (
    NotMergeable,
    alike,
    is_older,
    is_outdated,
    is_whole,
    merged,
    merged_text,
)

_log: Final = logging.getLogger("cliproxy.stores")
T = TypeVar("T")


class Agreed(Struct, frozen=True):
    """Versions of both."""

    here: str | None
    there: str | None
    """Empty where it is not known yet, after a start."""


NOTHING: Final = Agreed(None, None)


class Whole(Protocol):
    """What one file has to know of all."""

    async def answer(self, asked: Awaitable[T]) -> T:
        """Return what the store answers."""
        ...

    async def listed(self) -> dict[str, str]:
        """Return what the store has."""
        ...

    def vanished(self, there: dict[str, str]) -> bool:
        """Tell whether the store has lost the logins that it had, or most of them at once."""
        ...

    def none_left(self) -> bool:
        """Tell whether the folder has lost its logins; blocks."""
        ...

    async def missed(self, side: str) -> None:
        """Note that one side was lost; it is over once both were compared as a whole."""
        ...


class Pairs:
    """The files of both, one at a time."""

    def __init__(self, whole: Whole, local: LocalStore, store: Store, memory: Memory) -> None:
        self._whole = whole
        self._local = local
        self._store = store
        self._memory = memory
        self._kept = local.root / f"{CONFIG}.local"
        """Where ours goes of two configurations that do not fit."""
        self.agreed: dict[str, Agreed] = {}
        self.seen: dict[str, Agreed] = {}
        """What a file was when it was looked at last, where that did not end in agreement."""

    async def settle(self, name: str, *, fresh: bool, vanished: bool | None) -> None:
        """Make one file the same on both sides, or nothing. Raises `Conflict` where it changed.

        See `Mirror` for `fresh` and `vanished`. Raises `StoreError` or `OSError`.
        """
        there = await self._whole.answer(self._store.get(name, fresh=fresh))
        self.seen[name] = Agreed(None, there.version if there is not None else None)
        if there is not None and len(there.data) > MOST:
            raise Unstorable(f"{name} in {self._store.title} is larger than {MOST} bytes.")
        here = await self._local.get(name)
        if here is not None:
            self.seen[name] = Agreed(here.version, self.seen[name].there)
        base = await asyncio.to_thread(self._memory.read, name) if name in self.agreed else None
        if here is not None and there is not None and same(name, here.data, there.data):
            await self._agree(name, here.data, here.version, there.version)
        elif here is None and there is None:
            await self._forget(name)
        elif here is None and there is not None:
            if base is not None and name != CONFIG and await self._is_deleted(name):
                _log.info("%s was deleted here, and is deleted in %s", name, self._store.title)
                await self._whole.answer(self._store.delete(name))
                await self._forget(name)
            else:
                await self._take(name, there, None)
        elif here is not None and there is None:
            await self._only_here(name, here, base, vanished=vanished)
        elif here is not None and there is not None:
            await self._both(name, here, there, base)

    async def _is_deleted(self, name: str) -> bool:
        """Tell whether a file that is missing here was deleted, and not lost with all others."""
        if name in self._memory.removed:
            return True
        if not self._memory.lost and await asyncio.to_thread(self._whole.none_left):
            await self._whole.missed(MIRROR)
        return self._memory.lost != MIRROR

    async def _only_here(
        self, name: str, here: Blob, base: bytes | None, *, vanished: bool | None
    ) -> None:
        if base is not None and name != CONFIG and self._memory.lost != STORE:
            if vanished is None:
                # Rare, and what follows cannot be undone.
                listed = await self._whole.listed()
                if not listed:
                    await self._whole.missed(STORE)
                    await self._give(name, here, None)
                    return
                vanished = self._whole.vanished(listed)
            if vanished:
                aside = await asyncio.to_thread(self._memory.put_aside, name, here.data)
                _log.warning(
                    "%s has lost many logins at once; %s was put aside as %s",
                    self._store.title,
                    name,
                    aside,
                )
            elif not same(name, here.data, base):
                _log.warning(
                    "%s was deleted in %s; what was changed in it here goes too",
                    name,
                    self._store.title,
                )
            await self._drop(name, here)
            await self._forget(name)
        elif base is None and self._memory.first and self._memory.aside and name != CONFIG:
            aside = await asyncio.to_thread(self._memory.put_aside, name, here.data)
            _log.warning("%s is not in %s; it was put aside as %s", name, self._store.title, aside)
            await self._drop(name, here)
        else:
            await self._give(name, here, None)

    async def _aside(self, name: str, here: Blob) -> None:
        aside = await asyncio.to_thread(self._memory.put_aside, name, here.data)
        _log.warning("%s is not as in %s; ours was put aside as %s", name, self._store.title, aside)

    async def _drop(self, name: str, here: Blob) -> None:
        """Delete a file here, unless somebody has written it since."""
        now = await self._local.get(name)
        if now is not None and now.version != here.version:
            raise Conflict
        await self._local.delete(name)

    async def _both(self, name: str, here: Blob, there: Blob, base: bytes | None) -> None:
        if base is None and self._memory.first:
            await self._aside(name, here)
            await self._take(name, there, here.version)
        elif base is not None and same(name, here.data, base):
            if await asyncio.to_thread(_older, name, here.data, there.data):
                # As when the store was put back to what it was yesterday.
                await self._aside(name, here)
            await self._take(name, there, here.version)
        elif base is not None and same(name, there.data, base):
            await self._give(name, here, there.version)
        else:
            if not await asyncio.to_thread(_whole, name, there.data):
                raise Unstorable(f"{name} in {self._store.title} is {_NO[name == CONFIG]}.")
            if await asyncio.to_thread(_outdated, name, base or b"", here.data, there.data):
                await self._aside(name, here)
            data = await asyncio.to_thread(self._together, name, base or b"", here.data, there.data)
            mark = there.version
            if not same(name, data, there.data):
                mark = await self._whole.answer(
                    self._store.put(name, data, if_version=there.version)
                )
            written = await self._local.put(name, data, if_version=here.version)
            await self._agree(name, data, written, mark)
            _log.info("%s was changed here and in %s; both are kept", name, self._store.title)

    def _together(self, name: str, base: bytes, here: bytes, there: bytes) -> bytes:
        if name != CONFIG:
            ours, theirs = json.loads_object(here), json.loads_object(there)
            if ours is None or theirs is None:
                raise Unstorable(f"{name} is not a JSON object; it is left as it is.")
            before = json.loads_object(base) or {}
            if is_outdated(before, ours, theirs):
                # What was changed there is the later word.
                ours, theirs = theirs, ours
            return json.dumps(merged(before, ours, theirs)) + b"\n"
        try:
            if not is_whole(here):
                raise NotMergeable  # noqa: TRY301  # else all keys would count as removed
            return merged_text(base.decode(), here.decode(), there.decode()).encode()
        except (NotMergeable, UnicodeDecodeError):
            aside = keep(self._kept, here)
            _log.warning(
                "the configuration was changed here and in %s in ways that do not fit; theirs is "
                "used, ours is kept as %s",
                self._store.title,
                aside,
            )
            return there

    async def _take(self, name: str, there: Blob, before: str | None) -> None:
        """Write here what is there."""
        if not await asyncio.to_thread(_whole, name, there.data):
            raise Unstorable(f"{name} in {self._store.title} is {_NO[name == CONFIG]}.")
        mark = await self._local.put(name, there.data, if_version=before)
        await self._agree(name, there.data, mark, there.version)

    async def _give(self, name: str, here: Blob, before: str | None) -> None:
        """Write there what is here. A file that is not whole yet is being written."""
        if not await asyncio.to_thread(_whole, name, here.data):
            raise Unstorable(f"{name} here is {_NO[name == CONFIG]}.")
        mark = await self._whole.answer(self._store.put(name, here.data, if_version=before))
        await self._agree(name, here.data, here.version, mark)

    async def _agree(self, name: str, data: bytes, here: str, there: str) -> None:
        known = self.agreed.get(name)
        if known is None or known.here != here:
            await asyncio.to_thread(self._memory.write, name, data)
        self.agreed[name] = Agreed(here, there)
        self.seen.pop(name, None)
        if name in self._memory.removed:
            await asyncio.to_thread(self._memory.settle, name)

    async def _forget(self, name: str) -> None:
        if name in self.agreed:
            await asyncio.to_thread(self._memory.delete, name)
            self.agreed.pop(name, None)
        if name in self._memory.removed:
            await asyncio.to_thread(self._memory.settle, name)


def same(name: str, one: bytes, other: bytes) -> bool:
    """Tell whether two contents say the same."""
    if one == other:
        return True
    if name == CONFIG:
        return one.replace(b"\r\n", b"\n") == other.replace(b"\r\n", b"\n")
    first, second = json.loads_object(one), json.loads_object(other)
    return first is not None and second is not None and alike(first, second)


def _whole(name: str, data: bytes) -> bool:
    return is_whole(data) if name == CONFIG else json.loads_object(data) is not None


def _older(name: str, here: bytes, there: bytes) -> bool:
    ours, theirs = json.loads_object(here), json.loads_object(there)
    return name != CONFIG and ours is not None and theirs is not None and is_older(ours, theirs)


def _outdated(name: str, base: bytes, here: bytes, there: bytes) -> bool:
    ours, theirs = json.loads_object(here), json.loads_object(there)
    if name == CONFIG or ours is None or theirs is None:
        return False
    return is_outdated(json.loads_object(base) or {}, ours, theirs)


_NO: Final = {
    True: "no mapping of YAML; it stays where it is",
    False: "not a JSON object; it stays where it is",
}
