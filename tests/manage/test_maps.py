"""Settings by provider, and the `ampcode` section."""

from __future__ import annotations

import pytest

EXCLUDED, ALIAS, RULES = (
    "/oauth-excluded-models", "/oauth-model-alias", "/oauth-request-scoped-errors",
)  # fmt: skip
RULE = {"status": 400, "match": ["busy"], "action": "continue"}


@pytest.mark.parametrize("path", [EXCLUDED, ALIAS, RULES])
def test_an_empty_map_is_a_map(managed, path):
    assert managed.get(path) == {path[1:]: {}, "value": {}}
    assert managed.get("/config")[path[1:]] == {}


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        (EXCLUDED, {" Codex ": [" GPT-5* ", "gpt-5*", ""]}, {"codex": ["gpt-5*"]}),
        (EXCLUDED, {"items": {"codex": ["a"]}}, {"codex": ["a"]}),
        (EXCLUDED, {"codex": []}, {}),
        (EXCLUDED, {}, {}),
        (
            ALIAS,
            {"codex": [{"name": "gpt-5", "alias": "fast", "fork": True, "odd": 1},
                       {"name": "gpt-4", "alias": "FAST"}, {"name": "x", "alias": "X"},
                       {"name": "gpt-5", "alias": "other", "fork": False}]},
            {"codex": [{"name": "gpt-5", "alias": "fast", "fork": True},
                       {"name": "gpt-5", "alias": "other"}]},
        ),
        (RULES, {"codex": [RULE, {**RULE, "match": []}, {**RULE, "status": 0}]}, {"codex": [RULE]}),
    ],
)  # fmt: skip
def test_put_replaces_the_map(managed, path, body, told):
    assert managed.ask("PUT", path, body).json() == {"status": "ok"}
    assert managed.get(path) == {path[1:]: told, "value": told}


@pytest.mark.parametrize("path", [EXCLUDED, ALIAS, RULES])
@pytest.mark.parametrize("body", [b"", [], "x", {"codex": "x"}, {"codex": [1]}, {"codex": {}}])
def test_put_of_anything_else_is_refused(managed, path, body):
    answer = managed.ask("PUT", path, body)
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid body"})


@pytest.mark.parametrize(
    ("path", "key", "values", "value"),
    [
        (EXCLUDED, "provider", "models", ["a"]),
        (ALIAS, "channel", "aliases", [{"name": "a", "alias": "b"}]),
        (ALIAS, "provider", "aliases", [{"name": "a", "alias": "b"}]),
        (RULES, "channel", "rules", [RULE]),
    ],
)
def test_patch_sets_and_removes_one(managed, path, key, values, value):
    name, what = path[1:], "provider" if path == EXCLUDED else "channel"
    managed.ask("PUT", path, {"other": value})
    assert managed.ask("PATCH", path, {key: "Codex", values: value}).status_code == 200
    assert managed.get(path)[name] == {"other": value, "codex": value}
    assert managed.ask("PATCH", path, {key: "codex", values: []}).status_code == 200
    assert managed.get(path)[name] == {"other": value}
    answer = managed.ask("PATCH", path, {key: "codex", values: []})
    assert (answer.status_code, answer.json()) == (404, {"error": f"{what} not found"})
    answer = managed.ask("PATCH", path, {values: value})
    assert (answer.status_code, answer.json()) == (400, {"error": f"invalid {what}"})


@pytest.mark.parametrize(("path", "key"), [(EXCLUDED, "provider"), (ALIAS, "channel")])
def test_delete_removes_one(managed, path, key):
    value = ["a"] if path == EXCLUDED else [{"name": "a", "alias": "b"}]
    managed.ask("PUT", path, {"codex": value, "claude": value})
    assert managed.ask("DELETE", f"{path}?{key}=CODEX").status_code == 200
    assert managed.ask("DELETE", path, {key: "claude"}).status_code == 200
    answer = managed.ask("DELETE", f"{path}?{key}=codex")
    assert (answer.status_code, answer.json()) == (404, {"error": f"{key} not found"})
    answer = managed.ask("DELETE", path)
    assert (answer.status_code, answer.json()) == (400, {"error": f"missing {key}"})


class TestAmpcode:
    def test_it_has_all_its_keys(self, managed):
        told = managed.get("/ampcode")["ampcode"]
        assert told == {
            "upstream-url": "", "upstream-api-key": "", "upstream-api-keys": [],
            "restrict-management-to-localhost": False, "model-mappings": [],
            "force-model-mappings": False,
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("key", "value"),
        [("upstream-url", "https://a"), ("upstream-api-key", "k"),
         ("restrict-management-to-localhost", True), ("force-model-mappings", True)],
    )  # fmt: skip
    def test_values_are_set(self, managed, key, value):
        assert managed.ask("PUT", f"/ampcode/{key}", {"value": value}).status_code == 200
        assert managed.get(f"/ampcode/{key}") == {key: value, "value": value}
        assert managed.ask("PUT", f"/ampcode/{key}", {"value": 1}).status_code == 400

    def test_mappings_are_merged_by_where_they_begin(self, managed):
        path = "/ampcode/model-mappings"
        managed.ask("PUT", path, {"value": [{"from": "a", "to": "b"}, {"from": "", "to": "x"}]})
        managed.ask("PATCH", path, {"value": [{"from": "a", "to": "c"}, {"from": "d", "to": "e"}]})
        assert managed.get(path)["value"] == [{"from": "a", "to": "c"}, {"from": "d", "to": "e"}]
        assert managed.ask("DELETE", path, {"value": ["a"]}).status_code == 200
        assert managed.get(path)["value"] == [{"from": "d", "to": "e"}]
        assert managed.ask("DELETE", path, {"to": "e"}).status_code == 400
        assert managed.get(path)["value"] == [{"from": "d", "to": "e"}]
        assert managed.ask("DELETE", path).status_code == 200
        assert managed.get(path)["value"] == []

    @pytest.mark.parametrize(
        ("body", "error"),
        [(b"", "missing value"), ({}, "missing value"), ({"value": [" "]}, "empty value"),
         (b"{", "invalid body")],
    )  # fmt: skip
    def test_keys_are_never_cleared_by_accident(self, managed, body, error):
        path = "/ampcode/upstream-api-keys"
        managed.ask("PUT", path, {"value": [{"upstream-api-key": "u", "api-keys": ["a"]}]})
        answer = managed.ask("DELETE", path, body)
        assert (answer.status_code, answer.json()) == (400, {"error": error})
        assert managed.get(path)["value"] == [{"upstream-api-key": "u", "api-keys": ["a"]}]
        assert managed.ask("DELETE", path, {"value": []}).status_code == 200
        assert managed.get(path)["value"] == []
