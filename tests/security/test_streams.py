"""Streams that pass verbatim: an error that comes late repeats no secret, all else is untouched."""

from __future__ import annotations

import asyncio
import json

import pytest

from cliproxy import dialects
from cliproxy.ir.caps import Caps
from cliproxy.pipeline.commit import CommitPolicy, Watch
from cliproxy.pipeline.passthrough import Passthrough
from tests.clock import FakeClock

SECRET = "sk-upstream/0123456789+abcdef"
MORE = b": sign of life\n\n"

TEXT = {
    "openai-chat": b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n',
    "openai-responses": b"event: response.output_text.delta\n"
    b'data: {"type":"response.output_text.delta","item_id":"m","output_index":0,'
    b'"content_index":0,"delta":"%s"}\n\n',
    "anthropic": b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}\n\n',
    "gemini": b'data: {"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"%s"}]}}]}'
    b"\n\n",
}
ERRORS = {
    "openai-chat": (
        'data: {"error":{"message":"Bad key %s","type":"x","code":"%s"}}\n\n',
        'event: error\ndata: {"message":"Bad key %s"}\n\n',
        (
            'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"error",'
            '"error":{"message":"%s","code":502}}]}\n\n'
        ),
        'data: [{"error":{"message":"%s"}}]\n\n',
        '{"error": {"message": "no event at all: %s"}}\n\n',
    ),
    "openai-responses": (
        'event: error\ndata: {"type":"error","code":"%s","message":"Bad key %s","param":null}\n\n',
        (
            'event: response.failed\ndata: {"type":"response.failed","response":{"id":"r",'
            '"status":"failed","error":{"code":"server_error","message":"Bad key %s"}}}\n\n'
        ),
    ),
    "anthropic": (
        (
            'event: error\ndata: {"type":"error","error":{"type":"authentication_error",'
            '"message":"Bad key %s"}}\n\n'
        ),
        'event: error\r\ndata: {"type": "error",\r\ndata: "error": {"message": "%s"}}\r\n\r\n',
    ),
    "gemini": (
        'data: {"error":{"code":401,"message":"Bad key %s","status":"UNAUTHENTICATED"}}\n\n',
        'event: error\ndata: {"code":401,"message":"Bad key %s"}\n\n',
    ),
}
CASES = [(name, error) for name, errors in ERRORS.items() for error in errors]


class Response:
    """An upstream's answer in pieces."""

    def __init__(self, pieces):
        self._pieces = pieces

    async def chunks(self):
        for piece in self._pieces:
            yield piece

    def close(self):
        pass


def passed(dialect, pieces, *, framing="sse", committed=True):
    """Return what the client got, and what was noted of failures."""
    failures = []
    watch = Watch(CommitPolicy(), FakeClock())
    watch.committed = committed
    found = dialects.get(dialect)
    passing = Passthrough(found, Caps(), framing, watch, failures.append, secrets=lambda: {SECRET})

    async def run():
        return [chunk async for chunk in passing.stream(Response(pieces))]

    return b"".join(asyncio.run(run())), failures


def text(dialect, said):
    return TEXT[dialect] % json.dumps(said)[1:-1].encode()


def error(template, secret=SECRET):
    return template.replace("%s", secret).encode()


@pytest.mark.parametrize(("dialect", "template"), CASES)
def test_a_late_error_repeats_no_secret(dialect, template):
    said = text(dialect, "Hi")
    out, failures = passed(dialect, [said, MORE + error(template)])
    assert out.startswith(said + MORE)
    assert SECRET.encode() not in out
    wanted = error(template.replace("%s", "…"))
    assert out.startswith(said + MORE + wanted)
    if b"data:" in wanted:
        assert failures


@pytest.mark.parametrize(("dialect", "template"), CASES)
def test_it_does_not_matter_where_the_bytes_are_cut(dialect, template):
    stream = text(dialect, "Hi") + error(template)
    wanted, _ = passed(dialect, [stream])
    for at in range(1, len(stream)):
        out, _ = passed(dialect, [stream[:at], stream[at:]])
        assert out == wanted, at
    out, _ = passed(dialect, [stream[i : i + 1] for i in range(len(stream))])
    assert out == wanted


@pytest.mark.parametrize(("dialect", "template"), [(d, e[0]) for d, e in ERRORS.items()])
def test_a_secret_is_found_however_it_is_written(dialect, template):
    out, _ = passed(dialect, [text(dialect, "Hi"), error(template, SECRET.replace("/", "\\/"))])
    assert b"0123456789+abcdef" not in out


@pytest.mark.parametrize(("dialect", "template"), CASES)
def test_an_error_in_the_read_that_commits_is_seen(dialect, template):
    if dialect in ("anthropic", "openai-responses"):
        start = {
            "anthropic": b'event: message_start\ndata: {"type":"message_start","message":'
            b'{"id":"m","type":"message","role":"assistant","content":[],"model":"m",'
            b'"usage":{"input_tokens":1,"output_tokens":1}}}\n\n'
            b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
            b'"content_block":{"type":"text","text":""}}\n\n',
            "openai-responses": b'event: response.created\ndata: {"type":"response.created",'
            b'"response":{"id":"r","status":"in_progress","error":null,"output":[]}}\n\n'
            b'event: response.output_item.added\ndata: {"type":"response.output_item.added",'
            b'"output_index":0,"item":{"id":"m","type":"message","role":"assistant",'
            b'"content":[]}}\n\n',
        }[dialect]
    else:
        start = b""
    out, _ = passed(dialect, [start + text(dialect, "Hi") + error(template)], committed=False)
    assert b"Hi" in out
    assert SECRET.encode() not in out


@pytest.mark.parametrize("dialect", TEXT)
def test_what_a_model_says_is_passed_byte_for_byte(dialect):
    said = text(dialect, f'{{"error": "event: error", "{SECRET}"}}') + MORE
    out, failures = passed(dialect, [said + text(dialect, SECRET)])
    assert out.startswith(said + text(dialect, SECRET))
    assert failures[:-1] == [], "only that the stream stops is a failure"


def test_events_that_name_no_error_are_passed_byte_for_byte():
    created = (
        b'event: response.created\ndata: {"type":"response.created","response":{"id":"r",'
        b'"error":null,"metadata":{"k":"%s"}}}\n\n' % SECRET.encode()
    )
    called = (
        b'data: {"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"f",'
        b'"args":{"error":"%s"}}}]}}]}\n\n' % SECRET.encode()
    )
    assert passed("openai-responses", [created])[0].startswith(created)
    assert passed("gemini", [called])[0].startswith(called)


def test_an_array_is_as_careful():
    template = ERRORS["gemini"][0]
    said = text("gemini", SECRET)
    out, failures = passed("gemini", [said, error(template)], framing="array")
    assert failures
    first, second, *_ = json.loads(out)
    assert first == json.loads(said.removeprefix(b"data: "))
    assert second["error"]["message"] == "Bad key …"
