"""Logging in from a terminal: one login from its beginning to its end."""

from __future__ import annotations

import asyncio
import sys
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct, field

from cliproxy.account.credential import Credential
from cliproxy.app.accounts import keeper_of
from cliproxy.base.clock import SYSTEM_CLOCK
from cliproxy.base.errors import ConfigError
from cliproxy.base.redact import Hidden
from cliproxy.base.tasks import cancel, own
from cliproxy.config.schema import Config
from cliproxy.keeper.keeper import Keeper
from cliproxy.keeper.logins import CallbackRefused, Logins, Pending
from cliproxy.keeper.pasted import Pasted, read_callback
from cliproxy.login.flow import LOGIN_SECONDS, Problem
from cliproxy.transport.client import Transport

_TICK: Final = 1.0


class Wish(Hidden, Struct, frozen=True):
    """How a person wants to log in."""

    provider: str
    way: str = ""
    browser: bool = True
    """Open the browser rather than only print the address."""
    proxy: str | None = None
    port: int = 0
    secret: str = ""
    """An option that is asked for at the terminal, where it does not show."""
    options: dict[str, str] = field(default_factory=dict)


def log_in(config: Config, wish: Wish, say: Callable[[str], None]) -> Credential:
    """Log in and keep the account. Raises `ConfigError` with what went wrong."""
    try:
        return asyncio.run(_log_in(config, wish, say))
    except Problem as err:
        raise ConfigError(err.message) from err
    except OSError as err:
        raise ConfigError(f"The login cannot be kept: {err}") from err


async def _log_in(config: Config, wish: Wish, say: Callable[[str], None]) -> Credential:
    transport = Transport()
    try:
        keeper = keeper_of(config, transport, SYSTEM_CLOCK)
        logins = Logins(lambda: keeper, transport, SYSTEM_CLOCK)
        pending = await logins.start(
            wish.provider, wish.way, wish.options, proxy=wish.proxy, port=wish.port, attend=True
        )
        if pending.status == "wait":
            _tell(pending, wish, say)
            await _ended(logins, pending, say)
        if pending.status != "ok":
            raise Problem("refused", pending.error or "The login did not succeed.")
        return await _completed(keeper, pending, say)
    finally:
        await transport.close()


def _tell(pending: Pending, wish: Wish, say: Callable[[str], None]) -> None:
    if pending.notice:
        say(f"Note: {pending.notice}\n")
    if pending.user_code:
        say(f"Open {pending.url} and type this code:\n\n    {pending.user_code}\n")
        target = pending.complete or pending.url
    else:
        target = pending.url
        say(f"Log in at:\n\n    {target}\n")
        if pending.listening:
            say("The browser brings the answer back by itself when it runs on this machine.")
        say(
            "Paste the code that it shows at the end."
            if pending.paste
            else f"{'Otherwise copy' if pending.listening else 'Copy'} the address it ends at (a "
            "page on localhost that does not load) and paste it here."
        )
    # The address may come from the provider: what is none is not for a browser.
    if wish.browser and target.startswith(("https://", "http://")) and webbrowser.open(target):
        say("Your browser was opened.")


async def _ended(logins: Logins, pending: Pending, say: Callable[[str], None]) -> None:
    """Wait for the end, show that time passes, and take what is pasted."""
    lines: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    if sys.stdin is not None:
        # A daemon, since nothing can end a thread that waits for a line.
        threading.Thread(target=_read_lines, args=(loop, lines), daemon=True).start()
    over = own(logins.wait(pending))
    line = own(lines.get())
    left = LOGIN_SECONDS
    try:
        while not over.done():
            await asyncio.wait((over, line), timeout=_TICK, return_when="FIRST_COMPLETED")
            if line.done():
                _pasted(logins, pending, line.result(), say)
                line = own(lines.get())
            left -= _TICK
            if sys.stderr.isatty():
                sys.stderr.write(f"\rWaiting for the login, {left / 60:.0f} min left …   ")
                sys.stderr.flush()
    finally:
        await cancel(over, line)
        if sys.stderr.isatty():
            sys.stderr.write("\r" + " " * 50 + "\r")


def _read_lines(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[str]) -> None:
    for line in sys.stdin:
        loop.call_soon_threadsafe(lines.put_nowait, line)


def _pasted(logins: Logins, pending: Pending, text: str, say: Callable[[str], None]) -> None:
    if not text.strip():
        return
    heard = read_callback(text)
    if heard is None and pending.paste and not text.strip().count(" "):
        heard = Pasted(text.strip(), pending.state)
    if heard is None:
        say("That is not the address of a login; it holds code=… and state=….")
        return
    if heard.state != pending.state:
        say("That address belongs to another login; use the newest one.")
        return
    try:
        logins.callback(heard)
    except CallbackRefused as err:
        say(str(err))


async def _completed(keeper: Keeper, pending: Pending, say: Callable[[str], None]) -> Credential:
    credential = keeper.find(pending.name)
    if credential is None:
        raise Problem("refused", "The login was removed while it was made.")
    try:
        await keeper.complete(credential)
    except Problem as err:
        say(f"The account is kept, but not ready yet: {err.message}")
    return credential


def add_file(config: Config, name: str, fields: dict[str, object]) -> Path:
    """Keep a credential file under a name; return where. Raises `ConfigError`."""

    async def work() -> None:
        transport = Transport()
        try:
            await keeper_of(config, transport, SYSTEM_CLOCK).save(name, dict(fields))
        finally:
            await transport.close()

    try:
        asyncio.run(work())
    except OSError as err:
        raise ConfigError(f"The credential cannot be kept: {err}") from err
    return Path(config.auth_dir).expanduser() / name
