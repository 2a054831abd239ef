"""One running proxy: everything wired from one configuration, started and stopped together."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import structs

from cliproxy.account.credential import Credential
from cliproxy.account.model import Account
from cliproxy.app.accounts import auth_folder, keeper_of, settings_of
from cliproxy.app.control import LiveControl
from cliproxy.app.cooldown_files import CooldownFiles
from cliproxy.app.quota_watch import QuotaWatch, take
from cliproxy.base.clock import SYSTEM_CLOCK, Clock
from cliproxy.base.errors import ConfigError
from cliproxy.base.files import private_folder
from cliproxy.base.http import Timeouts
from cliproxy.base.tasks import spawn
from cliproxy.config import schema
from cliproxy.config.payload import rules_of
from cliproxy.config.schema import Config
from cliproxy.keeper.keeper import CHECK, Keeper
from cliproxy.keeper.logins import Logins
from cliproxy.login.flow import Report
from cliproxy.manage.door import Management
from cliproxy.observe.files import Keep, directory
from cliproxy.observe.request_log import RequestLog
from cliproxy.pipeline.commit import CommitPolicy
from cliproxy.pipeline.gateway import Gateway, Settings
from cliproxy.pipeline.jobs import Jobs
from cliproxy.pipeline.kept import ResponseStore
from cliproxy.pipeline.patience import Patience
from cliproxy.pipeline.spared import Spared
from cliproxy.routing.accounts import accounts_from_config, limits_from_config, local_account
from cliproxy.routing.pool import Pool
from cliproxy.routing.resolve import Registry
from cliproxy.server.access import Access, Failures
from cliproxy.server.app import App, Generation
from cliproxy.server.peers import Peers
from cliproxy.transport.client import Transport
from cliproxy.transport.guard import Guard
from cliproxy.transport.local import LocalModel, LocalServer, available, bundled_model
from cliproxy.transport.proxy import is_loopback
from cliproxy.usage.channel import Channel
from cliproxy.usage.recorder import Usage
from cliproxy.usage.store import Store

if TYPE_CHECKING:
    from cliproxy.stores.mirror import Mirror

_log: Final = logging.getLogger(__name__)
_SHARE: Final = 100.0
"""How much longer than a look at the logins the pause until the next one is, at least."""
_FILM_SIZE: Final = 256 * 1024 * 1024
_FILM_PATIENCE: Final = 120.0
"""How large a film may be, and how long fetching it may take."""
_AT_START: Final = ("host", "port", "tls", "local_model")
"""What a running process cannot change."""


class Runtime:
    """Holds the parts; `app` is the ASGI application."""

    def __init__(
        self,
        config: Config,
        *,
        checked: bool = False,
        clock: Clock = SYSTEM_CLOCK,
        mirror: Mirror | None = None,
    ) -> None:
        self.config = config
        self.mirror = mirror
        self._clock = clock
        self._checked = checked
        self._failures = Failures(SYSTEM_CLOCK)
        self._local = _local_server(config)
        self._transport = Transport(self._local)
        self.keeper = self._new_keeper(config)
        self._cooldowns = CooldownFiles(auth_folder(config), clock)
        self._quota_watch = QuotaWatch(clock)
        self.logins = Logins(lambda: self.keeper, self._transport, clock)
        self.usage = Usage(config, clock=clock)
        self._failures_heard = Channel()
        self._jobs = Jobs(self._clock)
        self._spared = Spared(self._clock)
        self._ending: set[asyncio.Task[None]] = set()
        """What lets go of a folder that is no longer used."""
        self.app = App(self._generation(config))
        self.app.accounting.usage = self.usage
        self.control = LiveControl(self)
        self.apply_usage()
        self.app.management = Management(self.control)

    @property
    def accounts(self) -> tuple[Account, ...]:
        """The accounts that are served."""
        return self.app.generation.gateway.registry.accounts

    def _new_keeper(self, config: Config) -> Keeper:
        keeper = keeper_of(config, self._transport, self._clock, self.mirror)
        keeper.changed = self._logins_changed
        keeper.told = self._quota_told
        return keeper

    def _logins_changed(self, names: set[str]) -> None:
        """Serve by other logins from the next request on."""
        self._exchange(self.config)
        pool = self.app.generation.gateway.pool
        for account in self.accounts:
            if account.credential is not None and account.credential.name in names:
                # Whoever logged in anew, or changed something, wants it tried.
                pool.clear(account.id)

    def _quota_told(self, credential: Credential, report: Report) -> None:
        take(self.app.generation.gateway.pool, self.accounts, credential, report)

    def _generation(self, config: Config, before: Registry | None = None) -> Generation:
        logins = self.keeper.credentials()
        accounts = accounts_from_config(config, logins, self.keeper.discovery.of)
        if self._local is not None and (config.local_model.enable or not accounts):
            accounts.append(local_account(config))
        registry = Registry(accounts, config, before)
        gateway = Gateway(
            registry=registry,
            pool=Pool(
                config.routing.strategy,
                limits=limits_from_config(config, logins),
                affinity_ttl=(
                    config.routing.session_affinity_ttl if config.routing.session_affinity else 0.0
                ),
                max_in_flight=config.routing.max_in_flight,
                clock=self._clock,
            ),
            transport=self._transport,
            settings=Settings(
                patience=_patience(config.timeouts),
                proxy_url=config.proxy_url or None,
                strict=config.fidelity == "strict",
                expose_routing=config.expose_routing_headers,
                pass_headers=config.passthrough_headers,
                commit=CommitPolicy(config.streaming.commit, config.streaming.commit_timeout),
                keepalive=config.streaming.keepalive_seconds,
                whole_keepalive=config.nonstream_keepalive_interval,
                bootstrap_retries=config.streaming.bootstrap_retries,
                payload=rules_of(config),
                job_ttl=config.video_result_auth_cache_ttl,
                checked=self._checked,
            ),
            clock=self._clock,
            guard=_guard(config),
            films=Guard(
                config.media.allow_hosts, max_bytes=_FILM_SIZE, patience=_FILM_PATIENCE, setting=""
            ),
            jobs=self._jobs,
            spared=self._spared,
            keeper=self.keeper,
            failures=self._failures_heard,
            responses=ResponseStore(
                max_bytes=int(config.responses.max_size_mb * 1024 * 1024),
                ttl=config.responses.ttl,
                clock=self._clock,
            )
            if config.responses.store
            else None,
        )
        return Generation(
            gateway=gateway,
            access=Access(
                config.api_keys,
                self._failures,
                self.usage.marks,
                pages=config.allow_unauthenticated,
            ),
            request_log=_request_log(config, self._clock),
            max_body=int(config.max_body_size * 1024 * 1024),
            peers=Peers(config.trusted_proxies),
        )

    def reload(self, config: Config) -> None:
        """Serve by another configuration from the next request on; running ones end by the old.

        Raises `ConfigError` and changes nothing when it cannot be served.
        """
        check_binding(structs.replace(config, host=self.config.host))
        if auth_folder(config) != auth_folder(self.config):
            self._move(config)
        else:
            self._exchange(config)
        self.keeper.settings = settings_of(config, os.environ)
        for name in _AT_START:
            if getattr(config, name) != getattr(self.config, name):
                _log.warning("%s takes effect at the next start", name.replace("_", "-"))
        self.config = config
        self.apply_usage()

    def _move(self, config: Config) -> None:
        """Serve by another folder of logins, and record usage there; what runs in the old ends."""
        try:
            private_folder(auth_folder(config))
        except OSError as err:
            raise ConfigError(f"auth-dir: {config.auth_dir!r} cannot be used: {err}") from err
        keeper, usage, there = self.keeper, self.usage, Usage(config, clock=self._clock)
        before = usage.auth_dir, usage.marks, usage.store
        self.keeper = self._new_keeper(config)
        usage.auth_dir, usage.marks, usage.store = there.auth_dir, there.marks, there.store
        try:
            self._exchange(config)
        except BaseException:
            self.keeper = keeper
            usage.auth_dir, usage.marks, usage.store = before
            raise
        self.keeper.succeed(keeper)
        self._cooldowns = CooldownFiles(auth_folder(config), self._clock)
        if config.save_cooldown_status:
            self._cooldowns.load(self.app.generation.gateway.pool, self.accounts)
        self._end(keeper.close(), "former-logins")
        self._end(_written(before[-1]), "former-usage")
        _log.info("logins and usage are kept in %s from now on", auth_folder(config))

    def _end(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = spawn(work, name=name)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def apply_usage(self) -> None:
        """Record usage as configured, and queue it where somebody can take it out."""
        self.usage.apply(self.config, queued=self.control.keys.exist)
        for revise in tuple(self.control.inside):
            revise()

    def _exchange(self, config: Config) -> None:
        """Build the next generation beside the running one, and exchange them."""
        before = self.app.generation.gateway
        generation = self._generation(config, before.registry)
        generation.gateway.pool.inherit(before.pool)
        generation.gateway.ledger.adopt(before.ledger)
        generation.gateway.uncounted = before.uncounted
        if generation.gateway.responses is not None and before.responses is not None:
            generation.gateway.responses.adopt(before.responses)
        self.app.generation = generation

    def load_cooldowns(self) -> None:
        """Go on with the cooldowns that were in force when the proxy stopped."""
        if self.config.save_cooldown_status:
            self._cooldowns.load(self.app.generation.gateway.pool, self.accounts)

    def save_cooldowns(self) -> None:
        """Write the cooldowns that have changed, if they are to be kept."""
        if self.config.save_cooldown_status:
            self._cooldowns.save(self.app.generation.gateway.pool, self.accounts)

    async def run(self) -> None:
        """Look after the logins, until cancelled."""
        self.load_cooldowns()
        while True:
            began = self._clock.monotonic()
            try:
                self.keeper.check()
                self._quota_watch.check(
                    self.keeper, self.app.generation.gateway.pool, self.accounts
                )
                self.save_cooldowns()
            except Exception:  # noqa: BLE001  # one bad file must not end the care for all others
                _log.exception("looking after the logins failed")
            # A folder with thousands of files takes a while to look through.
            await self._clock.sleep(max(CHECK, _SHARE * (self._clock.monotonic() - began)))

    def interrupt(self) -> None:
        """End the answers that are still under way with an error that their clients are told."""
        self._transport.interrupt()

    async def close(self) -> None:
        """Let go of connections and of the embedded model."""
        try:
            self.save_cooldowns()
            await self.logins.close()
            await asyncio.gather(*self._ending, return_exceptions=True)
            await self.keeper.close()
        finally:
            try:
                if self.mirror is not None:
                    # Behind the keeper, whose last word it sends.
                    await self.mirror.close()
            finally:
                await self._let_go()

    async def _let_go(self) -> None:
        try:
            await self._transport.close()
            if self._local is not None:
                await self._local.stop()
        finally:
            await asyncio.to_thread(self.usage.close)


async def _written(store: Store) -> None:
    """Let a usage database end; what it does not take is told of."""
    before = store.lost
    await asyncio.to_thread(store.close)
    if lost := store.lost - before:
        _log.warning("%d requests could not be recorded in %s", lost, store.path)


def check_binding(config: Config) -> None:
    """Refuse to serve strangers without a key. Raises `ConfigError`."""
    if config.api_keys or config.allow_unauthenticated or is_loopback(config.host):
        return
    where = config.host or "all interfaces"
    raise ConfigError(
        f"api-keys is empty and host is {where!r}: anybody who reaches this machine could use your "
        "accounts. Add a key under api-keys, or set host: 127.0.0.1, or, if you mean it, "
        "allow-unauthenticated: true."
    )


def log_folder(config: Config) -> Path | None:
    """Return where log files go, None when there are none."""
    return directory(config.auth_dir) if config.logging_to_file else None


def _request_log(config: Config, clock: Clock) -> RequestLog | None:
    if config.commercial_mode or not (config.request_log or config.logging_to_file):
        return None
    folder = directory(config.auth_dir)
    return RequestLog(
        folder,
        every=config.request_log,
        keep_errors=config.error_logs_max_files,
        keep=Keep(folder, config.logs_max_total_size_mb * 1024 * 1024, clock),
        clock=clock,
    )


_TIMES: Final = {"connect": "connect", "first_event": "first", "idle": "idle", "total": "total"}


def _patience(written: schema.Timeouts) -> Patience:
    general = Timeouts(**{ours: getattr(written, name) for name, ours in _TIMES.items()})
    special = {
        pattern: {
            ours: value
            for name, ours in _TIMES.items()
            if (value := getattr(times, name)) is not None
        }
        for pattern, times in written.special.items()
    }
    return Patience(general, special)


def _guard(config: Config) -> Guard | None:
    if not config.media.fetch:
        return None
    return Guard(
        config.media.allow_hosts,
        max_bytes=int(config.media.max_size_mb * 1024 * 1024),
        patience=config.media.timeout,
    )


def _local_server(config: Config) -> LocalServer | None:
    if config.local_model.enable is False or not available():
        return None
    path = config.local_model.model or str(bundled_model())
    return LocalServer(
        LocalModel(path, context=config.local_model.context, parallel=config.local_model.parallel)
    )
