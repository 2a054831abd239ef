"""Pooled HTTP to upstreams: one session per proxy, our errors instead of the library's.

`Transport.send` returns as soon as the answer's headers are there; the body is read by
`UpstreamResponse.chunks` (what one read gave, unbuffered) or `.read`. Reading is pulled: as long
as nobody asks for the next chunk, nothing is read from the socket beyond a small window, which is
what makes a slow client slow the upstream down instead of filling memory.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import lru_cache
from socket import gaierror
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp_socks import ProxyConnectionError, ProxyConnector, ProxyError, ProxyTimeoutError

from cliproxy.base import redact
from cliproxy.base.errors import (
    UpstreamBroken,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from cliproxy.base.http import HttpRequest, Timeouts
from cliproxy.transport import proxy as proxies
from cliproxy.transport.answer import Answer
from cliproxy.transport.deadline import Deadlines
from cliproxy.transport.local import SCHEME as LOCAL_SCHEME
from cliproxy.transport.local import LocalServer
from cliproxy.transport.proxy import Proxy

if TYPE_CHECKING:
    from cliproxy.transport.line import Line, Said

READ_WINDOW: Final = 64 * 1024
"""Bytes read ahead per answer before reading stops until someone takes them (aiohttp may hold
twice this)."""

_ONE_WRITE: Final = 64 * 1024
_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None)
_OWN_HEADERS: Final = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class _Readers:
    """What the answers of one transport share."""

    def __init__(self) -> None:
        self.deadlines = Deadlines()
        self.reading: set[Answer] = set()


class UpstreamResponse:
    """An answer whose headers are here. Close it when it is not read to its end."""

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        timeouts: Timeouts,
        deadline: float,
        readers: _Readers,
    ) -> None:
        self._response = response
        self._readers = readers
        self._timeouts = timeouts
        self._deadline = deadline
        self.heard: Callable[[bytes], None] | None = None
        """Hears every piece of the body that is read."""
        self.closed: Callable[[], None] | None = None
        """Hears that nobody reads any more."""
        self.spared = False
        """Whether it is read to its end even when the proxy is being stopped."""
        self.status: Final = response.status
        self.headers: Final = {k.lower(): v for k, v in response.headers.items()}

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield what each read gives. Raises `UpstreamTimeout` or `UpstreamBroken`."""
        content = self._response.content
        wait = self._timeouts.first
        loop = asyncio.get_running_loop()
        within = self._readers.deadlines.within
        self._readers.reading.add(self)
        try:
            while True:
                try:
                    chunk = content.read_nowait()
                    if not chunk and not content.at_eof():
                        with within(_left(wait, self._deadline, loop)):
                            chunk = await content.readany()
                except TimeoutError as err:
                    self.close()
                    raise UpstreamTimeout(
                        f"The upstream was silent for {wait:g} s; the request was given up."
                    ) from err
                except (aiohttp.ClientError, OSError, ValueError) as err:
                    # What had come before the connection broke was said all the same.
                    rest = _left_over(content)
                    self.close()
                    if rest:
                        if self.heard is not None:
                            self.heard(rest)
                        yield rest
                    raise _broken(err) from err
                if not chunk:
                    return
                wait = self._timeouts.idle
                if self.heard is not None:
                    self.heard(chunk)
                yield chunk
        finally:
            self._readers.reading.discard(self)

    async def read(self, limit: int | None = None) -> bytes:
        """Return the whole body, cut after `limit` bytes."""
        content = self._response.content
        if limit is None and content.is_eof() and content.exception() is None:
            body = content.read_nowait()  # it came together with the headers
            if self.heard is not None:
                self.heard(body)
            return body
        parts: list[bytes] = []
        size = 0
        async with aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                parts.append(chunk)
                size += len(chunk)
                if limit is not None and size >= limit:
                    self.close()
                    break
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def interrupt(self) -> None:
        """End the reading with an error, wherever it is."""
        self._response.content.set_exception(Interrupted())

    def close(self) -> None:
        """Let go of the connection at once; it is reused only if the body was read to its end."""
        self._response.close()
        if self.closed is not None:
            self.closed()


class Interrupted(OSError):
    """The proxy is being stopped, and with it what it reads."""


class Transport:
    """Sends requests. One per process; close it."""

    def __init__(self, local: LocalServer | None = None) -> None:
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self._vias: dict[tuple[str | None, str], Proxy | None] = {}
        self._local = local
        self._readers = _Readers()
        self._lines: set[Line] = set()
        self._closed = False

    async def send(
        self, request: HttpRequest, timeouts: Timeouts, *, proxy: str | None = None
    ) -> UpstreamResponse:
        """Send and wait for the headers of the answer.

        Raises `UpstreamUnreachable` when nothing was answered and `UpstreamTimeout` when it took
        longer than `timeouts.first`.
        """
        if self._closed:
            raise UpstreamUnreachable("The proxy is being stopped.")
        url = request.url
        if url.startswith(LOCAL_SCHEME):
            url = await self._local_url(url)
        via = self._via(request.proxy or proxy, url)
        session = self._session(via)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeouts.total if timeouts.total else 0.0
        options: dict[str, Any] = {}
        if via is not None and not via.socks:
            options["proxy"] = via.url
        if timeouts.connect:
            options["timeout"] = _connecting(timeouts.connect)
        try:
            with self._readers.deadlines.within(_left(timeouts.first, deadline, loop)):
                response = await session.request(
                    request.method,
                    url,
                    data=_payload(request.body),
                    headers=request.headers,
                    allow_redirects=False,
                    **options,
                )
        except aiohttp.ServerTimeoutError as err:
            raise UpstreamUnreachable(
                f"No connection to {redact.url(url)} within {timeouts.connect:g} s.",
                status=504,
            ) from err
        except (TimeoutError, ProxyTimeoutError) as err:
            raise UpstreamTimeout(
                f"{_host(url)} did not answer within {timeouts.first:g} s."
            ) from err
        except (
            aiohttp.ClientError,
            ProxyError,
            ProxyConnectionError,
            OSError,
            ValueError,
        ) as err:
            raise _unreachable(url, via, err) from err
        return UpstreamResponse(response, timeouts, deadline, self._readers)

    async def line(
        self, request: HttpRequest, timeouts: Timeouts, *, proxy: str | None = None
    ) -> Line | Said:
        """Open a websocket; return the answer of who refuses. Raises `UpstreamUnreachable`."""
        from cliproxy.transport.line import Line, opened  # noqa: PLC0415  # no command needs it

        if self._closed:
            raise UpstreamUnreachable("The proxy is being stopped.")
        # The environment speaks of http and https.
        via = self._via(request.proxy or proxy, "http" + request.url.removeprefix("ws"))
        readers = self._readers
        made = await opened(request, timeouts, via, readers.deadlines, readers.reading)
        if isinstance(made, Line):
            if self._closed:
                made.abort()
                raise UpstreamUnreachable("The proxy is being stopped.")
            self._lines.add(made)
            made.gone = lambda: self._lines.discard(made)
        return made

    async def _local_url(self, url: str) -> str:
        if self._local is None:
            raise UpstreamUnreachable("The embedded model is not enabled in this process.")
        path = url[len(LOCAL_SCHEME) :].partition("/")[2]
        return f"{await self._local.url()}/{path}"

    def interrupt(self) -> None:
        """End all answers that are being read, with an error that their clients are told."""
        for response in list(self._readers.reading):
            if not response.spared:
                response.interrupt()

    async def close(self) -> None:
        """Close all connections."""
        # What still runs must not open anything that nobody closes.
        self._closed = True
        for line in list(self._lines):
            line.abort()
            await asyncio.sleep(0)
        sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            await session.close()

    def _via(self, wanted: str | None, url: str) -> Proxy | None:
        # Reading the environment takes longer than sending; it is done once for each host.
        key = wanted, url[: url.find("/", 8)]
        try:
            return self._vias[key]
        except KeyError:
            via = self._vias[key] = proxies.resolve(wanted, url)
            return via

    def _session(self, via: Proxy | None) -> aiohttp.ClientSession:
        # HTTP proxies share the direct session: aiohttp pools per (host, proxy) by itself.
        key = f"{via.url}|{via.remote_dns}" if via is not None and via.socks else ""
        session = self._sessions.get(key)
        if session is None:
            session = aiohttp.ClientSession(
                connector=_connector(via if key else None),
                timeout=_NO_TIMEOUT,
                skip_auto_headers=_OWN_HEADERS,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=True,
                read_bufsize=READ_WINDOW,
                max_line_size=64 * 1024,
                max_field_size=64 * 1024,
            )
            self._sessions[key] = session
        return session


def _connector(via: Proxy | None) -> aiohttp.TCPConnector:
    options: dict[str, Any] = {"limit": 0, "keepalive_timeout": 75, "ttl_dns_cache": 300}
    if via is None:
        return aiohttp.TCPConnector(**options)
    return ProxyConnector.from_url(via.url, rdns=via.remote_dns, **options)


@lru_cache(maxsize=16)
def _connecting(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, connect=seconds)


def _payload(body: bytes) -> bytes | io.BytesIO | None:
    # A large body in one piece would hold up everybody else while it is written.
    return io.BytesIO(body) if len(body) > _ONE_WRITE else body or None


def _left(wait: float, deadline: float, loop: asyncio.AbstractEventLoop) -> float | None:
    if not deadline:
        return wait or None
    left = max(0.0, deadline - loop.time())
    return min(wait, left) if wait else left


def _host(url: str) -> str:
    return redact.url(url).split("//", 1)[-1].split("/", 1)[0]


def _unreachable(url: str, via: Proxy | None, err: Exception) -> UpstreamError:
    host, arrived = _host(url), False
    through = f" through proxy {redact.url(via.url)}" if via is not None else ""
    match err:
        case aiohttp.ClientHttpProxyError():
            why = f"the proxy answered {err.status}"
        case aiohttp.ClientProxyConnectionError() | ProxyError() | ProxyConnectionError():
            why = "the proxy could not be used"
        case aiohttp.ClientConnectorDNSError() | OSError(__cause__=gaierror()):
            # The second is that of connections through a proxy to which we give addresses.
            why = "the name does not resolve"
        case aiohttp.ClientConnectorCertificateError():
            why = "its TLS certificate is not trusted"
        case aiohttp.ClientSSLError():
            why = "TLS failed"
        case aiohttp.InvalidURL():
            why = "the base-url is not a URL"
        case ConnectionRefusedError() | aiohttp.ClientConnectorError():
            why = "the connection was refused or failed"
        case aiohttp.ServerDisconnectedError() | ConnectionResetError() | BrokenPipeError():
            why, arrived = "it closed the connection without answering", True
        case aiohttp.ClientOSError():
            why, arrived = "the connection broke before an answer", True
        case _:
            why = type(err).__name__
    failure = UpstreamUnreachable(f"Cannot reach {host}{through}: {why}.")
    failure.arrived = arrived
    return failure


def _left_over(content: aiohttp.StreamReader) -> bytes:
    """Return what was received and not read; aiohttp itself gives it no more after a failure."""
    read = getattr(content, "_read_nowait", None)
    try:
        return read(-1) if read is not None else b""
    except (aiohttp.ClientError, OSError, ValueError):
        return b""


def _broken(err: Exception) -> UpstreamError:
    if isinstance(err, Interrupted):
        return UpstreamBroken("The proxy was stopped before this answer was complete; ask again.")
    if isinstance(err, aiohttp.ClientPayloadError):
        return UpstreamBroken("The upstream's answer was cut off or is unreadable.")
    return UpstreamBroken("The connection to the upstream broke in the middle of its answer.")
