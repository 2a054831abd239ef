"""How accounts are got and kept: one module per provider, each a set of talks (`flow.py`)."""

from __future__ import annotations

from importlib import import_module
from typing import Final, cast

from cliproxy.login.flow import Login

_TABLE: Final[dict[str, str]] = {
    "antigravity": "cliproxy.login.antigravity:LOGIN",
    "claude": "cliproxy.login.claude:LOGIN",
    "codex": "cliproxy.login.codex:LOGIN",
    "gemini-cli": "cliproxy.login.gemini_cli:LOGIN",
    "iflow": "cliproxy.login.iflow:LOGIN",
    "kimi": "cliproxy.login.kimi:LOGIN",
    "qwen": "cliproxy.login.qwen:LOGIN",
    "vertex": "cliproxy.login.vertex:LOGIN",
    "xai": "cliproxy.login.xai:LOGIN",
}
_ALSO: Final = {
    "anthropic": "claude",
    "openai": "codex",
    "gemini": "gemini-cli",
    "google": "gemini-cli",
    "anti-gravity": "antigravity",
    "x-ai": "xai",
    "x.ai": "xai",
    "grok": "xai",
}
"""Other words for a provider."""


NOTICES: Final = {
    "claude": "Anthropic does not permit other programs than its own to use the login of a Free, "
    "Pro or Max plan, and may refuse, limit or end an account for it. An API key is meant for "
    "programs.",
    "gemini-cli": "Google calls the use of Gemini CLI's login by other programs a violation of its "
    "terms, for which it has suspended accounts. A key of the Gemini API is meant for programs.",
    "antigravity": "Google calls the use of Antigravity's login by other programs a violation of "
    "its terms, for which it has suspended accounts. A key of the Gemini API is meant for them.",
    "qwen": "Qwen has ended the free tier of this login: calls may fail. A key of DashScope "
    "goes on working.",
    "iflow": "iFlow has announced the end of this free service, so that calls may fail.",
}
"""What somebody should know before logging in. More of it is in docs/providers.md."""


def named(word: str) -> str | None:
    """Return the provider that a word means; None when there is no login of that name."""
    provider = _ALSO.get(word.lower(), word.lower())
    return provider if provider in _TABLE else None


def providers() -> tuple[str, ...]:
    """Return all providers that have logins."""
    return tuple(_TABLE)


def known(provider: str) -> bool:
    """Tell whether there are logins of a provider."""
    return provider in _TABLE


def get(provider: str) -> Login:
    """Return how accounts of a provider are got and kept. Raises `KeyError`."""
    module, _, name = _TABLE[provider].partition(":")
    return cast("Login", getattr(import_module(module), name))
