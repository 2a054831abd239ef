"""What is wrong with a set-up, or will be: each finding with its cure.

Reads the configuration and its file, looks at this machine, and knocks at the hosts of the accounts
(a request without a key, whose answer says that they are there and what time it is).
"""

from __future__ import annotations

import asyncio
import email.utils
import os
import socket
import stat
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from cliproxy.account.model import Account
from cliproxy.app.accounts import auth_folder
from cliproxy.app.doctor_logins import logins
from cliproxy.app.finding import Finding
from cliproxy.app.runtime import Runtime
from cliproxy.base import redact
from cliproxy.base.clock import SYSTEM_CLOCK, Clock
from cliproxy.base.errors import ConfigError, GatewayError
from cliproxy.base.http import HttpRequest, Timeouts
from cliproxy.config.load import Loaded
from cliproxy.config.schema import Config
from cliproxy.providers.base import USER_AGENT
from cliproxy.stores.base import StoreError
from cliproxy.tokens import openai
from cliproxy.transport.client import Transport
from cliproxy.transport.local import available
from cliproxy.transport.proxy import is_loopback

if TYPE_CHECKING:
    from cliproxy.stores.mirror import Mirror

_SKEW: Final = 60.0
"""Seconds the clock may be wrong; logins fail beyond a few minutes."""
_PATIENCE: Final = Timeouts(connect=5.0, first=10.0, idle=10.0)
_SHORTEST_KEY: Final = 16


async def examine(
    loaded: Loaded,
    path: Path,
    *,
    clock: Clock = SYSTEM_CLOCK,
    mirror: Callable[[], Mirror | None] = lambda: None,
) -> list[Finding]:
    """Look at everything; the network last."""
    config = loaded.config
    found = [
        Finding("error" if p.severity == "error" else "warning", str(p)) for p in loaded.problems
    ]
    found += _file(path)
    found += await _store(mirror())
    found += _access(config)
    found += _port(config)
    found += _extras()
    try:
        runtime = Runtime(config)
    except ConfigError as err:
        return [*found, Finding("error", str(err))]
    try:
        found += _accounts(runtime)
        found += await logins(runtime.keeper, auth_folder(config), clock.now())
        found += _names(runtime)
        found += await _hosts(runtime.accounts, config.proxy_url or None, clock)
    finally:
        await runtime.close()
    return found


async def _store(mirror: Mirror | None) -> list[Finding]:
    """Look at the store of which this machine has a mirror."""
    if mirror is None:
        return []
    title = mirror.store.title
    try:
        differ = await mirror.compare()
    except (StoreError, TimeoutError, OSError) as err:
        what = str(err) or f"{title} did not answer in time."
        cure = (err.cure if isinstance(err, StoreError) else "") or "Is it reachable?"
        serving = f"A proxy that runs serves on from {mirror.root}; one that starts does not."
        return [Finding("error", f"{what} {serving}", cure)]
    finally:
        await mirror.release()
    if differ:
        what = f"{differ} of the files in {mirror.root} are not as in {title}."
        return [Finding("warning", what, "A proxy that runs or starts makes them alike.")]
    return [Finding("ok", f"{title} answers, and {mirror.root} holds the same.")]


def _file(path: Path) -> list[Finding]:
    if os.name != "posix":
        return []
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        who = f"{path} holds keys and can be read by others (mode {mode:o})."
        return [Finding("warning", who, f"chmod 600 {path}")]
    return [Finding("ok", f"{path} can be read by its owner alone.")]


def _access(config: Config) -> list[Finding]:
    here = is_loopback(config.host)
    found = []
    if not config.api_keys:
        level: Literal["note", "error"] = "note" if here else "error"
        cure = "Add a key under api-keys."
        found.append(Finding(level, "There are no client keys: whoever connects may ask.", cure))
    short = [key for key in config.api_keys if len(key) < _SHORTEST_KEY]
    if short:
        cure = "Make longer ones: openssl rand -hex 24"
        found.append(Finding("warning", f"{len(short)} of the client keys can be guessed.", cure))
    if not here and not config.tls.enable:
        what = f"Others can connect (host {config.host or 'all interfaces'}), without encryption."
        cure = "Set tls, or put a proxy with HTTPS in front."
        found.append(Finding("warning", what, cure))
    return found or [Finding("ok", "Client keys are set.")]


def _port(config: Config) -> list[Finding]:
    host = config.host or "127.0.0.1"
    try:
        with socket.create_connection((host, config.port), timeout=1):
            what = f"Something listens on {host}:{config.port} already, maybe cliproxy."
            return [Finding("note", what)]
    except OSError:
        return [Finding("ok", f"{host}:{config.port} is free.")]


def _extras() -> list[Finding]:
    found = []
    if not openai.available():
        what = "Token counts of OpenAI's models are estimates."
        found.append(Finding("note", what, 'pip install "cliproxy[tokens]"'))
    if not available():
        what = "The embedded model is not installed."
        found.append(Finding("note", what, 'pip install "cliproxy[local]"'))
    return found


def _accounts(runtime: Runtime) -> list[Finding]:
    accounts = runtime.accounts
    if not accounts:
        return [
            Finding(
                "error",
                "There is no account.",
                "Add one: cliproxy login claude, or a key; see config.example.yaml.",
            )
        ]
    found = []
    for account in accounts:
        if account.weight <= 0:
            what = f"{account.label} has weight 0 and is never asked."
            found.append(Finding("note", what))
    what = f"{len(accounts)} account{'s' if len(accounts) != 1 else ''}."
    return [*found, Finding("ok", what)]


def _names(runtime: Runtime) -> list[Finding]:
    """Tell which names mean different models behind different accounts."""
    registry = runtime.app.generation.gateway.registry
    found = []
    for listed in registry.list_models():
        meant: dict[str, list[str]] = defaultdict(list)
        for candidate in registry.serving(listed.id):
            meant[candidate.upstream_model].append(candidate.account.label)
        if len(meant) > 1:
            told = "; ".join(f"{model} at {', '.join(who)}" for model, who in meant.items())
            what = f"The name {listed.id} means different models: {told}."
            found.append(Finding("note", what, "Intended as a pool, or give them other aliases."))
    return found


async def _hosts(accounts: tuple[Account, ...], proxy: str | None, clock: Clock) -> list[Finding]:
    wanted: dict[tuple[str, str | None], str] = {}
    for account in accounts:
        parts = urlsplit(account.base_url)
        if parts.scheme in ("http", "https"):
            origin = f"{parts.scheme}://{parts.netloc}/"
            wanted.setdefault((origin, account.proxy_url or proxy), account.label)
    transport = Transport()
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_knock(transport, url, via, label, clock))
                for (url, via), label in wanted.items()
            ]
    finally:
        await transport.close()
    return [task.result() for task in tasks]


async def _knock(
    transport: Transport, url: str, proxy: str | None, label: str, clock: Clock
) -> Finding:
    host = redact.url(url)
    request = HttpRequest("GET", url, {"user-agent": USER_AGENT, "accept": "*/*"}, b"", proxy)
    try:
        response = await transport.send(request, _PATIENCE)
    except GatewayError as err:
        return Finding("error", f"{label}: {err.message}", "Check its base-url and proxy-url.")
    told = response.headers.get("date")
    response.close()
    when = email.utils.parsedate_to_datetime(told).timestamp() if told else None
    if when is not None and abs(when - clock.now()) > _SKEW:
        off = abs(when - clock.now())
        what = f"This machine's clock is {off:.0f} s off {host}'s."
        return Finding("warning", what, "Set the clock (NTP).")
    return Finding("ok", f"{host} answers.")
