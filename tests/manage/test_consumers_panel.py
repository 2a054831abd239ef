"""What a web panel makes of our answers: its rules for reading them, in a few words of our own."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import re
from datetime import datetime
from types import SimpleNamespace

import pytest

from cliproxy.keeper.keeper import Keeper
from cliproxy.observe import logs
from cliproxy.transport.guard import Called, Guard
from tests.manage.conftest import CLIENT_KEY, KEY
from tests.sim.accounts_claude import ClaudeAccounts

OK = {"status": "ok"}
FAR = "2099-01-01T00:00:00Z"
CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


# ---- logins that rest ---------------------------------------------------------------------------
def rest_of(record):
    """Return a rest as a panel reads it; None makes it doubt the whole list."""
    scope, model = record.get("scope"), record.get("model_key")
    seconds, at = record.get("remaining_seconds"), record.get("retry_at")
    if scope not in ("credential", "model") or (scope == "model" and not str(model or "").strip()):
        return None
    if type(seconds) is not int or not 0 < seconds <= 2**53 // 1000 or not isinstance(at, str):
        return None
    return scope, model, seconds, datetime.fromisoformat(at).timestamp()


def test_a_login_that_rests_is_counted_down(manage):
    with ClaudeAccounts() as provider:
        managed = manage(provider.config())
        managed.ask("POST", "/auth-files?name=a.json", {**provider.file(), "expired": FAR})
        assert managed.get("/auth-files")["files"][0]["cooldowns"] == [], "known to be none"
        (model, *_) = managed.get("/auth-files/models?name=a.json")["models"]
        provider.upstream.script(provider.limit(1000))
        managed.ask("POST", "//v1/chat/completions", {**CHAT, "model": model["id"]}, key=CLIENT_KEY)
        told = managed.get("/auth-files")
        observed = datetime.fromisoformat(told["observed_at"]).timestamp()
        (file,) = told["files"]
        rests = [rest_of(record) for record in file["cooldowns"]]
    assert rests
    assert None not in rests
    scope, _, seconds, at = rests[0]
    assert scope == "model"
    assert math.isclose(at - observed, seconds, abs_tol=1.01)
    assert 990 <= seconds <= 1000


def test_ten_minutes_are_one_of_twenty_bars(managed):
    managed.ask("POST", "/auth-files?name=a.json", {"type": "claude", "access_token": "x"})
    (file,) = managed.get("/auth-files")["files"]
    bars = file["recent_requests"]
    assert len(bars) == 20
    for bar in bars:
        assert re.fullmatch(r"\d\d:\d\d-\d\d:\d\d", bar["time"])
        assert (bar["success"], bar["failed"]) == (0, 0)
    assert [a["time"][6:] for a in bars[:-1]] == [b["time"][:5] for b in bars[1:]]


@pytest.mark.parametrize("more", [{}, {"auth_index": True}])
def test_a_token_is_renewed_by_a_body(manage, more):
    with ClaudeAccounts() as provider:
        managed = manage(provider.config())
        managed.ask("POST", "/auth-files?name=a.json", {**provider.file(), "expired": FAR})
        (file,) = managed.get("/auth-files")["files"]
        more = dict.fromkeys(more, file["auth_index"])
        answer = managed.ask("POST", "/auth-files/refresh", {"name": "a.json", **more})
        assert answer.status_code == 200, answer.text
        assert provider.refreshes == 1


def test_all_tokens_are_renewed_by_a_body(manage):
    with ClaudeAccounts() as provider:
        managed = manage(provider.config())
        managed.ask("POST", "/auth-files?name=a.json", {**provider.file(), "expired": FAR})
        managed.ask("POST", "/auth-files?name=b.json", {"type": "claude", "access_token": "x"})
        told = managed.ask("POST", "/auth-files/refresh", {"all": True}).json()
        assert told["ok"] is True
        assert told["results"] == [{"id": "a.json", "success": True}]
        provider.revoke()
        told = managed.ask("POST", "/auth-files/refresh", {"all": True}).json()
        (result,) = told["results"]
        assert (result["id"], result["success"]) == ("a.json", False)
        assert result["error"]
        assert "token" not in result


def test_all_tokens_are_renewed_beside_each_other(manage, monkeypatch):
    with ClaudeAccounts() as provider:
        managed = manage(provider.config())
        for number in range(6):
            login = {**provider.file(), "expired": FAR}
            managed.ask("POST", f"/auth-files?name={number}.json", login)
        running, most = 0, 0

        async def renew(self, credential, *, spent):
            nonlocal running, most
            running += 1
            most = max(most, running)
            for _ in range(10):
                await asyncio.sleep(0)
            running -= 1
            return True

        monkeypatch.setattr(Keeper, "renew", renew)
        told = managed.ask("POST", "/auth-files/refresh", {"all": True}).json()
        assert [one["id"] for one in told["results"]] == [f"{n}.json" for n in range(6)]
        assert most > 1


def test_a_login_is_looked_up_by_name_and_index(managed):
    managed.ask("POST", "/auth-files?name=a.json", {"type": "claude", "access_token": "x"})
    (file,) = managed.get("/auth-files")["files"]
    index = file["auth_index"]
    assert len(managed.get(f"/auth-files?name=a.json&auth_index={index}")["files"]) == 1
    assert managed.get(f"/auth-files?name=b.json&auth_index={index}")["files"] == []
    body = {"name": "a.json", "disabled": True, "auth_index": index}
    assert managed.ask("PATCH", "/auth-files/status", body).json() == {**OK, "disabled": True}


FIELDS = [
    ("prefix", "team"), ("proxy_url", "http://127.0.0.1:1"), ("note", "mine"), ("priority", 5),
    ("priority", "5"), ("weight", 7), ("disable_cooling", True), ("disable-cooling", True),
    ("websockets", True), ("using_api", True), ("excluded_models", ["a-*"]),
    ("excluded-models", ["a-*"]), ("headers", {"X-A": "b"}), ("expired", "2020-01-01T00:00:00Z"),
    ("request_retry", 2), ("model_aliases", [{"name": "a", "alias": "b"}]),
    ("request_scoped_errors", [{"status": 400, "match": ["x"], "action": "next"}]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), FIELDS)
def test_what_the_sheet_of_a_login_sets_is_in_its_file(managed, name, value):
    managed.ask("POST", "/auth-files?name=a.json", {"type": "codex", "access_token": "x"})
    answer = managed.ask("PATCH", "/auth-files/fields", {"name": "a.json", name: value})
    assert answer.json() == OK
    file = managed.ask("GET", "/auth-files/download?name=a.json").json()
    wanted = 5 if name == "priority" else value
    assert file[name.replace("-", "_")] == wanted


# ---- quota cards --------------------------------------------------------------------------------
BEARER = {"Authorization": "Bearer $TOKEN$"}
JSON = {**BEARER, "Content-Type": "application/json"}
CODEX = {**JSON, "User-Agent": "codex_cli_rs/0.76.0", "Chatgpt-Account-Id": "acc-1"}
CLAUDE = {**JSON, "anthropic-beta": "oauth-2025-04-20"}
GROK = {**BEARER, "x-xai-token-auth": "xai-grok-cli", "x-grok-client-version": "0.2.91",
        "accept": "*/*", "x-userid": "u-1"}  # fmt: skip
CODE_ASSIST = "https://daily-cloudcode-pa.googleapis.com/v1internal"
QUOTAS = [
    ("codex", "GET", "https://chatgpt.com/backend-api/wham/usage", CODEX),
    ("codex", "GET", "https://chatgpt.com/backend-api/wham/rate-limit-reset-credits", CODEX),
    ("codex", "POST", "https://chatgpt.com/backend-api/wham/rate-limit-reset-credits/consume",
     CODEX),
    ("claude", "GET", "https://api.anthropic.com/api/oauth/usage", CLAUDE),
    ("claude", "GET", "https://api.anthropic.com/api/oauth/profile", CLAUDE),
    *(("antigravity", "POST", f"{base}:{verb}", JSON)
      for verb in ("retrieveUserQuotaSummary", "fetchAvailableModels", "loadCodeAssist")
      for base in (CODE_ASSIST, "https://cloudcode-pa.googleapis.com/v1internal",
                   "https://daily-cloudcode-pa.sandbox.googleapis.com/v1internal")),
    ("gemini-cli", "POST", "https://cloudcode-pa.googleapis.com/v1internal:retrieveUserQuota",
     JSON),
    ("kimi", "GET", "https://api.kimi.com/coding/v1/usages", BEARER),
    ("xai", "GET", "https://cli-chat-proxy.grok.com/v1/billing", GROK),
    ("xai", "GET", "https://cli-chat-proxy.grok.com/v1/billing?format=credits", GROK),
    ("xai", "GET", "https://cli-chat-proxy.grok.com/v1/user?include=subscription", GROK),
    ("xai", "GET", "https://cli-chat-proxy.grok.com/v1/settings", GROK),
    ("xai", "GET", "https://api.x.ai/v1/me", BEARER),
    ("xai", "POST", "https://api.x.ai/v1/chat/completions", JSON),
]  # fmt: skip


@pytest.fixture
def sent(monkeypatch):
    """Keep what would leave for the internet; every answer is the same."""
    calls = []

    async def call(self, method, url, headers, body=b"", **more):
        calls.append(SimpleNamespace(method=method, url=url, headers=dict(headers), body=body))
        head = {"Date": ["Sat, 21 Nov 2026 10:00:00 GMT"], "Content-Type": ["application/json"]}
        return Called(200, head, b'{"plan_type": "plus"}')

    monkeypatch.setattr(Guard, "call", call)
    return calls


def card_of(told):
    """Read the answer of a call as a panel does."""
    (date,) = next(v for k, v in told["header"].items() if k.lower() == "date")
    return told["status_code"], date, json.loads(told["body"].strip())


@pytest.mark.parametrize(
    ("provider", "method", "url", "header"),
    [pytest.param(*row, id=f"{row[0]}: {row[2][8:]}") for row in QUOTAS],
)
def test_a_quota_card_is_filled(managed, sent, provider, method, url, header):
    fields = {"type": provider, "access_token": "at-1", "expired": FAR, "project_id": "p-1"}
    managed.ask("POST", "/auth-files?name=a.json", fields)
    (file,) = managed.get("/auth-files")["files"]
    body = {"authIndex": file["auth_index"], "method": method, "url": url, "header": header}
    if method == "POST":
        body["data"] = json.dumps({"project": file["project_id"]})
    answer = managed.ask("POST", "/api-call", body)
    assert answer.status_code == 200, answer.text
    assert card_of(answer.json()) == (200, "Sat, 21 Nov 2026 10:00:00 GMT", {"plan_type": "plus"})
    (went,) = sent
    assert (went.method, went.url) == (method, url)
    assert went.headers == {**header, "Authorization": "Bearer at-1"}
    assert went.body == body.get("data", "").encode()


DISCOVERY = [
    ("gemini-api-key", "", "https://generativelanguage.googleapis.com/v1beta/models",
     "x-goog-api-key", "$TOKEN$"),
    ("claude-api-key", "", "https://api.anthropic.com/v1/models", "x-api-key", "$TOKEN$"),
    ("claude-api-key", "https://claude.example", "https://claude.example/v1/messages",
     "x-api-key", "$TOKEN$"),
    ("codex-api-key", "https://codex.example/v1", "https://codex.example/v1/models",
     "Authorization", "Bearer $TOKEN$"),
    ("xai-api-key", "https://api.x.ai/v1", "https://api.x.ai/v1/models",
     "Authorization", "Bearer $TOKEN$"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "base", "url", "header", "value"),
    [pytest.param(*row, id=f"{row[0]} at {row[2][8:]}") for row in DISCOVERY],
)
def test_models_are_looked_for_with_a_saved_key(managed, sent, name, base, url, header, value):
    managed.ask("PUT", f"/{name}", [{"api-key": "sk-1", "base-url": base}])
    (entry,) = managed.get(f"/{name}")[name]
    body = {
        "authIndex": entry["auth-index"],
        "method": "GET",
        "url": url,
        "header": {header: value},
    }
    assert managed.ask("POST", "/api-call", body).status_code == 200
    assert sent[0].headers == {header: value.replace("$TOKEN$", "sk-1")}


def test_models_are_looked_for_with_a_typed_key(managed, sent):
    """Before an entry is saved there is no index, and no token of ours."""
    body = {"method": "GET", "url": "https://new.example/v1/models",
            "header": {"Authorization": "Bearer typed"}}  # fmt: skip
    assert managed.ask("POST", "/api-call", body).status_code == 200
    assert sent[0].headers == {"Authorization": "Bearer typed"}


# ---- the log page -------------------------------------------------------------------------------
TIME = re.compile(r"\[?(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d{1,3})?)\]?")
NUMBER = re.compile(r"\[([a-f0-9]{8}|--------)\]\s*", re.IGNORECASE)
LEVEL = re.compile(
    r"\[?(trace|debug|info|warn|warning|error|fatal)\s*\]?(?=\s|\[|$)", re.IGNORECASE
)
PLACE = re.compile(r"\[([^\]]+)\]")
SPAN = re.compile(r"\b\d+(?:\.\d+)?\s*(?:µs|us|ms|s|m)\b", re.IGNORECASE)
ADDRESS = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b")
VERB = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE|OPTIONS|HEAD)\b\s*(\S+)?")


def line_of(line):
    """Take a line apart as a panel does: four brackets, then parts between bars, each once."""
    found, rest = [], line.strip()
    for pattern in (TIME, NUMBER, LEVEL, PLACE):
        match = pattern.match(rest)
        assert match, f"{pattern.pattern} does not begin {rest!r}"
        found.append(match[1])
        rest = rest[match.end() :].strip()
    parts = [part.strip() for part in rest.split("|") if part.strip()]
    if "|" not in rest:
        return SimpleNamespace(head=found, message=rest, request=None)
    status = next(p for p in parts if re.fullmatch(r"\d{3}", p))
    seconds = next(SPAN.search(p)[0] for p in parts if SPAN.search(p))
    address = next(ADDRESS.search(p)[0] for p in parts if ADDRESS.search(p))
    verb = next(VERB.search(p).groups() for p in parts if VERB.search(p))
    return SimpleNamespace(head=found, message="", request=(status, seconds, address, *verb))


@pytest.fixture
def written(tmp_path):
    """Log to a folder, in detail, as a process of ours does."""
    root, ours = logging.getLogger(), logging.getLogger("cliproxy")
    kept = list(root.handlers), root.level, ours.level
    logs.configure(debug=True, folder=tmp_path)

    def read():
        for handler in root.handlers:
            handler.flush()
        return (tmp_path / "main.log").read_text().splitlines()

    yield read
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = kept[0]
    root.setLevel(kept[1])
    ours.setLevel(kept[2])


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical"])
def test_a_log_page_knows_how_grave_a_line_is(written, level):
    getattr(logging.getLogger("cliproxy.x"), level)("what happened")
    line = line_of(written()[-1])
    word = {"warning": "warn", "critical": ("critical", "fatal", "error")}.get(level, level)
    assert line.head[2] in word
    assert (line.head[1], line.message) == ("--------", "what happened")


def test_a_log_page_knows_requests(manage, sim, written):
    managed = manage(f"""
openai-compatibility:
  - name: Sim
    base-url: "{sim.url}/v1"
    api-key-entries: [{{api-key: sk-sim}}]
    models: [{{name: m}}]
""")
    answers = [
        managed.ask("POST", "//v1/chat/completions", CHAT, key=CLIENT_KEY),
        managed.ask("POST", "//v1/messages", {**CHAT, "max_tokens": 5}, key=CLIENT_KEY),
        managed.ask("POST", "//v1/chat/completions", {**CHAT, "model": "none"}, key=CLIENT_KEY),
        managed.ask("GET", "//v1/models", key="wrong"),
        managed.ask("PUT", "/request-retry", {"value": 1}),
    ]
    managed.proxy.settle()
    lines = [line_of(line) for line in written()]
    seen = {line.request[3:]: line for line in lines if line.request}
    wanted = [("POST", '"/v1/chat/completions"'), ("POST", '"/v1/messages"'),
              ("POST", '"/v1/chat/completions"'), ("GET", '"/v1/models"'),
              ("PUT", '"/v0/management/request-retry"')]  # fmt: skip
    asked = [line.request for line in lines if line.request]
    for answer, verb in zip(answers, wanted, strict=True):
        found = next(r for r in asked if r[3:] == verb and r[0] == str(answer.status_code))
        assert re.fullmatch(r"\d+\.\d{3}s", found[1])
        assert found[2] == "127.0.0.1"
    for line in seen.values():
        assert re.fullmatch("[0-9a-f]{8}", line.head[1]), "its log can be asked for"


# ---- the configuration page ---------------------------------------------------------------------
VISUAL = """\
host: 127.0.0.1
port: 8317
tls:
  enable: false
  cert: ""
  key: ""
debug: true
commercial-mode: true
logging-to-file: true
logs-max-total-size-mb: 100
error-logs-max-files: 5
usage-statistics-enabled: true
redis-usage-queue-retention-seconds: 120
proxy-url: ""
force-model-prefix: true
passthrough-headers: true
request-retry: 3
max-retry-credentials: 2
max-retry-interval: 30
disable-cooling: false
transient-error-cooldown-seconds: 20
save-cooldown-status: true
auth-auto-refresh-workers: 4
ws-auth: true
disable-image-generation: false
disable-claude-cloak-mode: true
nonstream-keepalive-interval: 15
pprof:
  enable: false
  addr: 127.0.0.1:8316
quota-exceeded:
  switch-project: true
  switch-preview-model: false
  antigravity-credits: true
routing:
  strategy: fill-first
  session-affinity: true
  session-affinity-ttl: 1h
streaming:
  keepalive-seconds: 15
  bootstrap-retries: 1
claude-header-defaults:
  user-agent: x/1
  package-version: 1.2.3
  runtime-version: v1
  os: Linux
  arch: x64
  timeout: "600"
  stabilize-device-profile: true
codex-header-defaults:
  user-agent: x/1
  beta-features: a
payload:
  default:
    - models:
        - name: m-*
          protocol: openai
      params:
        temperature: 0.5
  default-raw:
    - models:
        - name: m-*
      params:
        response_format: '{"type": "json_object"}'
  override:
    - models:
        - name: m-*
          protocol: openai-response
        - name: m-*
          protocol: claude
      params:
        reasoning.effort: high
        store: false
  override-raw:
    - models:
        - name: m-*
          protocol: gemini
      params:
        generationConfig: '{"topK": 1}'
  filter:
    - models:
        - name: m-*
          protocol: codex
        - name: m-*
          protocol: antigravity
      params:
        - user
plugins:
  enabled: false
  dir: plugins
  configs: {}
"""


def test_every_key_of_the_visual_editor_is_understood(managed):
    head = re.sub(r"(?m)^(host|port|debug).*\n", "", managed.text)
    text = (
        head.replace(
            "remote-management:",
            "remote-management:\n  allow-remote: false\n"
            '  disable-control-panel: false\n  panel-github-repository: ""',
        )
        + VISUAL
    )
    headers = {"content_type": "application/yaml", "accept": "application/json, text/plain, */*"}
    answer = managed.ask("PUT", "/config.yaml", text.encode(), **headers)
    assert answer.json() == {"ok": True, "changed": ["config"]}, "and nothing to warn of"
    accept = "application/yaml, text/yaml, text/plain"
    again = managed.ask("GET", "/config.yaml", accept=accept)
    assert again.headers["content-type"].startswith("application/yaml")
    assert re.sub("secret-key: .*", "", again.text) == re.sub("secret-key: .*", "", text)
    told = managed.get("/config")
    assert told["routing"]["strategy"] == "fill-first"
    assert told["quota-exceeded"] == {
        "switch-project": True, "switch-preview-model": False, "antigravity-credits": True,
    }  # fmt: skip
    assert [len(told["payload"][k]) for k in ("default", "default-raw", "override",
                                              "override-raw", "filter")] == [1] * 5  # fmt: skip


def test_rules_that_the_visual_editor_has_switched_off_stay_in_the_file(managed):
    """It keeps them in a place of its own, which means nothing to us."""
    kept = "payload:\n  ui-state:\n    disabled-default:\n      - models: [{name: m}]\n        params: []\n"
    text = managed.text + kept
    answer = managed.ask("PUT", "/config.yaml", text.encode(), content_type="application/yaml")
    assert answer.json()["ok"] is True
    managed.ask("PUT", "/request-retry", {"value": 2})
    assert kept in managed.text


@pytest.mark.parametrize("text", ["a: [", "- 1\n", "port: high\n"])
def test_what_cannot_be_saved_is_told_in_a_sentence(managed, text):
    before = managed.text
    answer = managed.ask("PUT", "/config.yaml", text.encode(), content_type="application/yaml")
    assert answer.status_code in (400, 422)
    assert answer.json()["error"] in ("invalid_yaml", "invalid_config")
    assert answer.json()["message"].strip()
    assert managed.text == before


# ---- providers ----------------------------------------------------------------------------------
MODEL = {"name": "up", "alias": "down", "display-name": "Down", "max-context-length": 1000,
         "force-mapping": True, "thinking": {"levels": ["low", "high"]}}  # fmt: skip
RULE = {"status": 400, "match": ["overloaded"], "action": "next"}
ALL = {
    "api-key": "sk-1", "priority": 3, "weight": 2, "prefix": "team",
    "base-url": "https://up.example", "proxy-url": "http://127.0.0.1:1", "headers": {"X-A": "b"},
    "models": [MODEL], "excluded-models": ["a-*", "*"], "disable-cooling": True,
    "request-retry": 2, "request-scoped-errors": [RULE],
}  # fmt: skip
CLOAK = {"mode": "auto", "strict-mode": True, "sensitive-words": ["x"], "cache-user-id": True}
FORMS = [
    ("gemini-api-key", ALL),
    ("interactions-api-key", ALL),
    ("claude-api-key", {**ALL, "cloak": CLOAK, "rebuild-mid-system-message": True,
                        "fingerprint-profile": "default", "experimental-cch-signing": True}),
    ("codex-api-key", {**ALL, "websockets": True, "alpha-search": True}),
    ("xai-api-key", {**ALL, "websockets": True}),
    ("vertex-api-key", {k: v for k, v in ALL.items() if k != "request-scoped-errors"}),
    ("openai-compatibility", {
        **{k: v for k, v in ALL.items() if k not in ("api-key", "proxy-url", "weight",
                                                     "excluded-models")},
        "name": "Host", "disabled": True, "support-prompt-cache-key": True,
        "api-key-entries": [{"api-key": "k1", "weight": 2, "proxy-url": "http://127.0.0.1:1"}],
        "models": [{**MODEL, "image": True, "input-modalities": ["text", "image"],
                    "output-modalities": ["text"]}],
    }),
]  # fmt: skip


@pytest.mark.parametrize(("name", "entry"), FORMS, ids=[name for name, _ in FORMS])
def test_every_field_of_a_form_comes_back(managed, name, entry):
    """It is saved as a whole list, over what `/config` told, and read from both places."""
    assert managed.ask("PUT", f"/{name}", [entry]).json()["status"] == "ok"
    (told,) = managed.get("/config")[name]
    assert told == entry
    assert managed.ask("PUT", f"/{name}", [told]).json()["status"] == "ok"
    (listed,) = managed.get(f"/{name}")[name]
    for row in (listed, *listed.get("api-key-entries", [])):
        row.pop("auth-index", None)
    assert {"disabled": entry.get("disabled", False), **entry} == {"disabled": False, **listed}


@pytest.mark.parametrize("name", [name for name, _ in FORMS if name != "openai-compatibility"])
def test_a_key_is_switched_off_by_a_star(manage, name):
    managed = manage(f"{name}: [{{api-key: k, base-url: 'https://up.example'}}]\n")
    (entry,) = managed.get("/config")[name]
    off = {**entry, "excluded-models": ["*"]}
    assert managed.ask("PUT", f"/{name}", [off]).json()["status"] == "ok"
    assert managed.get("/config")[name] == [off]
    assert managed.ask("PUT", f"/{name}", [entry]).json()["status"] == "ok"
    assert managed.get("/config")[name] == [entry]


def test_traffic_is_found_under_the_address_and_key_of_an_entry(manage, sim):
    managed = manage(f"""
openai-compatibility:
  - name: Sim
    base-url: "{sim.url}/v1"
    api-key-entries: [{{api-key: sk-sim}}]
    models: [{{name: m}}]
""")
    managed.ask("POST", "//v1/chat/completions", CHAT, key=CLIENT_KEY)
    managed.proxy.settle()
    counted = managed.get("/api-key-usage")["sim"][f"{sim.url}/v1|sk-sim"]
    assert (
        counted["recent_requests"][-1]["success"] + counted["recent_requests"][-2]["success"] == 1
    )


# ---- all pages ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("method", "path", "key", "status"),
    [("GET", "/config", "wrong", 401), ("GET", "/config", None, 401),
     ("PATCH", "/auth-files/status", KEY, 400), ("GET", "/auth-files/download?name=no.json", KEY,
                                                  404), ("DELETE", "/auth-files?name=no", KEY, 404),
     ("POST", "/api-call", KEY, 400), ("GET", "/logs", KEY, 400)],
)  # fmt: skip
def test_an_error_can_be_shown(managed, method, path, key, status):
    answer = managed.ask(method, path, {} if method != "GET" else None, key=key)
    assert answer.status_code == status
    told = answer.json()
    assert (told.get("message") or told["error"]).strip()


def test_a_panel_from_elsewhere_may_read_what_it_needs(managed):
    origin = {"origin": "https://panel.example"}
    asked = managed.ask("OPTIONS", "/auth-files", key=None, **origin,
                        access_control_request_method="DELETE",
                        access_control_request_headers="authorization,content-type")  # fmt: skip
    assert asked.status_code == 204
    assert "DELETE" in asked.headers["access-control-allow-methods"]
    allowed = asked.headers["access-control-allow-headers"].lower()
    assert {"authorization", "content-type"} <= set(allowed.replace(" ", "").split(","))
    answer = managed.ask("GET", "/config", **origin)
    assert answer.headers["access-control-allow-origin"] in ("*", origin["origin"])
    exposed = answer.headers["access-control-expose-headers"].lower().replace(" ", "").split(",")
    assert {"x-cpa-version", "x-cpa-build-date", "x-cpa-support-plugin"} <= set(exposed)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "//auth-files"), ("PATCH", "//auth-files"), ("PATCH", "//auth-files/status"),
     ("DELETE", "//auth-files?name=a.json"), ("PATCH", "/auth-files")],
)  # fmt: skip
def test_a_manager_that_tries_older_paths_first_is_sent_on(managed, method, path):
    """Any 2xx would be taken for the real answer."""
    body = None if method == "GET" else {"name": "a.json", "disabled": True}
    assert managed.ask(method, path, body).status_code in (404, 405)
