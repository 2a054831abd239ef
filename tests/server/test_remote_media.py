"""Files named by address reach upstreams that take no addresses, as bytes."""

from __future__ import annotations

import base64

import pytest

from tests.clients.upstreams import config
from tests.files import Files
from tests.server.raw import post
from tests.sim import Failure

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20
PDF = b"%PDF-1.7 small"


@pytest.fixture
def files():
    with Files() as running:
        yield running


@pytest.fixture
def proxy(sim, start_proxy):
    return start_proxy(config(sim, "media: {allow-hosts: [127.0.0.1]}"))


def document(url):
    return {"type": "document", "source": {"type": "url", "url": url}}


def ask(proxy, model, *content):
    body = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": content}]}
    return post(proxy, "/v1/messages", body)


def test_a_document_is_put_into_the_request(sim, proxy, files):
    url = files.put("/papers/paper.pdf", PDF, "application/octet-stream") + "?signature=secret"
    answer = ask(proxy, "to-openai-chat", document(url), {"type": "text", "text": "Sum up."})
    assert answer.status_code == 200, answer.text
    (file,) = [p for p in sim.last.body["messages"][0]["content"] if p["type"] == "file"]
    encoded = base64.b64encode(PDF).decode()
    assert file["file"]["file_data"] == f"data:application/pdf;base64,{encoded}"
    assert file["file"]["filename"] == "paper.pdf"
    assert answer.headers["x-cliproxy-fidelity"] == "exact"


def test_an_upstream_that_takes_addresses_gets_the_address(sim, proxy, files):
    url = files.put("/paper.pdf", PDF, "application/pdf")
    for upstream in ("openai-responses", "gemini", "anthropic"):
        assert ask(proxy, f"to-{upstream}", document(url)).status_code == 200
        assert url in sim.last.raw.decode()
    assert not files.agents


def test_every_address_is_fetched_once_whichever_accounts_are_tried(start_sim, start_proxy, files):
    first, second = start_sim(), start_sim()
    first.script(Failure(500, "no"))
    proxy = start_proxy(f"""
media: {{allow-hosts: [127.0.0.1]}}
openai-compatibility:
  - {{name: a, base-url: "{first.url}/v1", models: [{{name: m}}], priority: 2}}
  - {{name: b, base-url: "{second.url}/v1", models: [{{name: m}}]}}
""")
    url = files.put("/paper.pdf", PDF, "application/pdf")
    assert ask(proxy, "m", document(url), document(url)).status_code == 200
    assert len(files.agents) == 1


@pytest.mark.parametrize(
    ("path", "why"), [("/nothing", "404"), ("/paper.pdf?secret=1", "private network")]
)
def test_what_cannot_be_fetched_is_the_requests_fault(sim, start_proxy, files, path, why):
    allowed = "[127.0.0.1]" if path == "/nothing" else "[]"
    proxy = start_proxy(config(sim, f"media: {{allow-hosts: {allowed}}}"))
    files.put("/paper.pdf", PDF, "application/pdf")
    answer = ask(proxy, "to-openai-chat", document(files.url + path))
    assert answer.status_code == 400
    message = answer.json()["error"]["message"]
    assert why in message
    assert "secret" not in message
    assert not sim.requests


def test_fetching_can_be_turned_off_and_the_loss_is_told(sim, start_proxy, files):
    proxy = start_proxy(config(sim, "media: {fetch: false}"))
    url = files.put("/paper.pdf", PDF, "application/pdf")
    answer = ask(proxy, "to-openai-chat", document(url), {"type": "text", "text": "?"})
    assert answer.headers["x-cliproxy-fidelity"] == "lossy"
    assert not files.agents
