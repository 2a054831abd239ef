"""`usage.db`: one thread writes, in batches; whoever asks reads beside it.

Adding a record is an append to a list. The thread wakes up for the first one, lets others gather
for a moment, and writes them in one transaction. What is killed in between loses that moment.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any, Final, TypeVar

from cliproxy.base.clock import SYSTEM_CLOCK, Clock
from cliproxy.base.files import private_folder
from cliproxy.usage.cost import Prices
from cliproxy.usage.pruning import Limits, prune
from cliproxy.usage.record import Record
from cliproxy.usage.tables import SCHEMA, NewerVersion, Writer, prepare

_log: Final = logging.getLogger(__name__)
_T = TypeVar("_T")

NAME: Final = "usage.db"
GATHER: Final = 0.25
"""Seconds in which records gather before they are written."""
MOST: Final = 50_000
"""Records that may wait while the disk does not take them."""
_BATCH: Final = 2000
_PRUNE_EVERY: Final = 60.0
_AGAIN: Final = 2.0
"""Seconds after which a failed write is tried again."""


class _Job:
    """Work for the writing thread beside records."""

    __slots__ = ("done", "work")

    def __init__(self, work: Callable[[Writer], Any]) -> None:
        self.work = work
        self.done: Future[Any] = Future()


class Store:
    """One file. Nothing is opened before the first record or question."""

    def __init__(
        self,
        path: Path,
        *,
        limits: Limits | None = None,
        prices: Prices | None = None,
        gather: float = GATHER,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.path = path
        self.limits = limits or Limits()
        self.prices = prices or Prices()
        self.lost = 0
        """Records that could not be written."""
        self._gather = gather
        self._clock = clock
        self._pending: deque[Record | _Job] = deque()
        self._thread: threading.Thread | None = None
        self._start = threading.Lock()
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._asleep = False
        self._closing = False
        self._pruned = 0.0
        self._failures = 0

    def add(self, record: Record) -> None:
        """Have a record written soon. Never waits, never raises."""
        pending = self._pending
        if len(pending) >= MOST:
            self.lost += 1
            return
        pending.append(record)
        if self._asleep:
            self._wake.set()
        elif self._thread is None:
            self._begin()

    def submit(self, work: Callable[[Writer], _T]) -> Future[_T]:
        """Have work done by the thread that writes, after all that was added before."""
        job = _Job(work)
        self._pending.append(job)
        self._begin()
        self._wake.set()
        self._hurry.set()
        return job.done

    def flush(self, wait: float = 5.0) -> bool:
        """Write what waits; tell whether that was done in time."""
        if self._thread is None and not self._pending:
            return True
        try:
            self.submit(lambda _: None).result(wait)
        except Exception:  # noqa: BLE001  # whatever it was, it was told in the log
            return False
        return True

    def read(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        """Ask the database, having written what waits. Raises `sqlite3.Error`."""
        self.flush()
        with closing(open_to_read(self.path)) as db:
            return question(db)

    def close(self) -> None:
        """Write what waits and stop. A later record begins anew."""
        with self._start:
            thread = self._thread
            if thread is None:
                return
            self._closing = True
            self._wake.set()
            self._hurry.set()
        thread.join(10)

    def _begin(self) -> None:
        with self._start:
            if self._thread is None:
                self._closing = False
                self._thread = threading.Thread(target=self._run, name="usage", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        writer: tuple[sqlite3.Connection, Writer] | None = None
        batch: list[Record | _Job] = []
        while True:
            if not batch and not self._pending and not self._wait():
                break
            pending = self._pending
            if not self._closing and len(pending) < _BATCH:
                self._hurry.wait(self._gather)
            self._hurry.clear()
            while pending and len(batch) < _BATCH:
                batch.append(pending.popleft())
            try:
                if writer is None:
                    writer = self._open()
                writer[1].prices = self.prices
                self._write(writer[1], batch)
                self._failures = 0
                self._prune(writer[1])
            except Exception as err:  # noqa: BLE001  # no fault may end the recording
                if writer is not None:
                    writer[0].close()
                    writer = None
                batch = self._failed(err, batch)
                if self._closing:
                    self.lost += sum(isinstance(item, Record) for item in (*batch, *pending))
                    break
        if writer is not None:
            writer[0].close()
        with self._start:
            self._thread = None
        if self._pending:
            self._begin()

    def _wait(self) -> bool:
        """Wait for something to do; False when there will be nothing more."""
        self._asleep = True
        try:
            while not self._pending:
                if self._closing:
                    return False
                self._wake.clear()
                if not self._pending and not self._closing:
                    self._wake.wait(60)
        finally:
            self._asleep = False
        return True

    def _write(self, writer: Writer, batch: list[Record | _Job]) -> None:
        """Write a batch; what is done is taken out of it, so that it is not done twice."""
        while batch:
            count = 0
            while count < len(batch) and isinstance(batch[count], Record):
                count += 1
            if count:
                records: Sequence[Any] = batch[:count]
                writer.add(records)
                del batch[:count]
                continue
            job = batch.pop(0)
            assert isinstance(job, _Job)
            try:
                job.done.set_result(job.work(writer))
            except Exception as err:  # noqa: BLE001  # whoever asked is told
                job.done.set_exception(err)

    def _failed(self, err: Exception, batch: list[Record | _Job]) -> list[Record | _Job]:
        known = isinstance(err, sqlite3.Error | OSError | NewerVersion)
        if not self._failures or not known:
            _log.warning(
                "usage is not being recorded in %s: %s", self.path, err, exc_info=not known
            )
        self._failures += 1
        for item in batch:
            if isinstance(item, _Job):
                item.done.set_exception(err)
        records: list[Record | _Job] = [item for item in batch if isinstance(item, Record)]
        if not known:
            # What cannot be written today cannot be written tomorrow.
            self.lost += len(records)
            return []
        if isinstance(err, sqlite3.DatabaseError) and _broken(err):
            aside = self.path.with_name(f"{NAME}.broken-{int(self._clock.now())}")
            try:
                self.path.replace(aside)
            except OSError:
                return records
            for suffix in ("-wal", "-shm"):
                self.path.with_name(NAME + suffix).unlink(missing_ok=True)
            _log.warning("the damaged file is kept as %s; a new one is begun", aside)
            return records
        if not self._closing:
            self._hurry.wait(min(60.0, _AGAIN * self._failures))
        return records

    def _open(self) -> tuple[sqlite3.Connection, Writer]:
        private_folder(self.path.parent)
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        db = sqlite3.connect(self.path, isolation_level=None)
        try:
            prepare(db)
        except BaseException:
            db.close()
            raise
        return db, Writer(db, self.prices)

    def _prune(self, writer: Writer) -> None:
        now = time.monotonic()
        if now - self._pruned < _PRUNE_EVERY and self._pruned:
            return
        self._pruned = now
        prune(writer.db, self.limits, self._clock.now())


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a database for questions; one that does not exist is empty. Raises `sqlite3.Error`."""
    if not path.is_file():
        db = sqlite3.connect(":memory:", check_same_thread=False)
        db.executescript(SCHEMA)
        return db
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
    try:
        db.execute("PRAGMA busy_timeout = 5000")
        db.execute("SELECT 1 FROM requests LIMIT 1").fetchone()
    except sqlite3.Error:
        db.close()
        raise
    return db


def _broken(err: sqlite3.DatabaseError) -> bool:
    told = str(err)
    return "not a database" in told or "malformed" in told
