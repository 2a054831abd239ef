"""The `messages` of a chat request → system texts and messages; one IR message per wire message.

Tolerates what clients of compatible hosts send beside the documented parts: content as a single
part, reasoning in history, tool content that is an object, calls without ids. The inverse is
`build_messages.py`.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import structs

from cliproxy.base import json
from cliproxy.base.json import Json, Obj
from cliproxy.dialects import _fields as fields
from cliproxy.dialects.openai_chat.wire import (
    AUDIO_MIMES,
    REASONING_KEYS,
    reasoning_text,
    thought_signature,
)
from cliproxy.ir.media import clean_base64, media_of, mime_of_name, parse_data_url, sniff
from cliproxy.ir.names import positional_id
from cliproxy.ir.request import (
    Audio,
    Cache,
    Document,
    FileId,
    Image,
    Inline,
    Message,
    Opaque,
    Part,
    Refusal,
    Sig,
    SystemText,
    Text,
    Thinking,
    ToolCall,
    ToolKind,
    ToolResult,
    Video,
)


class Conversation(NamedTuple):
    """What `messages` says."""

    system: tuple[SystemText, ...]
    messages: tuple[Message, ...]


def parse_messages(items: list[Json]) -> Conversation:
    """Read `messages`. Raises `BadRequest` naming the field."""
    system: list[SystemText] = []
    messages: list[Message] = []
    kinds: dict[str, ToolKind] = {}
    for index, value in enumerate(items):
        where = f"messages[{index}]"
        item = fields.as_obj(value, where)
        role = fields.text(item, "role", where)
        match role:
            case "system" | "developer":
                if messages:
                    messages.append(_in_place(item, where))
                else:
                    system.extend(_system(item, where))
            case "user":
                messages.append(_user(item, where))
            case "assistant":
                messages.append(_assistant(item, where, index, kinds))
            case "tool" | "function":
                messages.append(_tool(item, where, kinds))
            case None:
                raise fields.missing(f"{where}.role")
            case _:
                raise fields.invalid(f"{where}.role", f"'{role}' is not a role of this API.")
    return Conversation(tuple(system), tuple(messages))


# ---- one function per role --------------------------------------------------------------------
_SYSTEM_KEYS = frozenset({"role", "content", "cache_control", "prompt_cache_breakpoint"})
_USER_KEYS = _SYSTEM_KEYS | {"name"}
_ASSISTANT_KEYS = _USER_KEYS | {"tool_calls", "function_call", "refusal", "images", *REASONING_KEYS}
_TOOL_KEYS = _USER_KEYS | {"tool_call_id"}


def _system(item: Obj, where: str) -> list[SystemText]:
    developer = item["role"] == "developer"
    extras = fields.rest(item, _SYSTEM_KEYS)
    found: list[SystemText] = []
    for part in _with_message_cache(item, _content(item, where), where):
        if isinstance(part, Text):
            found.append(SystemText(part.text, developer, cache=part.cache, extras=part.extras))
        else:
            # The neutral system prompt is text. Say that something stood here; the part itself
            # remains in the raw body for a target of this dialect.
            found.append(SystemText(_marker(part), developer))
    if extras and found:
        found[-1] = structs.replace(found[-1], extras={**(found[-1].extras or {}), **extras})
    return found


def _marker(part: Part) -> str:
    kind = part.kind if isinstance(part, Opaque) else type(part).__name__.lower()
    return f"[{kind} omitted]"


def _in_place(item: Obj, where: str) -> Message:
    return Message(
        "system",
        _with_message_cache(item, _content(item, where), where),
        name=fields.text(item, "name", where),
        developer=item["role"] == "developer",
        extras=fields.rest(item, _USER_KEYS),
    )


def _user(item: Obj, where: str) -> Message:
    return Message(
        "user",
        _with_message_cache(item, _content(item, where), where),
        name=fields.text(item, "name", where),
        extras=fields.rest(item, _USER_KEYS),
    )


def _assistant(item: Obj, where: str, turn: int, kinds: dict[str, ToolKind]) -> Message:
    parts: list[Part] = []
    if reasoning := _reasoning(item, where):
        parts.append(Thinking(reasoning))
    calls = _calls(item, where, turn)
    content = item.get("content")
    if content is not None and not (content == "" and calls):
        parts.extend(_parts(content, f"{where}.content"))
    if refusal := fields.text(item, "refusal", where):
        parts.append(Refusal(refusal))
    for n, image in enumerate(fields.list_of(item, "images", where) or []):
        parts.append(_part(image, f"{where}.images[{n}]"))
    for call in calls:
        kinds[call.id] = call.kind
    return Message(
        "assistant",
        _with_message_cache(item, (*parts, *calls), where),
        name=fields.text(item, "name", where),
        extras=fields.rest(item, _ASSISTANT_KEYS),
    )


def _tool(item: Obj, where: str, kinds: dict[str, ToolKind]) -> Message:
    call_id = fields.text(item, "tool_call_id", where) or ""
    content = item.get("content")
    result = ToolResult(
        call_id,
        () if content is None or content == "" else _tool_parts(content, f"{where}.content"),
        name=fields.text(item, "name", where),
        kind=kinds.get(call_id, "function"),
        cache=_cache(item, where),
        extras=fields.rest(item, _TOOL_KEYS),
    )
    return Message("user", (result,))


def _tool_parts(content: Json, where: str) -> tuple[Part, ...]:
    # Structured results are data: they reach the model as the JSON they are. Only a list made of
    # content parts is read as parts.
    if isinstance(content, str):
        return (Text(content),)
    items = content if isinstance(content, list) else [content]
    if all(_looks_like_part(item) for item in items):
        return _parts(items, where)
    return (Text(json.dumps_str(content)),)


_PART_TYPES = frozenset(
    {"text", "input_text", "output_text", "image_url", "input_image", "input_audio", "file"}
)


def _looks_like_part(item: Json) -> bool:
    kind = item.get("type") if isinstance(item, dict) else None
    return isinstance(kind, str) and kind in _PART_TYPES


# ---- calls ------------------------------------------------------------------------------------
_CALL_KEYS = frozenset({"id", "type", "function", "custom", "index", "extra_content"})


def _calls(item: Obj, where: str, turn: int) -> list[ToolCall]:
    calls = [
        _call(fields.as_obj(value, f"{where}.tool_calls[{n}]"), f"{where}.tool_calls[{n}]", turn, n)
        for n, value in enumerate(fields.list_of(item, "tool_calls", where) or [])
    ]
    legacy = fields.obj_of(item, "function_call", where)
    if legacy is not None and not calls:
        at = f"{where}.function_call"
        name, args = fields.need_text(legacy, "name", at), _arguments(legacy, at)
        calls.append(ToolCall(positional_id(turn, 0, name, args), name, args))
    return calls


def _call(item: Obj, where: str, turn: int, ordinal: int) -> ToolCall:
    kind: ToolKind = "function"
    if item.get("type") == "custom" or ("custom" in item and "function" not in item):
        kind = "custom"
        at = f"{where}.custom"
        inner = fields.obj_of(item, "custom", where)
        if inner is None:
            raise fields.missing(at)
        args = fields.text(inner, "input", at) or ""
    else:
        at = f"{where}.function"
        inner = fields.obj_of(item, "function", where)
        if inner is None:
            raise fields.missing(at)
        args = _arguments(inner, at)
    name = fields.need_text(inner, "name", at)
    call_id = fields.text(item, "id", where) or positional_id(turn, ordinal, name, args)
    return ToolCall(
        call_id,
        name,
        args,
        kind=kind,
        signature=thought_signature(item),
        extras=fields.rest(item, _CALL_KEYS),
    )


def _arguments(function: Obj, where: str) -> str:
    value = function.get("arguments")
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):  # some clients echo the parsed object
        return json.dumps_str(value)
    raise fields.wrong_type(f"{where}.arguments", "a string", value)


# ---- content ----------------------------------------------------------------------------------
def _content(item: Obj, where: str) -> tuple[Part, ...]:
    value = item.get("content")
    if value is None:
        raise fields.missing(f"{where}.content")
    return _parts(value, f"{where}.content")


def _parts(value: Json, where: str) -> tuple[Part, ...]:
    match value:
        case str():
            return (Text(value),)
        case dict():  # one part without its list
            return (_part(value, where),)
        case list():
            return tuple(_part(item, f"{where}[{n}]") for n, item in enumerate(value))
        case _:
            raise fields.wrong_type(where, "a string or an array of content parts", value)


_PART_KEYS = frozenset({"type", "cache_control", "prompt_cache_breakpoint"})


def _part(value: Json, where: str) -> Part:
    if isinstance(value, str):
        return Text(value)
    item = fields.as_obj(value, where)
    kind = fields.text(item, "type", where)
    match kind:
        case "text" | "input_text" | "output_text":
            body = fields.text(item, "text", where)
            if body is None:
                raise fields.missing(f"{where}.text")
            extras = fields.rest(item, _PART_KEYS | {"text"})
            return Text(body, cache=_cache(item, where), extras=extras)
        case "image_url" | "input_image":
            return _image(item, where)
        case "input_audio":
            return _audio(item, where)
        case "file":
            return _file(item, where)
        case "video_url":
            url, _ = _url(item, "video_url", where)
            extras = fields.rest(item, frozenset({"type", "video_url"}))
            return Video(media_of(url, where=f"{where}.video_url.url"), extras=extras)
        case "refusal":
            return Refusal(fields.need_text(item, "refusal", where))
        case "thinking":
            signature = fields.text(item, "signature", where)
            return Thinking(
                reasoning_text(item.get("thinking")),
                signature=Sig(signature) if signature else None,
            )
        case None:
            raise fields.missing(f"{where}.type")
        case _:
            return Opaque("openai-chat", item, kind)


def _url(item: Obj, key: str, where: str) -> tuple[str, Obj]:
    """Return the address in `{key: {"url": …}}` or in the shorthand `{key: "…"}`."""
    value = item.get(key)
    at = f"{where}.{key}"
    if isinstance(value, str):
        return value, {}
    if value is None:
        raise fields.missing(at)
    inner = fields.as_obj(value, at)
    return fields.need_text(inner, "url", at), inner


def _image(item: Obj, where: str) -> Image:
    url, inner = _url(item, "image_url", where)
    detail = fields.text(inner, "detail", f"{where}.image_url")
    at = f"{where}.image_url.url" if inner else f"{where}.image_url"
    return Image(
        media_of(url, where=at),
        detail=detail or fields.text(item, "detail", where),
        cache=_cache(item, where),
        extras=fields.rest(item, _PART_KEYS | {"image_url", "detail", "index"}),
    )


def _audio(item: Obj, where: str) -> Audio:
    at = f"{where}.input_audio"
    inner = fields.obj_of(item, "input_audio", where)
    if inner is None:
        raise fields.missing(at)
    data = fields.need_text(inner, "data", at)
    # Sound has no cache hint of its own in the IR: a hint rides along for its own dialect.
    extras = fields.rest(item, frozenset({"type", "input_audio"}))
    if data[:5].lower() == "data:":
        return Audio(parse_data_url(data, where=f"{at}.data"), extras=extras)
    form = fields.need_text(inner, "format", at).lower()
    mime = AUDIO_MIMES.get(form) or f"audio/{form}"
    return Audio(Inline(mime, clean_base64(data, where=f"{at}.data")), extras=extras)


def _file(item: Obj, where: str) -> Part:
    at = f"{where}.file"
    inner = fields.obj_of(item, "file", where)
    if inner is None:
        raise fields.missing(at)
    name = fields.text(inner, "filename", at)
    data = fields.text(inner, "file_data", at)
    cache, extras = _cache(item, where), fields.rest(item, _PART_KEYS | {"file"})
    if not data:
        file_id = fields.text(inner, "file_id", at)
        if not file_id:
            raise fields.missing(at, "Give `file_data` or `file_id`.")
        return Document(FileId(file_id, "openai-chat"), title=name, cache=cache, extras=extras)
    media = _file_media(data, name, f"{at}.file_data")
    match media.mime.partition("/")[0]:
        case "image":
            return Image(media, cache=cache, extras=extras)
        case "audio":
            return Audio(media, extras=extras)
        case "video":
            return Video(media, extras=extras)
        case _:
            return Document(media, title=name, cache=cache, extras=extras)


def _file_media(data: str, name: str | None, where: str) -> Inline:
    if data[:5].lower() == "data:":
        media = parse_data_url(data, where=where)
        if media.mime not in ("", "application/octet-stream"):
            return media
        b64 = media.b64
    else:  # raw base64 is tolerated here, as the official API does
        b64 = clean_base64(data, where=where)
    mime = sniff(b64) or (mime_of_name(name) if name else None)
    return Inline(mime or "application/octet-stream", b64)


# ---- reasoning and cache hints ----------------------------------------------------------------
def _reasoning(item: Obj, where: str) -> str:
    for key in REASONING_KEYS:
        value = item.get(key)
        if value is None:
            continue
        if not isinstance(value, str | list | dict):
            raise fields.wrong_type(f"{where}.{key}", "a string", value)
        if found := reasoning_text(value):
            return found
    return ""


def _cache(item: Obj, where: str) -> Cache | None:
    if "cache_control" not in item and "prompt_cache_breakpoint" not in item:
        return None
    for key in ("cache_control", "prompt_cache_breakpoint"):
        hint = fields.obj_of(item, key, where)
        if hint is not None:
            return Cache(fields.text(hint, "ttl", f"{where}.{key}"))
    return None


def _with_message_cache(item: Obj, parts: tuple[Part, ...], where: str) -> tuple[Part, ...]:
    """Give a hint on the message to its last part that can hold one, unless that has its own."""
    hint = _cache(item, where)
    if hint is None:
        return parts
    for n in range(len(parts) - 1, -1, -1):
        part = parts[n]
        if isinstance(part, Text | Image | Document | ToolCall):
            if part.cache is not None:
                return parts
            return (*parts[:n], structs.replace(part, cache=hint), *parts[n + 1 :])
    return parts
