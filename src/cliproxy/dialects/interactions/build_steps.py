"""IR instructions and messages → `system_instruction` and the steps of `input`."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Sequence

from cliproxy.base.json import Json, Obj
from cliproxy.dialects import where
from cliproxy.dialects._listed import unlisted
from cliproxy.dialects._merge import merged
from cliproxy.dialects._telling import Telling
from cliproxy.dialects._unread import report_extras, report_system
from cliproxy.dialects.interactions import steps
from cliproxy.dialects.interactions.wire import CONTENT
from cliproxy.ir.arguments import object_of
from cliproxy.ir.caps import Caps
from cliproxy.ir.loss import Losses
from cliproxy.ir.media import image_mime, mime_of_name
from cliproxy.ir.names import NameMap, custom_args
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
    Sig,
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
_Media = Image | Audio | Video | Document
_KINDS: dict[type[Part], str] = {
    Image: "image",
    Audio: "audio",
    Video: "video",
    Document: "document",
}


def build_steps(
    req: IRRequest, caps: Caps, names: NameMap, losses: Losses
) -> tuple[str, list[Obj]]:
    """Return the instructions ("" = none) and the steps."""
    own = req.source == "interactions"
    system = list(req.system)
    messages: Sequence[Message] = req.messages
    if not own:
        report_system(req, losses)
        messages = pair(_placed(req, system), losses, orphans="drop")
        report_extras(req, list(messages), losses, "interactions", "a turn")
    ran = Pairs(() if own else messages, (CODE, MCP))
    writer = _Writer(caps, names, losses, where.Paths(req), ran, own=own)
    out = [
        step
        for n, message in enumerate(messages)
        for step in writer.message(message, f"input[{n}]")
    ]
    if not own:
        _ends(out, system, losses)
    said = "\n\n".join(text.text for text in system if own or text.text.strip())
    return said, out


def _placed(req: IRRequest, system: list[SystemText]) -> list[Message]:
    """Later instructions go to the top; an Anthropic client's are reminders about this turn."""
    out: list[Message] = []
    for message in req.messages:
        if message.role != "system":
            out.append(message)
            continue
        texts = [p for p in message.parts if isinstance(p, Text)]
        if req.source == "anthropic":
            said = "\n\n".join(p.text for p in texts)
            reminder = f"<system-reminder>\n{said}\n</system-reminder>"
            out.append(Message("user", (Text(reminder),)))
        else:
            system += [SystemText(p.text, developer=message.developer) for p in texts]
    return out


def _ends(out: list[Obj], system: list[SystemText], losses: Losses) -> None:
    """End with the user, or with calls that wait."""
    while out and out[-1]["type"] in ("model_output", "thought"):
        out.pop()
        losses.add("messages", "the API cannot continue a begun answer")
    if not out:
        text = system.pop().text if system else START
        out.append({"type": "user_input", "content": [{"type": "text", "text": text or START}]})
        losses.add("messages", "there is no user message; one was made", "info", "synthesised")


class _Writer(Telling):
    """Writes messages as steps."""

    def message(self, message: Message, path: str) -> Iterator[Obj]:
        """Yield the steps of one message: neighbouring content in one step."""
        if message.name:
            self._losses.add("messages.name", "turns have no names here", "info")
        content: list[Obj] = []
        for number, part in enumerate(self._ordered(message)):
            here = self._paths.of(part, f"{path}.content[{number}]")
            if not self._own:
                self._report(part, here)
            found = self._steps(part, here)
            if found is None:
                content += self._content(part, here)
                continue
            if found and content:
                yield self._wrap(message, content)
                content = []
            yield from found
        if content or (self._own and not message.parts):
            yield self._wrap(message, content)

    def _ordered(self, message: Message) -> tuple[Part, ...]:
        """Put the calls of a foreign turn last: nothing may part them from their results."""
        if self._own or message.role != "assistant":
            return message.parts
        calls = [p for p in message.parts if isinstance(p, ToolCall) and p.kind != "server"]
        rest = [p for p in message.parts if not isinstance(p, ToolCall) or p.kind == "server"]
        return (*rest, *calls)

    def _report(self, part: Part, path: str) -> None:
        if isinstance(part, ServerResult | Refusal | Opaque):
            return
        for key in part.extras or ():
            if key != "native":
                self._losses.add(f"{path}.{key}", "the API has no such field", "info")
        if isinstance(part, Text | Image | Document | ToolCall | ToolResult) and part.cache:
            self._losses.add("cache_control", "Gemini caches on its own", "info")

    def _wrap(self, message: Message, content: list[Obj]) -> Obj:
        kind = "model_output" if message.role == "assistant" else "user_input"
        step: Obj = {"type": kind, "content": content}
        return {**message.extras, **step} if self._own and message.extras else step

    # ---- steps --------------------------------------------------------------------------------
    def _steps(self, part: Part, path: str) -> list[Obj] | None:
        """Write what is a step of its own; None for content, nothing for what is left out."""
        match part:
            case Thinking():
                return self._thought(part, path)
            case ToolCall(kind="server"):
                return self._server_call(part, path)
            case ToolCall():
                return [*self._signed(part.signature, path), self._call(part)]
            case ToolResult():
                return [self._result(part, path)]
            case ServerResult():
                return self._server_result(part, path)
            case Opaque() if self._own and isinstance(part.value, dict):
                return None if part.kind.startswith(CONTENT) else [part.value]
            case _:
                return None  # content

    def _thought(self, part: Thinking, path: str) -> list[Obj]:
        sig = part.signature
        if (sig is None and not self._own) or (sig is not None and sig.family != "gemini"):
            why = "another model's" if sig is not None else "unsigned"
            self._losses.add(path, f"{why} reasoning cannot be replayed", "info")
            return []
        step: Obj = {"type": "thought"}
        if sig is not None:
            step["signature"] = sig.value
        paragraphs = part.paragraphs or ((part.text,) if part.text else ())
        summary: list[Json] = [{"type": "text", "text": text} for text in paragraphs]
        extras = dict(part.extras or {}) if self._own else {}
        summary += extras.pop("summary", [])
        if summary:
            step["summary"] = summary
        return [{**extras, **step}]

    def _signed(self, sig: Sig | None, path: str) -> list[Obj]:
        """Return the thought that carries a call's or a text's signature."""
        if sig is None:
            return []
        if sig.family != "gemini":
            self._losses.add(
                self._paths.member(path, "signature"), "only its issuer understands it", "info"
            )
            return []
        return [{"type": "thought", "signature": sig.value}]

    def _call(self, part: ToolCall) -> Obj:
        text = custom_args(part.args) if part.kind == "custom" else part.args
        read = object_of(text)
        if read.trouble:
            self._losses.add(f"tool_call({part.id})", read.trouble, action="approximated")
        step: Obj = {
            "type": "function_call",
            "id": part.id,
            "name": self._names.to_target(part.name, part.namespace),
            "arguments": read.value,
        }
        return merged(part.extras, step) if self._own and part.extras else step

    def _result(self, part: ToolResult, path: str) -> Obj:
        native = (part.extras or {}).get("native") if self._own else None
        step: Obj = {"type": "function_result", "call_id": part.call_id}
        if part.name:
            step["name"] = self._names.to_target(part.name)
        step["result"] = self._answer(part, path) if native is None else native
        if part.is_error is not None:
            step["is_error"] = part.is_error
        rest = {k: v for k, v in (part.extras or {}).items() if k != "native"}
        return {**rest, **step} if self._own and rest else step

    def _answer(self, part: ToolResult, path: str) -> Json:
        if not self._own:
            part = unlisted(part)
        content: list[Obj] = []
        for number, inner in enumerate(part.parts):
            here = self._paths.inside(path, number)
            if not self._own:
                self._report(inner, here)
            content += self._content(inner, here)
        texts = [c["text"] for c in content if c["type"] == "text"]
        plain = len(texts) == len(content)
        if self._own:
            # One text may have been a list of one; more, or one with more to it, surely was a list.
            plain = (
                plain and len(content) < 2 and all(c.keys() == {"type", "text"} for c in content)
            )
        return "\n".join(texts) if plain else list[Json](content)

    def _server_call(self, part: ToolCall, path: str) -> list[Obj]:
        native = (part.extras or {}).get("native")
        if self._own and isinstance(native, dict):
            return [native]
        step = None
        if part in self._ran:
            kind = part.server_kind or ""
            step = steps.call_step(kind, part.id, part.name, part.namespace, part.args)
        if step is None:
            self._losses.add(path, f"a call of the provider's own {part.server_kind} tool")
            return []
        return [step]

    def _server_result(self, part: ServerResult, path: str) -> list[Obj]:
        if self._own and isinstance(part.native, dict):
            return [part.native]
        step = None
        if part in self._ran:
            step = steps.result_step(part.kind, part.call_id, part.payload, (part.kind, ""))
        if step is None:
            self._losses.add(path, "a result of the provider's own tool")
            return []
        self._made(part, path)
        return [step]

    # ---- content ------------------------------------------------------------------------------
    def _content(self, part: Part, path: str) -> list[Obj]:
        match part:
            case Text():
                return self._text(part, path)
            case Refusal():
                return [{"type": "text", "text": part.text}]
            case Image() | Audio() | Video() | Document():
                return self._media(part, path)
            case Opaque() if self._own and isinstance(part.value, dict):
                return [part.value]
            case Opaque() if (said := self._worded(part, path, draws=True)) is not None:
                return self._content(said, path)
            case Opaque():
                what = part.kind or "this part"
                self._losses.add(path, f"{what} means nothing to the Interactions API")
                return []
            case _:
                return []

    def _text(self, part: Text, path: str) -> list[Obj]:
        wire: Obj = {"type": "text", "text": part.text}
        if part.citations:
            if self._own:
                natives = [c["native"] for c in part.citations if "native" in c]
                wire["annotations"] = natives
            else:
                self._losses.add(
                    self._paths.member(path, "citations"), "only its issuer can cite", "info"
                )
        if part.signature is not None:
            # Where it would have to stand is not told by the API's documents.
            self._losses.add(
                self._paths.member(path, "signature"), "texts are not signed here", "info"
            )
        if not part.text and not self._own:
            return []
        return [{**(part.extras or {}), **wire} if self._own else wire]

    def _media(self, part: _Media, path: str) -> list[Obj]:
        media = part.media
        if not self._own:
            if isinstance(part, Image) and part.detail not in (None, "auto"):
                self._losses.add(
                    self._paths.member(path, "detail"), "there is no such setting here", "info"
                )
            if isinstance(part, Document) and (found := self._document(part, path)) is not None:
                return found
        wire: Obj = {"type": _KINDS[type(part)]}
        match media:
            case Inline():
                mime = image_mime(media) if isinstance(part, Image) else media.mime
                wire |= {"data": media.b64, "mime_type": mime}
            case Url():
                wire["uri"] = media.url
                mime_type = media.mime or (None if self._own else _guess(part, media.url))
                if mime_type:
                    wire["mime_type"] = mime_type
            case FileId():
                if media.dialect not in ("gemini", "interactions"):
                    self._losses.add(path, "the file was uploaded to another provider", "error")
                    return []
                wire["uri"] = media.id
                if media.mime:
                    wire["mime_type"] = media.mime
            case PlainText():
                wire = {"type": "text", "text": media.text}
        if isinstance(part, Video) and part.meta and not self._own:
            self._losses.add(f"{path}.videoMetadata", "films have no such setting here", "info")
        extras = {k: v for k, v in (part.extras or {}).items() if k != "native"}
        return [{**extras, **wire} if self._own else wire]

    def _document(self, part: Document, path: str) -> list[Obj] | None:
        """Return a document that is sent as text; None for one that is sent as a file."""
        media = part.media
        if part.citations_enabled:
            self._losses.add(f"{path}.citations", "documents are not cited here", "info")
        head = "\n".join(t for t in (part.title, part.context) if t)
        if part.blocks:
            inner = [w for b in part.blocks for w in self._content(b, path)]
            return [{"type": "text", "text": head}, *inner] if head else inner
        text = None
        if isinstance(media, PlainText):
            text = media.text
        elif isinstance(media, Inline) and media.mime.startswith("text/") and media.mime != _CSV:
            text = b64decode(media.b64).decode("utf-8", "replace")
        if text is not None:
            return [{"type": "text", "text": f"{head}\n\n{text}" if head else text}]
        if part.context:
            self._losses.add(f"{path}.context", "files have no context here", "info")
        if part.title:
            self._losses.add(self._paths.member(path, "title"), "files have no name here", "info")
        return None


_CSV = "text/csv"
"""The one text that the API takes as a file."""


def _guess(part: _Media, url: str) -> str:
    """Tell what is behind an address; the API wants to know."""
    found = mime_of_name(url.split("?", maxsplit=1)[0].rpartition("/")[2].lower())
    match part:
        case Image():
            return found if found and found.startswith("image/") else "image/jpeg"
        case Document():
            return found or "application/pdf"
        case Audio():
            return found or "audio/mpeg"
        case Video():
            return found or "video/mp4"
