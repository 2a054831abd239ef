"""What a client was told, in words that belong to no dialect, and how it is read from bodies.

`grammar` makes one from a stream while checking it; `whole_summary` makes one from a body. The
two must agree for the same answer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.sim.script import Usage

Json = Any

CHAT_FINISH = {"function_call": "tool_calls"}
STOP_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "pause_turn": "pause",
}
STATUSES = {"completed": "stop", "requires_action": "tool_calls", "incomplete": "length"}
FINISH_REASONS = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
}


class GrammarError(AssertionError):
    """What was sent breaks the dialect's grammar."""


@dataclass
class Summary:
    """An answer as its client understands it."""

    text: str = ""
    thinking: str = ""
    signatures: list[str] = field(default_factory=list)
    calls: list[tuple[str, str, Json]] = field(default_factory=list)  # id, name, arguments
    images: list[tuple[str, str]] = field(default_factory=list)  # mime, base64
    ran: set[str] = field(default_factory=set)  # ids of calls the provider answers itself
    refusal: str = ""
    finish: str = ""  # stop length tool_calls content_filter pause, or the native word
    native_finish: str = ""
    stop_sequence: str | None = None
    usage: Usage | None = None
    id: str = ""
    model: str = ""
    error: Json = None  # the error object of the dialect
    events: int = 0

    @property
    def told(self) -> tuple[Any, ...]:
        """Return what must be the same whether streamed or not; ids differ between answers."""
        calls = [(name, args) for _, name, args in self.calls]
        said = (self.text, self.thinking, self.refusal, calls, self.images)
        return (*said, self.finish, self.stop_sequence, self.usage)


def expect(condition: object, message: str, shown: Json = None) -> None:
    if not condition:
        raise GrammarError(message if shown is None else f"{message}: {json.dumps(shown)[:500]}")


def arguments(text: str) -> Json:
    """Return the arguments as an object, or the text if a model wrote no JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def whole_summary(dialect: str, body: bytes | Json) -> Summary:
    """Read a body that is not a stream; its required fields are checked."""
    value = json.loads(body) if isinstance(body, bytes) else body
    if isinstance(value, list) and dialect == "gemini":
        expect(len(value) == 1, "an array of one element", value)
        value = value[0]
    expect(isinstance(value, dict), "a body is an object", value)
    if value.get("error"):
        return Summary(error=value["error"])
    read = {
        "openai-chat": _chat,
        "openai-responses": responses_object,
        "anthropic": _anthropic,
        "gemini": _gemini,
        "interactions": _interactions,
    }[dialect]
    return read(value)


def need(value: Json, *names: str) -> None:
    for name in names:
        expect(name in value, f"{name!r} is missing", value)


def chat_usage(usage: Json) -> Usage | None:
    if usage is None:
        return None
    need(usage, "prompt_tokens", "completion_tokens", "total_tokens")
    asked = usage.get("prompt_tokens_details") or {}
    given = usage.get("completion_tokens_details") or {}
    total = usage["prompt_tokens"] + usage["completion_tokens"]
    expect(usage["total_tokens"] == total, "total is prompt and completion", usage)
    return Usage(
        input=usage["prompt_tokens"],
        output=usage["completion_tokens"],
        cached=asked.get("cached_tokens") or 0,
        cache_write=asked.get("cache_write_tokens") or 0,
        reasoning=given.get("reasoning_tokens") or 0,
    )


def chat_image(image: Json) -> tuple[str, str]:
    head, _, data = image["image_url"]["url"].partition(",")
    return head.removeprefix("data:").partition(";")[0], data


def _chat(value: Json) -> Summary:
    need(value, "id", "object", "created", "model", "choices")
    expect(value["object"] == "chat.completion", "object is chat.completion", value)
    expect(isinstance(value["created"], int), "created is an integer", value)
    expect(value["choices"], "choices are not empty", value)
    choice = value["choices"][0]
    need(choice, "index", "message", "finish_reason")
    message = choice["message"]
    need(message, "role", "content")
    expect(message["role"] == "assistant", "role is assistant", message)
    found = Summary(id=value["id"], model=value["model"])
    found.text = message["content"] or ""
    found.thinking = message.get("reasoning_content") or ""
    found.refusal = message.get("refusal") or ""
    found.images = [chat_image(image) for image in message.get("images") or []]
    calls = message.get("tool_calls")
    expect(calls is None or calls, "tool_calls is absent rather than empty", message)
    for call in calls or []:
        need(call, "id", "type")
        inner = call[call["type"]]
        args = arguments(inner["arguments"]) if call["type"] == "function" else inner["input"]
        found.calls.append((call["id"], inner["name"], args))
    found.native_finish = choice["finish_reason"]
    found.finish = CHAT_FINISH.get(found.native_finish, found.native_finish)
    called(found)
    found.usage = chat_usage(value.get("usage"))
    return found


def called(found: Summary) -> None:
    """The finish reason says whether the client has to run tools, and must not lie about it."""
    if found.finish == "tool_calls":
        expect(found.calls, "finished for tool calls without any")
    if found.finish == "stop":
        expect(not found.calls, "finished as if there were no tool calls", found.calls)
    ids = [call[0] for call in found.calls if call[0]]
    expect(len(set(ids)) == len(ids), "call ids are unique", ids)


def responses_usage(usage: Json) -> Usage | None:
    if usage is None:
        return None
    need(usage, "input_tokens", "input_tokens_details", "output_tokens", "total_tokens")
    need(usage, "output_tokens_details")
    need(usage["input_tokens_details"], "cached_tokens")
    need(usage["output_tokens_details"], "reasoning_tokens")
    total = usage["input_tokens"] + usage["output_tokens"]
    expect(usage["total_tokens"] == total, "total is input and output", usage)
    return Usage(
        input=usage["input_tokens"],
        output=usage["output_tokens"],
        cached=usage["input_tokens_details"]["cached_tokens"],
        cache_write=usage["input_tokens_details"].get("cache_write_tokens") or 0,
        reasoning=usage["output_tokens_details"]["reasoning_tokens"],
    )


def responses_object(value: Json) -> Summary:
    """Read a finished Response."""
    need(value, "id", "object", "created_at", "status", "model", "output", "error")
    need(value, "parallel_tool_calls", "tool_choice", "tools", "incomplete_details", "usage")
    expect(value["object"] == "response", "object is response", value)
    expect("output_text" not in value, "output_text is the SDK's, not the wire's")
    found = Summary(id=value["id"], model=value["model"])
    seen: set[str] = set()
    for item in value["output"]:
        if "id" in item:
            expect(item["id"] not in seen, "item ids are unique", item)
            seen.add(item["id"])
        responses_item(found, item)
    status = value["status"]
    found.native_finish = status
    match status:
        case "completed":
            found.finish = "tool_calls" if found.calls else "stop"
        case "incomplete":
            reason = value["incomplete_details"]["reason"]
            found.finish = "length" if reason == "max_output_tokens" else reason
        case "failed":
            expect(value["error"], "a failed response has an error", value)
            found.error = value["error"]
        case _:
            raise GrammarError(f"status {status} of a finished response")
    found.usage = responses_usage(value["usage"])
    called(found)
    return found


def responses_item(found: Summary, item: Json) -> None:
    """Add a finished item."""
    match item["type"]:
        case "message":
            need(item, "id", "role", "status", "content")
            for part in item["content"]:
                if part["type"] == "refusal":
                    found.refusal += part["refusal"]
                else:
                    need(part, "text", "annotations", "logprobs")
                    found.text += part["text"]
        case "reasoning":
            need(item, "id", "summary")
            texts = [part["text"] for part in item["summary"]]
            texts += [part["text"] for part in item.get("content") or []]
            found.thinking += "\n\n".join(texts)
            if item.get("encrypted_content"):
                found.signatures.append(item["encrypted_content"])
        case "function_call":
            need(item, "call_id", "name", "arguments")
            expect(item["arguments"], "arguments of a call are not empty", item)
            found.calls.append((item["call_id"], item["name"], arguments(item["arguments"])))
        case "custom_tool_call":
            need(item, "call_id", "name", "input")
            found.calls.append((item["call_id"], item["name"], item["input"]))
        case "code_interpreter_call":
            need(item, "id", "code", "container_id", "outputs", "status")
            expect(item["container_id"], "code runs in a container", item)
            for output in item["outputs"] or []:
                need(output, {"logs": "logs", "image": "url"}[output["type"]])
        case "mcp_call":
            need(item, "id", "server_label", "name", "arguments", "output", "error", "status")
        case "image_generation_call":
            need(item, "id", "result", "status")
            mime = f"image/{item.get('output_format') or 'png'}"
            found.images.append((mime, item["result"]))
        case _:
            need(item, "id")


def anthropic_usage(usage: Json) -> Usage:
    need(usage, "input_tokens", "output_tokens")
    read = usage.get("cache_read_input_tokens") or 0
    written = usage.get("cache_creation_input_tokens") or 0
    return Usage(
        input=usage["input_tokens"] + read + written,
        output=usage["output_tokens"],
        cached=read,
        cache_write=written,
        reasoning=(usage.get("output_tokens_details") or {}).get("thinking_tokens") or 0,
    )


def anthropic_stop(found: Summary, reason: Json, sequence: Json) -> None:
    expect(isinstance(reason, str), "stop_reason is a word", reason)
    found.native_finish = reason
    found.finish = STOP_REASONS.get(str(reason), str(reason))
    found.stop_sequence = sequence
    if sequence is not None:
        expect(reason == "stop_sequence", "stop_sequence without that reason", reason)
    called(found)


def anthropic_block(found: Summary, block: Json) -> None:
    """Add a finished block."""
    match block["type"]:
        case "text":
            found.text += block["text"]
        case "thinking":
            need(block, "thinking", "signature")
            found.thinking += block["thinking"]
            if block["signature"]:
                found.signatures.append(block["signature"])
        case "redacted_thinking":
            found.signatures.append(block["data"])
        case "tool_use":
            need(block, "id", "name", "input")
            expect(isinstance(block["input"], dict), "input is an object", block)
            found.calls.append((block["id"], block["name"], block["input"]))
        case "server_tool_use" | "mcp_tool_use":
            need(block, "id", "name", "input")
            expect(isinstance(block["input"], dict), "input is an object", block)
            found.ran.add(block["id"])
        case kind if kind.endswith("_tool_result"):
            need(block, "tool_use_id", "content")
            if kind.startswith(("code_execution", "bash_code_execution", "mcp")):
                expect(block["tool_use_id"] in found.ran, "a result follows its call", block)


def _anthropic(value: Json) -> Summary:
    need(value, "id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage")
    expect((value["type"], value["role"]) == ("message", "assistant"), "a message", value)
    found = Summary(id=value["id"], model=value["model"])
    for block in value["content"]:
        anthropic_block(found, block)
    anthropic_stop(found, value["stop_reason"], value["stop_sequence"])
    found.usage = anthropic_usage(value["usage"])
    return found


def gemini_usage(usage: Json) -> Usage | None:
    if usage is None:
        return None
    need(usage, "promptTokenCount", "totalTokenCount")
    thoughts = usage.get("thoughtsTokenCount") or 0
    visible = usage.get("candidatesTokenCount") or 0
    asked = usage["promptTokenCount"] + (usage.get("toolUsePromptTokenCount") or 0)
    expect(usage["totalTokenCount"] == asked + visible + thoughts, "total is the sum", usage)
    return Usage(
        input=asked,
        output=visible + thoughts,
        cached=usage.get("cachedContentTokenCount") or 0,
        reasoning=thoughts,
    )


PARTS = {
    "text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode",
    "codeExecutionResult", "toolCall", "toolResponse",
}  # fmt: skip
MODIFIERS = {"thought", "thoughtSignature", "videoMetadata", "mediaResolution", "partMetadata"}


def gemini_part(found: Summary, part: Json) -> None:
    """Add one part."""
    data = [name for name in part if name in PARTS]
    expect(len(data) == 1, "a part has exactly one kind of data", part)
    unknown = set(part) - PARTS - MODIFIERS
    expect(not unknown, "a part has only known fields", part)
    if signature := part.get("thoughtSignature"):
        found.signatures.append(signature)
    match data[0]:
        case "text" if part.get("thought"):
            found.thinking += part["text"]
        case "text":
            found.text += part["text"]
        case "inlineData":
            need(part["inlineData"], "mimeType", "data")
            found.images.append((part["inlineData"]["mimeType"], part["inlineData"]["data"]))
        case "executableCode":
            need(part["executableCode"], "language", "code")
        case "codeExecutionResult":
            need(part["codeExecutionResult"], "outcome")
        case "functionCall":
            call = part["functionCall"]
            need(call, "name", "args")
            expect(isinstance(call["args"], dict), "args is an object", call)
            found.calls.append((call.get("id") or "", call["name"], call["args"]))


def gemini_finish(found: Summary, reason: str) -> None:
    found.native_finish = reason
    neutral = FINISH_REASONS.get(reason, reason)
    found.finish = "tool_calls" if neutral == "stop" and found.calls else neutral


def _gemini(value: Json) -> Summary:
    value = value.get("response", value)
    need(value, "responseId", "modelVersion")
    found = Summary(id=value["responseId"], model=value["modelVersion"])
    if not value.get("candidates"):
        need(value, "promptFeedback")
        found.native_finish = value["promptFeedback"].get("blockReason", "")
        found.finish = "content_filter"
    for candidate in (value.get("candidates") or [])[:1]:
        content = candidate.get("content") or {}
        expect(content.get("role", "model") == "model", "role is model", content)
        for part in content.get("parts") or []:
            gemini_part(found, part)
        need(candidate, "finishReason")
        gemini_finish(found, candidate["finishReason"])
    found.usage = gemini_usage(value.get("usageMetadata"))
    return found


def interactions_usage(usage: Json) -> Usage | None:
    if usage is None:
        return None
    need(usage, "total_input_tokens", "total_output_tokens", "total_tokens")
    thoughts = usage.get("total_thought_tokens") or 0
    asked = usage["total_input_tokens"] + (usage.get("total_tool_use_tokens") or 0)
    total = asked + usage["total_output_tokens"] + thoughts
    expect(usage["total_tokens"] == total, "total is the sum", usage)
    return Usage(
        input=asked,
        output=usage["total_output_tokens"] + thoughts,
        cached=usage.get("total_cached_tokens") or 0,
        reasoning=thoughts,
    )


def interactions_step(found: Summary, step: Json) -> None:
    """Add a finished step."""
    need(step, "type")
    match step["type"]:
        case "model_output":
            for item in step.get("content") or []:
                if item["type"] == "text":
                    found.text += item["text"]
                else:
                    need(item, "mime_type", "data")
                    found.images.append((item["mime_type"], item["data"]))
        case "thought":
            found.thinking += "".join(item["text"] for item in step.get("summary") or [])
            if step.get("signature"):
                found.signatures.append(step["signature"])
        case "function_call":
            need(step, "id", "name", "arguments")
            found.calls.append((step["id"], step["name"], step["arguments"]))
        case kind if kind.endswith("_call"):
            need(step, "id")
            found.ran.add(step["id"])
        case kind if kind.endswith("_result"):
            need(step, "call_id")
            expect(step["call_id"] in found.ran, "a result follows its call", step)


def interactions_end(found: Summary, value: Json) -> None:
    """Add how an interaction ended."""
    found.model = value.get("model") or value.get("agent") or ""
    found.native_finish = value["status"]
    expect(value["status"] in STATUSES, "a status of a finished interaction", value)
    found.finish = STATUSES[value["status"]]
    called(found)
    found.usage = interactions_usage(value.get("usage"))


def _interactions(value: Json) -> Summary:
    need(value, "id", "object", "status", "steps", "created", "updated")
    expect(value["object"] == "interaction", "object is interaction", value)
    expect("output_text" not in value, "output_text is the SDK's, not the wire's")
    found = Summary(id=value["id"])
    for step in value["steps"]:
        interactions_step(found, step)
    interactions_end(found, value)
    return found
