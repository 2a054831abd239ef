"""What OpenAI's Responses API refuses; with the Codex backend's own restrictions on its path."""

from __future__ import annotations

import re
from typing import Any

from tests.sim.event import Memory
from tests.sim.record import Recorded
from tests.sim.refused import Refused

Json = Any

FIELDS = {
    "access_programs", "background", "client_metadata", "context_management", "conversation",
    "image", "include", "input", "instructions", "max_output_tokens", "max_tool_calls",
    "metadata", "model", "moderation", "parallel_tool_calls", "previous_response_id", "prompt",
    "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning",
    "safety_identifier", "service_tier", "store", "stream", "stream_options", "temperature",
    "text", "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user",
}  # fmt: skip
CODEX_REFUSES = (
    "max_output_tokens", "max_completion_tokens", "max_tokens", "temperature", "top_p",
    "truncation", "user", "prompt_cache_retention", "prompt_cache_options",
    "previous_response_id", "metadata",
)  # fmt: skip
OUTPUTS = {
    "function_call_output": "function_call",
    "custom_tool_call_output": "custom_tool_call",
    "computer_call_output": "computer_call",
    "local_shell_call_output": "local_shell_call",
    "shell_call_output": "shell_call",
    "apply_patch_call_output": "apply_patch_call",
}
OTHERS = {
    "file_search_call", "web_search_call", "tool_search_call", "tool_search_output",
    "additional_tools", "configuration_update", "compaction", "compaction_trigger",
    "image_generation_call", "code_interpreter_call", "mcp_list_tools", "mcp_approval_request",
    "mcp_approval_response", "mcp_call", "item_reference", "program", "program_output",
}  # fmt: skip
PARTS = {
    "assistant": ("output_text", "refusal"),
    "user": ("input_text", "input_image", "input_file", "input_audio"),
    "system": ("input_text", "input_image", "input_file"),
    "developer": ("input_text", "input_image", "input_file"),
}
PREFIXES = {"message": "msg", "function_call": "fc", "reasoning": "rs", "custom_tool_call": "ctc"}
NAME = re.compile(r"^[a-zA-Z0-9_-]+$")


def check(record: Recorded, memory: Memory) -> None:
    body = record.body
    for name in body:
        if name not in FIELDS:
            raise Refused(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    if "/codex/" in record.path:
        _codex(body)
    if "model" not in body:
        raise _missing("model")
    if "input" not in body:
        raise _missing("input")
    _tools(body)
    before = body.get("previous_response_id")
    if before is not None and before not in memory.responses:
        text = f"Previous response with id '{before}' not found."
        raise Refused(text, "previous_response_id", "previous_response_not_found")
    given = body["input"]
    if isinstance(given, str):
        return
    if not isinstance(given, list):
        raise Refused("Invalid type for 'input': expected a string or an array.", "input")
    for number, item in enumerate(given):
        _item(item, f"input[{number}]", memory)
    _pairing(given, continued=before is not None)
    _followed(given)


def _missing(at: str) -> Refused:
    return Refused(f"Missing required parameter: '{at}'.", at, "missing_required_parameter")


def _codex(body: Json) -> None:
    for name in CODEX_REFUSES:
        if name in body:
            raise Refused(f"Unsupported parameter: {name}", name, "unsupported_parameter")
    if body.get("stream") is not True:
        raise Refused("Stream must be set to true", "stream")
    if body.get("store") is not False:
        raise Refused("Store must be set to false", "store")
    if not isinstance(body.get("instructions"), str):
        raise Refused("Instructions are required", "instructions")
    if not isinstance(body.get("input"), list):
        raise Refused("Input must be a list", "input")
    for number, item in enumerate(body["input"]):
        if item.get("role") == "system":
            raise Refused("System messages are not allowed", f"input[{number}].role")


def _tools(body: Json) -> None:
    for number, tool in enumerate(body.get("tools") or []):
        at = f"tools[{number}]"
        if not isinstance(tool.get("type"), str):
            raise _missing(f"{at}.type")
        if tool["type"] in ("function", "custom"):
            if "name" not in tool:
                raise _missing(f"{at}.name")
            _name(tool["name"], f"{at}.name")
            schema = tool.get("parameters")
            if schema and schema.get("type") != "object":
                text = f"Invalid schema for function '{tool['name']}': schema must be a JSON Schema"
                full = f"{text} of 'type: \"object\"', got 'type: \"{schema.get('type')}\"'."
                raise Refused(full, f"{at}.parameters", "invalid_function_parameters")
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") == "function" and "name" not in choice:
        raise _missing("tool_choice.name")
    if choice not in (None, "auto", "none") and not body.get("tools"):
        text = "Tool choice 'required' must be specified with 'tools' parameter."
        raise Refused(text, "tool_choice")
    form = (body.get("text") or {}).get("format") or {}
    if form.get("type") == "json_schema":
        for name in ("name", "schema"):
            if name not in form:
                raise _missing(f"text.format.{name}")


def _name(name: Json, at: str) -> None:
    if not isinstance(name, str) or not NAME.match(name):
        text = f"Invalid '{at}': string does not match pattern. Expected '^[a-zA-Z0-9_-]+$'."
        raise Refused(text, at, "invalid_value")
    _long(name, at)


def _long(value: str, at: str) -> None:
    if len(value) > 64:
        text = f"Invalid '{at}': string too long. Expected a string with maximum length 64, but"
        full = f"{text} got a string with length {len(value)} instead."
        raise Refused(full, at, "string_above_max_length")


def _item(item: Json, at: str, memory: Memory) -> None:
    kind = item.get("type") or ("message" if "role" in item else None)
    tag = item.get("id")
    prefix = PREFIXES.get(kind or "")
    if tag is not None and prefix and not str(tag).startswith(prefix):
        text = f"Invalid '{at}.id': '{tag}'. Expected an ID that begins with '{prefix}'."
        raise Refused(text, f"{at}.id", "invalid_value")
    match kind:
        case "message":
            _message(item, at)
        case "reasoning":
            _reasoning(item, at, memory)
        case "function_call" | "custom_tool_call":
            for name in ("call_id", "name", "arguments" if kind == "function_call" else "input"):
                if not isinstance(item.get(name), str):
                    raise _missing(f"{at}.{name}")
            _long(item["call_id"], f"{at}.call_id")
            _name(item["name"], f"{at}.name")
        case "function_call_output" | "custom_tool_call_output":
            if not isinstance(item.get("call_id"), str):
                raise _missing(f"{at}.call_id")
            _long(item["call_id"], f"{at}.call_id")
            output = item.get("output")
            if not isinstance(output, str | list):
                raise _missing(f"{at}.output")
            for index, part in enumerate(output if isinstance(output, list) else []):
                _part(part, PARTS["user"], f"{at}.output[{index}]")
        case _ if kind in OUTPUTS or kind in OUTPUTS.values() or kind in OTHERS:
            pass
        case _:
            raise Refused(f"Invalid value: '{kind}'.", at, "invalid_value")


def _message(item: Json, at: str) -> None:
    role, content = item.get("role"), item.get("content")
    if role not in PARTS:
        names = "'assistant', 'system', 'developer', and 'user'"
        text = f"Invalid value: '{role}'. Supported values are: {names}."
        raise Refused(text, f"{at}.role", "invalid_value")
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise _missing(f"{at}.content")
    for index, part in enumerate(content):
        _part(part, PARTS[role], f"{at}.content[{index}]")


def _part(part: Json, allowed: tuple[str, ...], at: str) -> None:
    kind = part.get("type")
    if kind not in allowed:
        names = " and ".join(map(repr, allowed))
        text = f"Invalid value: '{kind}'. Supported values are: {names}."
        raise Refused(text, f"{at}.type", "invalid_value")
    if kind in ("input_text", "output_text") and not isinstance(part.get("text"), str):
        raise _missing(f"{at}.text")
    if kind == "input_image" and not (part.get("image_url") or part.get("file_id")):
        raise _missing(f"{at}.image_url")


def _reasoning(item: Json, at: str, memory: Memory) -> None:
    if not isinstance(item.get("summary"), list):
        raise _missing(f"{at}.summary")
    tag, secret = item.get("id"), item.get("encrypted_content")
    if secret is None:
        if tag is not None and memory.items.get(tag) is None:
            text = "Items are not persisted when `store` is set to false."
            raise Refused(f"Item with id '{tag}' not found. {text}", at)
        return
    if memory.signed("openai-responses", secret) is None:
        text = f"The encrypted content {secret[:4]}... could not be verified."
        raise Refused(text, at, "invalid_encrypted_content")
    if tag is not None and memory.items.get(tag, secret) != secret:
        text = f"The encrypted content {secret[:4]}... could not be verified. Reason: item_id"
        raise Refused(text, at, "invalid_encrypted_content")


def _pairing(given: list[Json], *, continued: bool) -> None:
    calls: dict[str, str] = {}
    answered: set[str] = set()
    for item in given:
        kind, tag = item.get("type"), item.get("call_id")
        if kind in OUTPUTS.values():
            calls[tag] = kind
        elif kind in OUTPUTS:
            if tag not in calls and not continued:
                text = f"No tool call found for {kind.removesuffix('_output').replace('_', ' ')}"
                raise Refused(f"{text} output with call_id {tag}.", "input")
            answered.add(tag)
    for tag in calls:
        if tag not in answered:
            raise Refused(f"No tool output found for function call {tag}.", "input")


def _followed(given: list[Json]) -> None:
    """A reasoning item only makes sense before what it led to."""
    for number, item in enumerate(given):
        if item.get("type") != "reasoning":
            continue
        after = given[number + 1] if number + 1 < len(given) else {}
        kind = after.get("type") or ("message" if "role" in after else "")
        ours = kind == "message" and after.get("role") == "assistant"
        if not (ours or kind == "reasoning" or kind in OUTPUTS.values() or kind in OTHERS):
            text = "of type 'reasoning' was provided without its required following item."
            raise Refused(f"Item '{item.get('id')}' {text}", "input")
