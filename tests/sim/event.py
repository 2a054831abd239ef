"""One event of a stream before it becomes bytes, and what a renderer needs to know."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any

from tests.sim.record import Recorded
from tests.sim.script import Answer, Call, Finish, Part, Refusal, Text, Thinking, Usage, pieces

Json = Any


@dataclass(frozen=True)
class Event:
    """`ending`: 1 ends the answer, 2 is the mark behind it."""

    data: Json  # a string is sent as it is
    name: str = ""
    ending: int = 0


@dataclass
class Memory:
    """What a provider remembers of its own answers: it refuses what another one issued."""

    issued: dict[tuple[str, str], str] = field(default_factory=dict)
    """(dialect, signature) → the text it signs: one dialect does not know another's."""
    responses: set[str] = field(default_factory=set)  # stored response ids
    items: dict[str, str] = field(default_factory=dict)  # reasoning item id → encrypted content
    secret: str = field(default_factory=lambda: secrets.token_hex(8))

    def sign(self, dialect: str, text: str) -> str:
        """Issue a signature over `text`, in base64 as all vendors write it."""
        number = len(self.issued)
        digest = hashlib.sha256(f"{self.secret}:{number}:{text}".encode()).digest()
        return self.keep(dialect, base64.b64encode(digest).decode(), text)

    def keep(self, dialect: str, signature: str, text: str) -> str:
        """Remember a signature as this provider's own."""
        self.issued[_issuer(dialect), signature] = text
        return signature

    def signed(self, dialect: str, signature: str) -> str | None:
        """Return what a signature signs, None if it is not ours.

        Google's SDKs read bytes and write them in base64's other alphabet, which is the same.
        """
        issuer = _issuer(dialect)
        if issuer == "gemini":
            signature = signature.replace("-", "+").replace("_", "/")
        return self.issued.get((issuer, signature))


def _issuer(dialect: str) -> str:
    """Name who signs: behind both of Google's APIs are the same models."""
    return "gemini" if dialect == "interactions" else dialect


def count(text: str) -> int:
    """Count tokens the way this simulator does: four characters each."""
    return (len(text) + 3) // 4


class Script:
    """An answer with nothing left open: ids, model, usage and signatures are settled.

    Settled once per request, so a stream and a whole body of one request agree.
    """

    def __init__(self, answer: Answer, record: Recorded, memory: Memory, prefix: str) -> None:
        self.answer = answer
        self.record = record
        self.memory = memory
        self.parts = answer.all_parts()
        self.id = answer.id or prefix + secrets.token_hex(12)
        self.model = answer.model or record.model
        self.ended: Finish = answer.ended()
        self.usage = answer.usage or self._counted()
        self._signatures: dict[int, str] = {}

    def _counted(self) -> Usage:
        reasoning = sum(count(_words(part)) for part in self.parts if isinstance(part, Thinking))
        visible = sum(count(_words(part)) for part in self.parts if not isinstance(part, Thinking))
        asked = asked_tokens(self.record)
        return Usage(input=asked, output=visible + reasoning, reasoning=reasoning)

    def signature(self, index: int, part: Text | Thinking | Call) -> str:
        """Return the signature of the part at `index`; the same one every time it is asked."""
        dialect = self.record.dialect
        if part.signature == "":
            return ""
        if part.signature is not None:
            return self.memory.keep(dialect, part.signature, _words(part))
        if index not in self._signatures:
            self._signatures[index] = self.memory.sign(dialect, _words(part))
        return self._signatures[index]


def asked_tokens(record: Recorded) -> int:
    """Count the tokens of a request; at least one."""
    words = [record.system, *record.tools]
    for _, found in record.turns:
        words += [str(value) for piece in found for value in piece[1:]]
    return max(1, sum(count(word) for word in words))


def _words(part: Part) -> str:
    match part:
        case Text() | Refusal():
            return "".join(pieces(part.pieces))
        case Thinking():
            return part.redacted or "".join(pieces(part.pieces))
        case Call():
            return part.name + part.text()
        case _:
            return "image"
