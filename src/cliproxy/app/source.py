"""Where the configuration and the accounts come from: files of this machine, or a store elsewhere.

Of a store the program uses a mirror, a folder with the same files. Whoever starts to serve, or
changes something, needs the store; whoever only looks makes do with the mirror.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import structs

from cliproxy.app.start import ensure_config, find_config, home_config
from cliproxy.base.errors import ConfigError
from cliproxy.base.files import atomic_write
from cliproxy.config.load import Loaded, load
from cliproxy.config.schema import Config
from cliproxy.stores.base import AUTHS, CONFIG, StoreError
from cliproxy.stores.choice import Chosen, chosen

if TYPE_CHECKING:
    from cliproxy.stores.mirror import Mirror

_log: Final = logging.getLogger("cliproxy.stores")


class Source:
    """A configuration file, and the store that it is a mirror of, if it is one."""

    def __init__(
        self,
        path: Path,
        store: Chosen | None = None,
        *,
        fresh: bool = False,
        met: Mirror | None = None,
    ) -> None:
        self.path = path
        self.store = store
        self._met = met
        """The mirror with which it was found; what that has compared is not compared again."""
        self.fresh = fresh
        """Whether it was written just now."""

    def load(self) -> Loaded:
        """Read it. Raises `ConfigError`."""
        loaded = load(self.path)
        return structs.replace(loaded, config=self.placed(loaded.config))

    def placed(self, config: Config) -> Config:
        """Return a configuration whose accounts are those of the store, if there is one."""
        if self.store is None:
            return config
        return structs.replace(config, auth_dir=str(self.store.root / AUTHS.rstrip("/")))

    def mirror(self) -> Mirror | None:
        """Return the mirror to keep alike while the program runs. Raises `ConfigError`."""
        if self.store is None:
            return None
        try:
            return self.store.mirror(self._met)
        except OSError as err:
            raise _unusable(self.store, err) from err

    def send(self) -> str:
        """Bring what was changed here into the store; return what its owner should know."""
        if self.store is None:
            return ""
        try:
            _run(self.store, _alike, self._met)
        except ConfigError as err:
            return f"It is kept in {self.store.root}, and not in the store yet: {err}"
        return ""


def find_source(given: str | None, *, make: bool = True) -> Source | None:
    """Find the configuration, of a store with all that is new there; None = there is none yet.

    Without `make` nothing is made in the store. Raises `ConfigError` when a store is configured and
    cannot be used.
    """
    store = _chosen()
    if store is None:
        path = find_config(given)
        return Source(path) if path is not None else None
    fresh = False

    async def work(mirror: Mirror) -> None:
        nonlocal fresh
        await mirror.bootstrap(make=make)
        if mirror.config.is_file():
            return
        if await mirror.store.get(CONFIG) is not None:
            raise ConfigError(
                f"The configuration in {mirror.store.title} is no mapping of YAML. "
                "Correct it there."
            )
        if make:
            fresh = _seed(mirror.config, given)
            await mirror.bootstrap()

    met = _run(store, work)
    path = store.root / CONFIG
    return Source(path, store, fresh=fresh, met=met) if path.is_file() else None


def found_or_made(given: str | None) -> Source:
    """Find the configuration; on the very first use one is written. Raises `ConfigError`."""
    source = find_source(given)
    if source is None:
        path, fresh = ensure_config(home_config())
        source = Source(path, fresh=fresh)
    return source


def source_at_hand(given: str | None) -> Source | None:
    """Find the configuration for looking only; a store is asked where there is no mirror yet."""
    store = _chosen()
    if store is None or not (path := store.root / CONFIG).is_file():
        return find_source(given, make=False)
    return Source(path, store)


def _chosen() -> Chosen | None:
    try:
        return chosen(os.environ)
    except StoreError as err:
        raise _told(err) from err


def _seed(path: Path, given: str | None) -> bool:
    """Write the first configuration of a store: a named file's, else a fresh one."""
    named = given or os.environ.get("CONFIG_PATH")
    if named:
        seed = find_config(named)
        if seed is not None:
            atomic_write(path, seed.read_bytes())
            _log.info("the store has the configuration of %s from now on", seed)
            return False
    return ensure_config(path)[1]


async def _alike(mirror: Mirror) -> None:
    await mirror.bootstrap()


def _run(
    store: Chosen, work: Callable[[Mirror], Awaitable[None]], met: Mirror | None = None
) -> Mirror:
    async def whole() -> Mirror:
        mirror = store.mirror(met)
        try:
            await work(mirror)
        finally:
            await mirror.close()
        return mirror

    try:
        return asyncio.run(whole())
    except StoreError as err:
        raise _told(err) from err
    except TimeoutError as err:
        raise ConfigError("The store did not answer in time. Is it reachable?") from err
    except OSError as err:
        raise _unusable(store, err) from err


def _unusable(store: Chosen, err: OSError) -> ConfigError:
    return ConfigError(f"The mirror {store.root} cannot be used: {err}")


def _told(err: StoreError) -> ConfigError:
    return ConfigError(f"{err.message} {err.cure}".strip())
