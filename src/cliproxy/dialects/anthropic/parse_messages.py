"""`system` and `messages` of a Messages request → IR messages."""

from __future__ import annotations

from cliproxy.base import json
from cliproxy.base.json import Json, Obj
from cliproxy.dialects import _fields as fields
from cliproxy.dialects.anthropic import citations, server_tools
from cliproxy.dialects.anthropic.carry import settle
from cliproxy.dialects.anthropic.parse_tools import cache_of
from cliproxy.ir.envelope import unwrap
from cliproxy.ir.media import OCTETS, clean_base64, sniff
from cliproxy.ir.request import (
    Cache,
    Document,
    FileId,
    Image,
    Inline,
    Media,
    Message,
    Opaque,
    Part,
    PlainText,
    ServerResult,
    SystemText,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
)

_TEXT = frozenset({"type", "text", "cache_control", "citations"})
_SOURCE = frozenset({"type", "media_type", "data", "url", "file_id", "content"})
_CITED = frozenset({"enabled"})
_MEDIA = frozenset({"type", "source", "cache_control", "title", "context", "citations"})
_CALL = frozenset({"type", "id", "name", "input", "cache_control"})
_RESULT = frozenset({"type", "tool_use_id", "content", "is_error", "cache_control"})


def parse_system(wire: Json) -> tuple[SystemText, ...]:
    """Read `system`: a string or text blocks."""
    if wire is None:
        return ()
    if isinstance(wire, str):
        return (SystemText(wire),) if wire else ()
    if not isinstance(wire, list):
        raise fields.wrong_type("system", "a string or an array of text blocks", wire)
    blocks: list[SystemText] = []
    for number, item in enumerate(wire):
        where = f"system[{number}]"
        if isinstance(item, str):
            blocks.append(SystemText(item))
            continue
        block = fields.as_obj(item, where)
        text = fields.text(block, "text", where)
        if text is None:
            raise fields.missing(f"{where}.text")
        blocks.append(
            SystemText(
                text,
                cache=cache_of(block.get("cache_control"), f"{where}.cache_control"),
                extras=fields.rest(block, _TEXT),
            )
        )
    return tuple(blocks)


def parse_messages(items: list[Json]) -> tuple[Message, ...]:
    """Read the conversation."""
    return tuple(_message(item, f"messages[{number}]") for number, item in enumerate(items))


def _message(item: Json, where: str) -> Message:
    wire = fields.as_obj(item, where)
    role = fields.need_text(wire, "role", where)
    if role not in ("user", "assistant", "system"):
        raise fields.invalid(f"{where}.role", f"{role!r} is not one of user, assistant, system.")
    content = wire.get("content")
    parts: list[Part] = []
    if isinstance(content, str):
        parts = [Text(content)]
    elif isinstance(content, dict):
        parts = [_part(content, f"{where}.content")]
    elif isinstance(content, list):
        parts = _blocks(content, where)
    else:
        raise fields.wrong_type(f"{where}.content", "a string or an array of blocks", content)
    return Message(
        role,  # type: ignore[arg-type]  # checked just above
        tuple(settle(parts)) if role == "assistant" else tuple(parts),
        extras=fields.rest(wire, frozenset({"role", "content"})),
    )


def _blocks(content: list[Json], where: str) -> list[Part]:
    parts: list[Part] = []
    for number, block in enumerate(content):
        inner = f"{where}.content[{number}]"
        if isinstance(block, str):
            parts.append(Text(block))
        else:
            parts.append(_part(fields.as_obj(block, inner), inner))
    return parts


def _part(block: Obj, where: str) -> Part:
    kind = fields.need_text(block, "type", where)
    cache = cache_of(block.get("cache_control"), f"{where}.cache_control")
    match kind:
        case "text":
            text = fields.text(block, "text", where)
            if text is None:
                raise fields.missing(f"{where}.text")
            cited = fields.list_of(block, "citations", where) or []
            return Text(
                text,
                citations=tuple(
                    citations.read(fields.as_obj(c, f"{where}.citations[{n}]"))
                    for n, c in enumerate(cited)
                ),
                cache=cache,
                extras=fields.rest(block, _TEXT),
            )
        case "image":
            return Image(_image(block, where), cache=cache, extras=_rest_of_media(block))
        case "document":
            return _document(block, where, cache)
        case "thinking":
            return _thinking(block, where)
        case "redacted_thinking":
            data = fields.need_text(block, "data", where)
            return Thinking(
                redacted=True,
                signature=unwrap(data, "claude"),
                extras=fields.rest(block, frozenset({"type", "data"})),
            )
        case "tool_use":
            return _tool_use(block, where, cache)
        case "tool_result":
            return _tool_result(block, where, cache)
        case "server_tool_use" | "mcp_tool_use":
            name = fields.need_text(block, "name", where)
            return ToolCall(
                id=fields.need_text(block, "id", where),
                name=name,
                args=json.dumps_str(block.get("input") or {}),
                kind="server",
                namespace=fields.text(block, "server_name", where),
                server_kind=server_tools.kind_of(name) if kind == "server_tool_use" else "mcp",
                cache=cache,
                extras={"native": block},
            )
        case _ if kind.endswith("_tool_result"):
            return ServerResult(
                call_id=fields.text(block, "tool_use_id", where) or "",
                kind=server_tools.kind_of(kind),
                payload=server_tools.payload_of(block),
                dialect="anthropic",
                native=block,
            )
        case _:
            return Opaque("anthropic", block, kind)


def _thinking(block: Obj, where: str) -> Thinking:
    text = fields.text(block, "thinking", where)
    if text is None:
        raise fields.missing(f"{where}.thinking")
    signature = fields.text(block, "signature", where)
    # The text must come back to its issuer to the byte, so nothing about it is tidied.
    return Thinking(
        text,
        signature=unwrap(signature, "claude") if signature else None,
        paragraphs=(text,) if text else (),
        extras=fields.rest(block, frozenset({"type", "thinking", "signature"})),
    )


def _tool_use(block: Obj, where: str, cache: Cache | None) -> ToolCall:
    given = block.get("input")
    if given is None:
        given = {}
    return ToolCall(
        id=fields.need_text(block, "id", where),
        name=fields.need_text(block, "name", where),
        args=given if isinstance(given, str) else json.dumps_str(given),
        cache=cache,
        extras=fields.rest(block, _CALL),
    )


def _tool_result(block: Obj, where: str, cache: Cache | None) -> ToolResult:
    content = block.get("content")
    parts: list[Part] = []
    if isinstance(content, str):
        parts = [Text(content)] if content else []
    elif isinstance(content, list):
        parts = _blocks(content, where)
    elif isinstance(content, dict):
        # Not by the book: an object stands for its JSON, unless it is a block.
        parts = [
            _part(content, f"{where}.content")
            if isinstance(content.get("type"), str)
            else Text(json.dumps_str(content))
        ]
    elif content is not None:
        raise fields.wrong_type(f"{where}.content", "a string or an array of blocks", content)
    return ToolResult(
        call_id=fields.text(block, "tool_use_id", where) or "",
        parts=tuple(parts),
        is_error=fields.flag(block, "is_error", where),
        cache=cache,
        extras=fields.rest(block, _RESULT),
    )


def _image(block: Obj, where: str) -> Inline | Url | FileId:
    source = fields.obj_of(block, "source", where)
    at = f"{where}.source"
    if source is None:
        raise fields.missing(at)
    media = _media(source, at)
    if isinstance(media, PlainText):
        raise fields.invalid(f"{at}.type", "an image cannot be text.")
    return media


def _media(source: Obj, at: str) -> Media:
    kind = fields.need_text(source, "type", at)
    mime = fields.text(source, "media_type", at)
    match kind:
        case "base64":
            data = fields.need_text(source, "data", at)
            b64 = clean_base64(data, where=f"{at}.data")
            return Inline(mime or sniff(b64) or OCTETS, b64)
        case "url":
            return Url(fields.need_text(source, "url", at), mime)
        case "file":
            return FileId(fields.need_text(source, "file_id", at), "anthropic", mime)
        case "text":
            return PlainText(fields.text(source, "data", at) or "")
        case _:
            raise fields.invalid(
                f"{at}.type", f"{kind!r} is not one of base64, url, file, text, content."
            )


def _document(block: Obj, where: str, cache: Cache | None) -> Document:
    source = fields.obj_of(block, "source", where)
    at = f"{where}.source"
    if source is None:
        raise fields.missing(at)
    inner: tuple[Part, ...] = ()
    if source.get("type") == "content":
        content = source.get("content")
        if isinstance(content, str):
            inner = (Text(content),)
        elif isinstance(content, list):
            inner = tuple(
                _part(fields.as_obj(b, f"{at}.content[{n}]"), f"{at}.content[{n}]")
                for n, b in enumerate(content)
            )
        elif content is not None:
            raise fields.wrong_type(f"{at}.content", "a string or an array of blocks", content)
        media: Media = PlainText("\n".join(p.text for p in inner if isinstance(p, Text)))
    else:
        media = _media(source, at)
    cited = fields.obj_of(block, "citations", where) or {}
    return Document(
        media=media,
        title=fields.text(block, "title", where),
        context=fields.text(block, "context", where),
        citations_enabled=fields.flag(cited, "enabled", f"{where}.citations"),
        blocks=inner,
        cache=cache,
        extras=_rest_of_media(block),
    )


def _rest_of_media(block: Obj) -> Obj | None:
    """Return what nobody has read of a picture or document, its source included."""
    rest = fields.rest(block, _MEDIA) or {}
    for key, known in (("source", _SOURCE), ("citations", _CITED)):
        inner = block.get(key)
        if isinstance(inner, dict) and (other := fields.rest(inner, known)):
            rest[key] = other
    return rest or None
