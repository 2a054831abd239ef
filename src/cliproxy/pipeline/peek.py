"""Looking into a body without taking it apart: model, stream flag, which conversation it is.

The verbatim path forwards the client's own bytes, so nothing is re-serialised; only the value of
the top-level `model` is exchanged in place when the upstream knows the model by another name.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, UnsetType
from msgspec.structs import fields

from cliproxy.base import json
from cliproxy.base.errors import BadRequest
from cliproxy.pipeline.context import Peeked, Request, json_type
from cliproxy.routing.affinity import Session

_peek: Final = msgspec.json.Decoder(Peeked)
_PLAIN: Final = [f.name for f in fields(Peeked) if f.type is Any]
_RAW: Final = {f.name: f.encode_name for f in fields(Peeked) if f.type is not Any}
_TOKENS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)


def peek(body: bytes) -> Peeked:
    """Read what routing needs. Raises `BadRequest` when the body is not a JSON object."""
    try:
        return _peek.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    # Slow lane: either a broken body (say so) or one with a lone surrogate (legal, rare).
    try:
        value = json.loads(body)
    except json.InvalidJson as err:
        raise BadRequest(
            f"The request body is not valid JSON: {err}" if body else "The request body is empty.",
            code="invalid_json",
        ) from err
    if not isinstance(value, dict):
        raise BadRequest(
            f"The request body must be a JSON object, not {json_type(value)}.", code="invalid_json"
        )
    plain = {n: value[n] for n in _PLAIN if n in value}
    raw = {n: Raw(json.dumps(value[wire])) for n, wire in _RAW.items() if wire in value}
    return Peeked(**plain, **raw)


def replace_model(body: bytes, model: str) -> bytes:
    """Return the body with its top-level `model` exchanged, every other byte as it was."""
    value = json.dumps(model)
    spans = [m.span(1) for m in _MODEL.finditer(body)]
    if len(spans) > 1:
        spans = [span for span in spans if _depth(body, span[0]) == 1]
    if not spans:
        return body
    # JSON decoders take the last of duplicate keys; so do we.
    start, end = spans[-1]
    return body[:start] + value + body[end:]


_SESSION_HEADERS: Final = (
    "x-claude-code-session-id",
    "session-id",
    "session_id",
    "thread-id",
    "x-session-affinity",
    "x-session-id",
)
"""Most trusted first."""
_LONGEST_NAME: Final = 256
_WINDOW: Final = 8192
"""Bytes of the first user message that are looked at."""
_GIST: Final = 2048
_USER_SESSION: Final = re.compile(r"_session_([0-9a-fA-F-]{36})$")
_USER: Final = re.compile(rb'"(?:role"\s*:\s*"user|type"\s*:\s*"user_input)"\s*(\})?')
_PIECES: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_BREAKPOINT: Final = re.compile(rb',?\s*"cache_control"\s*:\s*\{[^{}]*\}')
_SPOKEN: Final = (b'"assistant"', b'"role":"model"', b'"role": "model"', b'"model_output"')
_FURTHER: Final = (
    b'"role"', b'"function_call', b'"reasoning"', b'"user_input"', b'"model_output"', b'"thought"'
)  # fmt: skip


def session_of(request: Request) -> Session | None:
    """Return which conversation a request belongs to: by its name, else by how it begins."""
    for header in _SESSION_HEADERS:
        if (value := request.headers.get(header)) and (name := _name(value)):
            return Session((request.model, request.client, name), going=_goes_on(request))
    peeked = request.peeked or peek(request.body)
    if request.dialect_id == "code-assist" and peeked.request is not UNSET:
        peeked = peek(bytes(peeked.request))
    name = _named(peeked) or request.connection
    if name:
        return Session((request.model, request.client, name), going=_goes_on(request))
    turns: Raw | UnsetType = UNSET
    for turns in (peeked.messages, peeked.input, peeked.contents):
        if turns is not UNSET:
            break
    if turns is UNSET:
        return None
    told = bytes(turns)
    found = _first_turn(told)
    if found is None:
        return None
    start, end, opening = found
    gist = [request.model, request.client]
    before = tuple(
        _gist(bytes(part))
        for part in (peeked.system, peeked.instructions, peeked.system_instruction)
        if part is not UNSET
    )
    key = (*gist, *before, _gist(told[:start]), _gist(told[start:end]))
    return Session(key, opening, going=not opening)


def _goes_on(request: Request) -> bool:
    """Tell whether the model has spoken before in this conversation."""
    return any(word in request.body for word in _SPOKEN)


def _named(peeked: Peeked) -> str | None:
    for value in (peeked.session_id, peeked.prompt_cache_key):
        if name := _name(value):
            return name
    if peeked.metadata is UNSET or b"session" not in bytes(peeked.metadata):
        return None
    metadata = json.loads(bytes(peeked.metadata))
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    if not isinstance(user, str):
        return None
    if user.lstrip()[:1] == "{":
        try:
            value = json.loads(user.encode("utf-8", "surrogatepass"))
        except json.InvalidJson:
            return None
        return _name(value.get("session_id")) if isinstance(value, dict) else None
    found = _USER_SESSION.search(user)
    return found.group(1) if found else None


def _name(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    name = value.strip()
    return name if name and len(name) <= _LONGEST_NAME and name.isprintable() else None


def _first_turn(turns: bytes) -> tuple[int, int, bool] | None:
    """Return where the first user's turn begins and ends, and whether nothing comes after it."""
    if turns[:1] == b'"':
        return 0, len(turns), True
    match = _USER.search(turns)
    if match is None:
        return None
    if match.group(1):
        # The role stands last.
        start, end = 0, match.end()
    else:
        start = max(0, turns.rfind(b"{", 0, match.start()))
        end = _close(turns, start)
    return start, end, not any(turns.find(word, end) >= 0 for word in _FURTHER)


def _close(data: bytes, start: int) -> int:
    """Return where an object ends, or the window does."""
    last = start + _WINDOW
    depth = 0
    for match in _PIECES.finditer(data, start, last):
        token = match.group()
        if token in (b"{", b"["):
            depth += 1
        elif token in (b"}", b"]"):
            depth -= 1
            if not depth:
                return match.end()
    return min(last, len(data))


def _gist(data: bytes) -> int:
    # Clients move these marks along as the conversation grows.
    if b"cache_control" in data:
        data = _BREAKPOINT.sub(b"", data)
    if len(data) > 2 * _GIST:
        data = data[:_GIST] + data[-_GIST:] + str(len(data)).encode()
    # The same in every process: several nodes must agree on a conversation without talking.
    return int.from_bytes(blake2b(data, digest_size=8).digest())


_MODEL: Final = re.compile(rb'"model"\s*:\s*("(?:[^"\\]|\\.)*")', re.DOTALL)


def _depth(body: bytes, position: int) -> int:
    depth = 0
    for match in _TOKENS.finditer(body, 0, position):
        token = match.group()
        if token in (b"{", b"["):
            depth += 1
        elif token in (b"}", b"]"):
            depth -= 1
    return depth
