"""What the *client* calls a field, for loss reports: a path in the body it sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, cast

from msgspec import structs

from cliproxy.ir.loss import Loss
from cliproxy.ir.request import DialectId, IRRequest, Part, Thinking, ToolCall, ToolResult

_NAMES: Final[dict[str, dict[DialectId, str]]] = {
    "max_output": {
        "openai-chat": "max_tokens",
        "openai-completions": "max_tokens",
        "openai-responses": "max_output_tokens",
        "anthropic": "max_tokens",
        "gemini": "generationConfig.maxOutputTokens",
        "interactions": "generation_config.max_output_tokens",
    },
    "messages": {"openai-responses": "input", "gemini": "contents", "interactions": "input"},
    "temperature": {
        "gemini": "generationConfig.temperature",
        "interactions": "generation_config.temperature",
    },
    "top_p": {"gemini": "generationConfig.topP", "interactions": "generation_config.top_p"},
    "top_k": {"gemini": "generationConfig.topK"},
    "stop": {
        "anthropic": "stop_sequences",
        "gemini": "generationConfig.stopSequences",
        "interactions": "generation_config.stop_sequences",
    },
    "seed": {"gemini": "generationConfig.seed", "interactions": "generation_config.seed"},
    "n": {"gemini": "generationConfig.candidateCount"},
    "presence_penalty": {"gemini": "generationConfig.presencePenalty"},
    "frequency_penalty": {"gemini": "generationConfig.frequencyPenalty"},
    "top_logprobs": {"gemini": "generationConfig.logprobs"},
    "logprobs": {
        "openai-responses": "include",
        "gemini": "generationConfig.responseLogprobs",
    },
    "format": {
        "openai-chat": "response_format",
        "openai-responses": "text.format",
        "anthropic": "output_config.format",
        "gemini": "generationConfig.responseSchema",
        "interactions": "response_format",
    },
    "verbosity": {"openai-responses": "text.verbosity"},
    "thinking": {
        "openai-chat": "reasoning_effort",
        "openai-responses": "reasoning.effort",
        "gemini": "generationConfig.thinkingConfig",
        "interactions": "generation_config.thinking_level",
    },
    "end_user": {
        "openai-chat": "user",
        "openai-responses": "user",
        "openai-completions": "user",
        "openai-images": "user",
        "openai-image-edits": "user",
        "anthropic": "metadata.user_id",
    },
    "metadata": {"gemini": "labels", "interactions": "labels"},
    "service_tier": {"gemini": "serviceTier"},
    "modalities": {
        "gemini": "generationConfig.responseModalities",
        "interactions": "response_format",
    },
    "tool_choice": {
        "gemini": "toolConfig.functionCallingConfig",
        "interactions": "generation_config.tool_choice",
    },
    "parallel_tool_calls": {"anthropic": "tool_choice.disable_parallel_tool_use"},
    "previous_response_id": {"interactions": "previous_interaction_id"},
    "safetySettings": {"interactions": "safety_settings"},
}


def field(req: IRRequest, name: str) -> str:
    """Return the client's path of a scalar."""
    if name == "end_user" and req.raw.get("safety_identifier"):
        return "safety_identifier"
    if name == "format" and req.source == "gemini" and req.output.schema is None:
        return "generationConfig.responseMimeType"
    if name in ("format", "modalities") and req.source == "interactions":
        old = "response_mime_type" if name == "format" else "response_modalities"
        return old if req.raw.get("response_format") is None else "response_format"
    return _NAMES.get(name, {}).get(req.source, name)


def named(req: IRRequest, losses: Iterable[Loss]) -> tuple[Loss, ...]:
    """Return losses of scalars under the names the client gave them."""
    return tuple(
        structs.replace(loss, field=path)
        if (path := field(req, loss.field)) != loss.field
        else loss
        for loss in losses
    )


def message(req: IRRequest, index: int) -> str:
    """Return the client's path of `req.messages[index]`, as near as its dialect lets us tell."""
    return _base(req, index, *_places(req))


def _places(req: IRRequest) -> tuple[list[int], list[str]]:
    """Return what `_base` is to know of the whole input, which is long: once for all messages."""
    return (
        _items(req) if req.source == "openai-responses" else [],
        _turns(req) if req.source == "interactions" else [],
    )


def _base(req: IRRequest, index: int, items: list[int], turns: list[str]) -> str:
    match req.source:
        case "openai-chat":
            # Leading system messages are not among the IR messages.
            given = req.raw.get("messages")
            offset = len(given) - len(req.messages) if isinstance(given, list) else 0
            return f"messages[{max(0, offset) + index}]"
        case "anthropic":
            return f"messages[{index}]"
        case "gemini":
            return f"contents[{index}]"
        case "openai-responses":
            if isinstance(req.raw.get("input"), str):
                return "input"
            return f"input[{items[index] if index < len(items) else index}]"
        case "interactions":
            return turns[index] if index < len(turns) else "input"
        case _:
            return "prompt"


def _items(req: IRRequest) -> list[int]:
    """Return the places of the input items that became messages; none when that cannot be told."""
    places: list[int] = []
    items = req.raw.get("input")
    for place, item in enumerate(items if isinstance(items, list) else ()):
        if not isinstance(item, dict) or item.get("type") == "additional_tools":
            continue
        if item.get("role") in ("system", "developer") and not places:
            continue
        places.append(place)
    return places if len(places) == len(req.messages) else []


_CONTENTS: Final = frozenset({"text", "image", "audio", "document", "video"})


def _turns(req: IRRequest) -> list[str]:
    """Return where each message of an interaction stands.

    Contents in a row, without a step around them, are one message.
    """
    given = req.raw.get("input")
    if not isinstance(given, list):
        return ["input"]
    turns: list[str] = []
    before = False
    for place, item in enumerate(given):
        bare = isinstance(item, str) or (isinstance(item, dict) and item.get("type") in _CONTENTS)
        if not (bare and before):
            turns.append(f"input[{place}]")
        before = bare
    # A signature that came on its own is no message; then no place can be told.
    return turns if len(turns) == len(req.messages) else []


def _parts(req: IRRequest, base: str, parts: tuple[Part, ...]) -> Iterator[str]:
    """Yield the client's paths of the parts of one message."""
    match req.source:
        case "gemini":
            yield from (f"{base}.parts[{number}]" for number in range(len(parts)))
        case "openai-chat":
            calls = content = 0
            for part in parts:
                if isinstance(part, ToolResult):
                    yield base
                elif isinstance(part, Thinking):
                    yield f"{base}.reasoning_content"
                elif isinstance(part, ToolCall):
                    yield f"{base}.tool_calls[{calls}]"
                    calls += 1
                else:
                    yield f"{base}.content[{content}]"
                    content += 1
        case "openai-responses" if not _has_content(req, base):
            yield from (base for _ in parts)
        case "interactions":
            yield from _of_turn(req, base, parts)
        case "openai-completions":
            yield from (base for _ in parts)
        case "openai-images" | "openai-image-edits":
            # The words come first.
            yield from ("image" if number else base for number in range(len(parts)))
        case _:
            yield from (f"{base}.content[{number}]" for number in range(len(parts)))


def _of_turn(req: IRRequest, base: str, parts: tuple[Part, ...]) -> Iterator[str]:
    given = req.raw.get("input")
    place = base.removeprefix("input[").removesuffix("]")
    if base == "input" or not isinstance(given, list) or not place.isdecimal():
        yield from (base for _ in parts)
        return
    item = given[int(place)] if int(place) < len(given) else None
    kind = item.get("type") if isinstance(item, dict) else "text"
    if kind in _CONTENTS:
        yield from (f"input[{int(place) + number}]" for number in range(len(parts)))
    elif kind in ("user_input", "model_output"):
        yield from (f"{base}.content[{number}]" for number in range(len(parts)))
    else:
        yield from (base for _ in parts)


def _has_content(req: IRRequest, base: str) -> bool:
    """Tell whether an input item is a message rather than a call, a result or reasoning."""
    items = req.raw.get("input")
    place = base.removeprefix("input[").removesuffix("]")
    if not isinstance(items, list) or not place.isdecimal() or int(place) >= len(items):
        return False
    item = items[int(place)]
    return isinstance(item, dict) and "role" in item


_MEMBERS: Final[dict[str, dict[DialectId, str]]] = {
    "signature": {
        "openai-chat": "extra_content",
        "openai-responses": "encrypted_content",
        "gemini": "thoughtSignature",
        "interactions": "signature",
    },
    "is_error": {"gemini": "functionResponse.response.error"},
    "citations": {"openai-responses": "annotations", "interactions": "annotations"},
    "title": {
        "openai-chat": "file.filename",
        "openai-responses": "filename",
        "gemini": "fileData.displayName",
    },
    "detail": {"openai-chat": "image_url.detail"},
    "files": {"openai-responses": "outputs", "anthropic": "content.content"},
}


def member(req: IRRequest, path: str, name: str) -> str:
    """Return the client's path of something said beside a part."""
    return f"{path}.{_MEMBERS.get(name, {}).get(req.source, name)}"


_SETTINGS: Final[dict[str, dict[DialectId, str]]] = {
    "context_size": {
        "openai-chat": "search_context_size",
        "openai-responses": "search_context_size",
    },
    "allowed_domains": {"openai-responses": "filters.allowed_domains"},
    "blocked_domains": {
        "openai-responses": "filters.blocked_domains",
        "gemini": "googleSearch.excludeDomains",
    },
}


def setting(req: IRRequest, path: str, name: str) -> str:
    """Return the client's path of one setting of a tool run by the provider."""
    return f"{path}.{_SETTINGS.get(name, {}).get(req.source, name)}"


def tools(req: IRRequest) -> list[str]:
    """Return the client's paths of the declared tools, in the order of `req.tools`."""
    match req.source:
        case "openai-chat":
            found = [
                f"{key}[{n}]" for key in ("tools", "functions") for n, _ in _listed(req.raw, key)
            ]
            if "web_search_options" in req.raw:
                found.append("web_search_options")
        case "openai-responses":
            found = _nested(req.raw, "tools", "tools")
            for n, item in _listed(req.raw, "input"):
                if isinstance(item, dict) and item.get("type") == "additional_tools":
                    found += _nested(item, "tools", f"input[{n}].tools")
        case "gemini":
            found = []
            for n, item in _listed(req.raw, "tools"):
                for key in item if isinstance(item, dict) else ():
                    if key in ("functionDeclarations", "function_declarations"):
                        found += [f"tools[{n}].{key}[{m}]" for m, _ in _listed(item, key)]
                    else:
                        found.append(f"tools[{n}].{key}" if len(item) > 1 else f"tools[{n}]")
        case _:
            found = []
    plain = [f"tools[{n}]" for n in range(len(req.tools))]
    return found if len(found) == len(plain) else plain


def _listed(holder: Any, key: str) -> list[tuple[int, Any]]:
    value = holder.get(key)
    return list(enumerate(value)) if isinstance(value, list) else []


def _nested(holder: Any, key: str, path: str) -> list[str]:
    """Return the paths of Responses tools, namespaces opened."""
    found: list[str] = []
    for n, item in _listed(holder, key):
        if isinstance(item, dict) and item.get("type") == "namespace":
            found += [f"{path}[{n}].tools[{m}]" for m, _ in _listed(item, "tools")]
        else:
            found.append(f"{path}[{n}]")
    return found


class _Later:
    """A path that is worked out when somebody reads it: most requests lose nothing."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make

    def __str__(self) -> str:
        return self._make()

    def __format__(self, spec: str) -> str:
        return format(self._make(), spec)


def _later(make: Callable[[], str]) -> str:
    # It is only ever put into longer paths and losses, and there it is a string.
    return cast("str", _Later(make))


class Paths:
    """The client's paths of all parts, whatever messages they are moved to on their way."""

    def __init__(self, req: IRRequest) -> None:
        self._req = req
        """Keeps the parts alive: they are known by identity."""
        self._places: dict[int, str] = {}
        self._results: dict[str, str] = {}
        self._known = False

    def _learn(self) -> None:
        self._known = True
        req = self._req
        items, turns = _places(req)
        for index, said in enumerate(req.messages):
            paths = _parts(req, _base(req, index, items, turns), said.parts)
            for inner, path in zip(said.parts, paths, strict=True):
                self._add(inner, path)

    def _add(self, here: Part, path: str) -> None:
        self._places.setdefault(id(here), path)
        if isinstance(here, ToolResult):
            # Matched with their calls, results become other objects.
            self._results.setdefault(here.call_id, path)
            for number, inner in enumerate(here.parts):
                self._add(inner, self._inside(path, number))

    def inside(self, path: str, number: int) -> str:
        """Return the path of one part of a tool result."""
        return _later(lambda: self._inside(path, number))

    def _inside(self, path: str, number: int) -> str:
        match self._req.source:
            case "gemini":
                return f"{path}.functionResponse.parts[{number}]"
            case "openai-responses":
                return f"{path}.output[{number}]"
            case "interactions":
                return f"{path}.result[{number}]"
            case _:
                return f"{path}.content[{number}]"

    def member(self, path: str, name: str) -> str:
        """Return the client's path of something said beside a part."""
        return member(self._req, str(path), name)

    def of(self, here: Any, otherwise: str) -> str:
        """Return the path of a part; `otherwise` for one the client did not send as it is."""
        return _later(lambda: self._of(here, otherwise))

    def _of(self, here: Any, otherwise: str) -> str:
        if not self._known:
            self._learn()
        found = self._places.get(id(here))
        if found is None and isinstance(here, ToolResult):
            found = self._results.get(here.call_id)
        return otherwise if found is None else found
