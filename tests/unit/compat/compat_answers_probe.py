"""What really becomes of an answer's field: the same answer is translated with it changed.

Whole answers, streams and error bodies go through reader and writer. A field is seen as carried
when the client is told something else afterwards: as `kept` when the new value stands under its
own name, as `mapped` when not, and as `silent` when nothing changes. Nothing here knows what ought
to happen.
"""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import count
from typing import Any
from unittest.mock import patch

from tests.server.raw import BODIES
from tests.unit.compat.compat_answers_samples import ERRORS, STREAMS, WHOLES
from tests.unit.compat.compat_answers_sdk import REPEATED

from cliproxy.base.errors import GatewayError
from cliproxy.dialects import ParseMeta, get
from cliproxy.ir.caps import Caps
from cliproxy.ir.check import check
from cliproxy.ir.events import (
    ArgsDelta,
    BlockStart,
    BlockStop,
    Citation,
    End,
    Event,
    Finish,
    Start,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from cliproxy.ir.fold import fold
from cliproxy.ir.usage import IRUsage

Json = Any
Path = tuple[str | int, ...]

MARK = "AAAA"
OPAQUE = frozenset({"args", "input", "metadata", "categories", "attributes", "details"})
"""Values that are carried or not as a whole."""

OPENAI_ERRORS = frozenset({"invalid_request_error", "server_error", "rate_limit_exceeded"})
"""The type of an error object is a field of its own there."""

OTHER = {
    "blockReason": "",
    "outcome": "OUTCOME_FAILED",
    "return_code": 1,
    "finish_reason": "length",
    "finishReason": "MAX_TOKENS",
    "stop_reason": "max_tokens",
    "native_finish_reason": "length",
    "mimeType": "image/webp",
    "output_format": "webp",
    "jsonPath": "$.other",
    "startIndex": 1,
    "start_index": 1,
    "start_char_index": 1,
    "endIndex": 4,
    "end_index": 4,
}
"""Words that have to be others of their kind to mean anything."""
BY_WORD = {
    "completed": "incomplete",
    "max_output_tokens": "content_filter",
    "server_error": "rate_limit_exceeded",
    "rate_limit_exceeded": "server_error",
    "NOT_FOUND": "PERMISSION_DENIED",
}


def request(client: str) -> Any:
    """Return the smallest streaming request of a client."""
    body = {**BODIES[client], "model": "asked", "stream": True}
    if client == "openai-chat":
        body["stream_options"] = {"include_usage": True}
    return get(client).parse(body, ParseMeta(model="asked", stream=True))


@cache
def _request(client: str) -> Any:
    return request(client)


def payloads(wire: bytes) -> list[Json]:
    """Return the JSON of every frame of a stream."""
    lines = (line[6:] for line in wire.decode().split("\n") if line.startswith("data: "))
    return [json.loads(line) for line in lines if line != "[DONE]"]


def _told(client: str, events: list[Event]) -> dict[str, Json]:
    req = _request(client)
    writer = get(client).writer(req)
    told: dict[str, Json] = {"stream": payloads(writer.feed(check(events)))}
    try:
        told["whole"] = json.loads(get(client).render(fold(events), req))
    except GatewayError as err:
        told["whole"] = json.loads(get(client).error(err))
    return told


def whole(upstream: str, client: str, body: Json) -> dict[str, Json]:
    """Translate a whole answer; the client gets it whole and streamed."""
    return _told(client, get(upstream).reader(Caps(model="u")).whole(_bytes(body)))


def stream(upstream: str, client: str, events: Json) -> dict[str, Json]:
    """Translate a stream."""
    reader = get(upstream).reader(Caps(model="u"))
    seen: list[Event] = []
    for event in events:
        seen += reader.feed(_bytes(event), event.get("type", "") if "choices" not in event else "")
    return _told(client, [*seen, *reader.close()])


def failure(upstream: str, client: str, body: Json) -> dict[str, Json]:
    """Translate the body of an error status."""
    err = get(upstream).read_error(404, {}, _bytes(body))
    return {"whole": json.loads(get(client).error(err))}


def _bytes(value: Json) -> bytes:
    return json.dumps(value).encode()


def told(form: Any, upstream: str, client: str, body: Json) -> dict[str, Json]:
    """Translate with ids that count, and without what only the clock says."""
    number = count()
    with patch("cliproxy.base.ids._random", lambda: bytes([next(number) % 251] * 32)):
        return _timeless(form(upstream, client, body))


def _timeless(value: Json) -> Json:
    if isinstance(value, dict):
        return {k: _timeless(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_timeless(v) for v in value]
    return 0 if isinstance(value, int) and abs(value - time.time()) < 1000 else value


# ---- places -----------------------------------------------------------------------------------
def leaves(value: Json, path: Path = ()) -> Iterator[Path]:
    """Yield the place of every field that holds no others."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        if key in ("type", "role") and isinstance(value, dict) and not _is_error(value):
            continue
        inside = isinstance(inner, dict | list) and key not in OPAQUE
        if inside and not (isinstance(inner, list) and not any(_holds(i) for i in inner)):
            yield from leaves(inner, (*path, key))
        elif inner is not None and inner != []:
            yield (*path, key)


def _holds(value: Json) -> bool:
    return isinstance(value, dict | list)


def _is_error(value: Json) -> bool:
    return value.get("type") in OPENAI_ERRORS


def name(value: Json, path: Path, prefix: str = "") -> str:
    """Return the dotted name of a place, an object's `type` or `role` in brackets."""
    out, here = prefix, value
    for step in path:
        here = here[step]
        if isinstance(step, str):
            out = f"{out}.{step}" if out else step
            if step in REPEATED and prefix.startswith("event["):
                return out
        if isinstance(here, dict) and not out.endswith("]") and not _is_error(here):
            tag = here.get("type", here.get("role"))
            out += f"[{tag}]" if isinstance(tag, str) else ""
    return out


def changed(value: Json, path: Path) -> tuple[Json, Json]:
    """Return a copy in which one field differs, and its new value."""
    value = json.loads(json.dumps(value))  # samples share objects
    here = value
    for step in path[:-1]:
        here = here[step]
    key = path[-1]
    new = here[key] = _other(str(key), here[key])
    return value, new


def _other(key: str, old: Json) -> Json:
    if key in OTHER:
        return OTHER[key]
    match old:
        case bool():
            return not old
        case int() | float():
            return old * 10 + 1
        case str():
            return BY_WORD.get(old, old + MARK)
        case list() if all(isinstance(item, int) for item in old):
            return [1 - int(old[0]), *old[1:]]
        case list():
            return [str(old[0]) + MARK, *old[1:]]
        case _:
            return {MARK: 1}


def _under(value: Json, key: str) -> Iterator[Json]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name_, inner in items:
        if name_ == key:
            yield inner
        if isinstance(inner, dict | list):
            yield from _under(inner, key)


def _same(new: Json, found: Json) -> bool:
    if isinstance(new, str) and isinstance(found, str):
        return MARK in found or new == found
    return new == found


# ---- measuring --------------------------------------------------------------------------------
def _samples(upstream: str) -> Iterator[tuple[Any, Json, Path, str]]:
    """Yield form, body, place and name of every field of every sample."""
    for body in WHOLES[upstream]:
        for path in leaves(body):
            yield whole, body, path, name(body, path)
    for events in STREAMS[upstream]:
        for number, event in enumerate(events):
            for path in leaves(event):
                yield stream, events, (number, *path), name(event, path, _prefix(event))
    for body in ERRORS[upstream]:
        for path in leaves(body):
            yield failure, body, path, name(body, path, "failure")


def sampled(upstream: str) -> set[str]:
    """Return the names of all fields there are samples of."""
    return {dotted for _, _, _, dotted in _samples(upstream)}


@cache
def measure(upstream: str, client: str) -> dict[str, set[str]]:
    """Return what became of every field of every sample: words by dotted, tagged name."""
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for form, body, path, dotted in _samples(upstream):
        before = told(form, upstream, client, body)
        other, new = changed(body, path)
        after = told(form, upstream, client, other)
        key = re.sub(r"\W", "", str(path[-1] if isinstance(path[-1], str) else path[-2]))
        if after == before:
            seen[dotted].add("silent")
        elif any(_same(new, value) for value in _under(after, key)):
            seen[dotted].add("kept")
        else:
            seen[dotted].add("mapped")
    return dict(seen)


# ---- what nobody said -------------------------------------------------------------------------
SAID = "SAID"
COUNTED = 77
_PAGE = f"https://{SAID}.example"
BARE: list[Event] = [
    Start(),
    BlockStart(0, "thinking"),
    ThinkingDelta(0, SAID),
    BlockStop(0),
    BlockStart(1, "text"),
    TextDelta(1, SAID),
    Citation(1, {"kind": "url", "url": _PAGE}),
    BlockStop(1),
    BlockStart(2, "server_call", id=f"{SAID}_1", name="web_search", server_kind="web_search"),
    ArgsDelta(2, json.dumps({"query": SAID})),
    BlockStop(2),
    BlockStart(
        3,
        "server_result",
        id=f"{SAID}_1",
        server_kind="web_search",
        payload={"results": [{"url": _PAGE}]},
    ),
    BlockStop(3),
    BlockStart(4, "tool_call", id=f"{SAID}_2", name=SAID),
    ArgsDelta(4, json.dumps({"a": SAID})),
    BlockStop(4),
    Usage(IRUsage(input_total=COUNTED, output_total=COUNTED)),
    Finish("tool_calls"),
    End(),
]
"""An answer of which nothing is known but what was said."""


@cache
def unsaid(client: str) -> dict[str, Json]:
    """Return what a client is told of the bare answer beside what was said, by name."""
    answer = _told(client, BARE)
    found: dict[str, Json] = {}
    for prefix, value in [("", answer["whole"]), *((_prefix(e), e) for e in answer["stream"])]:
        for path in leaves(value):
            here = value
            for step in path:
                here = here[step]
            if SAID not in str(here) and here != COUNTED:
                found.setdefault(name(value, path, prefix), here)
    return found


def _prefix(event: Json) -> str:
    if "choices" in event:
        return "chunk"
    return f"event[{event['type']}]" if "type" in event else ""
