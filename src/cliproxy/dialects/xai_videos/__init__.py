"""xAI's API for films: a request begins a job, which is asked about by its id.

`/videos/generations`, `/videos/edits` and `/videos/extensions` are dialects of their own, since a
host is asked for each at another place; bodies and answers are alike.
"""

from __future__ import annotations

import math
from typing import Final

from cliproxy.base import json
from cliproxy.base.errors import UpstreamBroken
from cliproxy.base.json import Json, Obj
from cliproxy.dialects._errors import code_of, message_of
from cliproxy.dialects._jobs import Jobs
from cliproxy.ir.film import FilmAsk, FilmJob, Progress
from cliproxy.ir.media import data_url
from cliproxy.ir.request import Inline

GENERATIONS: Final = Jobs("xai-videos")
EDITS: Final = Jobs("xai-video-edits")
EXTENSIONS: Final = Jobs("xai-video-extensions")

_RATIOS: Final = ((1, 1), (16, 9), (9, 16), (4, 3), (3, 4), (3, 2), (2, 3))
_STATES: Final[dict[str, Progress]] = {
    "pending": "running",
    "processing": "running",
    "in_progress": "running",
    "queued": "queued",
    "done": "done",
    "completed": "done",
    "failed": "failed",
    "expired": "failed",
}
_HIGH: Final = 720
"""Pixels of the shorter side from which on a film is asked for in the higher resolution."""


def build(asked: FilmAsk) -> Obj:
    """Write a request for a film."""
    wanted = math.log(asked.width / asked.height)
    wide, high = min(_RATIOS, key=lambda ratio: abs(math.log(ratio[0] / ratio[1]) - wanted))
    body: Obj = {
        "model": asked.model,
        "prompt": asked.prompt,
        "duration": asked.seconds,
        "aspect_ratio": f"{wide}:{high}",
        "resolution": "720p" if min(asked.width, asked.height) >= _HIGH else "480p",
    }
    pictures = [
        {"url": data_url(one) if isinstance(one, Inline) else one.url} for one in asked.pictures
    ]
    if len(pictures) == 1:
        body["image"] = pictures[0]
    elif pictures:
        body["reference_images"] = pictures
    return body


def read_begun(body: bytes) -> str:
    """Return the id of the job that was begun. Raises `UpstreamBroken`."""
    value = json.loads_object(body) or {}
    found = value.get("request_id") or value.get("id")
    if not isinstance(found, str) or not found:
        raise UpstreamBroken("The upstream began no video: its answer has no request_id.")
    return found


def read_job(body: bytes) -> FilmJob:
    """Read how far a film is. Raises `UpstreamBroken`."""
    value = json.loads_object(body)
    if value is None:
        raise UpstreamBroken("The upstream's answer about a video is not a JSON object.")
    film = value.get("video")
    film = film if isinstance(film, dict) else {}
    said = str(value.get("status") or "").lower()
    error = value.get("error")
    url = film.get("url")
    progress = _STATES.get(said, "done" if url else "failed" if error else "running")
    code, message = "", ""
    if progress == "failed":
        told = error if isinstance(error, dict) else {}
        code = code_of(told) or (said if said == "expired" else "video_generation_failed")
        message = message_of(error) or f"The upstream says that this video has {said or 'failed'}."
    percent = _number(value.get("progress"))
    model = value.get("model")
    return FilmJob(
        progress,
        None if percent is None else int(max(0, min(100, percent))),
        url if isinstance(url, str) else "",
        _number(film.get("duration")),
        model if isinstance(model, str) else "",
        code,
        message,
    )


def _number(value: Json) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
