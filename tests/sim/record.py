"""A request as a simulator received it, and how its answer went.

The neutral readings (`system`, `turns`, `results` …) exist so that one test can say, for all
dialects, what the provider was asked. They read; what is wrong with a request is for `strict`.
"""

from __future__ import annotations

import email
import email.policy
import gzip
import json
import threading
import time
import zlib
from dataclasses import dataclass, field
from typing import Any

import brotli

from tests.sim.wire import Headers

Json = Any
Piece = tuple[Any, ...]
"""("text", text) · ("image", mime or URL) · ("call", id, name, args) · ("result", id, text) ·
("thinking", text, signature) · ("other", type)"""


@dataclass
class Recorded:
    """One request: what arrived, byte for byte, and what became of it."""

    number: int  # 0 for the first request of this simulator
    connection: int  # requests with the same number came over the same connection
    method: str
    path: str
    target: str
    query: dict[str, str]
    headers: Headers
    raw: bytes  # the body as sent
    content: bytes  # the body without its content encoding
    body: Json  # the body as JSON; of a form its fields; None if it is neither
    form: list[tuple[str, str | None, bytes]] | None = None  # of a form: name, file name, data
    dialect: str = ""
    endpoint: str = ""  # generate, count, models, "" for an unknown path
    model: str = ""
    stream: bool = False
    over: str = "http"  # or websocket
    known: list[Json] = field(default_factory=list)  # websocket: the items, with those before
    envelope: bool = False  # Code Assist: the request inside "request"
    changed: threading.Condition = field(default_factory=threading.Condition, repr=False)
    arrived_at: float = field(default_factory=time.monotonic)
    status: int = 0  # what was answered
    written: int = 0  # bytes of the answer's body handed to the socket
    events: int = 0  # events sent
    finished: bool = False  # the answer is complete, or was cut as scripted
    closed_early: bool = False  # the client left before that
    closed_at: float | None = None
    failure: BaseException | None = None  # a defect of the simulator or of the test's script
    answer: Json = None  # a JSON body that was sent, for comparison

    @property
    def request(self) -> Json:
        """Return the dialect's own request, out of its envelope."""
        if self.envelope and isinstance(self.body, dict):
            return self.body.get("request") or {}
        return self.body if isinstance(self.body, dict) else {}

    def _wait(self, what: str, done: Any, timeout: float) -> Recorded:
        with self.changed:
            assert self.changed.wait_for(lambda: done() or self.failure is not None, timeout), (
                f"{self.method} {self.path}: {what} within {timeout} s; {self}"
            )
        if self.failure is not None:
            raise self.failure
        return self

    def wait_finished(self, timeout: float = 20) -> Recorded:
        return self._wait("not answered", lambda: self.finished, timeout)

    def wait_closed(self, timeout: float = 20) -> Recorded:
        """Wait until the client has closed the connection before the answer was complete."""
        return self._wait("not closed early", lambda: self.closed_early, timeout)

    def wait_over(self, timeout: float = 20) -> Recorded:
        """Wait until the answer is complete or the client gone."""
        return self._wait("still open", lambda: self.finished or self.closed_early, timeout)

    def wait_events(self, count: int, timeout: float = 20) -> Recorded:
        return self._wait(f"not {count} events", lambda: self.events >= count, timeout)

    def wait_quiet(self, quiet: float = 0.2, timeout: float = 60) -> int:
        """Wait until nothing has been written for `quiet` seconds; return the bytes so far."""
        end = time.monotonic() + timeout
        with self.changed:
            seen = self.written
            while self.changed.wait_for(lambda: self.written != seen, quiet):  # noqa: B023
                assert time.monotonic() < end, f"still writing: {self.written} bytes"
                seen = self.written
            return seen

    @property
    def system(self) -> str:
        """Return all instructions outside the turns, joined by blank lines."""
        request = self.request
        match self.dialect:
            case "openai-chat":
                found = [
                    _plain(message.get("content"))
                    for message in request.get("messages") or []
                    if message.get("role") in ("system", "developer")
                ]
            case "openai-responses":
                found = [request.get("instructions") or ""]
                found += [
                    _plain(item.get("content"))
                    for item in _items(request)
                    if item.get("role") in ("system", "developer")
                ]
            case "anthropic":
                found = [_plain(request.get("system"))]
            case "interactions":
                found = [request.get("system_instruction") or ""]
            case _:
                given = request.get("systemInstruction") or request.get("system_instruction")
                found = [_plain(given.get("parts") if isinstance(given, dict) else given)]
        return "\n\n".join(text for text in found if text)

    @property
    def turns(self) -> list[tuple[str, list[Piece]]]:
        """Return (user or assistant, pieces); neighbours of one role are one turn."""
        reading = {
            "openai-chat": _chat_turns,
            "openai-responses": _responses_turns,
            "anthropic": _anthropic_turns,
            "gemini": _gemini_turns,
            "interactions": _interactions_turns,
        }[self.dialect]
        merged: list[tuple[str, list[Piece]]] = []
        for role, found in reading(self.request):
            if merged and merged[-1][0] == role:
                merged[-1][1].extend(found)
            else:
                merged.append((role, list(found)))
        return merged

    @property
    def results(self) -> list[tuple[str, str]]:
        """Return (call id, text) of the tool results in the last turn."""
        turns = self.turns
        if not turns or turns[-1][0] != "user":
            return []
        return [(piece[1], piece[2]) for piece in turns[-1][1] if piece[0] == "result"]

    @property
    def said(self) -> str:
        """Return the text of the last user turn."""
        for role, found in reversed(self.turns):
            if role == "user":
                return "".join(piece[1] for piece in found if piece[0] == "text")
        return ""

    @property
    def tools(self) -> list[str]:
        """Return the names of the function tools offered."""
        names: list[str] = []
        for tool in self.request.get("tools") or []:
            declared = tool.get("functionDeclarations") or tool.get("function_declarations")
            entries = declared or [tool.get("function") or tool.get("custom") or tool]
            names += [entry["name"] for entry in entries if "name" in entry]
        return names


def decode(headers: Headers, raw: bytes) -> bytes:
    """Undo the content encodings a request body announces."""
    for encoding in reversed(headers.get("content-encoding").lower().split(",")):
        match encoding.strip():
            case "" | "identity":
                pass
            case "gzip":
                raw = gzip.decompress(raw)
            case "deflate":
                raw = zlib.decompress(raw)
            case "br":
                raw = brotli.decompress(raw)
            case other:
                raise ValueError(f"content-encoding {other}")
    return raw


def parts(headers: Headers, content: bytes) -> list[tuple[str, str | None, bytes]] | None:
    """Return the parts of a multipart form, None of any other body."""
    kind = headers.get("content-type")
    if not kind.lower().startswith("multipart/form-data"):
        return None
    head = f"Content-Type: {kind}\r\n\r\n".encode("latin-1")
    message = email.message_from_bytes(head + content, policy=email.policy.HTTP)
    found = []
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        found.append((str(name), part.get_filename(), part.get_payload(decode=True)))
    return found


def parse(content: bytes) -> Json:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _plain(content: Json) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "".join(
        part if isinstance(part, str) else str(part.get("text") or "") for part in content
    )


def _args(text: Json) -> Json:
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def _chat_turns(request: Json) -> list[tuple[str, list[Piece]]]:
    turns: list[tuple[str, list[Piece]]] = []
    for message in request.get("messages") or []:
        role, content = message.get("role"), message.get("content")
        if role in ("system", "developer"):
            continue
        found: list[Piece] = []
        if role == "tool":
            turns.append(("user", [("result", message.get("tool_call_id"), _plain(content))]))
            continue
        if message.get("reasoning_content"):
            found.append(("thinking", message["reasoning_content"], ""))
        if isinstance(content, str) and content:
            found.append(("text", content))
        for part in content if isinstance(content, list) else []:
            match part.get("type"):
                case "text":
                    found.append(("text", part.get("text") or ""))
                case "image_url":
                    found.append(("image", _image(part["image_url"]["url"])))
                case other:
                    found.append(("other", other))
        for call in message.get("tool_calls") or []:
            function = call.get("function") or call.get("custom")
            args = function.get("arguments", function.get("input"))
            found.append(("call", call.get("id"), function["name"], _args(args)))
        turns.append((role, found))
    return turns


def _image(url: str) -> str:
    return url[5:].partition(";")[0] if url.startswith("data:") else url


def _items(request: Json) -> list[Json]:
    given = request.get("input")
    return [{"role": "user", "content": given}] if isinstance(given, str) else list(given or [])


def _responses_turns(request: Json) -> list[tuple[str, list[Piece]]]:
    turns: list[tuple[str, list[Piece]]] = []
    for item in _items(request):
        kind = item.get("type") or "message"
        if kind == "message":
            role, content = item.get("role"), item.get("content")
            if role in ("system", "developer"):
                continue
            found: list[Piece] = [("text", content)] if isinstance(content, str) else []
            for part in content if isinstance(content, list) else []:
                match part.get("type"):
                    case "input_text" | "output_text":
                        found.append(("text", part.get("text") or ""))
                    case "input_image":
                        found.append(("image", _image(part.get("image_url") or "")))
                    case other:
                        found.append(("other", other))
            turns.append((role, found))
        elif kind in ("function_call", "custom_tool_call"):
            args = _args(item.get("arguments")) if kind == "function_call" else item.get("input")
            turns.append(("assistant", [("call", item.get("call_id"), item.get("name"), args)]))
        elif kind in ("function_call_output", "custom_tool_call_output"):
            turns.append(("user", [("result", item.get("call_id"), _plain(item.get("output")))]))
        elif kind == "reasoning":
            text = _plain(item.get("summary") or [])
            turns.append(("assistant", [("thinking", text, item.get("encrypted_content") or "")]))
        else:
            turns.append(("assistant", [("other", kind)]))
    return turns


def _anthropic_turns(request: Json) -> list[tuple[str, list[Piece]]]:
    turns: list[tuple[str, list[Piece]]] = []
    for message in request.get("messages") or []:
        content = message.get("content")
        blocks: list[Json] = content or []
        if isinstance(content, str):
            blocks = [{"type": "text", "text": content}]
        found: list[Piece] = []
        for block in blocks:
            match block.get("type"):
                case "text":
                    found.append(("text", block.get("text") or ""))
                case "image":
                    source = block["source"]
                    found.append(("image", source.get("media_type") or source.get("url")))
                case "tool_use":
                    found.append(("call", block["id"], block["name"], block["input"]))
                case "tool_result":
                    text = _plain(block.get("content"))
                    found.append(("result", block["tool_use_id"], text))
                case "thinking":
                    found.append(("thinking", block["thinking"], block.get("signature") or ""))
                case "redacted_thinking":
                    found.append(("thinking", "", block["data"]))
                case other:
                    found.append(("other", other))
        turns.append((message.get("role"), found))
    return turns


def _interactions_turns(request: Json) -> list[tuple[str, list[Piece]]]:
    given = request.get("input")
    if isinstance(given, str):
        return [("user", [("text", given)])]
    turns: list[tuple[str, list[Piece]]] = []
    for step in [given] if isinstance(given, dict) else given or []:
        match step.get("type"):
            case "user_input" | "model_output":
                role = "user" if step["type"] == "user_input" else "assistant"
                turns.append((role, [_content(item) for item in step.get("content") or []]))
            case "thought":
                text = _plain(step.get("summary") or [])
                turns.append(("assistant", [("thinking", text, step.get("signature") or "")]))
            case "function_call":
                call = ("call", step["id"], step["name"], step["arguments"])
                turns.append(("assistant", [call]))
            case "function_result":
                result = step.get("result")
                if isinstance(result, dict):
                    wrapped = result.keys() == {"content"}
                    result = result["content"] if wrapped else json.dumps(result)
                turns.append(("user", [("result", step["call_id"], _plain(result))]))
            case "text" | "image" | "audio" | "document" | "video":
                turns.append(("user", [_content(step)]))
            case other:
                turns.append(("assistant", [("other", other)]))
    return turns


def _content(item: Json) -> Piece:
    match item.get("type"):
        case "text":
            return ("text", item.get("text") or "")
        case "image":
            return ("image", item.get("mime_type") if "data" in item else item.get("uri"))
        case other:
            return ("other", other)


def _gemini_turns(request: Json) -> list[tuple[str, list[Piece]]]:
    turns: list[tuple[str, list[Piece]]] = []
    for content in request.get("contents") or []:
        found: list[Piece] = []
        for part in content.get("parts") or []:
            call = part.get("functionCall") or part.get("function_call")
            result = part.get("functionResponse") or part.get("function_response")
            blob = part.get("inlineData") or part.get("inline_data")
            signature = part.get("thoughtSignature") or part.get("thought_signature") or ""
            if call:
                found.append(("call", call.get("id") or "", call["name"], call.get("args") or {}))
            elif result:
                given = result.get("response") or {}
                value = given
                if isinstance(given, dict):
                    value = given.get("output", given.get("result", given))
                text = value if isinstance(value, str) else json.dumps(value)
                found.append(("result", result.get("id") or result["name"], text))
            elif blob:
                found.append(("image", blob.get("mimeType") or blob.get("mime_type")))
            elif part.get("thought"):
                found.append(("thinking", part.get("text") or "", signature))
            elif "text" in part:
                found.append(("text", part["text"]))
            else:
                found.append(("other", ",".join(part)))
        turns.append(("assistant" if content.get("role") == "model" else "user", found))
    return turns
