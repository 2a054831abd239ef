"""A server that refuses everything and repeats, in its refusal, all that it was sent."""

from __future__ import annotations

import base64
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Literal, Self
from urllib.parse import unquote, urlsplit

Manner = Literal[
    "refusal", "inside", "late", "answer", "redirect", "words", "slashes", "nested", "broken"
]
"""How it repeats: in an error's body; in an event stream of status 200, first or after some text; in
the headers of a good answer; in the target of a redirect; in a body that is no JSON; in JSON that
escapes more than others; in JSON inside JSON; in a stream that breaks off."""

MANNERS: Final[tuple[tuple[Manner, int], ...]] = (
    ("refusal", 500), ("refusal", 400), ("inside", 200), ("refusal", 403), ("refusal", 401),
    ("refusal", 429), ("late", 200), ("answer", 200), ("redirect", 302), ("words", 502),
    ("slashes", 400), ("nested", 500), ("broken", 200),
)  # fmt: skip
_TEXT: Final[dict[str, list[dict[str, Any]]]] = {
    "chat": [{"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [
        {"index": 0, "delta": {"role": "assistant", "content": "Hi"}}]}],
    "responses": [
        {"type": "response.created", "sequence_number": 0, "response": {
            "id": "r", "status": "in_progress", "error": None, "output": []}},
        {"type": "response.output_item.added", "sequence_number": 1, "output_index": 0, "item": {
            "id": "i", "type": "message", "role": "assistant", "content": []}},
        {"type": "response.output_text.delta", "sequence_number": 2, "item_id": "i",
         "output_index": 0, "content_index": 0, "delta": "Hi"},
    ],
    "messages": [
        {"type": "message_start", "message": {
            "id": "m", "type": "message", "role": "assistant", "model": "m", "content": [],
            "usage": {"input_tokens": 1, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
    ],
    "gemini": [{"candidates": [{"index": 0, "content": {"role": "model",
                                                      "parts": [{"text": "Hi"}]}}]}],
    "interactions": [
        {"event_type": "interaction.created", "interaction": {
            "id": "v1_i", "status": "in_progress"}},
        {"event_type": "step.start", "index": 0, "step": {"type": "model_output"}},
        {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": "Hi"}},
    ],
}  # fmt: skip
_ENDS: Final[dict[str, list[dict[str, Any]]]] = {
    "chat": [{"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [
        {"index": 0, "delta": {}, "finish_reason": "stop"}]}],
    "responses": [{"type": "response.completed", "sequence_number": 3, "response": {
        "id": "r", "status": "completed", "output": [
            {"id": "i", "type": "message", "role": "assistant", "status": "completed",
             "content": [{"type": "output_text", "text": "Hi", "annotations": []}]}]}}],
    "messages": [
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"},
         "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ],
    "gemini": [{"candidates": [{"index": 0, "finishReason": "STOP",
                              "content": {"role": "model", "parts": [{"text": "!"}]}}]}],
    "interactions": [
        {"event_type": "step.stop", "index": 0},
        {"event_type": "interaction.completed", "interaction": {
            "id": "v1_i", "status": "completed"}},
    ],
}  # fmt: skip
_ASKED: Final = re.compile(r"/(responses|messages|completions|count_tokens|compact)|enerateContent")
"""Where models are asked: a client's own words may be quoted."""


class Echo:
    """Upstream, token server and HTTP proxy at once."""

    def __init__(self) -> None:
        self.manner: Manner = "refusal"
        self.status = 400
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
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
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
        said = _said(request, body)
        self.heard.append(said)
        path = urlsplit(request.path).path
        asks_login = path.endswith(("/token", "/device"))
        failure: dict[str, Any] = {
            "message": said, "type": _end(said, 200), "code": _start(said, 300), "param": _end(said, 300),
        }  # fmt: skip
        told: Any = {"error": failure, "type": "error", "request_id": _start(said, 400)}
        status, headers = (
            self.status,
            {"x-said": _start(said, 6000), "x-request-id": _end(said, 900)},
        )
        content_type, cut = "application/json", False
        data = json.dumps(told).encode()
        if asks_login:
            told = {"error": "invalid_grant", "error_description": said}
            status, data = max(status, 400), json.dumps(told).encode()
        elif self.manner in ("inside", "late", "answer", "broken"):
            content_type, cut = "text/event-stream", self.manner == "broken"
            data = self._stream(_kind(path), told, path)
        elif self.manner == "redirect":
            headers["location"] = f"{self.url}/elsewhere?{_start(said, 4000)}"
        elif self.manner == "words":
            content_type, data = "text/plain", f"<!doctype html><p>{said}".encode()
        elif self.manner == "slashes":
            text = json.dumps(told).replace("/", "\\/").replace("+", "\\u002B")
            data = text.replace("=", "\\u003d").encode()
        elif self.manner == "nested":
            failure["message"] = json.dumps({"inner": json.dumps({"said": said})})
            data = json.dumps(told).encode()
        request.send_response(status)
        request.send_header("content-type", content_type)
        request.send_header("content-length", str(len(data) + 1000 * cut))
        for name, value in headers.items():
            request.send_header(name, "".join(c if c.isprintable() else " " for c in value))
        if status == 429:
            request.send_header("retry-after", "600")
        request.end_headers()
        request.wfile.write(data)
        if cut:
            request.close_connection = True

    def _stream(self, kind: str, told: Any, path: str) -> bytes:
        error = told
        if kind == "responses":
            error = {**told["error"], "type": "error", "sequence_number": 9}
        events = [] if self.manner == "inside" else list(_TEXT[kind])
        if self.manner == "answer":
            events += _ENDS[kind]
        elif self.manner != "broken":
            events.append(error)
        out = b""
        for event in events:
            if "/v1internal" in path and "error" not in event:
                event = {"response": event}
            name = str(event.get("type", "")) if kind in ("responses", "messages") else ""
            out += f"event: {name}\n".encode() if name else b""
            out += b"data: " + json.dumps(event).encode() + b"\n\n"
        if self.manner == "answer" and kind == "chat":
            out += b"data: [DONE]\n\n"
        if self.manner == "broken":
            out += b'data: {"half": "' + json.dumps(told).encode()[:2000].rpartition(b" ")[0]
        return out


def _start(said: str, size: int) -> str:
    return said[:size].rpartition(" ")[0]


def _end(said: str, size: int) -> str:
    return said[-size:].partition(" ")[2]


def _kind(path: str) -> str:
    if path.endswith("/responses"):
        return "responses"
    if path.endswith("/messages"):
        return "messages"
    if path.endswith("/interactions"):
        return "interactions"
    return "gemini" if "enerateContent" in path else "chat"


def _said(request: BaseHTTPRequestHandler, body: str) -> str:
    said = f"{request.path} {dict(request.headers)}"
    for name in ("authorization", "proxy-authorization"):
        scheme, _, token = request.headers.get(name, "").partition(" ")
        if scheme.lower() == "basic":
            said += f" {base64.b64decode(token).decode()}"
    if "application/x-www-form-urlencoded" in request.headers.get("content-type", ""):
        said += f" {body} {unquote(body)}"
    elif not _ASKED.search(request.path):
        said += f" {body}"
    return said
