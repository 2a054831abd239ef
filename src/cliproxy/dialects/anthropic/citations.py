"""Citations and search results of the Messages API ⇄ their neutral forms."""

from __future__ import annotations

from typing import Any

from cliproxy.base.json import Json, Obj


def read(wire: Json) -> dict[str, Any]:
    """Return the neutral citation; the issuer's own is kept in `native`."""
    if not isinstance(wire, dict):
        return {"kind": "document", "native": wire, "dialect": "anthropic"}
    if wire.get("type") == "web_search_result_location":
        return {
            "kind": "url",
            "url": wire.get("url") or "",
            "title": wire.get("title"),
            "cited_text": wire.get("cited_text"),
            "native": wire,
            "dialect": "anthropic",
        }
    return {
        "kind": "document",
        "title": wire.get("document_title") or wire.get("title"),
        "cited_text": wire.get("cited_text"),
        "native": wire,
        "dialect": "anthropic",
    }


def write(value: dict[str, Any], text: str) -> Obj | None:
    """Return the wire citation of a block's `text`, None when this dialect cannot say it."""
    return Cited().write(value, text)


class Cited:
    """Writes the citations of one block of text, in their order.

    A cited text is a piece of the block, and the pieces do not overlap: clients lay them out one
    after another.
    """

    __slots__ = ("_covered",)

    def __init__(self) -> None:
        self._covered: list[tuple[int, int, str]] = []

    def write(self, value: dict[str, Any], text: str) -> Obj | None:
        """Return the wire citation, None when this dialect cannot or need not say it."""
        if value.get("dialect") == "anthropic" and isinstance(value.get("native"), dict):
            return dict(value["native"])
        url = value.get("url")
        if value.get("kind") != "url" or not url:
            return None
        start, end = value.get("start"), value.get("end")
        if not (isinstance(start, int) and isinstance(end, int)):
            given = value.get("cited_text")
            return _location(value, given if isinstance(given, str) else "")
        rest = self._rest(start, end, url)
        return _location(value, text[rest[0] : rest[1]]) if rest else None

    def _rest(self, start: int, end: int, url: str) -> tuple[int, int] | None:
        """Return what of a span no other citation covers; None if the same page covers it all."""
        first, last = start, end
        for low, high, page in self._covered:
            if low <= start and end <= high:
                if page == url:
                    return None
                return start, end  # another page that says the same
            if low <= first < high:
                first = high
            elif low < last <= high:
                last = low
        if first >= last:
            first, last = start, end
        self._covered.append((first, last, url))
        return first, last


def _location(value: dict[str, Any], cited: str) -> Obj:
    return {
        "type": "web_search_result_location",
        "url": value["url"],
        "title": value.get("title"),
        # Only Anthropic's own index could be read by Anthropic; there is none.
        "encrypted_index": "",
        "cited_text": cited,
    }


def result_payload(wire: Obj) -> Any:
    """Return the neutral payload of a `*_tool_result` block."""
    content = wire.get("content")
    if wire.get("type") != "web_search_tool_result":
        return content
    if isinstance(content, dict):
        return {"results": [], "error": content.get("error_code")}
    results: list[Obj] = []
    for item in content if isinstance(content, list) else ():
        if isinstance(item, dict):
            keys = ("url", "title", "page_age", "encrypted_content")
            results.append({k: item[k] for k in keys if item.get(k) is not None})
    return {"results": results}


def search_result(call_id: str, payload: Any) -> Obj:
    """Write a `web_search_tool_result` from a neutral payload."""
    payload = payload if isinstance(payload, dict) else {}
    if payload.get("error"):
        content: Json = {
            "type": "web_search_tool_result_error",
            "error_code": str(payload["error"]),
        }
    else:
        content = []
        seen: set[str] = set()
        for item in payload.get("results") or ():
            url = item.get("url") if isinstance(item, dict) else None
            if not url or url in seen:
                continue
            seen.add(url)
            content.append(
                {
                    "type": "web_search_result",
                    "url": url,
                    "title": item.get("title") or url,
                    "encrypted_content": item.get("encrypted_content") or "",
                    "page_age": item.get("page_age"),
                }
            )
    return {"type": "web_search_tool_result", "tool_use_id": call_id, "content": content}
