"""Checks that a stream obeys its dialect's grammar to the letter, and reads it.

`check(dialect, body)` raises `GrammarError`, naming the event, or returns a `Summary`. It is the
strictest client there is: what the official SDKs would choke on, or silently get wrong, fails.
Counterpart for bodies that are not streams: `whole_summary`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.sim import (
    grammar_anthropic,
    grammar_chat,
    grammar_gemini,
    grammar_images,
    grammar_interactions,
    grammar_responses,
)
from tests.sim.summary import GrammarError, Summary, expect, whole_summary

__all__ = ["Frame", "GrammarError", "Summary", "check", "frames", "whole_summary"]

Json = Any


@dataclass(frozen=True)
class Frame:
    """One dispatched event: its name, "" without one, and its data."""

    name: str
    data: str


def frames(body: bytes, *, lenient: bool = False) -> list[Frame]:
    """Split a stream into events.

    Strictly as we promise to write it: LF, `data: ` with one space, one data line, names only
    from `event: `, a blank line after the last event. Leniently as the standard allows it.
    """
    text = body.decode()  # fails on anything but UTF-8
    if lenient:
        text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    else:
        expect("\r" not in text, "lines end with LF only")
        expect("\u2028" not in text and "\u2029" not in text, "U+2028 and U+2029 are escaped")
        expect(not text or text.endswith("\n\n"), "a blank line follows the last event")
    found: list[Frame] = []
    name, data = "", list[str]()
    for line in text.split("\n"):
        if not line:
            if data:
                found.append(Frame(name, "\n".join(data)))
            else:
                expect(lenient or not name, "an event has data", name)
            name, data = "", []
            continue
        if line.startswith(":"):
            continue
        field, _, value = line.partition(":")
        if not lenient:
            expect(field in ("event", "data"), "a field is event or data", line[:200])
            expect(value.startswith(" "), "one space follows the colon", line[:200])
            expect(not (field == "data" and data), "an event has one data line", line[:200])
            expect(not (field == "event" and data), "the name comes before the data", line[:200])
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
    if lenient and data:
        found.append(Frame(name, "\n".join(data)))
    return found


def check(
    dialect: str,
    body: bytes,
    *,
    lenient: bool = False,
    include_usage: bool | None = None,
    array: bool = False,
    envelope: bool = False,
) -> Summary:
    """Check a stream from its first byte to its last.

    Args:
        dialect: Whose grammar.
        body: All bytes, decoded from chunks and content encoding.
        lenient: Allow every framing the SSE standard allows, for bytes passed on verbatim.
        include_usage: Chat: whether the request asked for usage; None if it is not known.
        array: Gemini without `alt=sse`: one JSON array.
        envelope: Gemini: every event is wrapped as Code Assist does.
    """
    try:
        return _checked(dialect, body, lenient, include_usage, array=array, envelope=envelope)
    except (ValueError, KeyError, TypeError, AttributeError) as err:
        raise GrammarError(f"not the shape of {dialect}: {err!r}") from err


def _checked(
    dialect: str,
    body: bytes,
    lenient: bool,
    include_usage: bool | None,
    *,
    array: bool,
    envelope: bool,
) -> Summary:
    if array:
        values = json.loads(body)
        expect(isinstance(values, list), "the body is an array")
        return grammar_gemini.check([Frame("", json.dumps(value)) for value in values])
    found = frames(body, lenient=lenient)
    match dialect:
        case "openai-chat":
            return grammar_chat.check(found, include_usage=include_usage)
        case "openai-responses":
            return grammar_responses.check(found)
        case "anthropic":
            return grammar_anthropic.check(found)
        case "gemini":
            return grammar_gemini.check(found, envelope=envelope)
        case "openai-images":
            return grammar_images.check(found, "image_generation")
        case "openai-image-edits":
            return grammar_images.check(found, "image_edit")
        case "interactions":
            return grammar_interactions.check(found)
        case _:
            raise ValueError(dialect)
