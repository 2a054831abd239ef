"""The Responses API on a websocket says what it says over HTTP, turn after turn."""

from __future__ import annotations

import json
from contextlib import ExitStack

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from cliproxy.server import inbox, socket
from tests.clients.sdk import DIALECTS
from tests.clients.upstreams import config
from tests.proxy import KEY
from tests.server.raw import post
from tests.server.sockets import opened
from tests.server.test_leaving import OWN, kernel_bound
from tests.server.test_reload import reload
from tests.server.test_usage import rows, turn
from tests.sim import Answer, Call, Failure, Gate, Raw, Usage

every = pytest.mark.parametrize("upstream", DIALECTS)
LOOKUP = {
    "type": "function",
    "name": "look",
    "parameters": {"type": "object", "properties": {"at": {"type": "string"}}},
}


@pytest.fixture
def proxy(sim, start_proxy):
    return start_proxy(config(sim))


@pytest.fixture
def ws(proxy):
    with opened(proxy) as found:
        yield found


def heard(record):
    """Return who said what, as an upstream heard it: words, calls and results."""
    return [
        (role, *(piece[-1] if piece[0] != "call" else piece[2] for piece in pieces))
        for role, pieces in record.turns
    ]


def words(messages):
    return "".join(m["delta"] for m in messages if m["type"] == "response.output_text.delta")


def user(text):
    return {"type": "message", "role": "user", "content": text}


# What comes out


@every
@pytest.mark.parametrize(
    "answer",
    [
        Answer("Hello there"),
        Answer(["one ", "two ", "drei ☃"], thinking="hm", usage=Usage(input=5, output=3)),
        Answer(tools=[Call("look", {"at": "sky"})]),
        Answer(["cut "] * 12, cut=8),
        Answer("too long", finish="length"),
        Answer(["in pieces ", "of bytes"], chunk=3),
        Answer("noted", comments=True, crlf=True),
    ],
    ids=["words", "thinking", "call", "cut", "length", "pieces", "comments"],
)
def test_messages_are_the_data_of_the_http_stream(proxy, sim, ws, upstream, answer):
    sim.script(answer)
    body = {"model": f"to-{upstream}", "input": "Hi", "tools": [LOOKUP]}
    told = post(proxy, "/v1/responses", {**body, "stream": True}).text
    verbatim = upstream == "openai-responses" and answer.cut is None
    sim.script(Raw(told.encode(), content_type="text/event-stream") if verbatim else answer)
    data = [line[6:] for line in told.splitlines() if line.startswith("data: {")]
    # A failure is told once: who stops at an error would take the rest for the next answer.
    if named(data[-1])["type"] == "response.failed":
        data = [one for one in data if named(one)["type"] != "error"]
    ws.say(**body)
    messages = []
    while len(messages) < len(data):
        messages.append(ws.wire.recv(timeout=5))
    if verbatim:
        assert messages == data, "byte for byte"
    assert [named(m) for m in messages] == [named(m) for m in data]


def named(text):
    """Return an event without the ids and times that the proxy makes up anew for each answer."""
    return scrubbed(json.loads(text))


def scrubbed(value):
    if isinstance(value, dict):
        made = {"id", "item_id", "call_id", "created_at", "completed_at", "encrypted_content"}
        return {k: scrubbed(v) for k, v in value.items() if k not in made}
    return [scrubbed(one) for one in value] if isinstance(value, list) else value


def test_keep_alive_comments_stay_out_of_it(sim, start_proxy):
    proxy = start_proxy(config(sim, "streaming: {keepalive-seconds: 1}"))
    sim.script(Answer("late", delay=1.2))
    with opened(proxy) as ws:
        assert words(ws.turn(model="to-gemini", input="Hi")) == "late"


# What goes in


@every
def test_a_tool_loop_sends_only_what_is_new(sim, ws, upstream):
    sim.script(
        Answer(tools=[Call("look", {"at": "sky"})]),
        Answer(tools=[Call("look", {"at": "sea"})]),
        Answer("Both are blue."),
    )
    common = {"model": f"to-{upstream}", "tools": [LOOKUP], "store": False}
    first = ws.ask(input=[user("Compare.")], **common)
    second = ws.ask(input=[result(first, "blue")], previous_response_id=first["id"], **common)
    third = ws.ask(input=[result(second, "also")], previous_response_id=second["id"], **common)
    assert "Both" in json.dumps(third["output"])
    last = sim.requests[-1]
    pieces = [piece for _, pieces in last.turns for piece in pieces]
    assert [piece[2] for piece in pieces if piece[0] == "result"] == ["blue", "also"]
    assert [p[3] for p in pieces if p[0] == "call"] == [{"at": "sky"}, {"at": "sea"}]
    assert "previous_response_id" not in last.body


def result(response, text):
    (call,) = [item for item in response["output"] if item["type"] == "function_call"]
    return {"type": "function_call_output", "call_id": call["call_id"], "output": text}


def test_a_warm_up_asks_nobody_and_can_be_gone_on_from(proxy, sim, ws):
    created, completed = ws.turn(
        generate=False, model="to-anthropic", instructions="Be brief.", input=[user("Hi")]
    )
    assert [created["type"], completed["type"]] == ["response.created", "response.completed"]
    response = completed["response"]
    assert response["id"].startswith("resp_prewarm_")
    assert response["usage"]["total_tokens"] == 0
    assert response["output"] == []
    assert not sim.requests
    sim.script(Answer("Hello"))
    ws.ask(previous_response_id=response["id"], input=[user("Now.")])
    assert heard(sim.last) == [("user", "Hi", "Now.")]
    assert sim.last.system == "Be brief."
    assert len(rows(proxy)) == 1, "a warm-up is no request"


def test_a_create_without_a_model_goes_on_with_the_last_one(sim, ws):
    sim.script(Answer("One"), Answer("Two"))
    ws.ask(model="to-gemini", instructions="Count.", input="first", store=False)
    ws.ask(input="second")
    assert heard(sim.last) == [("user", "first"), ("assistant", "One"), ("user", "second")]
    assert sim.last.system == "Count."


def test_an_append_goes_on_with_all_that_was_set(sim, ws):
    sim.script(Answer(tools=[Call("look", {"at": "sky"})]), Answer("Blue."))
    first = ws.ask(model="to-openai-chat", input="Look.", tools=[LOOKUP], store=False)
    ws.ask(type="response.append", input=[result(first, "blue")])
    assert sim.last.tools == ["look"]
    assert [text for _, text in sim.last.results] == ["blue"]


def test_a_create_that_names_its_model_and_nothing_before_stands_alone(sim, ws):
    sim.script(Answer("One"), Answer("Two"))
    ws.ask(model="to-gemini", instructions="Count.", input="first")
    ws.ask(model="to-gemini", input="second")
    assert heard(sim.last) == [("user", "second")]
    assert not sim.last.system


def test_results_of_calls_need_not_say_what_they_go_on_from(sim, ws):
    sim.script(Answer(tools=[Call("look", {"at": "sky"})]), Answer("Blue."))
    first = ws.ask(model="to-gemini", input="Look.", tools=[LOOKUP])
    ws.ask(model="to-gemini", input=[result(first, "blue")], tools=[LOOKUP])
    assert heard(sim.last)[0] == ("user", "Look.")


def test_a_whole_conversation_takes_the_place_of_what_was(sim, ws):
    sim.script(Answer("One"), Answer("Two"))
    ws.ask(model="to-anthropic", input="first")
    told = [user("other"), {"role": "assistant", "content": "Aye"}, user("more")]
    ws.ask(input=told)
    assert heard(sim.last) == [("user", "other"), ("assistant", "Aye"), ("user", "more")]


def test_what_the_client_repeats_is_sent_once(sim, ws):
    sim.script(Answer(tools=[Call("look", {"at": "sky"})]), Answer("Blue."))
    first = ws.ask(model="to-anthropic", input="Look.", tools=[LOOKUP], store=False)
    again = [*first["output"], result(first, "old"), result(first, "new")]
    ws.ask(input=again, previous_response_id=first["id"], tools=[LOOKUP])
    calls = [p for _, pieces in sim.last.turns for p in pieces if p[0] == "call"]
    assert len(calls) == 1
    assert [text for _, text in sim.last.results] == ["new"]


def test_what_the_store_keeps_can_be_gone_on_from_on_another_connection(proxy, sim, ws):
    sim.script(Answer("One"), Answer("Two"), Answer("Three"))
    first = ws.ask(model="to-gemini", input="first")
    with opened(proxy) as other:
        second = other.ask(model="to-gemini", input="second", previous_response_id=first["id"])
        other.ask(input="third", previous_response_id=second["id"])
    assert [text for _, text in heard(sim.last)] == ["first", "One", "second", "Two", "third"]


def test_the_end_of_a_conversation_is_not_taken_for_all_of_it(proxy, sim, ws):
    sim.script(*(Answer(text="x", id=f"resp_{n}") for n in (1, 2, 3)))
    common = {"model": "to-openai-responses"}
    ws.ask(input="1", previous_response_id="resp_older", **common)
    with opened(proxy) as other:
        other.ask(input="2", previous_response_id="resp_1", **common)
        other.ask(input="3", previous_response_id="resp_2", **common)
        assert sim.last.body["previous_response_id"] == "resp_2"
        assert heard(sim.last) == [("user", "3")]
        for fields in ({"generate": False}, {"model": "to-gemini"}):
            told = {**common, "input": "4", "previous_response_id": "resp_3", **fields}
            status, error = other.refusal(**told)
            assert (status, error["code"]) == (400, "previous_response_not_found")
    assert len(sim.requests) == 3


def test_nothing_of_one_connection_is_known_to_another(proxy, sim, ws):
    first = ws.ask(model="to-gemini", input="first", store=False)
    with opened(proxy) as other:
        status, error = other.refusal(
            model="to-gemini", input="second", previous_response_id=first["id"]
        )
    assert (status, error["code"]) == (400, "previous_response_not_found")


def test_bytes_frames_are_as_good_as_text(ws):
    ws.wire.send(
        json.dumps({"type": "response.create", "model": "to-gemini", "input": "Hi"}).encode()
    )
    assert ws.rest()[-1]["type"] == "response.completed"


def test_creates_wait_for_their_turn(sim, ws):
    gate = Gate()
    sim.script(Answer(["One ", "two"], gate=gate, gate_at=1), Answer("Three"))
    ws.say(model="to-anthropic", input="a")
    ws.say(model="to-anthropic", input="b")
    gate.wait_reached()
    assert len(sim.requests) == 1
    gate.open()
    assert [words(ws.rest()), words(ws.rest())] == ["One two", "Three"]


def test_more_creates_than_may_wait_are_refused_each_in_its_turn(sim, ws, monkeypatch):
    monkeypatch.setattr(inbox, "MOST", 1)
    gate = Gate()
    sim.script(Answer("One", gate=gate))
    ws.say(model="to-anthropic", input="a")
    gate.wait_reached()
    for text in "bcd":
        ws.say(model="to-anthropic", input=text)
    ws.wire.ping().wait(5)
    gate.open()
    ends = [ws.rest()[-1] for _ in range(4)]
    assert [end.get("status") for end in ends] == [None, None, 429, 429]
    assert ends[2]["error"]["code"] == "too_many_messages"


# Errors


@pytest.mark.parametrize(
    ("message", "status", "told"),
    [
        ({"type": "response.steer"}, 400, "unsupported websocket request type: response.steer"),
        ({"type": None}, 400, "unsupported websocket request type: "),
        ({"input": "Hi"}, 400, "model"),
        ({"model": "nothing-like-it", "input": "Hi"}, 404, "nothing-like-it"),
        ({"model": "to-gemini", "input": 5}, 400, "input"),
        ({"model": "to-gemini", "input": [5]}, 400, "input"),
        ({"model": "to-gemini", "input": "Hi", "stream_id": "a"}, 400, "stream_id"),
        ({"model": "to-gemini", "input": "Hi", "background": True}, 400, "background"),
        ({"type": "response.append", "input": []}, 400, "response.create before it"),
        ({"type": "response.append", "input": "Hi"}, 400, "list"),
        ({"model": "nothing-like-it", "input": "Hi", "generate": False}, 404, "nothing-like-it"),
        ({"model": "to-gemini", "generate": False, "previous_response_id": "x"}, 400, "'x'"),
    ],
)
def test_a_message_at_fault_is_told_so_and_the_connection_stays(proxy, ws, message, status, told):
    found, error = ws.refusal(**message)
    assert found == status
    assert told in error["message"]
    assert ws.ask(model="to-gemini", input="Hi")
    assert [row["status"] for row in rows(proxy, 2)] == [200, status]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"response.create"'])
def test_what_is_no_object_is_told_so(ws, text):
    ws.wire.send(text)
    (answer,) = ws.rest()
    assert (answer["status"], answer["error"]["code"]) == (400, "invalid_json")
    assert ws.ask(model="to-gemini", input="Hi")


@every
@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_an_upstream_that_refuses_is_told_as_over_http(sim, start_proxy, upstream, status):
    proxy = start_proxy(config(sim, "disable-cooling: true\nrequest-retry: 0"))
    failure = Failure(status, "not today", headers={"retry-after": "7"})
    sim.script(*[failure] * 2, Answer("Better now."))
    body = {"model": f"to-{upstream}", "input": "Hi"}
    over_http = post(proxy, "/v1/responses", {**body, "stream": True})
    with opened(proxy) as ws:
        (told,) = ws.turn(**body)
        assert told["status"] == over_http.status_code
        headers = told.get("headers", {})
        assert told["error"].pop("headers", {}) == headers
        assert headers.get("retry-after") == over_http.headers.get("retry-after")
        assert told["error"] == over_http.json()["error"]
        assert words(ws.turn(**body)) == "Better now."


SECTIONS = {
    "openai-chat": ("openai-compatibility", "api-key-entries: [{api-key: k}]", "/v1"),
    "openai-responses": ("codex-api-key", "api-key: k", "/v1"),
    "anthropic": ("claude-api-key", "api-key: k", ""),
    "gemini": ("gemini-api-key", "api-key: k", ""),
    "interactions": ("interactions-api-key", "api-key: k", ""),
}


@every
def test_another_account_answers_when_the_first_cannot(start_sim, start_proxy, upstream):
    bad, good = start_sim(), start_sim()
    bad.script(Failure(500, "down"))
    good.script(Answer("Here I am."))
    section, key, path = SECTIONS[upstream]
    entries = [
        f"  - {{{key}, name: n{n}, priority: {9 - n}, base-url: '{one.url}{path}', "
        "models: [{name: m}]}"
        for n, one in enumerate((bad, good))
    ]
    proxy = start_proxy("\n".join(["request-retry: 0", f"{section}:", *entries]))
    with opened(proxy) as ws:
        assert words(ws.turn(model="m", input="Hi")) == "Here I am."
    (row,) = rows(proxy)
    assert row["attempts"] == 2


@every
def test_an_answer_cut_in_the_middle_ends_with_an_error(proxy, sim, ws, upstream):
    sim.script(Answer(["one "] * 12, cut=9), Answer("Whole."))
    body = {"model": f"to-{upstream}", "input": "Hi", "store": False}
    messages = ws.turn(**body)
    assert messages[-1]["type"] in ("response.failed", "error")
    assert "one" in words(messages)
    assert words(ws.turn(**body)) == "Whole."
    assert [row["status"] for row in rows(proxy, 2)] == [200, 502]


# Doors


@pytest.mark.parametrize("path", ["/v1/responses", "/backend-api/codex/responses", "/responses"])
def test_all_spellings_of_the_route_are_served(proxy, path):
    with opened(proxy, path) as ws:
        assert ws.ask(model="to-gemini", input="Hi")


def test_a_provider_in_the_path_is_the_one_that_is_asked(proxy, sim):
    with opened(proxy, "/api/provider/claude/v1/responses") as ws:
        assert ws.ask(model="to-anthropic", input="Hi")
        assert ws.refusal(model="to-gemini", input="Hi")[0] == 404


@pytest.mark.parametrize("key", [None, "wrong"])
def test_who_has_no_key_is_refused_before_the_upgrade(proxy, key):
    with pytest.raises(InvalidStatus) as caught, opened(proxy, key=key):
        pass
    answer = caught.value.response
    assert answer.status_code == 401
    assert json.loads(answer.body)["error"]["code"] == "invalid_api_key"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/messages", 426), ("/v1/responses/compact", 426), ("/v1/nothing", 404)],
)
def test_other_routes_are_refused_as_http_refuses(proxy, path, status):
    with pytest.raises(InvalidStatus) as caught, opened(proxy, path):
        pass
    assert caught.value.response.status_code == status
    assert json.loads(caught.value.response.body)["error"]["message"]


def test_any_origin_may_ask_as_over_http(proxy):
    with opened(proxy, headers={"origin": "https://elsewhere.example"}) as ws:
        assert ws.ask(model="to-gemini", input="Hi")


def test_without_keys_a_page_from_elsewhere_may_not(sim, start_proxy):
    open_one = start_proxy(f"api-keys: []\n{config(sim)}")
    headers = {"origin": "https://elsewhere.example"}
    with pytest.raises(InvalidStatus) as caught, opened(open_one, headers=headers):
        pass
    assert caught.value.response.status_code == 403
    assert "api-keys" in json.loads(caught.value.response.body)["error"]["message"]
    path, body = "/v1/responses", {"model": "to-gemini", "input": "Hi"}
    assert post(open_one, path, body, headers, key=None).status_code == 403
    assert post(open_one, path, body, {"origin": open_one.url}, key=None).status_code == 200
    assert len(sim.requests) == 1


def test_the_turn_state_of_codex_comes_back(proxy):
    with opened(proxy, headers={"x-codex-turn-state": "abc"}) as ws:
        assert ws.wire.response.headers["x-codex-turn-state"] == "abc"


def test_a_key_that_is_taken_away_ends_its_connections_at_their_next_turn(proxy, sim, ws):
    assert ws.ask(model="to-gemini", input="Hi")
    proxy.key = "another"
    reload(proxy, config(sim))
    status, error = ws.refusal(model="to-gemini", input="Hi")
    assert (status, error["code"]) == (401, "invalid_api_key")
    with pytest.raises(ConnectionClosed) as caught:
        ws.hear()
    assert caught.value.rcvd.code == 1008


def test_one_key_has_a_bounded_number_of_connections(proxy, monkeypatch):
    monkeypatch.setattr(socket, "CONNECTIONS", 2)
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(opened(proxy))
        with pytest.raises(InvalidStatus) as caught, opened(proxy):
            pass
        assert caught.value.response.status_code == 429
    proxy.settle()
    with opened(proxy) as ws:
        assert ws.ask(model="to-gemini", input="Hi")


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_a_message_over_the_limit_is_refused(sim, start_proxy, compression):
    proxy = start_proxy(config(sim, "max-body-size: 1"))
    with opened(proxy, compression=compression) as ws:
        # Compressed it is a thousandth of that.
        ws.say(model="to-gemini", input="x" * (2 * 1024 * 1024))
        with pytest.raises(ConnectionClosed) as caught:
            ws.hear()
    assert caught.value.rcvd.code == 1009
    assert not sim.requests


def test_a_conversation_over_the_limit_is_refused_and_forgotten(sim, start_proxy):
    proxy = start_proxy(config(sim, "max-body-size: 1"))
    big = "x" * 700_000
    sim.script(Answer("ok"))
    with opened(proxy) as ws:
        first = ws.ask(model="to-gemini", input=big, store=False)
        status, error = ws.refusal(input=big, previous_response_id=first["id"])
        assert status == 413
        assert "1 MiB" in error["message"]
    assert len(sim.requests) == 1


def test_all_connections_remember_a_bounded_number_of_bytes(proxy, sim):
    proxy.runtime.app.sockets.memory.most = 250_000
    sim.script(Answer("ok"), Answer("ok"))
    with opened(proxy) as ws, opened(proxy) as other:
        first = ws.ask(model="to-gemini", input="x" * 200_000, store=False)
        other.ask(model="to-gemini", input="x" * 200_000, store=False)
        assert proxy.runtime.app.sockets.memory.bytes < 250_000
        status, error = ws.refusal(
            model="to-gemini", input="more", previous_response_id=first["id"]
        )
        assert (status, error["code"]) == (400, "previous_response_not_found")
    proxy.settle()
    assert proxy.runtime.app.sockets.memory.bytes == 0


@pytest.mark.parametrize(
    "request_line", ["POST /v1/responses HTTP/1.1", "GET /v1/responses HTTP/1.0"]
)
def test_a_handshake_that_is_none_is_answered(proxy, request_line):
    import socket as sockets
    from urllib.parse import urlsplit

    parts = urlsplit(proxy.url)
    with sockets.create_connection((parts.hostname, parts.port), 5) as wire:
        head = "host: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
        wire.sendall(f"{request_line}\r\n{head}".encode())
        assert wire.recv(100).split(b" ")[1] in (b"400", b"405")


def test_many_small_fragments_make_one_message(ws):
    text = json.dumps({"type": "response.create", "model": "to-gemini", "input": "Hi"})
    ws.wire.send(iter(text))
    assert ws.rest()[-1]["type"] == "response.completed"


def test_deflated_messages_are_understood_and_sent(proxy):
    with opened(proxy, compression="deflate") as ws:
        (extension,) = ws.wire.protocol.extensions
        assert extension.name == "permessage-deflate"
        assert ws.ask(model="to-gemini", input="Hi")


# Leaving


@every
@pytest.mark.parametrize("when", ["before the headers", "in mid-stream"])
@pytest.mark.parametrize("how", ["close", "vanish"])
def test_the_upstream_is_closed_when_the_client_goes(proxy, sim, upstream, when, how):
    sim.script(Answer(["word "] * 12, hang="headers" if when == "before the headers" else 8))
    with opened(proxy, close_timeout=0.1) as ws:
        ws.say(model=f"to-{upstream}", input="Hi")
        if when == "in mid-stream":
            assert ws.hear()
            sim.last.wait_events(8)
        else:
            sim.wait_requests(1)
        if how == "vanish":
            ws.wire.socket.shutdown(2)
        else:
            ws.wire.close()
        sim.last.wait_closed()
    (row,) = rows(proxy)
    assert (row["status"], row["failed"]) == (499, True)


def test_a_client_that_goes_once_it_has_its_answer_has_had_it(proxy, sim):
    sim.script(Answer("All of it.", usage=Usage(input=30, output=9)))
    with opened(proxy) as ws:
        ws.ask(model="to-anthropic", input="Hi")
    (row,) = rows(proxy)
    assert (row["status"], row["tokens"]["total"]) == (200, 39)


@every
def test_a_slow_reader_holds_the_upstream_back(proxy, sim, upstream):
    sim.script(Answer(["x" * 2000] * 3, endless=True))
    with opened(proxy, compression=None, close_timeout=0.1, max_queue=1) as ws:
        ws.say(model=f"to-{upstream}", input="Hi")
        assert ws.hear()
        stopped = sim.last.wait_quiet()
        assert stopped < 2 * kernel_bound() + OWN
        held = [one.transport.get_write_buffer_size() for one in proxy.connections]
        assert max(held) < OWN
        while sim.last.written <= stopped:
            assert ws.hear()
    sim.last.wait_closed()


def test_a_server_that_stops_lets_a_turn_finish(proxy, sim):
    gate = Gate()
    sim.script(Answer(["word "] * 12, gate=gate, gate_at=8))
    with opened(proxy) as ws, opened(proxy) as idle:
        ws.say(model="to-anthropic", input="Hi")
        gate.wait_reached()
        proxy.stop()
        with pytest.raises(ConnectionClosed) as caught:
            idle.hear()
        assert caught.value.rcvd.code == 1012
        gate.open()
        assert ws.rest()[-1]["type"] == "response.completed"
        with pytest.raises(ConnectionClosed) as caught:
            ws.hear()
        assert caught.value.rcvd.code == 1012


def test_a_server_that_cannot_wait_any_longer_says_so(proxy, sim):
    sim.script(Answer(["word "] * 12, hang=8))
    with opened(proxy) as ws:
        ws.say(model="to-anthropic", input="Hi")
        assert ws.hear()
        sim.last.wait_events(8)
        proxy.loop.call_soon_threadsafe(proxy.runtime.interrupt)
        assert ws.rest()[-1]["type"] == "response.failed"


def test_a_connection_lasts_an_hour(proxy, monkeypatch):
    monkeypatch.setattr(socket, "LIFE", 0.05)
    with opened(proxy) as ws:
        told = ws.hear()
        assert told["error"]["code"] == "websocket_connection_limit_reached"
        with pytest.raises(ConnectionClosed) as caught:
            ws.hear()
    assert caught.value.rcvd.code == 1000


# What is noted


def test_every_turn_is_one_row_and_one_latest_request(proxy, sim, ws):
    sim.script(*[Answer("Hi", usage=Usage(input=30, output=9))] * 2)
    for text in ("one", "two"):
        ws.ask(model="to-anthropic", input=text)
    for row in rows(proxy, 2):
        assert (row["status"], row["endpoint"], row["stream"]) == (200, "GET /v1/responses", True)
        assert (row["dialect"], row["upstream"]) == ("openai-responses", "anthropic")
        assert row["tokens"]["total"] == 39
        assert row["first_seconds"] is not None
    turn(proxy)
    latest = list(proxy.runtime.app.recent.latest(10))
    assert [one["model"] for one in latest] == ["to-anthropic"] * 2
    assert [len(one["attempts"]) for one in latest] == [1, 1]


def test_every_turn_has_its_own_file_in_the_request_log(sim, start_proxy, tmp_path, monkeypatch):
    monkeypatch.setenv("WRITABLE_PATH", str(tmp_path))
    proxy = start_proxy(config(sim, "request-log: true"))
    sim.script(Answer("The answer."), Failure(400, "no good"))
    with opened(proxy, f"/v1/responses?key={KEY}", key=None) as ws:
        ws.ask(model="to-anthropic", input="first")
        ws.refusal(model="to-anthropic", input="second")
    proxy.settle()
    texts = [p.read_text() for p in sorted((tmp_path / "logs").glob("v1-responses-*.log"))]
    assert len(texts) == 2
    ((good,), (bad,)) = ([t for t in texts if f'"{word}"' in t] for word in ("first", "second"))
    assert "The answer." in good
    assert "/v1/messages" in good
    assert "Status: 400" in bad.rpartition("=== RESPONSE ===")[2]
    assert "no good" in bad
    assert KEY not in good + bad


def test_no_key_of_an_address_gets_into_the_log(sim, start_proxy, caplog):
    caplog.set_level("DEBUG")
    proxy = start_proxy(config(sim))
    with opened(proxy, f"/v1/responses?key={KEY}", key=None) as ws:
        ws.ask(model="to-gemini", input="unrepeatable words")
    proxy.settle()
    said = [r.getMessage() for r in caplog.records if r.name != "websockets.client"]
    assert any("GET" in line for line in said)
    assert not [line for line in said if KEY in line or "unrepeatable" in line]


def test_a_connection_stays_with_its_account(start_sim, start_proxy):
    sims = [start_sim(), start_sim()]
    proxy = start_proxy("routing: {session-affinity: true}\nclaude-api-key:" + "".join(
        f"\n  - {{api-key: k{n}, name: n{n}, base-url: '{s.url}', models: [{{name: m}}]}}"
        for n, s in enumerate(sims)
    ))  # fmt: skip
    with opened(proxy) as ws:
        last = ws.ask(model="m", input="Begin.", store=False)
        for text in ("b", "c", "d"):
            last = ws.ask(input=text, previous_response_id=last["id"])
    assert sorted(len(one.requests) for one in sims) == [0, 4]


def test_headers_of_the_handshake_go_no_further(proxy, sim):
    headers = {"openai-beta": "responses_websockets=2026-02-06, other=1", "x-mine": "kept"}
    with opened(proxy, headers=headers) as ws:
        ws.ask(model="to-openai-responses", input="Hi")
    sent = sim.last.headers
    assert not [name for name in sent.names() if name.startswith("sec-websocket")]
    assert "upgrade" not in sent
    assert sent["openai-beta"] == "other=1"
    assert sent["x-mine"] == "kept"
    assert sent["content-type"] == "application/json"
