"""The request fields of the installed official SDKs, as dotted paths.

An object that says its kind (`type`, `role`) has it in brackets: `messages[user].content[text]`.
Those two words themselves are the structure, not fields. Recursion ends where a type contains
itself.
"""

from __future__ import annotations

import collections.abc
import types
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pydantic
import typing_extensions as te

STRUCTURE = frozenset({"type", "role"})
_LISTS = (list, tuple, collections.abc.Iterable, collections.abc.Sequence)

# Fields of google.genai's configuration object that stand beside generationConfig on the wire …
BESIDE = frozenset(
    {
        "systemInstruction", "tools", "toolConfig", "safetySettings", "labels", "cachedContent",
        "serviceTier", "modelArmorConfig", "store",
    }
)  # fmt: skip
# … and those the SDK keeps to itself.
SDK_ONLY = frozenset({"httpOptions", "shouldReturnHttpResponse", "automaticFunctionCalling"})


def _plain(kind: Any) -> Any:
    while True:
        if get_origin(kind) in (Annotated, te.Required, te.NotRequired, te.ReadOnly):
            kind = get_args(kind)[0]
        elif isinstance(kind, te.TypeAliasType):
            kind = kind.__value__
        else:
            return kind


def _objects(kind: Any) -> Iterator[type]:
    kind = _plain(kind)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        for one in get_args(kind):
            yield from _objects(one)
    elif origin in _LISTS:
        yield from _objects(get_args(kind)[0])
    elif te.is_typeddict(kind) or (isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)):
        yield kind


def _members(cls: Any) -> dict[str, Any]:
    if te.is_typeddict(cls):
        return te.get_type_hints(cls)
    return {field.alias or name: field.annotation for name, field in cls.model_fields.items()}


def _tags(cls: type) -> tuple[str, ...]:
    members = _members(cls)
    for name in ("type", "role"):
        kind = _plain(members.get(name))
        words = [_plain(one) for one in (get_args(kind) if get_origin(kind) is Union else (kind,))]
        literal = [tag for one in words if get_origin(one) is Literal for tag in get_args(one)]
        if literal:
            return tuple(map(str, literal))
    return ()


def _walk(cls: type, path: str, above: tuple[type, ...]) -> Iterator[str]:
    for name, kind in _members(cls).items():
        if name in STRUCTURE and path:
            continue
        here = f"{path}.{name}" if path else name
        objects = dict.fromkeys(_objects(kind))
        if not all(_tags(one) for one in objects) or not objects:
            yield here
        for one in objects:
            tags = [f"[{tag}]" for tag in _tags(one)] or [""]
            for tag in tags:
                if tag:
                    yield here + tag
                if one not in above and one.__name__ != "Schema":
                    yield from _walk(one, here + tag, (*above, one))


@cache
def paths(dialect: str) -> frozenset[str]:
    """Return every request field of one dialect's official SDK."""
    return frozenset(_paths(dialect))


def _paths(dialect: str) -> Iterator[str]:
    match dialect:
        case "openai-chat":
            from openai.types.chat import completion_create_params as chat  # noqa: PLC0415

            yield from _walk(chat.CompletionCreateParamsStreaming, "", ())
        case "openai-responses":
            from openai.types.responses import response_create_params as responses  # noqa: PLC0415

            yield from _walk(responses.ResponseCreateParamsStreaming, "", ())
        case "anthropic":
            from anthropic.types import message_create_params as plain  # noqa: PLC0415
            from anthropic.types.beta import message_create_params as beta  # noqa: PLC0415

            yield from _walk(plain.MessageCreateParamsStreaming, "", ())
            yield from _walk(beta.MessageCreateParamsStreaming, "", ())
        case "interactions":
            from google.genai import interactions  # noqa: PLC0415

            yield from _walk(interactions.CreateAgentInteractionParam, "", ())
            yield from _walk(interactions.CreateModelInteractionParam, "", ())
        case _:
            yield from _gemini()


def _gemini() -> Iterator[str]:
    from google.genai import types as genai  # noqa: PLC0415

    yield "contents"
    yield from _walk(genai.Content, "contents", ())
    yield from _walk(genai.GenerationConfig, "generationConfig", ())
    for name, field in genai.GenerateContentConfig.model_fields.items():
        alias = field.alias or name
        if alias in SDK_ONLY:
            continue
        at = alias if alias in BESIDE else f"generationConfig.{alias}"
        yield at
        match alias:
            case "systemInstruction":
                yield from _walk(genai.Content, at, ())
            case "tools":
                yield from _walk(genai.Tool, at, ())
            case "responseSchema":
                pass
            case _:
                for one in _objects(field.annotation):
                    yield from _walk(one, at, ())
