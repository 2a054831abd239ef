"""What Gemini's generateContent refuses. Unknown fields are errors, as protobuf has it."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from tests.sim.event import Memory
from tests.sim.record import Recorded
from tests.sim.refused import Refused

Json = Any

# Field → the kind of object in it; "" is any value; "[X]" a list of X, "{X}" a map to X.
KINDS: dict[str, dict[str, str]] = {
    "Request": {
        "contents": "[Content]", "systemInstruction": "Content", "tools": "[Tool]",
        "toolConfig": "ToolConfig", "safetySettings": "[SafetySetting]", "cachedContent": "",
        "generationConfig": "GenerationConfig", "labels": "", "model": "", "serviceTier": "",
        "store": "",
    },
    "Enveloped": {"sessionId": ""},
    "Content": {"role": "", "parts": "[Part]"},
    "Part": {
        "text": "", "inlineData": "Blob", "fileData": "FileData", "functionCall": "FunctionCall",
        "functionResponse": "FunctionResponse", "executableCode": "ExecutableCode",
        "codeExecutionResult": "CodeExecutionResult", "toolCall": "", "toolResponse": "",
        "thought": "", "thoughtSignature": "", "videoMetadata": "", "mediaResolution": "",
        "partMetadata": "", "mediaProcessing": "",
    },
    "Blob": {"data": "", "mimeType": "", "displayName": ""},
    "FileData": {"fileUri": "", "mimeType": "", "displayName": ""},
    "FunctionCall": {"id": "", "name": "", "args": ""},
    "FunctionResponse": {
        "id": "", "name": "", "response": "", "parts": "[Part]", "willContinue": "",
        "scheduling": "",
    },
    "ExecutableCode": {"id": "", "language": "", "code": ""},
    "CodeExecutionResult": {"id": "", "outcome": "", "output": ""},
    "Tool": {
        "functionDeclarations": "[FunctionDeclaration]", "googleSearch": "",
        "googleSearchRetrieval": "", "codeExecution": "", "urlContext": "", "googleMaps": "",
        "fileSearch": "", "computerUse": "", "mcpServers": "",
    },
    "FunctionDeclaration": {
        "name": "", "description": "", "parameters": "Schema", "parametersJsonSchema": "",
        "response": "Schema", "responseJsonSchema": "", "behavior": "",
    },
    "Schema": {
        "type": "", "format": "", "title": "", "description": "", "nullable": "", "enum": "",
        "items": "Schema", "minItems": "", "maxItems": "", "properties": "{Schema}",
        "required": "", "minProperties": "", "maxProperties": "", "propertyOrdering": "",
        "minimum": "", "maximum": "", "minLength": "", "maxLength": "", "pattern": "",
        "example": "", "default": "", "anyOf": "[Schema]", "additionalProperties": "", "ref": "",
        "defs": "",
    },
    "ToolConfig": {
        "functionCallingConfig": "FunctionCallingConfig", "retrievalConfig": "",
        "includeServerSideToolInvocations": "",
    },
    "FunctionCallingConfig": {
        "mode": "", "allowedFunctionNames": "", "streamFunctionCallArguments": "",
    },
    "SafetySetting": {"category": "", "threshold": "", "method": ""},
    "ThinkingConfig": {"thinkingBudget": "", "thinkingLevel": "", "includeThoughts": ""},
    "GenerationConfig": {
        "temperature": "", "topP": "", "topK": "", "maxOutputTokens": "", "candidateCount": "",
        "stopSequences": "", "seed": "", "presencePenalty": "", "frequencyPenalty": "",
        "responseLogprobs": "", "logprobs": "", "responseMimeType": "", "responseSchema": "Schema",
        "responseJsonSchema": "", "responseModalities": "", "speechConfig": "", "imageConfig": "",
        "mediaResolution": "", "thinkingConfig": "ThinkingConfig", "responseFormat": "",
        "enableEnhancedCivicAnswers": "",
    },
}  # fmt: skip
DATA = (
    "text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode",
    "codeExecutionResult", "toolCall", "toolResponse",
)  # fmt: skip
TYPES = ("STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL")
NAME = re.compile(r"^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$")
DUMMIES = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")


def check(record: Recorded, memory: Memory) -> None:
    request = record.request
    if record.endpoint == "count" and "generateContentRequest" in request:
        request = request["generateContentRequest"]
    body: Json = _known(request, "Request", "", extra=("sessionId",) if record.envelope else ())
    contents = body.get("contents")
    if not contents:
        raise Refused("* GenerateContentRequest.contents: contents is not specified")
    for number, content in enumerate(contents):
        _content(content, f"contents[{number}]", memory)
    if contents[-1].get("role") == "model" and record.endpoint == "generate":
        raise Refused("Please ensure that the conversation ends with a user turn.")
    _pairing(contents)
    if re.search(r"gemini-[3-9]", record.model):
        _signed(contents)
    names = _tools(body)
    chosen = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    if str(chosen.get("mode", "AUTO")).upper() not in ("AUTO", "ANY", "NONE", "VALIDATED"):
        raise Refused(f"Invalid value at 'tool_config.function_calling_config.mode': {chosen}")
    for name in chosen.get("allowedFunctionNames") or []:
        if name not in names:
            text = f"allowed_function_names: {name} is not in function_declarations"
            raise Refused(f"* GenerateContentRequest.tool_config.{text}")
    _config(body.get("generationConfig") or {})


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest) if head else name


def _known(value: Json, kind: str, at: str, extra: tuple[str, ...] = ()) -> Json:
    """Return the object with camelCase names; refuse names its type does not have."""
    if not isinstance(value, dict):
        raise Refused(f"Invalid value at '{at}' ({kind}), {value!r}")
    found: dict[str, Json] = {}
    for given, inner in value.items():
        name = _camel(given)
        if name not in KINDS[kind] and name not in extra:
            where = f" at '{at}'" if at else ""
            text = f'Invalid JSON payload received. Unknown name "{given}"{where}:'
            raise Refused(f"{text} Cannot find field.")
        below = f"{at}.{name}" if at else name
        found[name] = _inner(inner, KINDS[kind].get(name, ""), below)
    return found


def _inner(value: Json, kind: str, at: str) -> Json:
    if not kind or value is None:
        return value
    if kind[0] == "[":
        if not isinstance(value, list):
            raise Refused(f"Invalid value at '{at}' (repeated {kind[1:-1]})")
        return [_known(one, kind[1:-1], f"{at}[{n}]") for n, one in enumerate(value)]
    if kind[0] == "{":
        if not isinstance(value, dict):
            raise Refused(f"Invalid value at '{at}' (map)")
        return {key: _known(one, kind[1:-1], f"{at}[{key!r}]") for key, one in value.items()}
    found = _known(value, kind, at)
    return found


def _content(content: Json, at: str, memory: Memory) -> None:
    if content.get("role", "user") not in ("user", "model", "function"):
        raise Refused("Please use a valid role: user, model.")
    parts = content.get("parts")
    if not parts:
        raise Refused(f"* GenerateContentRequest.{at}.parts: contents.parts must not be empty.")
    for number, part in enumerate(parts):
        _part(part, f"{at}.parts[{number}]", content.get("role", "user"), memory)


def _part(part: Json, at: str, role: str, memory: Memory) -> None:
    data = [name for name in DATA if name in part]
    if not data:
        text = "required oneof field 'data' must have one initialized field"
        raise Refused(f"* GenerateContentRequest.{at}.data: {text}")
    if len(data) > 1:
        raise Refused(f"Invalid value at '{at}' (oneof), oneof field 'data' is already set.")
    if role == "model" and "functionResponse" in part:
        raise Refused("Please ensure that function responses are in a user turn.")
    if role == "user" and "functionCall" in part:
        raise Refused("Please ensure that function calls are in a model turn.")
    if call := part.get("functionCall"):
        if not call.get("name"):
            raise Refused(
                f"* GenerateContentRequest.{at}.function_call.name: Name cannot be empty."
            )
        if not isinstance(call.get("args", {}), dict):
            text = f"Invalid value at '{at}.function_call.args'"
            raise Refused(f"{text} (type.googleapis.com/google.protobuf.Struct)")
    if "functionResponse" in part:
        answer = part["functionResponse"]
        if not answer.get("name"):
            text = "function_response.name: Name cannot be empty."
            raise Refused(f"* GenerateContentRequest.{at}.{text}")
        if not isinstance(answer.get("response"), dict):
            text = f"Invalid value at '{at}.function_response.response'"
            raise Refused(f"{text} (type.googleapis.com/google.protobuf.Struct)")
    if "inlineData" in part:
        _blob(part["inlineData"], at)
    if (signature := part.get("thoughtSignature")) is None:
        return
    if signature in DUMMIES:
        return
    try:
        base64.b64decode(_standard(signature), validate=True)
    except (binascii.Error, ValueError) as err:
        text = f"Invalid value at '{at}.thought_signature' (TYPE_BYTES)"
        raise Refused(f"{text}, Base64 decoding failed") from err
    if memory.signed("gemini", signature) is None:
        raise Refused(f"Corrupted thought signature. ({at}.thought_signature)")


def _blob(blob: Json, at: str) -> None:
    if not blob.get("mimeType"):
        raise Refused(f"* GenerateContentRequest.{at}.inline_data.mime_type: must be specified")
    try:
        base64.b64decode(_standard(blob.get("data") or ""), validate=True)
    except (binascii.Error, ValueError) as err:
        text = f"Invalid value at '{at}.inline_data.data' (TYPE_BYTES)"
        raise Refused(f"{text}, Base64 decoding failed") from err


def _standard(data: str) -> str:
    """Return base64 in its first alphabet: JSON over protobuf takes either."""
    return data.replace("-", "+").replace("_", "/")


def _count(content: Json, name: str) -> int:
    return sum(name in part for part in content["parts"])


def _pairing(contents: list[Json]) -> None:
    for number, content in enumerate(contents):
        calls, answers = _count(content, "functionCall"), _count(content, "functionResponse")
        before = contents[number - 1] if number else None
        after = contents[number + 1] if number + 1 < len(contents) else None
        if calls:
            if before is None or before.get("role") == "model":
                text = "Please ensure that function call turn comes immediately after a user turn"
                raise Refused(f"{text} or after a function response turn.")
            given = _count(after, "functionResponse") if after else 0
            if given != calls:
                text = "Please ensure that the number of function response parts is equal to the"
                full = f"{text} number of function call parts of the function call turn."
                raise Refused(f"{full} (contents[{number}]: {calls} calls, {given} responses)")
        if answers and (before is None or not _count(before, "functionCall")):
            text = "Please ensure that function response turn comes immediately after a function"
            raise Refused(f"{text} call turn. (contents[{number}])")
        if answers and before is not None:
            asked = sorted(
                p["functionCall"]["name"] for p in before["parts"] if "functionCall" in p
            )
            named = sorted(
                p["functionResponse"]["name"] for p in content["parts"] if "functionResponse" in p
            )
            if asked != named:
                text = f"function_response.name {named} does not match the calls {asked}"
                raise Refused(f"contents[{number}]: {text}")


def _signed(contents: list[Json]) -> None:
    """The first call of each step since the last question carries a signature (Gemini 3)."""
    start = 0
    for number, content in enumerate(contents):
        if content.get("role", "user") != "model" and not _count(content, "functionResponse"):
            start = number
    for number, content in enumerate(contents[start:], start):
        calls = [part for part in content["parts"] if "functionCall" in part]
        if calls and "thoughtSignature" not in calls[0]:
            text = "Function call is missing a thought_signature in functionCall parts."
            name = calls[0]["functionCall"]["name"]
            raise Refused(f"{text} Function call `default_api:{name}`, contents[{number}].")


def _tools(body: Json) -> list[str]:
    names: list[str] = []
    for number, tool in enumerate(body.get("tools") or []):
        for index, declared in enumerate(tool.get("functionDeclarations") or []):
            at = f"tools[{number}].function_declarations[{index}]"
            name = declared.get("name")
            if not isinstance(name, str) or not NAME.match(name):
                text = "Invalid function name. Must start with a letter or an underscore."
                raise Refused(f"* GenerateContentRequest.{at}.name: {text}")
            if name in names:
                raise Refused(f"Duplicate function declaration found: {name}")
            names.append(name)
            if "parameters" in declared and "parametersJsonSchema" in declared:
                raise Refused(f"{at}: parameters and parameters_json_schema are both set")
            if declared.get("parameters"):
                _schema(declared["parameters"], f"{at}.parameters")
    return names


def _schema(schema: Json, at: str) -> None:
    kind = schema.get("type")
    if kind is not None and (not isinstance(kind, str) or kind.upper() not in TYPES):
        raise Refused(f"Invalid value at '{at}.type' (type.googleapis.com/Type), {kind!r}")
    for value in schema.get("enum") or []:
        if not isinstance(value, str):
            raise Refused(f"Invalid value at '{at}.enum[0]' (TYPE_STRING), {value}")
        if not value:
            raise Refused(f"* GenerateContentRequest.{at}.enum[0]: cannot be empty")
    properties = schema.get("properties") or {}
    for name in schema.get("required") or []:
        if name not in properties:
            raise Refused(f"* GenerateContentRequest.{at}.required[0]: property is not defined")
    for name, inner in properties.items():
        _schema(inner, f"{at}.properties[{name}]")
    if str(kind).upper() == "ARRAY" and not schema.get("items"):
        raise Refused(f"* GenerateContentRequest.{at}.items: missing field.")
    if schema.get("items"):
        _schema(schema["items"], f"{at}.items")
    for number, inner in enumerate(schema.get("anyOf") or []):
        _schema(inner, f"{at}.any_of[{number}]")


def _config(config: Json) -> None:
    thinking = config.get("thinkingConfig") or {}
    if "thinkingBudget" in thinking and "thinkingLevel" in thinking:
        raise Refused("You can only set only one of thinking budget and thinking level.")
    if len(config.get("stopSequences") or []) > 5:
        raise Refused("* GenerateContentRequest.generation_config.stop_sequences: at most 5")
    if "responseSchema" in config and "responseJsonSchema" in config:
        raise Refused("Only one of response_schema and response_json_schema can be set.")
    shaped = "responseSchema" in config or "responseJsonSchema" in config
    if shaped and config.get("responseMimeType") not in ("application/json", "text/x.enum"):
        text = "generation_config.response_mime_type must be application/json with a schema"
        raise Refused(f"* GenerateContentRequest.{text}")
    temperature = config.get("temperature")
    if temperature is not None and not 0 <= temperature <= 2:
        raise Refused("* GenerateContentRequest.generation_config.temperature: range [0, 2]")
