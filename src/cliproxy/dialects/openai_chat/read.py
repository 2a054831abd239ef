"""An upstream's chat completions answer, streamed or whole → events; `write.py` is the inverse.

The official grammar is

```
stream := role-chunk (content | refusal | reasoning | tool_calls)* finish usage? "[DONE]"
```

and compatible hosts break every part of it: no role, no `[DONE]`, usage anywhere, ids after names
or never, names repeated, indices missing or all zero, reasoning under three keys, errors inside a
200. So this reader trusts little and keeps a small state per choice. How deltas become blocks is in
`read_blocks.py`; here is how an answer begins and ends:

- `finish_reason` is only noted. `Finish` follows at `[DONE]` or when the upstream closes, so that
  late content, ids and usage still count;
- closing without a `finish_reason` and without `[DONE]` is an error, never a normal stop.
"""

from __future__ import annotations

from typing import Final

from cliproxy.base import ids, json
from cliproxy.base.errors import GatewayError, UpstreamBroken
from cliproxy.base.json import Json, Obj
from cliproxy.dialects._errors import read_openai_error, refused
from cliproxy.dialects._openai_usage import tier_from, usage_from
from cliproxy.dialects.openai_chat.read_blocks import BlockReader, listed
from cliproxy.dialects.openai_chat.read_state import (
    ChoiceState,
    as_chunk,
    collect_logprobs,
    finish_of,
)
from cliproxy.dialects.openai_chat.wire import reasoning_text
from cliproxy.ir.events import (
    End,
    Error,
    Event,
    Finish,
    Start,
    Usage,
)
from cliproxy.ir.usage import NOTHING, IRUsage

_DONE: Final = b"[DONE]"
_FAILED: Final = "response.failed"
"""What hosts that speak Responses inside call a failure, in either API."""


class ChatReader(BlockReader):
    """Reads one answer. See `cliproxy.dialects.Reader`."""

    def __init__(self) -> None:
        super().__init__()
        self._choices: dict[int, ChoiceState] = {}
        self._started = False
        self._over = False
        self._payloads = 0
        self._head: Obj = {}
        self._usage = NOTHING
        self._usage_raw: Obj = {}

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
        elif "choices" not in chunk and (chunk.get("code") or chunk.get("type")):
            self._refuse_errors(chunk)
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
        spelled = value.get("object") == "error" or value.get("type") in ("error", _FAILED)
        said = value.get("message") or value.get("detail") or value.get("msg")
        if spelled or isinstance(said, str | list):
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
        if tier := tier_from(chunk.get("service_tier")):
            self._usage = self._usage.merge(IRUsage(tier=tier))
        if self._usage is not NOTHING:
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
        for image in listed(delta.get("images")):
            self._image(choice, image, out)
        for annotation in listed(delta.get("annotations")):
            if isinstance(annotation, dict):
                choice.citations.append(annotation)
        audio = delta.get("audio")
        if isinstance(audio, dict):
            self._audio(choice, audio, out)

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


def _unreadable(body: bytes) -> UpstreamBroken:
    told = read_openai_error(502, {}, body[:16384], "openai-chat")
    return UpstreamBroken(f"The upstream's answer is not JSON: {told.message[:300]}")
