"""Who gets in, what everybody is told, and what is not there."""

from __future__ import annotations

import pytest

from cliproxy.manage.app import ENDPOINTS
from cliproxy.manage.door import LANDINGS
from tests.manage.conftest import CLIENT_KEY, KEY

WITHOUT_KEY = "api-keys: [test-client-key]\n"
ROUTES = [(e.method, e.path.replace("{", "").replace("}", "")) for e in ENDPOINTS if not e.open]
IDENTITY = ("x-cpa-version", "x-cpa-commit", "x-cpa-build-date", "x-cpa-support-plugin")


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    from tests.proxy import Proxy

    with Proxy(f"remote-management: {{secret-key: {KEY}}}") as proxy:
        yield proxy


@pytest.mark.parametrize(("method", "path"), [pytest.param(*r, id=" ".join(r)) for r in ROUTES])
def test_every_route_wants_the_management_key(closed, method, path):
    from tests.server.raw import post

    gate = closed.runtime.control.gate
    for key, error in (
        (None, "missing management key"),
        (CLIENT_KEY, "invalid management key"),
        ("wrong", "invalid management key"),
    ):
        gate._seen.clear()
        answer = post(closed, f"/v0/management{path}", b"", key=key, method=method)
        assert (answer.status_code, answer.json()) == (401, {"error": error})
        assert all(name in answer.headers for name in IDENTITY)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/config", "/nothing", "/oauth-callback", ""])
def test_without_a_key_there_is_nothing(manage, method, path):
    managed = manage(head=WITHOUT_KEY)
    answer = managed.ask(method, path)
    assert (answer.status_code, answer.content) == (404, b"")
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer {KEY}"},
        {"authorization": KEY},
        {"x_management_key": KEY},
    ],
)
def test_the_key_has_four_forms(managed, headers):
    assert managed.ask("GET", "/debug", key=None, **headers).status_code == 200


def test_the_key_of_the_query_is_none(managed):
    assert managed.ask("GET", f"/debug?key={KEY}", key=None).status_code == 401


@pytest.mark.parametrize("error", ["missing management key", "invalid management key"])
def test_five_failures_ban_also_this_machine(managed, error):
    key = "wrong" if "invalid" in error else None
    for _ in range(5):
        assert managed.ask("GET", "/debug", key=key).json() == {"error": error}
    answer = managed.ask("GET", "/debug")
    assert answer.status_code == 403
    assert answer.json()["error"].startswith("IP banned due to too many failed attempts.")
    assert "x-cpa-version" in answer.headers


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"sec_fetch_site": "cross-site"}]
)
def test_a_page_elsewhere_cannot_have_this_machine_banned(managed, headers):
    for _ in range(6):
        managed.ask("GET", "/debug", key="wrong", **headers)
    assert managed.ask("GET", "/debug", **headers).status_code == 403
    assert managed.ask("GET", "/debug").status_code == 200


def test_a_page_elsewhere_may_come_with_the_key(managed):
    assert managed.ask("GET", "/debug", origin="https://panel.example").status_code == 200


def test_forwarding_headers_are_believed_from_nobody(manage, monkeypatch):
    managed = manage()
    monkeypatch.setattr("cliproxy.manage.door.is_loopback", lambda _: False)
    answer = managed.ask("GET", "/debug", x_forwarded_for="127.0.0.1", x_real_ip="127.0.0.1")
    assert (answer.status_code, answer.json()) == (403, {"error": "remote management disabled"})


def test_the_environments_key_opens_from_anywhere(managed, monkeypatch):
    monkeypatch.setenv("MANAGEMENT_PASSWORD", "from-the-environment")
    monkeypatch.setattr("cliproxy.manage.door.is_loopback", lambda _: False)
    assert managed.ask("GET", "/debug", key="from-the-environment").status_code == 200


def test_the_key_of_this_start_opens_for_this_machine_alone(manage, monkeypatch):
    managed = manage(head=WITHOUT_KEY)
    managed.control.local_key = "for-now"
    assert managed.ask("GET", "/debug", key="for-now").status_code == 200
    monkeypatch.setattr("cliproxy.manage.door.is_loopback", lambda _: False)
    assert managed.ask("GET", "/debug", key="for-now").status_code == 403


@pytest.mark.parametrize("path", ["/debug", "/nothing"])
def test_a_preflight_needs_no_key(managed, path):
    answer = managed.ask("OPTIONS", path, key=None, origin="https://panel.example")
    assert answer.status_code == 204
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert "PATCH" in answer.headers["access-control-allow-methods"]


def test_browsers_may_read_what_panels_need(managed):
    answer = managed.ask("GET", "/debug", origin="https://panel.example")
    exposed = answer.headers["access-control-expose-headers"]
    assert all(n in exposed for n in ("X-CPA-VERSION", "X-CPA-SUPPORT-PLUGIN", "ETag"))
    assert answer.headers["x-cpa-support-plugin"] == "0"


def test_an_unknown_path_is_not_there(managed):
    answer = managed.ask("GET", "/nothing/at/all")
    assert (answer.status_code, answer.content) == (404, b"")


def test_another_method_is_refused_by_name(managed):
    answer = managed.ask("POST", "/debug", {})
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "PATCH", "PUT"}


def test_head_tells_what_get_would(managed):
    answer = managed.ask("HEAD", "/config")
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_slash_at_the_end_changes_nothing(managed):
    assert managed.ask("GET", "/debug/").status_code == 200


def test_a_body_beyond_the_limit_is_refused(manage):
    managed = manage("max-body-size: 0.001")
    answer = managed.ask("PUT", "/config.yaml", b"#" * 5000)
    assert answer.status_code == 413


@pytest.mark.parametrize("path", list(LANDINGS))
def test_landing_pages_say_the_same_to_everybody(managed, path):
    answer = managed.ask("GET", f"/{path}?code=c&state=unknown", key=None)
    assert answer.status_code == 200
    assert "text/html" in answer.headers["content-type"]
    assert "<script" not in answer.text


def test_the_key_can_be_taken_away_while_it_runs(managed):
    text = managed.text.replace(f"  secret-key: {KEY}\n", '  secret-key: ""\n')
    assert managed.ask("PUT", "/config.yaml", text.encode()).status_code == 200
    assert managed.ask("GET", "/debug").status_code == 404


class TestHost:
    @pytest.mark.parametrize(
        "host", ["localhost", "localhost:8317", "LOCALHOST.", "127.0.0.1:1", "[::1]", "[::1]:8317"]
    )
    def test_this_machine_has_these_names(self, managed, host):
        assert managed.ask("GET", "/debug", host=host).status_code == 200

    @pytest.mark.parametrize("method", ["GET", "PUT", "HEAD"])
    @pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8317", "localhost.x"])
    def test_a_page_elsewhere_cannot_give_it_another(self, managed, host, method):
        answer = managed.ask(method, "/debug", host=host)
        assert answer.status_code == 403
        assert "x-cpa-version" in answer.headers
        if method != "HEAD":
            assert answer.json()["error"] == "unknown host"
            assert "allow-remote" in answer.json()["message"]

    def test_the_callback_is_no_exception(self, managed):
        answer = managed.ask("GET", "/oauth-callback?state=x", key=None, host="evil.example")
        assert answer.status_code == 403

    @pytest.mark.parametrize(
        "setting",
        [
            f"api-keys: [k]\nremote-management: {{secret-key: {KEY}, allow-remote: true}}\n",
            f"api-keys: [k]\nremote-management: {{secret-key: {KEY}}}\ntrusted-proxies: [10.0.0.1]\n",
            f"api-keys: [k]\nremote-management: {{secret-key: {KEY}}}\nhost: 0.0.0.0\n",
        ],
        ids=["remote", "proxied", "everywhere"],
    )
    def test_whoever_serves_others_may_have_any_name(self, manage, setting):
        managed = manage(head=setting)
        assert managed.ask("GET", "/debug", host="proxy.example").status_code == 200

    def test_clients_may_use_any_name(self, managed):
        assert managed.ask("GET", "//healthz", host="proxy.example").status_code == 200


class TestKeepAlive:
    @pytest.mark.parametrize(
        ("headers", "status", "told"),
        [
            ({"authorization": "Bearer for-now"}, 200, {"status": "ok"}),
            ({"x_local_password": "for-now"}, 200, {"status": "ok"}),
            ({"x_local_password": "wrong"}, 401, {"error": "invalid password"}),
            ({}, 401, {"error": "invalid password"}),
            ({"authorization": f"Bearer {KEY}"}, 401, {"error": "invalid password"}),
        ],
    )
    def test_the_password_of_this_start_opens_it(self, managed, headers, status, told):
        managed.control.local_key = "for-now"
        answer = managed.ask("GET", "//keep-alive", key=None, **headers)
        assert (answer.status_code, answer.json()) == (status, told)
        assert (managed.control.heard is not None) is (status == 200)

    def test_without_a_password_it_is_not_there(self, managed):
        assert managed.ask("GET", "//keep-alive").status_code == 404

    def test_guessing_ends_in_a_ban(self, managed):
        managed.control.local_key = "for-now"
        for _ in range(5):
            managed.ask("GET", "//keep-alive", key="wrong")
        assert managed.ask("GET", "//keep-alive", key="for-now").status_code == 403
