"""IR instructions and messages → `systemInstruction` parts and `contents`."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator

from msgspec import structs

from cliproxy.base import json
from cliproxy.base.json import Obj
from cliproxy.dialects import where
from cliproxy.dialects._listed import unlisted
from cliproxy.dialects._merge import merged
from cliproxy.dialects._telling import Telling
from cliproxy.dialects._unread import report_extras, report_system
from cliproxy.dialects.gemini import code
from cliproxy.dialects.gemini.wire import DUMMY_SIGNATURE, SIGNED
from cliproxy.ir.arguments import object_of
from cliproxy.ir.caps import Caps
from cliproxy.ir.loss import Losses
from cliproxy.ir.media import OCTETS, image_mime, mime_of_name
from cliproxy.ir.names import NameMap, custom_args
from cliproxy.ir.pairing import merge_roles, pair
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
from cliproxy.ir.server_tools import CODE, Pairs

START = "."
_MEDIA = Image | Audio | Video | Document


def build_contents(
    req: IRRequest, caps: Caps, names: NameMap, losses: Losses
) -> tuple[list[Obj], list[Obj]]:
    """Return the parts of the system instruction, and contents."""
    system = list(req.system)
    messages = _place_system(req, system)
    paired = pair(messages, losses, orphans="drop")
    own = req.source == "gemini"
    ran = Pairs(() if own else paired, (CODE,))
    writer = _Writer(caps, names, losses, where.Paths(req), ran, own=own)
    kept = [
        structs.replace(m, parts=tuple(writer.keep(m, f"contents[{n}].parts")))
        for n, m in enumerate(paired)
    ]
    joined = list(merge_roles(kept))
    report_extras(req, joined, losses, "gemini", "the content")
    if req.source != "gemini":
        report_system(req, losses)
    _ends(req, joined, system, losses)
    contents = [writer.content(m) for m in joined]
    texts: list[Obj] = [
        {**((s.extras or {}) if own else {}), "text": s.text}
        for s in system
        if (s.text if own else s.text.strip())
    ]
    return texts, [c for c in contents if c["parts"]]


def _place_system(req: IRRequest, system: list[SystemText]) -> list[Message]:
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


def _ends(
    req: IRRequest, messages: list[Message], system: list[SystemText], losses: Losses
) -> None:
    """Begin and end with the user."""
    while messages and messages[-1].role == "assistant":
        last = messages[-1]
        if any(isinstance(p, ToolCall) and p.kind != "server" for p in last.parts):
            break
        messages.pop()
        losses.add("messages", "Gemini cannot continue a begun answer")
    if not messages:
        text = system.pop().text if system else START
        messages.append(Message("user", (Text(text or START),)))
        losses.add("messages", "there is no user message; one was made", "info", "synthesised")
    elif messages[0].role == "assistant":
        messages.insert(0, Message("user", (Text(START),)))
        losses.add(where.message(req, 0), "the API begins with the user", "info", "synthesised")


class _Writer(Telling):
    """Decides what can be said, then says it."""

    def __init__(
        self,
        caps: Caps,
        names: NameMap,
        losses: Losses,
        paths: where.Paths,
        ran: Pairs,
        *,
        own: bool,
    ) -> None:
        super().__init__(caps, names, losses, paths, ran, own=own)
        self._called: dict[str, str] = {}
        """Names of the calls written so far, by their ids: results must be called the same."""
        self._must_sign = bool(SIGNED.match(caps.model.rsplit("/", 1)[-1]))

    # ---- keeping ------------------------------------------------------------------------------
    def keep(self, message: Message, path: str) -> list[Part]:
        """Return the parts this API can carry, in the order it wants them."""
        assistant = message.role == "assistant"
        if message.name:
            self._losses.add("messages.name", "the Gemini API has no names", "info")
        kept = [
            p
            for n, part in enumerate(message.parts)
            for p in self._reported(part, f"{path}[{n}]", assistant=assistant)
        ]
        if assistant:
            calls = [p for p in kept if isinstance(p, ToolCall) and p.kind != "server"]
            rest = [p for p in kept if not (isinstance(p, ToolCall) and p.kind != "server")]
            return [*rest, *self._signed(calls)]
        return kept

    def _signed(self, calls: list[ToolCall]) -> list[ToolCall]:
        """Give the first call of a step the stand-in signature if the model demands one."""
        if not calls or calls[0].signature is not None or not self._must_sign:
            return calls
        first = structs.replace(calls[0], signature=Sig(DUMMY_SIGNATURE, "dummy"))
        return [first, *calls[1:]]

    def _reported(self, part: Part, path: str, *, assistant: bool) -> list[Part]:
        path = self._paths.of(part, path)
        if not self._own:
            if not isinstance(part, ServerResult | Refusal | Opaque):
                for key in part.extras or ():
                    if key != "native":
                        self._losses.add(
                            f"{path}.{key}", "the Gemini API has no such field", "info"
                        )
            if isinstance(part, Text | Image | Document | ToolCall | ToolResult) and part.cache:
                self._losses.add("cache_control", "Gemini caches on its own", "info")
        return self._keep(part, path, assistant=assistant)

    def _keep(self, part: Part, path: str, *, assistant: bool) -> list[Part]:
        match part:
            case Text():
                if part.citations:
                    self._losses.add(
                        self._paths.member(path, "citations"), "only its issuer can cite", "info"
                    )
                if not part.text.strip() and part.signature is None:
                    return []
                if part.signature is not None and not self._mine(part.signature):
                    return [structs.replace(part, signature=None)]
                return [part]
            case Refusal():
                return [Text(part.text)] if part.text.strip() else []
            case Thinking():
                if assistant and part.signature is not None and self._mine(part.signature):
                    return [part]
                unsigned = self._own and self._caps.family != "claude"
                if unsigned and part.text and part.signature is None:
                    return [part]
                why = "another model's" if part.signature is not None else "unsigned"
                self._losses.add(path, f"{why} reasoning cannot be replayed", "info")
                return []
            case Opaque() if (said := self._worded(part, path, draws=True)) is not None:
                return self._keep(said, path, assistant=assistant)
            case ToolCall(kind="server") | ServerResult() | Opaque():
                return self._foreign(part, path)
            case ToolCall():
                if part.signature is not None and not self._mine(part.signature):
                    self._losses.add(
                        self._paths.member(path, "signature"),
                        "only its issuer understands it",
                        "info",
                    )
                    return [structs.replace(part, signature=None)]
                return [part]
            case ToolResult():
                part = part if self._own else unlisted(part)
                inner = [
                    p
                    for n, sub in enumerate(part.parts)
                    for p in self._reported(sub, f"{path}.content[{n}]", assistant=False)
                ]
                return [structs.replace(part, parts=tuple(inner))]
            case Image() | Audio() | Video() | Document():
                return self._media(part, path)

    def _mine(self, sig: Sig) -> bool:
        if self._caps.family == "claude":
            # Some hosts offer Claude behind this API.
            return sig.family == "claude"
        return sig.family in ("gemini", "dummy")

    def _media(self, part: Image | Audio | Video | Document, path: str) -> list[Part]:
        media = part.media
        if isinstance(media, FileId) and media.dialect != "gemini":
            self._losses.add(path, "the file was uploaded to another provider", "error")
            return []
        if isinstance(media, Url) and not self._caps.remote_images:
            self._losses.add(path, "this upstream fetches no addresses", "error")
            return []
        if isinstance(media, Inline) and media.mime == OCTETS and not self._own:
            self._losses.add(path, "Gemini takes no file of unknown kind", "error")
            return []
        if isinstance(part, Image) and part.detail and part.detail != "auto":
            self._losses.add(
                self._paths.member(path, "detail"), "Gemini has no such setting here", "info"
            )
        if isinstance(part, Document):
            if part.citations_enabled:
                self._losses.add(f"{path}.citations", "documents are not cited here", "info")
            if part.context and not part.blocks and not isinstance(media, PlainText):
                self._losses.add(f"{path}.context", "files have no context here", "info")
            if part.title and not (self._own or part.blocks or isinstance(media, PlainText)):
                self._losses.add(
                    self._paths.member(path, "title"), "files have no name here", "info"
                )
        if isinstance(part, Document) and part.blocks:
            head = "\n".join(t for t in (part.title, part.context) if t)
            inner = [p for b in part.blocks for p in self._keep(b, path, assistant=False)]
            return [Text(head), *inner] if head else inner
        return [part]

    def _foreign(self, part: ToolCall | ServerResult | Opaque, path: str) -> list[Part]:
        if self._own or part in self._ran:
            if isinstance(part, ServerResult):
                self._made(part, path)
            return [part]
        what = part.kind if isinstance(part, Opaque) else "the provider's own tool"
        self._losses.add(path, f"{what} means nothing to Gemini")
        return []

    # ---- writing ------------------------------------------------------------------------------
    def content(self, message: Message) -> Obj:
        """Write one content."""
        role = "model" if message.role == "assistant" else "user"
        responses: list[Obj] = []
        attached: list[Obj] = []
        rest: list[Obj] = []
        for part in message.parts:
            if isinstance(part, ToolResult):
                # All responses first: nothing may stand between them.
                response, *blobs = self._result(part)
                responses.append(response)
                attached += blobs
            else:
                rest += self._parts(part)
        wire: Obj = {"role": role, "parts": [*responses, *attached, *rest]}
        return {**message.extras, **wire} if self._own and message.extras else wire

    def _parts(self, part: Part) -> Iterator[Obj]:
        match part:
            case Text():
                yield self._more(_with({"text": part.text}, part.signature), part.extras)
            case Thinking():
                wire = _with({"text": part.text, "thought": True}, part.signature)
                yield self._more(wire, part.extras)
            case ToolCall(kind="server"):
                native = (part.extras or {}).get("native") if self._own else None
                yield native if isinstance(native, dict) else code.executable(part.args)
            case ToolCall():
                yield self._call(part)
            case ToolResult():
                pass  # written with its turn
            case ServerResult():
                if self._own and isinstance(part.native, dict):
                    yield part.native
                elif part in self._ran:
                    yield code.executed(part.payload)
            case Opaque():
                if isinstance(part.value, dict):
                    yield part.value
            case Image() | Audio() | Video() | Document():
                yield self._blob(part)
            case Refusal():
                yield {"text": part.text}

    def _call(self, part: ToolCall) -> Obj:
        text = custom_args(part.args) if part.kind == "custom" else part.args
        read = object_of(text)
        if read.trouble:
            self._losses.add(f"tool_call({part.id})", read.trouble, action="approximated")
        name = self._names.to_target(part.name, part.namespace)
        self._called[part.id] = name
        wire: Obj = {"functionCall": {"id": part.id, "name": name, "args": read.value}}
        return self._more(_with(wire, part.signature), part.extras)

    def _more(self, wire: Obj, extras: Obj | None) -> Obj:
        return merged(extras, wire) if self._own and extras else wire

    def _result(self, part: ToolResult) -> Iterator[Obj]:
        wires = [self._blob(p) for p in part.parts if isinstance(p, _MEDIA)]
        blobs = [w for w in wires if "text" not in w]
        texts = [p.text for p in part.parts if isinstance(p, Text)]
        said = "\n".join([*texts, *(w["text"] for w in wires if "text" in w)])
        value = _object(said) if self._own else None
        answer: Obj = {"error" if part.is_error else "output": said}
        if value is not None:
            answer = {"error": value} if part.is_error else value
        name = self._called.get(part.call_id) or self._names.to_target(part.name or "unknown")
        response: Obj = {"id": part.call_id, "name": name, "response": answer}
        if self._own:
            blobs += [p.value for p in part.parts if isinstance(p, Opaque)]
        if blobs and (self._own or self._caps.tool_images):
            response["parts"] = blobs
            blobs = []
        yield self._more({"functionResponse": response}, part.extras)
        for blob in blobs:
            yield {"text": f"Returned by tool call {part.call_id}:"}
            yield blob

    def _blob(self, part: Image | Audio | Video | Document) -> Obj:
        media = part.media
        wire: Obj
        match media:
            case PlainText():
                head = ""
                if isinstance(part, Document):
                    head = "\n".join(t for t in (part.title, part.context) if t)
                wire = {"text": f"{head}\n\n{media.text}" if head else media.text}
            case Inline():
                mime = image_mime(media) if isinstance(part, Image) else media.mime
                foreign = isinstance(part, Document) and not self._own
                if foreign and mime.startswith("text/") and mime != "text/plain":
                    return {"text": b64decode(media.b64).decode("utf-8", "replace")}
                wire = {"inlineData": {"mimeType": mime, "data": media.b64}}
            case Url():
                wire = {"fileData": {"fileUri": media.url}}
                if media.mime or not self._own:
                    wire["fileData"]["mimeType"] = media.mime or _guess(part, media.url)
            case FileId():
                wire = {"fileData": {"fileUri": media.id}}
                if media.mime:
                    wire["fileData"]["mimeType"] = media.mime
        if self._own and isinstance(part, Document) and part.title:
            for key in ("inlineData", "fileData"):
                if key in wire:
                    wire[key]["displayName"] = part.title
        if isinstance(part, Video) and part.meta:
            wire["videoMetadata"] = part.meta
        return self._more(wire, part.extras)


def _guess(part: Part, url: str) -> str:
    """Tell what is behind an address; the API wants to know."""
    found = mime_of_name(url.split("?", maxsplit=1)[0].rpartition("/")[2].lower())
    match part:
        case Image():
            return found if found and found.startswith("image/") else "image/jpeg"
        case Document():
            return found or "application/pdf"
        case Audio():
            return found or "audio/mpeg"
        case _:
            return found or "video/mp4"


def _object(text: str) -> Obj | None:
    """Return the object a Gemini client's own function response was."""
    return json.loads_object(text) if text.startswith("{") else None


def _with(wire: Obj, sig: Sig | None) -> Obj:
    if sig is not None:
        wire["thoughtSignature"] = sig.value
    return wire
