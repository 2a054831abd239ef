"""An answer as OpenAI Responses writes it: items, each with its own little grammar of events."""

from __future__ import annotations

import base64
import secrets
from typing import Any

from tests.sim.event import Event, Memory, Script
from tests.sim.record import Recorded
from tests.sim.render_images import told_of
from tests.sim.script import Answer, Call, Image, Part, Refusal, Text, Thinking, pieces

Json = Any
PREFIX = "resp_"
INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


class Rendered:
    def __init__(self, answer: Answer, record: Recorded, memory: Memory) -> None:
        self._script = Script(answer, record, memory, PREFIX)
        self._asked = record.request
        self._reveals = "reasoning.encrypted_content" in (self._asked.get("include") or [])
        self._groups = _grouped(self._script.parts)
        self._items = [self._item(*group) for group in self._groups]
        if INCOMPLETE.get(self._script.ended) and self._items:
            self._items[-1]["status"] = "incomplete"
        if self._asked.get("store") is not False:
            memory.responses.add(self._script.id)

    def _item(self, index: int, parts: list[Part]) -> Json:
        first = parts[0]
        match first:
            case Thinking():
                text = "".join(pieces(first.pieces))
                summary = [{"type": "summary_text", "text": text}] if text else []
                item: Json = {"id": _id("rs_"), "type": "reasoning", "summary": summary}
                if self._reveals:
                    item["encrypted_content"] = self._script.signature(index, first)
                    self._script.memory.items[item["id"]] = item["encrypted_content"]
                return item
            case Call():
                return {
                    "id": _id("fc_"),
                    "type": "function_call",
                    "status": "completed",
                    "arguments": first.text(),
                    "call_id": first.id or _id("call_"),
                    "name": first.name,
                }
            case Image():
                drawn = {
                    "id": _id("ig_"),
                    "type": "image_generation_call",
                    "status": "completed",
                    "output_format": first.mime.partition("/")[2],
                    "result": base64.b64encode(first.data).decode(),
                }
                return {**self._drawing(), **drawn, **_revised(first)}
            case Text() | Refusal():
                return {
                    "id": _id("msg_"),
                    "type": "message",
                    "status": "completed",
                    "role": "assistant",
                    "content": [_content(part) for part in parts],
                }

    def _drawing(self) -> Json:
        """Return what the tool that makes pictures was told of them."""
        tools = self._asked.get("tools") or []
        told = next((t for t in tools if t.get("type") == "image_generation"), {})
        return {name: told[name] for name in ("background", "quality", "size") if name in told}

    def _response(self, status: str, output: list[Json]) -> Json:
        script, asked = self._script, self._asked
        reason = INCOMPLETE.get(script.ended) if status == "incomplete" else None
        over = status in ("completed", "incomplete")
        text = asked.get("text") or {}
        reasoning = asked.get("reasoning") or {}
        drawn = script.answer.drawn
        tools = {"tool_usage": {"image_gen": told_of(drawn)}} if drawn and over else {}
        return {
            **tools,
            "id": script.id,
            "object": "response",
            "created_at": script.answer.created,
            "status": status,
            "background": False,
            "completed_at": script.answer.created + 1 if status == "completed" else None,
            "error": None,
            "incomplete_details": {"reason": reason} if reason else None,
            "instructions": asked.get("instructions"),
            "max_output_tokens": asked.get("max_output_tokens"),
            "model": script.model,
            "output": output,
            "parallel_tool_calls": asked.get("parallel_tool_calls", True),
            "previous_response_id": asked.get("previous_response_id"),
            "reasoning": {
                "effort": reasoning.get("effort"),
                "summary": reasoning.get("summary"),
            },
            "service_tier": "default",
            "store": asked.get("store", True),
            "temperature": asked.get("temperature", 1.0),
            "text": {"format": text.get("format") or {"type": "text"}},
            "tool_choice": asked.get("tool_choice", "auto"),
            "tools": asked.get("tools") or [],
            "top_p": asked.get("top_p", 1.0),
            "truncation": asked.get("truncation", "disabled"),
            "usage": self._usage() if over and not script.answer.without_usage else None,
            "user": None,
            "metadata": asked.get("metadata") or {},
        }

    def _usage(self) -> Json:
        usage = self._script.usage
        return {
            "input_tokens": usage.input,
            "input_tokens_details": {
                "cached_tokens": usage.cached,
                "cache_write_tokens": usage.cache_write,
            },
            "output_tokens": usage.output,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning},
            "total_tokens": usage.input + usage.output,
        }

    def _status(self) -> str:
        return "incomplete" if INCOMPLETE.get(self._script.ended) else "completed"

    def whole(self) -> Json:
        return self._response(self._status(), self._items)

    def so_far(self) -> Json:
        return self._response("in_progress", [])

    def events(self) -> list[Event]:
        found: list[Json] = [
            {"type": "response.created", "response": self.so_far()},
            {"type": "response.in_progress", "response": self.so_far()},
        ]
        for number, (item, (_, parts)) in enumerate(zip(self._items, self._groups, strict=True)):
            at = {"output_index": number}
            added = {"type": "response.output_item.added", **at, "item": _empty(item)}
            done = {"type": "response.output_item.done", **at, "item": item}
            found += [added, *_body(item, parts, number), done]
        end = {"type": f"response.{self._status()}", "response": self.whole()}
        events = [
            Event({**data, "sequence_number": number}, data["type"])
            for number, data in enumerate(found)
        ]
        last = {**end, "sequence_number": len(events)}
        return [*events, Event(last, end["type"], ending=2)]

    def again(self, sent: int) -> Event:
        """Return an event that an endless answer repeats: more of its first item, a text."""
        data = {
            "type": "response.output_text.delta",
            "item_id": self._items[0]["id"],
            "output_index": 0,
            "content_index": 0,
            "delta": "and so on ",
            "logprobs": [],
            "sequence_number": sent,
        }
        return Event(data, data["type"])


def _revised(image: Image) -> Json:
    return {"revised_prompt": image.revised} if image.revised else {}


def _id(prefix: str) -> str:
    return prefix + secrets.token_hex(12)


def _grouped(parts: list[Part]) -> list[tuple[int, list[Part]]]:
    """Group neighbouring texts and refusals: they are the contents of one message."""
    groups: list[tuple[int, list[Part]]] = []
    for index, part in enumerate(parts):
        said = isinstance(part, Text | Refusal)
        if said and groups and isinstance(groups[-1][1][-1], Text | Refusal):
            groups[-1][1].append(part)
        else:
            groups.append((index, [part]))
    return groups


def _content(part: Part) -> Json:
    if isinstance(part, Refusal):
        return {"type": "refusal", "refusal": "".join(pieces(part.pieces))}
    assert isinstance(part, Text)
    text = "".join(pieces(part.pieces))
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _empty(item: Json) -> Json:
    """Return an item as it is announced: nothing in it yet, secrets only as a placeholder."""
    match item["type"]:
        case "message":
            return {**item, "status": "in_progress", "content": []}
        case "reasoning":
            found = {**item, "summary": []}
            if "status" in item:
                found["status"] = "in_progress"
            if "encrypted_content" in item:
                found["encrypted_content"] = "cGxhY2Vob2xkZXI="
            return found
        case "function_call":
            return {**item, "status": "in_progress", "arguments": ""}
        case _:
            return {**item, "status": "in_progress", "result": None}


def _body(item: Json, parts: list[Part], number: int) -> list[Json]:
    at = {"item_id": item["id"], "output_index": number}
    match item["type"]:
        case "message":
            found: list[Json] = []
            for index, part in enumerate(parts):
                found += _said(item["content"][index], part, {**at, "content_index": index})
            return found
        case "reasoning":
            if not item["summary"]:
                return []
            part = parts[0]
            assert isinstance(part, Thinking)
            at["summary_index"] = 0
            text, kind = item["summary"][0]["text"], "response.reasoning_summary_"
            empty = {"type": "summary_text", "text": ""}
            return [
                {"type": kind + "part.added", **at, "part": empty},
                *(
                    {"type": kind + "text.delta", **at, "delta": piece}
                    for piece in pieces(part.pieces)
                ),
                {"type": kind + "text.done", **at, "text": text},
                {"type": kind + "part.done", **at, "part": item["summary"][0]},
            ]
        case "function_call":
            call = parts[0]
            assert isinstance(call, Call)
            kind = "response.function_call_arguments."
            arguments = item["arguments"]
            deltas = [{"type": kind + "delta", **at, "delta": one} for one in call.fragments()]
            return [*deltas, {"type": kind + "done", **at, "arguments": arguments}]
        case _:
            kind = "response.image_generation_call."
            image = parts[0]
            assert isinstance(image, Image)
            sketches = image.sketches or [image.data]
            return [
                {"type": kind + "in_progress", **at},
                {"type": kind + "generating", **at},
                *(
                    {
                        "type": kind + "partial_image",
                        **at,
                        "partial_image_index": n,
                        "partial_image_b64": base64.b64encode(sketch).decode(),
                    }
                    for n, sketch in enumerate(sketches)
                ),
                {"type": kind + "completed", **at},
            ]


def _said(content: Json, part: Part, at: Json) -> list[Json]:
    begin, end = "response.content_part.added", "response.content_part.done"
    if isinstance(part, Refusal):
        kind = "response.refusal."
        deltas = [{"type": kind + "delta", **at, "delta": one} for one in pieces(part.pieces)]
        done: Json = {"type": kind + "done", **at, "refusal": content["refusal"]}
        empty = {**content, "refusal": ""}
    else:
        assert isinstance(part, Text)
        kind = "response.output_text."
        deltas = [
            {"type": kind + "delta", **at, "delta": piece, "logprobs": []}
            for piece in pieces(part.pieces)
        ]
        done = {"type": kind + "done", **at, "text": content["text"], "logprobs": []}
        empty = {**content, "text": ""}
    return [
        {"type": begin, **at, "part": empty},
        *deltas,
        done,
        {"type": end, **at, "part": content},
    ]
