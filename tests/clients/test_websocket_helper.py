"""OpenAI's own websocket helper: tool loops, streams and failures, on every upstream."""

from __future__ import annotations

import json

import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import ResponseCompletedEvent
from openai.types.responses.responses_server_event import ResponseWsError

from tests.clients.sdk import DIALECTS
from tests.clients.upstreams import config
from tests.sim import Answer, Call, Failure, Usage

# The helper's own use of the websockets library.
pytestmark = pytest.mark.filterwarnings("ignore:connect.. must be used:DeprecationWarning")
every = pytest.mark.parametrize("upstream", DIALECTS)
TOOL = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}


@pytest.fixture
def proxy(start_sim, start_proxy):
    strict = start_sim(
        strict=True, keys={"chat-key", "codex-key", "claude-key", "gemini-key", "interactions-key"}
    )
    made = start_proxy(config(strict))
    made.sim = strict
    return made


@pytest.fixture
def connection(proxy):
    with (
        OpenAI(base_url=f"{proxy.url}/v1", api_key=proxy.key, max_retries=0) as client,
        client.responses.connect(websocket_connection_options={"proxy": None}) as made,
    ):
        yield made


def finished(connection):
    """Return the events of one answer, the last of them its end."""
    events = []
    for event in connection:
        events.append(event)
        if event.type in ("response.completed", "response.failed", "error"):
            return events
    raise AssertionError("the connection ended")


@every
def test_a_tool_loop_of_several_turns(proxy, connection, upstream):
    proxy.sim.script(
        Answer(tools=[Call("get_weather", {"city": "Oslo"})]),
        Answer(tools=[Call("get_weather", {"city": "Rome"})]),
        Answer(["Oslo is ", "colder."], usage=Usage(input=30, output=9)),
    )
    given = [{"type": "message", "role": "user", "content": "Where is it colder?"}]
    previous = None
    for city in ("Oslo", "Rome"):
        connection.response.create(
            model=f"to-{upstream}", tools=[TOOL], input=given, store=False,
            **({"previous_response_id": previous} if previous else {}),
        )  # fmt: skip
        end = finished(connection)[-1]
        assert isinstance(end, ResponseCompletedEvent)
        previous = end.response.id
        (call,) = [item for item in end.response.output if item.type == "function_call"]
        assert json.loads(call.arguments) == {"city": city}
        given = [{"type": "function_call_output", "call_id": call.call_id, "output": f"{city}: 9"}]
    connection.response.create(
        model=f"to-{upstream}", tools=[TOOL], input=given, store=False,
        previous_response_id=previous,
    )  # fmt: skip
    events = finished(connection)
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == events[-1].response.output_text == "Oslo is colder."
    assert events[-1].response.usage.total_tokens == 39
    pieces = [piece for _, turn in proxy.sim.last.turns for piece in turn]
    assert [piece[2] for piece in pieces if piece[0] == "result"] == ["Oslo: 9", "Rome: 9"]


def test_a_tool_loop_over_a_websocket_on_both_sides(start_sim, start_proxy):
    strict = start_sim(strict=True, keys={"codex-key"})
    key = "  - api-key: codex-key\n"
    proxy = start_proxy(config(strict).replace(key, f"{key}    websockets: true\n"))
    strict.script(
        Answer(tools=[Call("get_weather", {"city": "Oslo"})]),
        Failure(500, "down"),
        Answer("Nine."),
        Answer("Ten."),
    )
    asked = {"model": "to-openai-responses", "tools": [TOOL], "store": False}
    with (
        OpenAI(base_url=f"{proxy.url}/v1", api_key=proxy.key, max_retries=0) as client,
        client.responses.connect(websocket_connection_options={"proxy": None}) as connection,
    ):
        given = {"type": "message", "role": "user", "content": "Oslo?"}
        connection.response.create(input=[given], **asked)
        first = finished(connection)[-1].response
        (call,) = [item for item in first.output if item.type == "function_call"]
        result = {"type": "function_call_output", "call_id": call.call_id, "output": "9"}
        lean = {"input": [result], "previous_response_id": first.id}
        connection.response.create(**lean, **asked)
        assert finished(connection)[-1].status == 500
        connection.response.create(**lean, **asked)
        second = finished(connection)[-1].response
        assert second.output_text == "Nine."
        connection.response.create(input="And now?", previous_response_id=second.id, **asked)
        assert finished(connection)[-1].response.output_text == "Ten."
    assert {record.over for record in strict.requests} == {"websocket"}
    sizes = [r.body["input"] if isinstance(r.body["input"], str) else len(r.body["input"])
             for r in strict.requests]  # fmt: skip
    assert sizes == [1, 1, 3, "And now?"]


@every
def test_a_failure_is_an_error_event_and_the_next_turn_goes_well(proxy, connection, upstream):
    proxy.sim.script(Failure(400, "No such thing."), Answer("Fine."))
    connection.response.create(model=f"to-{upstream}", input="Hi")
    (error,) = finished(connection)
    assert isinstance(error, ResponseWsError)
    assert (error.status, error.error.type) == (400, "invalid_request_error")
    assert "No such thing." in error.error.message
    connection.response.create(model=f"to-{upstream}", input="Hi")
    assert finished(connection)[-1].response.output_text == "Fine."


def test_a_warm_up_and_what_goes_on_from_it(proxy, connection):
    connection.response.create(model="to-gemini", instructions="Be brief.", generate=False)
    warm = finished(connection)[-1].response
    assert warm.id.startswith("resp_prewarm_")
    assert warm.usage.total_tokens == 0
    proxy.sim.script(Answer("Yes."))
    connection.response.create(model="to-gemini", input="Well?", previous_response_id=warm.id)
    assert finished(connection)[-1].response.output_text == "Yes."
    assert len(proxy.sim.requests) == 1
    assert proxy.sim.last.system == "Be brief."


def test_steering_is_refused_in_words(connection):
    connection.response.steer(input="Faster.", previous_response_id="resp_1")
    (error,) = finished(connection)
    assert error.error.message == "unsupported websocket request type: response.steer"


@pytest.mark.anyio
async def test_the_asynchronous_helper_too(proxy):
    proxy.sim.script(Answer("Hello."))
    async with (
        AsyncOpenAI(base_url=f"{proxy.url}/v1", api_key=proxy.key) as client,
        client.responses.connect(websocket_connection_options={"proxy": None}) as connection,
    ):
        await connection.response.create(model="to-anthropic", input="Hi")
        async for event in connection:
            if event.type == "response.completed":
                break
        assert event.response.output_text == "Hello."
