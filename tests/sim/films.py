"""xAI's films: a request begins a job; whoever began it may ask how far it is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from tests.sim.record import Recorded
from tests.sim.script import Failure, Raw

Json = Any
BEGIN = re.compile(r"/videos/(generations|edits|extensions)$")
ASK = re.compile(r"/videos/([^/]+)$")
FILE = "/film.mp4"
DATA = b"\0\0\0\x18ftypmp42 a film"
FIELDS = {
    "aspect_ratio", "duration", "image", "model", "prompt", "reference_images", "resolution",
    "user", "video",
}  # fmt: skip


@dataclass
class Films:
    """The jobs of one simulator: what was asked for, by whom, and how far it is."""

    jobs: dict[str, tuple[str, Json]] = field(default_factory=dict)  # id → whose, what
    told: Json = field(default_factory=lambda: {"status": "pending", "progress": 40})

    def begin(self, record: Recorded) -> Failure | Json:
        body = record.body
        for name in body:
            if name not in FIELDS:
                return Failure(400, f"Unknown field {name}", param=name)
        for name in ("model", "prompt"):
            if not body.get(name):
                return Failure(400, f"Missing {name}", param=name)
        for picture in [body.get("image"), *(body.get("reference_images") or [])]:
            if picture is not None and not picture.get("url"):
                return Failure(400, "A picture has no url", param="image")
        job = f"job-{len(self.jobs)}"
        self.jobs[job] = record.headers.get("authorization"), body
        return {"request_id": job}

    def ask(self, record: Recorded, url: str) -> Failure | Json:
        found = ASK.search(record.path)
        whose, body = self.jobs.get(found[1] if found else "", ("", {}))
        if whose != record.headers.get("authorization"):
            return Failure(404, "No such request")
        told = {"model": body.get("model"), **self.told}
        if told["status"] == "done":
            film = {"url": f"{url}{FILE}", "duration": 6, "respect_moderation": True}
            told["video"] = film
        return told


def file() -> Raw:
    return Raw(DATA, content_type="video/mp4")
