"""What only counts bring into a stream is taken out of it."""

from __future__ import annotations

import pytest

from cliproxy.pipeline.unasked import ask, hide

COUNTS = b'{"id":"c","choices":[],"usage":{"prompt_tokens":1}}'
TEXT = b'{"id":"c","choices":[{"index":0,"delta":{"content":"\\"choices\\":[] usage"}}]}'
DONE = b"data: [DONE]\n\n"


def sse(*payloads: bytes, end: bytes = b"\n\n") -> bytes:
    return b"".join(b"data: " + payload + end for payload in payloads)


@pytest.mark.parametrize(
    ("events", "seen"),
    [
        (sse(COUNTS), b""),
        (sse(COUNTS) + DONE, DONE),
        (sse(TEXT, COUNTS) + DONE, sse(TEXT) + DONE),
        (sse(COUNTS, TEXT, end=b"\r\n\r\n"), sse(TEXT, end=b"\r\n\r\n")),
        (sse(COUNTS.replace(b":[", b": [")), b""),
        (b"data:" + COUNTS + b"\n\n", b""),
        (sse(TEXT[:-1] + b',"usage":null}'), sse(TEXT)),
    ],
)
def test_counts_are_taken_out(events, seen):
    assert hide(events) == seen


@pytest.mark.parametrize(
    "events",
    [
        sse(TEXT) + DONE,
        # Azure's first event holds what its filters said, and no choices.
        sse(b'{"choices":[],"prompt_filter_results":[{"prompt_index":0}]}'),
        sse(b'{"choices":[],"usage":'),
        sse(b'{"choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":1}}'),
        b": " + COUNTS + b"\n\n",
    ],
)
def test_all_else_stays_as_it_came(events):
    assert hide(events) == events


@pytest.mark.parametrize(
    "body",
    [
        b'{"stream_options":{"include_usage":true},"model":"m"}',
        b'{"stream_options":{"include_usage":1},"model":"m"}',
        b'{"stream_options":7,"model":"m"}',
        b'{"stream_options":{},"model":"\\ud800',
    ],
)
def test_a_body_that_asks_or_is_wrong_is_the_same_object(body):
    assert ask(body) is body
