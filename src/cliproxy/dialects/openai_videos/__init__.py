"""OpenAI's API for films, `/v1/videos`, for clients only: upstreams are asked in their own."""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from cliproxy.base import json
from cliproxy.base.errors import Unsupported
from cliproxy.base.json import Json, Obj
from cliproxy.dialects import _fields as fields
from cliproxy.dialects._jobs import Jobs
from cliproxy.ir.film import FilmAsk, FilmJob
from cliproxy.ir.media import media_of
from cliproxy.ir.request import Inline, Url

DIALECT: Final = Jobs("openai-videos")
SECONDS: Final = 4
SIZE: Final = "720x1280"
MOST_PICTURES: Final = 7
_LONGEST: Final = 60
"""Seconds of a film; what a model makes is less, and its upstream says how much."""
_SIZE: Final = re.compile(r"([1-9]\d{1,4})x([1-9]\d{1,4})")
_IN_FORM: Final = "input_reference[image_url]"
"""How forms write the member of an object."""
_KNOWN: Final = frozenset({"model", "prompt", "seconds", "size", "input_reference", _IN_FORM})
_STATUS: Final = {
    "queued": "queued",
    "running": "in_progress",
    "done": "completed",
    "failed": "failed",
}


class About(Struct, frozen=True):
    """What is told of a film beside how far it is."""

    model: str
    created: int = 0
    seconds: str = str(SECONDS)
    size: str = SIZE


def parse(body: Obj, model: str) -> tuple[FilmAsk, About, list[str]]:
    """Read a request for a film; also return which of its fields mean nothing here.

    Raises `BadRequest` naming the field.
    """
    prompt = fields.need_text(body, "prompt")
    seconds = _seconds(body.get("seconds"))
    size = fields.text(body, "size") or SIZE
    found = _SIZE.fullmatch(size.strip().lower())
    if found is None:
        raise fields.invalid("size", "it is width x height in pixels, such as 720x1280.")
    asked = FilmAsk(
        model, prompt, seconds, int(found[1]), int(found[2]), _pictures(_reference(body))
    )
    about = About(model, seconds=str(seconds), size=size)
    return asked, about, [name for name in body if name not in _KNOWN]


def _seconds(value: Json) -> int:
    if value is None:
        return SECONDS
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 4:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise fields.wrong_type("seconds", "a number of seconds", value)
    if not 1 <= value <= _LONGEST:
        raise fields.invalid("seconds", f"it is between 1 and {_LONGEST}.")
    return value


def _reference(body: Obj) -> Json:
    value = body.get("input_reference")
    return body.get(_IN_FORM) if value is None else value


def _pictures(value: Json) -> tuple[Inline | Url, ...]:
    if value is None:
        return ()
    given = value if isinstance(value, list) else [value]
    if len(given) > MOST_PICTURES:
        raise fields.invalid("input_reference", f"there are at most {MOST_PICTURES} pictures.")
    return tuple(_picture(one) for one in given)


def _picture(value: Json) -> Inline | Url:
    if isinstance(value, dict):
        if value.get("file_id"):
            raise Unsupported(
                "This upstream does not know files that were uploaded elsewhere.",
                param="input_reference.file_id",
            )
        value = fields.need_text(value, "image_url", "input_reference")
    if not isinstance(value, str):
        raise fields.wrong_type("input_reference", "a picture's file or address", value)
    return media_of(value, where="input_reference")


def render(name: str, job: FilmJob, about: About) -> bytes:
    """Write what is told of a film, `name` being its id."""
    done = job.progress == "done"
    percent = 100 if done else job.percent or 0
    body: Obj = {
        "id": name,
        "object": "video",
        "created_at": about.created,
        "status": _STATUS[job.progress],
        "progress": percent,
        "model": about.model or job.model,
        "seconds": about.seconds if job.seconds is None else f"{job.seconds:g}",
        "size": about.size,
        "completed_at": None,
        "expires_at": None,
        "remixed_from_video_id": None,
        "error": None,
    }
    if job.progress == "failed":
        body["error"] = {"code": job.code, "message": job.message}
    return json.dumps(body)
