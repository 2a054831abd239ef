"""Steps of tools that Google runs, and annotations, ⇄ the neutral forms."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from cliproxy.base import json
from cliproxy.base.json import Json, Obj
from cliproxy.ir.fold import call_args
from cliproxy.ir.request import args_object
from cliproxy.ir.server_tools import (
    CODE,
    MCP,
    UNAVAILABLE,
    Ran,
    code_args,
    joined,
    mcp_payload,
    python,
    ran,
)

WEB: Final = "web_search"
CALLS: Final = {
    "google_search_call": WEB,
    "url_context_call": "web_fetch",
    "code_execution_call": CODE,
    "mcp_server_tool_call": MCP,
    "file_search_call": "file_search",
    "google_maps_call": "maps",
    "retrieval_call": "retrieval",
    "tool_search_call": "tool_search",
    "processing_call": "processing",
}
RESULTS: Final = {kind.removesuffix("_call") + "_result": name for kind, name in CALLS.items()}
_SHELL: Final = "bash"


# ---- reading ----------------------------------------------------------------------------------
def call_name(step: Obj) -> str:
    """Return the name of the tool that was called."""
    kind = CALLS[str(step.get("type"))]
    name = step.get("name")
    return name if kind == MCP and isinstance(name, str) and name else kind


def server_of(step: Obj) -> str | None:
    """Return the MCP server's name, None for other tools."""
    name = step.get("server_name")
    return name if isinstance(name, str) and name else None


def args_of(step: Obj) -> str:
    """Return the neutral arguments of a call."""
    given = step.get("arguments")
    args: Obj = given if isinstance(given, dict) else {}
    match step.get("type"):
        case "google_search_call":
            return json.dumps_str(_first_of(args.get("queries"), "query", "queries"))
        case "url_context_call":
            return json.dumps_str(_first_of(args.get("urls"), "url", "urls"))
        case "code_execution_call":
            if args.get("language") == _SHELL:
                return json.dumps_str({"command": args.get("code")})
            return code_args(args.get("code"))
        case _:
            return json.dumps_str(args)


def _first_of(values: Json, one: str, many: str) -> Obj:
    texts: list[Json] = (
        [v for v in values if isinstance(v, str)] if isinstance(values, list) else []
    )
    found: Obj = {one: texts[0] if texts else ""}
    return {**found, many: texts} if len(texts) > 1 else found


def payload_of(step: Obj) -> Any:
    """Return the neutral payload of a result."""
    result, failed = step.get("result"), step.get("is_error") is True
    match step.get("type"):
        case "google_search_result":
            # Which pages it found is told by the citations of the text.
            return {"results": [], "error": UNAVAILABLE} if failed else {"results": []}
        case "url_context_result":
            return _page(result, failed=failed)
        case "code_execution_result":
            output = joined(result)
            return (Ran(stderr=output, return_code=1) if failed else Ran(stdout=output)).payload()
        case "mcp_server_tool_result":
            said = joined(result) if isinstance(result, str | list) else json.dumps_str(result)
            return mcp_payload(said)
        case _:
            return result


def _page(result: Json, *, failed: bool) -> Obj:
    """Return the payload of a fetch: the first of its pages, and whether it could be read."""
    pages = [p for p in result if isinstance(p, dict)] if isinstance(result, list) else []
    first: Obj = pages[0] if pages else {}
    url, status = first.get("url"), first.get("status")
    found: Obj = {"url": url if isinstance(url, str) else ""}
    if failed or (status and status != "success"):
        found["error"] = UNAVAILABLE
    return found


def citations(notes: Iterable[Json], text: str) -> list[dict[str, Any]]:
    """Return the neutral citations of the annotations of `text`."""
    noted = list(notes)
    if not noted:
        return []
    # The API counts bytes.
    data = text.encode("utf-8", "surrogatepass")
    plain = len(data) == len(text)
    return [_citation(note, text, data, plain=plain) for note in noted]


def _citation(wire: Json, text: str, data: bytes, *, plain: bool) -> dict[str, Any]:
    if not isinstance(wire, dict) or wire.get("type") != "url_citation":
        return {"kind": "file", "native": wire, "dialect": "interactions"}
    start = _characters(data, wire.get("start_index"), plain=plain)
    end = _characters(data, wire.get("end_index"), plain=plain)
    value: dict[str, Any] = {"kind": "url", "url": str(wire.get("url") or "")}
    if isinstance(title := wire.get("title"), str):
        value["title"] = title
    if end is not None:
        value |= {"start": start or 0, "end": end, "cited_text": text[start or 0 : end]}
    return {**value, "native": wire, "dialect": "interactions"}


def _characters(data: bytes, count: Json, *, plain: bool) -> int | None:
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        return None
    if plain:
        return min(count, len(data))
    return len(data[:count].decode("utf-8", "ignore"))


# ---- writing ----------------------------------------------------------------------------------
def annotation(value: dict[str, Any], text: str, base: int) -> Obj | None:
    """Return the annotation of a citation of `text`, which begins at byte `base`.

    None for what is no page: its address is another provider's.
    """
    if value.get("kind") != "url" or not value.get("url"):
        own = value.get("dialect") == "interactions" and isinstance(value.get("native"), dict)
        return value["native"] if own else None
    start, end = value.get("start"), value.get("end")
    if not (isinstance(start, int) and isinstance(end, int)):
        start, end = 0, len(text)  # a source of the whole text
    wire: Obj = {"type": "url_citation", "url": value["url"]}
    if value.get("title"):
        wire["title"] = value["title"]
    wire["start_index"] = base + _bytes(text[:start])
    wire["end_index"] = base + _bytes(text[:end])
    return wire


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def call_step(kind: str, call_id: str, name: str, server: str | None, args: str) -> Obj | None:
    """Return the step of a foreign call, None where the API has none for it."""
    given = args_object(args) or {}
    match kind:
        case "web_search":
            queries = given.get("queries") or [given.get("query") or ""]
            return {
                "type": "google_search_call",
                "id": call_id,
                "arguments": {"queries": queries},
            }
        case "web_fetch":
            urls = given.get("urls") or [given.get("url") or ""]
            return {"type": "url_context_call", "id": call_id, "arguments": {"urls": urls}}
        case "code_execution":
            code: Obj = {"code": python(args), "language": "python"}
            if isinstance(command := given.get("command"), str):
                code = {"code": command, "language": _SHELL}
            return {"type": "code_execution_call", "id": call_id, "arguments": code}
        case "mcp":
            return {
                "type": "mcp_server_tool_call",
                "id": call_id,
                "name": name,
                "server_name": server or "",
                "arguments": call_args(args, "function"),
            }
        case _:
            return None


def _fetched(payload: Any, *, failed: bool) -> list[Json]:
    """Return the pages of a fetch; a failed one may not say which page it was."""
    if not isinstance(payload, dict):
        return []
    page: Obj = {"status": "error" if failed else "success"}
    url = payload.get("url")
    if isinstance(url, str) and url:
        return [{"url": url, **page}]
    return [page] if failed else []


def result_step(kind: str, call_id: str, payload: Any, call: tuple[str, str]) -> Obj | None:
    """Return the step of a foreign result, None where the API has none for it.

    Args:
        kind: Of the tool.
        call_id: The call's id.
        payload: Neutral.
        call: The names of the tool and of its server.
    """
    failed = isinstance(payload, dict) and bool(payload.get("error"))
    step: Obj
    match kind:
        case "web_search":
            step = {"type": "google_search_result", "call_id": call_id, "result": []}
        case "web_fetch":
            pages = _fetched(payload, failed=failed)
            step = {"type": "url_context_result", "call_id": call_id, "result": pages}
        case "code_execution":
            done = ran(payload)
            failed = done.failed
            said = done.text or done.error
            step = {"type": "code_execution_result", "call_id": call_id, "result": said}
        case "mcp":
            value: Obj = payload if isinstance(payload, dict) else {}
            name, server = call
            # There is no mark for failure: its words are all the client gets.
            return {
                "type": "mcp_server_tool_result",
                "call_id": call_id,
                "name": name,
                "server_name": server,
                "result": str(value.get("error") or value.get("output") or ""),
            }
        case _:
            return None
    return {**step, "is_error": True} if failed else step
