"""The debug endpoint (`pprof`): what the process is doing, for whoever sits at this machine.

Plain text over HTTP, on a loopback address only, without a key: it shows code and counts, no
requests and no secrets.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qs, urlsplit

from cliproxy.transport.proxy import is_loopback

Loop = asyncio.AbstractEventLoop

_log: Final = logging.getLogger(__name__)
_LONGEST: Final = 30.0
"""Seconds that a profile may take."""
_EVERY: Final = 0.005
"""Seconds between two samples."""
_DEEPEST: Final = 40
_MOST: Final = 60
_PATIENCE: Final = 5.0


class DebugServer:
    """Serves `/debug/tasks`, `/debug/threads`, `/debug/memory` and `/debug/profile?seconds=5`."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._address = ""

    @property
    def port(self) -> int:
        """The port that is listened on, 0 when none is."""
        return self._server.sockets[0].getsockname()[1] if self._server is not None else 0

    async def apply(self, *, enable: bool, address: str) -> None:
        """Start, stop or move as the configuration says; a refusal is logged."""
        wanted = address if enable else ""
        if wanted == self._address:
            return
        await self.close()
        if not wanted:
            return
        host, _, port = wanted.rpartition(":")
        host = host.strip("[]") or "127.0.0.1"
        if not is_loopback(host) or not port.isdigit():
            _log.error("pprof.addr %s is not a loopback address with a port: not served", wanted)
            return
        try:
            self._server = await asyncio.start_server(_answer, host, int(port))
        except OSError as err:
            _log.error("the debug endpoint cannot listen on %s: %s", wanted, err)
            return
        self._address = wanted
        _log.info("debug endpoint on http://%s/debug/", wanted)

    async def close(self) -> None:
        """Stop serving."""
        server, self._server, self._address = self._server, None, ""
        if server is not None:
            server.close()
            await server.wait_closed()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        async with asyncio.timeout(_PATIENCE):
            line = await reader.readline()
            while await reader.readline() not in (b"", b"\r\n", b"\n"):
                pass
        method, _, rest = line.decode("latin-1").partition(" ")
        target = urlsplit(rest.split(" ")[0])
        page = _PAGES.get(target.path.rstrip("/")) if method == "GET" else None
        if page is None:
            status, text = "404 Not Found", "There is: " + " ".join(_PAGES) + "\n"
        else:
            asked = parse_qs(target.query).get("seconds", ["5"])[0]
            seconds = float(asked) if asked.replace(".", "", 1).isdigit() else 5.0
            loop = asyncio.get_running_loop()
            status, text = "200 OK", await asyncio.to_thread(page, min(seconds, _LONGEST), loop)
        body = text.encode("utf-8", "replace")
        head = (
            f"HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        writer.write(head.encode() + body)
        await writer.drain()
    except (OSError, TimeoutError, ValueError):
        pass  # whoever asked went away, or spoke no HTTP
    finally:
        writer.close()


def _tasks(seconds: float, loop: Loop) -> str:  # noqa: ARG001  # pages are called alike
    found = list(asyncio.all_tasks(loop))
    out = [f"{len(found)} tasks\n"]
    for task in found[:_MOST]:
        frames = task.get_stack(limit=1)
        where = f"{frames[0].f_code.co_filename}:{frames[0].f_lineno}" if frames else "?"
        out.append(f"{task.get_name()}  {where}")
    return "\n".join(out) + "\n"


def _threads(seconds: float, loop: Loop) -> str:  # noqa: ARG001
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    out = []
    for ident, frame in sys._current_frames().items():  # noqa: SLF001  # the documented way
        out.append(f"{names.get(ident, ident)}\n" + "".join(traceback.format_stack(frame)))
    return "\n".join(out)


def _memory(seconds: float, loop: Loop) -> str:  # noqa: ARG001
    found = Counter(type(item).__qualname__ for item in gc.get_objects())
    lines = [f"{count:9d}  {name}" for name, count in found.most_common(_MOST)]
    return f"collections: {gc.get_stats()}\n\n" + "\n".join(lines) + "\n"


def _profile(seconds: float, loop: Loop) -> str:  # noqa: ARG001
    main = threading.main_thread().ident
    own = threading.get_ident()
    stacks: Counter[str] = Counter()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for ident, frame in sys._current_frames().items():  # noqa: SLF001
            if ident == own:
                continue
            found = traceback.extract_stack(frame, limit=_DEEPEST)
            name = "main" if ident == main else str(ident)
            stacks[";".join([name, *(f"{f.name} ({f.lineno})" for f in found)])] += 1
        time.sleep(_EVERY)
    return "".join(f"{stack} {count}\n" for stack, count in stacks.most_common())


_PAGES: Final[dict[str, Callable[[float, Loop], str]]] = {
    "/debug/tasks": _tasks,
    "/debug/threads": _threads,
    "/debug/memory": _memory,
    "/debug/profile": _profile,
}
