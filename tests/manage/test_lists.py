"""Lists of keys and of credentials, by the conventions of their clients."""

from __future__ import annotations

import pytest

from tests.manage.conftest import KEY

LISTS = (
    "gemini-api-key", "interactions-api-key", "claude-api-key", "codex-api-key", "xai-api-key",
    "vertex-api-key",
)  # fmt: skip
HOST = "http://127.0.0.1:9"
TWO = """\
claude-api-key:
  # The first one.
  - api-key: sk-one # mine
    base-url: http://127.0.0.1:9
    my-note: kept
  - api-key: 'sk-two'
    base-url: http://127.0.0.1:9
"""


def keys(managed):
    return managed.get("/api-keys")["api-keys"]


class TestClientKeys:
    @pytest.mark.parametrize(
        ("body", "kept"),
        [
            (["a", "b"], ["a", "b"]),
            ({"items": ["a"]}, ["a"]),
            ([], []),
            (b"null", []),
        ],
    )
    def test_put_replaces(self, managed, body, kept):
        assert managed.ask("PUT", "/api-keys", body).json() == {"status": "ok"}
        told = managed.get("/api-keys")
        assert (told["api-keys"], told["value"]) == (kept, kept)

    @pytest.mark.parametrize(
        "body", [{"items": []}, {}, {"value": []}, {"value": "a"}, "a", [1], 5]
    )
    def test_put_of_anything_else_is_refused(self, managed, body):
        answer = managed.ask("PUT", "/api-keys", body)
        assert (answer.status_code, answer.json()) == (400, {"error": "invalid body"})
        assert keys(managed) == ["test-client-key"]

    @pytest.mark.parametrize(
        ("body", "kept"),
        [
            ({"index": 0, "value": "x"}, ["x", "b"]),
            ({"index": 1, "value": "x"}, ["a", "x"]),
            ({"old": "a", "new": "x"}, ["x", "b"]),
            ({"old": "missing", "new": "x"}, ["a", "b", "x"]),
            ({"index": 9, "value": "y", "old": "b", "new": "x"}, ["a", "x"]),
        ],
    )
    def test_patch_replaces_one_or_adds_it(self, managed, body, kept):
        managed.ask("PUT", "/api-keys", ["a", "b"])
        assert managed.ask("PATCH", "/api-keys", body).status_code == 200
        assert keys(managed) == kept

    @pytest.mark.parametrize("body", [{}, {"index": 5, "value": "x"}, {"old": "a"}, {"new": "x"}])
    def test_patch_needs_to_know_which(self, managed, body):
        answer = managed.ask("PATCH", "/api-keys", body)
        assert (answer.status_code, answer.json()) == (400, {"error": "missing fields"})

    @pytest.mark.parametrize(
        ("query", "kept"),
        [("index=0", ["b", "a"]), ("value=a", ["b"]), ("value=%20a%20", ["b"]),
         ("value=no", ["a", "b", "a"])],
    )  # fmt: skip
    def test_delete_by_place_or_value(self, managed, query, kept):
        managed.ask("PUT", "/api-keys", ["a", "b", "a"])
        assert managed.ask("DELETE", f"/api-keys?{query}").status_code == 200
        assert keys(managed) == kept

    @pytest.mark.parametrize("query", ["", "?index=9", "?index=x", "?value="])
    def test_delete_needs_to_know_which(self, managed, query):
        answer = managed.ask("DELETE", f"/api-keys{query}")
        assert (answer.status_code, answer.json()) == (
            400, {"error": "missing index or value"}
        )  # fmt: skip

    def test_a_new_key_opens_for_the_next_request(self, managed):
        assert managed.ask("GET", "//v1/models", key="fresh").status_code == 401
        managed.ask("PATCH", "/api-keys", {"old": "", "new": "fresh"})
        assert managed.ask("GET", "//v1/models", key="fresh").status_code == 200

    def test_the_comments_of_the_others_stay(self, managed):
        managed.ask("PATCH", "/api-keys", {"old": "", "new": "fresh"})
        assert "  - test-client-key # the laptop\n" in managed.text

    def test_the_comment_behind_a_key_is_its_name(self, managed):
        told = managed.get("/api-keys")
        assert told["names"] == ["the laptop"]
        assert told["marks"] == [managed.control.usage.marks("test-client-key")]
        managed.ask("PATCH", "/api-keys", {"old": "", "new": "fresh", "name": "李雷 #2\n"})
        key = "test-client-key"
        managed.ask("PATCH", "/api-keys", {"old": key, "new": key, "name": ""})
        assert managed.get("/api-keys")["names"] == ["", "李雷 #2"]
        assert "  - test-client-key\n  - fresh # 李雷 #2\nremote" in managed.text

    def test_a_list_on_one_line_has_no_room_for_names(self, manage):
        managed = manage(head=f"api-keys: [a, b]\nremote-management: {{secret-key: {KEY}}}\n")
        assert managed.get("/api-keys")["names"] == ["", ""]
        body = {"old": "a", "new": "a", "name": "Ann"}
        assert managed.ask("PATCH", "/api-keys", body).status_code == 409
        assert managed.text.startswith("api-keys: [a, b]\n")


class TestCredentials:
    @pytest.mark.parametrize("name", [*LISTS, "openai-compatibility"])
    def test_an_empty_list_is_a_list(self, managed, name):
        assert managed.get(f"/{name}") == {name: [], "value": []}

    @pytest.mark.parametrize("name", LISTS)
    @pytest.mark.parametrize("wrap", [lambda v: v, lambda v: {"items": v}])
    def test_what_is_put_is_told_in_its_order(self, managed, name, wrap):
        entries = [
            {"api-key": "sk-b", "base-url": HOST, "priority": 2, "weight": 0},
            {"api-key": "0012", "base-url": HOST, "models": [{"name": "m", "alias": "n"}]},
        ]
        assert managed.ask("PUT", f"/{name}", wrap(entries)).json() == {"status": "ok"}
        told = managed.get(f"/{name}")[name]
        assert [{k: v for k, v in e.items() if k != "auth-index"} for e in told] == entries

    @pytest.mark.parametrize("name", [*LISTS, "openai-compatibility"])
    @pytest.mark.parametrize(
        "body", [b"", b"{", {}, {"items": []}, "x", [1], ["sk"], [{"headers": 1}]]
    )
    def test_put_of_anything_else_is_refused(self, managed, name, body):
        answer = managed.ask("PUT", f"/{name}", body)
        assert (answer.status_code, answer.json()) == (400, {"error": "invalid body"})

    @pytest.mark.parametrize("name", LISTS)
    def test_put_of_nothing_clears(self, managed, name):
        managed.ask("PUT", f"/{name}", [{"api-key": "k", "base-url": HOST}])
        assert managed.ask("PUT", f"/{name}", []).status_code == 200
        assert managed.get(f"/{name}")[name] == []

    @pytest.mark.parametrize("name", ["codex-api-key", "xai-api-key", "openai-compatibility"])
    def test_without_an_address_some_entries_mean_nothing(self, managed, name):
        body = [{"name": "x", "api-key": "k", "base-url": ""}]
        assert managed.ask("PUT", f"/{name}", body).status_code == 200
        assert managed.get(f"/{name}")[name] == []

    def test_vertex_entries_need_a_key(self, managed):
        answer = managed.ask("PUT", "/vertex-api-key", [{"base-url": HOST}])
        assert answer.json() == {"error": "vertex-api-key[0].api-key is required"}

    @pytest.mark.parametrize(
        ("weight", "error"),
        [("3", "weight must be an integer"), (1.5, "weight must be an integer"),
         (1_000_001, "weight must not exceed 1000000")],
    )  # fmt: skip
    def test_a_bad_weight_is_named(self, managed, weight, error):
        body = [{"api-key": "k"}, {"api-key": "l", "weight": weight}]
        answer = managed.ask("PUT", "/gemini-api-key", body)
        assert answer.status_code == 400
        assert answer.json() == {"error": f"gemini-api-key[1].weight: {error}"}

    def test_what_could_not_be_served_is_refused(self, managed):
        body = [{"api-key": "k", "base-url": "example.com"}]
        answer = managed.ask("PUT", "/claude-api-key", body)
        assert answer.status_code == 400
        assert "base-url must begin with http" in answer.json()["error"]
        assert managed.get("/claude-api-key")["claude-api-key"] == []

    def test_entries_are_put_in_order(self, managed):
        entry = {
            "api-key": " k ", "prefix": "/team/", "headers": {" X ": " y ", "Z": ""},
            "excluded-models": [" A* ", "a*", ""],
        }  # fmt: skip
        managed.ask("PUT", "/gemini-api-key", [entry, dict(entry)])
        (told,) = managed.get("/gemini-api-key")["gemini-api-key"]
        assert told.pop("auth-index")
        assert told == {
            "api-key": "k", "prefix": "team", "headers": {"X": "y"}, "excluded-models": ["a*"],
        }  # fmt: skip

    def test_the_index_of_a_live_key_is_told_and_never_taken(self, managed):
        managed.ask("PUT", "/claude-api-key", [{"api-key": "k", "base-url": HOST}])
        (told,) = managed.get("/claude-api-key")["claude-api-key"]
        # SHA-256 of `claude-api-key:http://127.0.0.1:9+k`.
        assert told["auth-index"] == "fbf0896e33c4fc9d"
        managed.ask("PUT", "/claude-api-key", [told])
        assert "auth-index" not in managed.text

    def test_hosts_have_an_index_for_each_key(self, managed):
        rows = [{"api-key": "a"}, {"api-key": "b"}]
        host = {"name": "h", "base-url": f"{HOST}/v1", "models": [{"name": "m"}]}
        managed.ask("PUT", "/openai-compatibility", [{**host, "api-key-entries": rows}])
        (told,) = managed.get("/openai-compatibility")["openai-compatibility"]
        assert told["disabled"] is False
        indexes = [row["auth-index"] for row in told["api-key-entries"]]
        assert len(set(indexes)) == 2
        managed.ask("PUT", "/openai-compatibility", [host])
        (told,) = managed.get("/openai-compatibility")["openai-compatibility"]
        assert len(told["auth-index"]) == 16

    def test_what_is_not_touched_keeps_its_letters(self, manage):
        managed = manage(TWO)
        told = managed.get("/config")["claude-api-key"]
        told[1]["priority"] = 5
        assert managed.ask("PUT", "/claude-api-key", told).status_code == 200
        assert TWO.replace("'sk-two'\n", "'sk-two'\n    priority: 5\n") in managed.text or (
            TWO + "    priority: 5\n" in managed.text
        )

    def test_unknown_keys_of_an_entry_outlive_clients_that_do_not_know_them(self, manage):
        managed = manage(TWO)
        managed.ask("PUT", "/claude-api-key", [{"api-key": "sk-one", "base-url": HOST}])
        assert "my-note: kept" in managed.text
        assert "sk-two" not in managed.text

    def test_bare_keys_are_entries(self, manage):
        managed = manage("gemini-api-key:\n  - sk-bare # short\n  - api-key: sk-long\n")
        told = managed.get("/gemini-api-key")["gemini-api-key"]
        assert [entry["api-key"] for entry in told] == ["sk-bare", "sk-long"]
        managed.ask("PATCH", "/gemini-api-key", {"index": 1, "value": {"priority": 3}})
        assert "  - sk-bare # short\n" in managed.text

    def test_old_spellings_are_replaced_by_the_first_change(self, manage):
        managed = manage("generative-language-api-key: [old-key]\n")
        value = {"priority": 2}
        managed.ask("PATCH", "/gemini-api-key", {"match": "old-key", "value": value})
        (told,) = managed.get("/gemini-api-key")["gemini-api-key"]
        assert (told["api-key"], told["priority"]) == ("old-key", 2)
        assert "generative-language-api-key" not in managed.text


class TestSwitching:
    @pytest.mark.parametrize("name", [*LISTS, "openai-compatibility"])
    def test_every_entry_can_be_switched_off_named_and_ranked(self, managed, name):
        entry = {"api-key": "k", "base-url": HOST}
        if name == "openai-compatibility":
            entry = {"name": "h", "base-url": HOST, "api-key-entries": [{"api-key": "k"}]}
        managed.ask("PUT", f"/{name}", [entry])
        change = {"priority": 7, "name": "mine", "disabled": True}
        answer = managed.ask("PATCH", f"/{name}", {"index": 0, "value": change})
        assert answer.json() == {"status": "ok"}
        (told,) = managed.get(f"/{name}")[name]
        assert {k: told[k] for k in change} == change
        assert not [a for a in managed.get("/accounts")["accounts"] if a["kind"] == "key"]

    def test_an_entry_that_was_off_serves_again(self, manage):
        managed = manage(
            "claude-api-key: [{api-key: k, name: mine, disabled: true, models: [{name: m}]}]\n"
        )
        labels = [a["label"] for a in managed.get("/accounts")["accounts"]]
        assert "mine" not in labels
        managed.ask("PATCH", "/claude-api-key", {"index": 0, "value": {"disabled": False}})
        labels = [a["label"] for a in managed.get("/accounts")["accounts"]]
        assert "mine" in labels

    def test_a_list_without_entries_leaves_the_file(self, manage):
        managed = manage("claude-api-key: [{api-key: k, excluded-models: [a]}]\n")
        body = {"index": 0, "value": {"excluded-models": []}}
        assert managed.ask("PATCH", "/claude-api-key", body).status_code == 200
        assert "excluded-models" not in managed.text
        assert managed.ask("DELETE", "/claude-api-key?index=0").status_code == 200
        assert "claude-api-key" not in managed.text

    def test_whoever_writes_hears_of_keys_that_mean_nothing(self, manage):
        managed = manage("claude-api-keys: []\n")
        line = managed.text.splitlines().index("claude-api-keys: []") + 1
        warnings = [{"line": line, "path": "claude-api-keys",
                     "message": "is not a known key (did you mean claude-api-key?)"}]  # fmt: skip
        told = {"status": "ok", "warnings": warnings}
        assert managed.ask("PUT", "/debug", {"value": True}).json() == told
        assert managed.ask("PATCH", "/api-keys", {"old": "", "new": "k2"}).json() == {
            "status": "ok", "warnings": [{**warnings[0], "line": line + 1}],
        }  # fmt: skip
        answer = managed.ask("PUT", "/config.yaml", managed.text.encode()).json()
        assert [w["path"] for w in answer["warnings"]] == ["claude-api-keys"]


class TestPatch:
    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"priority": 4}, {"priority": 4}),
            ({"base_url": f"{HOST}/x"}, {"base-url": f"{HOST}/x"}),
            ({"weight": 0}, {"weight": 0}),
            ({"weight": None}, {}),
            ({"disable-cooling": True}, {"disable-cooling": True}),
            ({"request-retry": -1}, {"request-retry": -1}),
            ({"headers": {"A": "b"}}, {"headers": {"A": "b"}}),
            ({"excluded-models": ["X"]}, {"excluded-models": ["x"]}),
            ({"proxy-url": " http://p:1 "}, {"proxy-url": "http://p:1"}),
            ({"models": [{"name": "m"}]}, {"models": [{"name": "m"}]}),
            ({"name": "mine"}, {"name": "mine"}),
            ({"disabled": True}, {"disabled": True}),
            ({"models": [], "excluded-models": []}, {}),
            ({"nonsense": 1}, {}),
        ],
    )
    def test_only_what_is_sent_changes(self, manage, change, told):
        managed = manage(TWO)
        body = {"match": "sk-one", "value": change}
        assert managed.ask("PATCH", "/claude-api-key", body).json()["status"] == "ok"
        entry, other = managed.get("/claude-api-key")["claude-api-key"]
        usual = {"api-key": "sk-one", "base-url": HOST, "my-note": "kept"}
        assert {k: v for k, v in entry.items() if k != "auth-index"} == {**usual, **told}
        assert other["api-key"] == "sk-two"
        assert "# The first one." in managed.text

    @pytest.mark.parametrize(
        ("body", "status", "error"),
        [
            ({"index": 0}, 400, "invalid body"),
            ({"index": "0", "value": {}}, 400, "invalid body"),
            ({"index": 9, "value": {}}, 404, "item not found"),
            ({"match": "sk-none", "value": {}}, 404, "item not found"),
            ({"value": {}}, 404, "item not found"),
            ({"index": 0, "value": {"weight": "1"}}, 400, "weight must be an integer"),
            ({"index": 0, "value": {"weight": 1_000_001}}, 400,
             "weight must not exceed 1000000"),
            ({"index": 0, "value": {"disable-cooling": "no"}}, 400,
             "disable-cooling must be a boolean or null"),
            ({"index": 0, "value": {"headers": {"a": 1}}}, 400, "invalid body"),
        ],
    )  # fmt: skip
    def test_what_makes_no_sense_is_refused(self, manage, body, status, error):
        answer = manage(TWO).ask("PATCH", "/claude-api-key", body)
        assert (answer.status_code, answer.json()) == (status, {"error": error})

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("codex-api-key", {"base-url": ""}),
            ("xai-api-key", {"base-url": ""}),
            ("vertex-api-key", {"api-key": ""}),
            ("gemini-api-key", {"api-key": "", "base-url": ""}),
            ("openai-compatibility", {"base-url": ""}),
        ],
    )
    def test_an_entry_without_what_it_needs_goes(self, managed, name, value):
        entry = {"api-key": "k", "base-url": HOST, "name": "n"}
        managed.ask("PUT", f"/{name}", [entry])
        assert managed.ask("PATCH", f"/{name}", {"index": 0, "value": value}).status_code == 200
        assert managed.get(f"/{name}")[name] == []

    def test_hosts_are_found_by_name(self, managed):
        managed.ask("PUT", "/openai-compatibility", [{"name": "h", "base-url": HOST}])
        body = {"name": "h", "value": {"disabled": True}}
        assert managed.ask("PATCH", "/openai-compatibility", body).status_code == 200
        (told,) = managed.get("/openai-compatibility")["openai-compatibility"]
        assert told["disabled"] is True

    def test_several_hits_need_a_place(self, managed):
        entries = [{"api-key": "k", "base-url": HOST}, {"api-key": "k", "base-url": f"{HOST}/b"}]
        managed.ask("PUT", "/gemini-api-key", entries)
        body = {"match": "k", "value": {"priority": 1}}
        answer = managed.ask("PATCH", "/gemini-api-key", body)
        assert answer.json() == {"error": "multiple items match; index is required"}
        answer = managed.ask("PATCH", f"/gemini-api-key?base-url={HOST}/b", body)
        assert answer.status_code == 200
        told = managed.get("/gemini-api-key")["gemini-api-key"]
        assert [entry.get("priority") for entry in told] == [None, 1]


class TestDelete:
    ENTRIES = (
        {"api-key": "k", "base-url": f"{HOST}/a"},
        {"api-key": "k", "base-url": f"{HOST}/b"},
        {"api-key": "l", "base-url": f"{HOST}/a"},
    )

    @pytest.mark.parametrize(
        ("name", "query", "status", "left"),
        [
            ("claude-api-key", "index=0", 200, [1, 2]),
            ("claude-api-key", "api-key=l", 200, [0, 1]),
            ("claude-api-key", "api-key=k", 400, [0, 1, 2]),
            ("claude-api-key", f"api-key=k&base-url={HOST}/b", 200, [0, 2]),
            ("claude-api-key", "api-key=none", 200, [0, 1, 2]),
            ("claude-api-key", "", 400, [0, 1, 2]),
            ("claude-api-key", "index=7", 400, [0, 1, 2]),
            ("gemini-api-key", "api-key=none", 404, [0, 1, 2]),
            ("gemini-api-key", "api-key=k", 400, [0, 1, 2]),
            ("gemini-api-key", f"api-key=k&base-url={HOST}/a", 200, [1, 2]),
            ("gemini-api-key", "api-key=k&base-url=http://no", 404, [0, 1, 2]),
        ],
    )
    def test_by_key_or_place(self, managed, name, query, status, left):
        managed.ask("PUT", f"/{name}", list(self.ENTRIES))
        assert managed.ask("DELETE", f"/{name}?{query}").status_code == status
        told = managed.get(f"/{name}")[name]
        places = [(entry["api-key"], entry["base-url"]) for entry in told]
        wanted = [self.ENTRIES[n] for n in left]
        assert places == [(entry["api-key"], entry["base-url"]) for entry in wanted]

    def test_a_base_url_that_is_empty_counts(self, managed):
        managed.ask(
            "PUT", "/claude-api-key", [{"api-key": "k"}, {"api-key": "k", "base-url": HOST}]
        )
        assert managed.ask("DELETE", "/claude-api-key?api-key=k&base-url=").status_code == 200
        (told,) = managed.get("/claude-api-key")["claude-api-key"]
        assert told["base-url"] == HOST

    def test_hosts_go_by_name(self, managed):
        hosts = [{"name": "a", "base-url": HOST}, {"name": "b", "base-url": HOST}]
        managed.ask("PUT", "/openai-compatibility", hosts)
        assert managed.ask("DELETE", "/openai-compatibility?name=a").status_code == 200
        answer = managed.ask("DELETE", "/openai-compatibility")
        assert answer.json() == {"error": "missing name or index"}
        told = managed.get("/openai-compatibility")["openai-compatibility"]
        assert [host["name"] for host in told] == ["b"]
