"""`input` items of a Responses request → IR messages, one message an item.

Builders merge neighbours where their API wants that; here every item keeps its own place.
"""

from __future__ import annotations

from cliproxy.base import json
from cliproxy.base.json import Json, Obj
from cliproxy.dialects import _fields as fields
from cliproxy.dialects.openai_responses import client_run, server_tools
from cliproxy.dialects.openai_responses.carry import settle
from cliproxy.dialects.openai_responses.items import annotation
from cliproxy.dialects.openai_responses.parse_tools import parse_tools
from cliproxy.dialects.openai_responses.wire import CONTENT
from cliproxy.ir.envelope import received, unwrap_summary
from cliproxy.ir.media import clean_base64, media_of, mime_of_name, parse_data_url, sniff
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
    ServerResult,
    SystemText,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolKind,
    ToolResult,
    Url,
)

_MESSAGE = frozenset({"type", "role", "content", "id", "status"})
_REASONING = frozenset({"type", "id", "summary", "content", "encrypted_content", "status"})
_CALL = frozenset({"type", "id", "call_id", "name", "arguments", "input", "namespace", "status"})
_OUTPUT = frozenset({"type", "id", "call_id", "output", "name", "namespace", "status"})


SUMMARY = "Summary of the conversation so far:\n\n"


def _summary(item: Obj) -> str | None:
    content = item.get("encrypted_content")
    return unwrap_summary(content) if isinstance(content, str) else None


class Items:
    """Collects what the items say."""

    def __init__(self) -> None:
        self.system: list[SystemText] = []
        self.messages: list[Message] = []
        self.tools: list[Tool] = []
        self._call_ids: dict[str, str] = {}
        """Call ids of the items whose results may name the item instead."""

    def read(self, items: list[Json]) -> None:
        """Read all items."""
        for number, value in enumerate(items):
            where = f"input[{number}]"
            if isinstance(value, str):
                self.messages.append(Message("user", (Text(value),)))
                continue
            item = fields.as_obj(value, where)
            message = self._item(item, where)
            if message is None:
                continue
            self.messages.append(message)
        self.messages = settle(self.messages)

    def _item(self, item: Obj, where: str) -> Message | None:
        kind = fields.text(item, "type", where)
        if kind is None and "role" in item:
            kind = "message"
        match kind:
            case "message":
                return self._message(item, where)
            case "reasoning":
                return Message("assistant", (_reasoning(item, where),))
            case "function_call":
                return Message("assistant", (_call(item, where, "function", "arguments"),))
            case "custom_tool_call":
                return Message("assistant", (_call(item, where, "custom", "input"),))
            case "function_call_output":
                return Message("user", (_output(item, where, "function"),))
            case "custom_tool_call_output":
                return Message("user", (_output(item, where, "custom"),))
            case "additional_tools":
                tools = fields.list_of(item, "tools", where) or []
                self.tools += parse_tools(tools, f"{where}.tools")
                return None
            case "web_search_call":
                return Message("assistant", _search(item, where))
            case "code_interpreter_call" | "mcp_call":
                return Message("assistant", _ran(item, where))
            case None:
                raise fields.missing(f"{where}.type")
            case _ if kind in client_run.CALLS:
                called = client_run.call(item, where)
                self._call_ids[called.item_id or called.id] = called.id
                return Message("assistant", (called,))
            case _ if kind in client_run.OUTPUTS:
                return Message("user", (client_run.output(item, where, self._call_ids),))
            case "compaction" if (summary := _summary(item)) is not None:
                return Message("user", (Text(SUMMARY + summary),))
            case _:
                role = "user" if kind.endswith(("_output", "_response")) else "assistant"
                return Message(
                    role,  # type: ignore[arg-type]  # one of the two just above
                    (Opaque("openai-responses", item, kind),),
                )

    def _message(self, item: Obj, where: str) -> Message | None:
        role = fields.need_text(item, "role", where)
        content = item.get("content")
        if role in ("system", "developer"):
            parts = _parts(content, f"{where}.content")
            if not self.messages:
                extras = fields.rest(item, _MESSAGE) or {}
                for part in parts:
                    if isinstance(part, Text):
                        self.system.append(
                            SystemText(
                                part.text,
                                role == "developer",
                                cache=part.cache,
                                extras={**extras, **(part.extras or {})} or None,
                            )
                        )
                    else:
                        # Instructions are text; what else came is said in its place.
                        self.messages.append(Message("user", (part,)))
                return None
            return Message(
                "system",
                parts,
                developer=role == "developer",
                extras=fields.rest(item, _MESSAGE),
            )
        if role not in ("user", "assistant"):
            raise fields.invalid(
                f"{where}.role", f"{role!r} is not one of user, assistant, system, developer."
            )
        parts = _parts(content, f"{where}.content")
        return Message(
            role,  # type: ignore[arg-type]  # checked just above
            parts,
            id=fields.text(item, "id", where),
            extras=fields.rest(item, _MESSAGE),
        )


def _parts(content: Json, where: str) -> tuple[Part, ...]:
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),) if content else ()
    if isinstance(content, dict):
        return (_part(content, where),)
    if not isinstance(content, list):
        raise fields.wrong_type(where, "a string or an array of parts", content)
    return tuple(
        Text(part)
        if isinstance(part, str)
        else _part(fields.as_obj(part, f"{where}[{n}]"), f"{where}[{n}]")
        for n, part in enumerate(content)
    )


def _cache(part: Obj) -> Cache | None:
    mark = part.get("prompt_cache_breakpoint") or part.get("cache_control")
    if not isinstance(mark, dict):
        return None
    ttl = mark.get("ttl")
    return Cache(ttl if isinstance(ttl, str) else None)


_MARKS = frozenset({"type", "prompt_cache_breakpoint", "cache_control"})
_TEXT = _MARKS | {"text", "annotations"}
_IMAGE = _MARKS | {"image_url", "file_id", "detail"}
_FILE = _MARKS | {"file", "filename", "file_data", "file_url", "file_id"}
_AUDIO = frozenset({"type", "input_audio", "data", "format"})
"""Sound has no cache hint of its own in the IR: a hint rides along for its own dialect."""
_REFUSAL = _MARKS | {"refusal"}


def _part(part: Obj, where: str) -> Part:
    kind = fields.need_text(part, "type", where)
    match kind:
        case "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text":
            text = fields.text(part, "text", where)
            if text is None:
                raise fields.missing(f"{where}.text")
            cited = fields.list_of(part, "annotations", where) or []
            extras = fields.rest(part, _TEXT) or {}
            if not extras.get("logprobs"):
                extras.pop("logprobs", None)
            return Text(
                text,
                citations=tuple(
                    annotation(fields.as_obj(c, f"{where}.annotations[{n}]"))
                    for n, c in enumerate(cited)
                ),
                cache=_cache(part),
                extras=extras or None,
            )
        case "refusal":
            return Refusal(fields.text(part, "refusal", where) or "")
        case "input_image" | "image_url":
            return _image(part, where)
        case "input_file" | "file":
            return _file(part, where)
        case "input_audio":
            return _audio(part, where)
        case _:
            return Opaque("openai-responses", part, CONTENT + kind)


def _image(part: Obj, where: str) -> Image:
    detail = fields.text(part, "detail", where)
    file_id = fields.text(part, "file_id", where)
    if file_id:
        media = FileId(file_id, "openai-responses")
        return Image(media, detail, _cache(part), fields.rest(part, _IMAGE))
    given = part.get("image_url")
    at = f"{where}.image_url"
    if isinstance(given, dict):
        # Chat's nested form.
        detail = detail or fields.text(given, "detail", at)
        given = given.get("url")
    if given is None:
        raise fields.missing(at)
    if not isinstance(given, str):
        raise fields.wrong_type(at, "a string", given)
    return Image(media_of(given, where=at), detail, _cache(part), fields.rest(part, _IMAGE))


def _file(part: Obj, where: str) -> Document | Image:
    nested = fields.obj_of(part, "file", where)
    body, at = (nested, f"{where}.file") if nested is not None else (part, where)
    name = fields.text(body, "filename", at)
    data = fields.text(body, "file_data", at)
    cache, extras = _cache(part), fields.rest(part, _FILE)
    if data:
        if data[:5].lower() == "data:":
            media = parse_data_url(data, where=f"{at}.file_data")
        else:
            b64 = clean_base64(data, where=f"{at}.file_data")
            mime = (
                (mime_of_name(name) if name else None) or sniff(b64) or "application/octet-stream"
            )
            media = Inline(mime, b64)
        if media.mime.startswith("image/"):
            return Image(media, cache=cache, extras=extras)
        return Document(media, title=name, cache=cache, extras=extras)
    if url := fields.text(body, "file_url", at):
        remote = Url(url, mime_of_name(url.split("?")[0]))
        return Document(remote, title=name, cache=cache, extras=extras)
    if file_id := fields.text(body, "file_id", at):
        kept = FileId(file_id, "openai-responses")
        return Document(kept, title=name, cache=cache, extras=extras)
    raise fields.missing(f"{at}.file_data", "Give file_data, file_url or file_id.")


def _audio(part: Obj, where: str) -> Audio:
    inner = fields.obj_of(part, "input_audio", where)
    body, at = (inner, f"{where}.input_audio") if inner is not None else (part, where)
    form = fields.text(body, "format", at) or "wav"
    data = clean_base64(fields.need_text(body, "data", at), where=f"{at}.data")
    media = Inline("audio/mpeg" if form == "mp3" else f"audio/{form}", data)
    extras = fields.rest(part, _AUDIO) or {}
    if inner is not None and (other := fields.rest(inner, _AUDIO)):
        extras["input_audio"] = other
    return Audio(media, extras or None)


def _reasoning(item: Obj, where: str) -> Thinking:
    summary = _texts(item.get("summary"), f"{where}.summary")
    content = _texts(item.get("content"), f"{where}.content")
    encrypted = fields.text(item, "encrypted_content", where)
    paragraphs = summary or content
    sig, hidden = received(encrypted, "gpt") if encrypted else (None, False)
    extras = fields.rest(item, _REASONING) or {}
    if summary and content:
        extras["content"] = item["content"]
    return Thinking(
        text="\n\n".join(paragraphs),
        signature=sig,
        redacted=hidden and not paragraphs,
        paragraphs=paragraphs,
        item_id=fields.text(item, "id", where),
        raw=bool(content) and not summary,
        extras=extras or None,
    )


def _texts(value: Json, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,) if value else ()
    if not isinstance(value, list):
        raise fields.wrong_type(where, "an array", value)
    found: list[str] = []
    for number, entry in enumerate(value):
        at = f"{where}[{number}]"
        if isinstance(entry, str):
            found.append(entry)
        elif (said := fields.text(fields.as_obj(entry, at), "text", at)) is not None:
            found.append(said)
    return tuple(found)


def _call(item: Obj, where: str, kind: ToolKind, field: str) -> ToolCall:
    args = item.get(field)
    if args is not None and not isinstance(args, str):
        args = json.dumps_str(args)
    return ToolCall(
        id=fields.text(item, "call_id", where) or fields.text(item, "id", where) or "",
        name=fields.need_text(item, "name", where),
        args=args or "",
        kind=kind,
        namespace=fields.text(item, "namespace", where),
        item_id=fields.text(item, "id", where),
        extras=fields.rest(item, _CALL),
    )


def _output(item: Obj, where: str, kind: ToolKind) -> ToolResult:
    given = item.get("output")
    at = f"{where}.output"
    parts: tuple[Part, ...]
    if (isinstance(given, dict) and not isinstance(given.get("type"), str)) or (
        isinstance(given, list)
        and not all(isinstance(p, dict) and isinstance(p.get("type"), str) for p in given)
    ):
        parts = (Text(json.dumps_str(given)),)
    else:
        parts = _parts(given, at)
    return ToolResult(
        call_id=fields.text(item, "call_id", where) or "",
        parts=parts,
        name=fields.text(item, "name", where),
        kind=kind,
        extras=fields.rest(item, _OUTPUT),
    )


def _search(item: Obj, where: str) -> tuple[Part, ...]:
    action = fields.obj_of(item, "action", where) or {}
    call_id = fields.text(item, "id", where) or "ws_history"
    sources = action.get("sources")
    results = [s for s in sources if isinstance(s, dict)] if isinstance(sources, list) else []
    return (
        ToolCall(
            id=call_id,
            name="web_search",
            args=json.dumps_str({"query": action.get("query") or ""}),
            kind="server",
            server_kind="web_search",
            item_id=call_id,
            extras={"native": item},
        ),
        ServerResult(call_id, "web_search", {"results": results}, "openai-responses"),
    )


def _ran(item: Obj, where: str) -> tuple[Part, ...]:
    wire_type = fields.need_text(item, "type", where)
    kind = server_tools.TYPES[wire_type]
    call_id = fields.text(item, "id", where) or f"{kind}_history"
    return (
        ToolCall(
            id=call_id,
            name=server_tools.name_of(item),
            args=server_tools.args_of(item),
            kind="server",
            namespace=server_tools.label_of(item),
            item_id=call_id,
            server_kind=kind,
            extras={"native": item},
        ),
        ServerResult(call_id, kind, server_tools.payload_of(item), "openai-responses"),
    )
