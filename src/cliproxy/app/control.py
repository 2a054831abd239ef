"""The management API's hold on a running proxy."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
from msgspec import structs

from cliproxy.account.model import Account
from cliproxy.app.explain import explain
from cliproxy.base import json
from cliproxy.base.clock import SYSTEM_CLOCK, Clock
from cliproxy.base.errors import ConfigError
from cliproxy.base.files import atomic_write
from cliproxy.base.json import Obj
from cliproxy.config.edit import NotEditable, set_value
from cliproxy.config.load import Loaded, Problem, load_text
from cliproxy.config.schema import Config, Section
from cliproxy.config.tree import NotYaml
from cliproxy.keeper.keeper import Keeper
from cliproxy.keeper.logins import Logins
from cliproxy.manage.control import Asked, NotSaved, NotUsable
from cliproxy.manage.traffic import CountingRequests, Traffic
from cliproxy.observe.files import directory
from cliproxy.pipeline.gateway import Gateway
from cliproxy.server.gate import Gate, ManagementKeys, hashed, is_hashed
from cliproxy.server.recent import RecentRequests
from cliproxy.transport.client import Transport

if TYPE_CHECKING:
    from cliproxy.app.runtime import Runtime

_TRIES: Final = 5
ALONE: Final = 10.0
"""Seconds without a word after which the program that started this one is taken for gone."""
_NOWHERE: Final = "there is no configuration file; the change lasts until the proxy ends"


class Apply(Protocol):
    """Puts a configuration into force, which was written into its file as these bytes."""

    def __call__(self, loaded: Loaded, written: bytes | None = None) -> None:
        """Raises `ConfigError` for one that cannot be served."""


class LiveControl:
    """Implements `manage.control.Control` for a `Runtime`."""

    def __init__(self, runtime: Runtime, clock: Clock = SYSTEM_CLOCK) -> None:
        self._runtime = runtime
        self._lock = asyncio.Lock()
        self._memory: str | None = None
        """The configuration's text where there is no file."""
        self.clock = clock
        self.gate = Gate(clock)
        self.inside: set[Callable[[], None]] = set()
        """Who is called when the keys may have changed."""
        self.traffic = Traffic(clock)
        self.local_key = ""
        """Opens the management API for this machine, until the proxy ends."""
        self.heard: float | None = None
        """When the program that started this one was last heard of, monotonic; None = never."""
        self.config_path: Path | None = None
        self.alone: Callable[[], AbstractContextManager[None]] = nullcontext
        """Keeps others from writing the configuration meanwhile."""
        self.apply: Apply = self._reload
        """Puts what was written into force."""
        runtime.app.recent = CountingRequests(self.traffic, clock)

    # ---- the configuration ----------------------------------------------------------------------
    @property
    def config(self) -> Config:
        """The configuration that is served."""
        return self._runtime.config

    def text(self) -> str:
        """Return the configuration's text as it is now. Raises `OSError`."""
        if self.config_path is None:
            return self._memory if self._memory is not None else text_of(self.config)
        try:
            # Bytes, so that line ends and a byte order mark stay.
            return self.config_path.read_bytes().decode("utf-8")
        except FileNotFoundError:
            return ""
        except UnicodeDecodeError:
            raise OSError(f"{self.config_path} is not UTF-8 text") from None

    async def change(
        self,
        edit: Callable[[str], str],
        *,
        accept: Callable[[Loaded, Loaded | None], None] | None = None,
    ) -> list[Problem]:
        """Change the configuration; see `manage.control.Control.change`."""
        async with self._lock:
            for _ in range(_TRIES):
                try:
                    before = await asyncio.to_thread(self.text)
                except OSError as err:
                    raise NotSaved(str(err)) from err
                after, loaded = await asyncio.to_thread(self._prepared, before, edit, accept)
                if after == before:
                    return loaded.problems
                if self.config_path is None:
                    self._memory = after
                    self._applied(loaded)
                    raise NotSaved(_NOWHERE)
                if await asyncio.to_thread(self._written, self.config_path, before, after):
                    # What somebody else wrote since then is newer; the watch takes it over.
                    if self.text() == after:
                        self._applied(loaded, after.encode())
                    return loaded.problems
            raise NotSaved("the file is changed by somebody else all the time")

    def _prepared(
        self,
        before: str,
        edit: Callable[[str], str],
        accept: Callable[[Loaded, Loaded | None], None] | None,
    ) -> tuple[str, Loaded]:
        from cliproxy.app.runtime import check_binding  # noqa: PLC0415  # it imports this module

        after = edit(before)
        path = self.config_path or Path("config.yaml")
        try:
            after.encode()
            loaded = load_text(after.removeprefix("\ufeff"), path=path)
            check_binding(structs.replace(loaded.config, host=self.config.host))
        except ConfigError as err:
            raise NotUsable(str(err)) from err
        except UnicodeEncodeError:
            raise NotEditable("it would hold half a character") from None
        if accept is not None:
            accept(loaded, _loaded(before, path))
        key = loaded.config.remote_management.secret_key.strip()
        if key and not is_hashed(key) and self.config_path is not None:
            try:
                after = set_value(after, ("remote-management", "secret-key"), hashed(key))
                loaded = load_text(after.removeprefix("\ufeff"), path=path)
            except (ValueError, NotYaml, ConfigError):
                pass  # it stays as it is, and works
        return after, loaded

    def _written(self, path: Path, before: str, after: str) -> bool:
        """Write the file, unless it is no longer what the change was made from."""
        try:
            with self.alone():
                if self.text() != before:
                    return False
                atomic_write(path, after.encode())
        except OSError as err:
            raise NotSaved(err.strerror or str(err)) from err
        return True

    def _reload(self, loaded: Loaded, written: bytes | None = None) -> None:
        del written
        self._runtime.reload(loaded.config)

    def _applied(self, loaded: Loaded, written: bytes | None = None) -> None:
        try:
            self.apply(loaded, written)
        except ConfigError as err:
            raise NotUsable(str(err)) from err

    # ---- who may --------------------------------------------------------------------------------
    @property
    def keys(self) -> ManagementKeys:
        """What opens the management API."""
        section = self.config.remote_management
        return ManagementKeys(
            file=section.secret_key.strip(),
            environment=os.environ.get("MANAGEMENT_PASSWORD", "").strip(),
            local=self.local_key,
            allow_remote=section.allow_remote,
        )

    def kept_alive(self) -> None:
        """Note that the program which started this one is still there."""
        self.heard = self.clock.monotonic()

    @property
    def abandoned(self) -> bool:
        """Whether the program that started this one was there and has gone."""
        return self.heard is not None and self.clock.monotonic() - self.heard > ALONE

    # ---- what runs ------------------------------------------------------------------------------
    @property
    def keeper(self) -> Keeper | None:
        """The logins; None where none are kept."""
        keeper: Keeper | None = getattr(self._runtime, "keeper", None)
        return keeper

    @property
    def logins(self) -> Logins | None:
        """Logins under way; None where nobody can log in."""
        logins: Logins | None = getattr(self._runtime, "logins", None)
        return logins

    @property
    def gateway(self) -> Gateway:
        """What requests run through now."""
        return self._runtime.app.generation.gateway

    @property
    def accounts(self) -> tuple[Account, ...]:
        """The accounts that are served."""
        return self._runtime.accounts

    @property
    def recent(self) -> RecentRequests:
        """The latest requests."""
        return self._runtime.app.recent

    @property
    def usage(self) -> Any:
        """What was recorded of usage."""
        return getattr(self._runtime, "usage", None) or getattr(self._runtime.app, "usage", None)

    @property
    def log_folder(self) -> Path:
        """Where log files are, or would be."""
        return directory(self.config.auth_dir)

    @property
    def transport(self) -> Transport:
        """How upstreams are reached."""
        return self.gateway.transport

    @property
    def max_body(self) -> int:
        """Bytes of the largest request body."""
        return self._runtime.app.generation.max_body

    def explain(self, asked: Asked) -> list[Obj]:
        """Tell what would happen to a request. Raises `GatewayError`."""
        choices = explain(
            self.gateway,
            asked.model,
            dialect=asked.dialect,
            body=asked.body,
            stream=asked.stream,
            provider=asked.provider,
        )
        found: list[Obj] = msgspec.to_builtins(choices)
        return found


def text_of(config: Config) -> str:
    """Return a text that means a configuration: what is not as usual, as JSON (which is YAML)."""
    return json.dumps_str(_unusual(config)) + "\n"


def _unusual(section: Section) -> Obj:
    out: Obj = {}
    for field in msgspec.structs.fields(type(section)):
        value = getattr(section, field.name)
        usual = (
            field.default_factory()
            if field.default is msgspec.NODEFAULT and not field.required
            else field.default
        )
        if value == usual:
            continue
        if isinstance(value, Section):
            out[field.encode_name] = _unusual(value)
        elif isinstance(value, tuple):
            out[field.encode_name] = [_unusual(v) if isinstance(v, Section) else v for v in value]
        elif isinstance(value, dict):
            out[field.encode_name] = {
                k: _unusual(v) if isinstance(v, Section) else v for k, v in value.items()
            }
        else:
            out[field.encode_name] = value
    return out


def _loaded(text: str, path: Path) -> Loaded | None:
    try:
        return load_text(text.removeprefix("\ufeff"), path=path)
    except ConfigError:
        return None
