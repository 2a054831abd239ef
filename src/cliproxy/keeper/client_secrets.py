"""The secrets of installed apps' OAuth clients, found where the apps themselves are installed.

Vendors ship such a secret inside their program, where it is no secret; it is theirs to give away
all the same, so that none is written here. What is looked for is a string beside the client's
public id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

from msgspec import Struct

_FILE_LIMIT: Final = 96 * 1024 * 1024
"""Bytes of a program file that are looked through."""
_FILES: Final = 400
"""Files looked through below one root."""
_NEAR: Final = 2000
"""Bytes between the id and the secret."""
_NAMED: Final = re.compile(
    rb"""(?i)\b\w{0,40}client_?secret\w{0,20}["'`]?\s*[:=]\s*["'`]([\w.~+/=-]{8,128})["'`]"""
)
_GOOGLE: Final = re.compile(rb"""["'`](GOCSPX-[\w-]{8,64})["'`]""")
"""How Google's secrets begin, for programs whose names were shortened."""


class App(Struct, frozen=True):
    """A program whose OAuth client we may be."""

    client_id: str
    places: tuple[str, ...]
    """Patterns of the files that may hold the secret, below a root; the likeliest first."""
    pattern: re.Pattern[bytes] | None = None
    """What the secret looks like, besides being called one."""


_CLI: Final = "@google/gemini-cli"
_CORE: Final = "@google/gemini-cli-core/dist/src/code_assist/oauth2.js"
APPS: Final[dict[str, App]] = {
    "gemini-cli": App(
        "681255809395-oo8ft2oprdrnp9e3aqf6av3hmdib135j.apps.googleusercontent.com",
        (
            _CORE,
            f"{_CLI}/node_modules/{_CORE}",
            f"{_CLI}/bundle/*.js",
            f"{_CLI}/dist/**/*.js",
            "bundle/*.js",
            f"node_modules/{_CORE}",
        ),
        _GOOGLE,
    ),
    "antigravity": App(
        "1071006060591-tmhssin2h21lcre235vtolojh4g403ep.apps.googleusercontent.com",
        (
            "out/main.js",
            "out/*.js",
            "extensions/*/dist/*.js",
            "extensions/*/out/*.js",
            "dist/**/*.js",
        ),
        _GOOGLE,
    ),
    "iflow": App(
        "10009311001",
        ("@iflow-ai/iflow-cli/bundle/*.js", "bundle/*.js"),
    ),
}
"""By provider."""


def find_client_secret(roots: Iterable[Path], provider: str = "gemini-cli") -> str:
    """Return the secret of a provider's OAuth client; "" when no installed program holds it.

    `roots` are folders of installed packages (`node_modules`), of one package, or of a desktop
    app (`resources/app`). They are only read.
    """
    app = APPS.get(provider)
    if app is None:
        return ""
    for root in roots:
        for path in islice(_files(root, app), _FILES):
            if secret := _in_file(path, app):
                return secret
    return ""


def usual_roots(provider: str, home: Path, env: Mapping[str, str]) -> list[Path]:
    """Return where programs of a provider are usually installed, whether there or not."""
    if provider == "antigravity":
        local = env.get("LOCALAPPDATA", "")
        found = [
            Path("/Applications/Antigravity.app/Contents/Resources/app"),
            home / "Applications/Antigravity.app/Contents/Resources/app",
            Path("/usr/share/antigravity/resources/app"),
            Path("/opt/Antigravity/resources/app"),
            Path("/opt/antigravity/resources/app"),
        ]
        return [*found, Path(local, "Programs/Antigravity/resources/app")] if local else found
    prefix = env.get("NPM_CONFIG_PREFIX") or env.get("npm_config_prefix") or ""
    roaming = env.get("APPDATA", "")
    nvm = Path(env.get("NVM_DIR") or home / ".nvm") / "versions/node"
    found = [
        *([Path(prefix, "lib/node_modules")] if prefix else []),
        home / ".npm-global/lib/node_modules",
        home / ".local/lib/node_modules",
        *_versions(nvm),
        home / ".bun/install/global/node_modules",
        Path("/usr/local/lib/node_modules"),
        Path("/usr/lib/node_modules"),
        Path("/opt/homebrew/lib/node_modules"),
        *_cellar(Path("/opt/homebrew/Cellar/gemini-cli"), Path("/usr/local/Cellar/gemini-cli")),
    ]
    return [*found, Path(roaming, "npm/node_modules")] if roaming else found


def _versions(folder: Path) -> list[Path]:
    return [p / "lib/node_modules" for p in sorted(_below(folder, "*"), reverse=True)]


def _cellar(*folders: Path) -> list[Path]:
    return [p for f in folders for p in _below(f, "*/libexec/lib/node_modules")]


def _below(folder: Path, pattern: str) -> list[Path]:
    try:
        return list(folder.glob(pattern))
    except OSError:
        return []


def _files(root: Path, app: App) -> Iterator[Path]:
    seen: set[Path] = set()
    for place in app.places:
        for path in sorted(_below(root, place)):
            if path not in seen:
                seen.add(path)
                yield path


def _in_file(path: Path, app: App) -> str:
    try:
        if not path.is_file() or path.stat().st_size > _FILE_LIMIT:
            return ""
        text = path.read_bytes()
    except OSError:
        return ""
    wanted = re.escape(app.client_id.encode())
    for found in re.finditer(rb"(?<![\w-])" + wanted + rb"(?![\w-])", text):
        if secret := _beside(text, found.start(), found.end(), app):
            return secret
    return ""


def _beside(text: bytes, start: int, end: int, app: App) -> str:
    """Return the string nearest to the id that is a secret by its name or its look."""
    first = max(0, start - _NEAR)
    near = text[first : end + _NEAR]
    # The same file may hold other clients.
    hits = [m for p in (_NAMED, app.pattern) if p is not None for m in p.finditer(near)]
    hits = [m for m in hits if m[1].decode("ascii") != app.client_id]
    if not hits:
        return ""

    def away(match: re.Match[bytes]) -> tuple[int, bool]:
        at = match.start(1) + first
        # Whoever writes both writes the id first.
        return (at - end, False) if at >= end else (start - at, True)

    return min(hits, key=away)[1].decode("ascii")
