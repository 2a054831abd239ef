"""The grammar of a Responses stream.

    stream := created in_progress item* terminal
    item   := output_item.added body(type) output_item.done      one at a time

Every event is numbered; every `done` repeats what its deltas said; the response that ends the
stream repeats the items.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.sim.grammar_chat import Framed
from tests.sim.summary import Summary, expect, need, responses_object

Json = Any
TERMINALS = ("response.completed", "response.incomplete", "response.failed")
# Events inside an item: word before the last dot → (index field, deltas, field of the done event)
TEXTS = {
    "response.output_text": ("content_index", "text"),
    "response.refusal": ("content_index", "refusal"),
    "response.reasoning_summary_text": ("summary_index", "text"),
    "response.reasoning_text": ("content_index", "text"),
    "response.function_call_arguments": ("", "arguments"),
    "response.custom_tool_call_input": ("", "input"),
    "response.mcp_call_arguments": ("", "arguments"),
    "response.code_interpreter_call_code": ("", "code"),
}
OWNERS = {
    "response.output_text": "message",
    "response.refusal": "message",
    "response.content_part": "message",
    "response.reasoning_summary_text": "reasoning",
    "response.reasoning_summary_part": "reasoning",
    "response.function_call_arguments": "function_call",
    "response.custom_tool_call_input": "custom_tool_call",
    "response.code_interpreter_call_code": "code_interpreter_call",
    "response.mcp_call_arguments": "mcp_call",
}
# Items of tools the provider runs: their own events in order, those of `CODE` and `ARGS` between
CODE, ARGS = "response.code_interpreter_call_code", "response.mcp_call_arguments"
STEPS = {
    "code_interpreter_call": ("in_progress", CODE, "interpreting", "completed"),
    "mcp_call": ("in_progress", ARGS, "completed"),
}
PARTS = {
    "response.content_part": "content_index",
    "response.reasoning_summary_part": "summary_index",
}


class Item:
    """An item being written."""

    def __init__(self, value: Json, index: int) -> None:
        self.value = value
        self.index = index
        self.parts: list[Json] = []  # finished content or summary parts
        self.part: Json = None  # the open one
        self.said: list[str] = []  # deltas of the open text
        self.final: str | None = None  # the text its done event gave
        self.steps: list[str] = []  # events of a tool the provider runs

    def step(self, step: str, event: Json) -> None:
        """Take the next event of a tool the provider runs; the order is the API's."""
        kind = self.value["type"]
        if kind not in STEPS:
            return
        order = STEPS[kind]
        place = "completed" if (kind, step) == ("mcp_call", "failed") else step
        expect(place in order, f"a known step of a {kind}", event)
        done = "completed" if "failed" in self.steps else self.steps[-1] if self.steps else ""
        at = order.index(done) if done else -1
        expect(order.index(place) in (at, at + 1), "the steps come in their order", event)
        if place != order[1]:
            expect(step not in self.steps, f"{step} comes once", event)
        elif self.final is not None:
            expect(False, "a text is over once it is done", event)
        self.steps.append(step)

    def text(self, family: str, verb: str, event: Json) -> None:
        where, name = TEXTS[family]
        if where and family != "response.reasoning_text":
            expect(self.part is not None, "a text is written inside a part", event)
            expect(event[where] == len(self.parts), f"{where} is the open part's", event)
        expect(self.final is None, "a text is over once it is done", event)
        if verb == "delta":
            expect(isinstance(event.get("delta"), str), "delta is text", event)
            self.said.append(event["delta"])
        else:
            expect(verb == "done", "a text has delta and done", event)
            need(event, name)
            if self.said:
                expect(event[name] == "".join(self.said), "done repeats the deltas", event)
            self.final = event[name]
        if family == "response.output_text":
            need(event, "logprobs")

    def begin(self, where: str, event: Json) -> None:
        expect(self.part is None, "one part at a time", event)
        expect(event[where] == len(self.parts), f"{where} is dense from 0", event)
        self.part, self.said, self.final = event["part"], [], None
        text = self.part.get("text", self.part.get("refusal"))
        expect(text == "", "a part begins empty", event)
        if self.part["type"] == "output_text":
            need(self.part, "annotations", "logprobs")

    def end(self, where: str, event: Json) -> None:
        expect(self.part is not None, "a part is open", event)
        expect(event[where] == len(self.parts), f"{where} is the open part's", event)
        part = event["part"]
        expect(part["type"] == self.part["type"], "a part keeps its type", event)
        expect(self.final is not None, "the text is done before its part", event)
        expect(part.get("text", part.get("refusal")) == self.final, "the part repeats it", event)
        self.parts.append(part)
        self.part = None

    def close(self, done: Json) -> None:
        """Compare the finished item with what was said of it."""
        expect(self.part is None, "every part is done before its item", done)
        for name in ("id", "type", "call_id", "name", "role"):
            expect(done.get(name) == self.value.get(name), f"an item keeps its {name}", done)
        match done["type"]:
            case "message":
                expect(done["content"] == self.parts, "the item repeats its parts", done)
                expect(done.get("status") in ("completed", "incomplete"), "status", done)
            case "reasoning" if self.parts or done["summary"]:
                expect(done["summary"] == self.parts, "the item repeats its summary", done)
            case "function_call":
                expect(self.final == done["arguments"], "the item repeats its arguments", done)
            case "custom_tool_call":
                expect(self.final == done["input"], "the item repeats its input", done)
            case "code_interpreter_call":
                expect(self.final == done["code"], "the item repeats its code", done)
                container = self.value["container_id"]
                expect(done["container_id"] == container, "an item keeps its container", done)
                expect("interpreting" in self.steps, "code is interpreted", done)
                ended = done["status"] == "completed"
                expect(("completed" in self.steps) == ended, "it says that it completed", done)
            case "mcp_call":
                expect(self.final == done["arguments"], "the item repeats its arguments", done)
                label = self.value["server_label"]
                expect(done["server_label"] == label, "an item keeps its server", done)
                ends = [step for step in self.steps if step in ("completed", "failed")]
                ended = [done["status"]] if done["status"] in ("completed", "failed") else []
                expect(ends == ended, "it says how it ended", done)


class Reader:
    """Where a stream stands."""

    def __init__(self) -> None:
        self.id = ""
        self.item: Item | None = None
        self.items: list[Json] = []
        self.seen: set[str] = set()
        self.over: Summary | None = None

    def feed(self, number: int, event: Json) -> None:
        kind = event["type"]
        after = self.over is not None and self.over.error is not None
        again = after and kind == "response.failed" and bool(self.id)
        expect(self.over is None or again, "nothing follows the terminal event", event)
        expect(event.get("sequence_number") == number, "sequence_number has no gaps", event)
        if kind == "error":
            need(event, "code", "message", "param")
            self.over = Summary(error=event)
            return
        if number == 0 or kind in ("response.created", *TERMINALS):
            expect((number == 0) == (kind == "response.created"), "created comes first", event)
        if kind in ("response.created", "response.in_progress", "response.queued", *TERMINALS):
            self._life(number, kind, event["response"])
            return
        expect(number >= 2, "in_progress is the second event", event)
        match kind:
            case "response.output_item.added":
                self._added(event)
            case "response.output_item.done":
                self._done(event)
            case _:
                self._inside(kind, event)

    def _life(self, number: int, kind: str, response: Json) -> None:
        need(response, "id", "object", "created_at", "status", "model", "output", "usage")
        need(response, "parallel_tool_calls", "tool_choice", "tools")
        self.id = self.id or response["id"]
        expect(response["id"] == self.id, "the response keeps its id", response)
        if kind in ("response.created", "response.in_progress", "response.queued"):
            allowed = {0: ("response.created",), 1: ("response.in_progress", "response.queued")}
            allowed[2] = ("response.in_progress",)
            expect(kind in allowed.get(number, ()), "the response begins once", kind)
            expect(response["status"] in ("in_progress", "queued"), "it is in progress", response)
            expect(response["output"] == [], "there is no output yet", response)
            return
        expect(response["status"] == kind.removeprefix("response."), "status", response)
        if kind != "response.failed":
            expect(self.item is None, "every item is done before the end", response)
            expect(response["output"] == self.items, "the response repeats its items", response)
        self.over = responses_object(response)

    def _added(self, event: Json) -> None:
        item = event["item"]
        expect(self.item is None, "one item at a time", event)
        expect(event["output_index"] == len(self.items), "output_index is dense from 0", event)
        need(item, "id", "type")
        expect(item["id"] not in self.seen, "item ids are unique", event)
        self.seen.add(item["id"])
        match item["type"]:
            case "message":
                expect(item["content"] == [], "a message begins empty", event)
                expect(item["role"] == "assistant", "it is the assistant's", event)
            case "reasoning":
                expect(item["summary"] == [], "reasoning begins empty", event)
            case "function_call":
                need(item, "call_id", "name", "arguments")
                expect(item["call_id"] and item["name"], "a call has id and name", event)
                expect(item["arguments"] == "", "arguments begin empty", event)
            case "code_interpreter_call":
                need(item, "code", "outputs", "container_id")
                expect(item["code"] == "", "code begins empty", event)
                expect(not item["outputs"], "outputs come with the end", event)
                expect(item["container_id"], "code runs in a container", event)
            case "mcp_call":
                need(item, "server_label", "name", "arguments")
                expect(item["name"] and item["server_label"], "a call has name and server", event)
                expect(item["arguments"] == "", "arguments begin empty", event)
                expect(item.get("output") is None, "the output comes with the end", event)
        expect(item.get("status") in ("in_progress", None), "the item is in progress", event)
        self.item = Item(item, event["output_index"])

    def _done(self, event: Json) -> None:
        expect(self.item is not None, "an item is open", event)
        assert self.item is not None
        expect(event["output_index"] == self.item.index, "output_index is the open item's", event)
        self.item.close(event["item"])
        self.items.append(event["item"])
        self.item = None

    def _inside(self, kind: str, event: Json) -> None:
        expect(self.item is not None, "an event belongs to an open item", event)
        item = self.item
        assert item is not None
        expect(event.get("item_id") == item.value["id"], "item_id is the open item's", event)
        expect(event.get("output_index") == item.index, "output_index is the open item's", event)
        family, _, verb = kind.rpartition(".")
        if family == "response.output_text.annotation":
            family, verb = "response.output_text", "annotation"
            need(event, "annotation", "annotation_index", "content_index")
            expect(item.part is not None, "an annotation belongs to an open part", event)
            return
        owner = OWNERS.get(family)
        expect(owner in (None, item.value["type"]), f"no {kind} in a {item.value['type']}", event)
        if family in (CODE, ARGS):
            item.step(family, event)
        elif item.value["type"] in STEPS:
            item.step(verb, event)
        if family in TEXTS:
            item.text(family, verb, event)
        elif family in PARTS and verb == "added":
            item.begin(PARTS[family], event)
        elif family in PARTS:
            item.end(PARTS[family], event)
        else:
            known = f"response.{item.value['type']}"
            expect(family == known, "a known event of this item", event)


def check(frames: Sequence[Framed]) -> Summary:
    reader = Reader()
    for number, frame in enumerate(frames):
        expect(frame.data != "[DONE]", "the Responses stream has no [DONE]")
        event = json.loads(frame.data)
        expect(event.get("type") == frame.name, "name and type agree", [frame.name, event])
        reader.feed(number, event)
    expect(reader.over is not None, "the stream ends with a terminal event")
    assert reader.over is not None
    reader.over.events = len(frames)
    return reader.over
