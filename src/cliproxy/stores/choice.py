"""Which store the environment asks for: the variables of CLIProxyAPI, the first that is set.

Only its own module is imported, and the library behind that only when the store is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from cliproxy.base.redact import Hidden
from cliproxy.stores.base import Refused, Store, variable

if TYPE_CHECKING:
    from cliproxy.stores.mirror import Mirror

POLL: Final = "STORE_POLL_SECONDS"
_SHORTEST: Final = 0.2
_LONGEST: Final = 3600.0
_Env = Mapping[str, str]


class Chosen(Hidden, Struct, frozen=True):
    """A store to use, and where its mirror is."""

    variable: str
    """What asks for it."""
    root: Path
    make: Callable[[], Store]
    keeps: bool
    """See `Mirror`."""

    def mirror(self, before: Mirror | None = None) -> Mirror:
        """Return a new mirror of it, for one event loop.

        What one that was closed `before` has found out is not asked again.
        """
        from cliproxy.stores import mirror  # noqa: PLC0415  # only where it is asked for

        store = self.make() if before is None else before.store
        return mirror.Mirror(self.root, store, keeps=self.keeps, before=before)


class _Kind(Struct, frozen=True):
    prefix: str
    asks: str
    folder: str
    make: Callable[[_Env], Store]
    keeps: bool = True


def asked(env: _Env) -> bool:
    """Tell whether the environment asks for a store."""
    return any(variable(env, kind.asks) for kind in _KINDS)


def chosen(env: _Env) -> Chosen | None:
    """Return what the environment asks for, None = the configuration is a file of this machine.

    Raises `StoreError` where a variable cannot be used.
    """
    for kind in _KINDS:
        if not variable(env, kind.asks):
            continue
        kind.make(env)  # what cannot be used is told at once
        written = variable(env, f"{kind.prefix}_LOCAL_PATH") or _writable(env)
        root = Path(written).expanduser().absolute() / kind.folder
        return Chosen(kind.asks, root, partial(kind.make, env), kind.keeps)
    return None


def _writable(env: _Env) -> str:
    return next((v.strip() for k, v in env.items() if k.upper() == "WRITABLE_PATH" and v), "")


def _postgres(env: _Env) -> Store:
    from cliproxy.stores import postgres  # noqa: PLC0415  # only where it is asked for

    return postgres.PostgresStore(
        variable(env, "PGSTORE_DSN"),
        variable(env, "PGSTORE_SCHEMA"),
        poll=_poll(env, postgres.POLL),
    )


def _s3(env: _Env) -> Store:
    from cliproxy.stores import s3  # noqa: PLC0415  # only where it is asked for

    return s3.S3Store(
        variable(env, "OBJECTSTORE_ENDPOINT"),
        _needed(env, "OBJECTSTORE_BUCKET", "OBJECTSTORE_ENDPOINT"),
        _needed(env, "OBJECTSTORE_ACCESS_KEY", "OBJECTSTORE_ENDPOINT"),
        _needed(env, "OBJECTSTORE_SECRET_KEY", "OBJECTSTORE_ENDPOINT"),
        poll=_poll(env, s3.POLL),
    )


def _git(env: _Env) -> Store:
    from cliproxy.stores import git  # noqa: PLC0415  # only where it is asked for

    names = ("URL", "USERNAME", "TOKEN", "BRANCH")
    return git.GitStore(
        *(variable(env, f"GITSTORE_GIT_{name}") for name in names), poll=_poll(env, git.POLL)
    )


def _poll(env: _Env, usual: float) -> float:
    """Return the seconds between two looks for changes."""
    written = variable(env, POLL)
    try:
        seconds = float(written) if written else usual
    except ValueError:
        seconds = 0.0
    if not _SHORTEST <= seconds <= _LONGEST:
        raise Refused(
            f"{POLL} is no usable number of seconds.",
            f"Set it between {_SHORTEST} and {_LONGEST}, or unset it.",
        )
    return seconds


def _needed(env: _Env, name: str, because: str) -> str:
    value = variable(env, name)
    if not value:
        raise Refused(f"{because} is set, and {name} is not.", f"Set {name}, or unset {because}.")
    return value


_KINDS: Final = (
    _Kind("PGSTORE", "PGSTORE_DSN", "pgstore", _postgres, keeps=False),
    _Kind("OBJECTSTORE", "OBJECTSTORE_ENDPOINT", "objectstore", _s3),
    _Kind("GITSTORE", "GITSTORE_GIT_URL", "gitstore", _git),
)
