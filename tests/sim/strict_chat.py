"""What OpenAI's Chat Completions API refuses.

`reasoning_content` in assistant messages is let through: most hosts of this dialect know it.
"""

from __future__ import annotations

import re
from typing import Any

from tests.sim.event import Memory
from tests.sim.record import Recorded
from tests.sim.refused import Refused

Json = Any

FIELDS = {
    "audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs",
    "max_completion_tokens", "max_tokens", "messages", "metadata", "modalities", "model",
    "moderation", "n", "parallel_tool_calls", "prediction", "presence_penalty",
    "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning_effort",
    "response_format", "safety_identifier", "seed", "service_tier", "stop", "store", "stream",
    "stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user",
    "verbosity", "web_search_options",
}  # fmt: skip
ROLES = ("system", "assistant", "user", "function", "tool", "developer")
PARTS = {
    "system": {"text"},
    "developer": {"text"},
    "tool": {"text"},
    "user": {"text", "image_url", "input_audio", "file"},
    "assistant": {"text", "refusal"},
}
NAME = re.compile(r"^[a-zA-Z0-9_-]+$")


def check(record: Recorded, memory: Memory) -> None:
    body = record.body
    for name in body:
        if name not in FIELDS:
            raise Refused(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    for name in ("model", "messages"):
        if name not in body:
            text = f"Missing required parameter: '{name}'."
            raise Refused(text, name, "missing_required_parameter")
    if body.get("stream_options") is not None and not body.get("stream"):
        text = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise Refused(text, "stream_options")
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        text = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        raise Refused(text, "max_tokens", "invalid_parameter_combination")
    for name, low, high in (
        ("temperature", 0, 2),
        ("top_p", 0, 1),
        ("frequency_penalty", -2, 2),
        ("presence_penalty", -2, 2),
    ):
        value = body.get(name)
        if value is not None and not low <= value <= high:
            text = f"Invalid '{name}': expected a value between {low} and {high}."
            raise Refused(text, name, "decimal_out_of_range")
    stop = body.get("stop")
    if isinstance(stop, list) and len(stop) > 4:
        text = "Invalid 'stop': array too long. Expected an array with maximum length 4"
        raise Refused(text, "stop", "array_above_max_length")
    _tools(body)
    _messages(body["messages"])
    shape = (body.get("response_format") or {}).get("type")
    if shape == "json_object" and "json" not in str(body["messages"]).lower():
        text = "'messages' must contain the word 'json' in some form, to use 'response_format'"
        raise Refused(f"{text} of type 'json_object'.", "messages")


def _tools(body: Json) -> None:
    tools = body.get("tools")
    if tools is not None and not tools:
        text = "Invalid 'tools': empty array. Expected an array with minimum length 1"
        raise Refused(text, "tools", "empty_array")
    if not tools:
        for name in ("tool_choice", "parallel_tool_calls"):
            if body.get(name) is not None:
                raise Refused(f"'{name}' is only allowed when 'tools' are specified.", name)
        return
    names = set()
    for number, tool in enumerate(tools):
        kind, at = tool.get("type"), f"tools[{number}]"
        if kind not in ("function", "custom"):
            text = f"Invalid value: '{kind}'. Supported values are: 'function' and 'custom'."
            raise Refused(text, f"{at}.type", "invalid_value")
        if not isinstance(tool.get(kind), dict):
            text = f"Missing required parameter: '{at}.{kind}'."
            raise Refused(text, f"{at}.{kind}", "missing_required_parameter")
        _name(tool[kind].get("name"), f"{at}.{kind}.name")
        names.add(tool[kind]["name"])
        schema = tool[kind].get("parameters")
        if schema and schema.get("type") != "object":
            text = f"Invalid schema for function '{tool[kind]['name']}': schema must be a JSON"
            full = f"{text} Schema of 'type: \"object\"', got 'type: \"{schema.get('type')}\"'."
            raise Refused(full, f"{at}.{kind}.parameters", "invalid_function_parameters")
    choice = body.get("tool_choice")
    if isinstance(choice, str) and choice not in ("none", "auto", "required"):
        text = f"Invalid value: '{choice}'. Supported values are: 'none', 'auto', and 'required'."
        raise Refused(text, "tool_choice", "invalid_value")
    if isinstance(choice, dict) and choice.get("type") in ("function", "custom"):
        inner = choice.get(choice["type"])
        if not isinstance(inner, dict) or inner.get("name") not in names:
            text = "Invalid value for 'tool_choice': no such tool in the 'tools' parameter."
            raise Refused(text, "tool_choice")


def _name(name: Json, at: str) -> None:
    if not isinstance(name, str) or not name:
        text = f"Missing required parameter: '{at}'."
        raise Refused(text, at, "missing_required_parameter")
    if not NAME.match(name):
        text = f"Invalid '{at}': string does not match pattern."
        raise Refused(f"{text} Expected '^[a-zA-Z0-9_-]+$'.", at, "invalid_value")
    _long(name, at)


def _long(value: str, at: str, limit: int = 64) -> None:
    if len(value) > limit:
        text = f"Invalid '{at}': string too long. Expected a string with maximum length {limit},"
        full = f"{text} but got a string with length {len(value)} instead."
        raise Refused(full, at, "string_above_max_length")


def _messages(messages: list[Json]) -> None:
    if not messages:
        text = "Invalid 'messages': empty array. Expected an array with minimum length 1"
        raise Refused(text, "messages", "empty_array")
    waiting: list[str] = []  # ids still to be answered
    answerable = False  # the message before is a call or an answer to one
    asked: set[str] = set()
    for number, message in enumerate(messages):
        role, at = message.get("role"), f"messages.[{number}].role"
        if role not in ROLES:
            text = f"Invalid value: '{role}'. Supported values are: {', '.join(map(repr, ROLES))}."
            raise Refused(text, f"messages[{number}].role", "invalid_value")
        if waiting and role != "tool":
            raise _unanswered(waiting, at)
        _content(message, number)
        if role == "tool":
            tag = message.get("tool_call_id")
            if not isinstance(tag, str):
                text = f"Missing parameter 'tool_call_id': messages with role 'tool' ({at})"
                raise Refused(text, f"messages.[{number}].tool_call_id")
            if not answerable:
                text = "messages with role 'tool' must be a response to a preceeding message with"
                raise Refused(f"Invalid parameter: {text} 'tool_calls'.", at)
            if tag not in asked:
                text = f"'tool_call_id' of '{tag}' not found in 'tool_calls' of previous message."
                raise Refused(f"Invalid parameter: {text}", f"messages.[{number}].tool_call_id")
            if tag in waiting:
                waiting.remove(tag)
            continue
        calls = message.get("tool_calls") if role == "assistant" else None
        if calls is not None and not calls:
            where = f"messages[{number}].tool_calls"
            text = f"Invalid '{where}': empty array. Expected an array with minimum length 1"
            raise Refused(text, where, "empty_array")
        for index, call in enumerate(calls or []):
            _call(call, f"messages[{number}].tool_calls[{index}]")
        waiting = [call["id"] for call in calls or []]
        asked = set(waiting)
        answerable = bool(waiting)
    if waiting:
        raise _unanswered(waiting, f"messages.[{len(messages)}].role")


def _unanswered(waiting: list[str], at: str) -> Refused:
    text = "An assistant message with 'tool_calls' must be followed by tool messages responding to"
    ids = ", ".join(waiting)
    full = f"{text} each 'tool_call_id'. The following tool_call_ids did not have response messages"
    return Refused(f"{full}: {ids}", at)


def _call(call: Json, at: str) -> None:
    kind = call.get("type")
    if not isinstance(call.get("id"), str) or not call["id"]:
        text = f"Missing required parameter: '{at}.id'."
        raise Refused(text, f"{at}.id", "missing_required_parameter")
    _long(call["id"], f"{at}.id")
    if kind not in ("function", "custom"):
        text = f"Invalid value: '{kind}'. Supported values are: 'function' and 'custom'."
        raise Refused(text, f"{at}.type", "invalid_value")
    inner = call.get(kind) or {}
    _name(inner.get("name"), f"{at}.{kind}.name")
    field = "arguments" if kind == "function" else "input"
    if not isinstance(inner.get(field), str):
        text = f"Invalid type for '{at}.{kind}.{field}': expected a string."
        raise Refused(text, f"{at}.{kind}.{field}", "invalid_type")


def _content(message: Json, number: int) -> None:
    role, content = message["role"], message.get("content")
    at = f"messages.[{number}].content"
    if content is None:
        if role == "function" or (
            role == "assistant"
            and (
                message.get("tool_calls") or message.get("function_call") or message.get("refusal")
            )
        ):
            return
        raise Refused("Invalid value for 'content': expected a string, got null.", at)
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise Refused("Invalid type for 'content': expected a string or an array.", at)
    if not content:
        raise Refused(f"Invalid '{at}': empty array.", at, "empty_array")
    allowed = PARTS.get(role, {"text"})
    for index, part in enumerate(content):
        kind, where = part.get("type"), f"messages[{number}].content[{index}]"
        if kind not in allowed:
            text = f"Invalid value: '{kind}'. Supported values are: {sorted(allowed)}."
            raise Refused(text, f"{where}.type", "invalid_value")
        if kind == "text" and not isinstance(part.get("text"), str):
            text = f"Missing required parameter: '{where}.text'."
            raise Refused(text, f"{where}.text", "missing_required_parameter")
        if kind == "image_url" and not (part.get("image_url") or {}).get("url"):
            text = f"Missing required parameter: '{where}.image_url.url'."
            raise Refused(text, f"{where}.image_url.url", "missing_required_parameter")
