"""Logins that wait for a person: begun here, ended by a callback from wherever it comes.

Each is known by its state, which nobody can guess and which is good for one callback. It ends by
success, by refusal, by being cancelled, or after ten minutes; its end is remembered for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final, Literal

from msgspec import Struct, structs

from cliproxy import login
from cliproxy.base.clock import Clock
from cliproxy.base.redact import Hidden
from cliproxy.base.tasks import cancel, own
from cliproxy.keeper.keeper import Keeper
from cliproxy.keeper.pasted import Pasted, read_fields
from cliproxy.keeper.talking import converse
from cliproxy.login.flow import LOGIN_SECONDS, Callback, Problem, Show, Visit, new_state
from cliproxy.transport.client import Transport
from cliproxy.transport.listener import Listener, listen, page

_log: Final = logging.getLogger("cliproxy.accounts")
REMEMBERED: Final = 600.0
"""Seconds that the end of a login is remembered."""
MOST: Final = 64
"""Logins that may be waiting at once."""

Status = Literal["wait", "ok", "error"]


class Pending(Hidden, Struct):
    """A login that was begun."""

    provider: str
    state: str
    url: str = ""
    """Where the person is to go."""
    user_code: str = ""
    """What is to be typed there, where a code is to be typed."""
    complete: str = ""
    """The same address with the code in it."""
    status: Status = "wait"
    error: str = ""
    name: str = ""
    """The new account's file, once there is one."""
    notice: str = ""
    """What the person should know of the provider's terms."""
    paste: bool = False
    """The page shows a code; it is pasted as it is."""
    listening: bool = False
    """A browser on this machine will end the login by itself."""


class CallbackRefused(Exception):
    """Why a callback is not taken: `unknown` state, `provider` mismatch, `used`, `invalid`."""

    def __init__(self, why: Literal["unknown", "provider", "used", "invalid"], text: str) -> None:
        super().__init__(text)
        self.why = why


class Logins:
    """All logins that wait, and those that ended lately."""

    def __init__(self, keeper: Callable[[], Keeper], transport: Transport, clock: Clock) -> None:
        self._keeper = keeper
        self._transport = transport
        self._clock = clock
        self._waiting: dict[str, _Waiting] = {}
        self._starting = 0

    async def start(
        self,
        provider: str,
        way: str = "",
        options: dict[str, str] | None = None,
        *,
        proxy: str | None = None,
        port: int = 0,
        attend: bool = False,
    ) -> Pending:
        """Begin a login and return where the person is to go. Raises `Problem`, `KeyError`.

        `attend` also listens for the browser on this machine; without it, or where the port is
        taken, the callback comes by `callback`. `port` replaces the provider's own.
        """
        self._forget()
        if len(self.waiting()) + self._starting >= MOST:
            raise Problem("limited", "Too many logins are waiting; finish or cancel some first.")
        found = login.get(provider)
        if not found.ways:
            raise Problem("refused", f"{provider} has no login; it takes a file or a key.")
        await self._keeper().know(provider)
        setting = structs.replace(
            self._keeper().setting(provider, **(options or {})), redirect_port=port
        )
        pending = Pending(provider, new_state(), notice=login.NOTICES.get(provider, ""))
        waiting = _Waiting(pending, self, attend=attend)
        talk = found.login(setting, way or found.ways[0])
        keeper = self._keeper()

        async def work() -> None:
            try:
                new = await asyncio.wait_for(
                    converse(
                        talk,
                        self._transport,
                        self._clock,
                        proxy=proxy or keeper.settings.proxy,
                        person=waiting,
                    ),
                    LOGIN_SECONDS,
                )
                # The one of now: the folder of logins may have been changed meanwhile.
                credential = await self._keeper().add(new)
                pending.name, pending.status = credential.name, "ok"
                _log.info("logged in: %s", credential.name)
            except Problem as err:
                pending.status, pending.error = "error", err.message
                waiting.problem = err
            except TimeoutError:
                pending.status, pending.error = "error", "Nobody logged in within ten minutes."
            except OSError as err:
                pending.status, pending.error = "error", f"The login cannot be kept: {err}"
            except asyncio.CancelledError:
                pending.status, pending.error = "error", "The login was cancelled."
                raise
            except Exception:  # noqa: BLE001  # logged; whoever waits must hear of an end
                _log.exception("a login failed")
                pending.status, pending.error = "error", "The login failed; see the log."
            finally:
                waiting.ended = self._clock.monotonic()
                waiting.told.set()
                await waiting.leave()

        waiting.task = own(work())
        self._starting += 1
        try:
            await waiting.told.wait()
        except BaseException:
            # Whoever began it is gone; nobody will end it.
            waiting.task.cancel()
            raise
        finally:
            self._starting -= 1
        self._waiting[pending.state] = waiting
        if waiting.problem is not None:
            raise waiting.problem
        return pending

    def status(self, state: str) -> Pending | None:
        """Return a login by its state; None when there is none, or it is long over."""
        self._forget()
        waiting = self._waiting.get(state)
        return waiting.pending if waiting is not None else None

    async def wait(self, pending: Pending) -> Pending:
        """Wait until a login has ended."""
        task = self._waiting[pending.state].task
        if task is not None:
            await asyncio.wait((task,))
        return pending

    def waiting(self) -> list[Pending]:
        """Return all logins that wait."""
        return [w.pending for w in self._waiting.values() if w.pending.status == "wait"]

    def callback(self, heard: Pasted, *, provider: str | None = None) -> Pending:
        """End a login by what its browser brought back. Raises `CallbackRefused`."""
        if not heard.state:
            raise CallbackRefused("invalid", "The callback names no state.")
        waiting = self._waiting.get(heard.state)
        if waiting is None:
            raise CallbackRefused("unknown", "There is no login with this state, or it has ended.")
        if provider is not None and login.named(provider) != waiting.pending.provider:
            raise CallbackRefused("provider", "The state belongs to another provider's login.")
        if waiting.pending.status != "wait" or not waiting.take(heard):
            raise CallbackRefused("used", "This login has had its callback already.")
        return waiting.pending

    async def cancel(self, state: str) -> bool:
        """End a login that nobody wants any more; tell whether there was one."""
        waiting = self._waiting.pop(state, None)
        if waiting is None or waiting.task is None:
            return False
        await cancel(waiting.task)
        return True

    async def close(self) -> None:
        """End all."""
        for state in list(self._waiting):
            await self.cancel(state)

    def _forget(self) -> None:
        now = self._clock.monotonic()
        for state, waiting in list(self._waiting.items()):
            if waiting.ended is not None and now - waiting.ended > REMEMBERED:
                del self._waiting[state]


class _Waiting:
    """The person of one login, as seen from here."""

    def __init__(self, pending: Pending, logins: Logins, *, attend: bool) -> None:
        self.pending = pending
        self.task: asyncio.Task[None] | None = None
        self.told = asyncio.Event()
        """The person knows where to go, or the login has ended before that."""
        self.ended: float | None = None
        self.problem: Problem | None = None
        self._logins = logins
        self._attend = attend
        self._listener: Listener | None = None
        self._heard: asyncio.Future[Pasted] = asyncio.get_running_loop().create_future()

    async def visit(self, visit: Visit) -> Callback:
        """Wait for the callback."""
        self.pending.url, self.pending.state = visit.url, visit.state
        self.pending.paste = visit.port == 0
        if self._attend and visit.port:
            with contextlib.suppress(OSError):
                self._listener = await listen(visit.port, visit.path, self._browser)
                self.pending.listening = True
        self.told.set()
        heard = await self._heard
        if heard.error:
            raise Problem("cancelled", f"The provider refused the login: {heard.error[:300]}")
        return Callback(heard.code, heard.state)

    def show(self, show: Show) -> None:
        """Tell the code."""
        pending = self.pending
        pending.url, pending.user_code, pending.complete = show.url, show.code, show.complete
        self.told.set()

    def take(self, heard: Pasted) -> bool:
        """Take the callback, once."""
        if self._heard.done():
            return False
        self._heard.set_result(heard)
        return True

    async def leave(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            await self._listener.close()

    async def _browser(self, query: dict[str, str]) -> str:
        heard = read_fields(query)
        if heard is None or heard.state != self.pending.state:
            return page("This is not the login that was begun", "Start it again.")
        with contextlib.suppress(CallbackRefused):
            self._logins.callback(heard)
        if heard.error:
            return page("The login was refused", "You can close this window.")
        return page("Almost done", "You can close this window; cliproxy finishes the login.")
