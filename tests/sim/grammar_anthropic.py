"""The grammar of a Messages stream.

    stream := message_start ping? block* message_delta message_stop
    block  := content_block_start content_block_delta* content_block_stop      one at a time

`ping` may stand anywhere after message_start; `error` ends the stream anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.sim.grammar_chat import Framed
from tests.sim.summary import (
    Summary,
    anthropic_block,
    anthropic_stop,
    anthropic_usage,
    expect,
    need,
)

Json = Any
EVENTS = {
    "message_start", "ping", "content_block_start", "content_block_delta", "content_block_stop",
    "message_delta", "message_stop", "error",
}  # fmt: skip
DELTAS: dict[str, set[str]] = {
    "text": {"text_delta", "citations_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"},
    "server_tool_use": {"input_json_delta"},
    "mcp_tool_use": {"input_json_delta"},
}
EMPTY: dict[str, dict[str, Json]] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
    "server_tool_use": {"input": {}},
    "mcp_tool_use": {"input": {}},
}
CALLS = ("tool_use", "server_tool_use", "mcp_tool_use")


class Reader:
    """Where a stream stands: `open` is the block being written."""

    def __init__(self) -> None:
        self.found = Summary()
        self.started = self.stopped = False
        self.ended = False  # message_delta has come
        self.open: Json = None
        self.blocks = 0
        self._json: list[str] = []
        self._usage: Json = {}

    def feed(self, kind: str, value: Json) -> None:
        expect(not self.stopped, "nothing follows message_stop or an error", value)
        if kind == "error":
            need(value["error"], "type", "message")
            self.found.error = value["error"]
            self.stopped = True
            return
        expect(self.started or kind == "message_start", "message_start comes first", value)
        match kind:
            case "message_start":
                expect(not self.started, "message_start comes once", value)
                self._start(value["message"])
            case "content_block_start":
                expect(not self.ended, "blocks come before message_delta", value)
                self._open(value)
            case "content_block_delta":
                self._at(value)
                self._delta(value["delta"])
            case "content_block_stop":
                self._at(value)
                self._close()
            case "message_delta":
                expect(self.open is None, "message_delta comes after the last block", value)
                expect(not self.ended, "message_delta comes once", value)
                self._end(value)
            case "message_stop":
                expect(self.ended, "message_stop comes after message_delta", value)
                self.stopped = True

    def _start(self, message: Json) -> None:
        need(message, "id", "type", "role", "model", "content", "stop_reason", "stop_sequence")
        need(message, "usage")
        need(message["usage"], "input_tokens", "output_tokens")
        expect((message["type"], message["role"]) == ("message", "assistant"), "a message", message)
        expect(message["content"] == [], "the message begins empty", message)
        expect(message["stop_reason"] is None, "the message has not stopped yet", message)
        self.found.id, self.found.model = message["id"], message["model"]
        self._usage = dict(message["usage"])
        self.started = True

    def _open(self, value: Json) -> None:
        expect(self.open is None, "one block at a time", value)
        expect(value["index"] == self.blocks, "indices are dense from 0", value)
        block = dict(value["content_block"])
        for name, empty in EMPTY.get(block["type"], {}).items():
            need(block, name)
            expect(block[name] == empty, f"{name} begins empty", block)
        if block["type"] in CALLS:
            expect(block.get("id") and block.get("name"), "a tool call has id and name", block)
        self.open, self._json = block, []
        self.blocks += 1

    def _at(self, value: Json) -> None:
        expect(self.open is not None, "a block is open", value)
        expect(value["index"] == self.blocks - 1, "the index is the open block's", value)

    def _delta(self, delta: Json) -> None:
        block, kind = self.open, delta["type"]
        expect(kind in DELTAS.get(block["type"], set()), f"no {kind} in a {block['type']}", delta)
        signed = block["type"] == "thinking" and block["signature"]
        expect(not signed, "the signature ends a thinking block", delta)
        match kind:
            case "text_delta":
                block["text"] += delta["text"]
            case "thinking_delta":
                block["thinking"] += delta["thinking"]
            case "signature_delta":
                expect(delta["signature"], "a signature is not empty", delta)
                block["signature"] = delta["signature"]
            case "input_json_delta":
                need(delta, "partial_json")
                self._json.append(delta["partial_json"])
            case _:
                need(delta, "citation")

    def _close(self) -> None:
        block, self.open = self.open, None
        if block["type"] in CALLS:
            text = "".join(self._json)
            try:
                block["input"] = json.loads(text) if text else {}
            except ValueError:
                expect(False, "the input of a tool call is JSON", text)
        anthropic_block(self.found, block)

    def _end(self, value: Json) -> None:
        need(value, "delta", "usage")
        need(value["delta"], "stop_reason", "stop_sequence")
        need(value["usage"], "output_tokens")
        later = {name: count for name, count in value["usage"].items() if count is not None}
        before = self._usage.get("output_tokens") or 0
        expect(later["output_tokens"] >= before or not self.blocks, "usage is cumulative", value)
        self._usage |= later
        delta = value["delta"]
        anthropic_stop(self.found, delta["stop_reason"], delta["stop_sequence"])
        self.found.usage = anthropic_usage(self._usage)
        self.ended = True


def check(frames: Sequence[Framed]) -> Summary:
    reader = Reader()
    for frame in frames:
        expect(frame.name, "an event without a name is skipped by clients", frame.data)
        expect(frame.name in EVENTS, "a known event", frame.name)
        value = json.loads(frame.data)
        expect(value.get("type") == frame.name, "name and type agree", [frame.name, value])
        reader.feed(frame.name, value)
    expect(reader.stopped, "the stream ends with message_stop or an error")
    reader.found.events = len(frames)
    return reader.found
