"""What the management API works on: one running proxy, seen through one small door."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from cliproxy.account.model import Account
from cliproxy.base.clock import Clock
from cliproxy.base.json import Obj
from cliproxy.base.redact import Hidden
from cliproxy.config.load import Loaded, Problem
from cliproxy.config.schema import Config
from cliproxy.keeper.keeper import Keeper
from cliproxy.keeper.logins import Logins
from cliproxy.manage.traffic import Traffic
from cliproxy.pipeline.gateway import Gateway
from cliproxy.server.gate import Gate, ManagementKeys
from cliproxy.server.recent import RecentRequests
from cliproxy.transport.client import Transport


class NotSaved(Exception):
    """The change is right and could not be written; the message says why."""


class NotUsable(Exception):
    """The change would make a configuration that cannot be served; nothing was written."""


class Asked(Hidden, Struct, frozen=True):
    """A request to explain."""

    model: str
    dialect: str
    body: Obj | None
    stream: bool
    provider: str | None


class Control(Protocol):
    """One running proxy."""

    @property
    def config(self) -> Config:
        """The configuration that is served."""
        ...

    @property
    def config_path(self) -> Path | None:
        """Its file; None when it has none."""
        ...

    def text(self) -> str:
        """Return the configuration's text as it is now. Raises `OSError`."""
        ...

    async def change(
        self,
        edit: Callable[[str], str],
        *,
        accept: Callable[[Loaded, Loaded | None], None] | None = None,
    ) -> list[Problem]:
        """Change the configuration: one at a time, checked, written as a whole, applied at once.

        `edit` makes the new text from the present one and may raise to refuse; it may be called
        again when somebody else writes the file meanwhile. `accept` may refuse what would be
        loaded (and sees what was). Returns what is noticed about the new text. Raises `NotUsable`
        and `NotSaved`.
        """
        ...

    @property
    def keeper(self) -> Keeper | None:
        """The logins; None where none are kept."""
        ...

    @property
    def logins(self) -> Logins | None:
        """Logins under way; None where nobody can log in."""
        ...

    @property
    def gateway(self) -> Gateway:
        """What requests run through now."""
        ...

    @property
    def accounts(self) -> tuple[Account, ...]:
        """The accounts that are served."""
        ...

    @property
    def recent(self) -> RecentRequests:
        """The latest requests."""
        ...

    @property
    def traffic(self) -> Traffic:
        """How much went through each account."""
        ...

    @property
    def usage(self) -> Any:
        """What was recorded of usage."""
        ...

    @property
    def log_folder(self) -> Path:
        """Where log files are, or would be."""
        ...

    @property
    def keys(self) -> ManagementKeys:
        """What opens the management API."""
        ...

    @property
    def inside(self) -> set[Callable[[], None]]:
        """Who is called when the keys may have changed: those that stay connected by one."""
        ...

    @property
    def gate(self) -> Gate:
        """Who counts wrong keys."""
        ...

    @property
    def transport(self) -> Transport:
        """How upstreams are reached."""
        ...

    @property
    def clock(self) -> Clock:
        """Where time comes from."""
        ...

    @property
    def max_body(self) -> int:
        """Bytes of the largest request body."""
        ...

    def kept_alive(self) -> None:
        """Note that the program which started this one is still there."""
        ...

    def explain(self, asked: Asked) -> list[Obj]:
        """Tell what would happen to a request. Raises `GatewayError`."""
        ...
