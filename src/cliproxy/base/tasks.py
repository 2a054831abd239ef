"""Background work with an owner: a reference is kept, a failure is logged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

_T = TypeVar("_T")
_log: Final = logging.getLogger(__name__)
_running: Final[set[asyncio.Task[Any]]] = set()


def spawn(coro: Coroutine[Any, Any, _T], *, name: str | None = None) -> asyncio.Task[_T]:
    """Start a task that is kept alive until done and whose failure reaches the log.

    asyncio keeps only weak references to tasks, so `create_task` alone may lose work.
    """
    task = asyncio.create_task(coro, name=name)  # noqa: TID251  # the one place
    _running.add(task)
    task.add_done_callback(_finished)
    return task


def own(coro: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
    """Start a task whose owner awaits it, or cancels it, and deals with its failure."""
    task = asyncio.create_task(coro)  # noqa: TID251  # see spawn
    _running.add(task)
    task.add_done_callback(_owned)
    return task


def _owned(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled():
        task.exception()  # an owner that went away will not ask for it


def _finished(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if task.cancelled():
        return
    error = task.exception()
    if error is not None:
        _log.error("background task %s failed", task.get_name(), exc_info=error)


async def whole(coro: Coroutine[Any, Any, _T]) -> _T:
    """Await what must not stop half-way: a cancellation goes on only when it is done."""
    task = own(coro)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def cancel(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they are gone."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
