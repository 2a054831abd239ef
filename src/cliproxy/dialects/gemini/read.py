"""A Gemini answer, streamed or whole → IR events. The inverse is `write.py`.

A stream is a row of partial answers whose text is appended; calls come whole, or in pieces of
their arguments on Vertex. Runs of text or thought become blocks. A signature stays on what it was
put on: a call, a text, a thought; one that comes alone at the end belongs to the last of those.
"""

from __future__ import annotations

from typing import Final

from cliproxy.base import ids, json
from cliproxy.base.json import Json, Obj
from cliproxy.dialects.gemini import code as code_parts
from cliproxy.dialects.gemini import errors, grounding, logprobs
from cliproxy.dialects.gemini.usage import usage_from
from cliproxy.dialects.gemini.variants import from_prediction
from cliproxy.dialects.gemini.wire import FINISH
from cliproxy.ir.caps import Caps
from cliproxy.ir.envelope import unwrap
from cliproxy.ir.events import (
    ArgsDelta,
    BlockKind,
    BlockStart,
    BlockStop,
    Citation,
    End,
    Error,
    Event,
    Finish,
    MediaDelta,
    Reason,
    Signature,
    Start,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from cliproxy.ir.request import Family, Sig
from cliproxy.ir.server_tools import code_args
from cliproxy.ir.usage import NOTHING

_BROKEN: Final = "upstream_broken"


class GeminiReader:
    """Reads one answer."""

    def __init__(self, caps: Caps) -> None:
        self._family: Family = "gemini" if caps.family == "unknown" else caps.family
        self._started = False
        self._over = False
        self._next = 0
        self._counts: Obj = {}
        """The latest of every count; a chunk may leave some out."""
        self._usage = NOTHING
        self._choices: dict[int, _Choice] = {}
        self._ids: set[str] = set()
        """Of the calls so far."""
        self._blocked: str | None = None

    # ---- streams ------------------------------------------------------------------------------
    def feed(self, data: bytes, event: str = "") -> list[Event]:
        """Take the payload of one SSE event: one partial answer, or an array of them."""
        if self._over or data == b"[DONE]":
            return []
        try:
            value = json.loads(data)
        except json.InvalidJson:
            value = None
        if isinstance(value, list):
            return [e for item in value for e in self._chunk(item)]
        if value is None or not isinstance(value, dict):
            if self._started or not data.strip():
                return []
            message = "The upstream's first event is not valid JSON."
            return self._fail(Error(502, "server", message, _BROKEN))
        if event == "error" and "error" not in value:
            value = {"error": value}
        return self._chunk(value)

    def close(self) -> list[Event]:
        """Say that the upstream closed."""
        if self._over:
            return []
        self._over = True
        choices = self._choices
        if self._blocked is not None and not choices:
            return [Usage(self._usage), Finish("content_filter", self._blocked), End()]
        if not choices or any(c.native is None for c in choices.values()):
            out = [e for c in choices.values() for e in c.shut()]
            early = "The upstream's answer stopped before its end."
            return [*out, Error(502, "server", early, _BROKEN)]
        out = []
        for choice in choices.values():
            out += choice.ground()
            out += choice.shut()
        if self._empty():
            return [*out, self._nothing()]
        finishes = [c.finish(n) for n, c in choices.items()]
        usage = [Usage(self._usage)] if self._usage.known else []
        return [*out, *usage, *finishes, End()]

    def whole(self, body: bytes) -> list[Event]:
        """Read a complete answer, or a complete array of partial ones."""
        try:
            value = json.loads(body)
        except json.InvalidJson:
            value = None
        items = value if isinstance(value, list) else [value]
        if not items or not all(isinstance(item, dict) for item in items):
            message = "The upstream's answer is not a JSON object."
            return self._fail(Error(502, "server", message, _BROKEN))
        out: list[Event] = []
        for item in items:
            out += self._chunk(item)
        if not self._started and not self._over:
            message = "The upstream's answer holds no candidates."
            return [*out, *self._fail(Error(502, "server", message, _BROKEN))]
        if not isinstance(value, list):
            # A whole answer without a reason has ended all the same.
            for choice in self._choices.values():
                choice.native = choice.native or "STOP"
        return out + self.close()

    def _fail(self, error: Error) -> list[Event]:
        self._over = True
        return [error]

    def _empty(self) -> bool:
        if self._next:
            return False
        choice = self._choices.get(0)
        if choice is not None and FINISH.get(choice.native or "") == "malformed_tool":
            return True
        produced = (self._usage.output_total or 0) - (self._usage.reasoning or 0)
        return produced > 1 and choice is not None and choice.native == "STOP"

    def _nothing(self) -> Error:
        choice = self._choices[0]
        if FINISH.get(choice.native or "") == "malformed_tool":
            detail = f": {choice.message}" if choice.message else "."
            return Error(
                502,
                "server",
                f"The model ended with {choice.native} and no answer{detail}",
                _BROKEN,
            )
        return Error(
            502,
            "server",
            f"The upstream counted {self._usage.output_total} output tokens and sent nothing.",
            _BROKEN,
        )

    def _chunk(self, value: Json) -> list[Event]:
        if self._over or not isinstance(value, dict):
            return []
        inner = value.get("response")
        if isinstance(inner, dict) and "candidates" not in value:
            # The Code Assist envelope, whose trace is the answer's id.
            value = {"responseId": value.get("traceId"), **inner}
        if isinstance(value.get("predictions"), list) and "candidates" not in value:
            value = from_prediction(value)
        if value.get("error"):
            out = [e for c in self._choices.values() for e in c.shut()]
            return [*out, *self._fail(errors.read_event(value))]
        known = ("candidates", "usageMetadata", "promptFeedback", "responseId", "modelVersion")
        if not any(key in value for key in known):
            return []
        out = self._begin(value)
        if isinstance(usage := value.get("usageMetadata"), dict):
            self._counts.update({k: v for k, v in usage.items() if v is not None})
            self._usage = usage_from(self._counts)
        feedback = value.get("promptFeedback")
        if isinstance(feedback, dict) and feedback.get("blockReason"):
            self._blocked = str(feedback["blockReason"])
        candidates = value.get("candidates")
        for at, candidate in enumerate(candidates if isinstance(candidates, list) else ()):
            if isinstance(candidate, dict):
                number = candidate.get("index")
                out += self._candidate(number if isinstance(number, int) else at, candidate)
        return out

    def _begin(self, value: Obj) -> list[Event]:
        if self._started:
            return []
        self._started = True
        response_id, model = value.get("responseId"), value.get("modelVersion")
        return [
            Start(
                response_id if isinstance(response_id, str) else "",
                model if isinstance(model, str) else "",
            )
        ]

    def _candidate(self, number: int, wire: Obj) -> list[Event]:
        choice = self._choices.get(number)
        if choice is None:
            choice = self._choices[number] = _Choice(self, number)
        out: list[Event] = []
        content = wire.get("content")
        parts = content.get("parts") if isinstance(content, dict) else None
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict):
                out += choice.part(part)
        metadata = wire.get("groundingMetadata")
        if isinstance(metadata, dict):
            # Hosts send it in pieces, or again with more in it; what it is about is the whole text.
            choice.metadata.update({k: v for k, v in metadata.items() if v})
        pages = wire.get("urlContextMetadata")
        for url in grounding.opened(pages) if isinstance(pages, dict) else ():
            choice.opened.setdefault(url)  # hosts repeat what they have told
        choice.logprobs += logprobs.read(wire.get("logprobsResult"))
        reason = wire.get("finishReason")
        if isinstance(reason, str) and reason != "FINISH_REASON_UNSPECIFIED":
            choice.native = reason
            choice.message = str(wire.get("finishMessage") or "")
        return out

    def start(self, choice: int, kind: BlockKind, **fields: object) -> BlockStart:
        """Return the start of the next block."""
        start = BlockStart(self._next, kind, choice, **fields)  # type: ignore[arg-type]
        self._next += 1
        return start

    def call_id(self, value: Json) -> str:
        """Return a call's id, a new one for a call that has none or another call's."""
        known = isinstance(value, str) and value and value not in self._ids
        call_id = str(value) if known else f"call_{ids.token()}"
        self._ids.add(call_id)
        return call_id

    def sig(self, value: Json) -> Sig | None:
        """Read a `thoughtSignature`."""
        return unwrap(value, self._family) if isinstance(value, str) and value else None


class _Choice:
    """One candidate while it is read."""

    def __init__(self, reader: GeminiReader, number: int) -> None:
        self._reader = reader
        self._number = number
        self._open: BlockStart | None = None
        self._sig: Sig | None = None
        self._text: list[str] = []
        self._calls = 0
        self._partial: grounding.Partial | None = None
        self._code: list[str] = []
        """Ids of code whose result is to come."""
        self._before = ""
        """Text of the blocks before the open one."""
        self.metadata: Obj = {}
        self.opened: dict[str, None] = {}
        """Pages that were read, in their order."""
        self.logprobs: list[Json] = []
        self.native: str | None = None
        self.message = ""

    def reason(self) -> Reason:
        reason = FINISH.get(self.native or "", "stop")
        if self._calls and reason in ("stop", "malformed_tool"):
            return "tool_calls"
        return reason

    def finish(self, number: int) -> Finish:
        """Return how the candidate ended."""
        told = {"logprobs": {"content": self.logprobs}} if self.logprobs else None
        return Finish(self.reason(), self.native or "", choice=number, details=told)

    def shut(self) -> list[Event]:
        """Close the open block."""
        start, self._open = self._open, None
        if start is None:
            return []
        out: list[Event] = []
        if self._partial is not None:
            out += [ArgsDelta(start.index, self._partial.text())]
            self._partial = None
        if self._sig is not None:
            out.append(Signature(start.index, self._sig))
            self._sig = None
        out.append(BlockStop(start.index))
        return out

    def _run(self, kind: BlockKind) -> list[Event]:
        """Make sure a run of text or thought is open."""
        if self._open is not None and self._open.kind == kind and self._sig is None:
            return []
        out = self.shut()
        self._open = self._reader.start(self._number, kind)
        self._before += "".join(self._text)
        self._text = []
        return [*out, self._open]

    def part(self, wire: Obj) -> list[Event]:
        sig = self._reader.sig(wire.get("thoughtSignature"))
        text = wire.get("text")
        if isinstance(text, str):
            return self._said(text, sig, thought=wire.get("thought") is True)
        if isinstance(call := wire.get("functionCall"), dict):
            return self._call(call, sig)
        if isinstance(blob := wire.get("inlineData"), dict) and wire.get("thought") is not True:
            return self._blob(blob, wire)
        if isinstance(code := wire.get("executableCode"), dict):
            return self._executable(code, wire)
        if isinstance(result := wire.get("codeExecutionResult"), dict):
            return self._executed(result, wire)
        if sig is not None and not (wire.keys() - {"thoughtSignature", "thought"}):
            return self._said("", sig, thought=wire.get("thought") is True)
        return self._opaque(wire)

    def _said(self, text: str, sig: Sig | None, *, thought: bool) -> list[Event]:
        if not text:
            if sig is None:
                return []
            # A signature alone: it belongs to what was said last.
            out: list[Event] = []
            signs = ("thinking",) if thought else ("text", "thinking")
            if self._open is None or self._open.kind not in signs or self._sig:
                out = [*self.shut()]
                self._open = self._reader.start(self._number, "thinking")
                out.append(self._open)
            self._sig = sig
            return out
        out = self._run("thinking" if thought else "text")
        assert self._open is not None
        index = self._open.index
        if thought:
            out.append(ThinkingDelta(index, text))
        else:
            self._text.append(text)
            out.append(TextDelta(index, text))
        if sig is not None:
            self._sig = sig
        return out

    def _call(self, call: Obj, sig: Sig | None) -> list[Event]:
        name, call_id = call.get("name"), call.get("id")
        pieces = call.get("partialArgs")
        more = call.get("willContinue") is True
        if self._partial is not None and self._continues(name, call_id) and not call.get("args"):
            self._partial.add(pieces)
            return [] if more else self.shut()
        out = self.shut()
        self._calls += 1
        start = self._reader.start(
            self._number,
            "tool_call",
            id=self._reader.call_id(call_id),
            name=name if isinstance(name, str) and name else "unknown",
            signature=sig,
        )
        if more or isinstance(pieces, list):
            self._open = start
            self._partial = grounding.Partial()
            self._partial.add(pieces)
            return [*out, start, *([] if more else self.shut())]
        args = call.get("args")
        body = json.dumps_str(args) if args else ""
        delta: list[Event] = [ArgsDelta(start.index, body)] if body else []
        return [*out, start, *delta, BlockStop(start.index)]

    def _continues(self, name: Json, call_id: Json) -> bool:
        """Tell whether a piece belongs to the open call: it names none, or the same."""
        start = self._open
        if not name or start is None:
            return True
        return name == start.name and call_id in (None, "", start.id)

    def _blob(self, blob: Obj, wire: Obj) -> list[Event]:
        mime = str(blob.get("mimeType") or "application/octet-stream").lower()
        data = blob.get("data")
        if not isinstance(data, str) or not data:
            return []
        if not mime.startswith(("image/", "audio/")):
            return self._opaque(wire)
        kind: BlockKind = "audio" if mime.startswith("audio/") else "image"
        start = self._reader.start(self._number, kind, mime=mime)
        clean = data.replace("-", "+").replace("_", "/")
        return [*self.shut(), start, MediaDelta(start.index, clean), BlockStop(start.index)]

    def _opaque(self, wire: Obj) -> list[Event]:
        start = self._reader.start(self._number, "opaque", native=wire, dialect="gemini")
        return [*self.shut(), start, BlockStop(start.index)]

    def _executable(self, code: Obj, wire: Obj) -> list[Event]:
        call_id = str(code.get("id") or f"code_{ids.token(12)}")
        self._code.append(call_id)
        start = self._reader.start(
            self._number, "server_call", id=call_id, name="code_execution",
            server_kind="code_execution", native=wire, dialect="gemini",
        )  # fmt: skip
        args = ArgsDelta(start.index, code_args(code.get("code")))
        return [*self.shut(), start, args, BlockStop(start.index)]

    def _executed(self, result: Obj, wire: Obj) -> list[Event]:
        start = self._reader.start(
            self._number, "server_result", id=code_parts.answers(result, self._code),
            server_kind="code_execution", payload=code_parts.payload_of(result), native=wire,
            dialect="gemini",
        )  # fmt: skip
        return [*self.shut(), start, BlockStop(start.index)]

    def ground(self) -> list[Event]:
        """Turn grounding into citations of the open text and one search result."""
        metadata = self.metadata
        sources = grounding.sources(metadata)
        queries = metadata.get("webSearchQueries")
        if not sources and not queries:
            return self._pages()
        out: list[Event] = []
        if self._open is not None and self._open.kind == "text":
            index, base = self._open.index, len(self._before)
            cited = grounding.citations(metadata, sources, self._before + "".join(self._text))
            out += [Citation(index, grounding.within(v, base)) for v in cited if v["end"] > base]
        out += self.shut()
        call_id = f"ws_{ids.token(16)}"
        asked = queries if isinstance(queries, list) else []
        query = next((q for q in asked if isinstance(q, str)), "")
        call = self._reader.start(
            self._number, "server_call", id=call_id, name="web_search", server_kind="web_search"
        )
        out += [
            call,
            ArgsDelta(call.index, json.dumps_str({"query": query})),
            BlockStop(call.index),
        ]
        result = self._reader.start(
            self._number, "server_result", id=call_id, server_kind="web_search",
            payload={"results": [{"url": u, "title": t} for u, t in dict(sources).items() if u]},
            native=metadata, dialect="gemini",
        )  # fmt: skip
        return [*out, result, BlockStop(result.index), *self._pages()]

    def _pages(self) -> list[Event]:
        """Tell which pages were read."""
        out: list[Event] = self.shut() if self.opened else []
        for url in self.opened:
            call_id = f"ws_{ids.token(16)}"
            call = self._reader.start(
                self._number, "server_call", id=call_id, name="web_fetch", server_kind="web_fetch"
            )
            said = ArgsDelta(call.index, json.dumps_str({"url": url}))
            out += [call, said, BlockStop(call.index)]
            result = self._reader.start(
                self._number, "server_result", id=call_id, server_kind="web_fetch",
                payload={"url": url}, native={"urlMetadata": [{"retrievedUrl": url}]},
                dialect="gemini",
            )  # fmt: skip
            out += [result, BlockStop(result.index)]
        return out
