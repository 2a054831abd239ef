"""From a path as people write it to a route.

Base URLs come with and without `/v1`, with it twice, with slashes at the end; every client adds
its own idea of the rest. All spellings of one route are made one here, so that the table of routes
stays a table.
"""

from __future__ import annotations

import re
from typing import Final, Literal
from urllib.parse import unquote

from msgspec import Struct

from cliproxy.dialects import Framing, Operation
from cliproxy.ir.caps import Makes

Name = Literal[
    "generate", "models", "model", "functions", "gemini_models", "gemini_model", "health", "root",
    "response", "response_items", "response_cancel",
    "conversations", "conversation", "conversation_items", "conversation_item",
    "code_assist", "film", "film_content",
    "interaction", "interaction_cancel",
]  # fmt: skip
KEPT: Final[frozenset[Name]] = frozenset(
    {"response", "response_items", "response_cancel",
     "conversations", "conversation", "conversation_items", "conversation_item"}
)  # fmt: skip
"""Routes over what is kept."""


PLAIN: Final = "plain"
"""No dialect: an error is `{"error": "a sentence"}`."""


class Route(Struct, frozen=True):
    """What a path means. `dialect` also decides the shape of errors."""

    name: Name
    methods: tuple[str, ...]
    dialect: str
    operation: Operation = "generate"
    model: str | None = None
    stream: bool | None = None
    pin_provider: str | None = None
    makes: Makes = "text"
    resource: str | None = None
    """Id of a kept response or conversation, or of a film."""
    item: str | None = None

    @property
    def errors(self) -> str:
        """How errors are written: as the dialect does, or as plain sentences."""
        return PLAIN if self.operation == "search" else self.dialect

    @property
    def websocket(self) -> bool:
        """Whether it is also served on a websocket."""
        return (self.name, self.dialect, self.operation) == (
            "generate", "openai-responses", "generate"
        )  # fmt: skip


_IMAGES: Final = {"images/generations": "openai-images", "images/edits": "openai-image-edits"}
_VIDEOS: Final = {
    "videos": "xai-videos",
    "videos/generations": "xai-videos",
    "videos/edits": "xai-video-edits",
    "videos/extensions": "xai-video-extensions",
}
_FILM: Final = re.compile(r"videos/(?!\.{1,2}(?:/|$))([^/]{1,256})(/content)?")
_GENERATE: Final[dict[str, tuple[str, Operation]]] = {
    "chat/completions": ("openai-chat", "generate"),
    "completions": ("openai-completions", "generate"),
    "responses": ("openai-responses", "generate"),
    "responses/input_tokens": ("openai-responses", "count"),
    "responses/compact": ("openai-responses", "compact"),
    "alpha/search": ("openai-responses", "search"),
    "messages": ("anthropic", "generate"),
    "messages/count_tokens": ("anthropic", "count"),
}
_INTERACTIONS: Final = "interactions"
_METHODS: Final[dict[str, tuple[Operation, bool]]] = {
    "generateContent": ("generate", False),
    "streamGenerateContent": ("generate", True),
    "countTokens": ("count", False),
}
_SLASHES: Final = re.compile(r"/{2,}")
_VERSION: Final = re.compile(r"^(?:(?:openai/)?v1|v1beta|v1beta1|v1alpha)(?=/|$)")
_PROVIDER: Final = re.compile(r"^api/provider/([^/]+)/?")
_CODE_ASSIST: Final = "v1internal:"
_CODEX: Final = "backend-api/codex"
_GET: Final = ("GET", "HEAD")
_KEPT: Final[tuple[tuple[re.Pattern[str], Name, tuple[str, ...]], ...]] = (
    (re.compile("responses/([^/]+)"), "response", ("GET", "HEAD", "DELETE")),
    (re.compile("responses/([^/]+)/input_items"), "response_items", _GET),
    (re.compile("responses/([^/]+)/cancel"), "response_cancel", ("POST",)),
    (re.compile("conversations"), "conversations", ("POST",)),
    (re.compile("conversations/([^/]+)"), "conversation", ("GET", "HEAD", "POST", "DELETE")),
    (re.compile("conversations/([^/]+)/items"), "conversation_items", ("GET", "HEAD", "POST")),
    (
        re.compile("conversations/([^/]+)/items/([^/]+)"),
        "conversation_item",
        ("GET", "HEAD", "DELETE"),
    ),
)


def match(path: str) -> Route | None:
    """Return the route of a decoded path, None when there is none."""
    path = _SLASHES.sub("/", path).strip("/")
    if not path:
        return Route("root", _GET, "openai-chat")
    pin = None
    found = _PROVIDER.match(path)
    if found:
        pin = unquote(found.group(1))
        path = path[found.end() :]
    elif path.startswith(_CODEX):
        path = path[len(_CODEX) :].lstrip("/")
    gemini = openai = False
    # A base URL that already ends in /v1 makes clients ask for /v1/v1/…, and so on.
    while version := _VERSION.match(path):
        gemini = version.group() not in ("v1", "openai/v1")
        openai = openai or version.group() == "openai/v1"
        path = path[version.end() :].lstrip("/")
    if path.startswith(_CODE_ASSIST):
        method = path.removeprefix(_CODE_ASSIST)
        operation, stream = _METHODS.get(method, ("generate", False))
        name: Name = "generate" if method in _METHODS else "code_assist"
        return Route(name, ("POST",), "code-assist", operation, stream=stream, pin_provider=pin)
    generate = _GENERATE.get(path)
    if generate is not None and not gemini:
        return Route("generate", ("POST",), generate[0], generate[1], pin_provider=pin)
    if (images := _IMAGES.get(path)) is not None and not gemini:
        return Route("generate", ("POST",), images, pin_provider=pin, makes="image")
    if path.startswith("videos") and not gemini:
        return _video(path, openai=openai, pin=pin)
    if path == _INTERACTIONS:
        return Route("generate", ("POST",), "interactions", pin_provider=pin)
    if path.startswith(f"{_INTERACTIONS}/"):
        return _interaction(path[len(_INTERACTIONS) + 1 :])
    if path == "models":
        name = "gemini_models" if gemini else "models"
        return Route(name, _GET, "gemini" if gemini else "openai-chat", pin_provider=pin)
    if path.startswith("models/"):
        return _model(path[len("models/") :], gemini=gemini, pin=pin)
    if not gemini and (kept := _kept(path)) is not None:
        return kept
    if path in ("healthz", "health"):
        return Route("health", _GET, "openai-chat")
    return None


def _video(path: str, *, openai: bool, pin: str | None) -> Route | None:
    """Return the route of a film: in xAI's words, below `/openai/v1` in OpenAI's."""
    dialect = _VIDEOS.get(path)
    if dialect is not None and (not openai or path == "videos"):
        return Route(
            "generate",
            ("POST",),
            "openai-videos" if openai else dialect,
            stream=False,
            pin_provider=pin,
            makes="video",
        )
    found = _FILM.fullmatch(path)
    if found is None or (found[2] and not openai):
        return None
    return Route(
        "film_content" if found[2] else "film",
        _GET,
        "openai-videos" if openai else "xai-videos",
        "poll",
        pin_provider=pin,
        makes="video",
        resource=found[1],
    )


def _kept(path: str) -> Route | None:
    """Return the route of what is kept: responses, conversations and their items."""
    for pattern, name, methods in _KEPT:
        if found := pattern.fullmatch(path):
            ids = [*found.groups(), None, None]
            return Route(name, methods, "openai-responses", resource=ids[0], item=ids[1])
    return None


def _interaction(rest: str) -> Route | None:
    """Return the route of one interaction."""
    name, slash, action = rest.partition("/")
    if not slash:
        return Route("interaction", ("GET", "DELETE"), "interactions", resource=name)
    if action != "cancel":
        return None
    return Route("interaction_cancel", ("POST",), "interactions", resource=name)


def _model(rest: str, *, gemini: bool, pin: str | None) -> Route | None:
    model, colon, method = rest.rpartition(":")
    if colon and method in _METHODS:
        operation, stream = _METHODS[method]
        return Route(
            "generate", ("POST",), "gemini", operation, model=model, stream=stream, pin_provider=pin
        )
    if not gemini and rest.endswith("/functions"):
        return Route("functions", _GET, "openai-chat", model=rest.removesuffix("/functions"))
    dialect = "gemini" if gemini else "openai-chat"
    return Route("gemini_model" if gemini else "model", _GET, dialect, model=rest)


def guess_dialect(path: str, headers: dict[str, str]) -> str:
    """Say in which dialect an unknown path is to be refused."""
    if "v1internal" in path:
        return "code-assist"
    if "interactions" in path:
        return "interactions"
    if "anthropic-version" in headers or "messages" in path:
        return "anthropic"
    if "x-goog-api-key" in headers or "v1beta" in path or "generateContent" in path.lower():
        return "gemini"
    return "openai-responses" if "responses" in path else "openai-chat"


def framing_of(route: Route, query: dict[str, str]) -> Framing:
    """Return how a stream is framed: Gemini without `alt=sse` streams a JSON array."""
    if route.dialect not in ("gemini", "code-assist") or not route.stream:
        return "sse"
    return "sse" if (query.get("alt") or query.get("$alt") or "").lower() == "sse" else "array"
