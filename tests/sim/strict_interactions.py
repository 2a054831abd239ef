"""What Google's Interactions API refuses. Unknown fields are errors here, too."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from tests.sim.event import Memory
from tests.sim.record import Recorded
from tests.sim.refused import Refused

Json = Any

REQUEST = {
    "model", "agent", "agent_config", "background", "cached_content", "continuation_token",
    "environment", "generation_config", "input", "labels", "previous_interaction_id",
    "response_format", "response_mime_type", "response_modalities", "safety_settings",
    "service_tier", "store", "stream", "system_instruction", "tools", "webhook_config",
}  # fmt: skip
CONFIG = {
    "image_config", "max_output_tokens", "seed", "speech_config", "stop_sequences", "temperature",
    "thinking_level", "thinking_summaries", "tool_choice", "top_p", "transcription_config",
    "video_config",
}  # fmt: skip
MEDIA = {"type", "data", "uri", "mime_type", "resolution", "processing"}
CONTENTS: dict[str, set[str]] = {
    "text": {"type", "text", "annotations"},
    "image": MEDIA,
    "audio": {*MEDIA, "channels", "sample_rate"},
    "document": MEDIA,
    "video": {*MEDIA, "name"},
}
STEPS: dict[str, set[str]] = {
    "user_input": {"type", "content"},
    "model_output": {"type", "content", "error"},
    "thought": {"type", "signature", "summary"},
    "function_call": {"type", "id", "name", "arguments"},
    "function_result": {"type", "call_id", "result", "is_error", "name"},
    "code_execution_call": {"type", "id", "arguments", "signature"},
    "code_execution_result": {"type", "call_id", "result", "is_error", "signature"},
    "google_search_call": {"type", "id", "arguments", "search_type", "signature"},
    "google_search_result": {"type", "call_id", "result", "is_error", "signature"},
    "mcp_server_tool_call": {"type", "id", "name", "server_name", "arguments"},
    "mcp_server_tool_result": {"type", "call_id", "name", "server_name", "result"},
}
TOOLS: dict[str, set[str]] = {
    "function": {
        "type", "name", "description", "parameters", "defer_loading", "short_description",
    },
    "google_search": {"type", "search_types"},
    "url_context": {"type"},
    "code_execution": {"type"},
}  # fmt: skip
LEVELS = ("minimal", "low", "medium", "high", "xhigh")
NAME = re.compile(r"^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$")


def check(record: Recorded, memory: Memory) -> None:
    body = record.body
    _known(body, REQUEST, "the request")
    if ("model" in body) == ("agent" in body):
        raise Refused("Exactly one of 'model' and 'agent' must be set.")
    given = body.get("input")
    if given is None and "previous_interaction_id" not in body:
        raise Refused("Missing required parameter: 'input'.")
    if "previous_interaction_id" in body:
        if body["previous_interaction_id"] not in memory.responses:
            raise Refused("The previous interaction was not found.")
    if not isinstance(body.get("system_instruction", ""), str):
        raise Refused("The value at 'system_instruction' must be a string.")
    steps = _steps(given, memory)
    _pairing(steps, continued="previous_interaction_id" in body)
    names = _tools(body.get("tools") or [])
    _config(body.get("generation_config") or {}, names)
    _format(body.get("response_format"))
    for setting in body.get("safety_settings") or []:
        _known(setting, {"type", "threshold", "method"}, "safety_settings")
        if setting["type"] != setting["type"].lower() or "harm_" in setting["type"]:
            raise Refused(f"The value {setting['type']!r} is not supported for 'type'.")


def _known(value: Json, names: set[str], where: str) -> None:
    if not isinstance(value, dict):
        raise Refused(f"The value at '{where}' must be an object.")
    for name in value:
        if name not in names:
            raise Refused(f"Unknown parameter '{name}' at '{where}'.")


def _steps(given: Json, memory: Memory) -> list[Json]:
    if given is None or isinstance(given, str):
        return []
    items = given if isinstance(given, list) else [given]
    if not items:
        raise Refused("'input' must not be empty.")
    bare = [item.get("type") in CONTENTS for item in items]
    if any(bare):
        if not all(bare):
            raise Refused("'input' holds contents or steps, not both.")
        for number, item in enumerate(items):
            _content(item, f"input[{number}]")
        return []
    for number, item in enumerate(items):
        _step(item, f"input[{number}]", memory)
    return items


def _step(step: Json, where: str, memory: Memory) -> None:
    kind = step.get("type")
    if kind not in STEPS:
        raise Refused(f"The value {kind!r} is not supported for 'type' at '{where}'.")
    _known(step, STEPS[kind], where)
    match kind:
        case "user_input" | "model_output":
            if not step.get("content"):
                raise Refused(f"'{where}.content' must not be empty.")
            for number, item in enumerate(step["content"]):
                _content(item, f"{where}.content[{number}]")
        case "function_call":
            if not NAME.match(step.get("name") or "") or not step.get("id"):
                raise Refused(f"'{where}' needs an id and a name.")
            if not isinstance(step.get("arguments"), dict):
                raise Refused(f"The value at '{where}.arguments' must be an object.")
        case "function_result":
            if not step.get("call_id") or "result" not in step:
                raise Refused(f"'{where}' needs call_id and result.")
            if isinstance(step["result"], list):
                for number, item in enumerate(step["result"]):
                    _content(item, f"{where}.result[{number}]")
        case _:
            pass
    if (signature := step.get("signature")) is None:
        return
    try:
        base64.b64decode(signature.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError) as err:
        raise Refused(f"The value at '{where}.signature' is not base64.") from err
    if memory.signed("interactions", signature) is None:
        raise Refused(f"Corrupted thought signature at '{where}.signature'.")


def _content(item: Json, where: str) -> None:
    kind = item.get("type")
    if kind not in CONTENTS:
        raise Refused(f"The value {kind!r} is not supported for 'type' at '{where}'.")
    _known(item, CONTENTS[kind], where)
    if kind == "text":
        if not isinstance(item.get("text"), str):
            raise Refused(f"The value at '{where}.text' must be a string.")
        return
    if ("data" in item) == ("uri" in item):
        raise Refused(f"'{where}' needs data or uri.")
    if "data" in item:
        if not item.get("mime_type"):
            raise Refused(f"'{where}.mime_type' must be set.")
        try:
            base64.b64decode(item["data"].replace("-", "+").replace("_", "/"), validate=True)
        except (binascii.Error, ValueError) as err:
            raise Refused(f"The value at '{where}.data' is not base64.") from err


def _pairing(steps: list[Json], *, continued: bool) -> None:
    waiting: list[str] = []
    for number, step in enumerate(steps):
        match step["type"]:
            case "function_call":
                waiting.append(step["id"])
            case "function_result":
                if step["call_id"] in waiting:
                    waiting.remove(step["call_id"])
                elif not continued:
                    raise Refused(f"input[{number}] answers no function call.")
            case "user_input" | "model_output" if waiting:
                raise Refused(f"input[{number}]: function calls {waiting} have no result yet.")
            case _:
                pass
    if steps and steps[-1]["type"] in ("model_output", "thought"):
        raise Refused("'input' must not end with the model's own step.")
    if waiting:
        raise Refused(f"Function calls {waiting} have no result.")


def _tools(tools: list[Json]) -> list[str]:
    names: list[str] = []
    for number, tool in enumerate(tools):
        where = f"tools[{number}]"
        kind = tool.get("type")
        if kind not in TOOLS:
            raise Refused(f"The value '{kind}' is not supported for 'type' at '{where}'.")
        _known(tool, TOOLS[kind], where)
        if kind == "function":
            name = tool.get("name")
            if not isinstance(name, str) or not NAME.match(name) or name in names:
                raise Refused(f"The name {name!r} at '{where}' is invalid, or taken.")
            names.append(name)
    return names


def _config(config: Json, names: list[str]) -> None:
    _known(config, CONFIG, "generation_config")
    if config.get("thinking_level", "low") not in LEVELS:
        raise Refused(f"The value {config['thinking_level']!r} is not supported.")
    if config.get("thinking_summaries", "auto") not in ("auto", "none"):
        raise Refused("thinking_summaries is auto or none.")
    if len(config.get("stop_sequences") or []) > 5:
        raise Refused("generation_config.stop_sequences: at most 5.")
    choice = config.get("tool_choice", "auto")
    if isinstance(choice, dict):
        _known(choice, {"allowed_tools"}, "tool_choice")
        for name in choice["allowed_tools"].get("tools") or []:
            if name not in names:
                raise Refused(f"tool_choice names {name!r}, which is not declared.")
        choice = choice["allowed_tools"].get("mode", "auto")
    if choice not in ("auto", "any", "none", "validated"):
        raise Refused(f"The value {choice!r} is not supported for 'tool_choice'.")


def _format(given: Json) -> None:
    for item in given if isinstance(given, list) else [given] if given else []:
        if item.get("type") == "text":
            _known(item, {"type", "mime_type", "schema"}, "response_format")
            if "schema" in item and item.get("mime_type") != "application/json":
                raise Refused("A schema needs the mime_type application/json.")
