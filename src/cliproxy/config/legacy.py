"""Old and short spellings → current ones, applied to the decoded YAML before it is read."""

from __future__ import annotations

from typing import Any, Final, Protocol

from msgspec import Struct

from cliproxy.base.redact import Hidden
from cliproxy.config.tree import shown

Tree = dict[str, Any]

IGNORED: Final = frozenset({"gemini-web", "allow-localhost-unauthenticated", "force-gpt-5-codex"})
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
_BASES: Final = {
    "openai": "https://api.openai.com/v1",
    "codex": "https://api.openai.com/v1",
    "openai-responses": "https://api.openai.com/v1",
    "xai": "https://api.x.ai/v1",
}
_AMP: Final = {
    "amp-upstream-url": "upstream-url",
    "amp-upstream-api-key": "upstream-api-key",
    "amp-restrict-management-to-localhost": "restrict-management-to-localhost",
    "amp-model-mappings": "model-mappings",
}

OLD: Final = frozenset(
    {
        "auth",
        "generative-language-api-key",
        "https",
        "oauth-model-mappings",
        "providers",
        *_AMP,
    }
)
"""Keys that are read as others."""


class Note(Protocol):
    """Tells what is odd."""

    def __call__(self, path: str, message: str, *, cure: str = "", error: bool = False) -> None:
        """Report one thing."""
        ...


class Upgraded(Hidden, Struct):
    """The tree in current spelling."""

    tree: Tree
    moved: dict[str, str]
    """Path in the tree → path in the file, for what was moved."""


def upgrade(tree: Tree, note: Note) -> Upgraded:
    """Return the tree in current spelling; the given one stays as it is."""
    return _Upgrade(tree, note).run()


def truth(value: Any) -> bool:
    """Read a yes or no of the short form."""
    return str(value or "").strip().lower() in ("true", "yes", "on", "y", "1")


class _Upgrade:
    def __init__(self, tree: Tree, note: Note) -> None:
        self._tree = dict(tree)
        self._note = note
        self._moved: dict[str, str] = {}
        self._weighted = False

    def run(self) -> Upgraded:
        self._bare_keys("generative-language-api-key", "gemini-api-key")
        self._host_keys()
        self._rename("oauth-model-mappings", "oauth-model-alias")
        self._amp()
        self._client_keys()
        self._https()
        self._providers()
        return Upgraded(self._tree, self._moved)

    def _list(self, value: Any, path: str) -> list[Any]:
        """Return a list; one value alone counts as a list of one."""
        if value is None:
            return []
        if isinstance(value, str):
            return [value]
        if not isinstance(value, list):
            self._note(path, "must be a list", cure="start each entry with '-'", error=True)
            return []
        return value

    def _append(self, key: str, entry: Any, origin: str) -> str:
        """Add an entry to a list of the tree; return its path there."""
        # What is there already is not ours to judge: a wrong type is reported under its own name.
        present = self._tree.get(key)
        entries = list(present) if isinstance(present, list) else [present] if present else []
        path = f"{key}[{len(entries)}]"
        self._tree[key] = [*entries, entry]
        self._moved[path] = origin
        return path

    def _rename(self, old: str, new: str) -> None:
        if old in self._tree:
            value = self._tree.pop(old)
            if self._tree.get(new) is None:
                self._tree[new] = value
                self._moved[new] = old

    def _bare_keys(self, old: str, new: str) -> None:
        for index, key in enumerate(self._list(self._tree.pop(old, None), old)):
            self._append(new, {"api-key": key}, f"{old}[{index}]")

    def _host_keys(self) -> None:
        hosts = self._tree.get("openai-compatibility")
        if not isinstance(hosts, list):
            return
        out: list[Any] = []
        for index, host in enumerate(hosts):
            if isinstance(host, dict) and "api-keys" in host:
                path = f"openai-compatibility[{index}]"
                changed = {k: v for k, v in host.items() if k != "api-keys"}
                entries = list(self._list(host.get("api-key-entries"), f"{path}.api-key-entries"))
                for n, key in enumerate(self._list(host["api-keys"], f"{path}.api-keys")):
                    self._moved[f"{path}.api-key-entries[{len(entries)}]"] = f"{path}.api-keys[{n}]"
                    entries.append({"api-key": key})
                out.append({**changed, "api-key-entries": entries})
            else:
                out.append(host)
        self._tree["openai-compatibility"] = out

    def _amp(self) -> None:
        for old, new in _AMP.items():
            if old not in self._tree:
                continue
            value = self._tree.pop(old)
            section = self._tree.get("ampcode")
            if section is None or isinstance(section, dict):
                self._tree["ampcode"] = {new: value, **(section or {})}
                self._moved.setdefault(f"ampcode.{new}", old)

    def _client_keys(self) -> None:
        """`auth.providers[].api-keys` was where client keys used to be."""
        auth = self._tree.pop("auth", None)
        if not isinstance(auth, dict) or self._tree.get("api-keys"):
            return
        keys: list[Any] = []
        for index, provider in enumerate(self._list(auth.get("providers"), "auth.providers")):
            if not isinstance(provider, dict) or provider.get("type") != "config-api-key":
                continue
            path = f"auth.providers[{index}].api-keys"
            config = provider.get("config")
            nested = config.get("api-key") if isinstance(config, dict) else None
            keys += self._list(provider.get("api-keys"), path) or ([nested] if nested else [])
        if keys:
            self._tree["api-keys"] = keys
            self._moved["api-keys"] = "auth.providers"

    def _https(self) -> None:
        https = self._tree.pop("https", None)
        if https is not None and not isinstance(https, dict):
            self._note("https", "must be a mapping of keys", cure="cert: … and key: …", error=True)
        elif https and "tls" not in self._tree:
            self._tree["tls"] = {"enable": True, **https}
            self._moved["tls"] = "https"
        tls = self._tree.get("tls")
        if isinstance(tls, dict) and "enable" not in tls and tls.get("cert") and tls.get("key"):
            self._tree["tls"] = {**tls, "enable": True}

    def _providers(self) -> None:
        """The short form: `[{name, type, key, base-url, weight, models…}]`."""
        for index, provider in enumerate(
            self._list(self._tree.pop("providers", None), "providers")
        ):
            where = f"providers[{index}]"
            if not isinstance(provider, dict):
                self._note(where, "is not a mapping", cure="write {name: …, type: …, key: …}")
                continue
            self._provider(provider, index, where)
        routing = self._tree.get("routing")
        open_choice = routing is None or (isinstance(routing, dict) and "strategy" not in routing)
        if self._weighted and open_choice:
            # Whoever gives weights wants them to count.
            self._tree["routing"] = {**(routing or {}), "strategy": "weighted-round-robin"}

    def _provider(self, provider: Tree, index: int, where: str) -> None:
        entry = {str(k).replace("_", "-"): v for k, v in provider.items()}
        kind = str(entry.pop("type", None) or "").strip().lower()
        given = [entry.pop(name, None) for name in ("key", "api-key")]
        key = next((k for k in given if k), "")
        if truth(entry.pop("oauth", None)) and not key:
            self._note(where, "asks for a login", cure=f"add it with: cliproxy login {kind}")
            return
        # Entries of one kind take turns in any case.
        entry.pop("round-robin", None)
        self._weighted = self._weighted or entry.get("weight", 1) != 1
        target = _TYPES.get(kind)
        if target is not None:
            if kind in _BASES and not entry.get("base-url"):
                entry["base-url"] = _BASES[kind]
            self._append(target, {"api-key": key, **entry}, where)
        elif kind.startswith("openai") or entry.get("base-url"):
            entry["name"] = entry.get("name") or kind or f"provider-{index + 1}"
            if not entry.get("base-url"):
                entry["base-url"] = _BASES.get(kind, "")
            row = {name: entry.pop(name) for name in ("weight", "proxy-url") if name in entry}
            if key:
                entry["api-key-entries"] = [{"api-key": key, **row}]
            path = self._append("openai-compatibility", entry, where)
            self._moved[f"{path}.api-key-entries[0]"] = where
        else:
            known = ", ".join(sorted(_TYPES))
            what = f"has the unknown type {shown(kind)}" if kind else "has no type"
            self._note(where, what, cure=f"use one of {known}, openai, or give a base-url")
