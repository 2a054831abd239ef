"""Wherever the network cuts an upstream's stream, the client gets the same answer."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.clients.sdk import DIALECTS
from tests.clock import FakeClock
from tests.server.raw import BODIES
from tests.sim import Answer, Call, Sim, Usage
from tests.sim.client import ask
from tests.sim.grammar import check

from cliproxy import dialects
from cliproxy.dialects import ParseMeta
from cliproxy.ir.caps import Caps
from cliproxy.ir.restore import Restore
from cliproxy.pipeline.commit import CommitPolicy, Watch
from cliproxy.pipeline.passthrough import Passthrough
from cliproxy.pipeline.upstream import Source

FULL = Answer(
    thinking=["Need ", "weather."],
    text=["Grüße \u2028", " 🙂 «data: {}» \n\n", '"finish_reason":"'],
    tools=[Call("get_weather", {"city": "Ø"}), Call("get_weather", {"city": "B"})],
    usage=Usage(input=100, cached=60, output=30, reasoning=10),
)


class Response:
    """An upstream's answer that arrives in the given pieces."""

    def __init__(self, pieces):
        self.pieces = pieces
        self.headers = {"content-type": "text/event-stream"}
        self.status = 200
        self.closed = False

    async def chunks(self):
        for piece in self.pieces:
            yield piece

    def close(self):
        self.closed = True


@pytest.fixture(scope="module")
def streams():
    with Sim() as sim:
        found = {}
        for dialect in DIALECTS:
            for name, faults in (
                ("plain", {}),
                ("crlf", {"crlf": True, "comments": True}),
                ("odd", {"multiline": True, "bom": True, "tight": True, "ragged": True}),
            ):
                fields = {
                    name: getattr(FULL, name) for name in ("thinking", "text", "tools", "usage")
                }
                sim.script(Answer(**fields, **faults))
                found[dialect, name] = ask(sim.url, dialect, stream=True).body
        return found


def translated(stream, upstream, client):
    async def run(pieces):
        dialect, source_dialect = dialects.get(client), dialects.get(upstream)
        body = {**BODIES[client], "model": "m", "stream": True}
        if client == "openai-chat":
            body["stream_options"] = {"include_usage": True}
        request = dialect.parse(body, ParseMeta(headers={}, model="m", stream=True))
        writer = dialect.writer(request, "sse")
        source = Source(source_dialect, Caps(), Restore(), checked=True)
        out = []
        async for events in source.stream(Response(pieces)):
            out.append(writer.feed(events))
        return b"".join(out)

    return lambda pieces: asyncio.run(run(pieces))


def passing_by(dialect, framing):
    watch = Watch(CommitPolicy(), FakeClock())
    # The commit point is somebody else's to wait for.
    watch.committed = True
    return Passthrough(dialects.get(dialect), Caps(), framing, watch, lambda _: None)


def same(data):
    """Take out what is random by design: ids we invent and the time of day."""
    text = re.sub(rb'"(created|created_at|completed_at)":\d+', b'"at":0', data)
    text = re.sub(rb"(call_|toolu_|rs_|msg_|fc_|resp_|chatcmpl-)[A-Za-z0-9_]+", rb"\1x", text)
    # Pieces of text that arrived together may leave together.
    return text


def said(client, data):
    return check(client, data, include_usage=True).told


@pytest.mark.parametrize("form", ["plain", "crlf", "odd"])
@pytest.mark.parametrize(
    ("client", "upstream"),
    # A cut is noticed by the reader of one dialect, whoever writes; and by what passes verbatim.
    [(DIALECTS[n - other], upstream) for n, upstream in enumerate(DIALECTS) for other in (0, 1, 3)],
)
def test_every_single_cut_gives_the_same_answer(streams, client, upstream, form):
    stream = streams[upstream, form]
    run = translated(stream, upstream, client)
    whole = run([stream])
    wanted = said(client, whole)
    # Every place, in runs of cuts that stay short enough to try them all.
    for at in range(1, len(stream), 1 if form == "plain" else 29):
        cut = run([stream[:at], stream[at:]])
        if same(cut) != same(whole):
            assert said(client, cut) == wanted, at
    assert said(client, run([stream[i : i + 1] for i in range(len(stream))])) == wanted


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(deadline=None, max_examples=60)
@given(cuts=st.lists(st.integers(0, 100_000), max_size=40))
def test_verbatim_bytes_survive_any_cuts(streams, dialect, cuts):
    stream = streams[dialect, "plain"]
    places = sorted({0, len(stream), *(cut % len(stream) for cut in cuts)})
    pieces = [stream[a:b] for a, b in zip(places, places[1:], strict=False)]

    async def run():
        passing = passing_by(dialect, "sse")
        return [chunk async for chunk in passing.stream(Response(pieces))]

    chunks = asyncio.run(run())
    assert b"".join(chunks) == stream
    # Whole events only: a client never waits for the rest of one that is already here.
    assert all(chunk.endswith(b"\n\n") for chunk in chunks)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("form", ["crlf", "odd"])
def test_verbatim_bytes_of_other_forms_survive_single_bytes(streams, dialect, form):
    stream = streams[dialect, form]

    async def run():
        passing = passing_by(dialect, "sse")
        pieces = [stream[i : i + 1] for i in range(len(stream))]
        return b"".join([chunk async for chunk in passing.stream(Response(pieces))])

    # A last event without its blank line gets one.
    assert asyncio.run(run()).rstrip(b"\r\n") == stream.rstrip(b"\r\n")


def test_a_gemini_array_is_the_same_json_wherever_it_was_cut(streams):
    stream = streams["gemini", "plain"]

    async def run(pieces):
        passing = passing_by("gemini", "array")
        return b"".join([chunk async for chunk in passing.stream(Response(pieces))])

    whole = json.loads(asyncio.run(run([stream])))
    for at in range(1, len(stream)):
        assert json.loads(asyncio.run(run([stream[:at], stream[at:]]))) == whole
