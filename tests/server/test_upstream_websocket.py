"""A client that came by websocket is answered over one, where an account has them."""

from __future__ import annotations

import json

import pytest
from websockets.exceptions import ConnectionClosed

from tests.proxy import KEY
from tests.server.raw import post
from tests.server.sockets import opened
from tests.server.test_eligible import REASONED, sealed
from tests.server.test_reload import reload
from tests.server.test_usage import rows
from tests.server.test_websocket import user, words
from tests.sim import Answer, Call, Events, Failure, Gate, Raw
from tests.sim.event import Event
from tests.sim.render_responses import Rendered
from tests.sim.script import Usage

MODEL = "gpt-5.5"
BETA = "responses_websockets=2026-02-06"
LIMIT = {"type": "error", "status": 429, "headers": {"retry-after": 60},
         "error": {"type": "usage_limit_reached", "message": "Used up"}}  # fmt: skip
OLD = {"type": "error", "status": 400,
       "error": {"code": "websocket_connection_limit_reached", "message": "Open another"}}  # fmt: skip
LOST = Events([{"type": "error", "status": 400, "error": {"code": "x", "message": "FIRST"}}])
FAILED = {"type": "response.failed",
          "response": {"id": "resp_1", "status": "failed", "error": {"message": "OWN"}}}  # fmt: skip
TOOL = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}


def config(sim, *accounts, extra="", section="codex-api-key"):
    """Return a configuration with keys that may be asked over websockets."""
    entries = "\n".join(
        f"  - {{api-key: {key}-key-0123456789, base-url: '{sim.url}/v1', "
        f"models: [{{name: {MODEL}}}], {more}}}"
        for key, more in accounts or (("a", "websockets: true"),)
    )
    return f"{section}:\n{entries}\nrequest-retry: 0\n{extra}"


TWO = (("a", "websockets: true, priority: 9"), ("b", "websockets: true"))


@pytest.fixture
def proxy(sim, start_proxy):
    return start_proxy(config(sim))


@pytest.fixture
def pair(sim, start_proxy):
    return start_proxy(config(sim, *TWO))


def ask(ws, text, previous=None, **fields):
    """Take a turn as programs do that speak websocket: with what is new alone."""
    lean = {"previous_response_id": previous["id"]} if previous else {}
    return ws.ask(model=MODEL, store=False, input=[user(text)], **lean, **fields)


def asked(sim):
    """Return who was asked, by which way and how many items it was told."""
    return [
        (r.headers["authorization"].removeprefix("Bearer ")[0], r.over, len(r.body["input"]))
        for r in sim.requests
    ]


def text_of(response):
    return response["output"][0]["content"][0]["text"]


# What passes


def test_messages_pass_as_they_are_and_what_is_new_alone_is_sent(proxy, sim):
    sim.script(
        Answer(tools=[Call("look", {})], usage=Usage(input=7, output=2)),
        Answer(["It is ", "blue."], usage=Usage(input=20, output=3)),
    )
    with opened(proxy) as ws:
        first = ask(ws, "Look.", tools=[TOOL])
        (call,) = [item for item in first["output"] if item["type"] == "function_call"]
        result = {"type": "function_call_output", "call_id": call["call_id"], "output": "blue"}
        second = ws.ask(
            model=MODEL, store=False, tools=[TOOL], previous_response_id=first["id"],
            input=[result], future={"n": 1},
        )  # fmt: skip
    assert text_of(second) == "It is blue."
    assert asked(sim) == [("a", "websocket", 1), ("a", "websocket", 1)]
    assert sim.last.body == {
        "type": "response.create", "previous_response_id": first["id"], "model": MODEL,
        "store": False, "tools": [TOOL], "input": [result], "future": {"n": 1}, "stream": True,
    }  # fmt: skip
    assert [item.get("type") for item in sim.last.known] == [
        "message", "function_call", "function_call_output",
    ]  # fmt: skip
    assert len(sim.handshakes) == 1
    told = [(r["tokens"]["input"], r["status"], r["attempts"]) for r in rows(proxy, 2)]
    assert told == [(20, 200, 1), (7, 200, 1)]


def test_events_come_back_byte_for_byte(proxy, sim):
    text = '{ "type":"response.completed", "response":{"id":"resp_1","output":[],"n":1.10}}'
    sim.script(Events(['{"type" : "response.created","response":{"id":"resp_1"}}', text]))
    with opened(proxy) as ws:
        ws.say(model=MODEL, input="Hi")
        assert [ws.wire.recv(timeout=5) for _ in range(2)][1] == text


def test_a_message_of_several_lines_is_one_event(proxy, sim):
    text = json.dumps({"type": "response.completed", "response": {"id": "r"}}, indent=1)
    sim.script(Events([text]))
    with opened(proxy) as ws:
        ws.say(model=MODEL, input="Hi")
        assert ws.hear() == json.loads(text)


def test_the_handshake_says_who_asks_and_what_for(proxy, sim):
    headers = {"openai-beta": "responses_websockets=2026-02-06, other=1", "x-codex-window-id": "w"}
    with opened(proxy, headers=headers) as ws:
        ask(ws, "Hi")
    (shaken,) = sim.handshakes
    assert shaken.path == "/v1/responses"
    assert shaken.headers["authorization"] == "Bearer a-key-0123456789"
    assert shaken.headers["openai-beta"] == f"other=1, {BETA}"
    assert shaken.headers["x-codex-window-id"] == "w"
    for name in ("content-type", "accept", "accept-encoding", "sec-websocket-extensions"):
        assert name not in shaken.headers
    assert len(shaken.headers.all("host")) == len(shaken.headers.all("user-agent")) == 1


@pytest.mark.parametrize("store", [True, False])
def test_the_account_is_told_what_is_new_whether_or_not_the_proxy_keeps_it(proxy, sim, store):
    with opened(proxy) as ws:
        first = ws.ask(model=MODEL, input="one", store=store)
        ws.ask(model=MODEL, input="two", store=store, previous_response_id=first["id"])
        ws.ask(input="three", store=store)
    sizes = [len(r.body["input"]) if isinstance(r.body["input"], list) else 1 for r in sim.requests]
    assert sizes == [1, 1, 1]
    assert len(sim.last.known) == 5
    assert len(sim.handshakes) == 1


def test_items_that_come_again_are_sent_in_full_for_nobody_knows_which_are_new(proxy, sim):
    with opened(proxy) as ws:
        first = ask(ws, "one")
        again = [*first["output"], user("two")]
        ws.ask(model=MODEL, store=False, input=again, previous_response_id=first["id"])
    assert asked(sim) == [("a", "websocket", 1), ("a", "websocket", 3)]
    assert "previous_response_id" not in sim.last.body


def test_who_comes_by_http_is_answered_over_http(proxy, sim):
    assert post(proxy, "/v1/responses", {"model": MODEL, "input": "Hi"}).status_code == 200
    assert (sim.last.over, sim.handshakes) == ("http", [])


def test_without_the_switch_http_is_used(sim, start_proxy):
    with opened(start_proxy(config(sim, ("a", "websockets: false")))) as ws:
        ask(ws, "Hi")
    assert (sim.last.over, sim.handshakes) == ("http", [])


def test_every_client_has_a_line_of_its_own_for_as_long_as_it_stays(proxy, sim):
    with opened(proxy) as one, opened(proxy) as two:
        first, other = ask(one, "one"), ask(two, "two")
        ask(one, "three", first)
        ask(two, "four", other)
        assert len(sim.handshakes) == sim.websockets == 2
    sim.wait_websockets(0)


def test_a_warm_up_asks_nobody_and_the_turn_after_it_is_whole(proxy, sim):
    with opened(proxy) as ws:
        warm = ask(ws, "Hi", generate=False)
        assert not sim.handshakes
        ask(ws, "Now.", warm)
    assert asked(sim) == [("a", "websocket", 2)]


def test_xai_is_asked_over_a_websocket_too(sim, start_proxy):
    proxy = start_proxy(config(sim, section="xai-api-key"))
    with opened(proxy) as ws:
        first = ask(ws, "one", prompt_cache_retention="24h")
        ask(ws, "two", first)
    assert asked(sim) == [("a", "websocket", 1), ("a", "websocket", 1)]
    assert sim.last.body["previous_response_id"] == first["id"]
    assert "prompt_cache_retention" not in sim.requests[0].body
    assert "openai-beta" not in sim.handshakes[0].headers


def test_what_must_be_translated_is_sent_in_full(sim, start_proxy):
    proxy = start_proxy(config(sim, section="xai-api-key"))
    tools = [{"type": "custom", "name": "patch"}]
    sim.script(Answer("One"), Answer("Two"))
    with opened(proxy) as ws:
        first = ask(ws, "one", tools=tools)
        assert text_of(ask(ws, "two", first, tools=tools)) == "Two"
    assert asked(sim) == [("a", "websocket", 1), ("a", "websocket", 3)]


def test_who_heard_a_translation_does_not_know_the_clients_own_words(sim, start_proxy):
    proxy = start_proxy(config(sim, section="xai-api-key"))
    with opened(proxy) as ws:
        first = ask(ws, "one", tools=[{"type": "custom", "name": "patch"}])
        ask(ws, "two", first)
    assert asked(sim) == [("a", "websocket", 1), ("a", "websocket", 3)]


def test_a_line_goes_on_from_its_own_last_answer_and_from_nothing_else(proxy, sim):
    with opened(proxy) as ws:
        first = ask(ws, "one")
        warm = ask(ws, "two", first, generate=False)
        ask(ws, "three", warm)
    assert asked(sim) == [("a", "websocket", 1), ("a", "websocket", 4)]


# Handshakes


@pytest.mark.parametrize("status", [200, 307, 400, 404, 405, 426, 501])
def test_where_there_are_no_websockets_http_is_used(pair, sim, status):
    sim.refuse(Raw(b"{}", status, headers={"location": "http://127.0.0.1:1/"}))
    with opened(pair) as ws:
        first = ask(ws, "one")
        ask(ws, "two", first)
    assert asked(sim) == [("a", "http", 1), ("a", "http", 3)]
    assert len(sim.handshakes) == 1, "it is tried once for each client"
    assert [row["attempts"] for row in rows(pair, 2)] == [1, 1]


def test_a_handshake_that_breaks_off_leads_to_http(pair, sim):
    sim.refuse(Raw(b"", cut="headers"))
    with opened(pair) as ws:
        ask(ws, "one")
    assert asked(sim) == [("a", "http", 1)]


@pytest.mark.parametrize("status", [401, 402, 429, 503])
def test_a_refused_handshake_is_a_refused_request(pair, sim, status):
    sim.refuse(Failure(status, "no", retry_after=60, code="x"))
    with opened(pair) as ws:
        ask(ws, "one")
    assert asked(sim) == [("b", "websocket", 1)]
    (row,) = rows(pair)
    assert row["attempts"] == 2
    # It rests for all, whichever way they come.
    post(pair, "/v1/responses", {"model": MODEL, "input": "Hi"})
    assert sim.last.headers["authorization"].startswith("Bearer b")


def test_a_refused_handshake_is_told_as_over_http(proxy, sim):
    sim.refuse(Failure(403, "not you a-key-0123456789"))
    with opened(proxy) as ws:
        status, error = ws.refusal(model=MODEL, input="Hi")
    assert status == 403
    assert "not you" in error["message"]
    assert "0123456789" not in error["message"]


def test_after_a_failing_handshake_the_account_is_asked_over_http(sim, start_proxy):
    proxy = start_proxy(config(sim, extra="disable-cooling: true"))
    sim.refuse(Failure(502, "no"))
    with opened(proxy) as ws:
        assert ws.refusal(model=MODEL, input="one")[0] == 502
        ask(ws, "two")
    assert asked(sim) == [("a", "http", 1)]


# Errors


def test_an_error_before_the_answer_moves_on_and_the_account_rests(pair, sim):
    sim.script(Events([LIMIT]), Answer("Here."))
    with opened(pair) as ws:
        assert text_of(ask(ws, "one")) == "Here."
        ask(ws, "two")
    assert [who for who, *_ in asked(sim)] == ["a", "b", "b"]
    post(pair, "/v1/responses", {"model": MODEL, "input": "Hi"})
    assert sim.last.headers["authorization"].startswith("Bearer b")


@pytest.mark.parametrize("sent", [1, 2, 3])
@pytest.mark.parametrize("fault", ["error", "cut", "close"])
def test_nothing_visible_was_said_so_another_account_takes_over(pair, sim, sent, fault):
    with opened(pair) as ws:
        first = ask(ws, "one")
        faults = {"error": {"error": Failure(500, "down", as_event="error"), "error_at": sent},
                  "cut": {"cut": sent}, "close": {"cut": sent, "close": 1011}}  # fmt: skip
        sim.script(Answer("Never seen", **faults[fault]), Answer("Two"))
        messages = ws.turn(
            model=MODEL, store=False, input=[user("two")], previous_response_id=first["id"]
        )
        assert words(messages) == "Two"
        assert [m["type"] for m in messages].count("response.created") == 1
    assert asked(sim) == [("a", "websocket", 1), ("a", "websocket", 1), ("b", "websocket", 3)]
    assert [row["attempts"] for row in rows(pair, 2)] == [2, 1]


@pytest.mark.parametrize("close", [0, 1000, 1011])
def test_an_answer_cut_in_the_middle_ends_in_one_error_and_the_next_turn_is_whole(pair, sim, close):
    with opened(pair) as ws:
        first = ask(ws, "one")
        sim.script(Answer(["two "] * 9, cut=8, close=close))
        messages = ws.turn(
            model=MODEL, store=False, input=[user("two")], previous_response_id=first["id"]
        )
        assert "two" in words(messages)
        assert messages[-1]["type"] in ("error", "response.failed")
        ask(ws, "three", first)
    assert len(sim.last.known) == 3
    assert [row["status"] for row in rows(pair, 3)] == [200, 502, 200]


def test_a_fault_of_the_request_is_told_and_the_line_stays(pair, sim):
    with opened(pair) as ws:
        first = ask(ws, "one")
        sim.script(Failure(400, "No such thing."))
        status, error = ws.refusal(model=MODEL, input="x", previous_response_id=first["id"])
        assert (status, error["message"]) == (400, "No such thing.")
        ask(ws, "two", first)
    assert [way for _, way, *_ in asked(sim)] == ["websocket"] * 3
    assert asked(sim)[-1] == ("a", "websocket", 3), "a failed turn leaves nothing to go on from"
    assert len(sim.handshakes) == 1


def test_what_an_error_repeats_of_the_key_is_taken_out(proxy, sim):
    told = {"type": "error", "status": 400, "error": {"message": "Bad key a-key-0123456789"},
            "headers": {"x-key": "a-key-0123456789"}}  # fmt: skip
    sim.script(Events([told]))
    with opened(proxy) as ws:
        _, error = ws.refusal(model=MODEL, input="x")
    assert "0123456789" not in json.dumps(error)


def test_an_upstream_that_forgot_is_told_all_on_the_same_line(proxy, sim):
    with opened(proxy) as ws:
        first = ask(ws, "one")
        sim.script(
            Failure(400, "gone", code="previous_response_not_found", param="previous_response_id")
        )
        ask(ws, "two", first)
    assert asked(sim) == [("a", "websocket", 1), ("a", "websocket", 1), ("a", "websocket", 3)]
    assert len(sim.handshakes) == 1
    assert [row["attempts"] for row in rows(proxy, 2)] == [1, 1]


def test_a_line_that_is_too_old_is_replaced_at_once(pair, sim):
    with opened(pair) as ws:
        first = ask(ws, "one")
        sim.script(Events([OLD]), Answer("Two"))
        assert text_of(ask(ws, "two", first)) == "Two"
    assert asked(sim) == [("a", "websocket", 1), ("a", "websocket", 1), ("a", "websocket", 3)]
    assert len(sim.handshakes) == 2
    assert [row["attempts"] for row in rows(pair, 2)] == [1, 1]


@pytest.mark.parametrize("code", [1000, 1001, 1012])
def test_a_line_that_was_closed_in_between_is_opened_again(sim, start_proxy, code):
    proxy = start_proxy(config(sim, ("a", "websockets: true"), ("b", "websockets: true")))
    with opened(proxy) as ws:
        first = ask(ws, "one")
        sim.hang_up(code)
        sim.wait_websockets(0)
        ask(ws, "two", first)
    (one, two) = asked(sim)
    assert two == (one[0], "websocket", 3), "the account stays"
    assert len(sim.handshakes) == 2


def test_a_line_that_ends_just_then_is_opened_once_more(pair, sim):
    with opened(pair) as ws:
        first = ask(ws, "one")
        sim.script(Answer("", cut="headers", close=1000), Answer("Two"))
        assert text_of(ask(ws, "two", first)) == "Two"
    assert [who for who, *_ in asked(sim)] == ["a"] * 3
    assert [row["attempts"] for row in rows(pair, 2)] == [1, 1]


def test_a_new_line_that_says_nothing_is_a_failure_of_its_account(pair, sim):
    sim.script(Answer("", cut="headers", close=1011), Answer("Here."))
    with opened(pair) as ws:
        assert text_of(ask(ws, "one")) == "Here."
    assert [who for who, *_ in asked(sim)] == ["a", "b"]


def closed(ws):
    with pytest.raises(ConnectionClosed) as caught:
        ws.hear()
    return caught.value.rcvd.code, caught.value.rcvd.reason


def test_a_message_too_big_for_the_upstream_is_too_big_for_us(pair, sim):
    with opened(pair) as ws:
        sim.script(Answer("", cut="headers", close=1009))
        ws.say(model=MODEL, input="x" * 1000)
        assert closed(ws) == (1009, "message too big")
    assert len(sim.requests) == 1, "nobody else is asked"
    (row,) = rows(pair)
    assert row["status"] == 413


def test_what_only_the_line_knew_cannot_be_told_again_and_that_is_said(proxy, sim):
    proxy.runtime.app.sockets.memory.most = 1
    with opened(proxy) as ws:
        first = ask(ws, "one")
        second = ask(ws, "two", first)
        assert asked(sim)[-1] == ("a", "websocket", 1)
        assert len(sim.last.known) == 3
        sim.hang_up(1001)
        sim.wait_websockets(0)
        ws.say(model=MODEL, store=False, input="three", previous_response_id=second["id"])
        assert closed(ws) == (1012, "upstream requires HTTP replay")
    assert len(sim.requests) == 2


@pytest.mark.parametrize("section", ["codex-api-key", "xai-api-key"])
def test_what_only_the_line_knew_goes_on_there_though_the_end_of_it_is_kept(
    sim, start_proxy, section
):
    proxy = start_proxy(config(sim, section=section))
    proxy.runtime.app.sockets.memory.most = 1
    with opened(proxy) as ws:
        last = ask(ws, "one")
        for text in ("two", "three"):
            last = ws.ask(model=MODEL, input=text, previous_response_id=last["id"])
    assert len(sim.last.known) == 5
    assert len(sim.handshakes) == 1


def test_a_response_that_nobody_gave_is_refused_in_words(proxy, sim):
    with opened(proxy) as ws:
        status, error = ws.refusal(model=MODEL, input="x", previous_response_id="resp_other")
    assert (status, error["code"]) == (400, "previous_response_not_found")


# Who is asked


EVEN = (("a", "websockets: true"), ("b", "websockets: true"))
LOOSE = "routing: {session-affinity: false}\ndisable-cooling: true\n"


def test_a_conversation_stays_with_its_line_whatever_the_policy_says(sim, start_proxy):
    proxy = start_proxy(config(sim, *EVEN, extra=LOOSE))
    with opened(proxy) as ws:
        last = ask(ws, "0")
        for number in range(1, 5):
            last = ask(ws, str(number), last)
        limited = asked(sim)[-1][0]
        sim.script(Events([LIMIT]))
        for number in range(3):
            last = ask(ws, str(number), last)
    who = [row[0] for row in asked(sim)]
    other = "b" if limited == "a" else "a"
    assert who == [limited] * 6 + [other] * 3
    assert len(sim.handshakes) == 2


def test_a_limit_told_in_mid_answer_unpins_the_account(sim, start_proxy):
    proxy = start_proxy(config(sim, *EVEN, extra=LOOSE))
    with opened(proxy) as ws:
        told = Failure(429, "limit", code="rate_limit_exceeded", as_event="error")
        sim.script(Answer(["one "] * 9, error=told, error_at=8))
        assert ws.turn(model=MODEL, input="x", store=False)[-1]["type"] != "response.completed"
        ask(ws, "two")
    one, two = (row[0] for row in asked(sim))
    assert one != two


def test_a_broken_answer_unpins_the_account(sim, start_proxy):
    proxy = start_proxy(config(sim, *EVEN, extra=f"{LOOSE}max-retry-credentials: 1"))
    with opened(proxy) as ws:
        ask(ws, "one")
        ask(ws, "two")
        sim.script(Answer("three", cut=2))
        assert ws.refusal(model=MODEL, store=False, input="x")[0] == 502
        ask(ws, "four")
    who = [row[0] for row in asked(sim)]
    assert who[0] == who[1] == who[2] != who[3]


def test_of_equals_who_has_websockets_is_asked_first(sim, start_proxy):
    accounts = [("a", ""), ("b", "websockets: true"), ("c", "")]
    proxy = start_proxy(config(sim, *accounts))
    for _ in range(3):
        with opened(proxy) as ws:
            ask(ws, "Hi")
    assert {row[:2] for row in asked(sim)} == {("b", "websocket")}
    for _ in range(3):
        post(proxy, "/v1/responses", {"model": MODEL, "input": [user("Hi")]})
    assert {row[0] for row in asked(sim)[3:]} == {"a", "b", "c"}


def test_priority_counts_more_than_websockets(sim, start_proxy):
    proxy = start_proxy(config(sim, ("a", "priority: 1"), ("b", "websockets: true")))
    with opened(proxy) as ws:
        ask(ws, "Hi")
    assert asked(sim) == [("a", "http", 1)]


def test_what_is_left_of_an_account_is_read_from_handshakes_and_events(proxy, sim):
    def told():
        return sorted(
            (quota.name, quota.used)
            for rows in proxy.runtime.app.generation.gateway.pool._quotas._known.values()
            for quota in rows.values()
        )

    sim.handshake_headers = {
        "x-codex-primary-used-percent": "12", "x-codex-primary-window-minutes": "300",
    }  # fmt: skip
    with opened(proxy) as ws:
        first = ask(ws, "one")
        assert told() == [("primary", 0.12)]
        limits = {"primary": {"used_percent": 34, "window_minutes": 300, "reset_at": 1}}
        event = {"type": "codex.rate_limits", "rate_limits": limits}
        sim.script(lambda record: Answer("Two"))
        sim.renderers["openai-responses"] = telling(event)
        ask(ws, "two", first)
    assert told() == [("primary", 0.34)]


def telling(event):
    class Telling(Rendered):
        def events(self):
            return [Event(event, ""), *super().events()]

    return Telling


# Time, leaving, stopping


@pytest.mark.parametrize("place", ["headers", 3, 8])
def test_the_upstream_is_closed_when_the_client_goes(proxy, sim, place):
    gate = Gate()
    sim.script(Answer(["one "] * 9, gate=gate, gate_at=place))
    with opened(proxy) as ws:
        ws.say(model=MODEL, input="Hi")
        gate.wait_reached()
        ws.wire.socket.close()
        sim.wait_closed()
    sim.wait_websockets(0)


def test_an_upstream_that_says_nothing_is_given_up(sim, start_proxy):
    proxy = start_proxy(config(sim, *TWO, extra="timeouts: {first-event: 0.3}"))
    sim.script(Answer("", hang="headers"), Answer("Here."))
    with opened(proxy) as ws:
        assert text_of(ask(ws, "one")) == "Here."
    assert [who for who, *_ in asked(sim)] == ["a", "b"]


def test_an_answer_that_stops_in_the_middle_is_given_up(sim, start_proxy):
    proxy = start_proxy(config(sim, extra="timeouts: {idle: 0.3}"))
    sim.script(Answer(["one "] * 9, hang=8))
    with opened(proxy) as ws:
        messages = ws.turn(model=MODEL, input="Hi")
    assert messages[-1]["type"] in ("error", "response.failed")
    assert "one" in words(messages)


def test_lines_are_closed_when_the_proxy_stops(sim, start_proxy):
    proxy = start_proxy(config(sim))
    with opened(proxy) as ws:
        ask(ws, "one")
        assert sim.websockets == 1
        proxy.__exit__(None, None, None)
        sim.wait_websockets(0)
    proxy.url = ""


# The books


def test_the_request_log_tells_what_was_said_over_the_line(sim, start_proxy, tmp_path, monkeypatch):
    monkeypatch.setenv("WRITABLE_PATH", str(tmp_path))
    proxy = start_proxy(config(sim, extra="request-log: true"))
    with opened(proxy) as ws:
        sim.refuse(Failure(426, "no websockets for you"))
        ask(ws, "one")
    with opened(proxy) as ws:
        ask(ws, "over the line")
    proxy.settle()
    files = (tmp_path / "logs").glob("v1-responses-*.log")
    said, refused = sorted((path.read_text() for path in files), key=lambda t: "Status: 426" in t)
    assert "Status: 426" in refused
    assert "=== API REQUEST 2 ===" in refused
    assert f"URL: ws{sim.url[4:]}/v1/responses" in said
    assert '"type":"response.create"' in said
    assert 'data: {"type":"response.completed"' in said
    assert "0123456789" not in refused + said
    assert KEY not in refused + said


# What a line is not


def test_reasoning_that_is_refused_is_left_out_as_over_http(proxy, sim):
    sim.script(sealed)
    with opened(proxy) as ws:
        told = ws.turn(model=MODEL, store=False, input=REASONED)
        assert told[-1]["type"] == "response.completed"
        assert [over for _, over, _ in asked(sim)] == ["websocket"] * 2
        # The next turn needs no refusal.
        sim.script(sealed)
        told = ws.turn(model=MODEL, store=False, input=[*REASONED, user("And?")])
    assert told[-1]["type"] == "response.completed"
    assert [(over, count) for _, over, count in asked(sim)] == [
        ("websocket", 4), ("websocket", 3), ("websocket", 4)
    ]  # fmt: skip
    assert len(sim.handshakes) == 1


def test_what_is_said_behind_an_error_is_nobodys_answer(proxy, sim):
    failed = {"id": "resp_1", "status": "failed", "error": {"code": "x", "message": "FIRST"}}
    sim.script(
        Events(
            [
                json.dumps({"type": "response.created", "response": {"id": "resp_1"}}),
                json.dumps({"type": "response.output_text.delta", "delta": "hi"}),
                json.dumps({"type": "error", "error": {"code": "x", "message": "FIRST"}}),
                json.dumps({"type": "response.failed", "response": failed}),
            ]
        ),
        Answer("fine"),
    )
    with opened(proxy) as ws:
        ws.turn(model=MODEL, store=False, input="one")
        assert text_of(ask(ws, "two")) == "fine"


def stale(error):
    """Refuse, and tell it once more as the end of the same response."""
    failed = {"id": "resp_0", "status": "failed", "error": {"code": "x", "message": "STALE"}}
    refusal = {"type": "error", "status": 400, "error": error}
    return Events([json.dumps(refusal),
                   json.dumps({"type": "response.failed", "response": failed})])  # fmt: skip


def test_what_follows_a_refusal_is_not_the_next_answer(proxy, sim):
    sim.script(stale({"code": "x", "message": "FIRST"}), Answer("fine"), Answer("fine too"))
    with opened(proxy) as ws:
        assert ws.turn(model=MODEL, store=False, input="one")[-1]["error"]["message"] == "FIRST"
        assert text_of(ask(ws, "two")) == "fine"
        assert text_of(ask(ws, "three")) == "fine too"


def test_what_follows_a_refusal_is_not_the_answer_to_the_same_turn_told_anew(proxy, sim):
    told = {"code": "invalid_encrypted_content", "message": "The encrypted content is not yours."}
    sim.script(stale(told), Answer("fine"))
    with opened(proxy) as ws:
        answer = ws.turn(model=MODEL, store=False, input=REASONED)[-1]["response"]
    assert text_of(answer) == "fine"


def test_a_failure_that_comes_first_is_told_though_a_refusal_came_before(proxy, sim, monkeypatch):
    monkeypatch.setattr("cliproxy.transport.line._STALE", 0.02)
    sim.script(LOST, Events([json.dumps(FAILED)]), Events([json.dumps(FAILED)]))
    with opened(proxy) as ws:
        ws.turn(model=MODEL, store=False, input="one")
        assert "OWN" in json.dumps(ws.turn(model=MODEL, store=False, input="two")[-1])


def test_an_event_whose_type_is_no_word_is_no_end(proxy, sim):
    done = {"type": "response.completed", "response": {"id": "resp_1", "output": []}}
    first = {"type": "response.created", "response": {"id": "resp_1"}}
    odd = {"type": ["error"]}
    sim.script(Events([json.dumps(event) for event in (first, odd, done)]))
    with opened(proxy) as ws:
        assert ws.turn(model=MODEL, store=False, input="one")[-1]["type"] == "response.completed"


def test_a_line_whose_account_is_gone_or_led_elsewhere_is_used_no_more(sim, start_proxy):
    proxy = start_proxy(config(sim, *TWO))
    with opened(proxy) as ws:
        first = ask(ws, "one")
        reload(proxy, config(sim, TWO[1]))
        second = ask(ws, "two", first)
        assert [who for who, *_ in asked(sim)] == ["a", "b"]
        reload(proxy, config(sim, TWO[1], extra="proxy-url: http://127.0.0.1:9"))
        assert ws.refusal(
            model=MODEL, store=False, input=[user("three")], previous_response_id=second["id"]
        )
