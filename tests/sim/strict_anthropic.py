"""What Anthropic's Messages API refuses."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from tests.sim.event import Memory
from tests.sim.record import Recorded
from tests.sim.refused import Refused

Json = Any

FIELDS = {
    "model", "max_tokens", "messages", "system", "stop_sequences", "stream", "temperature",
    "top_p", "top_k", "thinking", "output_config", "tools", "tool_choice", "metadata",
    "cache_control", "service_tier", "speed", "inference_geo", "container", "diagnostics",
    "mcp_servers", "context_management", "compaction", "fallbacks", "thread",
    "fallback_credit_token", "billing_policy",
}  # fmt: skip
COUNTED = {
    "model", "messages", "system", "tools", "tool_choice", "thinking", "output_config",
    "cache_control", "context_management", "mcp_servers",
}  # fmt: skip
BLOCKS = {
    "text": {"type", "text", "cache_control", "citations"},
    "image": {"type", "source", "cache_control", "transformations"},
    "document": {"type", "source", "title", "context", "citations", "cache_control"},
    "thinking": {"type", "thinking", "signature"},
    "redacted_thinking": {"type", "data"},
    "tool_use": {"type", "id", "name", "input", "cache_control", "caller", "toolset_name"},
    "tool_result": {"type", "tool_use_id", "content", "is_error", "cache_control", "toolset_name"},
}
OPAQUE_BLOCKS = {
    "search_result", "server_tool_use", "web_search_tool_result", "web_fetch_tool_result",
    "code_execution_tool_result", "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result", "tool_search_tool_result", "container_upload",
    "tool_reference", "mcp_tool_use", "mcp_tool_result", "compaction",
}  # fmt: skip
ASSISTANT_ONLY = {"thinking", "redacted_thinking", "tool_use", "server_tool_use"}
IMAGE_TYPES = {"image/jpeg", "image/png", "image/gif", "image/webp"}
NAME = re.compile(r"^[a-zA-Z0-9_-]{1,128}$")
ID = re.compile(r"^[a-zA-Z0-9_-]+$")


def check(record: Recorded, memory: Memory) -> None:
    body = record.body
    counting = record.endpoint == "count"
    if "anthropic-version" not in record.headers:
        raise Refused("anthropic-version: header is required")
    for name in body:
        if name not in (COUNTED if counting else FIELDS):
            raise Refused(f"{name}: Extra inputs are not permitted")
    for name in ["model", "messages"] + ([] if counting else ["max_tokens"]):
        if name not in body:
            raise Refused(f"{name}: Field required")
    if not counting:
        limit = body["max_tokens"]
        if not isinstance(limit, int) or isinstance(limit, bool):
            raise Refused("max_tokens: Input should be a valid integer")
    _thinking(body)
    _tools(body)
    _messages(body, memory)
    marks = _marks(body.get("tools")) + _marks(body.get("system")) + _marks(body["messages"])
    if len(marks) > 4:
        text = "A maximum of 4 blocks with cache_control may be provided."
        raise Refused(f"{text} Found {len(marks)}.")


def _thinking(body: Json) -> None:
    thinking = body.get("thinking") or {}
    kind = thinking.get("type", "disabled")
    if kind not in ("enabled", "disabled", "adaptive", "between_tools"):
        raise Refused(f"thinking: Input tag '{kind}' found using 'type' is not expected")
    temperature, top_p = body.get("temperature"), body.get("top_p")
    if kind == "enabled":
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int):
            raise Refused("thinking.enabled.budget_tokens: Field required")
        if budget < 1024:
            text = "Input should be greater than or equal to 1024"
            raise Refused(f"thinking.enabled.budget_tokens: {text}")
        if budget >= body.get("max_tokens", budget + 1):
            raise Refused("`max_tokens` must be greater than `thinking.budget_tokens`.")
    if kind == "disabled":
        if temperature is not None and not 0 <= temperature <= 1:
            raise Refused("temperature: range: 0..1")
        if temperature is not None and top_p is not None:
            text = "`temperature` and `top_p` cannot both be specified for this model."
            raise Refused(text)
        return
    if temperature not in (None, 1):
        raise Refused("`temperature` may only be set to 1 when thinking is enabled.")
    if "top_k" in body:
        raise Refused("`top_k` must be unset when thinking is enabled.")
    if top_p is not None and top_p < 0.95:
        raise Refused("`top_p` must be greater than or equal to 0.95 when thinking is enabled.")
    if (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
        raise Refused("Thinking may not be enabled when tool_choice forces tool use.")


def _tools(body: Json) -> None:
    names: list[str] = []
    for number, tool in enumerate(body.get("tools") or []):
        at = f"tools.{number}.custom"
        name = tool.get("name")
        if tool.get("type", "custom") == "custom":
            if not isinstance(name, str) or not NAME.match(name):
                text = "String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"
                raise Refused(f"{at}.name: {text}")
            schema = tool.get("input_schema")
            if not isinstance(schema, dict):
                raise Refused(f"{at}.input_schema: Field required")
            if schema.get("type") != "object":
                raise Refused(f"{at}.input_schema.type: Input should be 'object'")
            for word in ("oneOf", "allOf", "anyOf"):
                if word in schema:
                    text = "input_schema does not support oneOf, allOf, or anyOf at the top level"
                    raise Refused(f"{at}.input_schema: {text}")
        if name is not None:
            names.append(name)
    if len(set(names)) != len(names):
        raise Refused("tools: Tool names must be unique.")
    choice = body.get("tool_choice")
    if choice is None:
        return
    if choice.get("type") not in ("auto", "any", "tool", "none"):
        raise Refused(f"tool_choice: Input tag '{choice.get('type')}' is not expected")
    if not body.get("tools"):
        raise Refused("tool_choice: may only be specified while providing tools")
    if choice["type"] == "tool" and choice.get("name") not in names:
        raise Refused(f"Tool '{choice.get('name')}' not found in provided tools")


def _messages(body: Json, memory: Memory) -> None:
    messages = body["messages"]
    if not messages:
        raise Refused("messages: at least one message is required")
    if messages[0].get("role") == "assistant":
        raise Refused('messages: first message must use the "user" role')
    for number, block in enumerate(_blocks(body.get("system"))):
        _text(block, f"system.{number}")
    for number, message in enumerate(messages):
        role, at = message.get("role"), f"messages.{number}"
        if role not in ("user", "assistant", "system"):
            raise Refused(f"{at}.role: Input should be 'user' or 'assistant'")
        for name in message:
            if name not in ("role", "content"):
                raise Refused(f"{at}.{name}: Extra inputs are not permitted")
        blocks = _blocks(message.get("content"))
        last = number == len(messages) - 1
        if not blocks and not (last and role == "assistant"):
            text = "all messages must have non-empty content except for the optional final"
            raise Refused(f"{at}: {text} assistant message")
        for index, block in enumerate(blocks):
            _block(block, role, f"{at}.content.{index}", memory)
        if last and role == "assistant" and blocks and blocks[-1].get("type") == "text":
            text = blocks[-1]["text"]
            if text != text.rstrip():
                text = "final assistant content cannot end with trailing whitespace"
                raise Refused(f"messages: {text}")
    turns = _turns(messages)
    _pairing(turns)
    if (body.get("thinking") or {}).get("type") == "enabled":
        _starts_thinking(turns)


def _blocks(content: Json) -> list[Json]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return content or []


def _text(block: Json, at: str) -> None:
    text = block.get("text")
    if not isinstance(text, str):
        raise Refused(f"{at}.text: Field required")
    if not text:
        raise Refused(f"messages: text content blocks must be non-empty ({at}.text)")
    if not text.strip():
        raise Refused(f"messages: text content blocks must contain non-whitespace text ({at}.text)")


def _block(block: Json, role: str, at: str, memory: Memory) -> None:
    kind = block.get("type")
    if kind in OPAQUE_BLOCKS:
        return
    if kind not in BLOCKS:
        raise Refused(f"{at}: Input tag '{kind}' found using 'type' does not match any expected")
    for name in block:
        if name not in BLOCKS[kind]:
            raise Refused(f"{at}.{kind}.{name}: Extra inputs are not permitted")
    if kind in ASSISTANT_ONLY and role != "assistant":
        raise Refused(f"{at}: `{kind}` blocks can only be in `assistant` messages")
    if kind in ("tool_result", "image", "document") and role != "user":
        raise Refused(f"{at}: `{kind}` blocks can only be in `user` messages")
    match kind:
        case "text":
            _text(block, at)
        case "thinking":
            signature = block.get("signature")
            if not isinstance(signature, str):
                raise Refused(f"{at}.thinking.signature: Field required")
            if memory.signed("anthropic", signature) != block.get("thinking"):
                raise Refused(f"{at}: Invalid `signature` in `thinking` block")
        case "redacted_thinking":
            if memory.signed("anthropic", block.get("data") or "") is None:
                raise Refused(f"{at}: Invalid `data` in `redacted_thinking` block")
        case "tool_use":
            if not isinstance(block.get("id"), str) or not ID.match(block["id"]):
                text = "String should match pattern '^[a-zA-Z0-9_-]+$'"
                raise Refused(f"{at}.tool_use.id: {text}")
            if not isinstance(block.get("name"), str) or not NAME.match(block["name"]):
                text = "String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"
                raise Refused(f"{at}.tool_use.name: {text}")
            if not isinstance(block.get("input"), dict):
                raise Refused(f"{at}.tool_use.input: Input should be a valid dictionary")
        case "tool_result":
            if not isinstance(block.get("tool_use_id"), str):
                raise Refused(f"{at}.tool_result.tool_use_id: Field required")
            content = block.get("content")
            for index, inner in enumerate(content if isinstance(content, list) else []):
                _block(inner, role, f"{at}.tool_result.content.{index}", memory)
        case "image":
            _source(block.get("source"), at)


def _source(source: Json, at: str) -> None:
    if not isinstance(source, dict) or source.get("type") not in ("base64", "url", "file"):
        raise Refused(f"{at}.image.source: Field required")
    if source["type"] != "base64":
        return
    if source.get("media_type") not in IMAGE_TYPES:
        text = "Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'"
        raise Refused(f"{at}.image.source.base64.media_type: {text}")
    try:
        data = base64.b64decode(source.get("data") or "", validate=True)
    except (binascii.Error, ValueError) as err:
        raise Refused(f"{at}.image.source.base64: invalid base64 data") from err
    if not data:
        raise Refused(f"{at}.image.source.base64.data: image cannot be empty")


def _turns(messages: list[Json]) -> list[tuple[str, list[Json], int]]:
    """Merge neighbours of one role, as the API does; the number is the first message's."""
    turns: list[tuple[str, list[Json], int]] = []
    for number, message in enumerate(messages):
        role = message["role"]
        if role == "system":
            continue
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(_blocks(message["content"]))
        else:
            turns.append((role, list(_blocks(message["content"])), number))
    return turns


def _pairing(turns: list[tuple[str, list[Json], int]]) -> None:
    seen: set[str] = set()
    for position, (role, blocks, number) in enumerate(turns):
        if role == "assistant":
            calls = [block["id"] for block in blocks if block.get("type") == "tool_use"]
            for tag in calls:
                if tag in seen:
                    raise Refused("messages: `tool_use` ids must be unique")
                seen.add(tag)
            after = turns[position + 1][1] if position + 1 < len(turns) else []
            answered = [
                block.get("tool_use_id") for block in after if block.get("type") == "tool_result"
            ]
            missing = [tag for tag in calls if tag not in answered]
            if missing:
                text = "`tool_use` ids were found without `tool_result` blocks immediately after:"
                rule = "Each `tool_use` block must have a corresponding `tool_result` block in the"
                raise Refused(
                    f"messages.{number}: {text} {', '.join(missing)}. {rule} next message."
                )
            continue
        before = turns[position - 1][1] if position else []
        asked = [block["id"] for block in before if block.get("type") == "tool_use"]
        results = [block.get("tool_use_id") for block in blocks if block["type"] == "tool_result"]
        for index, tag in enumerate(results):
            if tag not in asked:
                text = "unexpected `tool_use_id` found in `tool_result` blocks:"
                rule = "Each `tool_result` block must have a corresponding `tool_use` block in the"
                raise Refused(
                    f"messages.{number}.content.{index}: {text} {tag}. {rule} previous message."
                )
        if len(set(results)) != len(results):
            raise Refused(f"messages.{number}: each tool_use must have a single result.")
        if any(block["type"] != "tool_result" for block in blocks[: len(results)]):
            text = "`tool_use` ids were found without `tool_result` blocks immediately after"
            raise Refused(f"messages.{number}.content.0: {text}: tool_result blocks come first")


def _starts_thinking(turns: list[tuple[str, list[Json], int]]) -> None:
    """A turn whose calls are still being answered must show the thinking that led to them."""
    for role, blocks, number in reversed(turns):
        if role == "user":
            if all(block["type"] != "tool_result" for block in blocks):
                return
            continue
        if blocks and blocks[0]["type"] not in ("thinking", "redacted_thinking"):
            text = f"Expected `thinking` or `redacted_thinking`, but found `{blocks[0]['type']}`."
            rule = "When `thinking` is enabled, a final `assistant` message must start with a"
            raise Refused(f"messages.{number}.content.0.type: {text} {rule} thinking block.")


def _marks(value: Json) -> list[Json]:
    """Find every cache_control in tools, system blocks, messages and tool results."""
    if isinstance(value, list):
        return [mark for entry in value for mark in _marks(entry)]
    if not isinstance(value, dict):
        return []
    own = [value["cache_control"]] if value.get("cache_control") else []
    return own + _marks(value.get("content"))
