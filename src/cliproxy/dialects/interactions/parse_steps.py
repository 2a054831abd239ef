"""`input` of an Interactions request → IR messages, one message a step.

Builders merge neighbours where their API wants that; here every step keeps its own place.
Contents in a row, without a step around them, are one turn of the user.
"""

from __future__ import annotations

from msgspec import structs

from cliproxy.base import json
from cliproxy.base.json import Json, Obj
from cliproxy.dialects import _fields as fields
from cliproxy.dialects.interactions import steps
from cliproxy.dialects.interactions.wire import CONTENT, CONTENTS
from cliproxy.ir import envelope
from cliproxy.ir.envelope import received
from cliproxy.ir.media import OCTETS, clean_base64, parse_data_url, sniff
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
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
    Video,
)

_HOST = "generativelanguage.googleapis.com"
_TURN = frozenset({"type", "content"})
_THOUGHT = frozenset({"type", "signature", "summary"})
_CALL = frozenset({"type", "id", "name", "arguments", "signature"})
_RESULT = frozenset({"type", "call_id", "result", "is_error", "name"})
_TEXT = frozenset({"type", "text", "annotations"})
_MEDIA = frozenset({"type", "data", "uri", "mime_type"})


def parse_input(value: Json) -> tuple[Message, ...]:
    """Read `input`: a text, a content, or a list of contents or steps."""
    if isinstance(value, str):
        return (Message("user", (Text(value),)),)
    if isinstance(value, dict):
        value = [value]
        base = ""
    elif isinstance(value, list):
        base = "input"
    else:
        raise fields.wrong_type("input", "a string, an object or an array", value)
    messages: list[Message] = []
    turn: list[Part] = []
    """Contents in a row so far."""

    def close() -> None:
        if turn:
            messages.append(Message("user", tuple(turn)))
            turn.clear()

    for number, item in enumerate(value):
        where = fields.path(base, number) if base else "input"
        if isinstance(item, str):
            turn.append(Text(item))
            continue
        wire = fields.as_obj(item, where)
        kind = fields.need_text(wire, "type", where)
        if kind in CONTENTS:
            turn.append(content(wire, where))
        else:
            close()
            messages.append(_step(wire, kind, where))
    close()
    return tuple(settle(messages))


def _step(wire: Obj, kind: str, where: str) -> Message:
    match kind:
        case "user_input":
            return _turn(wire, where, assistant=False)
        case "model_output":
            return _turn(wire, where, assistant=True)
        case "thought":
            return Message("assistant", (_thought(wire, where),))
        case "function_call":
            return Message("assistant", (_call(wire, where),))
        case "function_result":
            return Message("user", (_result(wire, where),))
        case _ if kind in steps.CALLS:
            return Message("assistant", (_server_call(wire, kind, where),))
        case _ if kind in steps.RESULTS:
            call_id = fields.text(wire, "call_id", where) or ""
            payload = steps.payload_of(wire)
            result = ServerResult(call_id, steps.RESULTS[kind], payload, "interactions", wire)
            return Message("assistant", (result,))
        case _:
            return Message("assistant", (Opaque("interactions", wire, kind),))


def _turn(wire: Obj, where: str, *, assistant: bool) -> Message:
    at = f"{where}.content"
    given = wire.get("content")
    given = [given] if isinstance(given, dict | str) else given or []
    if not isinstance(given, list):
        raise fields.wrong_type(at, "an array", given)
    parts: list[Part] = []
    for number, item in enumerate(given):
        inner = fields.path(at, number)
        if isinstance(item, str):
            parts.append(Text(item))
        else:
            parts.append(content(fields.as_obj(item, inner), inner))
    role = "assistant" if assistant else "user"
    return Message(role, tuple(parts), extras=fields.rest(wire, _TURN))  # type: ignore[arg-type]


def content(wire: Obj, where: str) -> Part:
    """Read one content."""
    kind = fields.need_text(wire, "type", where)
    match kind:
        case "text":
            text = fields.text(wire, "text", where)
            if text is None:
                raise fields.missing(f"{where}.text")
            cited = fields.list_of(wire, "annotations", where) or []
            citations = tuple(steps.citations(cited, text))
            return Text(text, citations=citations, extras=fields.rest(wire, _TEXT))
        case "image":
            return Image(_media(wire, where), extras=fields.rest(wire, _MEDIA))
        case "audio":
            return Audio(_media(wire, where), extras=fields.rest(wire, _MEDIA))
        case "video":
            return Video(_media(wire, where), extras=fields.rest(wire, _MEDIA))
        case "document":
            return Document(_media(wire, where), extras=fields.rest(wire, _MEDIA))
        case _:
            return Opaque("interactions", wire, CONTENT + kind)


def _media(wire: Obj, where: str) -> Inline | Url | FileId:
    mime = fields.text(wire, "mime_type", where)
    mime = mime.lower() if mime else None
    if data := fields.text(wire, "data", where):
        b64 = clean_base64(data, where=f"{where}.data")
        return Inline(mime or sniff(b64) or OCTETS, b64)
    uri = fields.text(wire, "uri", where)
    if not uri:
        raise fields.missing(f"{where}.data", "Give data or uri.")
    said = uri.lower()
    if said.startswith("data:"):
        inline = parse_data_url(uri, where=f"{where}.uri")
        return Inline(mime, inline.b64) if mime else inline
    ours = _HOST in said or not said.startswith(("http://", "https://", "gs://"))
    return FileId(uri, "gemini", mime) if ours else Url(uri, mime)


def _thought(wire: Obj, where: str) -> Thinking:
    paragraphs: list[str] = []
    other: list[Json] = []
    for number, item in enumerate(fields.list_of(wire, "summary", where) or []):
        at = f"{where}.summary[{number}]"
        said = fields.as_obj(item, at)
        if said.get("type") == "text" or "text" in said:
            if text := fields.text(said, "text", at):
                paragraphs.append(text)
        else:
            other.append(item)
    sig, hidden = _signature(wire, where)
    extras = fields.rest(wire, _THOUGHT) or {}
    if other:
        extras["summary"] = other
    return Thinking(
        "\n\n".join(paragraphs),
        sig,
        redacted=hidden and not paragraphs,
        paragraphs=tuple(paragraphs),
        extras=extras or None,
    )


def _signature(wire: Obj, where: str) -> tuple[Sig | None, bool]:
    value = fields.text(wire, "signature", where)
    return received(value, "gemini") if value else (None, False)


def _call(wire: Obj, where: str) -> ToolCall:
    given = wire.get("arguments")
    if given is not None and not isinstance(given, dict | str):
        raise fields.wrong_type(f"{where}.arguments", "an object", given)
    args = given if isinstance(given, str) else "" if given is None else json.dumps_str(given)
    return ToolCall(
        fields.text(wire, "id", where) or "",
        fields.need_text(wire, "name", where),
        args,
        signature=_signature(wire, where)[0],
        extras=fields.rest(wire, _CALL),
    )


def _result(wire: Obj, where: str) -> ToolResult:
    given = wire.get("result")
    at = f"{where}.result"
    extras = fields.rest(wire, _RESULT) or {}
    parts: tuple[Part, ...]
    if isinstance(given, list):
        parts = tuple(
            content(fields.as_obj(item, fields.path(at, n)), fields.path(at, n))
            for n, item in enumerate(given)
        )
    elif isinstance(given, str):
        parts = (Text(given),)
    elif given is None:
        parts = ()
    else:
        parts = _of_object(given, at)
        # Which of two forms it was is not to be told from its text.
        extras["native"] = given
    return ToolResult(
        fields.text(wire, "call_id", where) or "",
        parts,
        fields.flag(wire, "is_error", where),
        fields.text(wire, "name", where),
        extras=extras or None,
    )


def _of_object(given: Json, at: str) -> tuple[Part, ...]:
    """Return the parts of a result that is an object; one that only wraps contents is those."""
    if isinstance(given, dict) and given.keys() == {"content"}:
        inner = given["content"]
        if isinstance(inner, list) and all(
            isinstance(item, dict) and _kind_of(item) in CONTENTS for item in inner
        ):
            return tuple(
                content(fields.as_obj(item, at), f"{at}.content[{n}]")
                for n, item in enumerate(inner)
            )
    return (Text(json.dumps_str(given)),)


def _kind_of(wire: Obj) -> str:
    kind = wire.get("type")
    return kind if isinstance(kind, str) else ""


def _server_call(wire: Obj, kind: str, where: str) -> ToolCall:
    return ToolCall(
        fields.text(wire, "id", where) or "",
        steps.call_name(wire),
        steps.args_of(wire),
        kind="server",
        namespace=steps.server_of(wire),
        server_kind=steps.CALLS[kind],
        extras={"native": wire},
    )


# ---- signatures on their own --------------------------------------------------------------------
def settle(messages: list[Message]) -> list[Message]:
    """Put signatures that came in a thought of their own where they belong.

    A call and a text have no place for one here. It stands before a call, as the API has it, or
    marked, after what it belongs to.
    """
    out: list[Message] = []
    for message in messages:
        sig = _carried(message)
        if sig is not None:
            sig, before = envelope.placed(sig)
            if before:
                _attach(out, sig, message)
                continue
        first = message.parts[0] if message.parts else None
        if isinstance(first, ToolCall) and first.kind != "server" and first.signature is None:
            pending = _carried(out[-1]) if out else None
            if pending is not None:
                out.pop()
                signed = structs.replace(first, signature=pending)
                message = structs.replace(message, parts=(signed, *message.parts[1:]))  # noqa: PLW2901
        out.append(message)
    return out


def _carried(message: Message) -> Sig | None:
    return envelope.carried(message.parts[0]) if len(message.parts) == 1 else None


def _attach(out: list[Message], sig: Sig, message: Message) -> None:
    last = out[-1].parts[-1] if out and out[-1].role == "assistant" and out[-1].parts else None
    if isinstance(last, Text | ToolCall) and last.signature is None:
        parts = (*out[-1].parts[:-1], structs.replace(last, signature=sig))
        out[-1] = structs.replace(out[-1], parts=parts)
    else:
        out.append(structs.replace(message, parts=(Thinking(signature=sig),)))
