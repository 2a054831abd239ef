"""A folder of this machine and a store elsewhere, kept alike; the program knows the folder alone.

Nothing ever waits for the store: what is written goes into the folder, and from there to the store
when that can be reached. What both agreed on last is kept beside (`.cliproxy/agreed/`); against it
is seen who has changed what, also after a restart, so that nothing is lost while the store is away:

    changed here     → written there, if it still is what it was
    changed there    → written here, if it still is what it was
    changed in both  → brought together field by field
    deleted in one   → deleted in the other, whatever was changed in it
    all gone in one  → that one was lost, not emptied: it is filled again

What was agreed on with another store says nothing of this one: then both meet for the first time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable
from pathlib import Path
from typing import Final, TypeVar

from msgspec import Struct

from cliproxy.base.clock import SYSTEM_CLOCK, Clock
from cliproxy.base.files import private_folder
from cliproxy.base.tasks import cancel, own, spawn
from cliproxy.stores.base import (
    AUTHS,
    CONFIG,
    PATIENCE,
    SHORT,
    Away,
    Conflict,
    Hindered,
    Refused,
    Store,
    StoreError,
    Unstorable,
    is_name,
)
from cliproxy.stores.local import NEVER, LocalStore
from cliproxy.stores.memory import MIRROR, STORE, Memory
from cliproxy.stores.pairs import NOTHING, Agreed, Pairs, same

_log: Final = logging.getLogger("cliproxy.stores")
TRIES: Final = 10
"""How often one file is read again because somebody was faster."""
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
"""Seconds until the store is tried again: twice as long each time, within these."""
_MANY: Final = 3
"""Logins that vanish together, which seldom is what somebody wants."""


T = TypeVar("T")


class Standing(Struct, frozen=True):
    """How a store is doing."""

    title: str
    away: str = ""
    """Why it cannot be reached; "" = it can."""
    cure: str = ""
    since: float = 0.0
    """Since when, in Unix seconds."""
    unsent: tuple[str, ...] = ()
    """Files that are newer here than there."""


class Mirror:
    """Keeps a folder and a store alike."""

    def __init__(
        self,
        root: Path,
        store: Store,
        *,
        keeps: bool = True,
        clock: Clock = SYSTEM_CLOCK,
        before: Mirror | None = None,
    ) -> None:
        """Read what was agreed on last.

        Args:
            root: The folder.
            store: The store elsewhere.
            keeps: On the very first meeting, files that only the folder has are new, and go to the
                store. Otherwise the store is right, and they are put aside.
            clock: Where time comes from.
            before: One of the same two that this process has just closed; what it has compared is
                asked for again only where it is not the same any more.
        """
        self.root = root
        self.store = store
        self.local = LocalStore(root)
        self.auths = root / AUTHS.rstrip("/")
        self.config = root / CONFIG
        self._clock = clock
        self._memory = Memory(root, store.identity, keeps=keeps)
        self._pairs = Pairs(self, self.local, store, self._memory)
        self._agreed = self._pairs.agreed
        if before is not None and not self._memory.first:
            self._agreed |= before._agreed  # noqa: SLF001  # one of its own kind
        else:
            marks = self._memory.versions()
            self._agreed |= {name: Agreed(mark, "") for name, mark in marks.items()}
        self._touched: set[str] = set()
        self._sending: set[str] = set()
        self._hindered: set[str] = set()
        """Files that this machine could not read or write; tried again, less and less often."""
        self._contested: set[str] = set()
        """Those of them that the store did not take."""
        self._hindrance = 0.0
        self._later = 0.0
        self._folder_gone = False
        self._limits: dict[asyncio.Timeout, float] = {}
        """Until when refreshes wait, and for how long at most."""
        self._told: set[str] = set()
        self._unfit: dict[str, Agreed] = {}
        """Files that cannot be kept alike, as they were when that was found out."""
        self._wake = asyncio.Event()
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: list[asyncio.Task[None]] = []
        self._opened = False
        self._opening = asyncio.Lock()
        self._news = True
        self._pause = 0.0
        self._again = 0.0
        self._standing = Standing(store.title)

    # ---- what it tells --------------------------------------------------------------------------
    @property
    def standing(self) -> Standing:
        """How the store is doing."""
        return Standing(
            self._standing.title,
            self._standing.away,
            self._standing.cure,
            self._standing.since,
            tuple(sorted(self._unsent())),
        )

    def remark(self, name: str) -> str:
        """Return what the owner of a login should know of where it is kept; "" = nothing."""
        if not self._standing.away or f"{AUTHS}{name}" not in self._unsent():
            return ""
        return f"The newest of it is on this machine only: {self._standing.away}"

    def _unsent(self) -> set[str]:
        # Being sent is not sent: while the store is away each try fails.
        return self._touched | self._sending if self._standing.away else self._touched

    # ---- the whole ------------------------------------------------------------------------------
    async def bootstrap(self, *, make: bool = True) -> None:
        """Make both alike, once. Raises `StoreError` where the store cannot be used.

        Without `make` a place that does not exist yet stays so.
        """
        await asyncio.to_thread(self._tighten)
        await self._open(make=make)
        await self._sync()

    def _tighten(self) -> None:
        """Make what another program has left here its owner's alone."""
        self._folder_gone |= not self.auths.is_dir()
        for folder in (self.auths, self.config.parent):
            private_folder(folder)
            for path in (folder, *folder.rglob("*")):
                # One of another owner stays as it is.
                with contextlib.suppress(OSError):
                    wanted = 0o700 if path.is_dir() else 0o600
                    if not path.is_symlink() and path.stat().st_mode & 0o077:
                        path.chmod(wanted)
        with contextlib.suppress(OSError):
            if self.root.stat().st_mode & 0o077:
                self.root.chmod(0o700)
        self._memory.tidy()

    async def compare(self) -> int:
        """Return how many files are not alike, and change nothing. Raises `StoreError`."""
        await self._open(make=False)
        there = await self.listed()
        here = await self.local.list()
        differ = 0
        for name in here.keys() | {name for name in there if is_name(name)}:
            found = await self.store.get(name, fresh=False) if name in there else None
            mine = await self.local.get(name)
            if found is None or mine is None or not same(name, found.data, mine.data):
                differ += 1
        return differ

    def start(self) -> None:
        """Keep both alike from now on, until `close`."""
        self._wake.set()
        self._tasks = [
            spawn(self._run(), name="store"),
            spawn(self._watch(), name="store-watch"),
            spawn(self._looking(), name="store-mirror"),
        ]

    async def close(self) -> None:
        """Send what is not sent yet, for a moment, and let go."""
        await cancel(*self._tasks)
        self._tasks = []
        try:
            if self._opened and not self._standing.away and not self._memory.first:
                async with asyncio.timeout(SHORT):
                    await self._look()
                    await self._send()
        except (StoreError, TimeoutError, OSError) as err:
            _log.warning(
                "%s: what is newer here is sent after the next start (%s)",
                self.store.title,
                str(err) or "it is too slow",
            )
        except Exception:  # noqa: BLE001  # whoever ends has more to let go of
            _log.exception("%s: what is newer here is sent after the next start", self.store.title)
        finally:
            await self.release()

    async def release(self) -> None:
        """Let go of the store; nothing is sent any more."""
        if self._opened:
            self._opened = False
            try:
                await self.store.close()
            except Exception:  # noqa: BLE001  # it is let go of all the same
                _log.exception("%s was not closed as it should be", self.store.title)

    # ---- by the keeper --------------------------------------------------------------------------
    def touch(self, name: str, *, removed: bool = False) -> None:
        """Note that a credential file was written or removed."""
        full = f"{AUTHS}{name}"
        self._touched.add(full)
        self._hindered.discard(full)
        if removed:
            self._memory.remove(full)
        self._wake.set()

    @contextlib.asynccontextmanager
    async def lease(self, name: str) -> AsyncGenerator[None, None]:
        """Keep other machines from refreshing a login, and have their newest of it.

        A store that is away, or slow, costs a few seconds once and then nothing.
        """
        full = f"{AUTHS}{name}"
        held = contextlib.AsyncExitStack()
        try:
            if (self._opened or self._tasks) and not self._standing.away:
                try:
                    async with asyncio.timeout(SHORT):
                        await self._open()
                    await held.enter_async_context(self.store.lease(name))
                    async with self._in_time():
                        await self._renewed(full)
                except Exception as err:  # noqa: BLE001  # the refresh does not depend on it
                    self._failed(err)
            yield
            if self._opened and not self._standing.away:
                # While nobody else refreshes: they shall find the new token. Also what is being
                # sent already is waited for.
                try:
                    async with self._in_time():
                        await self._renewed(full)
                except Exception as err:  # noqa: BLE001  # the new token is safe here already
                    self._failed(err)
        finally:
            try:
                await held.aclose()
            except Exception as err:  # noqa: BLE001  # nor does its end
                self._failed(err)

    @contextlib.asynccontextmanager
    async def _in_time(self) -> AsyncGenerator[asyncio.Timeout, None]:
        """Wait while the store answers whomever: some do one thing after the other."""
        last = asyncio.get_running_loop().time() + PATIENCE
        async with asyncio.timeout(SHORT) as limit:
            self._limits[limit] = last
            try:
                yield limit
            finally:
                del self._limits[limit]

    async def answer(self, asked: Awaitable[T]) -> T:
        """Return what the store answers, and have those wait on who wait for it."""
        answer = await asked
        now = asyncio.get_running_loop().time()
        for limit, last in self._limits.items():
            if not limit.expired():
                limit.reschedule(min(last, now + SHORT))
        return answer

    async def _renewed(self, name: str) -> None:
        # What another store has says nothing, until both were compared as a whole.
        if not self._memory.first:
            await self._ours()
            await self._settle(name)

    # ---- the loops ------------------------------------------------------------------------------
    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            wait = self._again - self._clock.monotonic()
            if self._standing.away and wait > 0:
                await self._clock.sleep(wait)
            try:
                await self._open()
                if self._news:
                    self._news = False
                    await self._sync()
                else:
                    await self._send()
            except Exception as err:  # noqa: BLE001  # a fault of ours must not end the care for all
                self._failed(err)
            else:
                self._well()

    async def _watch(self) -> None:
        while True:
            if not self._opened or self._standing.away:
                await self._clock.sleep(FIRST_PAUSE)
                continue
            try:
                await self.store.watch()
            except Exception as err:  # noqa: BLE001  # nor the looking for changes
                self._failed(err)
            self._news = True
            self._wake.set()

    async def _looking(self) -> None:
        while True:
            await self.local.watch()
            try:
                await self._look()
            except OSError as err:
                _log.warning("the mirror %s cannot be looked through: %s", self.root, err)
            waiting = self._hindered and self._clock.monotonic() >= self._later
            if waiting or self._touched - self._hindered or not self._opened or self._standing.away:
                self._wake.set()

    async def _look(self) -> None:
        # It stays noted until both were compared: whoever takes a lock makes the folder anew.
        if not await asyncio.to_thread(self.auths.is_dir):
            self._folder_gone = True
        here = await self.local.list()
        if self._all_lost(here):
            self._news = True
            self._wake.set()
            return
        for name in here.keys() | self._agreed.keys():
            known = self._unfit.get(name) or self._agreed.get(name)
            if (known.here if known is not None else None) != here.get(name):
                self._touched.add(name)

    async def _open(self, *, make: bool = True) -> None:
        async with self._opening:
            if self._opened:
                return
            try:
                await self.store.open(make=make)
            except BaseException:
                await self.store.close()
                raise
            self._opened = True

    def _failed(self, err: Exception) -> None:
        if isinstance(err, StoreError):
            told = err
        elif isinstance(err, TimeoutError):
            told = Away(f"{self.store.title} is too slow.")
        else:
            _log.error("%s and its mirror could not be compared", self.store.title, exc_info=err)
            told = Away(f"{self.store.title} could not be compared.")
        self._pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, self._pause * 2))
        self._again = self._clock.monotonic() + self._pause
        self._news = True
        before = self._standing
        if not before.away:
            _log.warning(
                "%s Serving goes on from %s, and what changes is sent later. %s",
                told.message,
                self.root,
                told.cure,
            )
        since = before.since if before.away else self._clock.now()
        self._standing = Standing(self.store.title, told.message, told.cure, since)
        self._wake.set()

    def _well(self) -> None:
        self._pause = 0.0
        if self._standing.away:
            self._standing = Standing(self.store.title)
            _log.info("%s is back, and has what was changed meanwhile", self.store.title)

    # ---- comparing ------------------------------------------------------------------------------
    async def _sync(self) -> None:
        """Compare all files."""
        await self._ours()
        listed = await self.listed()
        there = {name: mark for name, mark in listed.items() if self._usable(name)}
        here = await self.local.list()
        memory = self._memory
        if memory.first:
            await asyncio.to_thread(memory.begin)
        await asyncio.to_thread(memory.look)
        names = [
            name
            for name in sorted(here.keys() | there.keys() | self._agreed.keys())
            if not self._is_agreed(name, here.get(name), there.get(name))
        ]
        if self._agreed and not there:
            await self._lost(STORE)
        elif self._all_lost(here):
            await self._lost(MIRROR)
        else:
            self._told -= {STORE, MIRROR}
        await self._each(names, fresh=False, vanished=self.vanished(there))
        left = self._hindered.intersection(names) - self._contested
        if memory.first:
            if left:
                raise Hindered(f"{min(left)} could not be compared.", "The log says why.")
            await asyncio.to_thread(memory.met)
        if memory.lost and not left:
            await asyncio.to_thread(memory.lose, "")
        self._folder_gone = False

    async def _lost(self, side: str) -> None:
        if side not in self._told:
            self._told.add(side)
            one, other = self.store.title, str(self.root)
            if side == MIRROR:
                one, other = other, one
            _log.warning("%s has lost its files; it is filled again from %s", one, other)
        if side != self._memory.lost:
            # Also after a restart in the middle: else the rest would count as deleted.
            await asyncio.to_thread(self._memory.lose, side)

    async def missed(self, side: str) -> None:
        """Note that one side was lost; it is over once both were compared as a whole."""
        await self._lost(side)
        self._news = True

    def vanished(self, there: dict[str, str]) -> bool:
        """Tell whether the store has lost the logins that it had, or most of them at once.

        Whoever empties a bucket file by file is seen in the middle of it.
        """
        known = {name for name in self._agreed if name.startswith(AUTHS)} - self._memory.removed
        gone = len(known - there.keys())
        return gone > 0 and (gone == len(known) or (gone >= _MANY and gone * 2 >= len(known)))

    async def _ours(self) -> None:
        """Write nothing of another store into this one. Raises `Refused`."""
        if await asyncio.to_thread(self._memory.strange):
            raise Refused(
                f"The mirror {self.root} is used with another store by now.",
                "Give each of the two proxies a folder of its own.",
            )

    async def listed(self) -> dict[str, str]:
        """Return what the store has. Raises `StoreError` or `TimeoutError`."""
        async with asyncio.timeout(PATIENCE * 2):
            return await self.answer(self.store.list())

    def _usable(self, name: str) -> bool:
        if is_name(name):
            return True
        if name not in self._told and name.lower().endswith(".json"):
            self._told.add(name)
            _log.warning(
                "%s has %s, which no file may be called; not used",
                self.store.title,
                ascii(name[:100]),
            )
        return False

    def _is_agreed(self, name: str, here: str | None, there: str | None) -> bool:
        now = Agreed(here, there)
        return now in (self._agreed.get(name, NOTHING), self._unfit.get(name))

    def _all_lost(self, here: dict[str, str]) -> bool:
        """Tell whether the folder has lost its logins, which nobody has deleted."""
        known = self._undeleted()
        return bool(known) and not known & here.keys()

    def none_left(self) -> bool:
        """Tell the same by a look at the files, which mostly ends at the first; blocks."""
        known = self._undeleted()
        return bool(known) and not any((self.root / name).is_file() for name in known)

    def _undeleted(self) -> set[str]:
        """Return the logins that the folder should have; none where one alone may be missing."""
        known = {name for name in tuple(self._agreed) if name.startswith(AUTHS)}
        known -= self._memory.removed
        return known if len(known) > (0 if self._folder_gone else 1) else set()

    async def _send(self) -> None:
        """Compare what was changed here."""
        if self._touched:
            await self._ours()
        waiting = self._clock.monotonic() < self._later
        await self._each(sorted(self._touched - self._hindered if waiting else self._touched))

    async def _each(
        self, names: list[str], *, fresh: bool = True, vanished: bool | None = None
    ) -> None:
        """Compare some files; one that cannot be kept does not hinder the others."""
        turns = asyncio.Semaphore(self.store.at_once)

        async def one(name: str) -> None:
            async with turns:
                await self._settle(name, fresh=fresh, vanished=vanished)

        tasks = [own(one(name)) for name in names]
        try:
            for task in tasks:
                await task
        finally:
            await cancel(*tasks)

    async def _settle(self, name: str, *, fresh: bool = True, vanished: bool | None = None) -> None:
        """Make one file the same on both sides.

        Args:
            name: Which one.
            fresh: Whether the store is to be asked anew.
            vanished: Whether all logins are gone there; None = that is still to be found out.
        """
        async with self._locks[name]:
            self._sending.add(name)
            try:
                for turn in range(TRIES):
                    with contextlib.suppress(Conflict):
                        self._touched.discard(name)
                        self._unfit.pop(name, None)
                        await self._pairs.settle(name, fresh=fresh or turn > 0, vanished=vanished)
                        if name in self._agreed:
                            self._told.discard(name)
                        self._hindered.discard(name)
                        self._contested.discard(name)
                        if not self._hindered:
                            self._hindrance = 0.0
                        return
                # A server may have reasons of its own to refuse, and is not to be asked on and on.
                self._wait(name)
                self._contested.add(name)
                _log.warning("%s is changed by others all the time; it is tried again", name)
            except Unstorable as err:
                self._give_up(name, err)
            except TimeoutError:
                self._touched.add(name)
                raise
            except (Hindered, OSError) as err:
                if isinstance(err, OSError) and err.errno in NEVER:
                    self._give_up(name, err)
                else:
                    self._wait(name)
                    self._tell(name, err)
            except BaseException:
                self._touched.add(name)
                raise
            finally:
                self._sending.discard(name)

    def _give_up(self, name: str, err: Exception) -> None:
        """Leave a file alone until it changes on one side."""
        self._hindered.discard(name)
        self._unfit[name] = self._pairs.seen.get(name, NOTHING)
        self._tell(name, err)

    def _wait(self, name: str) -> None:
        """Try a file again later that this machine cannot read or write now."""
        now = self._clock.monotonic()
        if now >= self._later:
            self._hindrance = min(LONGEST_PAUSE, max(FIRST_PAUSE, self._hindrance * 2))
            self._later = now + self._hindrance
        self._touched.add(name)
        self._hindered.add(name)

    def _tell(self, name: str, err: Exception) -> None:
        if name not in self._told:
            self._told.add(name)
            _log.warning("%s", err if isinstance(err, StoreError) else f"{name}: {err}")
