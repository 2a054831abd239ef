"""A conversation in words of no dialect, from which each dialect's request is written.

It is legal everywhere: users begin and end, every call has its result right after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.properties.values import CUSTOM, NAMES, arguments, pdfs, pictures, schemas, texts

Json = Any


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Picture:
    mime: str
    data: str


@dataclass(frozen=True)
class Document:
    data: str
    name: str


@dataclass(frozen=True)
class Call:
    id: str
    name: str
    args: Json  # a text for the freeform tool


@dataclass(frozen=True)
class Result:
    call: Call
    parts: list[Text | Picture]
    error: bool = False


Part = Text | Picture | Document | Call | Result


@dataclass(frozen=True)
class Turn:
    role: str  # user, assistant
    parts: list[Part]


@dataclass(frozen=True)
class Tool:
    name: str
    description: str
    schema: Json


@dataclass(frozen=True)
class Talk:
    system: list[str]
    turns: list[Turn]
    tools: list[Tool]
    choice: str  # "", auto, none, required, or the name of a tool
    freeform: bool  # the freeform tool is declared


@st.composite
def talks(draw: Any, *, plain: bool = False) -> Talk:
    """Draw a conversation; a plain one has nothing that only some dialects know."""
    freeform = not plain and draw(st.booleans())
    names = [*NAMES, CUSTOM] if freeform else [*NAMES]
    turns = [Turn("user", draw(_asked(plain)))]
    number = 0
    for _ in range(draw(st.integers(0, 3))):
        said: list[Part] = [Text(text) for text in draw(st.lists(texts, max_size=1))]
        calls = []
        for _ in range(draw(st.integers(0, 2))):
            name = draw(st.sampled_from(names))
            args = draw(texts) if name == CUSTOM else draw(arguments)
            calls.append(Call(f"call_{number}", name, args))
            number += 1
        if not said and not calls:
            said.append(Text(draw(texts)))
        turns.append(Turn("assistant", [*said, *calls]))
        after: list[Part] = []
        for call in calls:
            after.append(Result(call, draw(_answered(plain)), not plain and draw(st.booleans())))
        if not calls or draw(st.integers(0, 3)) == 0:
            after += draw(_asked(plain))
        turns.append(Turn("user", after))
    used = {part.name for turn in turns for part in turn.parts if isinstance(part, Call)}
    declared = [name for name in NAMES if name in used or draw(st.booleans())]
    tools = [Tool(name, draw(texts), draw(schemas())) for name in declared]
    choices = ["", "auto", "none", "required", *declared] if tools else [""]
    return Talk(
        draw(st.lists(texts, max_size=2)),
        turns,
        tools,
        draw(st.sampled_from(choices)),
        freeform,
    )


@st.composite
def _asked(draw: Any, plain: bool) -> list[Part]:  # noqa: FBT001  # strategies have no keywords
    found: list[Part] = [Text(draw(texts))]
    for kind in draw(st.lists(st.sampled_from(["text", "picture", "document"]), max_size=2)):
        match kind:
            case "text":
                found.append(Text(draw(texts)))
            case "picture":
                found.append(Picture(*draw(pictures())))
            case _ if not plain:
                found.append(Document(draw(pdfs), "file.pdf"))
    return found


@st.composite
def _answered(draw: Any, plain: bool) -> list[Text | Picture]:  # noqa: FBT001
    found: list[Text | Picture] = [Text(draw(texts))]
    if not plain and draw(st.integers(0, 3)) == 0:
        found.append(Picture(*draw(pictures())))
    return found
