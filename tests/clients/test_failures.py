"""What an upstream can do wrong, as the official SDKs see it: their own exceptions, promptly.

Every failure is tried for every client dialect on every upstream dialect, so both the verbatim and
the translated path are covered.
"""

from __future__ import annotations

import json
import socket
from types import SimpleNamespace

import anthropic
import httpx2
import openai
import pytest
from google import genai
from google.genai._interactions.core import error as interactions

from tests.clients.sdk import DIALECTS, InStream, Scenario, ask
from tests.clients.upstreams import config
from tests.sim import Answer, Failure, Raw, errors, html

TIMEOUTS = "timeouts: {connect: 5, first-event: 0.4, idle: 0.4}"
both = pytest.mark.parametrize("upstream", DIALECTS)
clients = pytest.mark.parametrize("client", DIALECTS)
streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])

OA, AN = openai, anthropic
INTERACTIONS = {
    400: interactions.BadRequestError,
    401: interactions.AuthenticationError,
    403: interactions.PermissionDeniedError,
    404: interactions.NotFoundError,
    413: interactions.APIStatusError,
    422: interactions.UnprocessableEntityError,
    429: interactions.RateLimitError,
}
CLASSES = {
    400: (OA.BadRequestError, AN.BadRequestError),
    401: (OA.AuthenticationError, AN.AuthenticationError),
    403: (OA.PermissionDeniedError, AN.PermissionDeniedError),
    404: (OA.NotFoundError, AN.NotFoundError),
    413: (OA.APIStatusError, AN.RequestTooLargeError),
    422: (OA.UnprocessableEntityError, AN.UnprocessableEntityError),
    429: (OA.RateLimitError, AN.RateLimitError),
    500: (OA.InternalServerError, AN.InternalServerError),
    502: (OA.InternalServerError, AN.InternalServerError),
    503: (OA.InternalServerError, AN.ServiceUnavailableError),
    504: (OA.InternalServerError, AN.DeadlineExceededError),
    529: (OA.InternalServerError, AN.OverloadedError),
}


def expected(client, status):
    """Return the SDK's own exception class for a status."""
    if client == "gemini":
        return genai.errors.ServerError if status >= 500 else genai.errors.ClientError
    if client == "interactions":
        return INTERACTIONS.get(status, interactions.InternalServerError)
    return CLASSES[status][client == "anthropic"]


def status_of(error):
    return error.code if isinstance(error, genai.errors.APIError) else error.status_code


def asking(proxy):
    def run(client, upstream, stream):
        return ask(client, proxy.url, proxy.key, f"to-{upstream}", Scenario(), stream=stream)

    return run


@pytest.fixture
def go(sim, start_proxy):
    return asking(start_proxy(config(sim)))


@pytest.fixture
def hasty(sim, start_proxy):
    """A proxy that does not wait for long; only for upstreams that never answer."""
    return asking(start_proxy(config(sim, TIMEOUTS)))


@pytest.mark.parametrize(
    ("client", "upstream", "status"),
    [
        (client, upstream, status)
        for client in DIALECTS
        for upstream in DIALECTS
        for status in (400, 401, 403, 404, 413, 422, 429, 500, 503, 529)
        # How an upstream says it and how a client hears it have nothing to do with each other.
        if upstream in (client, "openai-chat") or client == "anthropic" or status == 429
    ],
)
@streamed
def test_an_error_status_raises_the_sdks_own_class(go, sim, client, upstream, stream, status):
    sim.script(Failure(status=status, message="Because of the moon"))
    with pytest.raises(expected(client, status)) as caught:
        go(client, upstream, stream)
    shown = 503 if status == 529 and client != "anthropic" else status
    if client == upstream and status == 529:
        shown = status_of(caught.value)
    assert status_of(caught.value) == shown
    assert "Because of the moon" in str(caught.value)


@clients
@both
@streamed
def test_a_web_page_instead_of_an_answer(go, sim, client, upstream, stream):
    sim.script(html(200))
    with pytest.raises(expected(client, 502)) as caught:
        go(client, upstream, stream)
    assert status_of(caught.value) == 502
    assert "<html>" not in str(caught.value)


@clients
@both
@streamed
def test_a_web_page_with_an_error_status_is_not_shown(go, sim, client, upstream, stream):
    sim.script(html(503))
    with pytest.raises(expected(client, 503)) as caught:
        go(client, upstream, stream)
    assert "<h1>" not in str(caught.value)


@clients
@both
@streamed
@pytest.mark.parametrize("place", ["headers", 0])
def test_a_connection_cut_before_the_first_event(go, sim, client, upstream, stream, place):
    sim.script(Answer("never seen", cut=place))
    with pytest.raises(expected(client, 502)) as caught:
        go(client, upstream, stream)
    assert status_of(caught.value) == 502


@clients
@both
@streamed
@pytest.mark.parametrize("place", ["headers", 0])
def test_an_upstream_that_hangs_before_its_first_event(hasty, sim, client, upstream, stream, place):
    sim.script(Answer("never seen", hang=place))
    with pytest.raises(expected(client, 504)) as caught:
        hasty(client, upstream, stream)
    assert status_of(caught.value) == 504


@clients
@both
@streamed
@pytest.mark.parametrize("status", [429, 500])
def test_an_error_inside_an_answer_that_began_with_200(go, sim, client, upstream, stream, status):
    failure = Failure(status=status, message="Quota of the moon")
    whole = Raw(json.dumps(errors.body(upstream, failure)).encode())
    sim.script(Answer("never seen", error=failure, error_at=0) if stream else whole)
    with pytest.raises(expected(client, status)) as caught:
        go(client, upstream, stream)
    assert "Quota of the moon" in str(caught.value)


MID_STREAM = {
    "cut": Answer(["Half ", "an ", "answer", "!"], cut=4),
    "cut in an event": Answer(["Half ", "an ", "answer"], cut_bytes=700),
    "hang": Answer(["Half ", "an ", "answer", "!"], hang=4),
    "end without an end": Answer(["Half ", "an ", "answer"], drop="finish"),
    "error": Answer(
        ["Half ", "an ", "answer"], error=Failure(status=500, message="moon"), error_at=4
    ),
}
RAISED = (
    openai.APIError,
    anthropic.APIError,
    genai.errors.APIError,
    interactions.APIError,
    InStream,
    httpx2.RemoteProtocolError,
)


@clients
@both
@pytest.mark.parametrize("fault", MID_STREAM)
def test_a_failure_in_mid_stream_is_never_a_normal_end(request, sim, client, upstream, fault):
    run = request.getfixturevalue("hasty" if fault == "hang" else "go")
    sim.script(MID_STREAM[fault])
    with pytest.raises(RAISED) as caught:
        run(client, upstream, True)
    # The proxy's own well-formed error event, not a torn connection.
    assert not isinstance(caught.value, httpx2.RemoteProtocolError)
    if fault == "error":
        assert "moon" in str(caught.value)


@clients
@both
@streamed
def test_nobody_listens_at_the_upstream(start_proxy, client, upstream, stream):
    with socket.create_server(("127.0.0.1", 0)) as server:
        nobody = SimpleNamespace(url=f"http://127.0.0.1:{server.getsockname()[1]}")
    proxy = start_proxy(config(nobody, TIMEOUTS))
    with pytest.raises(expected(client, 502)) as caught:
        ask(client, proxy.url, proxy.key, f"to-{upstream}", Scenario(), stream=stream)
    assert status_of(caught.value) == 502


@clients
@both
@streamed
def test_json_that_is_not_the_protocol(go, sim, client, upstream, stream):
    sim.script(Raw(b'{"hello": "world"}'))
    if client == upstream and not stream:
        pytest.skip("verbatim: what a host answers with 200 and no error in it is its own word")
    with pytest.raises(expected(client, 502)):
        go(client, upstream, stream)


@pytest.mark.parametrize("client", DIALECTS)
@pytest.mark.parametrize(
    ("key", "model", "status"), [("wrong", "to-gemini", 401), (None, "nothing-here", 404)]
)
def test_the_proxys_own_refusals_raise_the_sdks_own_classes(
    sim, start_proxy, client, key, model, status
):
    proxy = start_proxy(config(sim))
    with pytest.raises(expected(client, status)):
        ask(client, proxy.url, key or proxy.key, model, Scenario(), stream=False)
