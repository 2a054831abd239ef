"""Canned requests and answers in the four dialects, built once and sent as bytes.

Every text delta of a stream carries one `~`, which appears nowhere else in it, so that a driver
can find them without parsing; `text_of` parses properly, to prove before measuring that a proxy
gives the whole answer. Nothing here knows sockets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

EVENTS: Final = 200
"""Text deltas in a stream of the `fast` and `paced` profiles."""

LATE_EVENTS: Final = 10
LATE_SECONDS: Final = 0.020
PACE_SECONDS: Final = 0.005
HOLD_SECONDS: Final = 5.0

MODEL: Final = "bench-{profile}"
"""What an upstream calls its models; the profile says how it answers: fast, late, paced, hold."""

DIALECTS: Final = ("chat", "responses", "anthropic", "gemini")

ANSWER: Final = " ".join(["A proxy forwards requests and answers on behalf of others."] * 8)
DELTA: Final = " word~"

SYSTEM: Final = "You are a careful assistant for people who run servers. " * 5
QUESTIONS: Final = (
    "What is the difference between a forward proxy and a reverse proxy? Answer in two sentences.",
    "A forward proxy acts for clients, a reverse proxy for servers. Both pass requests on.",
    (
        "And where does a gateway that translates between interfaces stand? Name one advantage of "
        "it, one disadvantage, and what you would measure before choosing it for a busy service."
    ),
)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


# Requests, about a kilobyte each ------------------------------------------------------------


class Request(NamedTuple):
    """One request in a client's dialect."""

    path: str
    headers: dict[str, str]
    body: bytes


def request(dialect: str, model: str, *, stream: bool, key: str, size: int = 0) -> Request:
    """Build the request every row sends, in a dialect, after a conversation of `size` bytes."""
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    first, second, third = QUESTIONS
    # A turn of a long conversation is about a kilobyte: what tools say and read.
    before = (("user", f"{third} " * 2), ("assistant", f"{second} " * 6)) * (size // 850)
    turns = (*before, ("user", first), ("assistant", second), ("user", third))
    messages = [{"role": role, "content": text} for role, text in turns]
    match dialect:
        case "chat":
            body: dict[str, Any] = {
                "model": model,
                "messages": [{"role": "system", "content": SYSTEM}, *messages],
                "max_tokens": 512,
                "temperature": 0.2,
                "stream": stream,
            }
            if stream:
                body["stream_options"] = {"include_usage": True}
            return Request("/v1/chat/completions", headers, _json(body))
        case "responses":
            body = {
                "model": model,
                "instructions": SYSTEM,
                "input": messages,
                "max_output_tokens": 512,
                "store": False,
                "stream": stream,
            }
            return Request("/v1/responses", headers, _json(body))
        case "anthropic":
            headers["anthropic-version"] = "2023-06-01"
            body = {
                "model": model,
                "system": SYSTEM,
                "messages": messages,
                "max_tokens": 512,
                "stream": stream,
            }
            return Request("/v1/messages", headers, _json(body))
        case "gemini":
            headers = {"x-goog-api-key": key, "content-type": "application/json"}
            body = {
                "systemInstruction": {"parts": [{"text": SYSTEM}]},
                "contents": [
                    {"role": "user" if role == "user" else "model", "parts": [{"text": text}]}
                    for role, text in turns
                ],
                "generationConfig": {"maxOutputTokens": 512, "temperature": 0.2},
            }
            method = "streamGenerateContent?alt=sse" if stream else "generateContent"
            return Request(f"/v1beta/models/{model}:{method}", headers, _json(body))
    raise ValueError(dialect)


# Answers ------------------------------------------------------------------------------------


class Stream(NamedTuple):
    """The parts of a stream: `delta(text)` gives one event."""

    head: bytes
    delta: Callable[[bytes], bytes]
    tail: Callable[[bytes], bytes]
    """The end, given the whole text (some dialects repeat it)."""


def whole(dialect: str) -> bytes:
    """Build a complete answer."""
    match dialect:
        case "chat":
            return _json(
                {
                    "id": "chatcmpl-bench",
                    "object": "chat.completion",
                    "created": 1700000000,
                    "model": "bench",
                    "choices": [
                        {
                            "index": 0,
                            "message": {"role": "assistant", "content": ANSWER},
                            "finish_reason": "stop",
                        }
                    ],
                    "usage": {"prompt_tokens": 210, "completion_tokens": 96, "total_tokens": 306},
                }
            )
        case "responses":
            return _json(_response("completed", ANSWER))
        case "anthropic":
            return _json(
                {
                    "id": "msg_bench",
                    "type": "message",
                    "role": "assistant",
                    "model": "bench",
                    "content": [{"type": "text", "text": ANSWER}],
                    "stop_reason": "end_turn",
                    "stop_sequence": None,
                    "usage": {"input_tokens": 210, "output_tokens": 96},
                }
            )
        case "gemini":
            return _json(_candidate(ANSWER, finish="STOP"))
    raise ValueError(dialect)


def stream(dialect: str) -> Stream:
    """Build the parts of a stream in an upstream's dialect."""
    match dialect:
        case "chat":
            return _chat_stream()
        case "responses":
            return _responses_stream()
        case "anthropic":
            return _anthropic_stream()
        case "gemini":
            return _gemini_stream()
    raise ValueError(dialect)


def burst(dialect: str, events: int) -> bytes:
    """Build a stream as one piece."""
    parts = stream(dialect)
    return parts.head + parts.delta(DELTA.encode()) * events + parts.tail(DELTA.encode() * events)


def _sse(value: object, event: str | None = None) -> bytes:
    name = f"event: {event}\n".encode() if event else b""
    return name + b"data: " + _json(value) + b"\n\n"


def _split(event: bytes) -> Callable[[bytes], bytes]:
    """Turn an event that says TEXT into a function that puts a text there."""
    before, _, after = event.partition(b"TEXT")
    return lambda text: before + text + after


def _chat_stream() -> Stream:
    def chunk(delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
        return {
            "id": "chatcmpl-bench",
            "object": "chat.completion.chunk",
            "created": 1700000000,
            "model": "bench",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }

    usage = chunk({}) | {
        "choices": [],
        "usage": {"prompt_tokens": 210, "completion_tokens": 200, "total_tokens": 410},
    }
    tail = _sse(chunk({}, "stop")) + _sse(usage) + b"data: [DONE]\n\n"
    return Stream(
        _sse(chunk({"role": "assistant", "content": ""})),
        _split(_sse(chunk({"content": "TEXT"}))),
        lambda _text: tail,
    )


def _anthropic_stream() -> Stream:
    start = {
        "type": "message_start",
        "message": {
            "id": "msg_bench",
            "type": "message",
            "role": "assistant",
            "model": "bench",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 210, "output_tokens": 1},
        },
    }
    block = {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "text", "text": ""},
    }
    delta = {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "TEXT"},
    }
    end = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 200},
    }
    tail = (
        _sse({"type": "content_block_stop", "index": 0}, "content_block_stop")
        + _sse(end, "message_delta")
        + _sse({"type": "message_stop"}, "message_stop")
    )
    return Stream(
        _sse(start, "message_start") + _sse(block, "content_block_start"),
        _split(_sse(delta, "content_block_delta")),
        lambda _text: tail,
    )


def _response(status: str, text: str | None) -> dict[str, Any]:
    item = {
        "type": "message",
        "id": "item_bench",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }
    return {
        "id": "resp_bench",
        "object": "response",
        "created_at": 1700000000,
        "status": status,
        "model": "bench",
        "output": [] if text is None else [item],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "usage": None
        if text is None
        else {
            "input_tokens": 210,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 200,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 410,
        },
    }


def _responses_stream() -> Stream:
    number = 0

    def event(kind: str, **fields: object) -> bytes:
        nonlocal number
        number += 1
        return _sse({"type": kind, "sequence_number": number - 1, **fields}, kind)

    place = {"item_id": "item_bench", "output_index": 0, "content_index": 0}
    item = {"type": "message", "id": "item_bench", "role": "assistant"}
    head = (
        event("response.created", response=_response("in_progress", None))
        + event("response.in_progress", response=_response("in_progress", None))
        + event(
            "response.output_item.added",
            output_index=0,
            item=item | {"status": "in_progress", "content": []},
        )
        + event(
            "response.content_part.added",
            **place,
            part={"type": "output_text", "text": "", "annotations": []},
        )
    )
    delta = event("response.output_text.delta", **place, delta="TEXT", logprobs=[])

    def tail(text: bytes) -> bytes:
        full = text.decode()
        part = {"type": "output_text", "text": full, "annotations": []}
        return (
            event("response.output_text.done", **place, text=full, logprobs=[])
            + event("response.content_part.done", **place, part=part)
            + event(
                "response.output_item.done",
                output_index=0,
                item=item | {"status": "completed", "content": [part]},
            )
            + event("response.completed", response=_response("completed", full))
        )

    return Stream(head, _split(delta), tail)


def _candidate(text: str, finish: str | None = None) -> dict[str, Any]:
    candidate: dict[str, Any] = {
        "content": {"parts": [{"text": text}], "role": "model"},
        "index": 0,
    }
    if finish is not None:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": 210,
            "candidatesTokenCount": 200,
            "totalTokenCount": 410,
        },
        "modelVersion": "bench",
        "responseId": "bench",
    }


def _gemini_stream() -> Stream:
    end = _sse(_candidate("", finish="STOP"))
    return Stream(b"", _split(_sse(_candidate("TEXT"))), lambda _text: end)


# Reading answers, to prove them whole -------------------------------------------------------

TERMINAL: Final = {
    "chat": b"[DONE]",
    "responses": b'"response.completed"',
    "anthropic": b'"message_stop"',
    "gemini": b'"finishReason"',
}
"""What only the end of a whole stream contains, by the client's dialect."""

STAMP: Final = re.compile(rb"@(\d+)@")
"""Where a paced event tells, in nanoseconds, when the upstream sent it."""


def text_of(dialect: str, body: bytes, *, streamed: bool) -> str:
    """Collect the answer's text by reading the body as a client would."""
    if not streamed:
        return _whole_text(dialect, json.loads(body))
    return "".join(_delta_text(dialect, payload) for payload in _payloads(body))


def _payloads(body: bytes) -> Iterator[Any]:
    for line in body.splitlines():
        if line.startswith(b"data:") and b"[DONE]" not in line:
            yield json.loads(line[5:])


def _whole_text(dialect: str, value: Any) -> str:
    match dialect:
        case "chat":
            return str(value["choices"][0]["message"]["content"])
        case "responses":
            return "".join(
                part["text"]
                for item in value["output"]
                if item["type"] == "message"
                for part in item["content"]
            )
        case "anthropic":
            return "".join(block["text"] for block in value["content"] if block["type"] == "text")
        case _:
            return "".join(part["text"] for part in value["candidates"][0]["content"]["parts"])


def _delta_text(dialect: str, value: Any) -> str:
    match dialect:
        case "chat":
            choices = value["choices"]
            return (choices[0]["delta"].get("content") or "") if choices else ""
        case "responses":
            return value["delta"] if value["type"] == "response.output_text.delta" else ""
        case "anthropic":
            return value["delta"]["text"] if value["type"] == "content_block_delta" else ""
        case _:
            candidates = value.get("candidates") or [{}]
            parts = candidates[0].get("content", {}).get("parts") or []
            return "".join(part.get("text", "") for part in parts)
