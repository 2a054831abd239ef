"""Everything a request needs, built once per configuration.

A new configuration makes a new `Gateway`; requests that run keep the one they began with.
"""

from __future__ import annotations

from msgspec import Struct, field

from cliproxy.base.clock import SYSTEM_CLOCK, Clock
from cliproxy.base.redact import Hidden
from cliproxy.config.payload import Rules
from cliproxy.keeper.keeper import Keeper
from cliproxy.pipeline.commit import CommitPolicy
from cliproxy.pipeline.jobs import Jobs
from cliproxy.pipeline.kept import ResponseStore
from cliproxy.pipeline.ledger import Ledger
from cliproxy.pipeline.patience import Patience
from cliproxy.pipeline.spared import Spared
from cliproxy.routing.pool import Pool
from cliproxy.routing.resolve import Registry
from cliproxy.transport.client import Transport
from cliproxy.transport.guard import Guard
from cliproxy.usage.channel import Channel


class Settings(Hidden, Struct, frozen=True):
    """The parts of the configuration that the pipeline reads."""

    patience: Patience = field(default_factory=Patience)
    proxy_url: str | None = None
    strict: bool = False
    expose_routing: bool = False
    pass_headers: bool = False
    """Clients get the upstream's own headers."""
    commit: CommitPolicy = CommitPolicy()
    keepalive: float = 0.0
    """Seconds of silence in a stream before a sign of life; 0 = none."""
    whole_keepalive: float = 0.0
    """The same while a whole answer is awaited."""
    bootstrap_retries: int = 0
    """How often a stream that failed before its first byte is begun anew."""
    payload: Rules = Rules()
    """What the owner sets or removes in upstream requests."""
    job_ttl: float = 10800.0
    """Seconds that it is remembered which account a job was begun at."""
    checked: bool = False
    """Assert the event grammar on every stream (tests, debug mode)."""


class Gateway(Struct):
    """Registry, pool and transport, wired."""

    registry: Registry
    pool: Pool
    transport: Transport
    settings: Settings = Settings()
    clock: Clock = SYSTEM_CLOCK
    guard: Guard | None = None
    """How files named by address are fetched; None when they are not."""
    films: Guard = field(default_factory=Guard)
    """How films are fetched from where their makers put them."""
    jobs: Jobs = field(default_factory=Jobs)
    """Which account was asked for which film."""
    ledger: Ledger = field(default_factory=Ledger)
    keeper: Keeper | None = None
    """Who keeps the logins' tokens fresh; None when there are only keys."""
    responses: ResponseStore | None = None
    """Where answers are kept; None when nothing is."""
    spared: Spared = field(default_factory=Spared)
    """What accounts have refused in conversations that go on."""
    uncounted: set[str] = field(default_factory=set)
    """Ids of accounts whose upstreams refuse to be asked for counts of a stream."""
    failures: Channel = field(default_factory=Channel)
    """Who hears of attempts that failed."""
