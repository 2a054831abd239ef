"""Events → a chat completions answer, streamed (`ChatWriter`) or whole (`render`).

The stream is exactly

```
role-chunk (content | reasoning_content | refusal | tool_calls | images | audio)*
annotations? finish-chunk usage-chunk? [DONE]
```

per choice, as the official accumulators need it: they *concatenate* strings, so role, call id and
name are sent once; they index lists, so tool indices are dense from 0; and the last chunk's usage
wins, so usage comes last and only if asked for.

What has no place here is not written: redacted reasoning, signatures (but Gemini's on tool calls,
for which Google's own compatible endpoint has a field), and the calls of tools the provider ran,
of which the annotations remain. Log probabilities arrive in `Finish.details["logprobs"]`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from cliproxy.base import ids, json
from cliproxy.base.json import Obj
from cliproxy.dialects._errors import event_error
from cliproxy.dialects._openai_usage import tier_to, usage_to
from cliproxy.dialects.openai_chat.write_choice import (
    BREAK,
    annotation_of,
    audio_of,
    extra_content,
    finish_reason,
    image_of,
    legacy_functions,
    malformed,
    whole_choice,
)
from cliproxy.dialects.sse import COMMENT, DONE
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
    RefusalDelta,
    Signature,
    Start,
    TextDelta,
    ThinkingBreak,
    ThinkingDelta,
    Usage,
)
from cliproxy.ir.fold import Answer
from cliproxy.ir.request import IRRequest
from cliproxy.ir.usage import NOTHING


def _now() -> int:
    return int(datetime.now(UTC).timestamp())


class _Choice:
    """What one choice has shown so far."""

    __slots__ = ("annotations", "chars", "head", "images", "refused", "said", "thought", "tools")

    def __init__(self, head: bytes) -> None:
        self.head = head
        """A chunk up to and including `"delta":`."""
        self.tools = 0
        self.images = 0
        self.chars = 0
        self.said = False
        self.refused = False
        self.thought = False
        self.annotations: list[Obj] = []


class _Block:
    """An open block and the constant bytes around its next delta."""

    __slots__ = ("begin", "choice", "cited", "empty", "end", "gap", "start", "tool", "words")

    def __init__(self, start: BlockStart, choice: _Choice) -> None:
        self.start = start
        self.choice = choice
        self.begin = b""
        self.end = b""
        self.gap = False
        """A paragraph break is due before the next reasoning text."""
        self.tool = -1
        self.empty = True
        self.cited: list[Obj] = []
        self.words = choice.chars
        """Characters of the message before this block."""


class ChatWriter:
    """Renders one streamed answer. See `cliproxy.dialects.Writer`."""

    def __init__(self, req: IRRequest) -> None:
        self._model = req.model
        self._with_usage = req.stream_usage
        self._legacy = legacy_functions(req)
        self._usage = NOTHING
        self._choices: dict[int, _Choice] = {}
        self._blocks: dict[int, _Block] = {}
        self._prefix = b""
        self._over = False
        # hot: the end of every ordinary chunk is one constant.
        nulls = b',"usage":null}\n\n' if req.stream_usage else b"}\n\n"
        self._tail = b',"finish_reason":null}]' + nulls
        self._tail_finish = b"}]" + nulls
        self._tail_usage = nulls
        self._write: dict[type, Callable[[Any, list[bytes]], None]] = {
            Start: self._on_start,
            BlockStart: self._on_block,
            TextDelta: self._on_text,
            RefusalDelta: self._on_plain,
            ArgsDelta: self._on_plain,
            ThinkingDelta: self._on_thinking,
            ThinkingBreak: self._on_break,
            MediaDelta: self._on_media,
            Signature: self._on_signature,
            Citation: self._on_citation,
            BlockStop: self._on_stop,
            Usage: self._on_usage,
            Finish: self._on_finish,
            Error: self._on_error,
            End: self._on_end,
        }

    def feed(self, events: Sequence[Event]) -> bytes:
        """Return the wire bytes of these events."""
        out: list[bytes] = []
        write = self._write
        for event in events:
            if self._over:
                break
            write[event.__class__](event, out)
        return b"".join(out)

    def ping(self) -> bytes:
        """Return a comment: legal anywhere."""
        return COMMENT

    # ---- the frame of a chunk -----------------------------------------------------------------
    def _on_start(self, event: Start, out: list[bytes]) -> None:
        fixed = json.dumps(
            {
                "id": ids.with_prefix("chatcmpl-", event.id),
                "object": "chat.completion.chunk",
                "created": event.created or _now(),
                "model": self._model,
            }
        )
        self._prefix = b"data: " + fixed[:-1] + b',"choices":['
        self._choice(0, out)

    def _choice(self, index: int, out: list[bytes]) -> _Choice:
        choice = self._choices.get(index)
        if choice is None:
            head = self._prefix + b'{"index":%d,"delta":' % index
            choice = self._choices[index] = _Choice(head)
            out.append(head + b'{"role":"assistant","content":""}' + self._tail)
        return choice

    def _chunk(self, choice: _Choice, delta: Obj, out: list[bytes]) -> None:
        out.append(choice.head + json.dumps(delta) + self._tail)

    # ---- blocks -------------------------------------------------------------------------------
    def _on_block(self, event: BlockStart, out: list[bytes]) -> None:
        choice = self._choice(event.choice, out)
        block = self._blocks[event.index] = _Block(event, choice)
        block.end = b"}" + self._tail
        match event.kind:
            case "text":
                block.begin = choice.head + b'{"content":'
            case "thinking":
                block.begin = choice.head + b'{"reasoning_content":'
                block.gap = choice.thought
            case "refusal":
                block.begin = choice.head + b'{"refusal":'
                choice.refused = True
            case "tool_call":
                self._open_call(block, out)
            case _:
                pass

    def _open_call(self, block: _Block, out: list[bytes]) -> None:
        event, choice = block.start, block.choice
        index = block.tool = choice.tools
        choice.tools += 1
        choice.said = True
        if self._legacy:
            if index == 0:
                self._chunk(choice, {"function_call": {"name": event.name, "arguments": ""}}, out)
                block.begin = choice.head + b'{"function_call":{"arguments":'
                block.end = b"}}" + self._tail
            return
        custom = event.tool_kind == "custom"
        kind, args = ("custom", "input") if custom else ("function", "arguments")
        entry: Obj = {"index": index, "id": event.id, "type": kind}
        entry[kind] = {"name": event.name, args: ""}
        if event.signature is not None and event.signature.family == "gemini":
            entry["extra_content"] = extra_content(event.signature)
        self._chunk(choice, {"tool_calls": [entry]}, out)
        block.begin = choice.head + b'{"tool_calls":[{"index":%d,"%s":{"%s":' % (
            index,
            kind.encode(),
            args.encode(),
        )
        block.end = b"}}]}" + self._tail

    def _on_stop(self, event: BlockStop, out: list[bytes]) -> None:
        block = self._blocks.pop(event.index)
        for value in block.cited:
            note = annotation_of(value, block.words, block.choice.chars)
            if note is not None:
                block.choice.annotations.append(note)
        # Arguments are JSON text: a call without any has an empty object. Freeform input may be "".
        if block.tool >= 0 and block.empty and block.start.tool_kind != "custom" and block.begin:
            out.append(block.begin + b'"{}"' + block.end)

    # ---- deltas: the hot path -----------------------------------------------------------------
    def _on_text(self, event: TextDelta, out: list[bytes]) -> None:
        block = self._blocks[event.index]
        choice = block.choice
        choice.said = True
        choice.chars += len(event.text)
        out.append(block.begin)
        out.append(json.dumps(event.text))
        out.append(block.end)

    def _on_plain(self, event: RefusalDelta | ArgsDelta, out: list[bytes]) -> None:
        block = self._blocks[event.index]
        if not block.begin:  # a call of the provider's own tool is not shown
            return
        block.empty = False
        block.choice.said = True
        out.append(block.begin)
        out.append(json.dumps(event.text))
        out.append(block.end)

    def _on_thinking(self, event: ThinkingDelta, out: list[bytes]) -> None:
        block = self._blocks[event.index]
        text = event.text
        if block.gap and text:
            text, block.gap = BREAK + text, False
        if text:
            block.choice.thought = True
            block.empty = False
        out.append(block.begin)
        out.append(json.dumps(text))
        out.append(block.end)

    def _on_break(self, event: ThinkingBreak, _out: list[bytes]) -> None:
        block = self._blocks[event.index]
        block.gap = block.gap or not block.empty

    # ---- what comes once ----------------------------------------------------------------------
    def _on_media(self, event: MediaDelta, out: list[bytes]) -> None:
        block = self._blocks[event.index]
        choice = block.choice
        choice.said = True
        if block.start.kind == "audio":
            self._chunk(choice, {"audio": audio_of(block.start, event.b64)}, out)
            return
        image = image_of(block.start.mime, event.b64, choice.images)
        choice.images += 1
        self._chunk(choice, {"images": [image]}, out)

    def _on_signature(self, event: Signature, out: list[bytes]) -> None:
        block = self._blocks[event.index]
        if block.tool < 0 or self._legacy or event.sig.family != "gemini":
            return
        entry: Obj = {"index": block.tool, "extra_content": extra_content(event.sig)}
        if block.start.tool_kind != "custom":
            entry["function"] = {"arguments": ""}  # the official accumulator insists on it
        self._chunk(block.choice, {"tool_calls": [entry]}, out)

    def _on_citation(self, event: Citation, _out: list[bytes]) -> None:
        # A source of the whole block may be named before its text.
        self._blocks[event.index].cited.append(event.value)

    # ---- the end ------------------------------------------------------------------------------
    def _on_usage(self, event: Usage, _out: list[bytes]) -> None:
        self._usage = self._usage.merge(event.usage)

    def _on_finish(self, event: Finish, out: list[bytes]) -> None:
        choice = self._choice(event.choice, out)
        if event.reason == "malformed_tool" and not choice.said:
            self._on_error(Error.of(malformed(event)), out)
            return
        if choice.annotations:
            self._chunk(choice, {"annotations": choice.annotations}, out)
        reason = finish_reason(event, called=choice.tools > 0, refused=choice.refused)
        if self._legacy and reason == "tool_calls":
            reason = "function_call"
        logprobs = (event.details or {}).get("logprobs")
        middle = b',"logprobs":' + json.dumps(logprobs) if logprobs else b""
        finish = b'{},"finish_reason":"%s"' % reason.encode()
        tail = self._tail_finish
        if tier := tier_to(self._usage):
            tail = b'}],"service_tier":' + json.dumps(tier) + self._tail_usage
        out.append(choice.head + finish + middle + tail)

    def _on_end(self, _event: End, out: list[bytes]) -> None:
        if self._with_usage and self._usage.known:
            usage = json.dumps(usage_to(self._usage))
            out.append(self._prefix + b'],"usage":' + usage + b"}\n\n")
        out.append(DONE)
        self._over = True

    def _on_error(self, event: Error, out: list[bytes]) -> None:
        out.append(event_error(event))
        self._over = True


def render(answer: Answer, req: IRRequest) -> bytes:
    """Write a whole answer. Raises `UpstreamBroken` where there is nothing but a broken call."""
    body: Obj = {
        "id": ids.with_prefix("chatcmpl-", answer.start.id),
        "object": "chat.completion",
        "created": answer.start.created or _now(),
        "model": req.model,
        "choices": [
            whole_choice(answer.of_choice(index), finish, legacy=legacy_functions(req))
            for index, finish in sorted((answer.finishes or {0: answer.finish}).items())
        ],
    }
    if answer.usage.known:
        body["usage"] = usage_to(answer.usage)
    if tier := tier_to(answer.usage):
        body["service_tier"] = tier
    return json.dumps(body)
