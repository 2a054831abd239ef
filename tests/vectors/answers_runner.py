"""Runs answer vectors: an upstream's bytes in one dialect, what a client of another is told.

A vector is an object in `<client>__<upstream>/answers*.json`:

- `name`: what is true; `edges`: numbers of the edge cases it proves;
- `request`: fields of the client's body beside the smallest good one; `caps`: of the upstream;
- the upstream's answer, one of `upstream` (payloads of its events; a string is sent as it is, an
  object with `event` and `data` gets that event name), `upstream_text` (raw bytes of the body)
  and `upstream_whole` (a JSON body);
- what the client is told, any of `stream` (every event, in order), `whole` and `error`.

Both forms are shown without their envelope (see `shown_*`), which the grammar judges. Below the
top level of `whole` and `error`, and in every event of `stream`, everything is compared; only
`id`, `item_id` and counts may be left unmentioned. `"<any>"` matches anything, `"<id:x>"` any
string that is the same wherever `x` is named, `"<absent>"` a member that is not there.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from tests.server.raw import BODIES
from tests.sim.grammar import Frame, Summary, check, frames, whole_summary
from tests.sim.grammar_interactions import add, added

from cliproxy import dialects
from cliproxy.base.errors import GatewayError
from cliproxy.dialects import ParseMeta
from cliproxy.ir.caps import Caps
from cliproxy.ir.events import Event
from cliproxy.ir.fold import fold
from cliproxy.pipeline.upstream import Source
from cliproxy.server.respond import OVERLOADED

Json = Any
HERE = Path(__file__).parent
UNMENTIONED = {"id", "item_id", "usage", "usageMetadata"}
IDS = {"id", "item_id", "call_id", "tool_use_id", "container_id"}


@dataclass(frozen=True)
class Vector:
    """One vector and where it comes from."""

    client: str
    upstream: str
    spec: dict[str, Json]

    @property
    def id(self) -> str:
        """Name it in a test run."""
        edges = "-".join(map(str, self.spec.get("edges", ())))
        where = f"{self.client}<{self.upstream}"
        return f"{where}:{self.spec['name']}" + (f" [edge-{edges}]" if edges else "")


@dataclass
class Told:
    """What the client received."""

    stream: bytes
    whole: Json = None
    error: Json = None
    events: list[Event] = field(default_factory=list)


def vectors() -> list[Vector]:
    """Read every answer vector."""
    found: list[Vector] = []
    for path in sorted(HERE.glob("*__*/answers*.json")):
        client, _, upstream = path.parent.name.replace("_", "-").partition("--")
        found += [Vector(client, upstream, spec) for spec in json.loads(path.read_text())]
    return found


# ---- running ----------------------------------------------------------------------------------
class Response:
    """An upstream's answer that arrives in the given pieces."""

    status = 200

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces
        self.headers = {"content-type": "text/event-stream"}

    async def chunks(self):
        for piece in self.pieces:
            yield piece

    def close(self) -> None:
        pass


def body_of(vector: Vector) -> bytes:
    """Return what the upstream sends."""
    spec = vector.spec
    if "upstream_text" in spec:
        return spec["upstream_text"].encode()
    if "upstream_whole" in spec:
        return json.dumps(spec["upstream_whole"]).encode()
    out = []
    for payload in spec["upstream"]:
        name = ""
        if isinstance(payload, dict) and payload.keys() == {"event", "data"}:
            name, payload = payload["event"], payload["data"]  # noqa: PLW2901
        elif vector.upstream in ("anthropic", "openai-responses") and isinstance(payload, dict):
            name = payload.get("type", "")
        elif vector.upstream == "interactions" and isinstance(payload, dict):
            name = payload.get("event_type", "")
        data = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
        out.append((f"event: {name}\n" if name else "") + f"data: {data}\n\n")
    return "".join(out).encode()


def run(vector: Vector, pieces: list[bytes]) -> Told:
    """Send the pieces through reader, restoration, writer and fold."""
    client, upstream = dialects.get(vector.client), dialects.get(vector.upstream)
    body = {**BODIES[vector.client], "model": "m", "stream": True, **vector.spec.get("request", {})}
    if vector.client == "openai-chat":
        body.setdefault("stream_options", {"include_usage": True})
    request = client.parse(body, ParseMeta(headers={}, model="m", stream=True))
    caps = msgspec.convert({"model": "u", **vector.spec.get("caps", {})}, Caps)
    built = upstream.build(request, caps)
    source = Source(upstream, caps, built.restore, checked=True)
    writer = client.writer(request, "sse")
    told = Told(b"")

    async def stream() -> None:
        async for events in source.stream(Response(pieces)):
            told.events += events
            told.stream += writer.feed(events)

    asyncio.run(stream())
    try:
        told.whole = json.loads(client.render(fold(told.events), request))
    except GatewayError as err:
        # As the server does: 529 is Anthropic's own.
        status = 503 if err.status == OVERLOADED and vector.client != "anthropic" else err.status
        told.error = {"status": status, **json.loads(client.error(err))["error"]}
    return told


def judged(vector: Vector, told: Told) -> Summary:
    """Let the grammar judge the stream, and hold it against the whole answer."""
    client, asked = vector.client, None
    if client == "openai-chat" and told.error is None:
        if vector.spec.get("request", {}).get("stream_options", True) is None:
            told.whole.pop("usage", None)  # a stream says it only to who asked
        asked = "usage" in told.whole
    summary = check(client, told.stream, include_usage=asked)
    if told.error is not None:
        assert summary.error, "the whole answer is an error, the stream is not"
        assert summary.error["message"] == told.error["message"]
        return summary
    assert not summary.error, summary.error
    whole = whole_summary(client, told.whole)
    assert summary.told == whole.told
    streamed = joined(client, frames(told.stream))
    assert numbered(streamed) == numbered(comparable(client, told.whole))
    return summary


# ---- showing ----------------------------------------------------------------------------------
def shown_whole(client: str, body: Json) -> Json:
    """Show a whole answer without its envelope."""
    match client:
        case "openai-chat":
            first = body["choices"][0]
            message = {k: v for k, v in first["message"].items() if k != "role"}
            if message["refusal"] is None:
                del message["refusal"]
            shown = {**body, **first, "message": message}
        case "gemini":
            first = body["candidates"][0]
            shown = {**body, **first, "parts": first["content"]["parts"]}
        case "openai-responses":
            shown = {**body, "output": [_item(item) for item in body["output"]]}
        case _:
            shown = body
    return shown


def _item(item: Json) -> Json:
    item = {k: v for k, v in item.items() if (k, v) != ("role", "assistant")}
    if item["type"] == "message":
        content = [
            {k: v for k, v in p.items() if (k, v) != ("logprobs", [])} for p in item["content"]
        ]
        item["content"] = content
    return item


def shown_stream(client: str, body: bytes) -> list[Json]:
    """Show every event of a stream without its envelope."""
    found = frames(body)
    return [_shown(client, f.data) for f in found if f.data != "[DONE]"]


def _shown(client: str, data: str) -> Json:
    event = json.loads(data)
    if "error" in event and event.get("type") in (None, "error"):
        return {"error": event["error"]}
    match client:
        case "openai-chat":
            if not event["choices"]:
                return {"usage": event["usage"]}
            choice = event["choices"][0]
            noise = {"index": 0, "finish_reason": None}
            return {k: v for k, v in choice.items() if k not in noise or v != noise[k]}
        case "gemini":
            candidate = {k: v for k, v in event["candidates"][0].items() if (k, v) != ("index", 0)}
            candidate["parts"] = candidate.pop("content")["parts"]
            if usage := event.get("usageMetadata"):
                candidate["usageMetadata"] = usage
            return candidate
        case "anthropic":
            return {k: v for k, v in event.items() if k != "message"}
        case "interactions":
            if "interaction" in event:
                kept = ("status", "usage")
                told = {k: v for k, v in event["interaction"].items() if k in kept}
                return {**event, "interaction": told}
            return event
    shown = {k: v for k, v in event.items() if k not in ("sequence_number", "item_id", "logprobs")}
    if "response" in shown:
        kept = ("status", "output", "incomplete_details", "usage", "model", "error")
        response = {k: shown["response"].get(k) for k in kept}
        response["output"] = [_item(item) for item in response["output"]]
        shown["response"] = {k: v for k, v in response.items() if v is not None}
    if "item" in shown:
        shown["item"] = _item(shown["item"])
    if "part" in shown:
        shown["part"] = {k: v for k, v in shown["part"].items() if (k, v) != ("logprobs", [])}
    return shown


# ---- joining: what a client that adds up the stream has at its end ------------------------------
def joined(client: str, found: list[Frame]) -> Json:
    """Add up a stream the way the dialect's clients do."""
    events = [json.loads(frame.data) for frame in found if frame.data != "[DONE]"]
    match client:
        case "openai-chat":
            return _joined_chat(events)
        case "anthropic":
            return _joined_anthropic(events)
        case "gemini":
            return _joined_gemini(events)
        case "interactions":
            return _joined_interactions(events)
    return comparable(client, events[-1]["response"])


def comparable(client: str, body: Json) -> Json:
    """Take out of a whole answer what a joined stream does not have, or has in another form."""
    match client:
        case "openai-chat":
            choices = []
            for choice in body["choices"]:
                said = {k: v for k, v in choice["message"].items() if v}
                choices.append((choice["index"], said, choice["finish_reason"]))
            return {"choices": choices, "usage": body.get("usage")}
        case "anthropic":
            keys = ("content", "stop_reason", "stop_sequence", "usage", "stop_details")
            return {key: body.get(key) for key in keys}
        case "gemini":
            return _joined_gemini([body])
        case "interactions":
            return {key: body.get(key) for key in ("steps", "status", "usage")}
    return {k: v for k, v in body.items() if k not in ("id", "created_at", "completed_at")}


def _joined_chat(events: list[Json]) -> Json:
    choices: dict[int, Json] = {}
    ends: dict[int, str] = {}
    usage = None
    for event in events:
        usage = event.get("usage") or usage
        for choice in event["choices"]:
            said = choices.setdefault(choice["index"], {})
            _merge(said, choice["delta"])
            ends[choice["index"]] = choice["finish_reason"] or ends.get(choice["index"], "")
    for said in choices.values():
        for call in said.get("tool_calls", ()):
            del call["index"]
    full = [(n, {k: v for k, v in said.items() if v}, ends[n]) for n, said in choices.items()]
    return {"choices": sorted(full, key=lambda c: c[0]), "usage": usage}


def _merge(into: Json, delta: Json) -> None:
    """Accumulate as the official SDK does: text is appended, lists go by `index`."""
    for key, value in delta.items():
        old = into.get(key)
        if isinstance(value, list) and value and isinstance(value[0], dict) and "index" in value[0]:
            items = into.setdefault(key, [])
            for item in value:
                while len(items) <= item["index"]:
                    items.append({})
                _merge(items[item["index"]], item)
        elif key in ("index", "type") or old is None:
            into[key] = value
        elif isinstance(value, str):
            into[key] = old + value
        elif isinstance(value, dict):
            _merge(old, value)
        elif isinstance(value, list):
            old += value
        else:
            into[key] = value


def _joined_anthropic(events: list[Json]) -> Json:
    content: list[Json] = []
    end: Json = {}
    for event in events:
        match event["type"]:
            case "content_block_start":
                assert event["index"] == len(content)
                content.append(dict(event["content_block"]))
            case "content_block_delta":
                _anthropic_delta(content[event["index"]], event["delta"])
            case "content_block_stop":
                block = content[event["index"]]
                if args := block.pop("_json", ""):
                    block["input"] = json.loads(args)
            case "message_delta":
                end = {**event["delta"], "usage": event["usage"]}
    return {
        "content": content,
        **{key: end.get(key) for key in ("stop_reason", "stop_sequence", "usage", "stop_details")},
    }


def _anthropic_delta(block: Json, delta: Json) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] = delta["signature"]
        case "citations_delta":
            block.setdefault("citations", []).append(delta["citation"])
        case "input_json_delta":
            block["_json"] = block.get("_json", "") + delta["partial_json"]


def _joined_gemini(events: list[Json]) -> Json:
    candidates: dict[int, Json] = {}
    usage = None
    for event in events:
        usage = event.get("usageMetadata") or usage
        for candidate in event.get("candidates", ()):
            into = candidates.setdefault(candidate.get("index", 0), {"parts": []})
            for part in candidate["content"]["parts"]:
                _gemini_part(into["parts"], part)
            into |= {k: v for k, v in candidate.items() if k != "content"}
    return {"candidates": [candidates[n] for n in sorted(candidates)], "usageMetadata": usage}


def _gemini_part(parts: list[Json], part: Json) -> None:
    last = parts[-1] if parts else {}
    runs = "text" in part and "text" in last and part.get("thought") == last.get("thought")
    if runs and "thoughtSignature" not in last:
        last |= {**part, "text": last["text"] + part["text"]}
    elif part != {"text": ""}:
        parts.append(dict(part))


def _joined_interactions(events: list[Json]) -> Json:
    steps: list[Json] = []
    for event in events:
        match event["event_type"]:
            case "step.start":
                steps.append(dict(event["step"]))
            case "step.delta":
                add(steps[-1], event["delta"])
    return comparable(
        "interactions", {**events[-1]["interaction"], "steps": [added(step) for step in steps]}
    )


def numbered(value: Json, seen: dict[str, int] | None = None) -> Json:
    """Replace ids by numbers in order of appearance, so that two answers can be compared."""
    seen = {} if seen is None else seen
    if isinstance(value, dict):
        return {
            k: seen.setdefault(v, len(seen))
            if k in IDS and isinstance(v, str)
            else numbered(v, seen)
            for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [numbered(item, seen) for item in value]
    return value


# ---- comparing --------------------------------------------------------------------------------
def differs(expected: Json, actual: Json, names: dict[str, str], at: str = "") -> str:
    """Return where and how an answer differs from what a vector says, "" if it does not."""
    if expected == "<any>":
        return ""
    if isinstance(expected, str) and expected.startswith("<id:"):
        same = isinstance(actual, str) and names.setdefault(expected, actual) == actual
        return "" if same else f"{at}: {actual!r} is not {expected} = {names.get(expected)!r}"
    if isinstance(expected, dict) and isinstance(actual, dict):
        missing = {k for k, v in expected.items() if v != "<absent>"} - actual.keys()
        extra = {k for k, v in actual.items() if expected.get(k) == "<absent>"}
        extra |= actual.keys() - expected.keys() - (UNMENTIONED | ({"*"} if at else set()))
        if missing or (extra and at):
            return f"{at}: missing {sorted(missing)}, unexpected {sorted(extra)} in {actual}"
        pairs = ((k, v) for k, v in expected.items() if v != "<absent>")
        told = (differs(v, actual[k], names, f"{at}.{k}") for k, v in pairs)
        return next((t for t in told if t), "")
    if isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            return f"{at}: {len(actual)} instead of {len(expected)}: {json.dumps(actual)}"
        told = (
            differs(e, a, names, f"{at}[{n}]")
            for n, (e, a) in enumerate(zip(expected, actual, strict=True))
        )
        return next((t for t in told if t), "")
    same = expected == actual and type(expected) is type(actual)
    return "" if same else f"{at}: {json.dumps(actual)} instead of {json.dumps(expected)}"
