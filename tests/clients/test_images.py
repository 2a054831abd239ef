"""OpenAI's SDK asks for pictures: of a host with an image API, of xAI, and of Codex logins."""

from __future__ import annotations

import base64
import io
import json
import time
from pathlib import Path

import openai
import pytest

from cliproxy.account.credential import written
from tests.proxy import KEY
from tests.sim import Answer, Failure, Image, Text, Usage
from tests.sim.accounts_codex import CodexAccounts

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
OTHER = b"\x89PNG\r\n\x1a\n other"
SKETCHES = (b"\x89PNG 0", b"\x89PNG 1")
TOLD = Usage(input=12, output=196)
DRAWN = Answer(images=[Image(PNG, sketches=SKETCHES, revised="A calm sea")], usage=TOLD, drawn=TOLD)
HOSTS = {"compatible": "studio", "key": "gpt-image-1.5", "xai": "grok-imagine-image"}
"""Kinds of upstream, and the model that each is asked for."""
KINDS = (*HOSTS, "login")
STREAMING = ("compatible", "key", "login")


def hosts(sim, extra=""):
    return f"""
openai-compatibility:
  - name: sim
    base-url: "{sim.url}/v1"
    api-key-entries: [{{api-key: compat-key}}]
    models: [{{name: some-image-model, alias: studio, image: true}}, {{name: some-model}}]
codex-api-key:
  - api-key: codex-key
    base-url: "{sim.url}/v1"
xai-api-key:
  - api-key: xai-key
    base-url: "{sim.url}/v1"
{extra}
"""


@pytest.fixture
def world(start_sim, start_proxy, tmp_path):
    """Return a function that starts one kind of upstream: its simulator, a client, the model."""
    entered = []
    clients = []

    def client(proxy):
        made = openai.OpenAI(base_url=f"{proxy.url}/v1", api_key=KEY, max_retries=0)
        clients.append(made)
        return made

    def start(kind, extra=""):
        if kind == "login":
            codex = CodexAccounts()
            entered.append(codex)
            codex.__enter__()
            ends = {"expired": written(time.time() + 3600), "last_refresh": written(time.time())}
            (Path(tmp_path) / "codex-0.json").write_text(json.dumps(codex.file() | ends))
            proxy = start_proxy(f"auth-dir: {tmp_path}\n{codex.config()}\n{extra}")
            return codex.upstream, client(proxy), "gpt-image-2", proxy
        sim = start_sim(strict=True)
        proxy = start_proxy(hosts(sim, extra))
        return sim, client(proxy), HOSTS[kind], proxy

    yield start
    for made in clients:
        made.close()
    for codex in entered:
        codex.__exit__(None, None, None)


def picture(name="sea.png", data=OTHER):
    file = io.BytesIO(data)
    file.name = name
    return file


def shown(image):
    return base64.b64decode(image.b64_json)


kinds = pytest.mark.parametrize("kind", KINDS)
streaming = pytest.mark.parametrize("kind", STREAMING)


@kinds
def test_a_picture_is_made(world, kind):
    sim, asked, model, _ = world(kind)
    sim.script(DRAWN)
    got = asked.images.generate(model=model, prompt="A sea", size="1536x1024", quality="high")
    assert [shown(one) for one in got.data] == [PNG]
    assert got.created == 1_700_000_000
    assert got.data[0].revised_prompt == "A calm sea"
    assert (got.usage.input_tokens, got.usage.output_tokens, got.usage.total_tokens) == (
        12, 196, 208,
    )  # fmt: skip
    assert (got.quality, got.output_format) == ("high", "png")


@kinds
@pytest.mark.parametrize("many", [False, True], ids=["one", "two"])
def test_a_picture_is_edited(world, kind, many):
    sim, asked, model, _ = world(kind)
    sim.script(DRAWN)
    given = [picture("a.png"), picture("b.png", PNG)] if many else picture()
    got = asked.images.edit(model=model, prompt="Calmer", image=given)
    assert [shown(one) for one in got.data] == [PNG]
    urls = [f"data:image/png;base64,{base64.b64encode(d).decode()}" for d in (OTHER, PNG)]
    urls = urls if many else urls[:1]
    match kind:
        case "login":
            (message,) = sim.last.body["input"]
            found = [part.get("image_url") for part in message["content"][1:]]
        case "xai":
            body = sim.last.body
            found = [one["url"] for one in body.get("images") or [body["image"]]]
        case _:
            files = [(name, data) for name, file, data in sim.last.form if file]
            name = "image[]" if many else "image"
            assert files == [(name, data) for data in (OTHER, PNG)[: len(urls)]]
            return
    assert found == urls


@streaming
def test_sketches_come_before_the_picture(world, kind):
    sim, asked, model, _ = world(kind)
    sim.script(DRAWN)
    stream = asked.images.generate(
        model=model, prompt="A sea", stream=True, partial_images=2, size="1024x1024"
    )
    *sketches, last = stream
    assert [event.type for event in sketches] == ["image_generation.partial_image"] * 2
    assert [shown(event) for event in sketches] == list(SKETCHES)
    assert [event.partial_image_index for event in sketches] == [0, 1]
    assert {event.size for event in sketches} == {"1024x1024"}
    assert (last.type, shown(last)) == ("image_generation.completed", PNG)
    assert (last.size, last.output_format, last.created_at) == ("1024x1024", "png", 1_700_000_000)
    assert (last.usage.input_tokens, last.usage.output_tokens) == (12, 196)


@kinds
def test_a_streamed_edit_has_its_own_events(world, kind):
    sim, asked, model, _ = world(kind)
    sim.script(DRAWN)
    *sketches, last = asked.images.edit(model=model, prompt="x", image=picture(), stream=True)
    assert {event.type for event in sketches} <= {"image_edit.partial_image"}
    assert (last.type, shown(last)) == ("image_edit.completed", PNG)


def test_a_host_that_does_not_stream_gives_the_picture_in_one_event(world):
    sim, asked, model, _ = world("xai")
    sim.script(DRAWN)
    (last,) = asked.images.generate(model=model, prompt="A sea", stream=True)
    assert (last.type, shown(last)) == ("image_generation.completed", PNG)
    assert "stream" not in sim.last.body


@pytest.mark.parametrize("kind", ["compatible", "key"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_host_may_stream_or_not_whatever_was_asked(world, kind, stream):
    sim, asked, model, _ = world(kind)
    sim.script(Answer(images=DRAWN.images, usage=TOLD, swap=True))
    got = asked.images.generate(model=model, prompt="A sea", stream=stream)
    if stream:
        (last,) = got
        assert (last.type, shown(last)) == ("image_generation.completed", PNG)
    else:
        assert [shown(one) for one in got.data] == [PNG]


@pytest.mark.parametrize("kind", ["compatible", "key"])
def test_a_request_passes_with_only_the_model_replaced(world, kind):
    sim, asked, model, _ = world(kind)
    sim.strict = False
    asked.images.generate(
        model=model, prompt="A sea", n=2, extra_body={"future": {"a": [1, 2]}}, size="auto"
    )
    sent = sim.last
    upstream = "some-image-model" if kind == "compatible" else model
    assert sent.path == "/v1/images/generations"
    assert sent.body == {
        "model": upstream, "prompt": "A sea", "n": 2, "future": {"a": [1, 2]}, "size": "auto",
    }  # fmt: skip


def test_a_form_passes_with_only_the_model_replaced(world):
    sim, asked, model, _ = world("compatible")
    asked.images.edit(
        model=model, prompt="Grün", image=[picture("a.png", PNG)], mask=picture("m.png"), n=1
    )
    assert sorted(sim.last.form, key=lambda part: part[0]) == [
        ("image[]", "a.png", PNG),
        ("mask", "m.png", OTHER),
        ("model", None, b"some-image-model"),
        ("n", None, b"1"),
        ("prompt", None, "Grün".encode()),
    ]


def test_a_login_is_asked_with_the_tool(world):
    sim, asked, _, _ = world("login")
    sim.script(DRAWN)
    asked.images.generate(
        prompt="A sea",
        size="1024x1536",
        quality="low",
        background="transparent",
        output_format="webp",
        output_compression=80,
        moderation="low",
    )
    body = sim.last.body
    assert sim.last.path == "/backend-api/codex/responses"
    assert body["model"] == "gpt-5.4-mini"
    assert body["tools"] == [
        {
            "type": "image_generation",
            "action": "generate",
            "model": "gpt-image-2",
            "size": "1024x1536",
            "quality": "low",
            "background": "transparent",
            "output_format": "webp",
            "output_compression": 80,
            "moderation": "low",
        }
    ]
    assert body["tool_choice"] == {"type": "image_generation"}
    assert body["input"] == [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "A sea"}]}
    ]


def test_a_login_edits_with_a_mask_and_another_base_model(world):
    sim, asked, _, _ = world("login", extra="gpt-image-2-base-model: gpt-5.5")
    sim.script(DRAWN)
    asked.images.edit(
        model="gpt-image-1.5",
        prompt="x",
        image=picture(),
        mask=picture("m.png", PNG),
        input_fidelity="high",
    )
    (tool,) = sim.last.body["tools"]
    mask = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert tool == {
        "type": "image_generation",
        "action": "edit",
        "model": "gpt-image-1.5",
        "input_fidelity": "high",
        "input_image_mask": {"image_url": mask},
    }
    assert sim.last.body["model"] == "gpt-5.5"


def test_what_a_login_has_no_field_for_is_told_by_the_client_s_name(world):
    sim, asked, model, _ = world("login")
    sim.script(DRAWN)
    raw = asked.images.with_raw_response.generate(
        model=model, prompt="A sea", user="me", style="vivid", n=1
    )
    assert set(raw.headers["x-cliproxy-dropped"].split(",")) == {"user", "style"}
    assert not {"user", "safety_identifier", "style", "n"} & set(sim.last.body)


def test_several_pictures_of_a_login_are_refused_by_name(world):
    sim, asked, model, _ = world("login")
    with pytest.raises(openai.BadRequestError) as caught:
        asked.images.generate(model=model, prompt="A sea", n=3)
    assert (caught.value.param, caught.value.code) == ("n", "unsupported")
    assert sim.requests == []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_words_in_place_of_a_picture_are_a_refusal(world, stream):
    sim, asked, model, _ = world("login")
    sim.script(Answer(parts=[Text("I will not draw that.")]))
    with pytest.raises(openai.BadRequestError, match="I will not draw that") as caught:
        list(asked.images.generate(model=model, prompt="x", stream=stream))
    assert caught.value.code == "image_not_generated"
    assert len(sim.requests) == 1


def test_a_login_gives_addresses_as_data(world):
    sim, asked, model, _ = world("login")
    sim.script(DRAWN)
    got = asked.images.generate(model=model, prompt="A sea", response_format="url")
    assert got.data[0].url == f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert got.data[0].b64_json is None


@pytest.mark.parametrize(
    ("size", "ratio", "dropped"),
    [
        ("1024x1024", "1:1", "size"),
        ("1536x1024", "3:2", "size"),
        ("1024x1536", "2:3", "size"),
        ("1792x1024", "16:9", "size"),
        ("auto", None, None),
        (None, None, None),
    ],
)
def test_xai_takes_ratios(world, size, ratio, dropped):
    sim, asked, model, _ = world("xai")
    options = {"size": size} if size else {}
    raw = asked.images.with_raw_response.generate(model=model, prompt="A sea", **options)
    assert sim.last.body.get("aspect_ratio") == ratio
    assert "size" not in sim.last.body
    assert sim.last.body["response_format"] == "b64_json"
    assert raw.headers.get("x-cliproxy-dropped") == dropped


def test_xai_gets_its_own_fields_and_what_it_lacks_is_told(world):
    sim, asked, model, _ = world("xai")
    raw = asked.images.with_raw_response.generate(
        model=model,
        prompt="A sea",
        n=2,
        background="transparent",
        response_format="url",
        extra_body={"aspect_ratio": "20:9", "resolution": "2k"},
    )
    assert sim.last.body == {
        "model": model, "prompt": "A sea", "n": 2, "response_format": "url",
        "aspect_ratio": "20:9", "resolution": "2k",
    }  # fmt: skip
    assert raw.headers["x-cliproxy-dropped"] == "background"
    assert raw.parse().data[0].url == "https://images.example/1.png"


def test_xai_edits_no_masks(world):
    sim, asked, model, _ = world("xai")
    with pytest.raises(openai.BadRequestError) as caught:
        asked.images.edit(model=model, prompt="x", image=picture(), mask=picture())
    assert caught.value.param == "mask"
    assert sim.requests == []


# ---- failures -----------------------------------------------------------------------------------
REFUSED = Failure(400, "Your request was rejected by the safety system.",
                  code="moderation_blocked", type="image_generation_user_error")  # fmt: skip


@pytest.mark.parametrize("kind", ["compatible", "key", "xai"])
def test_a_refusal_of_the_upstream_is_told_as_it_is(world, kind):
    sim, asked, model, _ = world(kind)
    sim.script(REFUSED)
    with pytest.raises(openai.BadRequestError) as caught:
        asked.images.generate(model=model, prompt="x")
    assert caught.value.code == "moderation_blocked"
    assert caught.value.type == "image_generation_user_error"
    assert len(sim.requests) == 1


@streaming
def test_a_stream_that_breaks_after_a_sketch_ends_in_an_error(world, kind):
    sim, asked, model, _ = world(kind)
    answer = Answer(images=DRAWN.images, usage=TOLD, cut=8 if kind == "login" else 1, rst=False)
    sim.script(answer)
    stream = asked.images.generate(model=model, prompt="x", stream=True, partial_images=2)
    assert next(iter(stream)).type == "image_generation.partial_image"
    with pytest.raises(openai.APIError):
        list(stream)


def test_an_image_model_cannot_be_talked_to(world):
    sim, asked, _, _ = world("key")
    message = "model gpt-image-2 is only supported on /v1/images/generations and /v1/images/edits"
    turn = [{"role": "user", "content": "Hi"}]
    for ask in (
        lambda: asked.chat.completions.create(model="gpt-image-2", messages=turn),
        lambda: asked.responses.create(model="gpt-image-2", input="Hi"),
    ):
        with pytest.raises(openai.InternalServerError) as caught:
            ask()
        assert caught.value.status_code == 503
        assert caught.value.body["message"] == message
        assert caught.value.body["type"] == "server_error"
    assert sim.requests == []


def test_a_model_that_talks_cannot_be_asked_for_pictures(world):
    sim, asked, _, _ = world("compatible")
    with pytest.raises(openai.BadRequestError, match="studio") as caught:
        asked.images.generate(model="some-model", prompt="x")
    assert (caught.value.param, caught.value.code) == ("model", "unsupported_model")
    assert sim.requests == []


def test_a_model_nobody_has_is_not_found(world):
    _, asked, _, _ = world("compatible")
    with pytest.raises(openai.NotFoundError) as caught:
        asked.images.generate(model="dall-e-9", prompt="x")
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_switched_off_there_are_no_images(world, stream):
    sim, asked, model, _ = world("key", extra="disable-image-generation: true")
    with pytest.raises(openai.NotFoundError):
        asked.images.generate(model=model, prompt="x", stream=stream)
    with pytest.raises(openai.NotFoundError):
        asked.images.edit(model=model, prompt="x", image=picture(), stream=stream)
    assert model not in {one.id for one in asked.models.list()}
    assert sim.requests == []


def test_models_for_pictures_are_listed(world):
    _, asked, _, proxy = world("key")
    listed = {one.id for one in asked.models.list()}
    assert {"studio", "some-model", "gpt-image-2", "grok-imagine-image"} <= listed
    assert "some-image-model" not in listed
    found = {m.id: m for m in proxy.runtime.app.generation.gateway.registry.list_models()}
    assert found["gpt-image-2"].output_modalities == ("image",)
