"""What an upstream answers, by whichever way it was asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Protocol


class Answer(Protocol):
    """An answer whose beginning is here. Close it when it is not read to its end."""

    heard: Callable[[bytes], None] | None
    """Hears every piece of the body that is read."""
    closed: Callable[[], None] | None
    """Hears that nobody reads any more."""
    spared: bool
    """Whether it is read to its end even when the proxy is being stopped."""

    @property
    def status(self) -> int:
        """The HTTP status, or what stands for it."""
        ...

    @property
    def headers(self) -> dict[str, str]:
        """The headers, their names in lower case."""
        ...

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield what each read gives. Raises `UpstreamTimeout` or `UpstreamBroken`."""
        ...

    async def read(self, limit: int | None = None) -> bytes:
        """Return the whole body, cut after `limit` bytes."""
        ...

    def interrupt(self) -> None:
        """End the reading with an error, wherever it is."""
        ...

    def close(self) -> None:
        """Let go of it at once."""
        ...
