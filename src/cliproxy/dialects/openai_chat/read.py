"""An upstream's chat completions answer, streamed or whole → events; `write.py` is the inverse.

The official grammar is

```
stream := role-chunk (content | refusal | reasoning | tool_calls)* finish usage? "[DONE]"
```

and compatible hosts break every part of it: no role, no `[DONE]`, usage anywhere, ids after names
or never, names repeated, indices missing or all zero, reasoning under three keys, errors inside a
200. So this reader trusts little and keeps a small state per choice:

- at most one text, one thinking and one refusal block are open; text and thinking end each other;
- a tool call opens once its id *and* name are known; arguments wait until then. What never
  becomes known is made up at the end, unless nothing but the bare entry ever came;
- tool calls stay open until the end, because pieces of several may interleave, except that a
  call whose arguments already are a complete object is closed when something else begins;
- `finish_reason` is only noted. `Finish` follows at `[DONE]` or when the upstream closes, so that
  late content, ids and usage still count;
- closing without a `finish_reason` and without `[DONE]` is an error, never a normal stop.
"""

from __future__ import annotations

from typing import Any, Final

from cliproxy.base import ids, json
from cliproxy.base.errors import GatewayError, UpstreamBroken
from cliproxy.base.json import Json, Obj
from cliproxy.dialects._errors import read_openai_error, refused
from cliproxy.dialects._openai_usage import usage_from
from cliproxy.dialects.openai_chat.read_state import (
    ChoiceState,
    ToolState,
    add_sources,
    as_chunk,
    citation_of,
    collect_logprobs,
    finish_of,
    join_base64,
)
from cliproxy.dialects.openai_chat.wire import reasoning_text, thought_signature
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
    RefusalDelta,
    Signature,
    Start,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from cliproxy.ir.media import parse_data_url, sniff
from cliproxy.ir.usage import IRUsage

_DONE: Final = b"[DONE]"


class ChatReader:
    """Reads one answer. See `cliproxy.dialects.Reader`."""

    def __init__(self) -> None:
        self._choices: dict[int, ChoiceState] = {}
        self._next = 0
        self._started = False
        self._over = False
        self._payloads = 0
        self._head: Obj = {}
        self._usage = IRUsage()
        self._usage_raw: Obj = {}
        self._sources: list[Json] = []

    # ---- the interface ------------------------------------------------------------------------
    def feed(self, data: bytes, event: str = "") -> list[Event]:
        """Take one payload."""
        if self._over or not data:
            return []
        if data == _DONE or data.strip() == _DONE:
            return self._end(done=True)
        try:
            chunk = json.loads(data)
        except json.InvalidJson:
            return self._malformed(data)
        if chunk.__class__ is not dict:
            # Some hosts wrap an error object into an array of one.
            if not (isinstance(chunk, list) and chunk and isinstance(chunk[0], dict)):
                return self._malformed(data)
            chunk = chunk[0]
        self._payloads += 1
        out: list[Event] = []
        try:
            if event == "error" and "choices" not in chunk:
                raise refused(chunk.get("error") or chunk, "openai-chat")
            self._chunk(chunk, out)
        except GatewayError as err:
            self._over = True
            out.append(Error.of(err))
        return out

    def close(self) -> list[Event]:
        """Say that the upstream closed."""
        return [] if self._over else self._end(done=False)

    def whole(self, body: bytes) -> list[Event]:
        """Read a complete answer."""
        try:
            value = json.loads(body)
        except json.InvalidJson:
            return [Error.of(_unreadable(body))]
        if isinstance(value, list) and value:
            value = value[0]
        out: list[Event] = []
        try:
            if not isinstance(value, dict):
                raise _unreadable(body)
            self._refuse_errors(value)
            if not isinstance(value.get("choices"), list) or not value["choices"]:
                raise UpstreamBroken("The upstream's answer holds no choices.")
            self._payloads = 1
            self._chunk(as_chunk(value), out)
        except GatewayError as err:
            return [*out, Error.of(err)]
        return [*out, *self._end(done=True)]

    # ---- one chunk ----------------------------------------------------------------------------
    def _chunk(self, chunk: Obj, out: list[Event]) -> None:
        if chunk.get("error"):
            raise refused(chunk["error"], "openai-chat")
        choices = chunk.get("choices")
        if choices and choices.__class__ is list:
            if not self._started:
                self._start(chunk, out)
            for item in choices:
                if item.__class__ is dict:
                    self._choice(item, out)
        elif not self._started:
            self._refuse_errors(chunk)
            for key in ("id", "model", "created"):  # Azure opens with a chunk of filter results
                if chunk.get(key):
                    self._head[key] = chunk[key]
        usage = chunk.get("usage")
        if usage:
            self._count(usage, out)
        elif "x_groq" in chunk and isinstance(chunk["x_groq"], dict):
            self._count(chunk["x_groq"].get("usage"), out)
        if "citations" in chunk and isinstance(chunk["citations"], list):
            self._sources = chunk["citations"]

    def _refuse_errors(self, value: Obj) -> None:
        """Raise if an object without choices is an error in one of the field's spellings."""
        if value.get("error"):
            raise refused(value["error"], "openai-chat")
        if value.get("choices") is not None:
            return
        spelled = value.get("object") == "error" or value.get("type") == "error"
        if spelled or isinstance(value.get("message") or value.get("detail"), str | list):
            raise refused(value, "openai-chat")

    def _start(self, chunk: Obj, out: list[Event]) -> None:
        head = self._head | {k: chunk[k] for k in ("id", "model", "created") if chunk.get(k)}
        created = head.get("created")
        self._started = True
        out.append(
            Start(
                id=str(head.get("id") or ""),
                model=str(head.get("model") or ""),
                created=int(created) if isinstance(created, int | float) else 0,
            )
        )
        if self._usage.known:
            out.append(Usage(self._usage))

    def _choice(self, item: Obj, out: list[Event]) -> None:
        index = item.get("index", 0)
        if index.__class__ is not int:
            index = 0
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = ChoiceState(index)
        delta = item.get("delta")
        if delta is None:
            delta = item.get("message")
        if delta.__class__ is dict:
            self._delta(choice, delta, out)
        elif isinstance(item.get("text"), str) and item["text"]:
            self._text(choice, item["text"], out)
        if item.get("logprobs"):
            collect_logprobs(choice, item["logprobs"])
        finish = item.get("finish_reason")
        if finish:
            if finish == "error" or item.get("error"):
                raise refused(
                    item.get("error") or "The upstream stopped with an error.", "openai-chat"
                )
            choice.finish = str(finish)
            if item.get("usage"):
                self._count(item["usage"], out)

    def _delta(self, choice: ChoiceState, delta: Obj, out: list[Event]) -> None:
        reasoning = (
            delta.get("reasoning_content") or delta.get("reasoning") or delta.get("reasoning_text")
        )
        if reasoning:
            self._think(choice, reasoning_text(reasoning), out)
        elif "reasoning_details" in delta:
            self._think(choice, reasoning_text(delta["reasoning_details"]), out)
        content = delta.get("content")
        if content:
            if content.__class__ is str:
                self._text(choice, content, out)
            else:
                self._parts(choice, content, out)
        if len(delta) == 1 and (content or reasoning):
            return
        if delta.get("refusal"):
            self._refuse(choice, delta["refusal"], out)
        calls = delta.get("tool_calls")
        if calls:
            for entry in calls if isinstance(calls, list) else [calls]:
                if isinstance(entry, dict):
                    self._call(choice, entry, out)
        self._rarities(choice, delta, out)

    def _rarities(self, choice: ChoiceState, delta: Obj, out: list[Event]) -> None:
        legacy = delta.get("function_call")
        if isinstance(legacy, dict):
            if not choice.tools:
                legacy = {"index": 0, "id": "call_" + ids.token(), "function": legacy}
            else:
                legacy = {"index": 0, "function": legacy}
            self._call(choice, legacy, out)
        for image in _list(delta.get("images")):
            self._image(choice, image, out)
        for annotation in _list(delta.get("annotations")):
            if isinstance(annotation, dict):
                choice.citations.append(annotation)
        audio = delta.get("audio")
        if isinstance(audio, dict):
            self._audio(choice, audio, out)

    # ---- text, thinking, refusal --------------------------------------------------------------
    def _open(self, choice: ChoiceState, kind: BlockKind, out: list[Event], **more: Any) -> int:
        index = self._next
        self._next = index + 1
        out.append(BlockStart(index, kind, choice.index, **more))
        return index

    def _text(self, choice: ChoiceState, text: str, out: list[Event]) -> None:
        if choice.text < 0:
            self._part_ends(choice, out)
            choice.text = self._open(choice, "text", out)
            choice.text_at = choice.chars
            choice.wrote = True
        choice.chars += len(text)
        out.append(TextDelta(choice.text, text))

    def _think(self, choice: ChoiceState, text: str, out: list[Event]) -> None:
        if not text:
            return
        if choice.thinking < 0:
            self._part_ends(choice, out)
            choice.thinking = self._open(choice, "thinking", out)
        out.append(ThinkingDelta(choice.thinking, text))

    def _refuse(self, choice: ChoiceState, text: Json, out: list[Event]) -> None:
        if not isinstance(text, str):
            return
        if choice.refusal < 0:
            self._part_ends(choice, out)
            choice.refusal = self._open(choice, "refusal", out)
            choice.refused = True
        out.append(RefusalDelta(choice.refusal, text))

    def _part_ends(self, choice: ChoiceState, out: list[Event]) -> None:
        """Close whatever the beginning of another part ends."""
        if choice.text >= 0:
            self._cite(choice, out)
            out.append(BlockStop(choice.text))
            choice.text = -1
        if choice.thinking >= 0:
            out.append(BlockStop(choice.thinking))
            choice.thinking = -1
        if choice.refusal >= 0:
            out.append(BlockStop(choice.refusal))
            choice.refusal = -1
        for tool in choice.tools:
            if tool.open and tool.complete():
                self._stop_call(tool, out)

    def _parts(self, choice: ChoiceState, content: Json, out: list[Event]) -> None:
        """Read content given as parts (Mistral, and image models of routers)."""
        for part in content if isinstance(content, list) else [content]:
            if isinstance(part, str):
                if part:
                    self._text(choice, part, out)
                continue
            if not isinstance(part, dict):
                continue
            match part.get("type"):
                case "thinking" | "reasoning":
                    self._think(choice, reasoning_text(part), out)
                case "image_url":
                    self._image(choice, part, out)
                case "refusal":
                    self._refuse(choice, part.get("refusal"), out)
                case _:
                    if isinstance(part.get("text"), str) and part["text"]:
                        self._text(choice, part["text"], out)

    # ---- tool calls ---------------------------------------------------------------------------
    def _call(self, choice: ChoiceState, entry: Obj, out: list[Event]) -> None:
        function = entry.get("function")
        custom = entry.get("custom")
        inner = custom if isinstance(custom, dict) else function
        if not isinstance(inner, dict):
            inner = {}
        call_id, name = entry.get("id"), inner.get("name")
        call_id = call_id if isinstance(call_id, str) else ""
        name = name if isinstance(name, str) else ""
        tool = self._find(choice, entry.get("index"), call_id, name, out)
        choice.last = tool
        if isinstance(custom, dict):
            tool.custom = True
        if call_id and not tool.id:
            tool.id = call_id
        if name and not tool.name:
            tool.name = name
        if tool.sig is None and "extra_content" in entry:
            tool.sig = thought_signature(entry)
        if tool.block < 0 and tool.id and tool.name:
            self._start_call(choice, tool, out)
        args = inner.get("input" if tool.custom else "arguments")
        if args is not None:
            self._args(tool, args, out)
        if tool.open and tool.sig is not None and not tool.signed:
            tool.signed = True
            out.append(Signature(tool.block, tool.sig))

    def _find(
        self, choice: ChoiceState, index: Json, call_id: str, name: str, out: list[Event]
    ) -> ToolState:
        """Tell which call an entry belongs to; a new one if it is none of the known."""
        if index.__class__ is int:
            tool = choice.wire.get(index)
            if tool is None:
                return self._new(choice, index, index, out)
            # Parallel calls that all claim one index: another id with a name, after a call that
            # has all it needs, is another call.
            another = call_id and name and tool.id and call_id != tool.id
            if another and (tool.complete() or not tool.args):
                return self._new(choice, index, len(choice.tools), out)
            return tool
        if call_id:
            for tool in choice.tools:
                if tool.id == call_id:
                    return tool
            if choice.last is not None and not choice.last.id:
                return choice.last
            return self._new(choice, -1 - len(choice.tools), len(choice.tools), out)
        if choice.last is not None:
            return choice.last
        return self._new(choice, 0, 0, out)

    def _new(self, choice: ChoiceState, wire: int, rank: int, out: list[Event]) -> ToolState:
        self._part_ends(choice, out)
        tool = choice.wire[wire] = ToolState(rank)
        choice.tools.append(tool)
        return tool

    def _start_call(self, choice: ChoiceState, tool: ToolState, out: list[Event]) -> None:
        tool.block = self._open(
            choice,
            "tool_call",
            out,
            id=tool.id,
            name=tool.name,
            tool_kind="custom" if tool.custom else "function",
        )
        tool.open = True
        if tool.args:
            out.append(ArgsDelta(tool.block, "".join(tool.args)))

    def _args(self, tool: ToolState, args: Json, out: list[Event]) -> None:
        text = args if isinstance(args, str) else json.dumps_str(args)
        if not text or (tool.block >= 0 and not tool.open):
            return
        if not tool.args and not tool.custom and text.strip() == "{}":
            tool.held = "{}"
            return
        tool.args.append(text)
        if tool.open:
            out.append(ArgsDelta(tool.block, text))

    def _stop_call(self, tool: ToolState, out: list[Event]) -> None:
        if tool.held and not tool.args:
            tool.args.append(tool.held)
            out.append(ArgsDelta(tool.block, tool.held))
        out.append(BlockStop(tool.block))
        tool.open = False

    # ---- media and sources --------------------------------------------------------------------
    def _image(self, choice: ChoiceState, item: Json, out: list[Event]) -> None:
        inner = item.get("image_url") if isinstance(item, dict) else item
        url = inner.get("url") if isinstance(inner, dict) else inner
        if not isinstance(url, str) or not url:
            return
        if not url.startswith("data:"):
            # An address is not image data; the reader of the answer can still follow it.
            self._text(choice, f"![image]({url})", out)
            return
        try:
            media = parse_data_url(url, where="images")
        except GatewayError:
            return  # broken image data is nothing anyone could show
        self._part_ends(choice, out)
        block = self._open(choice, "image", out, mime=media.mime)
        out.append(MediaDelta(block, media.b64))
        out.append(BlockStop(block))
        choice.wrote = True

    def _audio(self, choice: ChoiceState, audio: Obj, out: list[Event]) -> None:
        """Pass the transcript on as text at once; the sound is one block at the end."""
        transcript = audio.get("transcript")
        if isinstance(transcript, str) and transcript:
            self._text(choice, transcript, out)
        if isinstance(audio.get("data"), str):
            choice.audio.setdefault("data", []).append(audio["data"])
        for key in ("id", "expires_at"):
            if audio.get(key):
                choice.audio[key] = audio[key]

    def _cite(self, choice: ChoiceState, out: list[Event]) -> None:
        out.extend(
            Citation(choice.text, citation_of(annotation, choice.text_at))
            for annotation in choice.citations
        )
        choice.citations.clear()

    def _count(self, usage: Json, out: list[Event]) -> None:
        # Hosts that repeat the same cumulative snapshot on every chunk cost one comparison.
        if not isinstance(usage, dict) or usage == self._usage_raw:
            return
        self._usage_raw = usage
        self._usage = self._usage.merge(usage_from(usage))
        if self._started:
            out.append(Usage(self._usage))

    # ---- the end ------------------------------------------------------------------------------
    def _malformed(self, data: bytes) -> list[Event]:
        if self._payloads:
            return []
        self._over = True
        return [Error.of(_unreadable(data))]

    def _end(self, *, done: bool) -> list[Event]:
        self._over = True
        choices = [self._choices[key] for key in sorted(self._choices)]
        out: list[Event] = []
        silent = not any(choice.finish or choice.wrote or choice.tools for choice in choices)
        silent = silent and self._next == 0
        if silent or (not done and any(choice.finish is None for choice in choices)):
            what = "without an answer" if silent else "before its end"
            return [Error.of(UpstreamBroken(f"The upstream's stream stopped {what}."))]
        if not self._started:
            self._start({}, out)
        for choice in choices:
            self._close(choice, out)
        finishes = [finish_of(choice) for choice in choices]
        if self._lost_output(finishes):
            out.append(
                Error.of(
                    UpstreamBroken(
                        f"The upstream counted {self._usage.output_total} tokens of output "
                        "and sent none of it."
                    )
                )
            )
            return out
        out.extend(finishes)
        out.append(End())
        return out

    def _lost_output(self, finishes: list[Finish]) -> bool:
        # One token is the end-of-text mark that some hosts count: an empty answer may be that.
        visible = (self._usage.output_total or 0) - (self._usage.reasoning or 0)
        normal = all(finish.reason in ("stop", "tool_calls") for finish in finishes)
        return self._next == 0 and normal and visible > 1

    def _close(self, choice: ChoiceState, out: list[Event]) -> None:
        if self._sources and choice.wrote:
            add_sources(choice, self._sources)
        if choice.citations and choice.text < 0:
            self._part_ends(choice, out)
            choice.text = self._open(choice, "text", out)
            choice.text_at = choice.chars
        self._part_ends(choice, out)
        for tool in sorted((t for t in choice.tools if t.block < 0), key=lambda t: t.rank):
            if not (tool.id or tool.name or tool.args or tool.held):
                continue  # an entry that never said anything is no call
            tool.id = tool.id or "call_" + ids.token()
            tool.name = tool.name or f"tool_{tool.rank}"
            self._start_call(choice, tool, out)
            if tool.sig is not None:
                out.append(Signature(tool.block, tool.sig))
        for tool in choice.tools:
            if tool.open:
                self._stop_call(tool, out)
        if data := choice.audio.get("data"):
            native = {k: v for k, v in choice.audio.items() if k != "data"}
            b64 = join_base64(data)
            mime = sniff(b64) or "audio/pcm"  # what streams carry has no header to tell it by
            block = self._open(
                choice, "audio", out, mime=mime, native=native, dialect="openai-chat"
            )
            out.append(MediaDelta(block, b64))
            out.append(BlockStop(block))


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _unreadable(body: bytes) -> UpstreamBroken:
    told = read_openai_error(502, {}, body[:16384], "openai-chat")
    return UpstreamBroken(f"The upstream's answer is not JSON: {told.message[:300]}")
