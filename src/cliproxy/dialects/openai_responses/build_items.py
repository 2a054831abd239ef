"""IR instructions and messages → `instructions` and `input` of a Responses request."""

from __future__ import annotations

from collections.abc import Iterator

from cliproxy.base.json import Obj
from cliproxy.dialects.openai_responses.wire import CALL_ID_LIMIT
from cliproxy.ir.caps import Caps
from cliproxy.ir.loss import Losses
from cliproxy.ir.media import data_url
from cliproxy.ir.names import NameMap, safe_id
from cliproxy.ir.pairing import pair
from cliproxy.ir.request import (
    Audio,
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

_AUDIO = {"audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/wav": "wav", "audio/x-wav": "wav"}


def build_items(
    req: IRRequest, caps: Caps, names: NameMap, losses: Losses
) -> tuple[str | None, list[Obj]]:
    """Return instructions (None: there are none) and input items."""
    own = req.source == "openai-responses"
    writer = _Writer(caps, names, losses, own=own)
    instructions: str | None = None
    items: list[Obj] = []
    rest = list(req.system)
    if own:
        if rest and rest[0].instructions:
            instructions = rest.pop(0).text
    elif rest and req.source in ("anthropic", "gemini"):
        instructions = "\n\n".join(text.text for text in rest)
        rest = []
    for text in rest:
        role = "developer" if text.developer or caps.codex else "system"
        part: Obj = {"type": "input_text", "text": text.text}
        items.append({"type": "message", "role": role, "content": [part]})
    paired = pair(req.messages, losses, orphans="drop", order="original" if own else "call")
    for number, message in enumerate(paired):
        items += writer.message(message, f"messages[{number}]")
    if not items:
        # Instructions alone are no request here; said as input they are.
        items.append({"type": "message", "role": "user", "content": instructions or "."})
        losses.add("messages", "there is no user message; one was made", "info", "synthesised")
    return instructions, items


class _Writer:
    def __init__(self, caps: Caps, names: NameMap, losses: Losses, *, own: bool) -> None:
        self._caps = caps
        self._names = names
        self._losses = losses
        self._own = own

    def message(self, message: Message, path: str) -> Iterator[Obj]:
        """Yield the items of one message: neighbouring content in one message item."""
        content: list[Obj] = []
        for number, part in enumerate(message.parts):
            where = f"{path}.content[{number}]"
            item = self._item(part, where)
            if item is None:
                content += self._content(part, where, assistant=message.role == "assistant")
                continue
            if not item:
                continue  # reported, and left out
            if content:
                yield self._wrap(message, content)
                content = []
            yield item
        if content:
            yield self._wrap(message, content)

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
        if message.name:
            self._losses.add("messages.name", "the Responses API has no names", "info")
        return item

    def _item(self, part: Part, path: str) -> Obj | None:
        """Write what is an item of its own; None for content."""
        match part:
            case ToolCall(kind="server"):
                native = (part.extras or {}).get("native")
                if self._own and isinstance(native, dict):
                    return native
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
        custom = part.kind == "custom"
        args = part.args if custom or part.args.strip() else "{}"
        if part.signature is not None:
            self._losses.add(f"{path}.signature", "only its issuer understands it", "info")
        item: Obj = {
            "type": "custom_tool_call" if custom else "function_call",
            "call_id": safe_id(part.id, limit=CALL_ID_LIMIT),
            "name": self._names.to_target(part.name, part.namespace),
            "input" if custom else "arguments": args,
        }
        if self._own and part.item_id:
            item["id"] = part.item_id
        if self._own and part.extras:
            item |= part.extras
        return item

    def _result(self, part: ToolResult, path: str) -> Obj:
        kind = "custom_tool_call_output" if part.kind == "custom" else "function_call_output"
        content = [
            wire
            for number, inner in enumerate(part.parts)
            for wire in self._content(inner, f"{path}.content[{number}]", assistant=False)
        ]
        texts = [c["text"] for c in content if c.get("type") == "input_text"]
        output = content if len(texts) != len(content) else "\n".join(texts)
        if part.is_error and not self._own:
            self._losses.add(f"{path}.is_error", "outputs have no error flag", "info")
        item: Obj = {
            "type": kind,
            "call_id": safe_id(part.call_id, limit=CALL_ID_LIMIT),
            "output": output,
        }
        if self._own and part.extras:
            item |= part.extras
        return item

    def _reasoning(self, part: Thinking, path: str) -> Obj:
        sig = part.signature
        mine = self._caps.family if self._caps.family == "grok" else "gpt"
        if sig is None or sig.family != mine:
            if self._own and sig is None and part.item_id and part.paragraphs and part.raw:
                # Open-weight hosts keep plain reasoning text.
                content = [{"type": "reasoning_text", "text": t} for t in part.paragraphs]
                return {
                    "type": "reasoning", "id": part.item_id, "summary": [], "content": content,
                }  # fmt: skip
            why = "another model's" if sig is not None else "unsigned"
            self._losses.add(path, f"{why} reasoning cannot be replayed", "info")
            return {}
        item: Obj = {
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": t} for t in part.paragraphs],
            "encrypted_content": sig.value,
        }
        if part.item_id:
            item["id"] = part.item_id
        if self._own and part.extras:
            item |= part.extras
        return item

    # ---- content ------------------------------------------------------------------------------
    def _content(self, part: Part, path: str, *, assistant: bool) -> list[Obj]:
        match part:
            case Text():
                if not part.text:
                    return []
                return [{"type": "output_text" if assistant else "input_text", "text": part.text}]
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
                self._losses.add(path, f"{part.kind or 'this part'} means nothing to this upstream")
                return []
            case ServerResult():
                if not self._own:
                    self._losses.add(path, "a result of the provider's own tool")
                return []
            case _:
                return []

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
        else:
            wire["image_url"] = data_url(media) if isinstance(media, Inline) else media.url
        return [wire]

    def _document(self, part: Document, path: str) -> list[Obj]:
        media = part.media
        if part.blocks:
            inner = [b for p in part.blocks for b in self._content(p, path, assistant=False)]
            head = "\n".join(t for t in (part.title, part.context) if t)
            return [{"type": "input_text", "text": head}, *inner] if head else inner
        if isinstance(media, PlainText):
            head = "\n".join(t for t in (part.title, part.context) if t)
            return [
                {"type": "input_text", "text": f"{head}\n\n{media.text}" if head else media.text}
            ]
        if part.context:
            self._losses.add(f"{path}.context", "files have no context here", "info")
        wire: Obj = {"type": "input_file"}
        if isinstance(media, Inline):
            wire["filename"] = part.title or _name(media.mime)
            wire["file_data"] = data_url(media)
        elif isinstance(media, Url):
            wire["file_url"] = media.url
        elif media.dialect.startswith("openai"):
            wire["file_id"] = media.id
        else:
            self._losses.add(path, "the file was uploaded to another provider", "error")
            return []
        return [wire]

    def _audio(self, part: Audio, path: str) -> list[Obj]:
        media = part.media
        form = _AUDIO.get(media.mime) if isinstance(media, Inline) else None
        if form is None or not isinstance(media, Inline):
            self._losses.add(path, "only inline wav and mp3 sound can be passed on", "error")
            return []
        return [{"type": "input_audio", "input_audio": {"data": media.b64, "format": form}}]


def _is_item(part: Opaque) -> bool:
    return not part.kind.startswith(("input_", "output_"))


def _name(mime: str) -> str:
    return "document.pdf" if mime == "application/pdf" else "document"
