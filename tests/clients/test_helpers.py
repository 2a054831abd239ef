"""What the SDKs add on top of plain calls: async clients, parsing helpers, automatic tools, lists."""

from __future__ import annotations

import asyncio
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import types
from pydantic import BaseModel

from tests.clients.sdk import DIALECTS
from tests.clients.upstreams import config
from tests.sim import Answer, Call, Usage, tool_loop

every = pytest.mark.parametrize("upstream", DIALECTS)


class Weather(BaseModel):
    city: str
    degrees: int


@pytest.fixture
def strict(start_sim):
    return start_sim(
        strict=True, keys={"chat-key", "codex-key", "claude-key", "gemini-key", "interactions-key"}
    )


@pytest.fixture
def proxy(strict, start_proxy):
    return start_proxy(config(strict))


def chat_client(proxy, kind: Any = openai.OpenAI):
    return kind(base_url=f"{proxy.url}/v1", api_key=proxy.key, max_retries=0, timeout=30)


def claude_client(proxy, kind: Any = anthropic.Anthropic):
    return kind(base_url=proxy.url, api_key=proxy.key, max_retries=0, timeout=30)


def google_client(proxy, **options):
    options = types.HttpOptions(base_url=proxy.url, timeout=30_000, **options)
    return genai.Client(api_key=proxy.key, http_options=options)


# ---- async ---------------------------------------------------------------------------------------
async def _chat(proxy, model):
    async with chat_client(proxy, openai.AsyncOpenAI) as client:
        stream = await client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Hi"}], stream=True
        )
        return "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])


async def _responses(proxy, model):
    async with chat_client(proxy, openai.AsyncOpenAI) as client:
        async with client.responses.stream(model=model, input="Hi") as stream:
            return (await stream.get_final_response()).output_text


async def _anthropic(proxy, model):
    async with claude_client(proxy, anthropic.AsyncAnthropic) as client:
        async with client.messages.stream(
            model=model, max_tokens=99, messages=[{"role": "user", "content": "Hi"}]
        ) as stream:
            return "".join([text async for text in stream.text_stream])


async def _gemini(proxy, model):
    client = google_client(proxy)
    stream = await client.aio.models.generate_content_stream(model=model, contents="Hi")
    text = "".join([chunk.text or "" async for chunk in stream])
    await client.aio.aclose()
    client.close()
    return text


async def _interactions(proxy, model):
    client = google_client(proxy)
    stream = await client.aio.interactions.create(model=model, input="Hi", stream=True)
    text = ""
    async for event in stream:
        if event.event_type == "step.delta" and event.delta.type == "text":
            text += event.delta.text
    await client.aio.aclose()
    client.close()
    return text


ASKED = (_chat, _responses, _anthropic, _gemini, _interactions)
ASYNC = dict(zip(DIALECTS, ASKED, strict=True))


@every
@pytest.mark.parametrize("client", DIALECTS)
def test_async_clients_ten_at_once(proxy, strict, client, upstream):
    strict.script(*[Answer(["Hello ", "there"])] * 10)

    async def many():
        return await asyncio.gather(*[ASYNC[client](proxy, f"to-{upstream}") for _ in range(10)])

    assert asyncio.run(many()) == ["Hello there"] * 10


# ---- structured output ---------------------------------------------------------------------------
SAID = '{"city": "Oslo", "degrees": -3}'


@every
def test_chat_parses_into_a_model(proxy, strict, upstream):
    strict.script(Answer(SAID))
    with chat_client(proxy) as client:
        done = client.chat.completions.parse(
            model=f"to-{upstream}",
            messages=[{"role": "user", "content": "Weather?"}],
            response_format=Weather,
        )
    assert done.choices[0].message.parsed == Weather(city="Oslo", degrees=-3)
    assert "degrees" in str(strict.last.body)


@every
def test_responses_parses_into_a_model(proxy, strict, upstream):
    strict.script(Answer(SAID))
    with chat_client(proxy) as client:
        done = client.responses.parse(model=f"to-{upstream}", input="Weather?", text_format=Weather)
    assert done.output_parsed == Weather(city="Oslo", degrees=-3)


@every
def test_gemini_parses_into_a_model(proxy, strict, upstream):
    strict.script(Answer(SAID))
    client = google_client(proxy)
    done = client.models.generate_content(
        model=f"to-{upstream}",
        contents="Weather?",
        config=types.GenerateContentConfig(
            response_mime_type="application/json", response_schema=Weather
        ),
    )
    client.close()
    assert done.parsed == Weather(city="Oslo", degrees=-3)


@every
def test_anthropic_parses_into_a_model(proxy, strict, upstream):
    strict.script(Answer(SAID))
    with claude_client(proxy) as client:
        done = client.messages.parse(
            model=f"to-{upstream}",
            max_tokens=99,
            messages=[{"role": "user", "content": "Weather?"}],
            output_format=Weather,
        )
    assert done.parsed_output == Weather(city="Oslo", degrees=-3)


# ---- tools that run by themselves ----------------------------------------------------------------
LOOP = [Call("get_weather", {"city": "Oslo"})]


@every
def test_google_calls_python_functions_by_itself(proxy, strict, upstream):
    def get_weather(city: str) -> str:
        """Tell the weather of a city."""
        return f"-3 degrees in {city}"

    strict.script(*[tool_loop(LOOP, "It is cold.")] * 2)
    client = google_client(proxy)
    done = client.models.generate_content(
        model=f"to-{upstream}",
        contents="Weather?",
        config=types.GenerateContentConfig(tools=[get_weather]),
    )
    client.close()
    assert done.text == "It is cold."
    assert "-3 degrees in Oslo" in strict.last.results[0][1]


@pytest.mark.parametrize("upstream", [d for d in DIALECTS if d != "anthropic"])
def test_anthropics_tool_runner(proxy, strict, upstream):
    """It keeps its conversation on the server, finds none there, and sends it whole."""

    @anthropic.beta_tool
    def get_weather(city: str) -> str:
        """Tell the weather of a city."""
        return f"-3 degrees in {city}"

    strict.script(*[tool_loop(LOOP, "It is cold.")] * 2)
    with claude_client(proxy) as client:
        runner = client.beta.messages.tool_runner(
            model=f"to-{upstream}",
            max_tokens=99,
            tools=[get_weather],
            messages=[{"role": "user", "content": "Weather?"}],
        )
        done = runner.until_done()
    assert done.content[0].text == "It is cold."
    assert strict.last.results[0][1] == "-3 degrees in Oslo"


@every
def test_a_conversation_of_forty_turns_keeps_its_calls(proxy, strict, upstream):
    model = f"to-{upstream}"
    tools: Any = [
        {
            "type": "function",
            "function": {"name": "step", "parameters": {"type": "object", "properties": {}}},
        }
    ]
    messages: list[Any] = [{"role": "user", "content": "Go"}]
    with chat_client(proxy) as client:
        for turn in range(40):
            strict.script(Answer(f"Step {turn}.", tools=[Call("step", {"n": turn})]))
            done = client.chat.completions.create(model=model, messages=messages, tools=tools)
            message = done.choices[0].message
            messages.append(message.to_dict())
            messages.append(
                {
                    "role": "tool",
                    "tool_call_id": message.tool_calls[0].id,
                    "content": f"result {turn}",
                }
            )
    calls = [piece for _, pieces in strict.last.turns for piece in pieces if piece[0] == "call"]
    assert [call[3] for call in calls] == [{"n": turn} for turn in range(39)]
    ids = [call[1] for call in calls if call[1]]
    assert len(set(ids)) == len(ids)


# ---- lists and counts ----------------------------------------------------------------------------
def test_every_sdk_lists_the_models(proxy):
    wanted = {f"to-{dialect}" for dialect in DIALECTS}
    with chat_client(proxy) as client:
        assert {model.id for model in client.models.list()} >= wanted
        assert client.models.retrieve("to-gemini").id == "to-gemini"
    with claude_client(proxy) as client:
        assert {model.id for model in client.models.list(limit=3)} >= wanted
        assert client.models.retrieve("to-gemini").type == "model"
    for version in ("v1beta", "v1"):
        client = google_client(proxy, api_version=version)
        assert {model.name for model in client.models.list()} >= {f"models/{n}" for n in wanted}
        assert client.models.get(model="to-gemini").name == "models/to-gemini"
        answer = client.models.generate_content(model="to-gemini", contents="Hi")
        assert answer.text == "You said: Hi"
        client.close()


@every
def test_every_sdk_counts_tokens(proxy, upstream):
    with claude_client(proxy) as client:
        told = client.messages.count_tokens(
            model=f"to-{upstream}", messages=[{"role": "user", "content": "Hello there"}]
        )
        assert told.input_tokens > 0
    client = google_client(proxy)
    assert client.models.count_tokens(model=f"to-{upstream}", contents="Hello").total_tokens > 0
    client.close()


@every
def test_usage_details_survive(proxy, strict, upstream):
    strict.script(*[Answer("x", usage=Usage(100, 30, 60, reasoning=10))] * 2)
    with chat_client(proxy) as client:
        chat = client.chat.completions.create(
            model=f"to-{upstream}", messages=[{"role": "user", "content": "Hi"}]
        ).usage
        assert chat.total_tokens == 130
        assert chat.prompt_tokens_details.cached_tokens == 60
        answer = client.responses.create(model=f"to-{upstream}", input="Hi").usage
        assert (answer.input_tokens, answer.total_tokens) == (100, 130)
        if upstream != "anthropic":  # it does not tell
            assert chat.completion_tokens_details.reasoning_tokens == 10
            assert answer.output_tokens_details.reasoning_tokens == 10
