"""What the real APIs refuse: keys, unknown models, and requests that break their rules.

The rules of each dialect are in its own `strict_*` module; each raises `Refused` with the words
the vendor uses, so that a test's failure names the field.
"""

from __future__ import annotations

from tests.sim import (
    strict_anthropic,
    strict_chat,
    strict_gemini,
    strict_images,
    strict_interactions,
    strict_responses,
)
from tests.sim.event import Memory
from tests.sim.record import Recorded
from tests.sim.refused import Refused
from tests.sim.script import Failure

CHECKS = {
    "openai-chat": strict_chat.check,
    "openai-responses": strict_responses.check,
    "anthropic": strict_anthropic.check,
    "gemini": strict_gemini.check,
    "openai-images": strict_images.check,
    "openai-image-edits": strict_images.check,
    "interactions": strict_interactions.check,
}


def presented(record: Recorded) -> set[str]:
    """Return the keys a request carries, in any place its vendor looks at."""
    headers = record.headers
    found = set()
    scheme, _, token = headers.get("authorization").partition(" ")
    if scheme.lower() == "bearer":
        found.add(token.strip())
    if record.dialect == "anthropic":
        found.add(headers.get("x-api-key"))
    if record.dialect in ("gemini", "interactions"):
        found |= {headers.get("x-goog-api-key"), record.query.get("key", "")}
    return found - {""}


def unauthorised(record: Recorded) -> Failure:
    match record.dialect:
        case "anthropic":
            return Failure(401, "invalid x-api-key")
        case "gemini" | "interactions":
            return Failure(401, "API key not valid.", reason="API_KEY_INVALID")
        case _:
            shown = next(iter(presented(record)), "")
            return Failure(401, f"Incorrect API key provided: {shown[:3]}***.")


def unknown_model(record: Recorded) -> Failure:
    match record.dialect:
        case "anthropic":
            return Failure(404, f"model: {record.model}")
        case "gemini" | "interactions":
            text = f"models/{record.model} is not found for API version v1beta"
            return Failure(404, text)
        case _:
            text = f"The model `{record.model}` does not exist or you do not have access to it."
            return Failure(404, text, param="model")


def refusal(record: Recorded, memory: Memory) -> Failure | None:
    """Return the 400 the real API would answer, or None."""
    try:
        if check := CHECKS.get(record.dialect):
            check(record, memory)
    except Refused as refused:
        return Failure(400, refused.message, param=refused.param, code=refused.code)
    return None
