"""A small web server with files for a test to name by address."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


class Files:
    """Serves what is `put` on a free loopback port; `/silent` never answers."""

    def __init__(self) -> None:
        self.agents: list[str] = []
        self._there: dict[str, tuple[bytes, str]] = {}
        self._elsewhere: dict[str, str] = {}
        self._over = threading.Event()

    def __enter__(self) -> Self:
        files = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                files._serve(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def put(self, path: str, data: bytes, content_type: str) -> str:
        """Offer a file; return its address."""
        self._there[path] = data, content_type
        return self.url + path

    def redirect(self, path: str, to: str) -> str:
        """Send whoever asks for a path to another address."""
        self._elsewhere[path] = to
        return self.url + path

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        self.agents.append(request.headers.get("user-agent", ""))
        if path == "/silent":
            self._over.wait(20)
        if to := self._elsewhere.get(path):
            request.send_response(302)
            request.send_header("location", to)
            request.end_headers()
            return
        found = self._there.get(path)
        request.send_response(200 if found else 404)
        if found:
            request.send_header("content-type", found[1])
            request.send_header("content-length", str(len(found[0])))
        request.end_headers()
        if found:
            request.wfile.write(found[0])
