"""Pages that a provider read for an answer: `open_page`, `web_fetch` and `urlContextMetadata`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.properties.translate import read_whole, whole

URL = "https://a.example/page"
READ = "URL_RETRIEVAL_STATUS_SUCCESS"


def looked(number: int, action: Any, status: str = "completed") -> Any:
    return {"type": "web_search_call", "id": f"ws_{number}", "status": status, "action": action}


def responses(*items: Any) -> Any:
    said = {"type": "output_text", "text": "Hi", "annotations": []}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "content": [said]}
    return {"id": "resp_1", "status": "completed", "output": [*items, message]}


def claude(content: Any) -> Any:
    call = {
        "type": "server_tool_use",
        "id": "srvtoolu_1",
        "name": "web_fetch",
        "input": {"url": URL},
    }
    result = {"type": "web_fetch_tool_result", "tool_use_id": "srvtoolu_1", "content": content}
    return {"id": "m", "type": "message", "content": [call, result, {"type": "text", "text": "Hi"}]}


def gemini(status: str) -> Any:
    pages = {"urlMetadata": [{"retrievedUrl": URL, "urlRetrievalStatus": status}]}
    candidate = {"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}
    return {"candidates": [{**candidate, "urlContextMetadata": pages}]}


DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}
OPENED = responses(looked(1, {"type": "open_page", "url": URL}))
FETCHED = claude({"type": "web_fetch_result", "url": URL, "content": DOCUMENT})


def told(client: str, upstream: str, body: Any) -> Any:
    """Return what a client is told was searched and read."""
    answer = json.loads(whole(client, read_whole(upstream, body)))
    match client:
        case "openai-responses":
            items = [i for i in answer["output"] if i["type"] == "web_search_call"]
            return [(item["action"], item["status"]) for item in items]
        case "anthropic":
            blocks = answer["content"]
            calls = [(b["name"], b["input"]) for b in blocks if b["type"] == "server_tool_use"]
            results = [b["content"] for b in blocks if b["type"].endswith("_tool_result")]
            return list(zip(calls, results, strict=True))
        case _:
            candidate = answer["candidates"][0]
            return [candidate.get(k) for k in ("groundingMetadata", "urlContextMetadata")]


@pytest.mark.parametrize(("upstream", "body"), [("anthropic", FETCHED), ("gemini", gemini(READ))])
def test_responses_clients_are_told_of_an_opened_page(upstream, body):
    assert told("openai-responses", upstream, body) == [
        ({"type": "open_page", "url": URL}, "completed")
    ]


@pytest.mark.parametrize(
    ("upstream", "body"), [("openai-responses", OPENED), ("gemini", gemini(READ))]
)
def test_claudes_clients_are_told_of_a_fetched_page(upstream, body):
    (((name, given), result),) = told("anthropic", upstream, body)
    assert (name, given) == ("web_fetch", {"url": URL})
    assert (result["type"], result["url"]) == ("web_fetch_result", URL)
    assert result["content"]["source"]["data"] == ""


@pytest.mark.parametrize(
    ("upstream", "body"), [("openai-responses", OPENED), ("anthropic", FETCHED)]
)
def test_geminis_clients_are_told_of_a_page_in_the_context(upstream, body):
    pages = {"urlMetadata": [{"retrievedUrl": URL, "urlRetrievalStatus": READ}]}
    assert told("gemini", upstream, body) == [None, pages]


def test_a_page_that_could_not_be_read_is_told_as_such():
    error = claude({"type": "web_fetch_tool_result_error", "error_code": "url_not_accessible"})
    opened = ({"type": "open_page", "url": URL}, "failed")
    assert told("openai-responses", "anthropic", error) == [opened]
    assert told("gemini", "anthropic", error) == [None, None]
    failed = responses(looked(1, {"type": "open_page", "url": URL}, "failed"))
    ((_, result),) = told("anthropic", "openai-responses", failed)
    assert result == {"type": "web_fetch_tool_result_error", "error_code": "unavailable"}
    broken = gemini("URL_RETRIEVAL_STATUS_ERROR")
    assert told("openai-responses", "gemini", broken) == []


def test_edge_35_looking_around_on_an_open_page_is_no_call_of_its_own():
    body = responses(
        looked(1, {"type": "search", "query": "q"}),
        looked(2, {"type": "open_page", "url": URL}),
        looked(3, {"type": "find_in_page", "url": URL, "pattern": "x"}),
        looked(4, {"type": "open_page"}),
        looked(5, {"type": "open_page", "url": URL}),
        looked(6, {"type": "find_in_page", "url": "https://b.example", "pattern": "x"}),
    )
    assert [call for call, _ in told("anthropic", "openai-responses", body)] == [
        ("web_search", {"query": "q"}),
        ("web_fetch", {"url": URL}),
        ("web_fetch", {"url": "https://b.example"}),
    ]
    grounding, _ = told("gemini", "openai-responses", body)
    assert grounding["webSearchQueries"] == ["q"]
