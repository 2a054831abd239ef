"""The driver of talks: it does what they yield and tells them what came of it."""

from __future__ import annotations

import logging
import traceback
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urlsplit

import aiohttp
from msgspec import structs

from cliproxy.base import redact
from cliproxy.base.clock import Clock
from cliproxy.base.errors import UpstreamError, UpstreamUnreachable
from cliproxy.base.http import HttpRequest, Timeouts
from cliproxy.login.flow import Answer, Callback, Problem, Show, Talk, Unreachable, Visit, Wait
from cliproxy.transport.client import Transport

T = TypeVar("T")
_log: Final = logging.getLogger("cliproxy.accounts")
TIMES: Final = Timeouts(connect=10.0, first=30.0, idle=30.0, total=45.0)
"""Nobody waits longer for a token or a quota."""
_ODD: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What becomes of an answer in shapes that nobody has thought of."""
_CUT: Final = (aiohttp.ClientResponseError, aiohttp.ServerDisconnectedError, ConnectionError,
               aiohttp.ClientOSError)  # fmt: skip
"""How a connection ends on which a question may have been heard."""
_NOT_BEGUN: Final = (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError,
                     ConnectionRefusedError)  # fmt: skip
"""Those of them that come before there is a connection."""
_MOST: Final = 4 * 1024 * 1024
"""Bytes of an answer that are read."""


class Person(Protocol):
    """Whoever is logging in."""

    async def visit(self, visit: Visit) -> Callback:
        """Let the person open a page; return what came back. Raises `Problem`."""
        ...

    def show(self, show: Show) -> None:
        """Show a code to type."""
        ...


class Nobody:
    """Stands where no person is: a refresh that asks for one has failed."""

    async def visit(self, visit: Visit) -> Callback:
        """Refuse."""
        raise Problem("needs_login", f"A person must log in at {urlsplit(visit.url).hostname}.")

    def show(self, show: Show) -> None:
        """Refuse."""
        raise Problem("needs_login", f"A person must log in at {urlsplit(show.url).hostname}.")


NOBODY: Final = Nobody()


async def converse(
    talk: Talk[T],
    transport: Transport,
    clock: Clock,
    *,
    proxy: str | None = None,
    person: Person = NOBODY,
) -> T:
    """Bring a talk to its end and return its result. Raises `Problem`.

    `proxy` is what its requests go through where they do not say otherwise.
    """
    sent: Any = None
    failure: Unreachable | None = None
    said = redact.secrets_of(proxy or "", {})
    try:
        while True:
            step = talk.throw(failure) if failure is not None else talk.send(sent)
            sent, failure = None, None
            match step:
                case HttpRequest():
                    said |= redact.secrets_of(step.url, step.headers, step.body)
                    try:
                        sent = await _asked(step, transport, proxy, said)
                    except Unreachable as err:
                        failure = err
                case Wait():
                    await clock.sleep(step.seconds)
                case Visit():
                    sent = await person.visit(step)
                case Show():
                    person.show(step)
    except StopIteration as stop:
        result: T = stop.value
        return result
    except Unreachable as err:
        # A talk that has no use for a missing answer lets it pass.
        raise Problem("network", str(err)) from err
    except Problem as err:
        err.message = redact.without(err.message, said)
        err.args = (err.message,)
        raise
    except _ODD as err:
        # Its own words may repeat a token. What was granted is lost, and not to be asked for twice.
        place = traceback.extract_tb(err.__traceback__)[-1]
        _log.error("an answer cannot be read: %s in %s", type(err).__name__, place.name)
        raise Problem("unknown_outcome", "The provider's answer makes no sense.") from err
    finally:
        talk.close()


async def _asked(
    request: HttpRequest, transport: Transport, proxy: str | None, said: set[str]
) -> Answer:
    host = urlsplit(request.url).hostname or ""
    # Answers are small, and some hosts compress what was asked for plain.
    headers = {"accept-encoding": "gzip, deflate", **request.headers}
    try:
        response = await transport.send(
            structs.replace(request, headers=headers), TIMES, proxy=proxy
        )
        # It may hold the only token that is still good.
        response.spared = True
        try:
            body = await response.read(_MOST)
        finally:
            response.close()
    except UpstreamUnreachable as err:
        sent = isinstance(err.__cause__, _CUT) and not isinstance(err.__cause__, _NOT_BEGUN)
        raise Unreachable(f"{host} cannot be reached: {err.message}", sent=sent) from err
    except UpstreamError as err:
        raise Unreachable(f"{host} gave no answer: {err.message}", sent=True) from err
    _log.debug("%s %s -> %s", request.method, host, response.status)
    if response.status >= 400:
        # Some servers repeat what they refuse; their words are told to people.
        body = redact.without_bytes(body, said)
    else:
        said |= redact.secrets_of("", {}, body)
    return Answer(response.status, response.headers, body)
