"""Messages of a websocket that wait for their turn, in order and within bounds."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

MOST: Final = 16
"""Messages that may wait."""
REFUSED: Final = 1024
"""Messages beyond these that are still told so one by one, each when its turn comes."""
POLICY: Final = 1008


class Inbox:
    """Takes messages while a turn runs."""

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._waiting: deque[bytes | None] = deque()
        self._messages = 0
        self._bytes = 0
        self._news = asyncio.Event()
        self.closing = (0, "")
        """Why the connection is to be closed: code and reason."""

    def put(self, message: bytes) -> None:
        """Take a message; of one too many only that it came."""
        if len(self._waiting) >= MOST + REFUSED:
            self.end(POLICY, "too many messages wait")
        if self.closing[0]:
            return
        fits = not self._messages or self._bytes + len(message) <= self._limit()
        if self._messages < MOST and fits:
            self._messages += 1
            self._bytes += len(message)
            self._waiting.append(message)
        else:
            self._waiting.append(None)
        self._news.set()

    def end(self, code: int, reason: str) -> None:
        """Give no more messages out. Who says so first is right."""
        if not self.closing[0]:
            self.closing = code, reason
        self._waiting.clear()
        self._news.set()

    async def next(self) -> bytes | Ended | None:
        """Return the next message, None in place of one that was too many."""
        while not self.closing[0]:
            if self._waiting:
                message = self._waiting.popleft()
                if message is not None:
                    self._messages -= 1
                    self._bytes -= len(message)
                return message
            self._news.clear()
            await self._news.wait()
        return ENDED


class Ended:
    """No message: the connection is to be closed."""


ENDED: Final = Ended()
