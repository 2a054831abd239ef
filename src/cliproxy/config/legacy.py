"""Old and short spellings → current ones, applied to the decoded YAML before it is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

Tree = dict[str, Any]

IGNORED: Final = frozenset(
    {"gemini-web", "allow-localhost-unauthenticated", "force-gpt-5-codex", "auth"}
)
"""Keys of older generations that mean nothing any more."""

NO_EFFECT: Final = frozenset(
    {
        "cloak",
        "fingerprint-profile",
        "experimental-cch-signing",
        "claude-header-defaults",
        "codex-header-defaults",
        "disable-claude-cloak-mode",
    }
)
"""Keys for imitating another client: they load, and do nothing. We say who we are."""

_TYPES: Final = {
    "gemini": "gemini-api-key",
    "claude": "claude-api-key",
    "anthropic": "claude-api-key",
    "codex": "codex-api-key",
    "openai-responses": "codex-api-key",
    "xai": "xai-api-key",
    "vertex": "vertex-api-key",
}
_BASES: Final = {"openai": "https://api.openai.com/v1"}


def upgrade(tree: Tree, warn: Callable[[str, str, str], None]) -> Tree:
    """Return the tree in current spelling; `warn(key, message, cure)` tells what is odd."""
    tree = dict(tree)
    _keys(tree, "generative-language-api-key", "gemini-api-key")
    for host in _list(tree.get("openai-compatibility")):
        if isinstance(host, dict) and "api-keys" in host:
            entries = [{"api-key": key} for key in _list(host.pop("api-keys"))]
            host["api-key-entries"] = [*_list(host.get("api-key-entries")), *entries]
    _rename(tree, "oauth-model-mappings", "oauth-model-alias")
    for old, new in (
        ("amp-upstream-url", "upstream-url"),
        ("amp-upstream-api-key", "upstream-api-key"),
        ("amp-restrict-management-to-localhost", "restrict-management-to-localhost"),
        ("amp-model-mappings", "model-mappings"),
    ):
        if old in tree:
            section = dict(tree.get("ampcode") or {})
            section.setdefault(new, tree.pop(old))
            tree["ampcode"] = section
    _client_keys(tree)
    _https(tree)
    if "providers" in tree:
        _providers(tree, warn)
    return tree


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else []


def _rename(tree: Tree, old: str, new: str) -> None:
    if old in tree:
        value = tree.pop(old)
        tree.setdefault(new, value)


def _keys(tree: Tree, old: str, new: str) -> None:
    if old in tree:
        entries = [{"api-key": key} for key in _list(tree.pop(old))]
        tree[new] = [*_list(tree.get(new)), *entries]


def _client_keys(tree: Tree) -> None:
    """`auth.providers[].api-keys` was where client keys used to be."""
    auth = tree.get("auth")
    if not isinstance(auth, dict) or tree.get("api-keys"):
        return
    keys: list[Any] = []
    for provider in _list(auth.get("providers")):
        if isinstance(provider, dict) and provider.get("type") == "config-api-key":
            config = provider.get("config")
            nested = config.get("api-key") if isinstance(config, dict) else None
            keys += _list(provider.get("api-keys")) or ([nested] if nested else [])
    if keys:
        tree["api-keys"] = keys


def _https(tree: Tree) -> None:
    https = tree.pop("https", None)
    if isinstance(https, dict) and "tls" not in tree:
        tree["tls"] = {"enable": True, **https}
    tls = tree.get("tls")
    if isinstance(tls, dict) and "enable" not in tls and tls.get("cert") and tls.get("key"):
        tree["tls"] = {**tls, "enable": True}


def _providers(tree: Tree, warn: Callable[[str, str, str], None]) -> None:
    """The short form: `[{name, type, key, base-url, weight, models…}]`."""
    rotates: dict[str, bool] = {}
    for index, provider in enumerate(_list(tree.pop("providers"))):
        where = f"providers[{index}]"
        if not isinstance(provider, dict):
            warn(where, "is not a mapping", "write {name: …, type: …, key: …}")
            continue
        entry = {str(k).replace("_", "-"): v for k, v in provider.items()}
        kind = str(entry.pop("type", "") or "").lower()
        key = entry.pop("key", None) or entry.pop("api-key", None) or ""
        rotates[kind] = rotates.get(kind, False) or bool(entry.pop("round-robin", False))
        if entry.pop("oauth", False) and not key:
            warn(where, "asks for a login, which is not served yet", "give a key")
            continue
        target = _TYPES.get(kind)
        if target is None and (kind.startswith("openai") or entry.get("base-url")):
            entry.setdefault("base-url", _BASES.get(kind, ""))
            entry["name"] = entry.get("name") or kind or f"provider-{index + 1}"
            weight = entry.pop("weight", None)
            row = {"api-key": key} | ({"weight": weight} if weight is not None else {})
            if key:
                entry["api-key-entries"] = [row]
            tree["openai-compatibility"] = [*_list(tree.get("openai-compatibility")), entry]
        elif target is None:
            warn(
                where,
                f"has the unknown type {kind!r}",
                f"use one of {', '.join(sorted(_TYPES))}, openai, or give a base-url",
            )
        else:
            if kind == "codex" and not entry.get("base-url"):
                entry["base-url"] = _BASES["openai"]
            tree[target] = [*_list(tree.get(target)), {"api-key": key, **entry}]
