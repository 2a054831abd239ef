"""Single settings: read, set, kept in the file, in force at once."""

from __future__ import annotations

import pytest

BOOLS = (
    "debug", "logging-to-file", "usage-statistics-enabled", "request-log", "ws-auth",
    "force-model-prefix", "quota-exceeded/switch-project", "quota-exceeded/switch-preview-model",
)  # fmt: skip
WHOLES = (
    "logs-max-total-size-mb", "error-logs-max-files", "request-retry", "max-retry-credentials",
    "max-retry-interval",
)  # fmt: skip


def name(path):
    return path.rpartition("/")[2]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    ("path", "value"),
    [(p, True) for p in BOOLS]
    + [(p, False) for p in BOOLS]
    + [(p, 7) for p in WHOLES]
    + [("proxy-url", "socks5://127.0.0.1:1"), ("routing/strategy", "fill-first")],
)
def test_what_is_set_is_told(managed, method, path, value):
    answer = managed.ask(method, f"/{path}", {"value": value})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert managed.get(f"/{path}") == {name(path): value, "value": value}


@pytest.mark.parametrize("path", BOOLS)
@pytest.mark.parametrize("value", ["true", 1, 0, None, [], {}])
def test_yes_and_no_are_never_guessed(managed, path, value):
    answer = managed.ask("PUT", f"/{path}", {"value": value})
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid body"})


@pytest.mark.parametrize("path", WHOLES)
@pytest.mark.parametrize("value", ["1", 1.5, True, None, 10**30])
def test_numbers_are_whole(managed, path, value):
    answer = managed.ask("PUT", f"/{path}", {"value": value})
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid body"})


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"true", b"{}", b'{"debug":true}'])
def test_a_body_without_a_value_is_refused(managed, body):
    answer = managed.ask("PUT", "/debug", body)
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid body"})
    assert "debug" not in managed.text


@pytest.mark.parametrize(
    ("path", "value", "kept"),
    [("logs-max-total-size-mb", -1, 0), ("error-logs-max-files", -1, 10)],
)
def test_negative_numbers_mean_something(managed, path, value, kept):
    managed.ask("PUT", f"/{path}", {"value": value})
    assert managed.get(f"/{path}")["value"] == kept


@pytest.mark.parametrize(
    ("word", "kept"),
    [
        ("RR", "round-robin"), ("roundrobin", "round-robin"), ("", "round-robin"),
        ("Fill-First", "fill-first"), ("ff", "fill-first"),
        ("wrr", "weighted-round-robin"), ("weightedroundrobin", "weighted-round-robin"),
        ("least-in-flight", "least-in-flight"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/routing/strategy", "/routing"])
def test_strategies_have_short_names(managed, path, word, kept):
    assert managed.ask("PUT", path, {"value": word}).status_code == 200
    assert managed.get(path) == {"strategy": kept, "value": kept}


def test_an_unknown_strategy_is_refused(managed):
    answer = managed.ask("PUT", "/routing/strategy", {"value": "dice"})
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid strategy"})


def test_the_proxy_can_be_taken_away(manage):
    managed = manage("proxy-url: http://127.0.0.1:1 # the office's\n")
    assert managed.ask("DELETE", "/proxy-url").json() == {"status": "ok"}
    assert managed.get("/proxy-url") == {"proxy-url": "", "value": ""}
    assert "# the office's" in managed.text


def test_a_proxy_that_is_none_is_refused(managed):
    assert managed.ask("PUT", "/proxy-url", {"value": "gopher://x"}).status_code == 400


def test_comments_and_unknown_keys_stay(manage):
    managed = manage("debug: false # quiet\nmy-own-key: 1\n")
    before = managed.text
    managed.ask("PUT", "/debug", {"value": True})
    assert managed.text.replace("secret-key: management-key-0123456789", "") != before
    assert "debug: true # quiet\n" in managed.text
    for line in ("# My proxy.", "  - test-client-key # the laptop", "my-own-key: 1"):
        assert line in managed.text


def test_without_a_file_the_change_lasts_and_is_no_success(manage):
    managed = manage(file=False)
    answer = managed.ask("PUT", "/debug", {"value": True})
    assert answer.status_code == 500
    assert answer.json()["error"].startswith("failed to save config: ")
    assert managed.get("/debug")["value"] is True
    managed.ask("PUT", "/request-retry", {"value": 4})
    assert (managed.get("/debug")["value"], managed.get("/request-retry")["value"]) == (True, 4)


def test_a_file_that_cannot_be_written_changes_nothing(managed, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cliproxy.app.control.atomic_write", full)
    answer = managed.ask("PUT", "/debug", {"value": True})
    assert answer.status_code == 500
    assert answer.json() == {"error": "failed to save config: No space left on device"}
    assert managed.get("/debug")["value"] is False
