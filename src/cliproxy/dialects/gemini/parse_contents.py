"""`systemInstruction` and `contents` of a Gemini request → IR messages.

Calls may come without ids. They get ids made of their place and content, so that the same
conversation always gives the same ones, and results find their call by name, first come first
served.
"""

from __future__ import annotations

from collections import deque

from cliproxy.base import json
from cliproxy.base.json import Json, Obj
from cliproxy.dialects import _fields as fields
from cliproxy.dialects.gemini import code as code_parts
from cliproxy.dialects.gemini.case import camel
from cliproxy.ir.envelope import received
from cliproxy.ir.media import OCTETS, clean_base64, parse_data_url, sniff
from cliproxy.ir.names import positional_id
from cliproxy.ir.request import (
    Audio,
    Document,
    FileId,
    Image,
    Inline,
    Message,
    Opaque,
    Part,
    ServerResult,
    Sig,
    SystemText,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
    Video,
)
from cliproxy.ir.server_tools import code_args

_CALL = frozenset({"id", "name", "args"})
_RESPONSE = frozenset({"id", "name", "response", "parts"})
_BLOB = frozenset({"mimeType", "data"})
_HOST = "generativelanguage.googleapis.com"
_FILE = frozenset({"mimeType", "fileUri"})
_MODIFIERS = frozenset(
    {"thought", "thoughtSignature", "videoMetadata", "mediaResolution", "partMetadata"}
)


def parse_system(wire: Json) -> tuple[SystemText, ...]:
    """Read `systemInstruction`: a content, a string, or a list of either."""
    if wire is None:
        return ()
    if isinstance(wire, str):
        return (SystemText(wire),) if wire else ()
    if isinstance(wire, list):
        return tuple(text for item in wire for text in parse_system(item))
    content = fields.as_obj(wire, "systemInstruction")
    if isinstance(text := content.get("text"), str):
        return (SystemText(text),) if text else ()
    parts = content.get("parts")
    parts = [parts] if isinstance(parts, dict | str) else parts or []
    if not isinstance(parts, list):
        raise fields.wrong_type("systemInstruction.parts", "an array", parts)
    found: list[SystemText] = []
    for number, part in enumerate(parts):
        where = f"systemInstruction.parts[{number}]"
        if isinstance(part, str):
            found += [SystemText(part)] if part else []
            continue
        wire = camel(fields.as_obj(part, where))
        said = fields.text(wire, "text", where)
        if said:
            found.append(SystemText(said, extras=fields.rest(wire, frozenset({"text"}))))
        elif said is None and (kind := next(iter(wire), None)):
            # Instructions are text; what else came is named, not copied.
            found.append(SystemText(f"[{kind} left out]"))
    return tuple(found)


def parse_contents(items: list[Json]) -> tuple[Message, ...]:
    """Read the conversation."""
    calls = _Unanswered()
    code: list[str] = []
    """Ids of code whose result is to come; clients part what came in several chunks."""
    messages: list[Message] = []
    for number, item in enumerate(items):
        after = messages[-1].role if messages else "user"
        message = _content(item, number, calls, code, after=after)
        messages.append(message)
    return tuple(messages)


def _content(
    item: Json, number: int, calls: _Unanswered, code: list[str], *, after: str
) -> Message:
    where = f"contents[{number}]"
    if isinstance(item, str):
        return Message("user", (Text(item),))
    wire = camel(fields.as_obj(item, where))
    role = (fields.text(wire, "role", where) or "user").lower()
    if role not in ("user", "model", "assistant", "function", "system"):
        raise fields.invalid(f"{where}.role", f"{role!r} is not one of user, model.")
    if "parts" not in wire and isinstance(wire.get("text"), str):
        wire = {"parts": [wire]}
    parts = wire.get("parts")
    parts = [parts] if isinstance(parts, dict | str) else parts or []
    if not isinstance(parts, list):
        raise fields.wrong_type(f"{where}.parts", "an array", parts)
    model = role in ("model", "assistant")
    if model and after != "assistant":
        calls.clear()
        code.clear()
    reader = _Parts(number, calls, code)
    read: list[Part] = []
    for at, part in enumerate(parts):
        inner = f"{where}.parts[{at}]"
        if isinstance(part, str):
            read.append(Text(part))
        else:
            read.append(reader.part(camel(fields.as_obj(part, inner)), inner, at))
    extras = fields.rest(wire, frozenset({"role", "parts", "text"}))
    if model:
        return Message("assistant", tuple(read), extras=extras)
    return Message("system" if role == "system" else "user", tuple(read), extras=extras)


class _Unanswered:
    """The calls of a turn that have no response yet."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._all: deque[str] = deque()
        self._named: dict[str, deque[str]] = {}

    def clear(self) -> None:
        """Begin a new turn: what was not answered in the one before never will be."""
        self._ids.clear()
        self._all.clear()
        self._named.clear()

    def add(self, name: str, call_id: str) -> None:
        """Take a call."""
        self._ids.add(call_id)
        self._all.append(call_id)
        self._named.setdefault(name, deque()).append(call_id)

    def answer(self, name: str, call_id: str) -> str:
        """Return the id of the call a response is to.

        With no id, or one the client made up for a call that came without, it is the oldest of
        that name.
        """
        if call_id not in self._ids:
            call_id = self._oldest(name) or call_id
        self._ids.discard(call_id)
        return call_id

    def _oldest(self, name: str) -> str:
        waiting = self._named.get(name) if name else self._all
        while waiting:
            if waiting[0] in self._ids:
                return waiting[0]
            waiting.popleft()
        return ""


class _Parts:
    """Reads the parts of one content."""

    def __init__(self, turn: int, calls: _Unanswered, code: list[str]) -> None:
        self._turn = turn
        self._calls = calls
        self._code = code

    def part(self, wire: Obj, where: str, at: int) -> Part:
        signature = fields.text(wire, "thoughtSignature", where)
        sig, hidden = received(signature, "gemini") if signature else (None, False)
        wire = {k: v for k, v in wire.items() if v is not None}
        if "functionCall" in wire:
            return self._call(wire, where, at, sig)
        if "functionResponse" in wire:
            return self._response(wire, where)
        if "inlineData" in wire:
            return _inline(wire, where)
        if "fileData" in wire:
            return _file(wire, where)
        if "executableCode" in wire:
            code = camel(fields.obj_of(wire, "executableCode", where) or {})
            fields.text(code, "code", f"{where}.executableCode")
            call_id = str(code.get("id") or f"code_{self._turn}_{at}")
            self._code.append(call_id)
            return ToolCall(
                call_id,
                "code_execution",
                code_args(code.get("code")),
                kind="server",
                server_kind="code_execution",
                signature=sig,
                extras={"native": wire},
            )
        if "codeExecutionResult" in wire:
            result = camel(fields.obj_of(wire, "codeExecutionResult", where) or {})
            call_id = code_parts.answers(result, self._code)
            payload = code_parts.payload_of(result)
            return ServerResult(call_id, "code_execution", payload, "gemini", wire)
        if "text" in wire:
            text = fields.text(wire, "text", where) or ""
            extras = fields.rest(wire, frozenset({"text", "thought", "thoughtSignature"}))
            if fields.flag(wire, "thought", where):
                return Thinking(
                    text,
                    sig,
                    redacted=hidden and not text,
                    paragraphs=(text,) if text else (),
                    extras=extras,
                )
            return Text(text, signature=sig, extras=extras)
        if sig is not None and not wire.keys() - _MODIFIERS:
            return Text("", signature=sig) if "thought" not in wire else Thinking(signature=sig)
        kind = next((k for k in wire if k not in _MODIFIERS), "")
        if not kind:
            raise fields.invalid(where, "a part needs text, inlineData, functionCall or the like.")
        return Opaque("gemini", wire, kind)

    def _call(self, wire: Obj, where: str, at: int, sig: Sig | None) -> ToolCall:
        call = camel(fields.obj_of(wire, "functionCall", where) or {})
        name = fields.need_text(call, "name", f"{where}.functionCall")
        given = call.get("args")
        if given is not None and not isinstance(given, dict):
            raise fields.wrong_type(f"{where}.functionCall.args", "an object", given)
        args = "" if given is None else json.dumps_str(given)
        call_id = fields.text(call, "id", f"{where}.functionCall") or positional_id(
            self._turn, at, name, args
        )
        self._calls.add(name, call_id)
        return ToolCall(
            call_id, name, args, signature=sig, extras=_rest(wire, "functionCall", call, _CALL)
        )

    def _response(self, wire: Obj, where: str) -> ToolResult:
        at = f"{where}.functionResponse"
        answer = camel(fields.obj_of(wire, "functionResponse", where) or {})
        name = fields.text(answer, "name", at) or ""
        call_id = fields.text(answer, "id", at) or ""
        call_id = self._calls.answer(name, call_id)
        value = answer.get("response")
        text, is_error = _response_text(value)
        parts: list[Part] = [Text(text)] if text is not None else []
        for number, inner in enumerate(fields.list_of(answer, "parts", at) or []):
            path = f"{at}.parts[{number}]"
            parts.append(self.part(camel(fields.as_obj(inner, path)), path, number))
        extras = _rest(wire, "functionResponse", answer, _RESPONSE)
        return ToolResult(call_id, tuple(parts), is_error, name or None, extras=extras)


def _response_text(value: Json) -> tuple[str | None, bool | None]:
    """Return a function response as text: the `output` or `error` inside, or all of it."""
    if value is None:
        return None, None
    if isinstance(value, dict) and len(value) == 1:
        for key in ("output", "result", "error"):
            if key in value:
                inner = value[key]
                text = inner if isinstance(inner, str) else json.dumps_str(inner)
                return text, True if key == "error" else None
    return value if isinstance(value, str) else json.dumps_str(value), None


def _inline(wire: Obj, where: str) -> Image | Audio | Video | Document:
    at = f"{where}.inlineData"
    blob = camel(fields.obj_of(wire, "inlineData", where) or {})
    data = clean_base64(fields.need_text(blob, "data", at), where=f"{at}.data")
    mime = (fields.text(blob, "mimeType", at) or sniff(data) or "application/octet-stream").lower()
    extras = _rest(wire, "inlineData", blob, _BLOB)
    return _media(Inline(mime, data), mime, wire, blob, extras)


def _file(wire: Obj, where: str) -> Image | Audio | Video | Document:
    at = f"{where}.fileData"
    file = camel(fields.obj_of(wire, "fileData", where) or {})
    uri = fields.need_text(file, "fileUri", at)
    mime = fields.text(file, "mimeType", at)
    extras = _rest(wire, "fileData", file, _FILE)
    address = uri.lower()
    if address.startswith("data:"):
        inline = parse_data_url(uri, where=f"{at}.fileUri")
        if mime and inline.mime == OCTETS:
            inline = Inline(mime.lower(), inline.b64)
        return _media(inline, inline.mime, wire, file, extras)
    foreign = address.startswith(("http://", "https://", "gs://"))
    ours = not foreign or address.split("/")[2] == _HOST
    media = FileId(uri, "gemini", mime) if ours else Url(uri, mime)
    guess = mime or ("video/mp4" if "youtu" in address else "application/pdf")
    return _media(media, guess.lower(), wire, file, extras)


def _media(
    media: Inline | Url | FileId, mime: str, wire: Obj, blob: Obj, extras: Obj | None
) -> Image | Audio | Video | Document:
    name = blob.get("displayName")
    if mime.startswith("image/"):
        return Image(media, extras=extras)
    if mime.startswith("audio/"):
        return Audio(media, extras=extras)
    if mime.startswith("video/"):
        meta = wire.get("videoMetadata")
        if extras and isinstance(meta, dict):
            extras = {k: v for k, v in extras.items() if k != "videoMetadata"} or None
        return Video(media, meta if isinstance(meta, dict) else None, extras=extras)
    if not isinstance(name, str):
        return Document(media, extras=extras)
    return Document(media, title=name, extras=_without_name(extras))


def _without_name(extras: Obj | None) -> Obj | None:
    """Return what nobody has read, now that the name is the document's title."""
    rest: Obj = {}
    for key, value in (extras or {}).items():
        kept = value
        if key in ("inlineData", "fileData") and isinstance(value, dict):
            kept = {k: v for k, v in value.items() if k != "displayName"}
        if kept != {} or kept is value:
            rest[key] = kept
    return rest or None


def _rest(wire: Obj, key: str, inner: Obj, known: frozenset[str]) -> Obj | None:
    """Return what nobody has read of a part: beside its data, and inside it."""
    signed = key == "functionCall"
    rest = {k: v for k, v in wire.items() if k != key and not (signed and k == "thoughtSignature")}
    if other := fields.rest(inner, known):
        rest[key] = other
    return rest or None
