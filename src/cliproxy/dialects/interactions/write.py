"""IR events → an Interactions answer, streamed (`InteractionsWriter`) or whole (`render`).

Steps go out strictly one after another. Neighbouring text, pictures and sound share one step of
output, in which all text in a row is one content. A signature that has no place on a step goes
out in a thought of its own: before a call, or marked, after what it belongs to. The whole answer
is what the stream adds up to.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from cliproxy.base import ids, json
from cliproxy.base.json import Obj
from cliproxy.dialects.interactions import errors, steps
from cliproxy.dialects.interactions.usage import usage_to
from cliproxy.dialects.interactions.wire import STATUSES
from cliproxy.dialects.sse import COMMENT, named_frame
from cliproxy.ir import envelope
from cliproxy.ir.envelope import for_dialect, redacted
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
from cliproxy.ir.fold import Answer, call_args, replay
from cliproxy.ir.request import IRRequest, Sig
from cliproxy.ir.serialise import Serialiser
from cliproxy.ir.usage import NOTHING

_MOST: Final = 253402300800
"""The year 10000 in seconds. Upstreams exist that count milliseconds."""
DONE = b"event: done\ndata: [DONE]\n\n"
_LATER = ("arguments", "result", "is_error", "signature")
"""What a delta brings to a step of a tool that Google runs."""


class InteractionsWriter:
    """Writes one answer. `quiet`: it is only added up."""

    def __init__(self, req: IRRequest, *, quiet: bool = False) -> None:
        self._req = req
        self._quiet = quiet
        self._serial = Serialiser()
        self._out: list[bytes] = []
        self._interaction: Obj | None = None
        self._start = Start()
        self._steps: list[Obj] = []
        self._output: Obj | None = None
        """The open step of output."""
        self._texts: list[str] = []
        """The open content of it, if that is text."""
        self._bytes = self._counted = 0
        """How long its first texts are, and how many those are."""
        self._block: BlockStart | None = None
        self._pieces: list[str] = []
        self._parted = False
        self._sig: Sig | None = None
        self._cited: list[dict[str, Any]] = []
        self._calls: dict[str, tuple[str, str]] = {}
        """Names of the tool and its server, by the ids of calls to MCP servers."""
        self._others: set[int] = set()
        """Blocks of other choices: an interaction has one."""
        self._usage = NOTHING
        self._finish: Finish | None = None
        self._over = False

    def feed(self, events: Sequence[Event]) -> bytes:
        """Return the frames of these events."""
        for event in self._serial.feed(events):
            match event:
                case TextDelta() | RefusalDelta():
                    if event.index not in self._others:
                        self._say(event.text)
                case ThinkingDelta():
                    self._think(event.text)
                case ArgsDelta():
                    self._argue(event.text)
                case MediaDelta():
                    self._pieces.append(event.b64)
                case ThinkingBreak():
                    self._parted = bool(self._pieces)
                case BlockStart():
                    self._open(event)
                case BlockStop():
                    self._close()
                case Signature():
                    self._sig = event.sig
                case Citation():
                    self._cited.append(event.value)
                case Usage():
                    self._usage = self._usage.merge(event.usage)
                case Start():
                    self._start = event
                case Finish():
                    if self._finish is None or not event.choice:
                        self._finish = event
                case Error():
                    self._over = True
                    self._out.append(errors.event(event))
                case End():
                    self._end()
        data = b"".join(self._out)
        self._out.clear()
        return data

    def ping(self) -> bytes:
        """Return a keep-alive; this dialect knows only comments."""
        return COMMENT

    def final(self) -> Obj:
        """Return the finished interaction."""
        assert self._interaction is not None
        return {**self._interaction, "steps": self._steps}

    # ---- frames -------------------------------------------------------------------------------
    def _emit(self, kind: str, **fields: Any) -> None:
        if not self._quiet:
            body = json.dumps({**fields, "event_type": kind})
            self._out.append(named_frame(kind.encode(), body))

    def _announce(self) -> Obj:
        if self._interaction is None:
            created = self._start.created
            if not 0 < created < _MOST:
                created = int(time.time())  # noqa: TID251  # a label, not a clock
            agent = self._req.extras.get("agent")
            self._interaction = {
                "id": ids.with_prefix("v1_", self._start.id),
                "status": "in_progress",
                "object": "interaction",
                "created": _iso(created),
                "agent" if agent else "model": agent or self._req.model,
            }
            self._emit("interaction.created", interaction=self._interaction)
        return self._interaction

    def _begin_step(self, start: Obj, step: Obj | None = None) -> None:
        self._announce()
        self._steps.append(start if step is None else step)
        self._emit("step.start", index=len(self._steps) - 1, step=start)

    def _delta(self, delta: Obj) -> None:
        self._emit("step.delta", index=len(self._steps) - 1, delta=delta)

    def _end_step(self) -> None:
        self._emit("step.stop", index=len(self._steps) - 1)

    # ---- output -------------------------------------------------------------------------------
    def _content(self) -> list[Any]:
        """Return the content of the step of output, which is begun if none is open."""
        if self._output is None:
            self._output = {"type": "model_output", "content": []}
            self._begin_step({"type": "model_output"}, self._output)
        content: list[Any] = self._output["content"]
        return content

    def _say(self, text: str) -> None:
        self._pieces.append(text)
        if self._output is None or not self._texts:
            self._content().append({"type": "text", "text": ""})
        self._texts.append(text)
        if not self._quiet:
            # Every streamed token goes through here: only the text itself is encoded anew.
            self._out.append(
                b'event: step.delta\ndata: {"index":%d,"delta":{"type":"text","text":%s},'
                b'"event_type":"step.delta"}\n\n' % (len(self._steps) - 1, json.dumps(text))
            )

    def _close_text(self) -> None:
        if self._texts and self._output is not None:
            self._output["content"][-1]["text"] = "".join(self._texts)
        self._texts = []
        self._bytes = self._counted = 0

    def _close_output(self) -> None:
        self._close_text()
        if self._output is not None:
            self._output = None
            self._end_step()

    def _cite(self, text: str) -> None:
        """Write the sources of the text that just ended."""
        cited, self._cited = self._cited, []
        if not cited or not self._texts or self._output is None:
            return
        # Each text is counted once, however many of them are cited.
        written = "".join(self._texts[self._counted :])
        self._bytes += len(written.encode("utf-8", "surrogatepass"))
        self._counted = len(self._texts)
        base = self._bytes - len(text.encode("utf-8", "surrogatepass"))
        found = [steps.annotation(value, text, base) for value in cited]
        notes = [note for note in found if note is not None]
        if notes:
            self._output["content"][-1].setdefault("annotations", []).extend(notes)
            self._delta({"type": "text_annotation_delta", "annotations": notes})

    def _blob(self, kind: str, data: str) -> None:
        assert self._block is not None
        self._close_text()
        item: Obj = {"type": kind, "mime_type": self._block.mime, "data": data}
        self._content().append(item)
        self._delta(item)

    # ---- thoughts -----------------------------------------------------------------------------
    def _think(self, text: str) -> None:
        if self._block is None or not text:
            return
        if not self._pieces:
            self._begin_step({"type": "thought"})
        said = "\n\n" + text if self._parted else text
        self._parted = False
        self._pieces.append(said)
        self._delta({"type": "thought_summary", "content": {"type": "text", "text": said}})

    def _close_thought(self) -> None:
        if not self._pieces and self._sig is None:
            return
        signature = for_dialect(self._sig, "gemini")
        if self._pieces:
            text = "".join(self._pieces)
            self._steps[-1] = {
                "type": "thought",
                "signature": signature,
                "summary": [{"type": "text", "text": text}],
            }
            self._delta({"type": "thought_signature", "signature": signature})
            self._end_step()
        else:
            self._sealed(signature)

    def _sealed(self, signature: str) -> None:
        """Write a thought that is nothing but a signature."""
        self._close_output()
        self._begin_step({"type": "thought"}, {"type": "thought", "signature": signature})
        self._delta({"type": "thought_signature", "signature": signature})
        self._end_step()

    # ---- calls --------------------------------------------------------------------------------
    def _argue(self, text: str) -> None:
        self._pieces.append(text)
        start = self._block
        if start is not None and start.kind == "tool_call" and start.tool_kind != "custom":
            self._delta({"type": "arguments_delta", "arguments": text})

    def _close_call(self, start: BlockStart, text: str) -> None:
        args = call_args(text, start.tool_kind)
        if start.tool_kind == "custom":
            self._delta({"type": "arguments_delta", "arguments": json.dumps_str(args)})
        self._steps[-1] = {**self._steps[-1], "arguments": args}
        self._end_step()
        if self._sig is not None and self._sig != start.signature:
            self._sealed(envelope.after(self._sig))

    def _ran(self, step: Obj | None) -> None:
        """Write a step of a tool that Google runs, or of a stand-in for one."""
        if step is None:
            return
        self._close_output()
        later = {key: step[key] for key in _LATER if key in step}
        empty = {k: type(v)() for k, v in later.items() if k in ("arguments", "result")}
        self._begin_step({**{k: v for k, v in step.items() if k not in later}, **empty}, step)
        if later:
            self._delta({"type": step["type"], **later})
        self._end_step()

    # ---- blocks -------------------------------------------------------------------------------
    def _open(self, start: BlockStart) -> None:
        self._announce()
        self._pieces = []
        self._parted = False
        self._sig = start.signature
        self._cited = []
        if start.choice:
            self._others.add(start.index)
            self._block = None
            return
        self._block = start
        match start.kind:
            case "thinking":
                self._close_output()
            case "tool_call":
                self._close_output()
                if start.signature is not None:
                    self._sealed(for_dialect(start.signature, "gemini"))
                call: Obj = {"type": "function_call", "id": start.id, "name": start.name}
                self._begin_step({**call, "arguments": {}})
            case _:
                pass

    def _close(self) -> None:
        start, self._block = self._block, None
        if start is None:
            return
        text = "".join(self._pieces)
        match start.kind:
            case "text" | "refusal":
                self._cite(text)
                if self._sig is not None:
                    self._sealed(envelope.after(self._sig))
            case "thinking":
                self._close_thought()
            case "redacted":
                if start.signature is not None:
                    self._sealed(redacted(start.signature, "gemini"))
            case "tool_call":
                self._close_call(start, text)
            case "image" | "audio":
                self._block = start
                self._blob(start.kind, text)
                self._block = None
            case "server_call":
                names = (start.name, start.namespace or "")
                self._calls[start.id] = names
                call = (start.server_kind, start.id, start.name, start.namespace, text)
                self._ran(_native(start) or steps.call_step(*call))
            case "server_result":
                names = self._calls.get(start.id, (start.name, ""))
                result = (start.server_kind, start.id, start.payload, names)
                self._ran(_native(start) or steps.result_step(*result))
            case "opaque":
                if (native := _native(start)) is not None:
                    self._close_output()
                    self._begin_step(native)
                    self._end_step()

    # ---- the end ------------------------------------------------------------------------------
    def _end(self) -> None:
        if self._over:
            return
        self._over = True
        interaction = self._announce()
        self._close_output()
        finish = self._finish or Finish("stop")
        status = STATUSES[finish.reason]
        if status == "completed" and any(s.get("type") == "function_call" for s in self._steps):
            status = "requires_action"
        interaction["status"] = status
        interaction["updated"] = _iso(time.time())  # noqa: TID251  # a label, not a clock
        if (before := self._req.meta.continues) is not None:
            interaction["previous_interaction_id"] = before
        if self._usage.known:
            interaction["usage"] = usage_to(self._usage)
        # What is kept for later requests is kept as it is told here.
        told = self.final() if self._req.meta.kept else interaction
        self._emit("interaction.completed", interaction=told)
        if not self._quiet:
            self._out.append(DONE)


def _native(start: BlockStart) -> Obj | None:
    """Return the step of a block as an Interactions upstream wrote it, None for others'."""
    own = start.dialect == "interactions" and isinstance(start.native, dict)
    return start.native if own else None


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def render(answer: Answer, req: IRRequest) -> bytes:
    """Write a whole interaction."""
    writer = InteractionsWriter(req, quiet=True)
    writer.feed(list(replay(answer)))
    return json.dumps(writer.final())
