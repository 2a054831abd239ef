"""IR instructions and messages → `instructions` and `input` of a Responses request."""

from __future__ import annotations

from collections.abc import Iterator

from cliproxy.base.json import Obj
from cliproxy.dialects import where
from cliproxy.dialects._merge import merged
from cliproxy.dialects._telling import Telling
from cliproxy.dialects._unread import report_system
from cliproxy.dialects.openai_responses import server_tools
from cliproxy.dialects.openai_responses.wire import CALL_ID_LIMIT, CONTENT
from cliproxy.ir.caps import Caps
from cliproxy.ir.loss import Losses
from cliproxy.ir.media import data_url
from cliproxy.ir.names import NameMap, custom_args, safe_id
from cliproxy.ir.pairing import NO_RESULT, pair
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
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
    Video,
)
from cliproxy.ir.server_tools import CODE, MCP, Pairs

_AUDIO = {"audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/wav": "wav", "audio/x-wav": "wav"}


def build_items(
    req: IRRequest, caps: Caps, names: NameMap, losses: Losses
) -> tuple[str | None, list[Obj]]:
    """Return instructions (None: there are none) and input items."""
    own = req.source == "openai-responses"
    ran = Pairs(() if own else req.messages, (CODE, MCP))
    writer = _Writer(caps, names, losses, where.Paths(req), ran, own=own)
    instructions: str | None = None
    items: list[Obj] = []
    rest = list(req.system)
    if not own:
        report_system(req, losses)
    if own:
        if rest and rest[0].instructions:
            instructions = rest.pop(0).text
    elif rest and req.source in ("anthropic", "gemini"):
        instructions = "\n\n".join(text.text for text in rest)
        if any(text.cache for text in rest):
            losses.add("cache_control", "this upstream caches on its own", "info")
        rest = []
    for text in rest:
        role = "developer" if text.developer or caps.codex else "system"
        part: Obj = {"type": "input_text", "text": text.text}
        part = writer.marked(part, text.cache)
        items.append(
            {"type": "message", "role": role, "content": [part], **writer.own(text.extras)}
        )
    # The order of a client's own items is the API's order; some may refer to what the API keeps.
    messages = req.messages if own else pair(req.messages, losses, orphans="drop")
    for number, message in enumerate(messages):
        items += writer.message(message, f"messages[{number}]")
    if not items and not (own and _kept_elsewhere(req)):
        # Instructions alone are no request here; said as input they are.
        items.append({"type": "message", "role": "user", "content": instructions or "."})
        losses.add("messages", "there is no user message; one was made", "info", "synthesised")
    return instructions, items


def _kept_elsewhere(req: IRRequest) -> bool:
    meta = req.meta
    return bool(meta.previous_response_id or meta.conversation or req.extras.get("prompt"))


class _Writer(Telling):
    def own(self, extras: Obj | None) -> Obj:
        """Return what only this dialect has, for a client of this dialect."""
        return extras or {} if self._own else {}

    def marked(self, part: Obj, cache: Cache | None) -> Obj:
        """Return a content part with its cache hint, where it is understood."""
        if cache is None:
            return part
        if not self._own or self._caps.codex:
            self._losses.add("cache_control", "this upstream caches on its own", "info")
            return part
        mark = {"mode": "explicit", **({"ttl": cache.ttl} if cache.ttl else {})}
        return {**part, "prompt_cache_breakpoint": mark}

    def message(self, message: Message, path: str) -> Iterator[Obj]:
        """Yield the items of one message: neighbouring content in one message item."""
        if not self._own:
            self._report(message.extras, path)
        if message.name:
            self._losses.add("messages.name", "the Responses API has no names", "info")
        content: list[Obj] = []
        for number, part in enumerate(self._ordered(message)):
            here = self._paths.of(part, f"{path}.content[{number}]")
            if not self._own and not isinstance(part, ServerResult | Refusal | Opaque):
                self._report(part.extras, here)
            item = self._item(part, here)
            if item is None:
                content += self._content(part, here, assistant=message.role == "assistant")
                continue
            if not item:
                continue  # reported, and left out
            if content:
                yield self._wrap(message, content)
                content = []
            yield item
        if content:
            yield self._wrap(message, content)

    def _ordered(self, message: Message) -> tuple[Part, ...]:
        """Put the calls of a foreign turn last: nothing may part them from their outputs."""
        if self._own or message.role != "assistant":
            return message.parts
        calls = [p for p in message.parts if isinstance(p, ToolCall) and p.kind != "server"]
        rest = [p for p in message.parts if not isinstance(p, ToolCall) or p.kind == "server"]
        return (*rest, *calls)

    def _report(self, extras: Obj | None, path: str) -> None:
        for key in extras or ():
            if key != "native":
                self._losses.add(f"{path}.{key}", "the Responses API has no such field", "info")

    def _wrap(self, message: Message, content: list[Obj]) -> Obj:
        role: str = message.role
        if role == "system":
            role = "developer" if message.developer or self._caps.codex else "system"
        item: Obj = {"type": "message", "role": role, "content": content}
        if role == "assistant" and self._own and message.id:
            item["id"] = message.id
            item["status"] = "completed"
        if self._own and message.extras:
            item |= message.extras
        return item

    def _item(self, part: Part, path: str) -> Obj | None:
        """Write what is an item of its own; None for content."""
        match part:
            case ToolCall(kind="server"):
                native = (part.extras or {}).get("native")
                if self._own and isinstance(native, dict):
                    return native
                if (result := self._ran.result(part)) is not None:
                    kind = result.kind
                    known = server_tools.item_id(kind, part.id)
                    call = (part.name, part.namespace, part.args)
                    return server_tools.item(kind, known, call, result.payload)
                self._losses.add(path, f"a call of the provider's own {part.server_kind} tool")
                return {}
            case ToolCall():
                return self._call(part, path)
            case ToolResult():
                return self._result(part, path)
            case Thinking():
                return self._reasoning(part, path)
            case Opaque() if self._own and isinstance(part.value, dict) and _is_item(part):
                return part.value
            case _:
                return None

    def _call(self, part: ToolCall, path: str) -> Obj:
        if self._own and isinstance(native := (part.extras or {}).get("native"), dict):
            return native
        custom = part.kind == "custom" and self._caps.freeform_tools
        args = part.args if custom or part.args.strip() else "{}"
        if part.kind == "custom" and not custom:
            args = custom_args(part.args)
        if part.signature is not None:
            self._losses.add(
                self._paths.member(path, "signature"), "only its issuer understands it", "info"
            )
        item: Obj = {
            "type": "custom_tool_call" if custom else "function_call",
            "call_id": safe_id(part.id, limit=CALL_ID_LIMIT),
            "name": self._names.to_target(part.name, part.namespace),
            "input" if custom else "arguments": args,
        }
        if self._own and part.item_id:
            item["id"] = part.item_id
        if self._own and part.extras:
            return merged(part.extras, item)
        return item

    def _result(self, part: ToolResult, path: str) -> Obj:
        if self._own and isinstance(native := (part.extras or {}).get("native"), dict):
            return native
        custom = part.kind == "custom" and self._caps.freeform_tools
        kind = "custom_tool_call_output" if custom else "function_call_output"
        content = [
            wire
            for number, inner in enumerate(part.parts)
            for wire in self._content(inner, self._paths.inside(path, number), assistant=False)
        ]
        texts = [c["text"] for c in content if c.get("type") == "input_text"]
        plain = len(texts) == len(content)
        if self._own:
            # One text may have been a list of one; more, or one with more to it, surely was a list.
            plain = (
                plain and len(content) < 2 and all(c.keys() == {"type", "text"} for c in content)
            )
        output = "\n".join(texts) if plain else content
        if part.is_error and not self._own and part.parts != (Text(NO_RESULT),):
            self._losses.add(
                self._paths.member(path, "is_error"), "outputs have no error flag", "info"
            )
        item: Obj = {
            "type": kind,
            "call_id": safe_id(part.call_id, limit=CALL_ID_LIMIT),
            "output": output,
        }
        if self._own and part.name:
            item["name"] = part.name
        if self._own and part.extras:
            return merged(part.extras, item)
        return item

    def _reasoning(self, part: Thinking, path: str) -> Obj:
        sig = part.signature
        mine = self._caps.family if self._caps.family == "grok" else "gpt"
        if sig is None or sig.family != mine:
            if self._own and sig is None and part.item_id and part.paragraphs and part.raw:
                # Open-weight hosts keep plain reasoning text.
                plain: Obj = {"type": "reasoning", "id": part.item_id, **_said(part)}
                return merged(part.extras or {}, plain)
            why = "another model's" if sig is not None else "unsigned"
            self._losses.add(path, f"{why} reasoning cannot be replayed", "info")
            return {}
        item: Obj = {"type": "reasoning", **_said(part), "encrypted_content": sig.value}
        if part.item_id:
            item["id"] = part.item_id
        if self._own and part.extras:
            return merged(part.extras, item)
        return item

    # ---- content ------------------------------------------------------------------------------
    def _content(self, part: Part, path: str, *, assistant: bool) -> list[Obj]:
        match part:
            case Text():
                if not part.text:
                    return []
                if part.signature is not None:
                    self._losses.add(
                        self._paths.member(path, "signature"),
                        "only its issuer understands it",
                        "info",
                    )
                return [self._text(part, path, assistant=assistant)]
            case Refusal():
                return [{"type": "refusal", "refusal": part.text}] if assistant else []
            case Image():
                return self._image(part, path, assistant=assistant)
            case Document():
                return self._document(part, path)
            case Audio():
                return self._audio(part, path)
            case Video():
                self._losses.add(path, "this upstream takes no video", "error")
                return []
            case Opaque():
                if self._own and isinstance(part.value, dict):
                    return [part.value]
                if (said := self._worded(part, path)) is not None:
                    return self._content(said, path, assistant=assistant)
                self._losses.add(path, f"{part.kind or 'this part'} means nothing to this upstream")
                return []
            case ServerResult():
                if part in self._ran:
                    self._made(part, path)
                elif not self._own:
                    self._losses.add(path, "a result of the provider's own tool")
                return []
            case _:
                return []

    def _text(self, part: Text, path: str, *, assistant: bool) -> Obj:
        wire: Obj = {"type": "output_text" if assistant else "input_text", "text": part.text}
        if part.citations and not self._own:
            self._losses.add(
                self._paths.member(path, "citations"), "only its issuer can cite", "info"
            )
        if self._own and part.citations:
            wire["annotations"] = [
                c["native"] for c in part.citations if isinstance(c.get("native"), dict)
            ]
        return self.marked({**wire, **self.own(part.extras)}, part.cache)

    def _image(self, part: Image, path: str, *, assistant: bool) -> list[Obj]:
        if assistant:
            self._losses.add(path, "an assistant's picture cannot be replayed", "error")
            return []
        media = part.media
        wire: Obj = {"type": "input_image", "detail": part.detail or "auto"}
        if isinstance(media, FileId):
            if not media.dialect.startswith("openai"):
                self._losses.add(path, "the file was uploaded to another provider", "error")
                return []
            wire["file_id"] = media.id
        elif isinstance(media, Url) and not _fetched(media.url):
            self._losses.add(path, "only http and https addresses can be passed on", "error")
            return []
        else:
            wire["image_url"] = data_url(media) if isinstance(media, Inline) else media.url
        return [self.marked({**wire, **self.own(part.extras)}, part.cache)]

    def _document(self, part: Document, path: str) -> list[Obj]:
        media = part.media
        if part.citations_enabled:
            self._losses.add(f"{path}.citations", "documents are not cited here", "info")
        if part.blocks:
            inner = [b for p in part.blocks for b in self._content(p, path, assistant=False)]
            head = "\n".join(t for t in (part.title, part.context) if t)
            return [{"type": "input_text", "text": head}, *inner] if head else inner
        if isinstance(media, PlainText):
            head = "\n".join(t for t in (part.title, part.context) if t)
            text = f"{head}\n\n{media.text}" if head else media.text
            return [self.marked({"type": "input_text", "text": text}, part.cache)]
        if part.context:
            self._losses.add(f"{path}.context", "files have no context here", "info")
        wire: Obj = {"type": "input_file"}
        if isinstance(media, Inline):
            wire["filename"] = part.title or _name(media.mime)
            wire["file_data"] = data_url(media)
        elif isinstance(media, Url):
            if not _fetched(media.url):
                self._losses.add(path, "only http and https addresses can be passed on", "error")
                return []
            wire["file_url"] = media.url
            if part.title and not self._own:
                title = self._paths.member(path, "title")
                self._losses.add(title, "files by address have no name here", "info")
            if self._own and part.title:
                wire["filename"] = part.title
        elif media.dialect.startswith("openai"):
            wire["file_id"] = media.id
            if self._own and part.title:
                wire["filename"] = part.title
        else:
            self._losses.add(path, "the file was uploaded to another provider", "error")
            return []
        return [self.marked({**wire, **self.own(part.extras)}, part.cache)]

    def _audio(self, part: Audio, path: str) -> list[Obj]:
        media = part.media
        form = _AUDIO.get(media.mime) if isinstance(media, Inline) else None
        if form is None or not isinstance(media, Inline):
            self._losses.add(path, "only inline wav and mp3 sound can be passed on", "error")
            return []
        wire: Obj = {"type": "input_audio", "input_audio": {"data": media.b64, "format": form}}
        return [merged(self.own(part.extras), wire)]


def _fetched(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))


def _is_item(part: Opaque) -> bool:
    return not part.kind.startswith(CONTENT)


def _said(part: Thinking) -> Obj:
    if part.raw:
        content = [{"type": "reasoning_text", "text": t} for t in part.paragraphs]
        return {"summary": [], "content": content}
    return {"summary": [{"type": "summary_text", "text": t} for t in part.paragraphs]}


def _name(mime: str) -> str:
    return "document.pdf" if mime == "application/pdf" else "document"
