"""IR events → a Gemini answer, streamed (`GeminiWriter`) or whole (`render`).

Text and thoughts go out as they come; a call goes out whole when its arguments are complete. The
finish reason and the token counts are in the last chunk. Streams are framed as server-sent events,
or as one JSON array for clients that did not ask for `alt=sse`.
"""

from __future__ import annotations

from collections.abc import Sequence

from cliproxy.base import ids, json
from cliproxy.base.json import Obj
from cliproxy.dialects.gemini import code, errors, grounding, logprobs
from cliproxy.dialects.gemini.usage import usage_to
from cliproxy.dialects.gemini.wire import REASONS
from cliproxy.dialects.sse import COMMENT, frame
from cliproxy.ir.envelope import FOREIGN, for_dialect, redacted
from cliproxy.ir.events import (
    ArgsDelta,
    BlockStart,
    BlockStop,
    Citation,
    End,
    Error,
    Event,
    Finish,
    MediaDelta,
    Preview,
    RefusalDelta,
    Signature,
    Start,
    TextDelta,
    ThinkingBreak,
    ThinkingDelta,
    Usage,
)
from cliproxy.ir.fold import Answer, Block, call_args
from cliproxy.ir.request import IRRequest, Sig
from cliproxy.ir.serialise import Serialiser
from cliproxy.ir.server_tools import CODE
from cliproxy.ir.usage import NOTHING


class GeminiWriter:
    """Writes one streaming answer."""

    def __init__(self, req: IRRequest, *, array: bool = False) -> None:
        self._model = req.model
        self._array = array
        self._first = True
        self._serial = _Serial()
        self._tail = b""
        """What every chunk ends with, encoded once."""
        self._usage = NOTHING
        self._blocks: dict[int, _Open] = {}
        self._finishes: list[Finish] = []
        self._texts: dict[int, list[str]] = {}
        self._found: dict[int, grounding.Found] = {}
        self._signed: set[int] = set()
        """Candidates that have had a signed part."""
        self._over = False

    def feed(self, events: Sequence[Event]) -> bytes:
        """Return the frames of these events."""
        out: list[bytes] = []
        for event in self._serial.feed(events):
            match event:
                case TextDelta():
                    self._say(out, event.index, event.text)
                case ThinkingDelta():
                    block = self._blocks[event.index]
                    text = "\n\n" + event.text if block.parted else event.text
                    block.parted = False
                    block.pieces.append(text)
                    self._think(out, event.index, text)
                case ArgsDelta() | RefusalDelta():
                    block = self._blocks[event.index]
                    block.pieces.append(event.text)
                    if block.start.kind == "refusal":
                        self._text(out, block.start.choice, event.text, b"")
                case MediaDelta():
                    self._blocks[event.index].pieces.append(event.b64)
                case ThinkingBreak():
                    block = self._blocks[event.index]
                    block.parted = bool(block.pieces)
                case BlockStart():
                    self._blocks[event.index] = _Open(event)
                case Signature():
                    self._blocks[event.index].sig = event.sig
                case Citation():
                    self._blocks[event.index].citations.append(event.value)
                case BlockStop():
                    self._close(out, self._blocks.pop(event.index))
                case Usage():
                    self._usage = self._usage.merge(event.usage)
                case Start():
                    self._begin(event)
                case Finish():
                    self._finishes.append(event)
                case Error():
                    self._over = True
                    out.append(self._frame(json.dumps(errors.error_object(event)), last=True))
                case End():
                    self._end(out)
        return b"".join(out)

    def ping(self) -> bytes:
        """Return a keep-alive; inside an array white space is one."""
        return b"" if self._array and self._first else b"\n" if self._array else COMMENT

    # ---- frames -------------------------------------------------------------------------------
    def _begin(self, start: Start) -> None:
        tail = json.dumps({"modelVersion": self._model, "responseId": start.id or ids.token(20)})
        self._tail = b"," + tail[1:]

    def _frame(self, data: bytes, *, last: bool = False) -> bytes:
        if not self._array:
            return frame(data)
        lead = b"[" if self._first else b",\r\n"
        self._first = False
        return lead + data + (b"]" if last else b"")

    def _part(self, out: list[bytes], choice: int, part: Obj) -> None:
        candidate = {"content": {"role": "model", "parts": [part]}, "index": choice}
        body = json.dumps({"candidates": [candidate]})
        out.append(self._frame(body[:-1] + self._tail))

    def _text(self, out: list[bytes], choice: int, text: str, flags: bytes) -> None:
        # Every streamed token goes through here: only the text itself is encoded anew.
        out.append(
            self._frame(
                b'{"candidates":[{"content":{"role":"model","parts":[{"text":%s%s}]},"index":%d}]%s'
                % (json.dumps(text), flags, choice, self._tail)
            )
        )

    # ---- blocks -------------------------------------------------------------------------------
    def _say(self, out: list[bytes], index: int, text: str) -> None:
        block = self._blocks[index]
        block.pieces.append(text)
        self._text(out, block.start.choice, text, b"")

    def _think(self, out: list[bytes], index: int, text: str) -> None:
        self._text(out, self._blocks[index].start.choice, text, b',"thought":true')

    def _close(self, out: list[bytes], block: _Open) -> None:
        start = block.start
        text = "".join(block.pieces)
        for part in _closing(start, text, self._signature(start, block.sig)):
            self._part(out, start.choice, part)
        if start.kind in _FINDS:
            texts = self._texts.setdefault(start.choice, [])
            found = self._found.setdefault(start.choice, grounding.Found())
            _find(found, start, text, block.citations, sum(map(len, texts)))
            if start.kind in ("text", "refusal"):
                texts.append(text)

    def _signature(self, start: BlockStart, sig: Sig | None) -> Sig | None:
        sig = _marked(start.kind, sig, signed=start.choice in self._signed)
        if sig is not None:
            self._signed.add(start.choice)
        return sig

    def _end(self, out: list[bytes]) -> None:
        if self._over:
            return
        self._over = True
        finishes = self._finishes or [Finish("stop")]
        candidates: list[Obj] = []
        for finish in finishes:
            candidate: Obj = {
                "content": {"role": "model", "parts": [{"text": ""}]},
                "finishReason": REASONS[finish.reason],
                "index": finish.choice,
            }
            text = "".join(self._texts.get(finish.choice, ()))
            found = self._found.get(finish.choice)
            if found is not None and (metadata := found.metadata(text)):
                candidate["groundingMetadata"] = metadata
            if found is not None and (pages := found.pages()):
                candidate["urlContextMetadata"] = pages
            if result := logprobs.write(finish.details):
                candidate["logprobsResult"] = result
            candidates.append(candidate)
        body: Obj = {"candidates": candidates}
        if self._usage.known:
            body["usageMetadata"] = usage_to(self._usage)
        if not self._tail:
            self._begin(Start())
        out.append(self._frame(json.dumps(body)[:-1] + self._tail, last=True))


class _Serial:
    """Makes the blocks of each candidate sequential; candidates do not wait for each other."""

    __slots__ = ("_blocks", "_choices")

    def __init__(self) -> None:
        self._choices: dict[int, Serialiser] = {}
        self._blocks: dict[int, Serialiser] = {}
        """Which one keeps a block that is open."""

    def feed(self, events: Sequence[Event]) -> list[Event]:
        """Return the events that may be written now."""
        out: list[Event] = []
        for event in events:
            match event:
                case TextDelta() | ThinkingDelta() | ArgsDelta():  # hot
                    out += self._blocks[event.index].feed((event,))
                case Start() | Usage() | Preview() | Finish():
                    out.append(event)
                case Error() | End():
                    for serial in self._choices.values():
                        out += serial.feed([event])[:-1]
                    out.append(event)
                case BlockStart():
                    serial = self._choices.setdefault(event.choice, Serialiser())
                    self._blocks[event.index] = serial
                    out += serial.feed([event])
                case BlockStop():
                    out += self._blocks.pop(event.index).feed([event])
                case _:
                    out += self._blocks[event.index].feed([event])
        return out


class _Open:
    """A block while it is written."""

    __slots__ = ("citations", "parted", "pieces", "sig", "start")

    def __init__(self, start: BlockStart) -> None:
        self.start = start
        self.pieces: list[str] = []
        self.citations: list[Obj] = []
        self.parted = False
        """A paragraph of reasoning ended; what parts it from the next is due if one comes."""
        self.sig: Sig | None = start.signature


def _closing(start: BlockStart, text: str, sig: Sig | None) -> list[Obj]:
    """Return the parts that can be written only when a block is complete."""
    signed: Obj = {"thoughtSignature": for_dialect(sig, "gemini")} if sig else {}
    match start.kind:
        case "tool_call":
            call = {"id": start.id, "name": start.name, "args": call_args(text, start.tool_kind)}
            return [{"functionCall": call, **signed}]
        case "image" | "audio":
            mime = start.mime or ("image/png" if start.kind == "image" else "audio/wav")
            return [{"inlineData": {"mimeType": mime, "data": text}}]
        case "server_call":
            if start.dialect == "gemini" and isinstance(start.native, dict):
                return [start.native]
            return [code.executable(text)] if start.server_kind == CODE else []
        case "server_result":
            if start.server_kind != CODE:
                return []
            own = start.dialect == "gemini" and isinstance(start.native, dict)
            return [start.native if own else code.executed(start.payload)]
        case "opaque":
            return [start.native] if start.dialect == "gemini" else []
        case "redacted":
            if sig is None:
                return []
            return [{"text": "", "thought": True, "thoughtSignature": redacted(sig, "gemini")}]
        case "thinking":
            return [{"text": "", "thought": True, **signed}] if sig else []
        case "text":
            return [{"text": "", **signed}] if sig else []
        case _:
            return []


_FINDS = frozenset({"text", "refusal", "server_call", "server_result"})


def _find(
    found: grounding.Found, start: BlockStart, text: str, cited: list[Obj], base: int
) -> None:
    """Note what a block says about where the answer is from; it begins at `base` of the text."""
    if start.kind in ("text", "refusal"):
        found.cited(cited, base, len(text))
    elif start.server_kind == "web_fetch":
        if start.kind == "server_call":
            found.opens(start.id, text)
        else:
            found.opened(start.id, start.payload)
    elif start.server_kind == "web_search":
        if start.kind == "server_call":
            found.asked(text)
        elif start.kind == "server_result":
            found.got(start.payload)


# ---- whole answers ------------------------------------------------------------------------------
def render(answer: Answer, req: IRRequest) -> bytes:
    """Write a whole answer."""
    choices = sorted({b.start.choice for b in answer.blocks} | set(answer.finishes) | {0})
    candidates: list[Obj] = []
    for number in choices:
        blocks = answer.of_choice(number)
        finish = answer.finishes.get(number, answer.finish)
        parts: list[Obj] = []
        signed = False
        for block in blocks:
            sig = _marked(block.kind, block.signature, signed=signed)
            signed = signed or sig is not None
            parts += _whole(block, sig)
        candidate: Obj = {
            "content": {"role": "model", "parts": parts},
            "finishReason": REASONS[finish.reason],
            "index": number,
        }
        found = grounding.Found()
        text = ""
        for block in blocks:
            _find(found, block.start, block.text, block.citations, len(text))
            if block.kind in ("text", "refusal"):
                text += block.text
        if metadata := found.metadata(text):
            candidate["groundingMetadata"] = metadata
        if pages := found.pages():
            candidate["urlContextMetadata"] = pages
        if result := logprobs.write(finish.details):
            candidate["logprobsResult"] = result
        candidates.append(candidate)
    body: Obj = {"candidates": candidates}
    if answer.usage.known:
        body["usageMetadata"] = usage_to(answer.usage)
    body["modelVersion"] = req.model
    body["responseId"] = answer.start.id or ids.token(20)
    return json.dumps(body)


def _marked(kind: str, sig: Sig | None, *, signed: bool) -> Sig | None:
    """Return the signature to write: the first call of an answer always carries one."""
    return FOREIGN if sig is None and kind == "tool_call" and not signed else sig


def _whole(block: Block, sig: Sig | None) -> list[Obj]:
    signed: Obj = {"thoughtSignature": for_dialect(sig, "gemini")} if sig else {}
    match block.kind:
        case "text" | "refusal" if block.text or sig:
            return [{"text": block.text, **signed}]
        case "thinking" if block.text or sig:
            return [{"text": block.text, "thought": True, **signed}]
        case _:
            return _closing(block.start, block.text, sig)
