"""Accounts at their limit are not felt: they are left alone, and the others answer."""

from __future__ import annotations

import copy
import json
from math import ceil

import anthropic
import openai
import pytest
from google.genai._interactions.core.error import RateLimitError

from cliproxy.pipeline.spared import Spared
from cliproxy.routing.accounts import limits_from_config
from cliproxy.routing.pool import Pool
from tests.clients.sdk import DIALECTS, Scenario
from tests.clients.sdk import ask as ask_with_sdk
from tests.clients.upstreams import MODELS, config
from tests.clock import FakeClock
from tests.server.raw import SHAPES, error_of, post, request
from tests.sim import Answer, Failure, Raw, errors


class World:
    """Simulated hosts named a, b, … behind one proxy whose clock the test moves."""

    def __init__(self, start_sim, start_proxy, names="ab", *, extra="", models="[m, n]"):
        self.sims = {name: start_sim() for name in names}
        rows = "".join(
            f'  - {{name: {name}, base-url: "{sim.url}/v1", models: {models},'
            f" api-key-entries: [{{api-key: k-{name}}}]}}\n"
            for name, sim in self.sims.items()
        )
        self.proxy = start_proxy(f"{extra}\nopenai-compatibility:\n{rows}")
        self.clock = wound(self.proxy)

    def script(self, name, *answers):
        self.sims[name].script(*answers)

    @property
    def asked(self):
        """Return how often each host was asked since the last look."""
        counts = {name: len(sim.requests) for name, sim in self.sims.items()}
        before = getattr(self, "_before", dict.fromkeys(counts, 0))
        self._before = counts
        return "".join(name * (counts[name] - before[name]) for name in counts)

    def ask(self, dialect="openai-chat", *, model="m", headers=None, **fields):
        path, body = request(dialect, model, **fields)
        return post(self.proxy, path, body, headers)


def wound(proxy):
    """Give a running proxy a clock that stands still."""
    clock = FakeClock()
    gateway = proxy.runtime.app.generation.gateway
    settings = proxy.loaded.config
    ttl = settings.routing.session_affinity_ttl
    gateway.pool = Pool(
        settings.routing.strategy,
        limits=limits_from_config(settings),
        affinity_ttl=ttl if settings.routing.session_affinity else 0.0,
        clock=clock,
        chance=lambda: 0.0,
    )
    gateway.clock = clock
    gateway.spared = Spared(clock)
    return clock


@pytest.fixture
def world(start_sim, start_proxy):
    def build(names="ab", **more):
        return World(start_sim, start_proxy, names, **more)

    return build


def limit(seconds=20.0, **more):
    return Failure(status=429, retry_after=seconds, message="Quota of the moon", **more)


# ---- one account at its limit -----------------------------------------------------------------
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_account_at_its_limit_is_asked_once_and_left_alone_until_its_time(world, stream):
    hosts = world()
    hosts.script("a", limit(20))
    assert [hosts.ask(stream=stream).status_code for _ in range(6)] == [200] * 6
    assert hosts.asked == "abbbbbb"
    hosts.clock.time += 19
    assert hosts.ask(stream=stream).status_code == 200
    assert hosts.asked == "b"
    hosts.clock.time += 2
    for _ in range(4):
        assert hosts.ask(stream=stream).status_code == 200
    assert sorted(hosts.asked) == list("aabb")


def test_a_limit_is_that_of_one_model(world):
    hosts = world("a")
    hosts.script("a", limit(20))
    assert hosts.ask().status_code == 429
    assert hosts.ask().status_code == 429
    assert hosts.asked == "a"
    assert hosts.ask(model="n").status_code == 200


def test_an_error_that_came_inside_an_answer_of_status_200_counts_too(world):
    hosts = world()
    hosts.script("a", Raw(_body(429)))
    for _ in range(3):
        assert hosts.ask().status_code == 200
    assert hosts.asked == "abbb"


def test_an_error_at_the_beginning_of_a_stream_counts_too(world):
    hosts = world()
    hosts.script("a", Answer("never seen", error=limit(), error_at=0))
    for _ in range(3):
        assert b"Quota of the moon" not in hosts.ask(stream=True).content
    assert hosts.asked == "abbb"


@pytest.mark.parametrize("drip", [0.0, 0.02], ids=["at once", "piece by piece"])
def test_a_limit_met_in_mid_stream_is_remembered_for_the_next_request(world, drip):
    hosts = world()
    hosts.script("a", Answer(["Half ", "an answer"], error=limit(), error_at=3, drip=drip))
    path, body = request("anthropic", stream=True)
    assert b"Quota of the moon" in post(hosts.proxy, path, body).content
    assert hosts.asked == "a"
    for _ in range(3):
        assert hosts.ask().status_code == 200
    assert hosts.asked == "bbb"


def _body(status):
    return json.dumps(errors.body("openai-chat", Failure(status=status, message="x"))).encode()


def test_where_the_time_was_said_is_known(sim, start_proxy):
    proxy = start_proxy(config(sim))
    wound(proxy)
    gateway = proxy.runtime.app.generation.gateway
    for upstream, source in (
        ("openai-chat", "header"),
        ("anthropic", "header"),
        ("gemini", "body"),
    ):
        sim.script(limit(33))
        path, body = request("openai-chat", f"to-{upstream}")
        assert post(proxy, path, body).status_code == 429
        (candidate,) = gateway.registry.resolve(f"to-{upstream}")
        belief = gateway.pool._cooldowns.about(candidate)
        assert (belief.source, belief.until - gateway.clock.time) == (source, 33)


@pytest.mark.parametrize("status", [401, 402])
def test_a_refused_key_cools_the_whole_account(world, status):
    hosts = world()
    hosts.script("a", Failure(status=status))
    for model in ("m", "n", "m", "n"):
        assert hosts.ask(model=model).status_code == 200
    assert hosts.asked == "abbbb"
    hosts.clock.time += 1801
    for _ in range(2):
        assert hosts.ask().status_code == 200
    assert "a" in hosts.asked


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_at_fault_cools_nothing_and_is_not_tried_elsewhere(world, status):
    hosts = world()
    for name in "ab":
        hosts.script(name, *[Failure(status=status)] * 2)
    assert [hosts.ask().status_code for _ in range(4)] == [status] * 4
    assert sorted(hosts.asked) == list("aabb")
    assert [hosts.ask().status_code for _ in range(2)] == [200, 200]


def test_a_host_that_stumbled_is_asked_again_only_when_nobody_else_answers(world):
    hosts = world()
    hosts.script("a", Failure(status=500))
    for _ in range(3):
        assert hosts.ask().status_code == 200
    assert hosts.asked == "abbb"
    hosts.script("b", limit())
    assert hosts.ask().status_code == 200
    assert hosts.asked == "ab"


def test_one_stumble_does_not_shut_out_the_only_account(world):
    hosts = world("a")
    hosts.script("a", Failure(status=500))
    assert [hosts.ask().status_code for _ in range(3)] == [500, 200, 200]


# ---- all of them ------------------------------------------------------------------------------
@pytest.mark.parametrize("dialect", SHAPES)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_when_all_are_at_their_limit_the_client_learns_when_to_come_back(world, dialect, stream):
    hosts = world()
    hosts.script("a", limit(20))
    hosts.script("b", limit(50))
    first = hosts.ask(dialect, stream=stream)
    assert (first.status_code, first.headers["retry-after"]) == (429, "20")
    hosts.clock.time += 4.5
    refused = hosts.ask(dialect, stream=stream)
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "16"
    message, kind = error_of(dialect, refused)
    assert "All 2 accounts" in message
    assert "2 at its limit" in message
    words = {
        "anthropic": "rate_limit_error",
        "gemini": "RESOURCE_EXHAUSTED",
        "interactions": "rate_limit_exceeded",
    }
    assert kind == words.get(dialect, "rate_limit_error")
    assert hosts.asked == "ab"
    hosts.clock.time += ceil(15.5)
    assert hosts.ask(dialect, stream=stream).status_code == 200
    assert hosts.asked == "a"


@pytest.mark.parametrize("client", DIALECTS)
@pytest.mark.parametrize("upstream", DIALECTS)
def test_the_official_sdks_see_a_rate_limit(sim, start_proxy, client, upstream):
    proxy = start_proxy(config(sim))
    wound(proxy)
    sim.script(limit(33))
    for _ in range(2):
        with pytest.raises(Exception) as caught:  # each SDK has its own class
            ask_with_sdk(client, proxy.url, proxy.key, f"to-{upstream}", Scenario(), stream=False)
        error = caught.value
        if client == "gemini":
            assert error.code == 429
        else:
            raised = anthropic.RateLimitError | openai.RateLimitError | RateLimitError
            assert isinstance(error, raised)
            assert error.response.headers["retry-after"] == "33"
    assert "cooling down" in str(error)
    assert len(sim.requests) == 1
    assert sim.last.model == MODELS[upstream]


def test_counting_tokens_never_waits_and_never_cools(world):
    hosts = world("a", models="[m]")
    hosts.script("a", limit(20))
    assert hosts.ask().status_code == 429
    path = "/v1/messages/count_tokens"
    counted = post(hosts.proxy, path, request("anthropic")[1])
    assert counted.json()["input_tokens"] > 0


def test_what_cannot_count_may_still_generate(sim, start_proxy):
    proxy = start_proxy(config(sim))
    wound(proxy)
    path, body = request("anthropic", "to-anthropic")
    sim.only_models = True
    assert post(proxy, path + "/count_tokens", body).json()["input_tokens"] > 0
    assert not proxy.runtime.app.generation.gateway.pool._cooldowns
    sim.only_models = False
    assert post(proxy, path, body).status_code == 200


def test_a_key_that_is_refused_when_counting_is_refused_for_everything(sim, start_proxy):
    proxy = start_proxy(config(sim))
    wound(proxy)
    path, body = request("anthropic", "to-anthropic")
    sim.keys = {"another"}
    assert post(proxy, path + "/count_tokens", body).json()["input_tokens"] > 0
    sim.keys = set()
    assert post(proxy, path, body).status_code == 429
    assert len(sim.requests) == 1


# ---- further rounds ---------------------------------------------------------------------------
def test_a_short_limit_is_waited_for_when_the_owner_allows_another_round(world):
    hosts = world(extra="request-retry: 1\nmax-retry-interval: 30s")
    hosts.script("a", limit(12))
    hosts.script("b", limit(7))
    assert hosts.ask().status_code == 200
    assert hosts.asked == "abb"
    assert hosts.clock.slept == [7]


def test_a_long_limit_is_not_waited_for(world):
    hosts = world("a", extra="request-retry: 3\nmax-retry-interval: 30s")
    hosts.script("a", limit(31))
    assert hosts.ask().status_code == 429
    assert hosts.asked == "a"
    assert hosts.clock.slept == []


def test_stumbles_are_retried_with_growing_pauses(world):
    hosts = world("a", extra="request-retry: 3")
    hosts.script("a", *[Failure(status=503)] * 3)
    assert hosts.ask().status_code == 200
    assert hosts.clock.slept == [0.5, 1, 2]
    hosts.script("a", *[Failure(status=503)] * 9)
    assert hosts.ask().status_code == 503
    assert hosts.asked == "aaaaaaaa"


def test_after_output_was_shown_nothing_is_tried_again(world):
    hosts = world(extra="request-retry: 3")
    hosts.script("a", Answer(["Half ", "an ", "answer"], cut=3))
    hosts.script("b", Answer("Never asked"))
    told = hosts.ask(stream=True)
    assert told.status_code == 200
    assert b"Never asked" not in told.content
    assert b"error" in told.content
    assert hosts.asked == "a"
    assert hosts.clock.slept == []


def test_a_request_at_fault_gets_no_further_round(world):
    hosts = world("a", extra="request-retry: 3")
    hosts.script("a", Failure(status=400))
    assert hosts.ask().status_code == 400
    assert hosts.asked == "a"
    assert hosts.clock.slept == []


def test_the_owner_may_say_which_errors_end_a_request(sim, start_proxy):
    rules = "[{status: 503, match: moon, action: stop}, {status: 400, action: continue}]"
    proxy = start_proxy(f"""
request-retry: 3
routing: {{strategy: fill-first}}
claude-api-key:
  - {{api-key: a, base-url: "{sim.url}", models: [m], request-scoped-errors: {rules}}}
  - {{api-key: b, base-url: "{sim.url}", models: [m]}}
""")
    clock = wound(proxy)
    path, body = request("anthropic")
    sim.script(Failure(status=503, message="The moon is full"))
    assert post(proxy, path, body).status_code == 503
    assert len(sim.requests) == 1
    sim.script(Failure(status=400))
    assert post(proxy, path, body).status_code == 200
    assert len(sim.requests) == 3
    assert clock.slept == []


def test_the_owner_may_switch_cooling_off(world):
    hosts = world(extra="disable-cooling: true\nrouting: {strategy: fill-first}")
    hosts.script("a", *[limit()] * 3)
    assert [hosts.ask().status_code for _ in range(3)] == [200] * 3
    assert sorted(hosts.asked) == list("aaabbb")


# ---- conversations ----------------------------------------------------------------------------
def conversation(dialect, turns):
    """Return path and body of a request of one conversation that has gone on for `turns`."""
    path, body = request(dialect)
    body = copy.deepcopy(body)
    match dialect:
        case "gemini":
            first, answer = body["contents"][0], {"role": "model", "parts": [{"text": "Yes?"}]}
            body["contents"] = [first, *[answer, first] * (turns - 1)]
        case "interactions":
            said = {"type": "user_input", "content": [{"type": "text", "text": "Hi"}]}
            answer = {"type": "model_output", "content": [{"type": "text", "text": "Yes?"}]}
            body["input"] = [said, *[answer, said] * (turns - 1)]
        case "openai-responses":
            said = {"role": "user", "content": "Hi"}
            body["input"] = [said, *[{"role": "assistant", "content": "Yes?"}, said] * (turns - 1)]
        case _:
            said = body["messages"][0]
            body["messages"] = [
                said, *[{"role": "assistant", "content": "Yes?"}, said] * (turns - 1)
            ]  # fmt: skip
    return path, body


TALKING = [d for d in SHAPES if d != "openai-completions"]


@pytest.mark.parametrize("dialect", TALKING)
def test_a_conversation_sticks_to_one_account_over_its_turns_and_moves_when_that_fails(
    world, dialect
):
    hosts = world("abc")

    def turn(number):
        path, body = conversation(dialect, number)
        assert post(hosts.proxy, path, body).status_code == 200
        return hosts.asked

    assert "".join(turn(number) for number in (1, 2, 3, 4)) == "aaaa"
    hosts.script("a", limit(20))
    moved = turn(5)
    assert moved[0] == "a"
    assert len(moved) == 2
    hosts.clock.time += 21
    assert turn(6) == turn(7) == moved[1]


@pytest.mark.parametrize("header", ["x-claude-code-session-id", "session_id", "x-session-affinity"])
def test_a_conversation_may_have_a_name(world, header):
    hosts = world("abc")
    for _ in range(3):
        assert hosts.ask(headers={header: "one"}).status_code == 200
    assert hosts.asked == "aaa"
    for _ in range(2):
        assert hosts.ask(headers={header: "two"}).status_code == 200
    assert hosts.asked == "bb"
    assert hosts.ask(prompt_cache_key="three").status_code == 200
    assert hosts.asked == "c"


def test_the_same_question_asked_anew_is_a_new_conversation(world):
    hosts = world("abc")
    for _ in range(6):
        hosts.ask()
    assert hosts.asked == "aabbcc"


def test_affinity_can_be_switched_off(world):
    hosts = world(extra="routing: {session-affinity: false}")
    for _ in range(4):
        hosts.ask(headers={"session_id": "one"})
    assert hosts.asked == "aabb"
