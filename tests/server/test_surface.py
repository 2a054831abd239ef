"""The client side of the proxy over plain HTTP: base URLs, keys, lists, encodings, TLS, CORS."""

from __future__ import annotations

import gzip
import json
import ssl
import subprocess
import zlib

import brotli
import httpx2 as httpx
import pytest

from tests.clients.upstreams import MODELS, config
from tests.proxy import KEY
from tests.server.raw import SHAPES, get, post, request
from tests.sim import Answer, Call, Raw


@pytest.fixture
def proxy(sim, start_proxy):
    return start_proxy(config(sim))


CHAT = {"model": "to-openai-chat", "messages": [{"role": "user", "content": "Hi"}]}
GEMINI = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions",
        "/chat/completions",
        "/v1/v1/chat/completions",
        "/v1/chat/completions/",
        "//v1//chat/completions",
        "/openai/v1/chat/completions",
        "/api/provider/sim/v1/chat/completions",
    ],
)
def test_base_urls_as_people_write_them(proxy, path):
    answer = post(proxy, path, CHAT)
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == "You said: Hi"


@pytest.mark.parametrize("prefix", ["/v1beta", "/v1", "/v1beta/v1beta", "/v1alpha", ""])
@pytest.mark.parametrize("name", ["to-gemini", "models%2Fto-gemini", "to-openai-chat"])
def test_gemini_methods_under_every_version(proxy, prefix, name):
    answer = post(proxy, f"{prefix}/models/{name}:generateContent", GEMINI)
    assert answer.status_code == 200, answer.text
    parts = answer.json()["candidates"][0]["content"]["parts"]
    assert parts[0]["text"] == "You said: Hi"


def test_a_model_name_with_a_slash_in_a_gemini_path(sim, start_proxy):
    text = config(sim).replace("to-gemini", "team/flash")
    proxy = start_proxy(text)
    for path in ("/v1beta/models/team/flash", "/v1beta/models/team%2Fflash"):
        answer = post(proxy, f"{path}:generateContent", GEMINI)
        assert answer.status_code == 200, answer.text


KEYS = [
    ({"authorization": f"Bearer {KEY}"}, ""),
    ({"authorization": f"bearer {KEY}"}, ""),
    ({"authorization": KEY}, ""),
    ({"x-api-key": KEY}, ""),
    ({"x-goog-api-key": KEY}, ""),
    ({}, f"?key={KEY}"),
    ({"authorization": "Bearer stale", "x-api-key": KEY}, ""),
]


@pytest.mark.parametrize("dialect", SHAPES)
@pytest.mark.parametrize(("headers", "query"), KEYS, ids=str)
def test_the_client_key_from_every_place(proxy, sim, dialect, headers, query):
    path, body = request(dialect, "to-gemini")
    answer = post(proxy, path + query, body, headers, key=None)
    assert answer.status_code == 200, answer.text
    # The client's key stays here; the upstream gets the account's own.
    seen = str(sim.last.headers.fields) + sim.last.target
    assert KEY not in seen
    assert "gemini-key" in seen


def test_health_and_root_need_no_key(proxy):
    assert get(proxy, "/healthz", key=None).json() == {"status": "ok"}
    root = get(proxy, "/", key=None).json()
    assert "POST /v1/chat/completions" in root["endpoints"]
    head = post(proxy, "/healthz", b"", key=None, method="HEAD")
    assert (head.status_code, head.content) == (200, b"")


def test_cors_lets_a_browser_in(proxy):
    flight = post(
        proxy,
        "/v1/messages",
        b"",
        {
            "origin": "http://page.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "x-api-key,content-type",
        },
        key=None,
        method="OPTIONS",
    )
    assert flight.status_code == 204
    assert flight.headers["access-control-allow-origin"] == "*"
    assert "POST" in flight.headers["access-control-allow-methods"]
    answer = post(proxy, "/v1/chat/completions", CHAT, {"origin": "http://page.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "X-Cliproxy-Request-Id" in answer.headers["access-control-expose-headers"]
    assert answer.headers["x-cliproxy-request-id"]


def zstd(data):
    try:
        from compression import zstd as module
    except ImportError:
        from backports import zstd as module
    return module.compress(data)


@pytest.mark.parametrize("dialect", SHAPES)
@pytest.mark.parametrize(
    ("name", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("br", brotli.compress), ("zstd", zstd)],
)
def test_compressed_request_bodies(proxy, sim, dialect, name, pack):
    path, body = request(dialect, "to-anthropic")
    packed = pack(json.dumps(body).encode())
    answer = post(proxy, path, packed, {"content-encoding": name})
    assert answer.status_code == 200, answer.text
    assert sim.last.said == "Hi"
    assert "content-encoding" not in sim.last.headers


def ids_in(answer, where="data", name="id"):
    return {entry[name] for entry in answer.json()[where]}


def test_model_lists_in_the_callers_shape(proxy):
    everything = {f"to-{dialect}" for dialect in MODELS}
    openai = get(proxy, "/v1/models")
    assert ids_in(openai) >= everything
    assert openai.json()["object"] == "list"
    assert all(
        entry["object"] == "model" and isinstance(entry["created"], int)
        for entry in openai.json()["data"]
    )

    anthropic = get(proxy, "/v1/models", {"anthropic-version": "2023-06-01"})
    assert ids_in(anthropic) >= everything
    assert anthropic.json()["has_more"] is False
    assert anthropic.json()["data"][0]["type"] == "model"

    codex = get(proxy, "/v1/models?client_version=0.169.0")
    assert ids_in(codex, "models", "slug") >= everything

    for path, headers in (("/v1beta/models", {}), ("/v1/models", {"x-goog-api-key": KEY})):
        gemini = get(proxy, path, headers)
        assert ids_in(gemini, "models", "name") >= {f"models/{name}" for name in everything}


def test_lists_page_the_way_their_sdks_follow(proxy):
    first = get(proxy, "/v1/models?limit=2", {"anthropic-version": "2023-06-01"}).json()
    assert (len(first["data"]), first["has_more"]) == (2, True)
    later = get(
        proxy, f"/v1/models?after_id={first['last_id']}", {"anthropic-version": "2023-06-01"}
    ).json()
    seen = [entry["id"] for entry in first["data"] + later["data"]]
    assert len(seen) == len(set(seen)) == len(MODELS)
    page = get(proxy, "/v1beta/models?pageSize=3").json()
    rest = get(proxy, f"/v1beta/models?pageSize=3&pageToken={page['nextPageToken']}").json()
    assert len(page["models"]) == 3
    assert len(rest["models"]) == len(MODELS) - 3
    assert "nextPageToken" not in rest


def test_one_model_in_the_callers_shape(proxy):
    assert get(proxy, "/v1/models/to-gemini").json()["object"] == "model"
    claude = get(proxy, "/v1/models/to-anthropic", {"anthropic-version": "2023-06-01"}).json()
    assert claude["type"] == "model"
    assert get(proxy, "/v1beta/models/to-gemini").json()["name"] == "models/to-gemini"
    assert get(proxy, "/v1/models/none-such").status_code == 404
    told = get(proxy, "/v1/models/to-gemini/functions").json()
    assert told["model"] == "to-gemini"
    assert {entry["name"] for entry in told["data"]} >= {"function_calling", "tool_choice"}


def test_lists_need_the_key(proxy):
    for path in ("/v1/models", "/v1beta/models", "/v1/models/to-gemini"):
        assert get(proxy, path, key=None).status_code == 401


@pytest.mark.parametrize("upstream", MODELS)
def test_tokens_are_counted_for_every_upstream(proxy, upstream):
    model = f"to-{upstream}"
    body = {"model": model, "messages": CHAT["messages"], "system": "Be kind to everybody."}
    counted = post(proxy, "/v1/messages/count_tokens", body)
    assert counted.status_code == 200, counted.text
    assert counted.json()["input_tokens"] > 0
    gemini = post(proxy, f"/v1beta/models/{model}:countTokens", GEMINI)
    assert gemini.json()["totalTokens"] > 0


def test_a_count_falls_back_to_an_estimate_that_says_so(proxy, sim):
    body = {"model": "to-openai-chat", "messages": CHAT["messages"]}
    counted = post(proxy, "/v1/messages/count_tokens", body)
    assert counted.headers["x-cliproxy-token-count"] == "estimate"
    assert sim.requests == []


@pytest.mark.parametrize("upstream", ["to-gemini", "to-anthropic"])
def test_gemini_streams_a_json_array_unless_asked_for_events(proxy, sim, upstream):
    sim.script(Answer(["one ", "two ", "three"]), Answer(["one ", "two"]))
    path = f"/v1beta/models/{upstream}:streamGenerateContent"
    array = post(proxy, path, GEMINI)
    assert array.headers["content-type"].startswith("application/json")
    texts = [
        part.get("text", "")
        for chunk in array.json()
        for candidate in chunk.get("candidates", [])
        for part in candidate.get("content", {}).get("parts", [])
    ]
    assert "".join(texts) == "one two three"
    events = post(proxy, f"{path}?alt=sse", GEMINI)
    assert events.headers["content-type"].startswith("text/event-stream")
    assert events.text.startswith("data: {")


@pytest.mark.parametrize("upstream", ["to-gemini", "to-anthropic"])
def test_an_error_inside_a_json_array_leaves_an_array(proxy, sim, upstream):
    sim.script(Answer(["one ", "two ", "three"], cut=5 if upstream == "to-anthropic" else 2))
    answer = post(proxy, f"/v1beta/models/{upstream}:streamGenerateContent", GEMINI)
    chunks = answer.json()
    assert len(chunks) >= 2
    assert chunks[-1]["error"]["code"] == 502


@pytest.mark.parametrize("stream", [False, True])
def test_legacy_completions_on_a_chat_upstream(proxy, sim, stream):
    sim.script(Answer(["Once ", "more."]))
    body = {"model": "to-anthropic", "prompt": "Say it", "max_tokens": 9, "stream": stream}
    answer = post(proxy, "/v1/completions", body)
    assert answer.status_code == 200, answer.text
    if stream:
        frames = [
            json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")
        ]
        assert "".join(f["choices"][0]["text"] for f in frames if f["choices"]) == "Once more."
        assert answer.text.rstrip().endswith("data: [DONE]")
    else:
        assert answer.json()["choices"][0]["text"] == "Once more."
        assert answer.json()["object"] == "text_completion"
    assert sim.last.said == "Say it"


def test_the_fidelity_headers_say_what_was_lost(proxy, sim):
    verbatim = post(proxy, "/v1/chat/completions", CHAT)
    assert verbatim.headers["x-cliproxy-fidelity"] == "verbatim"
    exact = post(proxy, "/v1/chat/completions", {**CHAT, "model": "to-anthropic"})
    assert exact.headers["x-cliproxy-fidelity"] == "exact", exact.headers
    lossy = post(
        proxy, "/v1/chat/completions", {**CHAT, "model": "to-anthropic", "logit_bias": {"5": 1}}
    )
    assert lossy.headers["x-cliproxy-fidelity"] == "lossy"
    assert "logit_bias" in lossy.headers["x-cliproxy-dropped"]
    renamed = post(
        proxy,
        "/v1/chat/completions",
        {**CHAT, "model": "to-anthropic", "verbosity": "low", "seed": 5},
    )
    assert renamed.headers["x-cliproxy-dropped"].split(",") == ["seed", "verbosity"]
    asked = len(sim.requests)
    strict = post(
        proxy,
        "/v1/chat/completions",
        {**CHAT, "model": "to-anthropic", "logit_bias": {"5": 1}},
        {"x-cliproxy-fidelity": "strict"},
    )
    assert strict.status_code == 400
    assert "logit_bias" in strict.json()["error"]["message"]
    assert len(sim.requests) == asked


@pytest.mark.parametrize("dialect", [d for d in SHAPES if d != "openai-completions"])
def test_the_same_dialect_passes_verbatim_both_ways(proxy, sim, dialect):
    odd = '"x_future" : {"n":1.0, "e":1e2,\t"u":"\\u00e9\\/"},"dup":1'
    path, body = request(dialect, f"to-{dialect}")
    text = json.dumps(body)
    sent = ("{" + odd + "," + text[1:]).encode()
    sim.script(Answer("Yes.", tools=(Call("f", {"a": 1}),)))
    answer = post(proxy, path, sent)
    assert answer.status_code == 200, answer.text
    got = sim.last.content
    if dialect == "gemini":
        assert got == sent
    else:
        assert got == sent.replace(f"to-{dialect}".encode(), MODELS[dialect].encode())
    odd_answer = json.dumps(answer.json(), indent=3).encode() + b"\n"
    sim.script(Raw(odd_answer))
    assert post(proxy, path, sent).content == odd_answer
    assert answer.headers["x-cliproxy-fidelity"] == "verbatim"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", key, "-out", cert],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return cert, key


@pytest.mark.parametrize("spelling", ["tls: {{enable: true, cert: {0}, key: {1}}}",
                                      "https: {{enable: true, cert: {0}, key: {1}}}"])  # fmt: skip
def test_https_by_configuration(sim, start_proxy, certificate, spelling):
    cert, key = certificate
    proxy = start_proxy(config(sim, spelling.format(cert, key)))
    assert proxy.url.startswith("https://")
    trusted = ssl.create_default_context(cafile=str(cert))
    with httpx.Client(verify=trusted, trust_env=False) as client:
        answer = client.post(
            f"{proxy.url}/v1/chat/completions",
            json=CHAT,
            headers={"authorization": f"Bearer {KEY}"},
        )
    assert answer.json()["choices"][0]["message"]["content"] == "You said: Hi"
