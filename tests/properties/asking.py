"""Requests of each dialect, written from a conversation and dressed in what the dialect knows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.properties.talk import Call, Document, Picture, Result, Talk, Text, Turn, talks
from tests.properties.values import CUSTOM, MARK, marked, schemas, texts, words

Json = Any
Draw = Callable[[st.SearchStrategy[Any]], Any]

maybe = st.integers(0, 3).map(lambda roll: roll == 0)


def dump(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def some(draw: Draw, body: Json, options: dict[str, st.SearchStrategy[Any]]) -> None:
    """Add a few of the options."""
    for name in draw(st.lists(st.sampled_from(sorted(options)), max_size=4, unique=True)):
        body[name] = draw(options[name])


# ---- chat -------------------------------------------------------------------------------------
def _chat_part(part: Any) -> Json:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Picture():
            return {
                "type": "image_url",
                "image_url": {"url": f"data:{part.mime};base64,{part.data}"},
            }
        case Document():
            data = f"data:application/pdf;base64,{part.data}"
            return {"type": "file", "file": {"filename": part.name, "file_data": data}}
    raise TypeError(part)


def _chat_call(call: Call) -> Json:
    if call.name == CUSTOM:
        return {"id": call.id, "type": "custom", "custom": {"name": CUSTOM, "input": call.args}}
    inner = {"name": call.name, "arguments": dump(call.args)}
    return {"id": call.id, "type": "function", "function": inner}


def _chat_turn(turn: Turn) -> list[Json]:
    found: list[Json] = []
    if turn.role == "assistant":
        said = "".join(part.text for part in turn.parts if isinstance(part, Text))
        message: Json = {"role": "assistant", "content": said or None}
        if calls := [_chat_call(part) for part in turn.parts if isinstance(part, Call)]:
            message["tool_calls"] = calls
        return [message]
    for part in turn.parts:
        if isinstance(part, Result):
            texts = [_chat_part(one) for one in part.parts if isinstance(one, Text)]
            found.append({"role": "tool", "tool_call_id": part.call.id, "content": texts})
    rest = [_chat_part(part) for part in turn.parts if not isinstance(part, Result)]
    if len(rest) == 1 and rest[0]["type"] == "text":
        found.append({"role": "user", "content": rest[0]["text"]})
    elif rest:
        found.append({"role": "user", "content": rest})
    return found


@st.composite
def _chat(draw: Draw, talk: Talk, dressed: bool) -> Json:  # noqa: FBT001
    messages = [{"role": "system", "content": text} for text in talk.system]
    messages += [message for turn in talk.turns for message in _chat_turn(turn)]
    body: Json = {"model": "m", "messages": messages}
    tools: list[Json] = []
    for tool in talk.tools:
        inner = {"name": tool.name, "description": tool.description, "parameters": tool.schema}
        if dressed and draw(maybe):
            inner["strict"] = draw(st.booleans())
        tools.append({"type": "function", "function": inner})
    if talk.freeform:
        custom: Json = {"name": CUSTOM, "description": draw(texts)}
        if draw(st.booleans()):
            grammar = {"syntax": "regex", "definition": f"{MARK}+"}
            custom["format"] = {"type": "grammar", "grammar": grammar}
        tools.append({"type": "custom", "custom": custom})
    if tools:
        body["tools"] = tools
    if talk.choice:
        named = {"type": "function", "function": {"name": talk.choice}}
        body["tool_choice"] = talk.choice if talk.choice in ("auto", "none", "required") else named
    if dressed:
        _dress_chat(draw, messages)
        some(draw, body, CHAT_OPTIONS)
        if tools and draw(maybe):
            body["parallel_tool_calls"] = draw(st.booleans())
    return body


def _dress_chat(draw: Draw, messages: list[Json]) -> None:
    for message in messages:
        content = message["content"]
        if message["role"] == "user" and isinstance(content, list) and draw(maybe):
            content.append(draw(CHAT_PARTS))
        if message["role"] == "system" and draw(maybe):
            message["role"] = "developer"
        if message["role"] == "assistant" and isinstance(content, str) and draw(maybe):
            message["content"] = [
                {"type": "text", "text": content},
                {"type": "refusal", "refusal": draw(texts)},
            ]
        if message["role"] in ("user", "assistant") and draw(maybe):
            message["name"] = draw(words)
        if isinstance(message["content"], list) and draw(maybe):
            message["content"][0]["prompt_cache_breakpoint"] = {"mode": "explicit"}
    if draw(maybe):
        # Between two turns: not after calls that wait for their results.
        places = [n for n, message in enumerate(messages) if message["role"] == "user"]
        messages.insert(draw(st.sampled_from(places)), {"role": "system", "content": draw(texts)})


CHAT_PARTS = st.one_of(
    words.map(
        lambda word: {
            "type": "image_url",
            "image_url": {"url": f"https://example.com/{word}.png", "detail": "high"},
        }
    ),
    st.just({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}),
    words.map(lambda word: {"type": "file", "file": {"file_id": f"file-{word}"}}),
)
CHAT_OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "temperature": st.sampled_from([0, 0.25, 1, 1.5]),
    "top_p": st.sampled_from([0.125, 0.5, 1]),
    "max_completion_tokens": st.integers(2000, 4000),
    "seed": st.integers(100, 2**40),
    "stop": st.lists(words, min_size=1, max_size=3),
    "presence_penalty": st.sampled_from([-1.5, 0.5]),
    "frequency_penalty": st.sampled_from([-0.5, 1.5]),
    "logit_bias": st.just({"50256": -100}),
    "top_logprobs": st.integers(1, 5),
    "n": st.integers(2, 3),
    "user": words,
    "safety_identifier": words,
    "metadata": st.builds(lambda a: {"team": a}, words),
    "store": st.booleans(),
    "service_tier": st.sampled_from(["auto", "flex", "priority"]),
    "prompt_cache_key": words,
    "reasoning_effort": st.sampled_from(["minimal", "low", "medium", "high"]),
    "verbosity": st.sampled_from(["low", "high"]),
    "response_format": st.builds(
        lambda name, said, schema: {
            "type": "json_schema",
            "json_schema": {"name": f"n{name}", "description": said, "schema": schema},
        },
        words,
        texts,
        schemas(),
    ),
}


# ---- responses --------------------------------------------------------------------------------
def _responses_part(part: Any) -> Json:
    match part:
        case Text():
            return {"type": "input_text", "text": part.text}
        case Picture():
            url = f"data:{part.mime};base64,{part.data}"
            return {"type": "input_image", "image_url": url, "detail": "auto"}
        case Document():
            data = f"data:application/pdf;base64,{part.data}"
            return {"type": "input_file", "filename": part.name, "file_data": data}
    raise TypeError(part)


def _responses_item(part: Any) -> Json:
    match part:
        case Call() if part.name == CUSTOM:
            return {
                "type": "custom_tool_call",
                "call_id": part.id,
                "name": CUSTOM,
                "input": part.args,
            }
        case Call():
            return {
                "type": "function_call",
                "call_id": part.id,
                "name": part.name,
                "arguments": dump(part.args),
            }
        case Result():
            kind = "custom_tool_call" if part.call.name == CUSTOM else "function_call"
            plain = len(part.parts) == 1 and isinstance(part.parts[0], Text)
            output = part.parts[0].text if plain else [_responses_part(p) for p in part.parts]
            return {"type": f"{kind}_output", "call_id": part.call.id, "output": output}
    raise TypeError(part)


def _responses_turn(turn: Turn) -> list[Json]:
    found: list[Json] = []
    if turn.role == "assistant":
        for part in turn.parts:
            if isinstance(part, Text):
                content = [{"type": "output_text", "text": part.text, "annotations": []}]
                found.append({"type": "message", "role": "assistant", "content": content})
            else:
                found.append(_responses_item(part))
        return found
    found = [_responses_item(part) for part in turn.parts if isinstance(part, Result)]
    rest = [_responses_part(part) for part in turn.parts if not isinstance(part, Result)]
    if rest:
        found.append({"type": "message", "role": "user", "content": rest})
    return found


@st.composite
def _responses(draw: Draw, talk: Talk, dressed: bool) -> Json:  # noqa: FBT001
    items = [item for turn in talk.turns for item in _responses_turn(turn)]
    body: Json = {"model": "m", "input": items}
    if talk.system:
        body["instructions"] = talk.system[0]
        items[:0] = [
            {"type": "message", "role": "developer", "content": [_responses_part(Text(text))]}
            for text in talk.system[1:]
        ]
    tools: list[Json] = []
    for tool in talk.tools:
        found = {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.schema,
            "strict": dressed and draw(maybe),
        }
        tools.append(found)
    if talk.freeform:
        custom: Json = {"type": "custom", "name": CUSTOM, "description": draw(texts)}
        if draw(st.booleans()):
            custom["format"] = {"type": "grammar", "syntax": "lark", "definition": f"{MARK}+"}
        tools.append(custom)
    if dressed and draw(maybe):
        inner = {"type": "function", "name": "inner", "description": draw(texts)}
        inner |= {"parameters": draw(schemas()), "strict": False}
        space = {"type": "namespace", "name": "space", "description": draw(texts)}
        tools.append({**space, "tools": [inner]})
    if tools:
        body["tools"] = tools
    if talk.choice:
        named = {"type": "function", "name": talk.choice}
        body["tool_choice"] = talk.choice if talk.choice in ("auto", "none", "required") else named
    if dressed:
        _dress_responses(draw, items)
        some(draw, body, RESPONSES_OPTIONS)
        if tools and draw(maybe):
            body["parallel_tool_calls"] = draw(st.booleans())
    return body


def _dress_responses(draw: Draw, items: list[Json]) -> None:
    for item in items[:]:
        role = item.get("role")
        if role == "user" and draw(maybe):
            item["content"].append(draw(RESPONSES_PARTS))
        if role == "assistant" and draw(maybe):
            item["content"].append({"type": "refusal", "refusal": draw(texts)})
        if role == "assistant" and draw(maybe):
            item |= {"id": f"msg_{draw(words)}", "status": "completed"}
        if item["type"] == "function_call" and draw(maybe):
            item |= {"id": f"fc_{draw(words)}", "status": "completed"}
        led = role == "assistant" or item["type"] in ("function_call", "custom_tool_call")
        if led and draw(maybe):
            summary = [
                {"type": "summary_text", "text": text}
                for text in draw(st.lists(texts, min_size=1, max_size=2))
            ]
            found: Json = {"type": "reasoning", "summary": summary}
            if draw(st.booleans()):
                found |= {"id": f"rs_{draw(words)}", "encrypted_content": "gAAAAABo"}
            place = next(n for n, one in enumerate(items) if one is item)
            items.insert(place, found)


RESPONSES_PARTS = st.one_of(
    words.map(
        lambda word: {
            "type": "input_image",
            "image_url": f"https://example.com/{word}.png",
            "detail": "high",
        }
    ),
    words.map(lambda word: {"type": "input_file", "file_id": f"file-{word}"}),
    words.map(lambda word: {"type": "input_file", "file_url": f"https://example.com/{word}.pdf"}),
    words.map(lambda word: {"type": "input_image", "file_id": f"file-{word}", "detail": "auto"}),
)
RESPONSES_OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    **{
        name: CHAT_OPTIONS[name]
        for name in (
            "temperature", "top_p", "top_logprobs", "user", "safety_identifier", "metadata",
            "store", "service_tier", "prompt_cache_key",
        )
    },
    "max_output_tokens": st.integers(2000, 4000),
    "max_tool_calls": st.integers(2, 9),
    "truncation": st.just("auto"),
    "include": st.just(["reasoning.encrypted_content"]),
    "reasoning": st.builds(
        lambda effort, shown: {"effort": effort, **shown},
        st.sampled_from(["minimal", "low", "medium", "high"]),
        st.sampled_from([{}, {"summary": "auto"}]),
    ),
    "text": st.builds(
        lambda name, said, schema, more: {
            "format": {
                "type": "json_schema",
                "name": f"n{name}",
                "description": said,
                "schema": schema,
            },
            **more,
        },
        words,
        texts,
        schemas(),
        st.sampled_from([{}, {"verbosity": "low"}]),
    ),
}  # fmt: skip


# ---- anthropic --------------------------------------------------------------------------------
def _claude_part(part: Any) -> Json:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Picture():
            source = {"type": "base64", "media_type": part.mime, "data": part.data}
            return {"type": "image", "source": source}
        case Document():
            source = {"type": "base64", "media_type": "application/pdf", "data": part.data}
            return {"type": "document", "source": source, "title": part.name}
        case Call():
            args = {"input": part.args} if part.name == CUSTOM else part.args
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": args}
        case Result():
            content = [_claude_part(one) for one in part.parts]
            found = {"type": "tool_result", "tool_use_id": part.call.id, "content": content}
            return {**found, "is_error": True} if part.error else found
    raise TypeError(part)


@st.composite
def _claude(draw: Draw, talk: Talk, dressed: bool) -> Json:  # noqa: FBT001
    messages: list[Json] = []
    marks = 0
    for turn in talk.turns:
        blocks = [_claude_part(part) for part in turn.parts]
        if dressed and turn.role == "user" and draw(maybe):
            blocks.append(draw(CLAUDE_BLOCKS))
        if dressed and marks < 3 and draw(maybe):
            marks += 1
            ttl = draw(st.sampled_from([{}, {"ttl": "5m"}]))
            blocks[-1]["cache_control"] = {"type": "ephemeral", **ttl}
        messages.append({"role": turn.role, "content": blocks})
    body: Json = {"model": "m", "max_tokens": 8000, "messages": messages}
    if talk.system:
        body["system"] = [{"type": "text", "text": text} for text in talk.system]
    if talk.tools:
        body["tools"] = [
            {"name": tool.name, "description": tool.description, "input_schema": tool.schema}
            for tool in talk.tools
        ]
    if talk.choice:
        kinds = {"auto": "auto", "none": "none", "required": "any"}
        named = {"type": "tool", "name": talk.choice}
        body["tool_choice"] = {"type": kinds[talk.choice]} if talk.choice in kinds else named
        if dressed and talk.choice != "none" and draw(maybe):
            body["tool_choice"]["disable_parallel_tool_use"] = True
    if dressed:
        some(draw, body, CLAUDE_OPTIONS)
        forced = body.get("tool_choice", {}).get("type") in ("any", "tool")
        if not {"temperature", "top_p", "top_k"} & body.keys() and not forced and draw(maybe):
            body["thinking"] = draw(
                st.sampled_from(
                    [
                        {"type": "enabled", "budget_tokens": 2048},
                        {"type": "disabled"},
                        {"type": "adaptive"},
                    ]
                )
            )
            for message in messages:
                if message["role"] == "assistant":
                    block = {"type": "thinking", "thinking": draw(texts), "signature": "RXFRQg=="}
                    message["content"].insert(0, block)
    return body


def _document(source: Json) -> st.SearchStrategy[Json]:
    return st.builds(
        lambda title, context: {
            "type": "document",
            "source": source,
            "title": title,
            "context": context,
        },
        texts,
        texts,
    )


CLAUDE_BLOCKS = st.one_of(
    _document({"type": "text", "media_type": "text/plain", "data": f"{MARK} said."}),
    _document({"type": "url", "url": f"https://example.com/{MARK}.pdf"}),
    _document({"type": "content", "content": [{"type": "text", "text": f"{MARK}."}]}),
    words.map(
        lambda word: {
            "type": "image",
            "source": {"type": "url", "url": f"https://example.com/{word}.png"},
        }
    ),
)
CLAUDE_OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "temperature": st.sampled_from([0, 0.25, 1]),
    "top_k": st.integers(3, 50),
    "stop_sequences": st.lists(words, min_size=1, max_size=3),
    "metadata": st.builds(lambda user: {"user_id": user}, words),
    "service_tier": st.sampled_from(["auto", "standard_only"]),
    "output_config": st.one_of(
        st.builds(lambda schema: {"format": {"type": "json_schema", "schema": schema}}, schemas()),
        st.sampled_from([{"effort": "low"}, {"effort": "high"}]),
    ),
}


# ---- gemini -----------------------------------------------------------------------------------
def _gemini_part(part: Any) -> Json:
    match part:
        case Text():
            return {"text": part.text}
        case Picture():
            return {"inlineData": {"mimeType": part.mime, "data": part.data}}
        case Document():
            inline = {"mimeType": "application/pdf", "data": part.data, "displayName": part.name}
            return {"inlineData": inline}
        case Call():
            args = {"input": part.args} if part.name == CUSTOM else part.args
            return {"functionCall": {"id": part.id, "name": part.name, "args": args}}
        case Result():
            said = "".join(one.text for one in part.parts if isinstance(one, Text))
            found: Json = {"id": part.call.id, "name": part.call.name}
            found["response"] = {"error": said} if part.error else {"output": said}
            if shown := [_gemini_part(one) for one in part.parts if isinstance(one, Picture)]:
                found["parts"] = shown
            return {"functionResponse": found}
    raise TypeError(part)


@st.composite
def _gemini(draw: Draw, talk: Talk, dressed: bool) -> Json:  # noqa: FBT001
    roles = {"user": "user", "assistant": "model"}
    body: Json = {
        "contents": [
            {"role": roles[turn.role], "parts": [_gemini_part(part) for part in turn.parts]}
            for turn in talk.turns
        ]
    }
    if talk.system:
        body["systemInstruction"] = {"parts": [{"text": text} for text in talk.system]}
    if talk.tools:
        declared = [
            {
                "name": tool.name,
                "description": tool.description,
                "parametersJsonSchema": tool.schema,
            }
            for tool in talk.tools
        ]
        body["tools"] = [{"functionDeclarations": declared}]
    if talk.choice:
        modes = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
        named = {"mode": "ANY", "allowedFunctionNames": [talk.choice]}
        chosen = {"mode": modes[talk.choice]} if talk.choice in modes else named
        body["toolConfig"] = {"functionCallingConfig": chosen}
    if dressed:
        _dress_gemini(draw, body["contents"])
        config: Json = {}
        some(draw, config, GEMINI_CONFIG)
        if draw(maybe):
            config["responseMimeType"] = "application/json"
            config["responseJsonSchema"] = draw(schemas())
        if config:
            body["generationConfig"] = config
        some(draw, body, GEMINI_OPTIONS)
    return body


def _dress_gemini(draw: Draw, contents: list[Json]) -> None:
    for content in contents:
        parts = content["parts"]
        if content["role"] == "user":
            if draw(maybe):
                parts.append(draw(GEMINI_PARTS))
            continue
        if draw(maybe):
            parts[0]["thoughtSignature"] = "c2lnbmVk"
        if draw(maybe):
            parts.insert(0, {"text": draw(texts), "thought": True})
            if draw(st.booleans()):
                parts[0]["thoughtSignature"] = "dGhvdWdodA=="


def _file(kind: str, ending: str) -> st.SearchStrategy[Json]:
    return words.map(
        lambda word: {
            "fileData": {"mimeType": kind, "fileUri": f"https://example.com/{word}.{ending}"}
        }
    )


GEMINI_PARTS = st.one_of(
    _file("image/png", "png"),
    _file("application/pdf", "pdf"),
    _file("video/mp4", "mp4"),
    st.just({"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}}),
)
GEMINI_CONFIG: dict[str, st.SearchStrategy[Any]] = {
    "temperature": st.sampled_from([0, 0.25, 1, 1.5]),
    "topP": st.sampled_from([0.125, 0.5, 1]),
    "topK": st.integers(3, 50),
    "maxOutputTokens": st.integers(2000, 4000),
    "stopSequences": st.lists(words, min_size=1, max_size=3),
    "seed": st.integers(100, 2**31 - 1),
    "presencePenalty": st.sampled_from([-1.5, 0.5]),
    "frequencyPenalty": st.sampled_from([-0.5, 1.5]),
    "candidateCount": st.integers(2, 3),
    "thinkingConfig": st.sampled_from(
        [
            {"thinkingBudget": 1024, "includeThoughts": True},
            {"thinkingLevel": "low"},
            {"thinkingBudget": 0},
            {"includeThoughts": False},
        ]
    ),
}
GEMINI_OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "labels": st.builds(lambda a: {"team": a}, words),
    "safetySettings": st.just(
        [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    ),
    "cachedContent": words.map(lambda word: f"cachedContents/{word}"),
}


# ---- interactions -----------------------------------------------------------------------------
def _interactions_part(part: Any) -> Json:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Picture():
            return {"type": "image", "data": part.data, "mime_type": part.mime}
        case Document():
            return {"type": "document", "data": part.data, "mime_type": "application/pdf"}
        case Call():
            args = {"input": part.args} if part.name == CUSTOM else part.args
            call = {"type": "function_call", "id": part.id, "name": part.name}
            return {**call, "arguments": args}
        case Result():
            found: Json = {"type": "function_result", "call_id": part.call.id}
            found["name"] = part.call.name
            plain = len(part.parts) == 1 and isinstance(part.parts[0], Text)
            content = [_interactions_part(one) for one in part.parts]
            found["result"] = part.parts[0].text if plain else content
            return {**found, "is_error": True} if part.error else found
    raise TypeError(part)


def _interactions_turn(turn: Turn) -> list[Json]:
    steps: list[Json] = []
    kind = "model_output" if turn.role == "assistant" else "user_input"
    for part in turn.parts:
        written = _interactions_part(part)
        if isinstance(part, Call | Result):
            steps.append(written)
        elif steps and steps[-1]["type"] == kind:
            steps[-1]["content"].append(written)
        else:
            steps.append({"type": kind, "content": [written]})
    return steps


@st.composite
def _interactions(draw: Draw, talk: Talk, dressed: bool) -> Json:  # noqa: FBT001
    steps = [step for turn in talk.turns for step in _interactions_turn(turn)]
    body: Json = {"model": "m", "input": steps}
    if talk.system:
        body["system_instruction"] = "\n\n".join(talk.system)
    if talk.tools:
        body["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.schema,
            }
            for tool in talk.tools
        ]
    config: Json = {}
    if talk.choice:
        modes = {"auto": "auto", "none": "none", "required": "any"}
        named = {"allowed_tools": {"mode": "any", "tools": [talk.choice]}}
        config["tool_choice"] = modes.get(talk.choice, named)
    if dressed:
        for step in steps:
            if step["type"] == "user_input" and draw(maybe):
                step["content"].append(draw(INTERACTIONS_PARTS))
        places = [n for n, step in enumerate(steps) if step["type"] == "model_output"]
        if places and draw(maybe):
            thought = {"type": "thought", "signature": "c2lnbmVk"}
            thought["summary"] = [{"type": "text", "text": draw(texts)}]
            steps.insert(draw(st.sampled_from(places)), thought)
        some(draw, config, INTERACTIONS_CONFIG)
        some(draw, body, INTERACTIONS_OPTIONS)
    if config:
        body["generation_config"] = config
    return body


def _uri(kind: str, mime: str, ending: str) -> st.SearchStrategy[Json]:
    return words.map(
        lambda word: {
            "type": kind,
            "uri": f"https://example.com/{word}.{ending}",
            "mime_type": mime,
        }
    )


INTERACTIONS_PARTS = st.one_of(
    _uri("image", "image/png", "png"),
    _uri("document", "application/pdf", "pdf"),
    _uri("video", "video/mp4", "mp4"),
    st.just({"type": "audio", "data": "UklGRg==", "mime_type": "audio/wav"}),
)
INTERACTIONS_CONFIG: dict[str, st.SearchStrategy[Any]] = {
    "temperature": st.sampled_from([0, 0.25, 1, 1.5]),
    "top_p": st.sampled_from([0.125, 0.5, 1]),
    "max_output_tokens": st.integers(2000, 4000),
    "stop_sequences": st.lists(words, min_size=1, max_size=3),
    "seed": st.integers(100, 2**31 - 1),
    "thinking_level": st.sampled_from(["minimal", "low", "high"]),
    "thinking_summaries": st.just("auto"),
}
INTERACTIONS_OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "labels": st.builds(lambda a: {"team": a}, words),
    "safety_settings": st.just([{"type": "harassment", "threshold": "block_none"}]),
    "cached_content": words.map(lambda word: f"cachedContents/{word}"),
    "service_tier": st.sampled_from(["flex", "priority"]),
    "store": st.booleans(),
    "response_format": st.builds(
        lambda schema: {"type": "text", "mime_type": "application/json", "schema": schema},
        schemas(),
    ),
}

WRITTEN = {
    "openai-chat": _chat,
    "openai-responses": _responses,
    "anthropic": _claude,
    "gemini": _gemini,
    "interactions": _interactions,
}


@st.composite
def requests(draw: Draw, dialect: str, *, plain: bool = False) -> Json:
    """Draw a request; a plain one holds only what every dialect can say."""
    talk = draw(talks(plain=plain))
    return marked(draw(WRITTEN[dialect](talk, not plain)))
