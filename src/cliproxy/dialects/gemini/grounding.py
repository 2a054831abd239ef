"""Grounding ⇄ neutral citations, and arguments that come in pieces."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cliproxy.base import json
from cliproxy.base.json import Json, Obj
from cliproxy.ir.request import args_object


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
                value = {
                    "kind": "url",
                    "url": url,
                    "title": title,
                    "start": start,
                    "end": end,
                    "cited_text": text[start:end],
                }
                if value not in found:  # one page may be several chunks
                    found.append(value)
    return found


def within(value: dict[str, Any], base: int) -> dict[str, Any]:
    """Return a citation of the whole text as one of its last block, which begins at `base`."""
    start, end = max(0, value["start"] - base), value["end"] - base
    cited = value["cited_text"][max(0, base - value["start"]) :]
    return {**value, "start": start, "end": end, "cited_text": cited}


def _list(value: Json) -> list[Any]:
    return value if isinstance(value, list) else []


def _characters(data: bytes, count: Json) -> int:
    if not isinstance(count, int) or count <= 0:
        return 0
    return len(data[:count].decode("utf-8", "ignore"))


RETRIEVED = "URL_RETRIEVAL_STATUS_SUCCESS"


def opened(metadata: Obj) -> list[str]:
    """Return the addresses in urlContextMetadata that could be read."""
    return [
        page["retrievedUrl"]
        for page in _list(metadata.get("urlMetadata"))
        if isinstance(page, dict)
        and isinstance(page.get("retrievedUrl"), str)
        and page.get("urlRetrievalStatus") in (None, RETRIEVED)
    ]


class Found:
    """What one candidate looked up and cites, until its groundingMetadata is written."""

    __slots__ = ("_opened", "_pages", "_queries", "_reading", "_values")

    def __init__(self) -> None:
        self._queries: list[str] = []
        self._opened: list[str] = []
        self._reading: dict[str, str] = {}
        """Address by call of those whose page is to come."""
        self._pages: dict[str, str] = {}
        """Title by address."""
        self._values: list[dict[str, Any]] = []

    def asked(self, args: str) -> None:
        """Take the arguments of a web search."""
        query = (args_object(args) or {}).get("query")
        if isinstance(query, str) and query:
            self._queries.append(query)

    def opens(self, call_id: str, args: str) -> None:
        """Take a call that reads a page."""
        url = (args_object(args) or {}).get("url")
        if isinstance(url, str) and url:
            self._reading[call_id] = url

    def opened(self, call_id: str, payload: Any) -> None:
        """Take the neutral payload of what came of it."""
        url = self._reading.pop(call_id, None)
        if url is not None and not (isinstance(payload, dict) and payload.get("error")):
            self._opened.append(url)

    def pages(self) -> Obj | None:
        """Return urlContextMetadata for the pages that were read, None when none was."""
        read = [{"retrievedUrl": url, "urlRetrievalStatus": RETRIEVED} for url in self._opened]
        return {"urlMetadata": read} if read else None

    def got(self, payload: Any) -> None:
        """Take the neutral payload of a web search's result."""
        results = payload.get("results") if isinstance(payload, dict) else None
        for page in _list(results):
            url = page.get("url") if isinstance(page, dict) else None
            if isinstance(url, str) and url:
                self._pages.setdefault(url, str(page.get("title") or url))

    def cited(self, values: Iterable[dict[str, Any]], base: int, length: int) -> None:
        """Take the citations of a block of `length` that begins at `base` of the whole text."""
        for value in values:
            if value.get("kind") == "url" and value.get("url"):
                start, end = value.get("start"), value.get("end")
                if not (isinstance(start, int) and isinstance(end, int)):
                    start, end = 0, length  # a source of the whole block
                self._values.append({**value, "start": base + start, "end": base + end})
                if value.get("title"):
                    self._pages[value["url"]] = value["title"]
                self._pages.setdefault(value["url"], value["url"])

    def metadata(self, text: str) -> Obj | None:
        """Return groundingMetadata for what was found about a text, None when nothing was."""
        metadata: Obj = {}
        if self._queries:
            metadata["webSearchQueries"] = self._queries
        if self._pages:
            chunks = [{"web": {"uri": url, "title": name}} for url, name in self._pages.items()]
            metadata["groundingChunks"] = chunks
            metadata["groundingSupports"] = self._supports(text)
        return metadata or None

    def _supports(self, text: str) -> list[Obj]:
        urls = list(self._pages)
        supports: list[Obj] = []
        for value in self._values:
            first = len(text[: value["start"]].encode("utf-8", "surrogatepass"))
            cited = text[value["start"] : value["end"]]
            last = first + len(cited.encode("utf-8", "surrogatepass"))
            segment = {"startIndex": first, "endIndex": last, "text": cited}
            number = urls.index(value["url"])
            supports.append({"segment": segment, "groundingChunkIndices": [number]})
        return supports


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
