"""Which headers of an upstream's answer a client may see (`passthrough-headers`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cliproxy.base.http import HOP_BY_HOP

_WITHHELD: Final = HOP_BY_HOP | {
    "content-length",
    "content-encoding",
    "content-type",
    "set-cookie",
    "cache-control",
    "date",
    "server",
    "x-cpa-trace-id",
    "retry-after",
    "alt-svc",
    "strict-transport-security",
}
_PREFIXES: Final = (
    "access-control-", "x-cliproxy-", "x-litellm-", "helicone-", "x-portkey-", "cf-aig-",
    "x-kong-", "x-bt-",
)  # fmt: skip
"""Ours, the browser's affair, and other gateways' inner workings."""


def passed(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that travel on. Names are lower case."""
    named = {name.strip().lower() for name in headers.get("connection", "").split(",")}
    return {
        name: value
        for name, value in headers.items()
        if name not in _WITHHELD and name not in named and not name.startswith(_PREFIXES)
    }
