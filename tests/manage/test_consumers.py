"""What panels and other programs ask, as they ask it, and the fields they read."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time

import pytest

from cliproxy.usage.recorder import Usage
from tests.manage.conftest import CLIENT_KEY, KEY

text, flag, whole, rows, table = str, bool, int, list, dict
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
HEX = re.compile(r"[0-9a-f]{16}")
LISTS = ("gemini-api-key", "interactions-api-key", "claude-api-key", "codex-api-key",
         "xai-api-key", "vertex-api-key", "openai-compatibility")  # fmt: skip
OAUTH = {"https://api.openai.com/auth": {
    "chatgpt_account_id": "acc-1", "chatgpt_plan_type": "plus",
    "chatgpt_subscription_active_start": "2026-01-01T00:00:00+00:00",
    "chatgpt_subscription_active_until": 1800000000}}  # fmt: skip
JWT = "h." + base64.urlsafe_b64encode(json.dumps(OAUTH).encode()).rstrip(b"=").decode() + ".s"
CODEX = {
    "type": "codex", "email": "me@example.com", "access_token": "at", "refresh_token": "rt",
    "id_token": JWT, "expired": "2099-01-01T00:00:00Z", "priority": 1, "note": "mine",
    "prefix": "team", "project_id": "p-1",
}  # fmt: skip
INDEX = hashlib.sha256(b"codex-api-key:http://127.0.0.1:9+sk-codex").hexdigest()[:16]


def form(*files, fields=()):
    parts = [f'--X\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields]
    parts += [
        f'--X\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: application/json\r\n\r\n{content}\r\n"
        for name, content in files
    ]
    return ("".join(parts) + "--X--\r\n").encode()


FORM = {"content_type": "multipart/form-data; boundary=X"}


def values(found, path):
    """Return what stands at a dotted path; `*` is every item, and there must be one."""
    if not path:
        return [found]
    step, _, rest = path.partition("/")
    if step == "*":
        inner = list(found.values()) if isinstance(found, dict) else found
        assert inner, "there is no item"
        return [v for item in inner for v in values(item, rest)]
    assert step in found, f"{step} is missing from {sorted(found)}"
    return values(found[step], rest)


def check(found, fields):
    for path, wanted in fields.items():
        for value in values(found, path):
            if isinstance(wanted, re.Pattern):
                assert isinstance(value, str), path
                assert wanted.fullmatch(value), (path, value)
            elif isinstance(wanted, type):
                assert type(value) is wanted, (path, value)
            else:
                assert value == wanted, path


@pytest.fixture
def world(manage, sim, tmp_path, monkeypatch):
    """A proxy with an entry in every list, a login, a log, and two requests behind it."""
    folder = tmp_path / "writable" / "logs"
    folder.mkdir(parents=True)
    monkeypatch.setenv("WRITABLE_PATH", str(folder.parent))
    now = int(time.time())
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now - 5))
    (folder / "main.log").write_text(f"[{stamp}] [a1b2c3d4] [info ] [app.py:1] one\n" * 3)
    (folder / "error-v1-messages-2026-01-02T030405-a1b2c3d4.log").write_text("=== REQUEST INFO ===")
    managed = manage(f"""
logging-to-file: true
proxy-url: direct
gemini-api-key: [{{api-key: sk-gemini, base-url: "http://127.0.0.1:9", headers: {{A: b}}}}]
interactions-api-key: [{{api-key: sk-interactions}}]
claude-api-key: [{{api-key: sk-claude, base-url: "http://127.0.0.1:9", prefix: c}}]
codex-api-key: [{{api-key: sk-codex, base-url: "http://127.0.0.1:9"}}]
xai-api-key: [{{api-key: sk-xai, base-url: "http://127.0.0.1:9"}}]
vertex-api-key: [{{api-key: sk-vertex, excluded-models: ["x*"]}}]
openai-compatibility:
  - name: Sim
    base-url: "{sim.url}/v1"
    api-key-entries: [{{api-key: sk-sim}}]
    models: [{{name: m}}]
oauth-excluded-models: {{codex: [gpt-4*]}}
oauth-model-alias: {{codex: [{{name: gpt-5, alias: fast}}]}}
""")
    assert managed.ask("POST", "/auth-files?name=codex-me.json", CODEX).status_code == 200
    # What was used must have been used by this test.
    runtime = managed.proxy.runtime
    runtime.usage.close()
    runtime.usage = runtime.app.accounting.usage = Usage(runtime.config)
    runtime.apply_usage()
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    for _ in range(2):
        answer = managed.ask("POST", "//v1/chat/completions", body, key=CLIENT_KEY)
        assert answer.status_code == 200
    managed.proxy.settle()
    managed.sim = sim
    return managed


OK = {"status": "ok"}
FILES = {
    "files/*/id": text, "files/*/name": text, "files/*/type": "codex",
    "files/*/provider": "codex", "files/*/label": text, "files/*/status": "active",
    "files/*/status_message": "", "files/*/disabled": False, "files/*/unavailable": False,
    "files/*/runtime_only": False, "files/*/source": "file", "files/*/size": whole,
    "files/*/path": text, "files/*/email": "me@example.com", "files/*/account": text,
    "files/*/account_type": "oauth", "files/*/auth_index": HEX, "files/*/project_id": "p-1",
    "files/*/priority": 1, "files/*/note": "mine", "files/*/prefix": "team",
    "files/*/modtime": MOMENT, "files/*/success": whole, "files/*/failed": whole,
    "files/*/recent_requests/*/time": text, "files/*/recent_requests/*/success": whole,
    "files/*/recent_requests/*/failed": whole,
    "files/*/id_token/chatgpt_account_id": "acc-1", "files/*/id_token/plan_type": "plus",
    "files/*/id_token/chatgpt_subscription_active_start": MOMENT,
    "files/*/id_token/chatgpt_subscription_active_until": MOMENT,
}  # fmt: skip
CONFIG = {
    **{f"{name}/*/api-key": text for name in LISTS if name != "openai-compatibility"},
    "openai-compatibility/*/name": "Sim", "openai-compatibility/*/base-url": text,
    "openai-compatibility/*/api-key-entries/*/api-key": "sk-sim",
    "openai-compatibility/*/models/*/name": "m", "api-keys": [CLIENT_KEY],
    "debug": flag, "logging-to-file": True, "logs-max-total-size-mb": whole,
    "error-logs-max-files": whole, "usage-statistics-enabled": flag, "request-log": flag,
    "request-retry": whole, "max-retry-credentials": whole, "max-retry-interval": whole,
    "quota-exceeded/switch-project": flag, "quota-exceeded/switch-preview-model": flag,
    "routing/strategy": text, "ws-auth": flag, "proxy-url": "direct",
    "force-model-prefix": flag, "redis-usage-queue-retention-seconds": whole,
    "oauth-excluded-models/codex": ["gpt-4*"], "oauth-model-alias/codex/*/alias": "fast",
}  # fmt: skip
COUNTED = {"success": whole, "failed": whole, "recent_requests/*/time": text,
           "recent_requests/*/success": whole, "recent_requests/*/failed": whole}  # fmt: skip
USED = {
    "usage/total_requests": 2, "usage/success_count": 2, "usage/failure_count": 0,
    "usage/total_tokens": whole, "failed_requests": 0, "usage/tokens_by_hour/*": whole,
    "usage/tokens_by_day/*": whole, "usage/requests_by_day/*": 2, "usage/requests_by_hour/*": 2,
    "usage/apis/*/total_tokens": whole, "usage/apis/*/models/*/total_tokens": whole,
    "usage/apis/*/models/*/total_requests": 2, "usage/apis/*/models/*/details/*/timestamp": text,
    "usage/apis/*/models/*/details/*/source": text, "usage/apis/*/models/*/details/*/auth_index":
    HEX, "usage/apis/*/models/*/details/*/failed": False,
    **{f"usage/apis/*/models/*/details/*/tokens/{name}_tokens": whole
       for name in ("input", "output", "reasoning", "cached", "total")},
}  # fmt: skip
RECORD = {
    "*/timestamp": text, "*/latency_ms": whole, "*/source": "Sim", "*/auth_index": HEX,
    "*/failed": False, "*/provider": text, "*/model": "m", "*/alias": "m",
    "*/endpoint": "POST /v1/chat/completions", "*/auth_type": "apikey", "*/api_key": text,
    "*/request_id": re.compile("[0-9a-f]{8}"), "*/executor_type": text, "*/ttft_ms": whole,
    "*/fail/status_code": 200,
    **{f"*/tokens/{name}_tokens": whole
       for name in ("input", "output", "reasoning", "cached", "total")},
}  # fmt: skip
LOGS = {"lines/*": re.compile(r"\[\d{4}-.*"), "line-count": 3, "latest-timestamp": whole,
        "next-cursor": text}  # fmt: skip
STARTED = {"status": "ok", "url": re.compile("https://.*"), "state": text}
CALL = {"method": "GET", "header": {"Authorization": "Bearer x"}, "data": ""}

PANEL = [
    ("GET", "/config", None, CONFIG),
    ("GET", "/auth-files", None, FILES),
    ("GET", "/plugins", None, {"plugins_enabled": False, "plugins_dir": text, "plugins": []}),
    ("GET", "/api-key-usage", None, {f"*/*/{k}": v for k, v in COUNTED.items()}),
    *(("GET", f"/{name}", None, {f"{name}/*": table}) for name in LISTS),
    ("GET", "/oauth-excluded-models", None, {"oauth-excluded-models/codex": ["gpt-4*"]}),
    ("GET", "/oauth-model-alias", None, {"oauth-model-alias/codex/*/name": "gpt-5",
                                         "oauth-model-alias/codex/*/alias": "fast"}),
    ("GET", "/model-definitions/codex", None, {"channel": "codex", "models/*/id": text}),
    ("GET", "/anthropic-auth-url?is_webui=true", None, STARTED),
    ("GET", "/codex-auth-url?is_webui=true", None, STARTED),
    ("GET", "/get-auth-status?state=none", None, {"status": "error", "error": text}),
    ("GET", "/auth-files/models?name=codex-me.json", None, {"models/*/id": text}),
    ("PATCH", "/auth-files/status", {"name": "codex-me.json", "disabled": True},
     {"status": "ok", "disabled": True}),
    ("PATCH", "/auth-files/fields", {"name": "codex-me.json", "note": "x", "weight": 2,
                                     "proxy_url": "direct", "headers": {"A": "b"}}, OK),
    ("DELETE", "/auth-files", {"names": ["codex-me.json"]}, OK),
    ("DELETE", "/auth-files?all=true", None, {"status": "ok", "deleted": 1}),
    ("DELETE", "/claude-api-key?api-key=sk-claude&base-url=http://127.0.0.1:9", None, OK),
    ("DELETE", "/vertex-api-key?api-key=sk-vertex&base-url=", None, OK),
    ("PATCH", "/openai-compatibility", {"index": 0, "value": {"disabled": True}}, OK),
    ("DELETE", "/openai-compatibility?index=0", None, OK),
    ("PATCH", "/oauth-excluded-models", {"provider": "codex", "models": ["a"]}, OK),
    ("DELETE", "/oauth-excluded-models?provider=codex", None, OK),
    ("PUT", "/oauth-excluded-models", {"claude": ["x"]}, OK),
    ("PATCH", "/oauth-model-alias", {"channel": "codex", "aliases": []}, OK),
    ("DELETE", "/oauth-model-alias?channel=codex", None, OK),
    ("PUT", "/request-log", {"value": True}, OK),
    ("GET", "/logs?limit=10000", None, LOGS),
    ("GET", "/logs?limit=10000&after=1", None, LOGS),
    ("DELETE", "/logs", None, {"success": True, "message": text, "removed": whole}),
    ("GET", "/request-error-logs", None,
     {"files/*/name": text, "files/*/size": whole, "files/*/modified": whole}),
    ("GET", "/latest-version", None, {"latest-version": text}),
]  # fmt: skip
KEEPER = [
    ("GET", "/usage-queue?count=10000", None, RECORD),
    ("GET", "/api-keys", None, {"api-keys": [CLIENT_KEY]}),
    *(("GET", f"/{name}", None, {f"{name}/*/auth-index": HEX})
      for name in ("gemini-api-key", "claude-api-key", "codex-api-key", "xai-api-key",
                   "vertex-api-key")),
    ("GET", "/codex-api-key", None, {"codex-api-key/*/auth-index": INDEX}),
    ("GET", "/openai-compatibility", None,
     {"openai-compatibility/*/api-key-entries/*/auth-index": HEX}),
    ("GET", "/ampcode", None, {"ampcode": table}),
    ("PATCH", "/auth-files/status", {"name": "codex-me.json", "disabled": False},
     {"status": "ok", "disabled": False}),
]  # fmt: skip
MANAGER = [
    ("GET", "/config", None, {"usage-statistics-enabled": flag,
                              "redis-usage-queue-retention-seconds": 60, "proxy-url": text}),
    ("PUT", "/usage-statistics-enabled", {"value": True}, OK),
    ("GET", "/usage-queue?count=100", None, RECORD),
]  # fmt: skip
SCALARS = [("debug", flag), ("proxy-url", text), ("logging-to-file", flag), ("request-log", flag),
           ("request-retry", whole), ("max-retry-interval", whole)]  # fmt: skip
QUOTIO = [
    *(("GET", f"/{name}", None, {name: kind, "value": kind}) for name, kind in SCALARS),
    ("GET", "/quota-exceeded/switch-project", None, {"switch-project": flag}),
    ("GET", "/quota-exceeded/switch-preview-model", None, {"switch-preview-model": flag}),
    ("GET", "/routing/strategy", None, {"strategy": text, "value": text}),
    ("GET", "/routing", None, {"strategy": text, "value": text}),
    ("PUT", "/routing/strategy", {"value": "fill-first"}, OK),
    ("GET", "/auth-files", None, {f"files/*/{name}": FILES[f"files/*/{name}"] for name in
                                  ("id", "name", "provider", "status", "disabled", "unavailable")}),
    ("POST", "/auth-files?name=raw.json", CODEX, OK),
    ("DELETE", "/auth-files?name=codex-me.json", None, OK),
    ("GET", "/usage", None, USED),
    ("GET", "/logs?after=0", None, LOGS),
    ("PUT", "/api-keys", ["a", "b"], OK),
    ("PATCH", "/api-keys", {"old": CLIENT_KEY, "new": "b"}, OK),
    ("DELETE", f"/api-keys?value={CLIENT_KEY}", None, OK),
    ("GET", "/get-auth-status?state=gone", None, {"status": text}),
]  # fmt: skip
PROXYPAL = [
    ("GET", "/usage", None, USED),
    ("GET", "/usage/export", None, {"version": 1, "exported_at": text,
                                    "usage/total_requests": 2}),
    ("PUT", "/usage-statistics-enabled", {"value": False}, OK),
    ("PUT", "/ampcode/force-model-mappings", {"value": True}, OK),
    ("PUT", "/max-retry-interval", {"value": 9}, OK),
    ("PUT", "/ws-auth", {"value": False}, OK),
    ("GET", "/logs?lines=5", None, LOGS),
    *(("GET", f"/{name}", None, {name: rows}) for name in LISTS),
    ("PUT", "/claude-api-key", [{"api-key": "x", "base-url": "http://127.0.0.1:9"}], OK),
    ("DELETE", "/auth-files?name=codex-me.json", None, OK),
]  # fmt: skip
TERMINAL = [
    ("GET", "/debug", None, {"value": False}),
    ("GET", "/routing/strategy", None, {"value": "round-robin"}),
    ("GET", "/api-keys", None, {"value": [CLIENT_KEY]}),
    ("GET", "/ampcode/force-model-mappings", None, {"value": flag}),
    ("PATCH", "/auth-files/status", {"filename": "codex-me.json", "disabled": True},
     {"status": "ok"}),
    ("PATCH", "/auth-files/fields", {"filename": "codex-me.json", "note": "n"}, OK),
    ("GET", "/auth-files/models?filename=codex-me.json", None, {"models/*/id": text}),
    ("DELETE", "/auth-files?filename=codex-me.json", None, OK),
    ("GET", "/get-auth-status?session_id=none", None, {"status": "error"}),
    ("DELETE", "/oauth-model-alias", {"channel": "codex"}, OK),
    ("DELETE", "/oauth-excluded-models", {"provider": "codex"}, OK),
    ("POST", "/usage/import", {"data": json.dumps({"version": 1, "usage": {"apis": {}}})},
     {"added": 0, "skipped": 0, "total_requests": 2, "failed_requests": 0}),
]  # fmt: skip
BEARER = {"authorization": f"Bearer {KEY}"}
CONSUMERS = {
    "panel": (PANEL, BEARER),
    "keeper": (KEEPER, BEARER),
    "manager": (MANAGER, BEARER),
    "quotio": (QUOTIO, {**BEARER, "connection": "close"}),
    "proxypal": (PROXYPAL, {"x_management_key": KEY}),
    "terminal": (TERMINAL, BEARER),
}


@pytest.mark.parametrize(
    ("headers", "method", "path", "body", "fields"),
    [
        pytest.param(headers, *row, id=f"{name}: {row[0]} {row[1]}"[:70])
        for name, (wanted, headers) in CONSUMERS.items()
        for row in wanted
    ],
)
def test_it_finds_what_it_reads(world, headers, method, path, body, fields):
    answer = world.ask(method, path, body, key=None, content_type="application/json", **headers)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    check(found, fields)
    if method != "GET" and fields is OK:
        assert found == OK


@pytest.mark.parametrize("key", [CLIENT_KEY])
def test_the_models_are_listed_for_the_first_client_key(world, key):
    (first,) = world.get("/config")["api-keys"]
    assert first == key
    check(world.ask("GET", "//v1/models", key=first).json(), {"object": "list", "data/*/id": text})


def test_a_panel_knows_the_server_by_its_answers(world):
    for answer in (world.ask("GET", "/config"), world.ask("GET", "/config", key="wrong")):
        assert answer.headers["x-cpa-version"].startswith("v")
        assert answer.headers["x-cpa-build-date"]
        assert answer.headers["x-cpa-support-plugin"] == "0"
    page = world.ask("OPTIONS", "/config", key=None, origin="https://panel.example",
                     access_control_request_headers="authorization")  # fmt: skip
    assert page.status_code == 204


@pytest.mark.parametrize("name", LISTS)
def test_a_panel_sends_a_whole_list_back(world, name):
    before = world.get("/config")[name]
    assert world.ask("PUT", f"/{name}", before).json() == OK
    assert world.get("/config")[name] == before


def test_a_panel_brings_files_one_and_many(world):
    one, many = json.dumps(CODEX), [("a.json", json.dumps(CODEX)), ("b.json", json.dumps(CODEX))]
    answer = world.ask("POST", "/auth-files", form(("a.json", one)), **FORM)
    assert answer.json() == OK
    answer = world.ask("POST", "/auth-files", form(*many), **FORM)
    assert answer.json() == {"status": "ok", "uploaded": 2, "files": ["a.json", "b.json"]}
    extra = form(("c.json", one), fields=[("provider", "codex")])
    assert world.ask("POST", "/auth-files", extra, **FORM).json() == OK
    answer = world.ask("GET", "/auth-files/download?name=c.json")
    assert answer.json() == CODEX
    assert "attachment" in answer.headers["content-disposition"]


@pytest.mark.parametrize("spelling", ["auth_index", "authIndex", "AuthIndex"])
def test_a_quota_page_calls_in_the_name_of_a_key(world, spelling):
    (entry,) = world.get("/openai-compatibility")["openai-compatibility"]
    index = entry["api-key-entries"][0]["auth-index"]
    body = {spelling: index, "method": "GET", "url": f"{world.sim.url}/v1/models",
            "header": {"Authorization": "Bearer $TOKEN$"}}  # fmt: skip
    answer = world.ask("POST", "/api-call", body)
    assert answer.status_code == 200, answer.text
    check(answer.json(), {"status_code": whole, "header/*": rows, "header/*/*": text,
                          "body": text})  # fmt: skip


def test_a_configuration_page_reads_back_what_it_wrote(world):
    text = world.ask("GET", "/config.yaml", accept="application/yaml").text
    edited = text.replace("proxy-url: direct", "proxy-url: none # changed")
    answer = world.ask("PUT", "/config.yaml", edited.encode(), content_type="application/yaml")
    assert answer.json() == {"ok": True, "changed": ["config"]}
    again = world.ask("GET", "/config.yaml").text
    hidden = re.compile("secret-key: .*")
    assert hidden.sub("", again) == hidden.sub("", edited)
    assert world.get("/config")["proxy-url"] == "none"


def test_a_log_page_goes_on_where_it_was(world):
    told = world.get("/logs?limit=10000")
    again = world.get(f"/logs?limit=10000&cursor={told['next-cursor']}")
    check(again, {"lines": [], "line-count": 0, "next-cursor": text})
    assert "cursor-reset" not in again
    (file,) = world.get("/request-error-logs")["files"]
    for path in (f"/request-error-logs/{file['name']}", "/request-log-by-id/a1b2c3d4"):
        answer = world.ask("GET", path)
        assert (answer.status_code, answer.text) == (200, "=== REQUEST INFO ===")


def test_a_collector_takes_every_record_once(world):
    assert len(world.get("/usage-queue?count=10000")) == 2
    assert world.get("/usage-queue?count=10000") == []


def test_an_older_client_moves_its_statistics(world):
    export = world.get("/usage/export")
    answer = world.ask("POST", "/usage/import", export)
    check(answer.json(), {"added": 0, "skipped": 2, "total_requests": 2, "failed_requests": 0})


def test_what_is_not_ours_to_answer_is_not_answered(world):
    """Some programs take any answer here for a route of their own."""
    for path in ("/log-size", "/dashboard/stats", "/model-prices"):
        assert world.ask("GET", path).status_code == 404


def test_a_terminal_sends_yaml_as_a_json_string(world):
    edited = world.text.replace("proxy-url: direct", 'proxy-url: ""')
    answer = world.ask("PUT", "/config.yaml", edited, content_type="application/json")
    assert answer.status_code == 200, answer.text
    assert world.get("/config")["proxy-url"] == ""


def test_a_terminal_changes_one_mapping_at_a_time(world):
    path = "/ampcode/model-mappings"
    a, b = {"from": "a", "to": "x"}, {"from": "b", "to": "y"}
    assert world.ask("PUT", path, {"value": [a]}).json() == OK
    assert world.ask("PATCH", path, b).json() == OK
    assert world.get(path)["value"] == [a, b]
    assert world.ask("DELETE", path, {"from": "a"}).json() == OK
    assert world.get(path)["value"] == [b]
    assert world.ask("DELETE", path, {"to": "y"}).status_code == 400
    assert world.get(path)["value"] == [b], "a wrong body clears nothing"


@pytest.mark.parametrize(
    ("path", "kept", "body", "left"),
    [
        ("/oauth-excluded-models", ["a", "b"], {"channel": "codex", "model": "a"}, ["b"]),
        ("/oauth-model-alias", [{"name": "m", "alias": "a"}, {"name": "n", "alias": "b"}],
         {"channel": "codex", "name": "a"}, [{"name": "n", "alias": "b"}]),
    ],
)  # fmt: skip
def test_a_terminal_takes_one_value_out_of_a_map(world, path, kept, body, left):
    assert world.ask("PUT", path, {"codex": kept, "claude": kept}).json() == OK
    absent = {k: "no" if k != "channel" else v for k, v in body.items()}
    assert world.ask("DELETE", path, absent).status_code == 404
    assert world.get(path)["value"]["codex"] == kept
    assert world.ask("DELETE", path, body).json() == OK
    assert world.get(path)["value"] == {"codex": left, "claude": kept}
    last = {**body, list(body)[1]: left[0] if isinstance(left[0], str) else left[0]["alias"]}
    assert world.ask("DELETE", path, last).json() == OK
    assert world.get(path)["value"] == {"claude": kept}


@pytest.mark.parametrize(
    ("name", "entry", "kept"),
    [
        *((name, {"api_key": "new", "base_url": "http://127.0.0.1:9", "prefix": "p"},
           {"api-key": "new", "base-url": "http://127.0.0.1:9", "prefix": "p"})
          for name in LISTS if name != "openai-compatibility"),
        ("openai-compatibility",
         {"name": "new", "base_url": "http://127.0.0.1:9", "api_key_entries": [{"api_key": "k"}]},
         {"name": "new", "base-url": "http://127.0.0.1:9", "api-key-entries": [{"api-key": "k"}]}),
    ],
)  # fmt: skip
def test_a_terminal_adds_an_entry_and_takes_it_away(world, name, entry, kept):
    before = world.get("/config")[name]
    assert world.ask("PATCH", f"/{name}", entry).json()["status"] == "ok"
    assert world.get("/config")[name] == [*before, kept]
    gone = {"name": "new"} if name == "openai-compatibility" else {"api_key": "new"}
    assert world.ask("DELETE", f"/{name}", gone).json()["status"] == "ok"
    assert world.get("/config")[name] == before


def test_a_terminal_keeps_client_keys(world):
    for method, body, left in (
        ("PATCH", {"value": "k2"}, [CLIENT_KEY, "k2"]),
        ("PATCH", {"value": "k2"}, [CLIENT_KEY, "k2"]),
        ("DELETE", {"value": "k2"}, [CLIENT_KEY]),
        ("PUT", {"value": [CLIENT_KEY, "k3"]}, [CLIENT_KEY, "k3"]),
    ):
        assert world.ask(method, "/api-keys", body).json() == OK
        assert world.get("/api-keys")["value"] == left
