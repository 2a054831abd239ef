"""The grammar of a Chat Completions stream.

    stream := first content* finish usage? "[DONE]"      per choice: first once, finish once

An error object may stand anywhere instead of the rest.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.sim.summary import (
    CHAT_FINISH,
    Summary,
    arguments,
    called,
    chat_image,
    chat_usage,
    expect,
    need,
)

Json = Any
DELTA = {
    "role", "content", "refusal", "reasoning_content", "tool_calls", "images", "annotations",
    "audio", "function_call",
}  # fmt: skip
SAME = ("id", "object", "created", "model")


class Framed(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def data(self) -> str: ...


@dataclass
class Tool:
    id: str
    name: str
    kind: str
    text: list[str] = field(default_factory=list)


@dataclass
class Choice:
    finish: str = ""
    tools: list[Tool] = field(default_factory=list)


def check(frames: Sequence[Framed], *, include_usage: bool | None) -> Summary:
    found = Summary(events=len(frames))
    choices: dict[int, Choice] = {}
    first: Json = None
    usage_seen = False
    for number, frame in enumerate(frames):
        last = number == len(frames) - 1
        expect(not frame.name, "chat events have no name", frame.name)
        if frame.data == "[DONE]":
            expect(last, "nothing follows [DONE]")
            break
        value = json.loads(frame.data)
        if value.get("error"):
            rest = [after.data for after in frames[number + 1 :]]
            expect(rest in ([], ["[DONE]"]), "nothing follows an error", rest)
            need(value["error"], "message", "type")
            found.error = value["error"]
            return found
        expect(not last, "the stream ends with [DONE]", value)
        expect(not usage_seen, "nothing follows the usage chunk", value)
        need(value, *SAME, "choices")
        expect(value["object"] == "chat.completion.chunk", "object is right", value)
        expect(type(value["created"]) is int, "created is an integer", value)
        first = first or value
        for name in SAME:
            expect(value[name] == first[name], f"{name} is the same on every chunk", value)
        if value["choices"]:
            expect(value.get("usage") is None, "usage comes in a chunk of its own", value)
            if include_usage:
                expect("usage" in value, "usage is null until the last chunk", value)
        else:
            expect(include_usage is not False, "usage was not asked for", value)
            expect(value.get("usage") is not None, "a chunk without choices has usage", value)
            unfinished = [i for i, choice in choices.items() if not choice.finish]
            expect(choices and not unfinished, "usage comes after every finish", unfinished)
            found.usage = chat_usage(value["usage"])
            usage_seen = True
        for entry in value["choices"]:
            _choice(found, choices, entry)
    expect(first is not None, "a stream has chunks")
    expect(frames[-1].data == "[DONE]", "the stream ends with [DONE]", frames[-1].data)
    expect(choices, "a stream has a choice")
    for index, choice in choices.items():
        expect(choice.finish, f"choice {index} has a finish_reason")
    expect(usage_seen or not include_usage, "usage was asked for")
    found.id, found.model = first["id"], first["model"]
    choice = choices[min(choices)]
    for tool in choice.tools:
        text = "".join(tool.text)
        found.calls.append(
            (tool.id, tool.name, arguments(text) if tool.kind == "function" else text)
        )
    found.native_finish = choice.finish
    found.finish = CHAT_FINISH.get(choice.finish, choice.finish)
    called(found)
    return found


def _choice(found: Summary, choices: dict[int, Choice], entry: Json) -> None:
    need(entry, "index", "delta", "finish_reason")
    index, delta = entry["index"], entry["delta"]
    expect(type(index) is int and index >= 0, "index is a number", entry)
    expect(isinstance(delta, dict), "delta is an object", entry)
    unknown = set(delta) - DELTA
    expect(not unknown, "delta has only known fields", entry)
    if index not in choices:
        expect(delta.get("role") == "assistant", "a choice begins with its role", entry)
        choices[index] = Choice()
    else:
        expect("role" not in delta, "the role is said once: clients concatenate it", entry)
    choice = choices[index]
    expect(not choice.finish, "nothing follows the finish_reason of a choice", entry)
    main = index == min(choices)
    for name, value in delta.items():
        plain = value is None or isinstance(value, str | list | dict)
        expect(plain, "a delta has no numbers: clients add them up", entry)
        if value is None or not main:
            continue
        match name:
            case "content":
                found.text += value
            case "reasoning_content":
                found.thinking += value
            case "refusal":
                found.refusal += value
            case "images":
                found.images += [chat_image(image) for image in value]
    if "tool_calls" in delta:
        expect(delta["tool_calls"], "tool_calls is absent rather than empty", entry)
        for piece in delta["tool_calls"]:
            _tool(choice, piece)
    if entry["finish_reason"] is not None:
        filled = [name for name, value in delta.items() if value not in (None, "")]
        expect(not filled, "the finishing chunk carries nothing else", entry)
        choice.finish = entry["finish_reason"]


def _tool(choice: Choice, piece: Json) -> None:
    index = piece.get("index")
    expect(type(index) is int, "a tool call has an index", piece)
    if index == len(choice.tools):
        need(piece, "id", "type", piece.get("type", "function"))
        kind = piece["type"]
        expect(kind in ("function", "custom"), "type is function or custom", piece)
        need(piece[kind], "name")
        expect(piece["id"] and isinstance(piece["id"], str), "id is not empty", piece)
        expect(piece[kind]["name"], "name is not empty", piece)
        choice.tools.append(Tool(piece["id"], piece[kind]["name"], kind))
    else:
        expect(0 <= index < len(choice.tools), "indices are dense from 0", piece)
        expect("id" not in piece, "the id is said once: clients concatenate it", piece)
        expect("type" not in piece, "the type is said once", piece)
    tool = choice.tools[index]
    inner = piece.get(tool.kind) or {}
    started = len(tool.text) > 0
    expect(not (started and "name" in inner), "the name is said once", piece)
    text = inner.get("arguments" if tool.kind == "function" else "input")
    expect(text is None or isinstance(text, str), "arguments are text", piece)
    tool.text.append(text or "")
