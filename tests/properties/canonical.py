"""What a dialect's own builder may write differently, and means the same by."""

from __future__ import annotations

import copy
import json
from typing import Any

Json = Any


def chat(body: Json) -> Json:
    """Write a chat request the one way of several that mean the same.

    - A text alone is a string, not a list of one part.
    - Arguments are compared as JSON.
    """
    body = copy.deepcopy(body)
    for message in body["messages"]:
        message["content"] = _lone_text(message.get("content"), "text")
        for call in message.get("tool_calls") or []:
            if call["type"] == "function":
                call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return body


def responses(body: Json) -> Json:
    """Write a Responses request the one way of several that mean the same.

    - A text alone is a string, not a list of one part, in messages and in results.
    - Items with a role need no `type`.
    - Arguments are compared as JSON.
    - Reasoning without its signature is not sent back (reported).
    - An item has no `status`, a text no empty `annotations`.
    - A tool of a namespace has the namespace in its name: not every host knows namespaces.
    """
    body = copy.deepcopy(body)
    if "tools" in body:
        body["tools"] = [flat for tool in body["tools"] for flat in _flat(tool)]
    body["input"] = [
        item
        for item in body["input"]
        if item.get("type") != "reasoning" or item.get("encrypted_content")
    ]
    for item in body["input"]:
        item.pop("status", None)
        for part in item["content"] if isinstance(item.get("content"), list) else ():
            if not part.get("annotations"):
                part.pop("annotations", None)
        if "role" in item:
            item["type"] = "message"
            kind = "output_text" if item["role"] == "assistant" else "input_text"
            item["content"] = _lone_text(item["content"], kind)
        if item["type"] == "function_call":
            item["arguments"] = json.loads(item["arguments"])
        if "output" in item:
            item["output"] = _lone_text(item["output"], "input_text")
    return body


def claude(body: Json) -> Json:
    """Write a Messages request the one way of several that mean the same.

    - A text alone is a string, not a list of one block, if nothing else is said of it.
    """
    body = copy.deepcopy(body)
    if "system" in body:
        body["system"] = _lone_text(body["system"], "text")
    for message in body["messages"]:
        message["content"] = _lone_text(message["content"], "text")
        for block in message["content"] if isinstance(message["content"], list) else ():
            if "content" in block:
                block["content"] = _lone_text(block["content"], "text")
    return body


def gemini(body: Json) -> Json:
    """Write a generateContent request the one way of several that mean the same.

    - A function without parameters has no schema.
    - Levels of thinking are in capitals.
    """
    body = copy.deepcopy(body)
    for tool in body.get("tools") or []:
        for declared in tool["functionDeclarations"]:
            if not declared.get("parametersJsonSchema", {}).get("properties"):
                declared.pop("parametersJsonSchema", None)
    thinking = body.get("generationConfig", {}).get("thinkingConfig", {})
    if "thinkingLevel" in thinking:
        thinking["thinkingLevel"] = thinking["thinkingLevel"].upper()
    return body


def _flat(tool: Json) -> list[Json]:
    if tool["type"] != "namespace":
        return [tool]
    return [{**inner, "name": f"{tool['name']}__{inner['name']}"} for inner in tool["tools"]]


def _lone_text(content: Json, kind: str) -> Json:
    if isinstance(content, list) and len(content) == 1 and content[0].get("type") == kind:
        if set(content[0]) == {"type", "text"}:
            return content[0]["text"]
    return content


def interactions(body: Json) -> Json:
    """Write an interaction the one way of several that mean the same.

    - A text alone is a string, not a list of one content, in results.
    - Input and output of the same turn are one step, or several.
    """
    body = copy.deepcopy(body)
    for step in body["input"]:
        if "result" in step:
            step["result"] = _lone_text(step["result"], "text")
    return body


CANONICAL = {
    "openai-chat": chat,
    "openai-responses": responses,
    "anthropic": claude,
    "gemini": gemini,
    "interactions": interactions,
}
