"""Requests for pictures go through the same pipeline as all others."""

from __future__ import annotations

import base64
import gzip
import json

import httpx2 as httpx
import pytest

from tests.proxy import KEY
from tests.server.raw import error_of, post
from tests.server.test_usage import rows
from tests.sim import Answer, Failure, Image, Raw, Usage

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
MADE, EDITED = "/v1/images/generations", "/v1/images/edits"
DRAWN = Answer(images=[Image(PNG)], usage=Usage(input=30, output=9))
UPSTREAM_KEY = "image-upstream-key-0123456789"
ASKED = {"model": "pic", "prompt": "A sea"}


def host(name, sim, *, more="", models="[{name: up, alias: pic, image: true}]"):
    return (
        f'  - {{name: {name}, base-url: "{sim.url}/v1", models: {models},'
        f" api-key-entries: [{{api-key: {UPSTREAM_KEY}-{name}}}]{more}}}\n"
    )


@pytest.fixture
def two(start_sim, start_proxy):
    """Return two hosts of one model, the first one preferred, and the proxy before them."""
    first, second = start_sim(strict=True), start_sim(strict=True)
    rows = host("a", first, more=", priority: 2") + host("b", second)
    return first, second, start_proxy(f"openai-compatibility:\n{rows}")


@pytest.fixture
def one(sim, start_proxy):
    return start_proxy(f"openai-compatibility:\n{host('a', sim)}")


def edit(proxy, fields, files, headers=None):
    with httpx.Client(timeout=30, trust_env=False) as client:
        return client.post(
            proxy.url + EDITED,
            data=fields,
            files=files,
            headers={"authorization": f"Bearer {KEY}", **(headers or {})},
        )


# ---- failover and cooldown ----------------------------------------------------------------------
@pytest.mark.parametrize("failure", [Failure(500), Failure(429, retry_after=60), Failure(401)])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_another_account_makes_the_picture_that_one_could_not(two, failure, stream):
    first, second, proxy = two
    first.script(failure)
    answer = post(proxy, MADE, {**ASKED, "stream": stream})
    assert answer.status_code == 200, answer.text
    assert (len(first.requests), len(second.requests)) == (1, 1)


def test_a_form_is_sent_again_to_another_account(two):
    first, second, proxy = two
    first.script(Failure(503))
    answer = edit(proxy, ASKED, {"image": ("a.png", PNG, "image/png")})
    assert answer.status_code == 200, answer.text
    assert first.last.form == second.last.form
    assert second.last.body["model"] == "up"


def test_an_account_at_its_limit_rests(two):
    first, second, proxy = two
    first.script(Failure(429, retry_after=600))
    for _ in range(3):
        assert post(proxy, MADE, ASKED).status_code == 200
    assert (len(first.requests), len(second.requests)) == (1, 3)


def test_with_all_accounts_resting_the_client_is_told_when(one, sim):
    sim.script(Failure(429, retry_after=600))
    assert post(one, MADE, ASKED).status_code == 429
    answer = post(one, MADE, ASKED)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 500
    assert len(sim.requests) == 1


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_at_fault_is_tried_once(two, status):
    first, second, proxy = two
    first.script(Failure(status, "No."))
    assert post(proxy, MADE, ASKED).status_code == status
    assert (len(first.requests), len(second.requests)) == (1, 0)


# ---- names --------------------------------------------------------------------------------------
@pytest.mark.parametrize("model", ["pic", "team/pic", "a/pic", "up-pool"])
def test_aliases_prefixes_and_pins_lead_to_it(sim, start_proxy, model):
    models = "[{name: up, alias: pic, image: true}, {name: up, alias: up-pool, image: true}]"
    proxy = start_proxy(
        f"openai-compatibility:\n{host('a', sim, more=', prefix: team', models=models)}"
    )
    assert post(proxy, MADE, {"model": model, "prompt": "x"}).status_code == 200
    assert sim.last.body["model"] == "up"


def test_several_models_behind_one_name_take_turns(sim, start_proxy):
    models = "[{name: x, alias: pic, image: true}, {name: y, alias: pic, image: true}]"
    proxy = start_proxy(f"openai-compatibility:\n{host('a', sim, models=models)}")
    for _ in range(4):
        post(proxy, MADE, ASKED)
    assert [r.body["model"] for r in sim.requests] == ["x", "y", "x", "y"]


def test_one_name_may_draw_on_one_route_and_talk_on_another(sim, start_proxy):
    models = "[{name: draws, alias: both, image: true}, {name: talks, alias: both}]"
    proxy = start_proxy(f"openai-compatibility:\n{host('a', sim, models=models)}")
    post(proxy, MADE, {"model": "both", "prompt": "x"})
    turn = [{"role": "user", "content": "Hi"}]
    post(proxy, "/v1/chat/completions", {"model": "both", "messages": turn})
    assert [r.body["model"] for r in sim.requests] == ["draws", "talks"]


@pytest.mark.parametrize("named", [{}, {"model": None}])
def test_without_a_model_the_usual_one_is_meant(sim, start_proxy, named):
    proxy = start_proxy(f'codex-api-key: [{{api-key: k, base-url: "{sim.url}/v1"}}]')
    assert post(proxy, MADE, {"prompt": "x", **named}).status_code == 200
    assert sim.last.body == {"prompt": "x", "model": "gpt-image-2"}
    assert edit(proxy, {"prompt": "x"}, {"image": ("a.png", PNG, "image/png")}).status_code == 200
    assert sim.last.body == {"prompt": "x", "model": "gpt-image-2"}


@pytest.mark.parametrize(
    "path", ["/images/generations", "/v1/v1/images/generations/", "/api/provider/a/v1/images/edits"]
)
def test_the_routes_are_found_as_people_write_them(one, sim, path):
    answer = post(one, path, {**ASKED, "images": [{"image_url": URL}]})
    assert answer.status_code == 200, answer.text
    assert sim.last.path in (MADE, EDITED)


# ---- bodies -------------------------------------------------------------------------------------
def test_a_body_passes_byte_for_byte_but_for_the_model(one, sim):
    body = b'{ "prompt":"A sea" , "model" : "pic","n":1.0, "x":{"model":"pic"} }'
    answer = post(one, MADE, body)
    assert answer.headers["x-cliproxy-fidelity"] == "verbatim"
    assert sim.last.raw == body.replace(b'"model" : "pic"', b'"model" : "up"')


def test_an_answer_passes_byte_for_byte(one, sim):
    body = b'{ "created":1,  "data":[{"b64_json":"AA==", "future":1.10}] }'
    sim.script(Raw(body))
    assert post(one, MADE, ASKED).content == body


def test_a_json_edit_is_answered(one, sim):
    body = {**ASKED, "images": [{"image_url": URL}], "mask": {"image_url": URL}}
    assert post(one, EDITED, body).status_code == 200
    assert sim.last.body == {**body, "model": "up"}


def test_a_compressed_form_is_read(one, sim):
    form = (
        b'--B\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nx\r\n'
        b'--B\r\nContent-Disposition: form-data; name="model"\r\n\r\npic\r\n'
        b'--B\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
        + PNG + b"\r\n--B--\r\n"
    )  # fmt: skip
    headers = {"content-type": "multipart/form-data; boundary=B", "content-encoding": "gzip"}
    answer = post(one, EDITED, gzip.compress(form), headers)
    assert answer.status_code == 200, answer.text
    assert sim.last.raw == form.replace(b"\r\npic\r\n", b"\r\nup\r\n")
    assert "content-encoding" not in {k.lower() for k, _ in sim.last.headers.fields}


LIMIT = "max-body-size: 0.01\n"


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_forms_have_the_limit_of_all_bodies(sim, start_proxy, encoding):
    proxy = start_proxy(f"{LIMIT}openai-compatibility:\n{host('a', sim)}")
    form = (
        b'--B\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        + bytes(20_000) + b"\r\n--B--\r\n"
    )  # fmt: skip
    headers = {"content-type": "multipart/form-data; boundary=B"}
    if encoding:
        form, headers["content-encoding"] = gzip.compress(form), encoding
    answer = post(proxy, EDITED, form, headers)
    assert answer.status_code == 413
    error_of("openai-images", answer)
    assert sim.requests == []


FORM = {"content-type": "multipart/form-data; boundary=B"}


@pytest.mark.parametrize(
    ("path", "body", "headers", "param"),
    [
        (MADE, b"", {}, None),
        (MADE, b"[]", {}, None),
        (MADE, b"{", {}, None),
        (MADE, {"model": 5, "prompt": "x"}, {}, "model"),
        (MADE, {"model": "m" * 600, "prompt": "x"}, {}, "model"),
        (MADE, {**ASKED, "stream": "yes"}, {}, "stream"),
        (EDITED, b"", FORM, None),
        (EDITED, b"--B--", FORM, None),
        (EDITED, b"--B\r\n\r\nx\r\n--B--", FORM, None),
        (EDITED, b"x", {"content-type": "multipart/form-data"}, None),
        (EDITED, b'--B\r\nContent-Disposition: form-data; name="stream"\r\n\r\nmaybe\r\n--B--',
         FORM, "stream"),
        (EDITED, b'--B\r\nContent-Disposition: form-data; name="model"\r\n\r\n\xff\r\n--B--',
         FORM, "model"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_openai_s_form(
    sim, start_proxy, path, body, headers, param
):
    models = "[{name: up, alias: gpt-image-2, image: true}]"
    proxy = start_proxy(f"openai-compatibility:\n{host('a', sim, models=models)}")
    if body == b"--B--":
        # An empty form is one; what it lacks is for the upstream to say.
        sim.script(Failure(400, "Missing required parameter: 'prompt'."))
    answer = post(proxy, path, body, headers)
    assert answer.status_code == 400, answer.text
    error_of("openai-images", answer)
    if param:
        assert answer.json()["error"]["param"] == param


FAULTY = [
    ({"prompt": ""}, "prompt"),
    ({"prompt": 5}, "prompt"),
    ({"size": 5}, "size"),
    ({"n": "many"}, "n"),
    ({"output_compression": True}, "output_compression"),
    ({"images": []}, "image"),
    ({"images": [5]}, "images[0]"),
    ({"images": [{}]}, "images[0].image_url"),
    ({"images": [{"image_url": "file:///etc/passwd"}]}, "images[0].image_url"),
    ({"images": [{"image_url": "data:image/png;base64,%%%"}]}, "images[0].image_url"),
    ({"mask": 5}, "mask"),
]


@pytest.mark.parametrize(("change", "param"), FAULTY)
def test_where_a_request_is_translated_the_field_at_fault_is_named(sim, start_proxy, change, param):
    proxy = start_proxy(f'xai-api-key: [{{api-key: k, base-url: "{sim.url}/v1"}}]')
    body = {"model": "grok-imagine-image", "prompt": "x", "images": [{"image_url": URL}], **change}
    answer = post(proxy, EDITED, body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param
    assert sim.requests == []


def test_a_name_for_the_prompt_cache_is_for_conversations_only(sim, start_proxy):
    sim.strict = True
    more = ", support-prompt-cache-key: true"
    proxy = start_proxy(f"openai-compatibility:\n{host('a', sim, more=more)}")
    answer = post(proxy, MADE, ASKED, {"x-session-id": "one"})
    assert answer.status_code == 200, answer.text
    assert "prompt_cache_key" not in sim.last.body


# ---- who may ------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", [MADE, EDITED])
def test_a_key_is_needed(one, sim, path):
    for key in (None, "wrong"):
        answer = post(one, path, ASKED, key=key)
        assert answer.status_code == 401
        error_of("openai-images", answer)
    assert sim.requests == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_other_methods_are_told_which_is_served(one, method):
    answer = post(one, MADE, b"", method=method)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


# ---- what is noted ------------------------------------------------------------------------------
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("path", [MADE, EDITED])
def test_a_picture_leaves_a_row_with_its_tokens(one, sim, path, stream):
    sim.script(DRAWN)
    body = {**ASKED, "stream": stream, "images": [{"image_url": URL}]}
    answer = post(one, path, body)
    (row,) = rows(one)
    assert (row["tokens"]["input"], row["tokens"]["output"]) == (30, 9)
    assert (row["model"], row["served"], row["stream"]) == ("pic", "up", stream)
    assert (row["status"], row["endpoint"]) == (200, f"POST {path}")
    assert row["id"] == answer.headers["x-cliproxy-request-id"]
    (shown,) = one.runtime.app.recent.latest(5)
    assert shown["id"] == row["id"]


def test_the_request_log_tells_of_a_form(sim, start_proxy, tmp_path, monkeypatch):
    monkeypatch.setenv("WRITABLE_PATH", str(tmp_path))
    proxy = start_proxy(f"request-log: true\nopenai-compatibility:\n{host('a', sim)}")
    answer = edit(proxy, ASKED, {"image": ("a.png", PNG, "image/png")})
    assert answer.status_code == 200
    proxy.settle()
    (file,) = [p for p in (tmp_path / "logs").glob("*.log") if p.name != "main.log"]
    told = file.read_text(errors="replace")
    assert f"{sim.url}/v1/images/edits" in told
    assert '"b64_json"' in told
    assert UPSTREAM_KEY not in told


def test_a_key_that_the_upstream_repeats_is_not_told(sim, start_proxy):
    proxy = start_proxy(f"openai-compatibility:\n{host('a', sim)}")
    sim.script(Failure(400, f"Bad key {UPSTREAM_KEY}-a for this picture"))
    answer = post(proxy, MADE, ASKED)
    assert answer.status_code == 400
    assert UPSTREAM_KEY not in answer.text


# ---- switched off -------------------------------------------------------------------------------
TOOLS = [{"type": "image_generation"}, {"type": "function", "name": "f", "parameters": {}}]


@pytest.mark.parametrize(
    ("setting", "left"),
    [("true", TOOLS[1:]), ("false", TOOLS), ("chat", TOOLS), ("passthrough", TOOLS)],
)
def test_the_tool_is_taken_out_only_where_images_are_switched_off(sim, start_proxy, setting, left):
    proxy = start_proxy(
        f"disable-image-generation: {setting}\n"
        f'codex-api-key: [{{api-key: k, base-url: "{sim.url}/v1", models: [{{name: m}}]}}]'
    )
    body = {"model": "m", "input": "Hi", "tools": TOOLS, "tool_choice": TOOLS[0]}
    assert post(proxy, "/v1/responses", body).status_code == 200
    assert sim.last.body["tools"] == left
    assert ("tool_choice" in sim.last.body) == (setting != "true")


def test_json_and_forms_say_the_same_to_a_host_that_takes_no_forms(sim, start_proxy):
    proxy = start_proxy(f'xai-api-key: [{{api-key: k, base-url: "{sim.url}/v1"}}]')
    sim.strict = True
    asked = {"model": "grok-imagine-image", "prompt": "x"}
    as_form = edit(proxy, {**asked, "n": "2"}, {"image": ("a.png", PNG, "image/png")})
    as_json = post(proxy, EDITED, {**asked, "n": 2, "image": {"url": URL}})
    assert (as_form.status_code, as_json.status_code) == (200, 200), as_form.text + as_json.text
    first, second = sim.requests
    assert first.body == second.body == {
        **asked, "n": 2, "image": {"url": URL, "type": "image_url"}, "response_format": "b64_json",
    }  # fmt: skip
    assert json.loads(as_form.content)["data"] == json.loads(as_json.content)["data"]
