"""The flags of CLIProxyAPI, understood as our commands."""

from __future__ import annotations

from typing import Final

_LOGINS: Final[dict[str, tuple[str, ...]]] = {
    "--antigravity-login": ("antigravity",),
    "--codex-login": ("codex",),
    "--codex-device-login": ("codex", "--device"),
    "--claude-login": ("claude",),
    "--login": ("gemini",),
    "--qwen-login": ("qwen",),
    "--iflow-login": ("iflow",),
    "--iflow-cookie": ("iflow", "--cookie"),
    "--kimi-login": ("kimi",),
    "--xai-login": ("xai",),
}
"""In the order in which one wins when several are given."""
_TAKING: Final[dict[str, str]] = {
    "--config": "--config",
    "--project_id": "--project",
    "--project-id": "--project",
    "--oauth-callback-port": "--callback-port",
    "--vertex-import-prefix": "--prefix",
    "--vertex-import": "--vertex-import",
    "--password": "--password",
}
_BARE: Final[dict[str, str]] = {"--no-browser": "--no-browser"}
_IGNORED: Final = frozenset({"--local-model"})
_LOGIN_ONLY: Final = frozenset({"--project", "--callback-port", "--no-browser", "--prefix"})


def translated(argv: list[str]) -> list[str]:
    """Return the arguments with CLIProxyAPI's flags replaced; others stay as they are."""
    if argv and not argv[0].startswith("-"):
        return argv
    logins: list[str] = []
    kept: list[str] = []
    vertex: str | None = None
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name in _LOGINS:
            logins.append(name)
        elif name in _TAKING:
            given = value if equals else rest.pop(0) if rest else ""
            if name == "--vertex-import":
                vertex = given
            else:
                kept += [_TAKING[name], given]
        elif name in _BARE:
            kept.append(_BARE[name])
        elif name not in _IGNORED:
            kept.append(word)
    if vertex is not None:
        return ["login", "vertex", vertex, *_without(kept, _LOGIN_ONLY - {"--prefix"})]
    chosen = next((name for name in _LOGINS if name in logins), None)
    if chosen is not None:
        return ["login", *_LOGINS[chosen], *_without(kept, {"--prefix"})]
    return _without(kept, _LOGIN_ONLY)


def _without(argv: list[str], names: frozenset[str] | set[str]) -> list[str]:
    out: list[str] = []
    skip = False
    for word in argv:
        if skip:
            skip = False
        elif word in names:
            skip = word != "--no-browser"
        else:
            out.append(word)
    return out
