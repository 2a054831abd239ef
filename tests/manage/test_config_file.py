"""The configuration as a whole, and how changes reach the running proxy."""

from __future__ import annotations

import json
import threading

import bcrypt
import pytest

from tests.manage.conftest import CLIENT_KEY, HEAD, KEY

LISTS = (
    "gemini-api-key", "interactions-api-key", "claude-api-key", "codex-api-key", "xai-api-key",
    "vertex-api-key", "openai-compatibility", "api-keys",
)  # fmt: skip


class TestJson:
    def test_it_tells_what_panels_read(self, managed):
        told = managed.get("/config")
        assert all(isinstance(told[name], list) for name in LISTS)
        assert told["api-keys"] == [CLIENT_KEY]
        assert told["routing"]["strategy"] == "round-robin"
        assert type(told["quota-exceeded"]["switch-project"]) is bool
        assert told["payload"]["override"] == []
        assert told["plugins"] == {"enabled": False, "dir": "plugins", "configs": {}}
        assert type(told["max-retry-interval"]) is int
        assert type(told["redis-usage-queue-retention-seconds"]) is int

    @pytest.mark.parametrize(
        "name", ["host", "port", "auth-dir", "remote-management", "oauth-clients"]
    )
    def test_some_things_are_nobodys_business(self, managed, name):
        assert name not in managed.get("/config")
        assert KEY not in managed.ask("GET", "/config").text

    def test_keys_are_told_in_full(self, manage):
        managed = manage("claude-api-key: [{api-key: sk-ant-in-full, thing: 7}]\n")
        (entry,) = managed.get("/config")["claude-api-key"]
        assert entry == {"api-key": "sk-ant-in-full", "thing": 7}


class TestFile:
    def test_it_is_given_byte_for_byte(self, managed):
        answer = managed.ask("GET", "/config.yaml")
        assert answer.content == managed.file.read_bytes()
        assert answer.headers["content-type"] == "application/yaml; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"

    def test_a_file_that_is_not_there_is_not_found(self, manage):
        answer = manage(file=False).ask("GET", "/config.yaml")
        assert answer.status_code == 404
        assert answer.json() == {"error": "not_found", "message": "config file not found"}

    @pytest.mark.parametrize("kind", ["application/yaml", "text/plain", "application/json"])
    def test_what_is_put_is_given_again(self, managed, kind):
        text = f"# new\n{managed.text}  # trailing\ndebug: true # loud\n"
        answer = managed.ask("PUT", "/config.yaml", text.encode(), content_type=kind)
        assert (answer.status_code, answer.json()) == (200, {"ok": True, "changed": ["config"]})
        got = managed.ask("GET", "/config.yaml")
        hidden = got.text.split("secret-key: ")[1].split("\n")[0].strip("'\"")
        assert got.text.replace(hidden, KEY).replace('"', "").replace("'", "") == text
        assert bcrypt.checkpw(KEY.encode(), hidden.encode())
        assert got.headers["etag"] == answer.headers["etag"]
        assert managed.get("/debug")["value"] is True

    def test_a_text_in_json_is_taken_too(self, managed):
        body = json.dumps(managed.text + "debug: true\n").encode()
        answer = managed.ask("PUT", "/config.yaml", body, content_type="application/json")
        assert answer.status_code == 200
        assert managed.get("/debug")["value"] is True

    @pytest.mark.parametrize(
        ("text", "status", "error"),
        [
            ("a: [", 400, "invalid_yaml"),
            ("- a\n", 400, "invalid_yaml"),
            ('"just text"', 400, "invalid_yaml"),
            ("", 400, "invalid_yaml"),
            ("# nothing\n", 400, "invalid_yaml"),
            ("debug: 1\ndebug: 2\n", 400, "invalid_yaml"),
            ("request-retry: many\n", 400, "invalid_yaml"),
            ("api-keys: {a: b}\n", 400, "invalid_yaml"),
            ("port: 99999\n", 422, "invalid_config"),
            ("tls: {enable: true}\n", 422, "invalid_config"),
            ("claude-api-key: [{api-key: a, weight: 1000001}]\n", 422, "invalid_config"),
        ],
    )
    def test_what_cannot_be_used_is_not_written(self, managed, text, status, error):
        before = managed.file.read_bytes()
        answer = managed.ask("PUT", "/config.yaml", text.encode())
        assert (answer.status_code, answer.json()["error"]) == (status, error)
        assert answer.json()["message"]
        assert managed.file.read_bytes() == before
        assert [p.name for p in managed.file.parent.iterdir()] == ["config.yaml"]

    @pytest.mark.parametrize("text", ["debug: true\nrequest-retry: many\n", "debug: true\na: [b\n"])
    def test_a_fault_has_its_line(self, managed, text):
        (problem,) = managed.ask("PUT", "/config.yaml", text.encode()).json()["problems"]
        assert problem["line"] in (2, 3)

    def test_bytes_that_are_no_text_are_refused(self, managed):
        assert managed.ask("PUT", "/config.yaml", b"a: \xff").status_code == 400

    def test_a_key_for_strangers_cannot_be_forgotten(self, manage, monkeypatch):
        managed = manage()
        from msgspec import structs

        runtime = managed.proxy.runtime
        runtime.config = structs.replace(runtime.config, host="0.0.0.0")
        answer = managed.ask("PUT", "/config.yaml", b"debug: true\n")
        assert (answer.status_code, answer.json()["error"]) == (422, "invalid_config")
        assert managed.ask("PUT", "/api-keys", []).status_code == 422

    def test_who_has_read_something_else_is_told(self, managed):
        tag = managed.ask("GET", "/config.yaml").headers["etag"]
        managed.ask("PUT", "/debug", {"value": True})
        text = managed.text
        answer = managed.ask("PUT", "/config.yaml", HEAD.encode(), if_match=tag)
        assert (answer.status_code, answer.json()["error"]) == (412, "conflict")
        assert managed.text == text
        tag = managed.ask("GET", "/config.yaml").headers["etag"]
        answer = managed.ask("PUT", "/config.yaml", text.encode(), if_match=tag)
        assert answer.status_code == 200

    def test_line_ends_and_a_byte_order_mark_stay(self, managed):
        data = b"\xef\xbb\xbf" + managed.file.read_bytes().replace(b"\n", b"\r\n")
        managed.file.write_bytes(data)
        assert managed.ask("PUT", "/request-retry", {"value": 3}).status_code == 200
        now = managed.file.read_bytes()
        assert now.startswith(b"\xef\xbb\xbf# My proxy.\r\n")
        assert b"\n" not in now.replace(b"\r\n", b"")


class TestChanges:
    def test_what_this_process_wrote_is_not_read_again(self, managed):
        from cliproxy.app.watch import ConfigWatch

        applied = []
        watch = ConfigWatch(managed.file, applied.append)
        managed.control.apply = watch.took
        managed.ask("PUT", "/debug", {"value": True})
        assert [loaded.config.debug for loaded in applied] == [True]
        assert watch.check() is False
        managed.file.write_text(managed.text.replace("debug: true", "debug: false"))
        assert watch.check() is True

    def test_none_of_many_at_once_is_lost(self, managed):
        def add(number):
            body = {"old": "", "new": f"key-{number}"}
            assert managed.ask("PATCH", "/api-keys", body).status_code == 200
            name = ("debug", "request-log", "ws-auth")[number % 3]
            managed.ask("PUT", f"/{name}", {"value": number % 2 == 0})

        workers = [threading.Thread(target=add, args=(n,)) for n in range(16)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
        wanted = {CLIENT_KEY, *(f"key-{n}" for n in range(16))}
        told = managed.get("/api-keys")["value"]
        assert (len(told), set(told)) == (17, wanted)
        assert managed.text.count("# the laptop") == 1

    def test_an_edit_by_hand_in_between_is_not_overwritten(self, managed, monkeypatch):
        control, written = managed.control, []
        write = control._written

        def slow(path, before, after):
            if not written:
                written.append(True)
                managed.file.write_text(managed.text + "request-retry: 9\n")
            return write(path, before, after)

        monkeypatch.setattr(control, "_written", slow)
        assert managed.ask("PUT", "/debug", {"value": True}).status_code == 200
        assert "request-retry: 9" in managed.text
        assert "debug: true" in managed.text

    def test_new_models_serve_the_next_request(self, managed, sim):
        host = {
            "name": "sim", "base-url": f"{sim.url}/v1", "models": [{"name": "m", "alias": "mine"}],
        }  # fmt: skip
        body = {"model": "mine", "messages": [{"role": "user", "content": "Hi"}]}
        assert managed.ask("POST", "//v1/chat/completions", body, key=CLIENT_KEY).status_code == 404
        managed.ask("PUT", "/openai-compatibility", [host])
        assert managed.ask("POST", "//v1/chat/completions", body, key=CLIENT_KEY).status_code == 200

    def test_a_file_that_is_broken_meanwhile_is_left_alone(self, managed):
        managed.file.write_text("a: [\n")
        answer = managed.ask("PUT", "/debug", {"value": True})
        assert (answer.status_code, answer.json()["error"]) == (409, "not_editable")
        assert managed.file.read_text() == "a: [\n"
        assert managed.get("/api-keys")["value"] in ([CLIENT_KEY], [])

    def test_what_anchors_share_is_not_torn_apart(self, manage):
        managed = manage("gemini-api-key: &k\n  - api-key: a\nclaude-api-key: *k\n")
        before = managed.text
        body = {"index": 0, "value": {"priority": 2}}
        answer = managed.ask("PATCH", "/gemini-api-key", body)
        assert (answer.status_code, answer.json()["error"]) == (409, "not_editable")
        assert managed.text == before


class TestSomebodyElseWasFaster:
    """What was read has a name, and a change of something else by now is refused."""

    @pytest.mark.parametrize(
        ("path", "method", "body"),
        [
            ("/config.yaml", "PUT", b"debug: true\n"),
            ("/api-keys", "PUT", ["a"]),
            ("/api-keys", "PATCH", {"old": "x", "new": "y"}),
            ("/api-keys", "DELETE", {"index": 0}),
            ("/claude-api-key", "PUT", [{"api-key": "a"}]),
            ("/claude-api-key", "PATCH", {"index": 0, "value": {"prefix": "p"}}),
            ("/claude-api-key", "DELETE", {"index": 0}),
            ("/oauth-excluded-models", "PUT", {"codex": ["a"]}),
            ("/oauth-excluded-models", "PATCH", {"provider": "codex", "models": ["a"]}),
            ("/config", "", None),
        ],
    )
    def test_a_change_of_the_file(self, managed, path, method, body):
        managed.ask("PUT", "/claude-api-key", [{"api-key": "first"}])
        tag = managed.ask("GET", path).headers["etag"]
        managed.ask("PUT", "/request-retry", {"value": 7})
        text, now = managed.text, managed.ask("GET", path).headers["etag"]
        assert now != tag
        path, method = (path, method) if method else ("/debug", "PUT")
        body = body or {"value": True}
        answer = managed.ask(method, path, body, if_match=tag)
        assert (answer.status_code, answer.json()["error"]) == (412, "conflict")
        assert managed.text == text
        answer = managed.ask(method, path, body, if_match=now)
        assert answer.status_code == 200, answer.text
        assert managed.text != text
