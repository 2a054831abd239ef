"""Everything a request needs, built once per configuration.

A new configuration makes a new `Gateway`; requests that run keep the one they began with.
"""

from __future__ import annotations

from msgspec import Struct

from cliproxy.base.clock import SYSTEM_CLOCK, Clock
from cliproxy.base.http import Timeouts
from cliproxy.routing.pool import Pool
from cliproxy.routing.resolve import Registry
from cliproxy.transport.client import Transport


class Settings(Struct, frozen=True):
    """The parts of the configuration that the pipeline reads."""

    timeouts: Timeouts = Timeouts()
    proxy_url: str | None = None
    strict: bool = False
    expose_routing: bool = False
    checked: bool = False
    """Assert the event grammar on every stream (tests, debug mode)."""


class Gateway(Struct):
    """Registry, pool and transport, wired."""

    registry: Registry
    pool: Pool
    transport: Transport
    settings: Settings = Settings()
    clock: Clock = SYSTEM_CLOCK
