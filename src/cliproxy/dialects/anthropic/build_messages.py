"""IR instructions and messages → `system` and `messages` of a Messages request."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from copy import deepcopy

from msgspec import structs

from cliproxy.base.json import Obj
from cliproxy.dialects import where
from cliproxy.dialects._listed import unlisted
from cliproxy.dialects._merge import merged
from cliproxy.dialects._telling import Telling
from cliproxy.dialects._unread import report_extras, report_system
from cliproxy.dialects.anthropic import citations, server_tools
from cliproxy.dialects.anthropic.build_tools import control
from cliproxy.dialects.anthropic.wire import IMAGE_TYPES
from cliproxy.ir.arguments import object_of
from cliproxy.ir.caps import Caps
from cliproxy.ir.loss import Losses
from cliproxy.ir.media import image_mime
from cliproxy.ir.names import NameMap, custom_args, safe_id
from cliproxy.ir.pairing import merge_roles, pair, tell_apart
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
    PlainText,
    Refusal,
    ServerResult,
    SystemText,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
    Video,
)
from cliproxy.ir.server_tools import CODE, MCP, Pairs

START = "."
"""What the user says when the conversation does not begin with them: the API wants some text."""


def build_messages(
    req: IRRequest, caps: Caps, names: NameMap, losses: Losses
) -> tuple[list[Obj], list[Obj]]:
    """Return `system` blocks and `messages`."""
    own = req.source == "anthropic"
    system = list(req.system)
    messages = _place_system(req.messages, system, in_place=caps.mid_system or own)
    paired = pair(messages, losses, orphans="text")
    ran = Pairs(() if own else paired, (CODE, MCP))
    writer = _Writer(caps, names, losses, where.Paths(req), ran, own=own)
    kept = [
        structs.replace(m, parts=tuple(writer.keep(m.parts, f"messages[{n}].content", m.role)))
        for n, m in enumerate(paired)
    ]
    merged = list(tell_apart(merge_roles(kept)))
    report_extras(req, merged, losses, "anthropic", "the message")
    if not own:
        report_system(req, losses)
    _begin_with_user(req, merged, system, losses)
    _end_with_user(merged, caps, losses)
    wire = [writer.message(m) for m in merged]
    blocks = [_system_block(text, own=own) for text in system if text.text.strip()]
    return blocks, [m for m in wire if m["content"]]


def _place_system(
    messages: Sequence[Message], system: list[SystemText], *, in_place: bool
) -> list[Message]:
    """Move later instructions to the top where the model does not take them in place."""
    if in_place:
        return list(messages)
    out: list[Message] = []
    for message in messages:
        if message.role != "system":
            out.append(message)
            continue
        system += [
            SystemText(p.text, developer=message.developer, cache=p.cache)
            for p in message.parts
            if isinstance(p, Text)
        ]
    return out


def _begin_with_user(
    req: IRRequest, messages: list[Message], system: list[SystemText], losses: Losses
) -> None:
    first = next((m for m in messages if m.role != "system"), None)
    if first is None:
        # Instructions only: the last of them is what there is to answer.
        text = system.pop().text if len(system) > 1 else START
        messages.append(Message("user", (Text(text if text.strip() else START),)))
        losses.add("messages", "there is no user message; one was made", "info", "synthesised")
    elif first.role == "assistant":
        messages.insert(0, Message("user", (Text(START),)))
        losses.add(where.message(req, 0), "the API begins with the user", "info", "synthesised")


def _end_with_user(messages: list[Message], caps: Caps, losses: Losses) -> None:
    last = messages[-1]
    if last.role != "assistant" or any(isinstance(p, ToolCall) for p in last.parts):
        return
    if not caps.prefill:
        messages.pop()
        losses.add("messages", f"{caps.model} cannot continue a begun answer")
        if not messages:
            messages.append(Message("user", (Text(START),)))
        return
    final = last.parts[-1] if last.parts else None
    if isinstance(final, Text) and final.text != final.text.rstrip():
        parts = (*last.parts[:-1], structs.replace(final, text=final.text.rstrip()))
        messages[-1] = structs.replace(last, parts=parts)


def _system_block(text: SystemText, *, own: bool) -> Obj:
    block: Obj = {"type": "text", "text": text.text}
    if text.cache is not None:
        block["cache_control"] = control(text.cache)
    if own:
        return merged(text.extras or {}, block)
    return block


class _Writer(Telling):
    """Decides what can be said, then says it."""

    # ---- keeping ------------------------------------------------------------------------------
    def keep(self, parts: Sequence[Part], path: str, role: str) -> list[Part]:
        """Return the parts this API can carry, in the order it wants them."""
        kept = [
            p for n, part in enumerate(parts) for p in self._reported(part, f"{path}[{n}]", role)
        ]
        if role != "assistant":
            return kept
        # A turn begins with its thinking and ends with its calls.
        calls = [p for p in kept if isinstance(p, ToolCall) and p.kind != "server"]
        rest = [p for p in kept if not (isinstance(p, ToolCall) and p.kind != "server")]
        return [*rest, *calls]

    def _reported(self, part: Part, path: str, role: str) -> list[Part]:
        path = self._paths.of(part, path)
        if not self._own and not isinstance(part, ServerResult | Refusal | Opaque):
            for key in part.extras or ():
                if key != "native":
                    self._losses.add(f"{path}.{key}", "the Messages API has no such field", "info")
        return self._keep(part, path, role)

    def _keep(self, part: Part, path: str, role: str) -> list[Part]:
        match part:
            case Text():
                if part.citations and not self._own:
                    self._losses.add(
                        self._paths.member(path, "citations"), "only its issuer can cite", "info"
                    )
                return [part] if part.text.strip() else []
            case Refusal():
                return [Text(part.text)] if part.text.strip() else []
            case Thinking():
                return self._thinking(part, path, role)
            case Image():
                return self._image(part, path, role)
            case Document():
                return self._document(part, path)
            case Audio() | Video():
                what = "sound" if isinstance(part, Audio) else "video"
                self._losses.add(path, f"Claude takes no {what}", "error")
                return []
            case Opaque() if (said := self._worded(part, path)) is not None:
                return self._keep(said, path, role)
            case ToolCall(kind="server") | ServerResult() | Opaque():
                return self._foreign(part, path)
            case ToolCall():
                if part.signature is not None:
                    self._losses.add(
                        self._paths.member(path, "signature"),
                        "only its issuer understands it",
                        "info",
                    )
                return [part]
            case ToolResult():
                part = part if self._own else unlisted(part)
                inner = [
                    p
                    for n, sub in enumerate(part.parts)
                    for p in self._reported(sub, f"{path}.content[{n}]", "user")
                ]
                return [structs.replace(part, parts=tuple(inner))]

    def _thinking(self, part: Thinking, path: str, role: str) -> list[Part]:
        sig = part.signature
        # The reader marks what a host signed in the same way.
        mine = self._caps.family if self._caps.family != "unknown" else "claude"
        if role == "assistant" and sig is not None and sig.family == mine:
            return [part]
        why = "another model's" if sig is not None else "unsigned"
        self._losses.add(path, f"{why} reasoning cannot be replayed", "info")
        return []

    def _image(self, part: Image, path: str, role: str) -> list[Part]:
        if role == "assistant":
            self._losses.add(path, "an assistant's picture cannot be replayed", "error")
            return []
        media = part.media
        if part.detail and part.detail != "auto":
            self._losses.add(
                self._paths.member(path, "detail"), "Claude has no such setting", "info"
            )
        if isinstance(media, Inline):
            mime = image_mime(media)
            if mime not in IMAGE_TYPES:
                self._losses.add(path, f"Claude takes no {mime}", "error")
                return []
            return [structs.replace(part, media=Inline(mime, media.b64))]
        if isinstance(media, FileId) and media.dialect != "anthropic":
            self._losses.add(path, "the file was uploaded to another provider", "error")
            return []
        if isinstance(media, Url) and not media.url.startswith("http"):
            self._losses.add(path, "Claude can fetch http(s) addresses only", "error")
            return []
        return [part]

    def _document(self, part: Document, path: str) -> list[Part]:
        media = part.media
        if isinstance(media, FileId) and media.dialect != "anthropic":
            self._losses.add(path, "the file was uploaded to another provider", "error")
            return []
        if isinstance(media, Inline) and media.mime != "application/pdf":
            if media.mime.startswith("image/"):
                return self._image(Image(media, cache=part.cache), path, "user")
            if media.mime.startswith("text/") or media.mime == "application/json":
                return [structs.replace(part, media=PlainText(_decode(media)))]
            self._losses.add(path, f"Claude takes no {media.mime}", "error")
            return []
        if isinstance(media, Url) and not media.url.startswith("http"):
            self._losses.add(path, "Claude can fetch http(s) addresses only", "error")
            return []
        if part.blocks:
            blocks = tuple(p for b in part.blocks for p in self._keep(b, path, "user"))
            return [structs.replace(part, blocks=blocks)]
        return [part]

    def _foreign(self, part: ToolCall | ServerResult | Opaque, path: str) -> list[Part]:
        if part in self._ran:
            if isinstance(part, ServerResult):
                self._made(part, path)
            return [part]
        if isinstance(part, ToolCall):
            if self._own and part.extras and "native" in part.extras:
                return [part]
        elif part.dialect == "anthropic":
            return [part]
        what = part.kind if isinstance(part, Opaque) else "the provider's own tool"
        self._losses.add(path, f"{what} means nothing to Claude")
        return []

    # ---- writing ------------------------------------------------------------------------------
    def message(self, message: Message) -> Obj:
        """Write one message."""
        parts = message.parts
        if message.role == "user":
            results = [p for p in parts if isinstance(p, ToolResult)]
            if results:
                parts = (*results, *(p for p in parts if not isinstance(p, ToolResult)))
        content = [block for part in parts for block in self._blocks(part)]
        if message.name:
            self._losses.add("messages.name", "the Messages API has no names", "info")
        wire: Obj = {"role": message.role, "content": content}
        if self._own and message.extras:
            wire |= message.extras
        return wire

    def _blocks(self, part: Part) -> list[Obj]:
        match part:
            case Text():
                block: Obj = {"type": "text", "text": part.text}
                if self._own and part.citations:
                    written = (citations.write(c, part.text) for c in part.citations)
                    block["citations"] = [c for c in written if c is not None]
                return [self._with(block, part.cache, part.extras)]
            case Thinking(redacted=True):
                assert part.signature is not None
                block = {"type": "redacted_thinking", "data": part.signature.value}
                return [self._with(block, None, part.extras)]
            case Thinking():
                assert part.signature is not None
                block = {
                    "type": "thinking",
                    "thinking": part.text,
                    "signature": part.signature.value,
                }
                return [self._with(block, None, part.extras)]
            case Image():
                block = {"type": "image", "source": _source(part.media)}
                return [self._with(block, part.cache, part.extras)]
            case Document():
                return [self._file(part)]
            case ToolCall(kind="server"):
                native = (part.extras or {}).get("native") if self._own else None
                return [deepcopy(native) if isinstance(native, dict) else _server_call(part)]
            case ToolCall():
                return [self._call(part)]
            case ToolResult():
                return [self._result(part)]
            case ServerResult():
                if self._own and isinstance(part.native, dict):
                    return [deepcopy(part.native)]
                wire = server_tools.result(part.kind, part.call_id, part.payload)
                return [wire] if wire else []
            case Opaque():
                return [deepcopy(part.value)] if isinstance(part.value, dict) else []
            case _:
                return []

    def _call(self, part: ToolCall) -> Obj:
        args = custom_args(part.args) if part.kind == "custom" else part.args
        read = object_of(args)
        if read.trouble:
            self._losses.add(f"tool_call({part.id})", read.trouble, action="approximated")
        block: Obj = {
            "type": "tool_use",
            "id": safe_id(part.id),
            "name": self._names.to_target(part.name, part.namespace),
            "input": read.value,
        }
        return self._with(block, part.cache, part.extras)

    def _result(self, part: ToolResult) -> Obj:
        block: Obj = {"type": "tool_result", "tool_use_id": safe_id(part.call_id)}
        if part.parts:
            content = [b for p in part.parts for b in self._blocks(p)]
            plain = len(content) == 1 and content[0].keys() == {"type", "text"}
            block["content"] = content[0]["text"] if plain and not self._own else content
        if part.is_error is not None:
            block["is_error"] = part.is_error
        return self._with(block, part.cache, part.extras)

    def _file(self, part: Document) -> Obj:
        media = part.media
        source: Obj
        if part.blocks:
            content = [b for p in part.blocks for b in self._blocks(p)]
            source = {"type": "content", "content": content}
        elif isinstance(media, PlainText):
            source = {"type": "text", "media_type": "text/plain", "data": media.text}
        else:
            source = _source(media)
        block: Obj = {"type": "document", "source": source}
        if part.title:
            block["title"] = part.title
        if part.context:
            block["context"] = part.context
        if part.citations_enabled is not None:
            block["citations"] = {"enabled": part.citations_enabled}
        return self._with(block, part.cache, part.extras)

    def _with(self, block: Obj, cache: Cache | None, extras: Obj | None) -> Obj:
        if cache is not None:
            block["cache_control"] = control(cache)
        if self._own and extras:
            return merged(extras, block)
        return block


def _server_call(part: ToolCall) -> Obj:
    kind = part.server_kind or ""
    block = server_tools.call(kind, part.id, part.name, part.namespace)
    return {**(block or {}), "input": object_of(part.args).value}


def _source(media: Inline | Url | FileId | PlainText) -> Obj:
    match media:
        case Inline():
            return {"type": "base64", "media_type": media.mime, "data": media.b64}
        case Url():
            return {"type": "url", "url": media.url}
        case FileId():
            return {"type": "file", "file_id": media.id}
        case PlainText():
            return {"type": "text", "media_type": "text/plain", "data": media.text}


def _decode(media: Inline) -> str:
    return b64decode(media.b64).decode("utf-8", "replace")
