"""Waiting for a stream without giving it up, and keeping a client's connection alive meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final, Generic, TypeVar

from cliproxy.base.tasks import cancel, own
from cliproxy.dialects import Framing

T = TypeVar("T")

COMMENT: Final = b": keep-alive\n\n"
SPACE: Final = b"\n"


class Patient(Generic[T]):
    """Reads an asynchronous generator item by item, with a limit to each wait.

    A wait that ends early leaves the generator as it is: cancelling it there would end it.
    """

    def __init__(self, source: AsyncGenerator[T, None]) -> None:
        self._source = source
        self._pending: asyncio.Task[T] | None = None

    async def next(self, wait: float | None = None) -> T | None:
        """Return the next item, None when it did not come within `wait` seconds.

        Raises `StopAsyncIteration` at the end.
        """
        pending = self._pending
        if pending is None:
            if wait is None:
                return await anext(self._source)
            pending = own(_step(self._source))
        elif wait is None:
            self._pending = None
            return await _outcome(pending)
        self._pending = pending
        await asyncio.wait((pending,), timeout=wait)
        if not pending.done():
            return None
        self._pending = None
        return await _outcome(pending)

    async def rest(self) -> AsyncGenerator[T, None]:
        """Yield all that is still to come; closes the source."""
        try:
            while True:
                try:
                    item = await self.next()
                except StopAsyncIteration:
                    return
                assert item is not None
                yield item
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Close the source."""
        pending, self._pending = self._pending, None
        if pending is not None:
            await cancel(pending)
        await self._source.aclose()


_END: Final = object()


async def _step(source: AsyncGenerator[T, None]) -> T:
    # A task cannot end with StopAsyncIteration.
    return await anext(source, _END)  # type: ignore[arg-type]


async def _outcome(task: asyncio.Task[T]) -> T:
    found = await task
    if found is _END:
        raise StopAsyncIteration
    return found


async def kept_alive(
    chunks: AsyncGenerator[bytes, None], every: float, framing: Framing
) -> AsyncGenerator[bytes, None]:
    """Pass a stream on, with a sign of life after every `every` seconds of silence."""
    patient = Patient(chunks)
    try:
        while True:
            try:
                chunk = await patient.next(every)
            except StopAsyncIteration:
                return
            if chunk is not None:
                yield chunk
            elif framing == "sse":
                # In an array of Gemini's only white space is legal, and its readers want none.
                yield COMMENT
    finally:
        await patient.aclose()


async def alive_until(
    work: asyncio.Task[T],
    every: float,
    sign: bytes,
    finish: Callable[[Awaitable[T]], AsyncGenerator[bytes, None]],
) -> AsyncGenerator[bytes, None]:
    """Yield signs of life until work is done, then what `finish` makes of it."""
    try:
        while True:
            await asyncio.wait((work,), timeout=every)
            if work.done():
                break
            yield sign
        async for chunk in finish(work):
            yield chunk
    finally:
        if not work.done():
            await cancel(work)
