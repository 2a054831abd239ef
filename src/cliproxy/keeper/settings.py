"""What the configuration says about logins, as the keeper needs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct, field

from cliproxy.base.redact import Hidden
from cliproxy.login.flow import Client

AT_ONCE: Final = 16
"""How many logins are renewed at once, where nobody says."""


def no_secret(provider: str) -> str:
    """Find nothing."""
    del provider
    return ""


class Settings(Hidden, Struct, frozen=True):
    """What the configuration says about logins."""

    endpoints: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    clients: Mapping[str, Client] = field(default_factory=dict)
    proxy: str | None = None
    find_secret: Callable[[str], str] = no_secret
    """Finds the secret of a provider's OAuth client on this machine; "" = there is none."""
    workers: int = AT_ONCE
    """How many logins are renewed at once ahead of need."""
    models_every: float = 21600.0
    """Seconds after which providers are asked again which models there are; 0 = never."""
