"""One upstream call as events: whatever the upstream sends, in whatever framing, becomes IR.

Handles what real upstreams do against their own protocol: a JSON body for a stream request, an
event stream for a whole one, HTML with status 200, a connection cut anywhere.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

from cliproxy.base.errors import GatewayError, UpstreamBroken
from cliproxy.dialects import Dialect, Reader
from cliproxy.dialects.sse import EventTooLarge, SseDecoder, looks_like_json
from cliproxy.ir.caps import Caps
from cliproxy.ir.check import Checker
from cliproxy.ir.events import End, Error, Event
from cliproxy.ir.restore import Restore, RestoreStream
from cliproxy.pipeline.meter import Tap
from cliproxy.pipeline.withheld import cleaned
from cliproxy.transport.answer import Answer

ERROR_LIMIT: Final = 1024 * 1024
"""Bytes of an upstream's error body that are read."""


class Source:
    """Reads one answer of one upstream into events."""

    def __init__(
        self,
        dialect: Dialect,
        caps: Caps,
        restore: Restore,
        *,
        checked: bool = False,
        tap: Tap | None = None,
        secrets: Callable[[], set[str]] = set,
    ) -> None:
        self._see = (tap or Tap(dialect.id)).see
        self._reader: Reader = dialect.reader(caps)
        self._restore = RestoreStream(restore) if restore else None
        self._checker = Checker() if checked else None
        self._secrets = secrets

    def whole(self, body: bytes) -> list[Event]:
        """Read a complete answer, which may be an event stream although none was asked for."""
        if looks_like_json(body[:64]):
            return self._pass(self._reader.whole(body))
        decoder = SseDecoder()
        frames = [*decoder.feed(body), *decoder.close()]
        if not frames:
            raise not_the_protocol(body)
        events: list[Event] = []
        for frame in frames:
            events += self._reader.feed(frame.data, frame.event)
        events += self._reader.close()
        return self._pass(events)

    async def stream(self, response: Answer) -> AsyncGenerator[list[Event], None]:
        """Yield the events of each read. Ends after `End` or `Error`; never raises a GatewayError.

        The response is closed when the iterator is.
        """
        decoder = SseDecoder()
        feed, see = self._reader.feed, self._see
        first = True
        over = False
        try:
            async with aclosing(response.chunks()) as chunks:
                async for chunk in chunks:
                    if first:
                        if looks_like_json(chunk[:64]):
                            rest = [chunk, *[part async for part in chunks]]
                            yield self._pass(self._reader.whole(b"".join(rest)))
                            return
                        first = False
                    events: list[Event] = []
                    for data, name in decoder.feed(chunk):
                        see(data)
                        events += feed(data, name)
                    if events:
                        yield self._pass(events)
                        if isinstance(events[-1], Error):
                            return
                        over = isinstance(events[-1], End)
            events = []
            for data, name in decoder.close():
                events += feed(data, name)
            yield self._pass([*events, *self._reader.close()])
        except EventTooLarge as err:
            yield self._pass(
                [Error.of(UpstreamBroken(f"The upstream sent too much at once: {err}"))]
            )
        except GatewayError as err:
            # A connection that breaks after the end took nothing with it.
            if not over:
                yield self._pass([Error.of(err)])
        finally:
            response.close()

    def _pass(self, events: list[Event]) -> list[Event]:
        if self._checker is not None:
            for event in events:
                self._checker.feed(event)
        if events and isinstance(events[-1], Error):
            # An upstream may repeat the key that it was sent.
            events = [*events[:-1], cleaned(events[-1], self._secrets())]
        if self._restore is not None:
            return self._restore.feed(events)
        return events


def not_the_protocol(body: bytes) -> UpstreamBroken:
    """Describe a body that is neither JSON nor an event stream."""
    head = body[:512].lstrip().lower()
    if not head:
        return UpstreamBroken("The upstream answered 200 with an empty body.")
    if head.startswith((b"<!doctype", b"<html", b"<head", b"<body", b"<?xml")):
        return UpstreamBroken(
            "The upstream answered with a web page instead of an API answer; check its base-url."
        )
    return UpstreamBroken("The upstream's answer is neither JSON nor an event stream.")
