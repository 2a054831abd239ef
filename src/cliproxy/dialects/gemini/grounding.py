"""Grounding ⇄ neutral citations, and arguments that come in pieces."""

from __future__ import annotations

from typing import Any

from cliproxy.base import json
from cliproxy.base.json import Json, Obj


def sources(metadata: Obj) -> list[tuple[str, str]]:
    """Return (url, title) of each chunk; an empty url for chunks that are no web pages."""
    found: list[tuple[str, str]] = []
    for chunk in _list(metadata.get("groundingChunks")):
        web = chunk.get("web") if isinstance(chunk, dict) else None
        web = web if isinstance(web, dict) else {}
        url = web.get("uri")
        found.append((url, str(web.get("title") or url)) if isinstance(url, str) else ("", ""))
    return found


def citations(metadata: Obj, chunks: list[tuple[str, str]], text: str) -> list[dict[str, Any]]:
    """Return citations of `text`. Google counts bytes; citations count characters."""
    data = text.encode("utf-8", "surrogatepass")
    found: list[dict[str, Any]] = []
    for support in _list(metadata.get("groundingSupports")):
        segment = support.get("segment") if isinstance(support, dict) else None
        if not isinstance(segment, dict):
            continue
        start = _characters(data, segment.get("startIndex") or 0)
        end = _characters(data, segment.get("endIndex") or 0)
        for number in _list(support.get("groundingChunkIndices")):
            if isinstance(number, int) and 0 <= number < len(chunks) and chunks[number][0]:
                url, title = chunks[number]
                found.append(
                    {
                        "kind": "url",
                        "url": url,
                        "title": title,
                        "start": start,
                        "end": end,
                        "cited_text": text[start:end],
                    }
                )
    return found


def _list(value: Json) -> list[Any]:
    return value if isinstance(value, list) else []


def _characters(data: bytes, count: Json) -> int:
    if not isinstance(count, int) or count <= 0:
        return 0
    return len(data[:count].decode("utf-8", "ignore"))


def shifted(value: dict[str, Any], base: int) -> dict[str, Any]:
    """Return a citation of a block as one of the whole text; the block begins at `base`."""
    moved = {k: value[k] + base for k in ("start", "end") if isinstance(value.get(k), int)}
    return {**value, **moved} if base else value


def metadata_of(values: list[dict[str, Any]], text: str) -> Obj | None:
    """Return groundingMetadata for citations of a text, None when there are none."""
    pages = [v for v in values if v.get("kind") == "url" and v.get("url")]
    if not pages:
        return None
    urls = list(dict.fromkeys(v["url"] for v in pages))
    titles = {v["url"]: v.get("title") or v["url"] for v in pages}
    supports: list[Obj] = []
    for value in pages:
        start, end = value.get("start"), value.get("end")
        if isinstance(start, int) and isinstance(end, int):
            first = len(text[:start].encode("utf-8", "surrogatepass"))
            cited = text[start:end]
            last = first + len(cited.encode("utf-8", "surrogatepass"))
            segment = {"startIndex": first, "endIndex": last, "text": cited}
            supports.append(
                {"segment": segment, "groundingChunkIndices": [urls.index(value["url"])]}
            )
    return {
        "groundingChunks": [{"web": {"uri": url, "title": titles[url]}} for url in urls],
        "groundingSupports": supports,
    }


_LONGEST = 10_000
"""Elements an array in pieces may have: an index is a claim, not yet content."""


class Partial:
    """Arguments in pieces: `[{jsonPath, stringValue|numberValue|boolValue|nullValue}]`."""

    def __init__(self) -> None:
        self._root: Obj = {}

    def add(self, pieces: Json) -> None:
        """Take more pieces; text of one path is appended."""
        for piece in pieces if isinstance(pieces, list) else ():
            path = piece.get("jsonPath") if isinstance(piece, dict) else None
            if isinstance(path, str) and (steps := _steps(path)):
                self._set(steps, piece)

    def _set(self, steps: list[str | int], piece: Obj) -> None:
        node: Any = self._root
        for here, after in zip(steps, [*steps[1:], None], strict=True):
            last = after is None
            if isinstance(here, int):
                if not isinstance(node, list) or here > _LONGEST:
                    return
                while len(node) <= here:
                    node.append(None)
            elif not isinstance(node, dict):
                return
            current = node[here] if isinstance(here, int) else node.get(here)
            if last:
                value = _value(piece)
                if isinstance(value, str) and isinstance(current, str):
                    value = current + value
                node[here] = value
                return
            if not isinstance(current, dict | list):
                current = [] if isinstance(after, int) else {}
                node[here] = current
            node = current

    def text(self) -> str:
        """Return the arguments as JSON text."""
        return json.dumps_str(self._root)


def _value(piece: Obj) -> Json:
    for key in ("stringValue", "numberValue", "boolValue"):
        if key in piece:
            return piece[key]
    return None


def _steps(path: str) -> list[str | int]:
    """Split `$.a.b[0]['c d']`."""
    steps: list[str | int] = []
    rest = path.removeprefix("$")
    while rest:
        if rest[0] == ".":
            rest = rest[1:]
        if rest.startswith("["):
            inner, _, rest = rest[1:].partition("]")
            steps.append(int(inner) if inner.isdecimal() else inner.strip("'\""))
            continue
        end = min((i for i in (rest.find("."), rest.find("[")) if i >= 0), default=len(rest))
        if end == 0:
            break
        steps.append(rest[:end])
        rest = rest[end:]
    return steps
