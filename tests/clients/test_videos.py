"""Films are begun at one account and asked about there: in xAI's words, and by OpenAI's SDK."""

from __future__ import annotations

import base64
import io
import json
from tempfile import SpooledTemporaryFile

import httpx2 as httpx
import openai
import pytest

from cliproxy.pipeline import films
from cliproxy.transport.guard import Guard
from tests.clock import FakeClock
from tests.proxy import KEY
from tests.server.raw import error_of, get, post
from tests.server.test_usage import rows
from tests.sim import Failure, Raw
from tests.sim.films import DATA

PNG = b"\x89PNG\r\n\x1a\n a dot"
URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
ASKED = {"model": "grok-imagine-video", "prompt": "A sea"}

# OpenAI itself has ended its films; the SDK still speaks of them.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def keys(sim, count=1, extra=""):
    entries = "".join(
        f'\n  - {{api-key: xai-key-number-{n}, base-url: "{sim.url}/v1"}}' for n in range(count)
    )
    return f"xai-api-key:{entries}\nmedia: {{allow-hosts: [127.0.0.1]}}\n{extra}"


@pytest.fixture
def start(sim, start_proxy):
    sim.strict = True
    return lambda count=1, extra="": start_proxy(keys(sim, count, extra))


@pytest.fixture
def client(start):
    with openai.OpenAI(base_url=f"{start().url}/openai/v1", api_key=KEY, max_retries=0) as made:
        yield made


def auth(record):
    return record.headers.get("authorization").removeprefix("Bearer xai-key-number-")


# ---- xAI's own ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "upstream"),
    [
        ("/v1/videos", "/v1/videos/generations"),
        ("/v1/videos/generations", "/v1/videos/generations"),
        ("/v1/videos/edits", "/v1/videos/edits"),
        ("/v1/videos/extensions", "/v1/videos/extensions"),
        ("/videos", "/v1/videos/generations"),
    ],
)
def test_a_film_is_begun_and_asked_about(start, sim, path, upstream):
    proxy = start()
    body = json.dumps({**ASKED, "duration": 6, "video": {"url": "https://x.example/a.mp4"}})
    begun = post(proxy, path, body.encode())
    assert (begun.status_code, begun.json()) == (200, {"request_id": "job-0"})
    assert (sim.last.path, sim.last.raw) == (upstream, body.encode())
    told = get(proxy, "/v1/videos/job-0")
    assert told.json() == {"model": ASKED["model"], "status": "pending", "progress": 40}
    assert (sim.last.method, sim.last.path, sim.last.raw) == ("GET", "/v1/videos/job-0", b"")


@pytest.mark.parametrize("named", [{}, {"model": None}])
def test_without_a_model_the_usual_one_is_meant(start, sim, named):
    assert post(start(), "/v1/videos", {"prompt": "x", **named}).status_code == 200
    assert sim.last.body["model"] == "grok-imagine-video"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"image": {"image_url": URL}}, {"image": {"url": URL}}),
        ({"image": {"image_url": {"url": URL}}}, {"image": {"url": URL}}),
        ({"reference_images": [{"image_url": URL}]}, {"reference_images": [{"url": URL}]}),
        ({"image": {"url": URL}}, {"image": {"url": URL}}),
    ],
)
def test_pictures_are_called_what_xai_calls_them(start, sim, given, sent):
    assert post(start(), "/v1/videos", {**ASKED, **given}).status_code == 200
    assert sim.last.body == {**ASKED, **sent}


def test_a_job_is_asked_about_at_the_account_that_has_it(start, sim):
    proxy = start(3)
    jobs = [post(proxy, "/v1/videos", ASKED).json()["request_id"] for _ in range(3)]
    begun = [auth(record) for record in sim.requests]
    assert sorted(begun) == ["0", "1", "2"]
    sim.requests.clear()
    for job in jobs * 2:
        assert get(proxy, f"/v1/videos/{job}").status_code == 200
    assert [auth(record) for record in sim.requests] == begun * 2


def test_after_its_time_every_account_is_asked_until_one_knows(start, sim):
    proxy = start(2, "video-result-auth-cache-ttl: 10m")
    gateway = proxy.runtime.app.generation.gateway
    clock = gateway.jobs._clock = FakeClock()
    jobs = [post(proxy, "/v1/videos", ASKED).json()["request_id"] for _ in range(2)]
    clock.time += 599
    sim.requests.clear()
    assert [get(proxy, f"/v1/videos/{job}").status_code for job in jobs] == [200, 200]
    assert len(sim.requests) == 2
    clock.time += 2
    sim.requests.clear()
    assert [get(proxy, f"/v1/videos/{job}").status_code for job in jobs] == [200, 200]
    assert len(sim.requests) == 3
    sim.requests.clear()
    assert [get(proxy, f"/v1/videos/{job}").status_code for job in jobs] == [200, 200]
    assert len(sim.requests) == 2


def test_a_job_outlives_a_change_of_the_configuration(start, sim):
    proxy = start(3)
    jobs = [post(proxy, "/v1/videos", ASKED).json()["request_id"] for _ in range(3)]
    proxy.loop.call_soon_threadsafe(proxy.runtime.reload, proxy.loaded.config)
    sim.requests.clear()
    assert [get(proxy, f"/v1/videos/{job}").status_code for job in jobs] == [200] * 3
    assert len(sim.requests) == 3


def test_what_was_told_of_a_film_is_logged_as_told(start, caplog):
    proxy = start()
    post(proxy, "/v1/videos", ASKED)
    with caplog.at_level("INFO"):
        assert get(proxy, "/v1/videos/job-0").status_code == 200
        proxy.settle()
    lines = [r.getMessage() for r in caplog.records if r.name == "cliproxy.access"]
    (line,) = [line for line in lines if "GET" in line]
    assert line.startswith("200 ")


def test_a_film_that_may_have_been_begun_is_not_begun_elsewhere(start, sim):
    proxy = start(2)
    sim.script(Raw(b"{}", cut="headers"))
    assert post(proxy, "/v1/videos", ASKED).status_code == 502
    assert len(sim.requests) == 1


def test_a_job_nobody_knows_is_not_found(start, sim):
    proxy = start(2)
    answer = get(proxy, "/v1/videos/nothing")
    assert answer.status_code == 404
    error_of("openai-videos", answer)
    assert len(sim.requests) == 2


def test_without_accounts_that_make_films_there_are_none(start_proxy):
    proxy = start_proxy("claude-api-key: [k]")
    assert get(proxy, "/v1/videos/job-0").status_code == 404
    assert post(proxy, "/v1/videos", ASKED).status_code == 404


def test_an_id_cannot_lead_elsewhere(start, sim):
    proxy = start()
    for path in (
        "/v1/videos/%2e%2e",
        "/v1/videos/%2e",
        "/v1/videos/..%2Fmodels",
        "/v1/videos/a%3Fb=c",
        "/v1/videos/a%23b",
    ):
        assert get(proxy, path).status_code == 404
    assert all(record.path.startswith("/v1/videos/") for record in sim.requests)
    assert not any(record.query for record in sim.requests)


def test_another_account_begins_what_one_could_not(start, sim):
    proxy = start(2)
    sim.script(Failure(500))
    assert post(proxy, "/v1/videos", ASKED).json() == {"request_id": "job-0"}
    first, second = (auth(record) for record in sim.requests)
    assert first != second
    sim.requests.clear()
    assert get(proxy, "/v1/videos/job-0").status_code == 200
    assert [auth(record) for record in sim.requests] == [second]


def test_an_account_at_its_limit_is_still_asked_about_its_jobs(start, sim):
    proxy = start()
    post(proxy, "/v1/videos", ASKED)
    sim.script(Failure(429, retry_after=600))
    assert post(proxy, "/v1/videos", ASKED).status_code == 429
    assert post(proxy, "/v1/videos", ASKED).status_code == 429
    assert get(proxy, "/v1/videos/job-0").status_code == 200


def test_a_film_leaves_one_row_however_often_it_is_asked_about(start, sim):
    proxy = start()
    answer = post(proxy, "/v1/videos", ASKED)
    for _ in range(3):
        get(proxy, "/v1/videos/job-0")
    (row,) = rows(proxy)
    assert (row["model"], row["endpoint"]) == ("grok-imagine-video", "POST /v1/videos")
    assert row["id"] == answer.headers["x-cliproxy-request-id"]


def test_a_model_for_films_cannot_be_talked_to(start, sim):
    turn = {"model": "grok-imagine-video", "messages": [{"role": "user", "content": "Hi"}]}
    answer = post(start(), "/v1/chat/completions", turn)
    assert answer.status_code == 503
    assert "only supported on /v1/videos" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/videos", b"{", None),
        ("/v1/videos", {**ASKED, "model": 5}, "model"),
        ("/v1/videos", {**ASKED, "model": "grok-4.5"}, "model"),
        ("/openai/v1/videos", {**ASKED, "prompt": ""}, "prompt"),
        ("/openai/v1/videos", {**ASKED, "size": "large"}, "size"),
        ("/openai/v1/videos", {**ASKED, "seconds": "many"}, "seconds"),
        ("/openai/v1/videos", {**ASKED, "seconds": 0}, "seconds"),
        ("/openai/v1/videos", {**ASKED, "input_reference": [URL] * 8}, "input_reference"),
        ("/openai/v1/videos", {**ASKED, "input_reference": {"file_id": "f"}},
         "input_reference.file_id"),
        ("/openai/v1/videos", {**ASKED, "input_reference": "file:///x"}, "input_reference"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(start, sim, path, body, param):
    answer = post(start(), path, body)
    assert answer.status_code == 400, answer.text
    error_of("openai-videos", answer)
    assert answer.json()["error"]["param"] == param
    assert sim.requests == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/videos", 405),
        ("POST", "/v1/videos/job-0", 405),
        ("DELETE", "/openai/v1/videos/job-0", 405),
        ("POST", "/openai/v1/videos/edits", 405),
        ("GET", "/v1/videos/job-0/content", 404),
        ("GET", "/v1/videos/a/b/c", 404),
    ],
)
def test_what_is_not_served_says_so(start, method, path, status):
    answer = post(start(), path, b"{}", method=method)
    assert answer.status_code == status
    error_of("openai-chat", answer)


@pytest.mark.parametrize("path", ["/v1/videos/job-0", "/openai/v1/videos/job-0",
                                  "/openai/v1/videos/job-0/content"])  # fmt: skip
def test_a_key_is_needed(start, sim, path):
    proxy = start()
    for key in (None, "wrong"):
        assert get(proxy, path, key=key).status_code == 401
    assert sim.requests == []


# ---- OpenAI's -----------------------------------------------------------------------------------
def test_openai_s_sdk_makes_a_film(client, sim):
    begun = client.videos.create(
        prompt="A sea", model="grok-imagine-video", seconds="8", size="1280x720"
    )
    assert sim.last.body == {
        **ASKED, "duration": 8, "aspect_ratio": "16:9", "resolution": "720p",
    }  # fmt: skip
    assert (begun.id, begun.object, begun.status, begun.progress) == ("job-0", "video", "queued", 0)
    assert (begun.model, begun.seconds, begun.size) == ("grok-imagine-video", "8", "1280x720")
    going = client.videos.retrieve("job-0")
    assert (going.status, going.progress) == ("in_progress", 40)
    assert going.created_at == begun.created_at > 0
    sim.films.told = {"status": "done"}
    done = client.videos.poll("job-0", poll_interval_ms=1)
    assert (done.status, done.progress, done.seconds, done.size) == (
        "completed", 100, "6", "1280x720",
    )  # fmt: skip
    assert client.videos.download_content("job-0").read() == DATA


def test_what_is_not_said_has_openai_s_defaults(client, sim):
    with httpx.Client(trust_env=False) as plain:
        answer = plain.post(
            f"{client.base_url}videos",
            json={"prompt": "A sea"},
            headers={"authorization": f"Bearer {KEY}"},
        )
    assert answer.status_code == 200, answer.text
    assert sim.last.body == {
        **ASKED, "duration": 4, "aspect_ratio": "9:16", "resolution": "720p",
    }  # fmt: skip


def test_a_film_can_begin_with_a_picture(client, sim):
    file = io.BytesIO(PNG)
    file.name = "a.png"
    client.videos.create(prompt="A sea", model="grok-imagine-video", input_reference=file)
    assert sim.last.body["image"] == {"url": URL}


@pytest.mark.parametrize(
    "given",
    [
        {"json": {**ASKED, "input_reference": {"image_url": URL}}},
        {"data": {**ASKED, "input_reference[image_url]": URL}, "files": {"x": b""}},
    ],
    ids=["json", "form"],
)
def test_a_picture_can_be_given_by_address(client, sim, given):
    with httpx.Client(trust_env=False) as plain:
        url, key = f"{client.base_url}videos", {"authorization": f"Bearer {KEY}"}
        answer = plain.post(url, headers=key, **given)
    assert answer.status_code == 200, answer.text
    assert sim.last.body["image"] == {"url": URL}


def test_several_pictures_show_what_is_to_be_in_it(client, sim):
    with httpx.Client(trust_env=False) as plain:
        plain.post(
            f"{client.base_url}videos",
            json={**ASKED, "input_reference": [URL, {"image_url": URL}]},
            headers={"authorization": f"Bearer {KEY}"},
        )
    assert sim.last.body["reference_images"] == [{"url": URL}, {"url": URL}]


@pytest.mark.parametrize(
    ("told", "code", "message"),
    [
        (
            {"status": "failed", "error": {"code": "moderated", "message": "No."}},
            "moderated",
            "No.",
        ),
        ({"status": "expired"}, "expired", "expired"),
    ],
)
def test_a_film_that_failed_says_why(client, sim, told, code, message):
    client.videos.create(prompt="A sea", model="grok-imagine-video")
    sim.films.told = told
    found = client.videos.retrieve("job-0")
    assert (found.status, found.error.code) == ("failed", code)
    assert message in found.error.message
    with pytest.raises(openai.BadRequestError):
        client.videos.download_content("job-0")


def test_a_film_that_is_not_ready_cannot_be_had(client, sim):
    client.videos.create(prompt="A sea", model="grok-imagine-video")
    with pytest.raises(openai.NotFoundError) as caught:
        client.videos.download_content("job-0")
    assert caught.value.code == "video_not_ready"
    with pytest.raises(openai.BadRequestError) as caught:
        client.videos.download_content("job-0", variant="thumbnail")
    assert caught.value.param == "variant"


def test_after_a_restart_a_film_is_found_all_the_same(start, start_proxy, sim):
    first = start(2)
    post(first, "/openai/v1/videos", {**ASKED, "seconds": 8})
    sim.films.told = {"status": "done"}
    second = start_proxy(keys(sim, 2))
    told = get(second, "/openai/v1/videos/job-0").json()
    assert (told["status"], told["model"], told["seconds"]) == (
        "completed", "grok-imagine-video", "6",
    )  # fmt: skip
    assert get(second, "/openai/v1/videos/job-0/content").content == DATA


def test_a_film_on_a_private_host_is_not_fetched_unless_its_owner_allows(start_proxy, sim):
    proxy = start_proxy(keys(sim).replace("127.0.0.1]", "other]"))
    post(proxy, "/v1/videos", ASKED)
    sim.films.told = {"status": "done"}
    asked = len(sim.requests)
    answer = get(proxy, "/openai/v1/videos/job-0/content")
    assert answer.status_code == 502
    assert "media.allow-hosts" in answer.json()["error"]["message"]
    assert [r.endpoint for r in sim.requests[asked:]] == ["film"]


def test_what_players_ask_of_files_is_not_asked_of_jobs(start, sim):
    proxy = start()
    post(proxy, "/v1/videos", ASKED)
    sim.films.told = {"status": "done"}
    asked = {"range": "bytes=0-1", "if-none-match": '"x"'}
    assert get(proxy, "/openai/v1/videos/job-0/content", asked).content == DATA
    poll = next(r for r in reversed(sim.requests) if r.endpoint == "film")
    assert not {name.lower() for name, _ in poll.headers.fields} & {*asked, "content-type"}


def done(proxy, sim):
    post(proxy, "/v1/videos", ASKED)
    sim.films.told = {"status": "done"}
    sim.requests.clear()
    return "/openai/v1/videos/job-0/content"


@pytest.fixture
def files(monkeypatch):
    """The files that films wait in."""
    made = []

    def spooled(size):
        made.append(SpooledTemporaryFile(size))
        return made[-1]

    monkeypatch.setattr(films, "SpooledTemporaryFile", spooled)
    return made


def test_a_large_film_waits_in_a_file(start, sim, files, monkeypatch):
    film = b"a film " * 400_000
    monkeypatch.setattr("tests.sim.films.DATA", film)
    proxy = start()
    answer = get(proxy, done(proxy, sim))
    assert answer.content == film
    assert answer.headers["content-length"] == str(len(film))
    assert answer.headers["content-type"] == "video/mp4"
    proxy.settle()
    assert [(file._rolled, file.closed) for file in files] == [(True, True)]


def test_a_film_that_cannot_be_had_whole_is_not_begun(start, sim, files):
    proxy = start()
    proxy.runtime.app.generation.gateway.films = Guard(["127.0.0.1"], max_bytes=len(DATA) - 1)
    answer = get(proxy, done(proxy, sim))
    assert answer.status_code == 502
    assert "larger" in answer.json()["error"]["message"]
    proxy.settle()
    assert [file.closed for file in files] == [True]


def test_whether_a_film_is_there_is_told_without_fetching_it(start, sim):
    proxy = start()
    path = done(proxy, sim)
    answer = post(proxy, path, b"", method="HEAD")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")
    assert "content-length" not in answer.headers
    assert [record.endpoint for record in sim.requests] == ["film"]


@pytest.mark.parametrize("path", ["/v1/videos/x", "/openai/v1/videos/x",
                                  "/openai/v1/videos/x/content"])  # fmt: skip
def test_of_a_job_nobody_began_some_are_asked_and_only_for_an_answer(start, sim, path):
    proxy = start(films.MOST_ASKED + 2)
    assert post(proxy, path, b"", method="HEAD").status_code == 404
    assert not sim.requests
    assert get(proxy, path).status_code == 404
    assert len(sim.requests) == films.MOST_ASKED


def test_fields_without_a_meaning_are_told(start, sim):
    answer = post(start(), "/openai/v1/videos", {**ASKED, "future": 1})
    assert answer.headers["x-cliproxy-dropped"] == "future"
    assert answer.headers["x-cliproxy-fidelity"] == "lossy"
