"""Films: what is asked for, and the job that makes one. A job is begun, and asked about later."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from cliproxy.ir.request import Inline, Url

Progress = Literal["queued", "running", "done", "failed"]


class FilmAsk(Struct, frozen=True):
    """A film that is to be made."""

    model: str
    prompt: str
    seconds: int
    width: int
    height: int
    pictures: tuple[Inline | Url, ...] = ()
    """One is where the film begins; several show what is to be in it."""


class FilmJob(Struct, frozen=True):
    """How far a film is. `url` is where it can be fetched once it is done."""

    progress: Progress
    percent: int | None = None
    url: str = ""
    seconds: float | None = None
    model: str = ""
    code: str = ""
    """Why it failed, for programs."""
    message: str = ""
    """The same, for people."""
