"""A client of the Interactions API: what is kept where, who is asked, and what nobody can do."""

from __future__ import annotations

import json
from functools import partial

import pytest
from google.genai._interactions.core import error as errors

from cliproxy.usage import questions
from cliproxy.usage.snapshot import snapshot
from tests.clients.sdk import DIALECTS, google_client
from tests.clients.upstreams import MODELS, config
from tests.proxy import KEY
from tests.server.raw import error_of, get, post
from tests.server.test_usage import rows as usage_rows
from tests.sim import Answer, Call, Failure, Raw

TRANSLATED = [dialect for dialect in DIALECTS if dialect != "interactions"]
PATH = "/v1beta/interactions"
TOOL = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
TWO_KEYS = f"api-keys: [{KEY}, other-key]"


@pytest.fixture
def proxy(sim, start_proxy):
    return start_proxy(config(sim, TWO_KEYS))


@pytest.fixture
def client(proxy):
    with google_client(proxy.url, KEY) as made:
        yield made.interactions


def streamed(client, **fields):
    """Return the interaction of the last event, and all text."""
    text, ended = "", None
    for event in client.create(stream=True, **fields):
        if event.event_type == "step.delta" and event.delta.type == "text":
            text += event.delta.text
        if event.event_type == "interaction.completed":
            ended = event.interaction
    return ended, text


def heard(sim):
    """Return who said what, as the upstream heard it."""
    return [
        (role, *(piece[1] for piece in pieces if piece[0] == "text"))
        for role, pieces in sim.last.turns
    ]


def seen(sim):
    return sim.last.method, sim.last.target


# ---- conversations ------------------------------------------------------------------------------
@pytest.mark.parametrize("upstream", TRANSLATED)
@pytest.mark.parametrize("how", ["whole", "streamed"])
def test_an_upstream_without_memory_hears_the_conversation_in_full(sim, client, upstream, how):
    def ask(**fields):
        fields["model"] = f"to-{upstream}"
        return client.create(**fields) if how == "whole" else streamed(client, **fields)[0]

    sim.script(Answer(text="Hello Ada."), Answer(text="Ada."), Answer(text="Of course."))
    first = ask(input="I am Ada.", system_instruction="Be brief.")
    second = ask(input="Who am I?", previous_interaction_id=first.id)
    ask(input=[{"type": "text", "text": "Sure?"}], previous_interaction_id=second.id)
    assert heard(sim) == [
        ("user", "I am Ada."),
        ("assistant", "Hello Ada."),
        ("user", "Who am I?"),
        ("assistant", "Ada."),
        ("user", "Sure?"),
    ]
    # Instructions belong to one interaction alone.
    assert sim.last.system == ""


@pytest.mark.parametrize("upstream", TRANSLATED)
@pytest.mark.parametrize("how", ["whole", "streamed"])
def test_a_result_answers_the_call_of_the_interaction_before(sim, client, upstream, how):
    sim.script(Answer(tools=[Call("get_weather", {"city": "Oslo"})]), Answer(text="Cold."))
    fields = {"model": f"to-{upstream}", "tools": [TOOL], "input": "Weather?"}
    if how == "whole":
        first = client.create(**fields)
        (call,) = [step for step in first.steps if step.type == "function_call"]
        call_id = call.id
    else:
        first, _ = streamed(client, **fields)
        (call,) = [step for step in first.steps if step.type == "function_call"]
        call_id = call.id
    assert first.status == "requires_action"
    result = {"type": "function_result", "call_id": call_id, "name": "get_weather", "result": "-3"}
    fields["input"] = [result]
    last = client.create(**fields, previous_interaction_id=first.id)
    assert last.steps[-1].content[0].text == "Cold."
    assert [text for _, text in sim.last.results] == ["-3"]


@pytest.mark.parametrize("how", ["whole", "streamed"])
def test_the_account_that_keeps_an_interaction_gets_the_short_request(sim, client, how):
    sim.strict = True
    sim.script(Answer(text="Hello."), Answer(text="Ada."), Answer(text="Yes."))

    def ask(**fields):
        fields["model"] = "to-interactions"
        return client.create(**fields) if how == "whole" else streamed(client, **fields)[0]

    first = ask(input="I am Ada.")
    second = ask(input="Who am I?", previous_interaction_id=first.id)
    assert sim.last.body["previous_interaction_id"] == first.id
    assert sim.last.body["input"] == "Who am I?"
    ask(input="Sure?", previous_interaction_id=second.id)
    assert sim.last.body["previous_interaction_id"] == second.id


def test_an_account_that_forgot_is_told_all(sim, client):
    sim.script(Answer(text="Hello."), Failure(404, "The interaction was not found."), Answer("Ada"))
    first = client.create(model="to-interactions", input="I am Ada.")
    client.create(model="to-interactions", input="Who am I?", previous_interaction_id=first.id)
    assert heard(sim) == [("user", "I am Ada."), ("assistant", "Hello."), ("user", "Who am I?")]
    assert "previous_interaction_id" not in sim.last.body


def test_what_came_in_a_stream_is_known_to_its_account_alone(sim, client):
    sim.script(Answer(text="Hello."))
    first, _ = streamed(client, model="to-interactions", input="I am Ada.")
    with pytest.raises(errors.NotFoundError, match=first.id):
        client.create(model="to-gemini", input="Who am I?", previous_interaction_id=first.id)


@pytest.mark.parametrize("upstream", TRANSLATED)
def test_an_interaction_nobody_kept_is_named(client, upstream):
    with pytest.raises(errors.NotFoundError, match="v1_unknown"):
        client.create(model=f"to-{upstream}", input="Hi", previous_interaction_id="v1_unknown")


def test_an_interaction_of_before_the_start_is_left_to_the_accounts_that_may_keep_it(sim, client):
    client.create(model="to-interactions", input="Hi", previous_interaction_id="v1_older")
    assert sim.last.body["previous_interaction_id"] == "v1_older"


def test_the_answers_of_two_apis_are_not_mixed_up(sim, proxy, client):
    interaction = client.create(model="to-gemini", input="Hi")
    assert get(proxy, f"/v1/responses/{interaction.id}").status_code == 404
    body = {"model": "to-gemini", "input": "Hi"}
    response = post(proxy, "/v1/responses", body).json()
    with pytest.raises(errors.NotFoundError):
        client.create(model="to-gemini", input="Hi", previous_interaction_id=response["id"])


@pytest.mark.parametrize("told", [{}, {"steps": []}])
def test_what_goes_on_in_the_background_is_known_to_its_account_alone(start_sim, start_proxy, told):
    runs, other = start_sim(), start_sim()
    proxy = start_proxy(f"""
interactions-api-key:
  - {{api-key: a, base-url: "{runs.url}", models: [{{name: gemini-3-pro-preview, alias: m}}]}}
gemini-api-key:
  - api-key: b
    base-url: "{other.url}"
    models: [{{name: gemini-3-pro-preview, alias: m}}, {{name: gemini-3-flash, alias: elsewhere}}]
routing: {{strategy: fill-first}}
""")
    runs.script(Raw(json.dumps({**RUNNING, **told}).encode()), Answer("Short."), Failure(429, "no"))
    ask = {"model": "m", "input": "Sum up.", "previous_interaction_id": "v1_job"}
    assert post(proxy, PATH, {"model": "m", "input": "x", "background": True}).status_code == 200
    assert post(proxy, PATH, ask).status_code == 200
    assert runs.last.body["previous_interaction_id"] == "v1_job"
    assert post(proxy, PATH, ask).status_code == 429
    assert post(proxy, PATH, {**ask, "model": "elsewhere"}).status_code == 404
    assert not other.requests


def test_the_beginning_that_an_account_alone_knows_is_not_left_out(start_sim, start_proxy):
    knows, other = start_sim(), start_sim()
    proxy = start_proxy(f"""
interactions-api-key:
  - {{api-key: a, base-url: "{knows.url}", models: [{{name: gemini-3-pro-preview, alias: m}}]}}
gemini-api-key:
  - {{api-key: b, base-url: "{other.url}", models: [{{name: gemini-3-pro-preview, alias: m}}]}}
routing: {{strategy: fill-first}}
""")
    knows.script(Answer("One."), Failure(429, "slow down"))
    body = {"model": "m", "input": "Hi", "previous_interaction_id": "v1_older"}
    first = post(proxy, PATH, body).json()["id"]
    again = post(proxy, PATH, {**body, "previous_interaction_id": first})
    assert again.status_code == 429
    assert knows.last.body["previous_interaction_id"] == first
    assert not other.requests


@pytest.mark.parametrize("item", [{"type": []}, {"type": {}}, {"id": []}, 7])
def test_an_item_of_no_type_is_at_fault_in_a_conversation_too(sim, proxy, item):
    first = post(proxy, PATH, {"model": "to-gemini", "input": "Hi"}).json()["id"]
    body = {"model": "to-gemini", "input": [item], "previous_interaction_id": first}
    answer = post(proxy, PATH, body)
    assert answer.status_code == 400
    assert error_of("interactions", answer)[1] == "invalid_request"
    assert len(sim.requests) == 1


def test_half_an_emoji_hides_no_other_field(sim, proxy):
    body = b'{"model":"to-gemini","input":"a \\ud83d"%b}'
    sim.script(Answer("Hi."), Answer("Found."))
    assert post(proxy, PATH, body % b',"store":false').status_code == 200
    assert len(proxy.runtime.app.generation.gateway.responses) == 0
    answer = post(proxy, PATH, body % b',"previous_interaction_id":"v1_unknown"')
    assert answer.status_code == 404
    assert "v1_unknown" in error_of("interactions", answer)[0]
    answer = post(proxy, PATH, b'{"agent":"deep-research","input":"a \\ud83d"}')
    assert answer.status_code == 200
    assert sim.last.body["agent"] == "deep-research"


# ---- what is kept ---------------------------------------------------------------------------------
@pytest.mark.parametrize("upstream", DIALECTS)
def test_an_interaction_is_got_and_deleted(sim, client, upstream):
    sim.script(Answer(text="Hello."), Raw(b"{}"))
    made = client.create(model=f"to-{upstream}", input="Hi")
    found = client.get(id=made.id)
    assert found.steps[-1].content[0].text == "Hello."
    assert (found.id, found.status, found.model) == (made.id, "completed", made.model)
    told = client.get(id=made.id, include_input=True)
    assert told.input[0].content[0].text == "Hi"
    client.delete(id=made.id)
    with pytest.raises(errors.NotFoundError, match=made.id):
        client.get(id=made.id)
    deleted = ("DELETE", f"{PATH}/{made.id}")
    assert (seen(sim) == deleted) == (upstream == "interactions")


def test_nobody_sees_what_another_key_asked_for(proxy, client):
    made = client.create(model="to-gemini", input="Hi")
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/cancel")):
        answer = post(proxy, f"{PATH}/{made.id}{path}", b"", key="other-key", method=method)
        assert answer.status_code == 404
        assert error_of("interactions", answer)[1] == "not_found"
    assert client.get(id=made.id).id == made.id


def test_what_was_not_to_be_stored_is_not(client):
    made = client.create(model="to-gemini", input="Hi", store=False)
    with pytest.raises(errors.NotFoundError):
        client.get(id=made.id)


def test_a_finished_interaction_is_not_streamed_again(proxy, client):
    made = client.create(model="to-gemini", input="Hi")
    answer = get(proxy, f"{PATH}/{made.id}?stream=true")
    assert (answer.status_code, error_of("interactions", answer)[1]) == (400, "invalid_request")
    cancelled = post(proxy, f"{PATH}/{made.id}/cancel", b"")
    assert cancelled.status_code == 400


# ---- the background, and agents -------------------------------------------------------------------
RUNNING = {"id": "v1_job", "status": "in_progress", "object": "interaction"}


@pytest.mark.parametrize("whose", [{"model": "to-interactions"}, {"agent": "deep-research"}])
def test_work_in_the_background_is_asked_for_where_it_runs(sim, client, whose):
    sim.script(Raw(json.dumps(RUNNING).encode()))
    made = client.create(**whose, input="Find out.", background=True)
    assert made.status == "in_progress"
    sim.script(Raw(json.dumps({**RUNNING, "status": "completed", "steps": []}).encode()))
    assert client.get(id="v1_job").status == "completed"
    assert (sim.last.method, sim.last.path) == ("GET", f"{PATH}/v1_job")
    assert sim.last.headers["x-goog-api-key"] == "interactions-key"
    assert sim.last.headers["api-revision"] == "2026-05-20"
    sim.script(Raw(json.dumps({**RUNNING, "status": "cancelled"}).encode()))
    assert client.cancel(id="v1_job").status == "cancelled"
    assert seen(sim) == ("POST", f"{PATH}/v1_job/cancel")


def test_a_stream_is_taken_up_again_where_it_runs(sim, proxy, client):
    sim.script(Raw(json.dumps(RUNNING).encode()))
    client.create(model="to-interactions", input="Find out.", background=True)
    event = b'event: step.delta\ndata: {"event_type":"step.delta"}\n\n'
    sim.script(Raw([event, b"event: done\ndata: [DONE]\n\n"], content_type="text/event-stream"))
    answer = get(proxy, f"{PATH}/v1_job?stream=true&last_event_id=e7&key={KEY}")
    assert answer.content == event + b"event: done\ndata: [DONE]\n\n"
    assert seen(sim) == ("GET", f"{PATH}/v1_job?stream=true&last_event_id=e7")


COUNTED = {"total_input_tokens": 30, "total_output_tokens": 9, "total_tokens": 39}
DONE = {**RUNNING, "status": "completed", "steps": [], "usage": COUNTED}
ENDED = (
    b"event: interaction.completed\ndata: %b\n\nevent: done\ndata: [DONE]\n\n"
    % json.dumps({"event_type": "interaction.completed", "interaction": DONE}).encode()
)


@pytest.mark.parametrize(
    ("method", "behind", "told"),
    [
        ("GET", "", Raw(json.dumps(DONE).encode())),
        ("GET", "?stream=true", Raw(ENDED, content_type="text/event-stream")),
        ("POST", "/cancel", Raw(json.dumps({**DONE, "status": "cancelled"}).encode())),
    ],
    ids=["asked-for", "streamed", "cancelled"],
)
def test_what_the_background_used_is_added_when_it_is_told(sim, proxy, method, behind, told):
    sim.script(Raw(json.dumps(RUNNING).encode()))
    asked = {"model": "to-interactions", "input": "Find out.", "background": True}
    assert post(proxy, PATH, asked).status_code == 200
    assert usage_rows(proxy)[0]["cost_usd"] is None
    # Still running: its counts are not the last ones.
    sim.script(Raw(json.dumps({**RUNNING, "usage": COUNTED}).encode()), told, told)
    assert get(proxy, f"{PATH}/v1_job").status_code == 200
    for _ in range(2):
        assert post(proxy, f"{PATH}/v1_job{behind}", b"", method=method).status_code == 200
    proxy.settle()
    (row,) = usage_rows(proxy)
    assert (row["tokens"]["input"], row["tokens"]["output"]) == (30, 9)
    assert row["cost_usd"] > 0
    for by in ((), ("hour",)):
        (total,) = proxy.runtime.usage.store.read(partial(questions.summary, by=by))
        assert (total["requests"], total["unpriced"], total["tokens"]["total"]) == (1, 0, 39)
        assert total["cost_usd"] == row["cost_usd"]
    assert proxy.runtime.usage.store.read(snapshot)["total_tokens"] == 39


def test_a_refusal_of_the_account_does_not_show_its_key(sim, proxy, client):
    sim.script(Raw(json.dumps(RUNNING).encode()))
    client.create(model="to-interactions", input="Find out.", background=True)
    sim.script(Failure(403, "The key interactions-key may not."))
    answer = get(proxy, f"{PATH}/v1_job")
    assert answer.status_code == 403
    assert "may not" in error_of("interactions", answer)[0]
    assert "interactions-key" not in answer.text


@pytest.mark.parametrize("upstream", TRANSLATED)
def test_nobody_else_works_in_the_background(sim, client, upstream):
    with pytest.raises(errors.BadRequestError, match="background"):
        client.create(model=f"to-{upstream}", input="Find out.", background=True)
    assert not sim.requests


def test_an_agent_is_asked_by_its_own_name(sim, client):
    sim.script(Answer(text="Found."))
    made = client.create(
        agent="deep-research-preview-04-2026",
        agent_config={"type": "deep-research", "thinking_summaries": "auto"},
        input="Find out.",
    )
    assert made.agent == "deep-research-preview-04-2026"
    assert sim.last.body["agent"] == "deep-research-preview-04-2026"
    assert "model" not in sim.last.body


def test_without_an_account_for_agents_there_are_none(sim, start_proxy):
    text = config(sim).replace("interactions-api-key", "xai-api-key")
    proxy = start_proxy(text)
    answer = post(proxy, PATH, {"agent": "deep-research", "input": "Hi"})
    assert answer.status_code == 404
    assert "deep-research" in error_of("interactions", answer)[0]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"input": "Hi"}, "model"),
        ({"model": 7, "input": "Hi"}, "model"),
        ({"agent": "", "input": "Hi"}, "agent"),
        ({"model": "to-gemini", "agent": "a", "input": "Hi"}, "agent"),
        ({"model": "to-gemini", "input": "Hi", "stream": "yes"}, "stream"),
        ({"model": "to-gemini"}, "input"),
        ({"model": "to-gemini", "input": 7}, "input"),
        ({"model": "to-gemini", "input": [{"text": "Hi"}]}, "input[0].type"),
        ({"model": "to-gemini", "input": "Hi", "previous_interaction_id": 7}, "previous_inter"),
    ],
)
def test_a_bad_request_is_told_which_field_is_at_fault(sim, proxy, body, named):
    answer = post(proxy, PATH, body)
    assert answer.status_code == 400
    message, code = error_of("interactions", answer)
    assert named in message
    assert code == "invalid_request"
    assert not sim.requests


# ---- verbatim -------------------------------------------------------------------------------------
def test_the_same_api_on_both_sides_passes_every_byte(sim, proxy):
    body = (
        b'{ "model":"models/%b", "input" : [{"type":"hologram","x":1}], "unheard_of": [1.50] }'
        % MODELS["interactions"].encode()
    )
    answer = post(proxy, PATH, body.replace(MODELS["interactions"].encode(), b"to-interactions"))
    assert answer.headers["x-cliproxy-fidelity"] == "verbatim"
    assert sim.last.content == body.replace(b"models/", b"")
    assert sim.last.path == PATH
    assert sim.last.headers["x-goog-api-key"] == "interactions-key"


def test_the_clients_own_revision_of_the_api_wins(sim, proxy):
    body = {"model": "to-interactions", "input": "Hi"}
    post(proxy, PATH, body, {"api-revision": "2027-01-01"})
    assert sim.last.headers.all("api-revision") == ["2027-01-01"]


def test_a_stream_without_its_mark_at_the_end_gets_it(sim, proxy):
    sim.script(Answer("Hello", drop="done"))
    body = {"model": "to-interactions", "input": "Hi", "stream": True}
    answer = post(proxy, PATH, body)
    assert answer.content.endswith(b"event: done\ndata: [DONE]\n\n")


def test_models_are_called_as_in_other_google_apis(sim, proxy):
    answer = post(proxy, PATH, {"model": "models/to-gemini", "input": "Hi"})
    assert answer.json()["model"] == "to-gemini"
