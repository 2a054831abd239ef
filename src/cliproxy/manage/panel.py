"""The web panel: a page and its files, from the package or from where its owner put one."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import mimetypes
import os
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from cliproxy.manage.door import PAGE
from cliproxy.manage.web import control_of

_NAME: Final = "management.html"
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_TYPES: Final = {".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css",
                 ".svg": "image/svg+xml", ".json": "application/json",
                 ".woff2": "font/woff2", ".map": "application/json"}  # fmt: skip
_STYLE: Final = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:38rem;margin:15vh auto;padding:0 1rem}"
    "code{background:#8882;padding:.1em .3em}"
)
_STYLED: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_MISSING: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>cliproxy</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<style>STYLE</style></head><body><h1>The panel is not built</h1>
<p>This copy of cliproxy came without its web panel. In a clone of the repository, build it with
<code>npm ci &amp;&amp; npm run build</code> in the folder <code>panel</code>, and reload.</p>
<p>Everything the panel does can be done through the management API under
<code>/v0/management</code>; <code>/v0/management/openapi.json</code> describes it.</p>
</body></html>
"""


async def page(request: Request) -> Response:
    """Serve the page."""
    control = control_of(request)
    if control.config.remote_management.disable_control_panel:
        return Response(b"", 404)
    own = _own(control.config_path)
    if own is not None:
        data = await _read(own)
        if data is not None:
            # Its owner's page may be built as it likes, but nobody else's page may hold it.
            policy = "frame-ancestors 'none'; object-src 'none'; base-uri 'self'"
            return _html(data, policy)
    data = await _read(built() / _NAME) or await _read(built() / "index.html")
    if data is None:
        policy = _POLICY.replace("style-src 'self'", f"style-src 'sha256-{_STYLED}'")
        return _html(_MISSING.replace("STYLE", _STYLE).encode(), policy)
    return _html(data, _POLICY)


async def asset(request: Request) -> Response:
    """Serve one of the page's files."""
    control, name = control_of(request), str(request.path_params["path"])
    if control.config.remote_management.disable_control_panel:
        return Response(b"", 404)
    path = _within(built(), name)
    data = await _read(path) if path is not None else None
    if path is None or data is None:
        return Response(b"", 404)
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    # Built names hold a digest of their content.
    hashed = path.parent.name == "assets"
    cache_for = "public, max-age=31536000, immutable" if hashed else "no-cache"
    headers = {**_HEADERS, "Cache-Control": cache_for, "Content-Security-Policy": _POLICY}
    return Response(data, 200, headers, kind or "application/octet-stream")


async def home(request: Request) -> Response:
    """Send a browser to the page."""
    return RedirectResponse(request.scope.get("root_path", "") + PAGE, 302)


@cache
def built() -> Path:
    """Return the folder of the panel that comes with this package."""
    return Path(str(files("cliproxy"))) / "panel_dist"


def _own(config: Path | None) -> Path | None:
    """Return the page that the owner of this installation put in place of ours."""
    named = os.environ.get("MANAGEMENT_STATIC_PATH", "").strip()
    places: list[Path] = []
    if named:
        path = Path(named).expanduser()
        places.append(path if path.name == _NAME else path / _NAME)
    if writable := os.environ.get("WRITABLE_PATH", "").strip():
        places.append(Path(writable) / "static" / _NAME)
    if config is not None:
        places.append(config.absolute().parent / "static" / _NAME)
    return next((p for p in places if p.is_file()), None)


def _within(folder: Path, name: str) -> Path | None:
    """Return a file below a folder; None for names that lead elsewhere."""
    if not name or not name.isprintable() or "\\" in name:
        return None
    if any(part in ("", ".", "..") or part.startswith(".") for part in name.split("/")):
        return None
    path = (folder / name).resolve()
    return path if path.is_relative_to(folder.resolve()) else None


async def _read(path: Path) -> bytes | None:
    try:
        return await asyncio.to_thread(path.read_bytes)
    except (OSError, ValueError):
        return None


def _html(data: bytes, policy: str) -> Response:
    headers = {**_HEADERS, "Cache-Control": "no-cache", "Content-Security-Policy": policy}
    return Response(data, 200, headers, "text/html; charset=utf-8")
