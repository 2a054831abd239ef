"""Credential files through the management API."""

from __future__ import annotations

import base64
import json
import stat

import pytest

CLAUDE = {
    "type": "claude", "email": "me@example.com", "access_token": "at-1", "refresh_token": "rt-1",
    "expired": "2099-01-01T00:00:00Z", "own": {"kept": 1},
}  # fmt: skip
FORM = "multipart/form-data; boundary=X"


def form(*files, field="file"):
    parts = [
        f'--X\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        f"Content-Type: application/json\r\n\r\n{content}\r\n"
        for name, content in files
    ]
    return ("".join(parts) + "--X--\r\n").encode()


def bring(managed, name="claude-me.json", fields=CLAUDE):
    answer = managed.ask("POST", f"/auth-files?name={name}", fields)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"}), answer.text
    return managed.auth / name


def one(managed, name="claude-me.json"):
    (found,) = managed.get(f"/auth-files?name={name}")["files"]
    return found


class TestList:
    def test_there_may_be_none(self, managed):
        assert managed.get("/auth-files")["files"] == []

    def test_a_file_tells_all_that_clients_read(self, managed):
        path = bring(managed, fields={**CLAUDE, "priority": 3, "weight": 0, "note": "n",
                                      "prefix": "team"})  # fmt: skip
        told = one(managed)
        assert told["id"] == told["name"] == "claude-me.json"
        assert told["type"] == told["provider"] == "claude"
        assert (told["label"], told["email"], told["account"]) == ("me@example.com",) * 3
        assert (told["status"], told["status_message"]) == ("active", "")
        assert (told["disabled"], told["unavailable"], told["runtime_only"]) == (False,) * 3
        assert (told["source"], told["path"]) == ("file", str(path))
        assert told["size"] == path.stat().st_size
        assert (told["account_type"], told["priority"], told["weight"]) == ("oauth", 3, 0)
        assert (told["note"], told["prefix"]) == ("n", "team")
        assert (told["success"], told["failed"], len(told["recent_requests"])) == (0, 0, 20)
        assert told["modtime"].endswith("Z")
        assert len(told["auth_index"]) == 16
        assert "at-1" not in json.dumps(told)
        assert "rt-1" not in json.dumps(told)

    def test_the_index_stands_for_type_and_place(self, managed):
        import hashlib

        path = bring(managed)
        wanted = hashlib.sha256(f"claude:{path}".encode()).hexdigest()[:16]
        assert one(managed)["auth_index"] == wanted
        assert managed.get(f"/auth-files?auth_index={wanted}")["files"][0]["name"] == path.name
        assert managed.get("/auth-files?auth_index=0000000000000000")["files"] == []

    def test_names_are_in_order_whatever_their_case(self, managed):
        for name in ("b.json", "A.json", "C.json"):
            bring(managed, name)
        names = [entry["name"] for entry in managed.get("/auth-files")["files"]]
        assert names == ["A.json", "b.json", "C.json"]

    def test_a_subscription_is_told_without_its_token(self, managed):
        said = {"https://api.openai.com/auth": {
            "chatgpt_account_id": "acc", "chatgpt_plan_type": "plus",
            "chatgpt_subscription_active_until": "2027-01-01T00:00:00+00:00",
            "chatgpt_subscription_active_start": 1700000000}}  # fmt: skip
        middle = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()
        fields = {"type": "codex", "access_token": "a", "id_token": f"h.{middle}.s"}
        bring(managed, "codex-me.json", fields)
        assert one(managed, "codex-me.json")["id_token"] == {
            "chatgpt_account_id": "acc", "plan_type": "plus",
            "chatgpt_subscription_active_until": "2027-01-01T00:00:00.000Z",
            "chatgpt_subscription_active_start": "2023-11-14T22:13:20.000Z",
        }  # fmt: skip

    def test_keys_of_the_configuration_are_not_files(self, manage):
        managed = manage("claude-api-key: [{api-key: k}]\n")
        assert managed.get("/auth-files")["files"] == []


class TestUpload:
    def test_a_file_is_private_and_whole(self, managed):
        path = bring(managed)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert json.loads(path.read_bytes()) == CLAUDE

    @pytest.mark.parametrize("field", ["file", "files", "anything"])
    def test_a_form_may_call_it_anything(self, managed, field):
        body = form(("a.json", json.dumps(CLAUDE)), field=field)
        answer = managed.ask("POST", "/auth-files", body, content_type=FORM)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert (managed.auth / "a.json").is_file()

    def test_a_form_of_several_tells_each(self, managed):
        text = json.dumps(CLAUDE)
        body = form(("a.json", text), ("b.json", text))
        answer = managed.ask("POST", "/auth-files", body, content_type=FORM)
        told = {"status": "ok", "uploaded": 2, "files": ["a.json", "b.json"]}
        assert (answer.status_code, answer.json()) == (200, told)
        body = form(("a.json", text), ("b.txt", text))
        answer = managed.ask("POST", "/auth-files", body, content_type=FORM)
        assert answer.status_code == 207
        assert answer.json() == {
            "status": "partial", "uploaded": 1, "files": ["a.json"],
            "failed": [{"name": "b.txt", "error": "file must be .json"}],
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            (form(), "no files uploaded"),
            (b'--X\r\nContent-Disposition: form-data; name="t"\r\n\r\nx\r\n--X--\r\n',
             "no files uploaded"),
            (form(("a.txt", "{}")), "file must be .json"),
            (form(("a.json", "[]")), "invalid auth file"),
            (b"nonsense", "invalid multipart form"),
        ],
    )  # fmt: skip
    def test_a_form_that_makes_no_sense_is_refused(self, managed, body, error):
        answer = managed.ask("POST", "/auth-files", body, content_type=FORM)
        assert answer.status_code == 400
        assert answer.json()["error"].startswith(error)

    @pytest.mark.parametrize(
        ("name", "error"),
        [
            ("", "invalid name"), ("../x.json", "invalid name"), ("a/b.json", "invalid name"),
            ("a\\b.json", "invalid name"), ("C:x.json", "invalid name"),
            (".hidden.json", "invalid name"), ("x%00.json", "invalid name"),
            ("x" * 300 + ".json", "invalid name"), ("x.txt", "name must end with .json"),
        ],
    )  # fmt: skip
    def test_a_name_stays_in_its_folder(self, managed, name, error):
        answer = managed.ask("POST", f"/auth-files?name={name}", CLAUDE)
        assert (answer.status_code, answer.json()) == (400, {"error": error})
        answer = managed.ask("GET", f"/auth-files/download?name={name}")
        assert (answer.status_code, answer.json()) == (400, {"error": error})

    @pytest.mark.parametrize("body", [b"", b"{", [], {"no": "type"}, {"type": "service_account"}])
    def test_what_is_no_credential_is_not_written(self, managed, body):
        answer = managed.ask("POST", "/auth-files?name=x.json", body)
        assert answer.status_code == 400
        assert answer.json()["error"].startswith("invalid auth file: ")
        assert not (managed.auth / "x.json").exists()

    def test_what_was_brought_can_be_fetched(self, managed):
        path = bring(managed)
        answer = managed.ask("GET", "/auth-files/download?name=claude-me.json")
        assert answer.content == path.read_bytes()
        assert answer.headers["content-type"] == "application/json"
        disposition = 'attachment; filename="claude-me.json"'
        assert answer.headers["content-disposition"] == disposition
        answer = managed.ask("GET", "/auth-files/download?name=none.json")
        assert (answer.status_code, answer.json()) == (404, {"error": "file not found"})


class TestDelete:
    @pytest.mark.parametrize(
        ("query", "body"),
        [
            ("?name=a.json", None), ("?filename=a.json", None), ("", ["a.json"]),
            ("", {"name": "a.json"}), ("", {"names": ["a.json", "a.json", " "]}),
        ],
    )  # fmt: skip
    def test_one_goes_however_it_is_named(self, managed, query, body):
        path = bring(managed, "a.json")
        answer = managed.ask("DELETE", f"/auth-files{query}", body)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert not path.exists()
        assert managed.get("/auth-files")["files"] == []

    def test_of_several_each_is_told(self, managed):
        for name in ("a.json", "b.json"):
            bring(managed, name)
        answer = managed.ask("DELETE", "/auth-files", {"names": ["a.json", "x.json"]})
        assert answer.status_code == 207
        assert answer.json() == {
            "status": "partial", "deleted": 1, "files": ["a.json"],
            "failed": [{"name": "x.json", "error": "auth file not found"}],
        }  # fmt: skip

    @pytest.mark.parametrize("word", ["true", "1", "*"])
    def test_all_go(self, managed, word):
        for name in ("a.json", "b.json"):
            bring(managed, name)
        assert managed.ask("DELETE", f"/auth-files?all={word}").json() == {
            "status": "ok", "deleted": 2,
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("query", "body", "status", "error"),
        [
            ("", None, 400, "invalid name"), ("?name=", None, 400, "invalid name"),
            ("", b"{", 400, "invalid request body"), ("", [1], 400, "invalid request body"),
            ("?name=../config.yaml", None, 400, "invalid name"),
            ("?name=none.json", None, 404, "auth file not found"),
        ],
    )  # fmt: skip
    def test_what_is_not_there_cannot_go(self, managed, query, body, status, error):
        answer = managed.ask("DELETE", f"/auth-files{query}", body)
        assert (answer.status_code, answer.json()) == (status, {"error": error})


class TestStatus:
    @pytest.mark.parametrize("key", ["name", "filename"])
    def test_it_is_written_into_the_file(self, managed, key):
        path = bring(managed)
        for disabled in (True, False):
            body = {key: "claude-me.json", "disabled": disabled}
            answer = managed.ask("PATCH", "/auth-files/status", body)
            assert answer.json() == {"status": "ok", "disabled": disabled}
            assert json.loads(path.read_bytes())["disabled"] is disabled
            told = one(managed)
            word = ("disabled", "disabled via management API") if disabled else ("active", "")
            assert (told["status"], told["status_message"]) == word

    @pytest.mark.parametrize(
        ("body", "status", "error"),
        [
            (b"{", 400, "invalid request body"), ({"disabled": True}, 400, "name is required"),
            ({"name": "x.json"}, 400, "disabled is required"),
            ({"name": "x.json", "disabled": "yes"}, 400, "invalid request body"),
            ({"name": "x.json", "disabled": True}, 404, "auth file not found"),
            ({"name": "claude:apikey:0000", "disabled": True}, 404,
             "config api key entry not found"),
        ],
    )  # fmt: skip
    def test_what_makes_no_sense_is_refused(self, managed, body, status, error):
        answer = managed.ask("PATCH", "/auth-files/status", body)
        assert (answer.status_code, answer.json()) == (status, {"error": error})

    def test_keys_of_the_configuration_are_switched_by_their_models(self, manage):
        managed = manage(
            "claude-api-key:\n  - api-key: k # mine\n    models: [{name: m}]\n"
            "    excluded-models: [x]\n"
        )
        (account,) = [a for a in managed.get("/accounts")["accounts"] if a["provider"] == "claude"]
        body = {"name": account["id"], "disabled": True}
        answer = managed.ask("PATCH", "/auth-files/status", body)
        assert answer.json() == {
            "status": "ok", "disabled": True, "via": "config:excluded-models",
            "excluded_pattern": "*",
        }  # fmt: skip
        (entry,) = managed.get("/claude-api-key")["claude-api-key"]
        assert entry["excluded-models"] == ["x", "*"]
        assert "# mine" in managed.text
        managed.ask("PATCH", "/auth-files/status", {**body, "disabled": False})
        (entry,) = managed.get("/claude-api-key")["claude-api-key"]
        assert entry["excluded-models"] == ["x"]


class TestFields:
    @pytest.mark.parametrize(
        ("change", "kept"),
        [
            ({"prefix": " p "}, {"prefix": "p"}),
            ({"note": ""}, {}),
            ({"priority": 4}, {"priority": 4}),
            ({"priority": 0}, {}),
            ({"weight": 0}, {"weight": 0}),
            ({"weight": None}, {}),
            ({"request_retry": 2}, {"request_retry": 2}),
            ({"request-retry": -1}, {}),
            ({"headers": {"A": " b ", "C": ""}}, {"headers": {"A": "b"}}),
            ({"disabled": "true"}, {"disabled": True}),
            ({"excluded-models": ["A", "a"]}, {"excluded_models": ["a"]}),
            ({"expired": "2020-01-01T00:00:00Z"}, {"expired": "2020-01-01T00:00:00Z"}),
            ({"own.more.deep": [1]}, {"own": {"kept": 1, "more": {"deep": [1]}}}),
            ({"proxy-url": "a", "proxy_url": "http://b:1"}, {"proxy_url": "http://b:1"}),
        ],
    )
    def test_what_is_sent_is_kept(self, managed, change, kept):
        path = bring(managed)
        body = {"name": "claude-me.json", **change}
        answer = managed.ask("PATCH", "/auth-files/fields", body)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert json.loads(path.read_bytes()) == {**CLAUDE, **kept}

    @pytest.mark.parametrize(
        ("change", "error"),
        [
            ({}, "no fields to update"),
            ({"": 1}, "field name is required"),
            ({"weight": "1"}, "weight must be an integer"),
            ({"weight.x": 1}, "weight does not support nested fields"),
            ({"request_retry": "x"}, "request_retry must be an integer or null"),
            ({"priority": "x"}, "invalid field priority"),
            ({"prefix": 5}, "invalid field prefix"),
            ({"headers": []}, "invalid field headers"),
            ({"type": "codex"}, "invalid field type"),
            ({"linked_file": "/etc/passwd"}, "invalid field linked_file"),
            ({"a..b": 1}, "invalid field a..b"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, managed, change, error):
        path = bring(managed)
        answer = managed.ask("PATCH", "/auth-files/fields", {"name": "claude-me.json", **change})
        assert (answer.status_code, answer.json()) == (400, {"error": error})
        assert json.loads(path.read_bytes()) == CLAUDE

    def test_an_unknown_file_is_not_made(self, managed):
        answer = managed.ask("PATCH", "/auth-files/fields", {"name": "x.json", "note": "n"})
        assert (answer.status_code, answer.json()) == (404, {"error": "auth file not found"})


class TestModels:
    def test_a_login_tells_what_it_serves(self, managed):
        bring(managed)
        models = managed.get("/auth-files/models?name=claude-me.json")["models"]
        assert "claude-sonnet-4-5-20250929" in {m["id"] for m in models}
        assert all(set(m) <= {"id", "display_name", "type", "owned_by"} for m in models)

    def test_an_unknown_one_serves_nothing(self, managed):
        assert managed.get("/auth-files/models?name=x.json") == {"models": []}
        assert managed.ask("GET", "/auth-files/models").json() == {"error": "name is required"}


class TestQuota:
    def test_one_account_is_asked_again(self, managed):
        bring(managed)
        index = one(managed)["auth_index"]
        answer = managed.ask("POST", "/reset-quota", {"auth_index": index})
        assert answer.json() == {"status": "ok", "auth_index": index, "models": []}

    @pytest.mark.parametrize(
        ("body", "status", "error"),
        [({}, 400, "auth_index is required"), (b"", 400, "invalid request body"),
         ({"auth_index": "nobody"}, 404, "auth not found")],
    )  # fmt: skip
    def test_nobody_is_not_found(self, managed, body, status, error):
        answer = managed.ask("POST", "/reset-quota", body)
        assert (answer.status_code, answer.json()) == (status, {"error": error})


@pytest.fixture(scope="module")
def key_file():
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric import rsa

    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()
    )
    return {
        "type": "service_account", "project_id": "my-project", "private_key": pem.decode(),
        "client_email": "svc@my-project.example",
    }  # fmt: skip


class TestVertex:
    @pytest.mark.parametrize("way", ["form", "raw", "key"])
    def test_a_key_file_makes_an_account(self, managed, key_file, way):
        text = json.dumps(key_file)
        if way == "form":
            body = form(("sa.json", text))
            answer = managed.ask("POST", "/vertex/import?location=europe-west1", body,
                                 content_type=FORM)  # fmt: skip
        else:
            body = key_file if way == "raw" else {"key": key_file, "location": "europe-west1"}
            answer = managed.ask("POST", "/vertex/import?location=europe-west1", body)
        told = answer.json()
        assert told == {
            "status": "ok", "auth-file": str(managed.auth / "vertex-my-project.json"),
            "project_id": "my-project", "email": "svc@my-project.example",
            "location": "europe-west1",
        }  # fmt: skip
        assert one(managed, "vertex-my-project.json")["type"] == "vertex"

    @pytest.mark.parametrize(
        ("change", "error"),
        [({"project_id": ""}, "project_id missing"), ({"private_key": "x"},
          "invalid service account"), ({"type": "other"}, "invalid service account")],
    )  # fmt: skip
    def test_a_file_that_is_none_is_refused(self, managed, key_file, change, error):
        answer = managed.ask("POST", "/vertex/import", {**key_file, **change})
        assert (answer.status_code, answer.json()["error"]) == (400, error)
        assert managed.get("/auth-files")["files"] == []

    def test_without_a_file_there_is_nothing(self, managed):
        answer = managed.ask("POST", "/vertex/import", b"", content_type=FORM)
        assert answer.status_code == 400
        assert managed.ask("POST", "/vertex/import", b"x").json() == {"error": "file required"}
        body = form(("sa.json", "{"))
        answer = managed.ask("POST", "/vertex/import", body, content_type=FORM)
        assert answer.json()["error"] == "invalid json"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/auth-files?name=claude-me.json", {**CLAUDE, "note": "mine"}),
        ("PATCH", "/auth-files/fields", {"name": "claude-me.json", "note": "mine"}),
        ("PATCH", "/auth-files/status", {"name": "claude-me.json", "disabled": True}),
        ("DELETE", "/auth-files?name=claude-me.json", None),
    ],
)
def test_a_change_of_a_file_that_somebody_else_was_faster_with(managed, method, path, body):
    file = bring(managed)
    read = "/auth-files/download?name=claude-me.json"
    tag = managed.ask("GET", read).headers["etag"]
    managed.ask("PATCH", "/auth-files/fields", {"name": "claude-me.json", "note": "theirs"})
    answer = managed.ask(method, path, body, if_match=tag)
    assert (answer.status_code, answer.json()["error"]) == (412, "conflict")
    assert one(managed)["note"] == "theirs"
    now = managed.ask("GET", read).headers["etag"]
    assert managed.ask(method, path, body, if_match=now).status_code == 200
    assert not file.exists() or json.loads(file.read_text()) != {**CLAUDE, "note": "theirs"}
