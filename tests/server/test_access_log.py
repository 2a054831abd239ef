"""Every request leaves one line, in the words that log readers know."""

from __future__ import annotations

import logging
import re

import pytest

from tests.server.raw import get, post, request
from tests.sim import Failure

LINE = r'{} \| \d+\.\d{{3}}s \| 127\.0\.0\.1 \| {} "{}"( \| .*)?'
CONFIG = """
claude-api-key: [{{api-key: k, base-url: "{url}", models: [{{name: m}}]}}]
remote-management: {{secret-key: management-key-0123456789}}
"""


@pytest.fixture
def proxy(sim, start_proxy, caplog):
    caplog.set_level(logging.DEBUG, "cliproxy.access")
    return start_proxy(CONFIG.format(url=sim.url))


def lines(proxy, caplog):
    proxy.settle()
    return [(r.levelname, r.getMessage()) for r in caplog.records if r.name == "cliproxy.access"]


@pytest.mark.parametrize(
    ("ask", "level", "status", "method", "path"),
    [
        (lambda p: post(p, *request("anthropic", "m")), "INFO", 200, "POST", "/v1/messages"),
        (lambda p: post(p, *request("anthropic", "m", stream=True)), "INFO", 200, "POST",
         "/v1/messages"),
        (lambda p: post(p, *request("anthropic", "none")), "WARNING", 404, "POST", "/v1/messages"),
        (lambda p: post(p, *request("anthropic", "m"), key="wrong"), "WARNING", 401, "POST",
         "/v1/messages"),
        (lambda p: get(p, "/v1/models?key=my-secret-0123456789", key=None), "WARNING", 401, "GET",
         "/v1/models"),
        (lambda p: get(p, "/v1/models"), "INFO", 200, "GET", "/v1/models"),
        (lambda p: get(p, "/healthz"), "DEBUG", 200, "GET", "/healthz"),
        (lambda p: get(p, "/v0/management/debug", key="management-key-0123456789"), "DEBUG", 200,
         "GET", "/v0/management/debug"),
        (lambda p: get(p, "/v0/management/debug", key="x"), "WARNING", 401, "GET",
         "/v0/management/debug"),
        (lambda p: post(p, '/a|b"c', {}), "WARNING", 404, "POST", "/a|b%22c"),
    ],
)  # fmt: skip
def test_a_request_leaves_one_line(proxy, caplog, ask, level, status, method, path):
    ask(proxy)
    (line,) = lines(proxy, caplog)
    assert line[0] == level
    assert re.fullmatch(LINE.format(status, method, re.escape(path)), line[1]), line[1]
    assert "my-secret" not in line[1]


def test_a_good_one_tells_who_answered(proxy, caplog):
    post(proxy, *request("anthropic", "m"))
    ((_, line),) = lines(proxy, caplog)
    assert line.startswith("200 | ")
    assert '"/v1/messages" | ' in line
    assert "anthropic m -> ok on claude:apikey:" in line
    assert line.endswith("after 1 attempt(s)")


def test_the_upstreams_failure_is_an_error(proxy, caplog, sim):
    sim.script(Failure(500, "broken"))
    post(proxy, *request("anthropic", "m"))
    ((level, line),) = lines(proxy, caplog)
    assert level == "ERROR"
    assert line.startswith("5")
    assert line.endswith("broken")
