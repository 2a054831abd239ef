"""A server that refuses everything and repeats, in its refusal, all that it was sent."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote


class Echo:
    """Upstream, token server and HTTP proxy at once."""

    def __init__(self) -> None:
        self.status = 400
        self.inside = False  # the error comes in an answer of status 200
        self.heard: list[str] = []

    def __enter__(self) -> Self:
        echo = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                echo._answer(self)

            do_GET = do_POST

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("content-length") or 0)).decode()
        said = f"{request.path} {dict(request.headers)}"
        for name in ("authorization", "proxy-authorization"):
            scheme, _, token = request.headers.get(name, "").partition(" ")
            if scheme.lower() == "basic":
                said += f" {base64.b64decode(token).decode()}"
        if "application/x-www-form-urlencoded" in request.headers.get("content-type", ""):
            said += f" {body} {unquote(body)}"
        self.heard.append(said)
        failure: dict[str, Any] = {"message": said, "type": "x", "code": said[:80]}
        told: Any = {"error": failure, "type": "error"}
        if request.path.endswith(("/token", "/device")):
            told = {"error": "invalid_grant", "error_description": said}
        data = json.dumps(told).encode()
        content_type = "application/json"
        if self.inside:
            data, content_type = b"event: error\ndata: " + data + b"\n\n", "text/event-stream"
        request.send_response(200 if self.inside else self.status)
        request.send_header("content-type", content_type)
        request.send_header("content-length", str(len(data)))
        if self.status == 429:
            request.send_header("retry-after", "600")
        request.end_headers()
        request.wfile.write(data)
