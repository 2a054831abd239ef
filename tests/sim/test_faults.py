"""Every fault happens where the script says, and the simulator sees what its clients do."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
import zlib
from typing import Literal

import brotli
import pytest

from tests.sim import Answer, Call, Events, Failure, Gate, Raw, Sim, html, tool_loop
from tests.sim.client import DIALECTS, Client, Got, ask, asked, fetch
from tests.sim.grammar import GrammarError, check, frames

LONG = Answer(["one ", "two ", "three"])


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("rst", [True, False])
def test_a_cut_before_the_headers_leaves_no_response(sim: Sim, dialect: str, rst: bool) -> None:
    sim.script(Answer("x", cut="headers", rst=rst))
    expected = ConnectionResetError if rst else http.client.RemoteDisconnected
    with pytest.raises(expected):
        ask(sim.url, dialect)
    assert not sim.last.wait_over().closed_early


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("rst", [True, False])
def test_a_cut_after_events_delivers_exactly_those(sim: Sim, dialect: str, rst: bool) -> None:
    sim.script(Answer(["a", "b", "c"], cut=3, rst=rst))
    path, body = asked(dialect, stream=True)
    with Client(sim.url) as client, client.open(path, body) as answer:
        got, error = _read_until_it_breaks(answer)
    assert isinstance(error, ConnectionResetError if rst else http.client.IncompleteRead)
    assert len(frames(got)) == 3
    with pytest.raises(GrammarError):
        check(dialect, got)


def _read_until_it_breaks(answer: http.client.HTTPResponse) -> tuple[bytes, Exception]:
    got = b""
    while True:
        try:
            got += answer.read1() or answer.read(1)
        except http.client.IncompleteRead as err:
            return got + err.partial, err
        except OSError as err:
            return got, err


def test_a_cut_after_bytes_counts_the_body(sim: Sim) -> None:
    sim.script(Answer("x", cut_bytes=7, rst=False), Answer("x", cut_bytes=20, rst=False, chunk=1))
    for stream, size in ((False, 7), (True, 20)):
        with pytest.raises(http.client.IncompleteRead) as caught:
            ask(sim.url, "anthropic", stream=stream)
        assert len(caught.value.partial) == size
        assert sim.last.written == size


@pytest.mark.parametrize(
    "place", ["headers", 0, 2], ids=["before headers", "before events", "after two"]
)
def test_a_hanging_answer_ends_when_the_client_leaves(
    sim: Sim, place: int | Literal["headers"]
) -> None:
    sim.script(Answer("x", hang=place))
    path, body = asked("anthropic", stream=True)
    client = Client(sim.url, timeout=10)
    if place == "headers":
        reader = threading.Thread(target=_swallow, args=(client, path, body))
        reader.start()
        sim.wait_requests(1)
        client._wire.sock.shutdown(2)
        reader.join()
    else:
        client.open(path, body).close()
    client.close()
    record = sim.wait_closed()
    assert record.closed_at is not None
    assert not record.finished
    assert record.events == (0 if place == "headers" else place)


def _swallow(client: Client, path: str, body: object) -> None:
    with pytest.raises((OSError, http.client.HTTPException)):
        client.open(path, body)


def test_a_hanging_answer_is_released_at_shutdown() -> None:
    with Sim() as sim:
        sim.script(Answer("x", hang=1))
        path, body = asked("openai-chat", stream=True)
        client = Client(sim.url)
        answer = client.open(path, body)
        sim.last.wait_events(1)
    with answer, client, pytest.raises((http.client.IncompleteRead, ConnectionError)):
        answer.read()


def test_a_gate_holds_the_stream_until_the_test_opens_it(sim: Sim) -> None:
    gate = Gate()
    sim.script(Answer(["one", "two"], gate=gate, gate_at=2))
    path, body = asked("openai-chat", stream=True)
    with Client(sim.url) as client, client.open(path, body) as answer:
        gate.wait_reached()
        early = answer.read1(65536)
        while len(frames(early)) < 2:
            early += answer.read1(65536)
        assert b"one" in early
        assert b"two" not in early
        gate.open()
        assert check("openai-chat", early + answer.read()).text == "onetwo"


def test_a_gate_before_the_headers(sim: Sim) -> None:
    gate = Gate()
    sim.script(Answer("late", gate=gate, gate_at="headers"))

    def let_go() -> None:
        gate.wait_reached()
        gate.open()

    opener = threading.Thread(target=let_go)
    opener.start()
    assert b"late" in ask(sim.url, "gemini").body
    opener.join()


def test_delays_and_drips_take_their_time(sim: Sim) -> None:
    sim.script(Answer(["a", "b"], delay=0.02, first_event_delay=0.02, drip=0.01))
    got = ask(sim.url, "openai-chat", stream=True)
    assert check("openai-chat", got.body).text == "ab"
    record = sim.last.wait_finished()
    assert record.events == 6


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 503])
def test_a_failure_has_the_shape_of_its_dialect(sim: Sim, dialect: str, status: int) -> None:
    sim.script(Failure(status, "no luck", retry_after=7))
    got = ask(sim.url, dialect, stream=True)
    assert got.status == status
    error = got.json["error"]
    assert error["message"] == "no luck"
    if dialect == "gemini":
        assert error["code"] == status
        assert error["details"][0]["retryDelay"] == "7s"
    else:
        assert got.headers["Retry-After"] == "7"
        assert error["code" if dialect == "interactions" else "type"]


def test_a_gemini_failure_may_come_in_an_array(sim: Sim) -> None:
    sim.script(Failure(503, wrapped=True))
    assert ask(sim.url, "gemini").json[0]["error"]["status"] == "UNAVAILABLE"


@pytest.mark.parametrize("status", [200, 502])
def test_a_page_instead_of_an_answer(sim: Sim, status: int) -> None:
    sim.script(html(status))
    got = ask(sim.url, "openai-chat")
    assert (got.status, got.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert got.body.startswith(b"<html>")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("place", [0, 3])
def test_an_error_inside_the_stream_ends_it_grammatically(
    sim: Sim, dialect: str, place: int
) -> None:
    sim.script(
        Answer(["a", "b", "c", "d"], error=Failure(503, "Overloaded"), error_at=place),
    )
    got = ask(sim.url, dialect, stream=True)
    assert got.status == 200
    if dialect == "openai-chat":
        got.body += b"data: [DONE]\n\n"  # optional behind an error
    found = check(dialect, got.body)
    assert found.error["message"] == "Overloaded"
    assert len(frames(got.body)) == place + 1 + (dialect == "openai-chat")


def test_the_responses_error_event_can_be_chosen(sim: Sim) -> None:
    sim.script(Answer("a", error=Failure(429, "slow", as_event="failed")))
    assert frames(ask(sim.url, "openai-responses", stream=True).body)[0].name == "response.failed"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_event_that_is_not_json(sim: Sim, dialect: str) -> None:
    sim.script(Answer("a", bad_json_at=1))
    body = ask(sim.url, dialect, stream=True).body
    with pytest.raises(json.JSONDecodeError):
        json.loads(frames(body)[1].data)
    with pytest.raises(GrammarError):
        check(dialect, body)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("drop", ["done", "finish"])
def test_the_end_can_be_left_out(sim: Sim, dialect: str, drop: str) -> None:
    sim.script(Answer("a", drop="done" if drop == "done" else "finish"))
    body = ask(sim.url, dialect, stream=True).body
    if (dialect, drop) == ("gemini", "done"):  # it has no end mark to leave out
        check(dialect, body)
        return
    with pytest.raises(GrammarError):
        check(dialect, body)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_stream_and_body_can_be_swapped(sim: Sim, dialect: str) -> None:
    sim.script(Answer("a", swap=True), Answer("a", swap=True))
    assert check(dialect, ask(sim.url, dialect).body).text == "a"
    assert isinstance(ask(sim.url, dialect, stream=True).json, dict)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "answer",
    [
        Answer(["ä", "b"], crlf=True),
        Answer(["ä", "b"], comments=True),
        Answer(["ä", "b"], multiline=True),
        Answer(["ä", "b"], bom=True),
        Answer(["ä", "b"], tight=True),
        Answer(["ä", "b"], ragged=True),
        Answer(["ä", "b"], chunk=1),
        Answer(["ä", "b"], until_close=True),
        Answer(["ä", "b"], crlf=True, comments=True, multiline=True, bom=True, chunk=3),
    ],
    ids=["crlf", "comments", "multiline", "bom", "tight", "ragged", "chunk", "until close", "all"],
)
def test_odd_bytes_say_the_same(sim: Sim, dialect: str, answer: Answer) -> None:
    sim.script(answer)
    body = ask(sim.url, dialect, stream=True).body
    assert check(dialect, body, lenient=True).text == "äb"
    if answer.crlf or answer.multiline or answer.bom or answer.tight or answer.ragged:
        with pytest.raises(GrammarError):
            check(dialect, body)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_answers_can_be_compressed(sim: Sim, encoding: str, stream: bool) -> None:
    sim.script(Answer("squeeze", encoding=encoding))  # type: ignore[arg-type]
    got = ask(sim.url, "anthropic", stream=stream)
    assert got.headers["Content-Encoding"] == encoding
    undo = {"gzip": gzip.decompress, "deflate": zlib.decompress, "br": brotli.decompress}
    assert b"squeeze" in undo[encoding](got.body)


def test_a_line_of_megabytes(sim: Sim) -> None:
    sim.script(Answer("x" * 5_000_000))
    assert len(check("gemini", ask(sim.url, "gemini", stream=True).body).text) == 5_000_000


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_endless_answer_stops_at_a_client_that_does_not_read(sim: Sim, dialect: str) -> None:
    sim.script(Answer("begin ", endless=True))
    path, body = asked(dialect, stream=True)
    client = Client(sim.url)
    answer = client.open(path, body)
    stuck = sim.last.wait_quiet(0.1)
    assert 0 < stuck < 64 << 20
    answer.read(min(stuck, 1 << 20))
    answer.close()
    client.close()
    sim.wait_closed()
    sim.wait_disconnected()


def test_raw_answers_are_sent_as_given(sim: Sim) -> None:
    sim.script(
        Raw([b"one", b"two"], 418, "text/tea", headers={"X-Cup": "full"}, chunk=2),
        Raw(b"tail", trailing=b"!"),
        Events([{"type": "odd", "n": 1}, "[DONE]"]),
    )
    got = ask(sim.url, "openai-chat")
    assert (got.status, got.body, got.headers["X-Cup"]) == (418, b"onetwo", "full")
    assert ask(sim.url, "openai-chat").body == b"tail!"
    streamed = ask(sim.url, "anthropic", stream=True).body
    assert streamed == b'event: odd\ndata: {"type":"odd","n":1}\n\ndata: [DONE]\n\n'


def test_answers_come_in_the_order_of_the_script_then_the_echo(sim: Sim) -> None:
    sim.script(Answer("first"), Failure(500), lambda record: Answer(f"third: {record.said}"))
    assert sim.pending == 3
    texts = [ask(sim.url, "gemini", str(n)) for n in range(4)]
    assert [got.status for got in texts] == [200, 500, 200, 200]
    assert b"third: 3" in texts[3].body
    sim.reset()
    assert b"You said: again" in ask(sim.url, "anthropic", "again").body
    assert len(sim.requests) == 1


def test_a_tool_loop_calls_and_then_answers(sim: Sim) -> None:
    sim.script(tool_loop([Call("f", {"x": 1}, id="call_1")], "It is 5C."))
    path, body = asked("openai-chat")
    call = fetch(sim.url, path, body).json["choices"][0]["message"]
    body["messages"] += [call, {"role": "tool", "tool_call_id": "call_1", "content": "5C"}]
    assert b"It is 5C." in fetch(sim.url, path, body).body
    assert sim.last.results == [("call_1", "5C")]


def test_a_defect_of_a_script_is_raised_in_the_test(sim: Sim) -> None:
    sim.script(lambda record: Answer(1 / 0))  # type: ignore[arg-type]
    assert ask(sim.url, "gemini").status == 599
    with pytest.raises(ZeroDivisionError):
        sim.wait_idle()


def test_requests_are_recorded_byte_for_byte(sim: Sim) -> None:
    body = b'{"model": "m",  "messages":[{"role":"user","content":"h\\u00e9"}]}'
    headers = {"X-Odd": "1", "Content-Encoding": "gzip", "Authorization": "Bearer k"}
    fetch(sim.url, "/openai/v1/chat/completions?a=b&c=", gzip.compress(body), headers)
    record = sim.last
    assert (record.method, record.path) == ("POST", "/openai/v1/chat/completions")
    assert record.query == {"a": "b", "c": ""}
    assert record.content == body
    assert record.raw != body
    assert record.body["messages"][0]["content"] == "hé"
    assert (record.headers["x-odd"], record.headers.get("absent")) == ("1", "")
    assert (record.dialect, record.endpoint, record.stream) == ("openai-chat", "generate", False)
    assert record.said == "hé"
    assert (record.wait_finished().status, record.closed_early) == (200, False)


def test_connections_are_told_apart(sim: Sim) -> None:
    path, body = asked("anthropic")
    with Client(sim.url) as client:
        for _ in range(2):
            with client.open(path, body) as answer:
                answer.read()
    ask(sim.url, "anthropic")
    assert [record.connection for record in sim.requests] == [1, 1, 2]


def test_a_chunked_request_is_read(sim: Sim) -> None:
    path, body = asked("gemini", "in pieces")
    data = json.dumps(body).encode()
    with Client(sim.url) as client:
        client._wire.request("POST", path, iter([data[:5], data[5:]]), {}, encode_chunked=True)
        with client._wire.getresponse() as answer:
            assert b"in pieces" in answer.read()


@pytest.mark.parametrize(
    ("path", "header", "read"),
    [
        ("/v1/models", {}, lambda got: [one["id"] for one in got["data"]]),
        ("/v1/models", {"anthropic-version": "x"}, lambda got: [one["id"] for one in got["data"]]),
        ("/v1beta/models", {}, lambda got: [one["name"][7:] for one in got["models"]]),
    ],
)
def test_models_are_listed(sim: Sim, path: str, header: dict[str, str], read: object) -> None:
    got = fetch(sim.url, path, None, header, method="GET")
    assert read(got.json) == sim.models  # type: ignore[operator]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/messages/count_tokens", "input_tokens"),
        ("/v1/responses/input_tokens", "input_tokens"),
        ("/v1beta/models/m:countTokens", "totalTokens"),
    ],
)
def test_tokens_are_counted_without_using_up_the_script(sim: Sim, path: str, field: str) -> None:
    sim.script(Answer("kept"))
    text = {"role": "user", "content": "x" * 40}
    body = {"messages": [text], "input": [text], "contents": [{"parts": [{"text": "x" * 40}]}]}
    assert fetch(sim.url, path, body).json[field] == 10
    assert sim.pending == 1


def test_unknown_paths_are_404_in_some_shape(sim: Sim) -> None:
    assert fetch(sim.url, "/v1/embeddings", {}).status == 404
    assert _head(sim) == (404, b"")


def _head(sim: Sim) -> tuple[int, bytes]:
    got: Got = fetch(sim.url, "/api/hello", None, method="HEAD")
    return got.status, got.body
