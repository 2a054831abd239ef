"""The official SDKs behind one small face, so that one test can be told in all dialects.

`ask` runs a neutral `Scenario` through one SDK, streamed or whole, and returns what the SDK itself
made of the answer: its own accumulators and types, not our reading of the wire.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any

import anthropic
import httpx2 as httpx
import openai
from google import genai
from google.genai import types
from google.genai._interactions.core.error import APIError as InteractionsError

DIALECTS = ("openai-chat", "openai-responses", "anthropic", "gemini", "interactions")

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
}


@dataclass
class Turn:
    """One finished exchange before the question: a call and its result, or plain words."""

    user: str
    assistant: str = ""
    calls: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    results: list[str] = field(default_factory=list)


@dataclass
class Scenario:
    question: str = "Hello?"
    system: str = ""
    turns: list[Turn] = field(default_factory=list)
    image: bytes = b""
    tools: bool = False
    tool_choice: str = ""  # "", auto, none, required, or a tool's name
    max_tokens: int = 256
    temperature: float | None = None
    top_p: float | None = None
    stop: list[str] = field(default_factory=list)


@dataclass
class Result:
    text: str = ""
    thinking: str = ""
    calls: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    finish: str = ""
    input: int | None = None
    output: int | None = None
    cached: int | None = None
    model: str = ""
    raw: Any = None


FINISH = {
    "openai-chat": {
        "stop": "stop",
        "length": "length",
        "tool_calls": "tool_calls",
        "content_filter": "content_filter",
    },
    "openai-responses": {
        "completed": "stop",
        "max_output_tokens": "length",
        "content_filter": "content_filter",
    },
    "anthropic": {
        "end_turn": "stop",
        "max_tokens": "length",
        "tool_use": "tool_calls",
        "stop_sequence": "stop",
        "refusal": "content_filter",
    },
    "gemini": {"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter"},
    "interactions": {"completed": "stop", "incomplete": "length", "requires_action": "tool_calls"},
}


def ask(
    dialect: str, url: str, key: str, model: str, scenario: Scenario, *, stream: bool
) -> Result:
    """Ask through the SDK of a dialect; `url` is the base without a path."""
    return ASK[dialect](url, key, model, scenario, stream)


def _chat(url, key, model, s, stream):
    messages: list[Any] = [{"role": "system", "content": s.system}] if s.system else []
    for turn in s.turns:
        messages.append({"role": "user", "content": turn.user})
        calls = [
            {"id": i, "type": "function", "function": {"name": n, "arguments": json.dumps(a)}}
            for i, n, a in turn.calls
        ]
        message: dict[str, Any] = {"role": "assistant", "content": turn.assistant or None}
        if calls:
            message["tool_calls"] = calls
        messages.append(message)
        for (i, _, _), result in zip(turn.calls, turn.results, strict=True):
            messages.append({"role": "tool", "tool_call_id": i, "content": result})
    if s.question:
        content: Any = s.question
        if s.image:
            data = "data:image/png;base64," + base64.b64encode(s.image).decode()
            content = [
                {"type": "text", "text": s.question},
                {"type": "image_url", "image_url": {"url": data}},
            ]
        messages.append({"role": "user", "content": content})
    args: dict[str, Any] = {"model": model, "messages": messages, "max_tokens": s.max_tokens}
    if s.temperature is not None:
        args["temperature"] = s.temperature
    if s.top_p is not None:
        args["top_p"] = s.top_p
    if s.stop:
        args["stop"] = s.stop
    if s.tools:
        args["tools"] = [
            {"type": "function", "function": {"name": n, "description": d, "parameters": WEATHER}}
            for n, d in TOOLS
        ]
    if s.tool_choice:
        args["tool_choice"] = (
            s.tool_choice
            if s.tool_choice in ("auto", "none", "required")
            else {"type": "function", "function": {"name": s.tool_choice}}
        )
    with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=60) as client:
        if stream:
            args["stream_options"] = {"include_usage": True}
            with client.chat.completions.stream(**args) as events:
                try:
                    for _ in events:
                        pass
                except CUT_SHORT:
                    pass  # the helper's own word for these finish reasons; its snapshot is whole
                done = events.current_completion_snapshot
        else:
            done = client.chat.completions.create(**args)
    choice = done.choices[0]
    usage = done.usage
    return Result(
        text=choice.message.content or "",
        thinking=getattr(choice.message, "reasoning_content", None) or "",
        calls=[
            (c.id, c.function.name, json.loads(c.function.arguments))
            for c in choice.message.tool_calls or []
        ],
        finish=FINISH["openai-chat"][choice.finish_reason],
        input=usage.prompt_tokens if usage else None,
        output=usage.completion_tokens if usage else None,
        cached=usage.prompt_tokens_details.cached_tokens
        if usage and usage.prompt_tokens_details
        else None,
        model=done.model,
        raw=done,
    )


TOOLS = (("get_weather", "The weather in a city"), ("get_news", "News of a city"))


def _responses(url, key, model, s, stream):
    items: list[Any] = []
    for turn in s.turns:
        items.append({"type": "message", "role": "user", "content": turn.user})
        if turn.assistant:
            items.append({"type": "message", "role": "assistant", "content": turn.assistant})
        items += [
            {"type": "function_call", "call_id": i, "name": n, "arguments": json.dumps(a)}
            for i, n, a in turn.calls
        ]
        items += [
            {"type": "function_call_output", "call_id": i, "output": result}
            for (i, _, _), result in zip(turn.calls, turn.results, strict=True)
        ]
    if s.question:
        content: Any = s.question
        if s.image:
            data = "data:image/png;base64," + base64.b64encode(s.image).decode()
            content = [
                {"type": "input_text", "text": s.question},
                {"type": "input_image", "image_url": data, "detail": "auto"},
            ]
        items.append({"type": "message", "role": "user", "content": content})
    args: dict[str, Any] = {
        "model": model,
        "input": items,
        "max_output_tokens": s.max_tokens,
        "store": False,
    }
    if s.system:
        args["instructions"] = s.system
    if s.temperature is not None:
        args["temperature"] = s.temperature
    if s.top_p is not None:
        args["top_p"] = s.top_p
    if s.tools:
        args["tools"] = [
            {
                "type": "function",
                "name": n,
                "description": d,
                "parameters": WEATHER,
                "strict": False,
            }
            for n, d in TOOLS
        ]
    if s.tool_choice:
        args["tool_choice"] = (
            s.tool_choice
            if s.tool_choice in ("auto", "none", "required")
            else {"type": "function", "name": s.tool_choice}
        )
    with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=60) as client:
        if stream:
            with client.responses.stream(**args) as events:
                for event in events:
                    if event.type in {"response.completed", "response.incomplete"}:
                        done = event.response
                    elif event.type == "response.failed":
                        # The API's own way to fail in mid-stream; the SDK leaves it to its user.
                        told = event.response.error.message if event.response.error else "failed"
                        raise openai.APIError(told, events._response.request, body=None)
        else:
            done = client.responses.create(**args)
    thinking = ""
    calls = []
    for item in done.output:
        if item.type == "reasoning":
            thinking += "\n\n".join(part.text for part in item.summary)
        if item.type == "function_call":
            calls.append((item.call_id, item.name, json.loads(item.arguments)))
    reason = done.incomplete_details.reason if done.incomplete_details else done.status
    finish = FINISH["openai-responses"][reason]
    if finish == "stop" and calls:
        finish = "tool_calls"
    usage = done.usage
    return Result(
        text=done.output_text,
        thinking=thinking,
        calls=calls,
        finish=finish,
        input=usage.input_tokens if usage else None,
        output=usage.output_tokens if usage else None,
        cached=usage.input_tokens_details.cached_tokens if usage else None,
        model=done.model,
        raw=done,
    )


def _anthropic(url, key, model, s, stream):
    messages: list[Any] = []
    for turn in s.turns:
        messages.append({"role": "user", "content": turn.user})
        blocks: list[Any] = [{"type": "text", "text": turn.assistant}] if turn.assistant else []
        blocks += [{"type": "tool_use", "id": i, "name": n, "input": a} for i, n, a in turn.calls]
        messages.append({"role": "assistant", "content": blocks})
        if turn.calls:
            messages.append(
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": i, "content": result}
                        for (i, _, _), result in zip(turn.calls, turn.results, strict=True)
                    ],
                }
            )
    if s.question:
        content: list[Any] = [{"type": "text", "text": s.question}]
        if s.image:
            source = {
                "type": "base64",
                "media_type": "image/png",
                "data": base64.b64encode(s.image).decode(),
            }
            content.append({"type": "image", "source": source})
        if messages and messages[-1]["role"] == "user":
            messages[-1]["content"] += content
        else:
            messages.append({"role": "user", "content": content})
    args: dict[str, Any] = {"model": model, "messages": messages, "max_tokens": s.max_tokens}
    extra: dict[str, Any] = {}
    if s.system:
        args["system"] = s.system
    if s.temperature is not None:
        extra["temperature"] = s.temperature
    if s.top_p is not None:
        extra["top_p"] = s.top_p
    if s.stop:
        args["stop_sequences"] = s.stop
    if s.tools:
        args["tools"] = [{"name": n, "description": d, "input_schema": WEATHER} for n, d in TOOLS]
    if s.tool_choice:
        args["tool_choice"] = {
            "auto": {"type": "auto"},
            "none": {"type": "none"},
            "required": {"type": "any"},
        }.get(s.tool_choice, {"type": "tool", "name": s.tool_choice})
    if extra:
        args["extra_body"] = extra
    with anthropic.Anthropic(base_url=url, api_key=key, max_retries=0, timeout=60) as client:
        if stream:
            with client.messages.stream(**args) as events:
                for _ in events:
                    pass
                done = events.get_final_message()
        else:
            done = client.messages.create(**args)
    usage = done.usage
    cached = usage.cache_read_input_tokens or 0
    return Result(
        text="".join(b.text for b in done.content if b.type == "text"),
        thinking="".join(b.thinking for b in done.content if b.type == "thinking"),
        calls=[(b.id, b.name, b.input) for b in done.content if b.type == "tool_use"],
        finish=FINISH["anthropic"][done.stop_reason],
        input=usage.input_tokens + cached + (usage.cache_creation_input_tokens or 0),
        output=usage.output_tokens,
        cached=usage.cache_read_input_tokens,
        model=done.model,
        raw=done,
    )


def _gemini(url, key, model, s, stream):
    contents: list[types.Content] = []
    for turn in s.turns:
        contents.append(types.Content(role="user", parts=[types.Part(text=turn.user)]))
        parts = [types.Part(text=turn.assistant)] if turn.assistant else []
        parts += [
            types.Part(function_call=types.FunctionCall(id=i, name=n, args=a))
            for i, n, a in turn.calls
        ]
        contents.append(types.Content(role="model", parts=parts))
        if turn.calls:
            contents.append(
                types.Content(
                    role="user",
                    parts=[
                        types.Part(
                            function_response=types.FunctionResponse(
                                id=i, name=n, response={"output": result}
                            )
                        )
                        for (i, n, _), result in zip(turn.calls, turn.results, strict=True)
                    ],
                )
            )
    if s.question:
        parts = [types.Part(text=s.question)]
        if s.image:
            parts.append(types.Part.from_bytes(data=s.image, mime_type="image/png"))
        contents.append(types.Content(role="user", parts=parts))
    config = types.GenerateContentConfig(
        max_output_tokens=s.max_tokens,
        temperature=s.temperature,
        top_p=s.top_p,
        stop_sequences=s.stop or None,
        system_instruction=s.system or None,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    if s.tools:
        config.tools = [
            types.Tool(
                function_declarations=[
                    types.FunctionDeclaration(name=n, description=d, parameters_json_schema=WEATHER)
                    for n, d in TOOLS
                ]
            )
        ]
    if s.tool_choice:
        modes = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
        config.tool_config = types.ToolConfig(
            function_calling_config=types.FunctionCallingConfig(
                mode=modes.get(s.tool_choice, "ANY"),
                allowed_function_names=None if s.tool_choice in modes else [s.tool_choice],
            )
        )
    result = Result()
    client = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=url, timeout=60_000))
    try:
        if stream:
            answers = list(
                client.models.generate_content_stream(model=model, contents=contents, config=config)
            )
        else:
            answers = [
                client.models.generate_content(model=model, contents=contents, config=config)
            ]
    finally:
        client.close()
    for answer in answers:
        result.model = answer.model_version or result.model
        if answer.usage_metadata:
            usage = answer.usage_metadata
            result.input = usage.prompt_token_count
            result.output = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
            result.cached = usage.cached_content_token_count
        for candidate in answer.candidates or []:
            if candidate.finish_reason:
                result.finish = FINISH["gemini"][candidate.finish_reason.value]
            for part in (candidate.content and candidate.content.parts) or []:
                if part.function_call:
                    call = part.function_call
                    result.calls.append((call.id or "", call.name or "", dict(call.args or {})))
                elif part.text and part.thought:
                    result.thinking += part.text
                elif part.text:
                    result.text += part.text
    if result.calls and result.finish == "stop":
        result.finish = "tool_calls"
    result.raw = answers
    return result


def _interactions(url, key, model, s, stream):
    steps: list[Any] = []
    for turn in s.turns:
        steps.append(_said("user_input", turn.user))
        if turn.assistant:
            steps.append(_said("model_output", turn.assistant))
        steps += [
            {"type": "function_call", "id": i, "name": n, "arguments": a} for i, n, a in turn.calls
        ]
        steps += [
            {"type": "function_result", "call_id": i, "name": n, "result": result}
            for (i, n, _), result in zip(turn.calls, turn.results, strict=True)
        ]
    if s.question:
        steps.append(_said("user_input", s.question))
        if s.image:
            data = base64.b64encode(s.image).decode()
            image = {"type": "image", "data": data, "mime_type": "image/png"}
            steps[-1]["content"].append(image)
    config: dict[str, Any] = {"max_output_tokens": s.max_tokens}
    if s.temperature is not None:
        config["temperature"] = s.temperature
    if s.top_p is not None:
        config["top_p"] = s.top_p
    if s.stop:
        config["stop_sequences"] = s.stop
    args: dict[str, Any] = {"model": model, "input": steps, "store": False}
    if s.system:
        args["system_instruction"] = s.system
    if s.tools:
        args["tools"] = [
            {"type": "function", "name": n, "description": d, "parameters": WEATHER}
            for n, d in TOOLS
        ]
    if s.tool_choice:
        modes = {"auto": "auto", "none": "none", "required": "any"}
        named = {"allowed_tools": {"mode": "any", "tools": [s.tool_choice]}}
        config["tool_choice"] = modes.get(s.tool_choice, named)
    result = Result()
    with google_client(url, key) as client:
        if stream:
            _listen(
                result, client.interactions.create(**args, generation_config=config, stream=True)
            )
        else:
            _read(result, client.interactions.create(**args, generation_config=config))
    return result


def google_client(url, key):
    once = types.HttpRetryOptions(attempts=1)
    options = types.HttpOptions(base_url=url, timeout=60_000, retry_options=once)
    return genai.Client(api_key=key, http_options=options)


def _said(kind, text):
    return {"type": kind, "content": [{"type": "text", "text": text}]}


def _listen(result, events):
    """Add a stream up, as the API's guide does."""
    calls: dict[int, list[Any]] = {}
    for event in events:
        match event.event_type:
            case "step.start":
                if event.step.type == "function_call":
                    calls[event.index] = [event.step.id, event.step.name, ""]
            case "step.delta":
                match event.delta.type:
                    case "text":
                        result.text += event.delta.text
                    case "thought_summary":
                        result.thinking += event.delta.content.text
                    case "arguments_delta":
                        calls[event.index][2] += event.delta.arguments
            case "interaction.completed":
                _ended(result, event.interaction)
            case "error":
                raise InStream(event.error.message)
    result.calls = [(i, n, json.loads(text or "{}")) for i, n, text in calls.values()]
    if not result.finish:
        raise InStream("the stream ended early")


class InStream(Exception):
    """The API's way to fail in mid-stream; the SDK leaves it to its user."""


def _read(result, interaction):
    for step in interaction.steps:
        match step.type:
            case "model_output":
                result.text += "".join(c.text for c in step.content if c.type == "text")
            case "thought":
                result.thinking += "".join(c.text for c in step.summary or [])
            case "function_call":
                result.calls.append((step.id, step.name, step.arguments))
    _ended(result, interaction)


def _ended(result, interaction):
    result.finish = FINISH["interactions"][interaction.status]
    result.model = interaction.model
    result.raw = interaction
    if usage := interaction.usage:
        result.input = usage.total_input_tokens
        result.output = usage.total_output_tokens + (usage.total_thought_tokens or 0)
        result.cached = usage.total_cached_tokens


ASK = {
    "openai-chat": _chat,
    "openai-responses": _responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "interactions": _interactions,
}
CUT_SHORT = (openai.LengthFinishReasonError, openai.ContentFilterFinishReasonError)
ERRORS = (
    openai.APIError,
    anthropic.APIError,
    genai.errors.APIError,
    InteractionsError,
    InStream,
    httpx.HTTPError,
)
