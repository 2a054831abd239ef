"""What differs between upstream hosts: URL, credentials, protocol headers, quirks. No sockets.

A provider knows the IR's capabilities and its own upstream, and nothing of clients. `get` loads
one by the account's provider key; hosts that speak plain OpenAI Chat need no file at all.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final, cast

from cliproxy.account.model import Account
from cliproxy.providers.base import Ability, Provider

_TABLE: Final[dict[str, str]] = {
    "antigravity": "cliproxy.providers.antigravity:PROVIDER",
    "claude": "cliproxy.providers.claude:PROVIDER",
    "codex": "cliproxy.providers.codex:PROVIDER",
    "gemini": "cliproxy.providers.gemini:PROVIDER",
    "gemini-cli": "cliproxy.providers.gemini_cli:PROVIDER",
    "gemini-interactions": "cliproxy.providers.gemini_interactions:PROVIDER",
    "iflow": "cliproxy.providers.iflow:PROVIDER",
    "kimi": "cliproxy.providers.kimi:PROVIDER",
    "local": "cliproxy.providers.local:PROVIDER",
    "openai-compatible": "cliproxy.providers.openai_compatible:PROVIDER",
    "qwen": "cliproxy.providers.qwen:PROVIDER",
    "vertex": "cliproxy.providers.vertex:PROVIDER",
    "xai": "cliproxy.providers.xai:PROVIDER",
}
_loaded: Final[dict[str, Provider]] = {}


def known(provider: str) -> bool:
    """Tell whether a provider key can be served."""
    return _row(provider) in _TABLE


def get(provider: str) -> Provider:
    """Return the provider for an account's provider key. Raises `KeyError`."""
    row = _row(provider)
    found = _loaded.get(row)
    if found is None:
        module, _, name = _TABLE[row].partition(":")
        found = cast("Provider", getattr(import_module(module), name))
        _loaded[row] = found
    return found


def able(account: Account, what: Ability) -> bool:
    """Tell whether an account's host can do something that not all can."""
    return get(account.provider).able(what, account)


def _row(provider: str) -> str:
    # Every configured OpenAI-compatible host has its own key, `openai-compatible-<name>`.
    return "openai-compatible" if provider.startswith("openai-compatible") else provider
