"""IR messages → the `messages` of a chat request; the inverse is `parse_messages.py`.

Three steps. `Sieve` (`sift_messages.py`) goes over the messages as the client sent them and keeps
what this dialect can carry. `pair` puts results next to their calls. Then the rest is writing: one
assistant message with all its calls, one `tool` message per result, pictures and files out of tool
results in a user message after them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from cliproxy.base import json
from cliproxy.base.json import Obj
from cliproxy.dialects._unread import report_system
from cliproxy.dialects.openai_chat.sift_messages import Sieve
from cliproxy.dialects.openai_chat.wire import AUDIO_FORMATS, SYSTEM_ROLES
from cliproxy.ir.caps import Caps
from cliproxy.ir.loss import Losses
from cliproxy.ir.media import data_url
from cliproxy.ir.names import NameMap, safe_id
from cliproxy.ir.pairing import pair
from cliproxy.ir.request import (
    Audio,
    Cache,
    Document,
    FileId,
    Image,
    Inline,
    IRRequest,
    Message,
    Opaque,
    Part,
    Refusal,
    ServerResult,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
    Video,
)

_ID_CHARS = "_-.:|/+=@#"


def build_messages(req: IRRequest, caps: Caps, names: NameMap, losses: Losses) -> list[Obj]:
    """Write the system prompt and the conversation."""
    sieve = Sieve(req, caps, names, losses)
    kept = [sieve.message(index, message) for index, message in enumerate(req.messages)]
    if req.source != "openai-chat" and any(text.cache for text in req.system):
        losses.add("system.cache_control", "chat upstreams cache on their own", "info")
    if req.source != "openai-chat":
        report_system(req, losses)
    writer = _Writer(req, caps, names, sieve.named_results)
    writer.system()
    for message in pair(kept, losses, orphans="drop", order="original"):
        writer.message(message)
    return writer.out


class _Writer:
    """Writes kept, paired messages."""

    def __init__(self, req: IRRequest, caps: Caps, names: NameMap, named: set[str]) -> None:
        self._req = req
        self._caps = caps
        self._names = names
        self._named = named
        self._own = req.source == "openai-chat"
        self.out: list[Obj] = []

    def _role(self, *, developer: bool) -> str:
        if self._own and self._caps.base_is_official:
            return "developer" if developer else "system"
        return self._caps.system_role

    def system(self) -> None:
        """Write the leading instructions: one message, or the client's own messages."""
        at = 0
        for size in _system_sizes(self._req):
            group = self._req.system[at : at + size]
            at += size
            role = self._role(developer=group[0].developer)
            if self._own and (len(group) > 1 or group[0].cache or group[0].extras):
                message: Obj = {"role": role}
                extras: Obj = {}
                parts: list[Obj] = []
                for text in group:
                    # A message's own extra fields ride on its last text.
                    extras |= text.extras or {}
                    parts.append(self._text(Text(text.text, cache=text.cache)))
                message["content"] = _content(parts)
                self.out.append({**message, **extras})
            else:
                joined = "\n\n".join(text.text for text in group)
                self.out.append({"role": role, "content": joined})

    def message(self, message: Message) -> None:
        """Write one message, or the several it stands for."""
        match message.role:
            case "assistant":
                self._assistant(message)
            case "user":
                self._user(message)
            case "system":
                parts = self._parts(message.parts)
                if parts:
                    role = self._role(developer=message.developer)
                    self._add({"role": role, "content": _content(parts)}, message)
            case _:
                assert_never(message.role)

    def _add(self, wire: Obj, message: Message) -> None:
        if message.name:
            wire["name"] = message.name
        if message.extras:
            wire |= message.extras
        self.out.append(wire)

    def _user(self, message: Message) -> None:
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        attached: list[Obj] = []
        for result in results:
            attached.extend(self._result(result))
        rest = [part for part in message.parts if not isinstance(part, ToolResult)]
        parts = [*attached, *self._parts(rest)]
        if parts:
            wire: Obj = {"role": "user", "content": _content(parts)}
            if rest:
                self._add(wire, message)
            else:
                self.out.append(wire)

    def _result(self, result: ToolResult) -> list[Obj]:
        """Write a tool message; return what must follow in a user message."""
        inside: list[Part] = []
        outside: list[Part] = []
        for part in result.parts:
            allowed = isinstance(part, Text) or (isinstance(part, Image) and self._caps.tool_images)
            (inside if allowed else outside).append(part)
        if outside and not inside:
            inside.append(Text("[attached in the next user message]"))
        call_id = safe_id(result.call_id, extra=_ID_CHARS)
        wire: Obj = {
            "role": "tool",
            "tool_call_id": call_id,
            "content": self._tool_content(inside),
        }
        if result.name and result.call_id in self._named and self._own:
            wire["name"] = self._names.to_target(result.name)
        if result.cache is not None and self._own:
            wire |= self._hint(result.cache)
        if result.extras and self._own:
            wire |= result.extras
        self.out.append(wire)
        attached: list[Obj] = []
        for part in outside:
            noun = "Image" if isinstance(part, Image) else "File"
            attached.append({"type": "text", "text": f"{noun} returned by tool call {call_id}:"})
            attached.extend(self._parts([part]))
        return attached

    def _tool_content(self, parts: list[Part]) -> str | list[Obj]:
        texts = [part.text for part in parts if isinstance(part, Text)]
        if len(texts) == len(parts) and not self._own:
            # Not every compatible host takes a list here; a tool's lines lose nothing by joining.
            return "\n".join(texts)
        return _content(self._parts(parts))

    def _assistant(self, message: Message) -> None:
        wire: Obj = {"role": "assistant"}
        thoughts = [part.text for part in message.parts if isinstance(part, Thinking)]
        images = [part for part in message.parts if isinstance(part, Image)]
        calls = [part for part in message.parts if isinstance(part, ToolCall)]
        rest = [p for p in message.parts if not isinstance(p, Thinking | Image | ToolCall)]
        parts = self._parts(rest)
        if not parts and not calls and not images and not message.extras:
            return  # nothing is left of it that this dialect could say
        wire["content"] = _content(parts) if parts else (None if calls else "")
        if thoughts:
            wire["reasoning_content"] = "\n\n".join(thoughts)
        if calls:
            wire["tool_calls"] = [self._call(call) for call in calls]
        if images:
            wire["images"] = self._parts(images)
        self._add(wire, message)

    def _call(self, call: ToolCall) -> Obj:
        name = self._names.to_target(call.name, call.namespace)
        wire: Obj = {"id": safe_id(call.id, extra=_ID_CHARS), "type": "function"}
        if call.kind == "custom" and self._caps.custom_tools:
            wire["type"] = "custom"
            wire["custom"] = {"name": name, "input": call.args}
        elif call.kind == "custom":
            args = json.dumps_str({"input": call.args})
            wire["function"] = {"name": name, "arguments": args}
        else:
            args = call.args if call.args and not call.args.isspace() else "{}"
            wire["function"] = {"name": name, "arguments": args}
        if call.signature is not None:
            wire["extra_content"] = {"google": {"thought_signature": call.signature.value}}
        if call.extras and self._own:
            wire |= call.extras
        return wire

    # ---- parts --------------------------------------------------------------------------------
    def _parts(self, parts: Iterable[Part]) -> list[Obj]:
        return [wire for part in parts if (wire := self._part(part)) is not None]

    def _part(self, part: Part) -> Obj | None:
        match part:
            case Text():
                return self._text(part)
            case Image():
                inner: Obj = {"url": _address(part.media)}
                if part.detail:
                    inner["detail"] = part.detail
                return self._with(
                    {"type": "image_url", "image_url": inner}, part.cache, part.extras
                )
            case Audio(media=Inline() as media):
                form = AUDIO_FORMATS.get(media.mime) or media.mime.partition("/")[2]
                inner = {"data": media.b64, "format": form}
                return self._with({"type": "input_audio", "input_audio": inner}, None, part.extras)
            case Video():
                inner = {"url": _address(part.media)}
                return self._with({"type": "video_url", "video_url": inner}, None, part.extras)
            case Document():
                return self._file(part)
            case Refusal():
                if self._own or self._caps.base_is_official:
                    return {"type": "refusal", "refusal": part.text}
                return {"type": "text", "text": part.text}
            case Opaque():
                return dict(part.value) if isinstance(part.value, dict) else None
            case Thinking() | ToolCall() | ToolResult() | ServerResult() | Audio():
                return None  # written elsewhere, or kept out by the sieve
            case _:
                assert_never(part)

    def _text(self, part: Text) -> Obj:
        return self._with({"type": "text", "text": part.text}, part.cache, part.extras)

    def _file(self, part: Document) -> Obj | None:
        inner: Obj = {}
        match part.media:
            case Inline() as media:
                inner["filename"] = part.title or _file_name(media.mime)
                inner["file_data"] = data_url(media)
            case FileId(id=file_id):
                inner["file_id"] = file_id
                if part.title and self._own:
                    inner["filename"] = part.title
            case _:
                return None
        return self._with({"type": "file", "file": inner}, part.cache, part.extras)

    def _with(self, wire: Obj, cache: Cache | None, extras: Obj | None) -> Obj:
        if cache is not None and self._own:
            wire |= self._hint(cache)
        if extras and self._own:
            wire |= extras
        return wire

    def _hint(self, cache: Cache) -> Obj:
        """Write a cache hint the way its reader knows it: OpenAI's own, or the field's."""
        if self._caps.base_is_official or cache.ttl in ("30m", "12h"):
            hint: Obj = {"mode": "explicit"}
            if cache.ttl in ("30m", "12h"):
                hint["ttl"] = cache.ttl
            return {"prompt_cache_breakpoint": hint}
        control: Obj = {"type": "ephemeral"}
        if cache.ttl:
            control["ttl"] = cache.ttl
        return {"cache_control": control}


def _system_sizes(req: IRRequest) -> list[int]:
    """Tell how many system texts go into each system message.

    A chat client's own grouping is kept as long as nobody changed the system prompt since.
    """
    total = len(req.system)
    if not total:
        return []
    if req.source != "openai-chat":
        return [total]
    sizes: list[int] = []
    for item in req.raw.get("messages") or []:
        if not isinstance(item, dict) or item.get("role") not in SYSTEM_ROLES:
            break
        content = item.get("content")
        sizes.append(len(content) if isinstance(content, list) else 1)
    sizes = [size for size in sizes if size]
    return sizes if sum(sizes) == total else [total]


def _content(parts: list[Obj]) -> str | list[Obj]:
    """Return the short form, a string, where the content is one bare text."""
    if len(parts) == 1 and parts[0].keys() == {"type", "text"} and parts[0]["type"] == "text":
        text: str = parts[0]["text"]
        return text
    return parts or ""


def _address(media: Inline | Url | FileId) -> str:
    match media:
        case Inline():
            return data_url(media)
        case Url(url=url):
            return url
        case FileId(id=file_id):  # kept out by the sieve
            return file_id
        case _:
            assert_never(media)


def _file_name(mime: str) -> str:
    return "document.pdf" if mime == "application/pdf" else "document"
