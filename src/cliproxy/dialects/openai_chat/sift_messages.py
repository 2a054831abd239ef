"""What of a conversation a chat upstream can take; the rest is reported as lost."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from typing import assert_never

from msgspec import structs

from cliproxy.base.json import Obj
from cliproxy.dialects import where
from cliproxy.dialects._listed import unlisted
from cliproxy.dialects._worded import worded
from cliproxy.dialects.openai_chat.wire import AUDIO_FORMATS
from cliproxy.ir.caps import Caps
from cliproxy.ir.loss import Losses
from cliproxy.ir.names import NameMap
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

_TEXT_MIMES = frozenset(
    {"application/json", "application/xml", "application/yaml", "application/javascript"}
)


class Sieve:
    """Keeps the parts a chat upstream can take; reports the others."""

    def __init__(self, req: IRRequest, caps: Caps, names: NameMap, losses: Losses) -> None:
        self._req = req
        self._names = names
        self._caps = caps
        self._losses = losses
        self._own = req.source == "openai-chat"
        self._paths = where.Paths(req)
        self.named_results: set[str] = set()
        """Call ids whose results the client itself gave a name."""

    def message(self, index: int, message: Message) -> Message:
        """Return a message with the parts that are kept."""
        parts: list[Part] = []
        for part in message.parts:
            parts.extend(self._carry(part, self._paths.of(part, "messages"), message.role))
        extras = message.extras
        if extras and not self._own:
            self._extras(extras, where.message(self._req, index))
            extras = None
        return structs.replace(message, parts=tuple(parts), extras=extras)

    def _extras(self, extras: Obj, path: str) -> None:
        for key in extras:
            if key != "native":  # the whole part, as its issuer wrote it
                self._losses.add(f"{path}.{key}", "chat completions has no such field", "info")

    def _carry(self, part: Part, path: str, role: str) -> Iterator[Part]:
        if not self._own:
            part = self._without_foreign(part, path)
        match part:
            case Text() | Refusal():
                yield part
            case Image():
                yield from self._image(part, path, role)
            case Document():
                yield from self._document(part, path)
            case Audio():
                yield from self._audio(part, path)
            case Video():
                yield from self._video(part, path)
            case Thinking():
                yield from self._thinking(part, path)
            case ToolCall():
                yield from self._call(part, path)
            case ToolResult():
                yield self._result(part, path)
            case ServerResult():
                self._losses.add(path, f"the result of the provider's own {part.kind} tool")
            case Opaque():
                if part.dialect == "openai-chat":
                    yield part
                elif (said := worded(part, self._names)) is not None:
                    why = f"{part.kind} is said in other words"
                    self._losses.add(path, why, "info", "approximated")
                    yield from self._carry(said, path, role)
                else:
                    self._losses.add(path, f"chat completions has no {part.kind or 'such'} part")
            case _:
                assert_never(part)

    def _without_foreign(self, part: Part, path: str) -> Part:
        """Take off what only the client's own dialect has: extras, cache hints, citations."""
        if not isinstance(part, ServerResult | Refusal | Opaque) and part.extras:
            self._extras(part.extras, path)
            part = structs.replace(part, extras=None)
        if isinstance(part, Text | Image | Document | ToolCall | ToolResult) and part.cache:
            self._losses.add(f"{path}.cache_control", "chat upstreams cache on their own", "info")
            part = structs.replace(part, cache=None)
        if isinstance(part, Text) and part.citations:
            self._losses.add(
                self._paths.member(path, "citations"), "history has no place for citations", "info"
            )
        return part

    def _image(self, part: Image, path: str, role: str) -> Iterator[Part]:
        why = ""
        match part.media:
            case FileId():
                why = "uploaded images cannot be referred to in chat completions"
            case Url(url=url) if not url.lower().startswith(("http://", "https://")):
                why = "only http and https addresses can be passed on"
            case Url() if not self._caps.remote_images:
                why = "this upstream does not fetch images by address"
            case _:
                if role == "assistant" and not self._own:
                    why = "an assistant message cannot hold an image"
        if why:
            self._losses.add(path, why, "error")
        else:
            yield part

    def _document(self, part: Document, path: str) -> Iterator[Part]:
        if part.context:
            self._losses.add(
                f"{path}.context", "the context was put into the text", "info", "moved"
            )
        if part.citations_enabled:
            self._losses.add(f"{path}.citations", "chat completions cannot cite documents", "info")
        if part.blocks:
            if head := _heading(part):
                yield Text(head)
            for block in part.blocks:
                yield from self._carry(block, path, "user")
            return
        match part.media:
            case PlainText(text=text):
                yield Text(_titled(part, text))
            case Inline() as media:
                body = None if self._own else _as_text(media)
                if body is not None:
                    yield Text(_titled(part, body))
                    return
                if part.context:
                    yield Text(part.context)
                yield part
            case FileId(dialect="openai-chat" | "openai-responses" | "openai-completions"):
                yield part
            case FileId():
                self._losses.add(path, "the file was uploaded to another provider", "error")
            case Url(url=url):
                self._losses.add(
                    path, "only the document's address was passed on", "error", "approximated"
                )
                yield Text(_titled(part, url))

    def _audio(self, part: Audio, path: str) -> Iterator[Part]:
        media = part.media
        if isinstance(media, Inline) and (self._own or media.mime in AUDIO_FORMATS):
            yield part
            return
        self._losses.add(path, "only inline wav and mp3 sound can be passed on", "error")

    def _video(self, part: Video, path: str) -> Iterator[Part]:
        if isinstance(part.media, FileId) or (self._caps.base_is_official and not self._own):
            self._losses.add(path, "this upstream takes no video", "error")
            return
        if part.meta:
            self._losses.add(f"{path}.videoMetadata", "no such field in chat completions")
        yield part

    def _thinking(self, part: Thinking, path: str) -> Iterator[Part]:
        if part.text and self._caps.echo_reasoning:
            yield part
        else:
            self._losses.add(path, "this upstream does not take reasoning back", "info")

    def _call(self, part: ToolCall, path: str) -> Iterator[Part]:
        if part.kind == "server":
            self._losses.add(path, f"a call of the provider's own {part.server_kind} tool")
            return
        if part.signature is not None and (
            part.signature.family != "gemini" or self._caps.family != "gemini"
        ):
            self._losses.add(
                self._paths.member(path, "signature"), "only its issuer understands it", "info"
            )
            part = structs.replace(part, signature=None)
        yield part

    def _result(self, part: ToolResult, path: str) -> ToolResult:
        if part.is_error and not self._own:
            self._losses.add(
                self._paths.member(path, "is_error"), "tool messages have no error flag", "info"
            )
        if part.name:
            self.named_results.add(part.call_id)
        parts: list[Part] = []
        part = part if self._own else unlisted(part)
        for number, inner in enumerate(part.parts):
            parts.extend(self._carry(inner, self._paths.inside(path, number), "user"))
        return structs.replace(part, parts=tuple(parts))


def _heading(part: Document) -> str:
    return "\n".join(text for text in (part.title, part.context) if text)


def _titled(part: Document, text: str) -> str:
    head = _heading(part)
    return f"{head}\n\n{text}" if head else text


def _as_text(media: Inline) -> str | None:
    """Return the text of a text file; files of other kinds have none."""
    mime = media.mime.partition(";")[0]
    if not (mime.startswith("text/") or mime in _TEXT_MIMES):
        return None
    try:
        return b64decode(media.b64).decode("utf-8")
    except ValueError:
        return None
