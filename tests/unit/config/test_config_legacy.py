"""Old and short spellings give the same configuration as the current ones."""

from pathlib import Path

import pytest

from cliproxy.base.errors import ConfigError
from cliproxy.config.legacy import upgrade
from cliproxy.config.load import load_text


def read(text: str):
    return load_text(text, path=Path("config.yaml"))


HOST = "openai-compatibility: [{name: n, base-url: 'http://h',"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "generative-language-api-key: [a, b]",
            "gemini-api-key: [{api-key: a}, {api-key: b}]",
        ),
        ("generative-language-api-key: a", "gemini-api-key: [{api-key: a}]"),
        (
            "gemini-api-key: [{api-key: a}]\ngenerative-language-api-key: [b]",
            "gemini-api-key: [{api-key: a}, {api-key: b}]",
        ),
        (
            f"{HOST} api-keys: [a, b]}}]",
            f"{HOST} api-key-entries: [{{api-key: a}}, {{api-key: b}}]}}]",
        ),
        (
            f"{HOST} api-key-entries: [{{api-key: a}}], api-keys: [b]}}]",
            f"{HOST} api-key-entries: [{{api-key: a}}, {{api-key: b}}]}}]",
        ),
        ("oauth-model-mappings: {a: b}", "oauth-model-alias: {a: b}"),
        ("oauth-model-mappings: {a: b}\noauth-model-alias: {c: d}", "oauth-model-alias: {c: d}"),
        ("oauth-model-alias:\noauth-model-mappings: {a: b}", "oauth-model-alias: {a: b}"),
        (
            (
                "amp-upstream-url: u\namp-upstream-api-key: k\namp-restrict-management-to-localhost: "
                "true\namp-model-mappings: [{from: a, to: b}]"
            ),
            (
                "ampcode: {upstream-url: u, upstream-api-key: k, "
                "restrict-management-to-localhost: true, model-mappings: [{from: a, to: b}]}"
            ),
        ),
        ("amp-upstream-url: u\nampcode: {upstream-url: v}", "ampcode: {upstream-url: v}"),
        (
            "auth: {providers: [{type: config-api-key, api-keys: [a, b]}, {type: other}]}",
            "api-keys: [a, b]",
        ),
        (
            "auth: {providers: [{type: config-api-key, config: {api-key: a}}]}",
            "api-keys: [a]",
        ),
        (
            "api-keys: [new]\nauth: {providers: [{type: config-api-key, api-keys: [old]}]}",
            "api-keys: [new]",
        ),
        ("https: {cert: c, key: k}", "tls: {enable: true, cert: c, key: k}"),
        ("https: {enable: false, cert: c, key: k}", "tls: {enable: false, cert: c, key: k}"),
        ("tls: {cert: c, key: k}", "tls: {enable: true, cert: c, key: k}"),
        ("tls: {cert: c, key: ''}", "tls: {enable: false, cert: c, key: ''}"),
        ("tls: {cert: c, key: k}\nhttps: {cert: d, key: l}", "tls: {enable: on, cert: c, key: k}"),
        ("gemini-web: {token: x}\nallow-localhost-unauthenticated: true", "host: 127.0.0.1"),
        ("force-gpt-5-codex: true\nauth:", "host: 127.0.0.1"),
        # The short form.
        (
            "providers: [{name: g, type: gemini, key: K, weight: 2}]",
            (
                "gemini-api-key: [{name: g, api-key: K, weight: 2}]\n"
                "routing: {strategy: weighted-round-robin}"
            ),
        ),
        ("providers: [{type: GEMINI, api_key: K}]", "gemini-api-key: [{api-key: K}]"),
        ("providers: [{type: anthropic, key: K}]", "claude-api-key: [{api-key: K}]"),
        (
            "providers: [{type: claude, key: K, base_url: 'http://h', excluded_models: [a]}]",
            "claude-api-key: [{api-key: K, base-url: 'http://h', excluded-models: [a]}]",
        ),
        (
            "providers: [{type: codex, key: K}]",
            "codex-api-key: [{api-key: K, base-url: 'https://api.openai.com/v1'}]",
        ),
        (
            "providers: [{type: openai-responses, key: K}]",
            "codex-api-key: [{api-key: K, base-url: 'https://api.openai.com/v1'}]",
        ),
        (
            "providers: [{type: openai, name: o, key: K, weight: 3, models: [gpt-5]}]",
            (
                "openai-compatibility: [{name: o, base-url: 'https://api.openai.com/v1', "
                "models: [{name: gpt-5}], api-key-entries: [{api-key: K, weight: 3}]}]\n"
                "routing: {strategy: weighted-round-robin}"
            ),
        ),
        (
            "providers: [{type: openai-compatible, base_url: 'http://h', key: K}]",
            (
                "openai-compatibility: [{name: openai-compatible, base-url: 'http://h', "
                "api-key-entries: [{api-key: K}]}]"
            ),
        ),
        (
            "providers: [{type: qwen, name: q, base-url: 'http://h'}]",
            "openai-compatibility: [{name: q, base-url: 'http://h'}]",
        ),
        (
            "providers: [{base-url: 'http://h', key: K, proxy-url: direct}]",
            (
                "openai-compatibility: [{name: provider-1, base-url: 'http://h', "
                "api-key-entries: [{api-key: K, proxy-url: direct}]}]"
            ),
        ),
        (
            "providers: [{type: gemini, key: K, oauth: false, round_robin: true}]",
            "gemini-api-key: [{api-key: K}]",
        ),
        (
            "providers: [{type: gemini, key: K, oauth: true}]",
            "gemini-api-key: [{api-key: K}]",
        ),
        (
            "gemini-api-key: [{api-key: a}]\nproviders: [{type: gemini, key: b}]",
            "gemini-api-key: [{api-key: a}, {api-key: b}]",
        ),
        ("providers:", "host: 127.0.0.1"),
    ],
)
def test_the_old_spelling_means_the_new_one(old, new):
    assert read(old).config == read(new).config
    assert [p for p in read(old).problems if "known key" in p.message] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "\nproviders:\n  - {type: gemnii, key: K}",
            "config.yaml:3: providers[0] has the unknown type 'gemnii' (use one of anthropic, clau",
        ),
        ("providers: [{key: K}]", "config.yaml:1: providers[0] has no type (use one of"),
        ("providers: [word]", "config.yaml:1: providers[0] is not a mapping"),
        (
            "providers:\n  - {type: codex, oauth: yes}",
            "config.yaml:2: providers[0] asks for a login (add it with: cliproxy login codex)",
        ),
        (
            "providers:\n  - type: gemini\n    key: K\n    wieght: 2",
            "config.yaml:4: providers[0].wieght is not a known key (did you mean weight?)",
        ),
        (
            "providers:\n  - type: openai-compatible\n    key: K",
            "config.yaml:2: providers[0] has no base-url; this entry is left out",
        ),
        (
            "gemini-api-key: [a]\ngenerative-language-api-key:\n  - a",
            "config.yaml:3: generative-language-api-key[0] is the same as gemini-api-key[0]",
        ),
        (
            "generative-language-api-key:\n  - {}",
            "config.yaml:2: generative-language-api-key[0].api-key must be a single value",
        ),
    ],
)
def test_a_fault_is_told_with_the_key_and_the_line_of_the_file(text, message):
    assert str(read(text).problems[0]).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("providers: {gemini: K}", "config.yaml:1: providers must be a list"),
        ("\nhttps: yes", "config.yaml:2: https must be a mapping of keys"),
        ("generative-language-api-key: {a: b}", "config.yaml:1: generative-language-api-key must"),
        (f"{HOST} api-keys: {{a: b}}}}]", "config.yaml:1: openai-compatibility[0].api-keys must"),
        ("auth: {providers: {a: b}}", "config.yaml:1: auth.providers must be a list"),
        (
            "providers:\n  - {type: gemini, key: K}\n  - type: gemini\n    key: L\n    weight: x",
            "config.yaml:5: providers[1].weight must be a whole number, not 'x'",
        ),
        (
            "providers:\n  - type: openai\n    key: L\n    weight: x",
            "config.yaml:4: providers[0].weight must be a whole number, not 'x'",
        ),
        ("https: {enable: maybe}", "config.yaml:1: https.enable must be true or false"),
        ("https:\n  cert: c", "config.yaml:1: https is enabled and needs both cert and key"),
    ],
)
def test_a_wrong_type_is_an_error_with_the_key_and_the_line_of_the_file(text, message):
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "text", ["ampcode: [a]\namp-upstream-url: u", "ampcode: x\namp-upstream-url: u"]
)
def test_a_wrong_section_beside_an_old_key_is_reported_not_a_crash(text):
    with pytest.raises(ConfigError, match="ampcode must be a mapping of keys"):
        read(text)


def test_the_given_tree_is_not_changed():
    tree = {
        "generative-language-api-key": ["a"],
        "openai-compatibility": [{"name": "n", "api-keys": ["a"]}],
        "providers": [{"type": "gemini", "key": "K"}],
        "auth": {"providers": []},
        "https": {"cert": "c"},
    }
    before = repr(tree)
    upgrade(tree, lambda *a, **k: None)
    assert repr(tree) == before


V6 = """\
host: ""
port: 8317
auth-dir: "~/.cli-proxy-api"
api-keys:
  - "k1"
  - "k2"
remote-management:
  allow-remote: false
  secret-key: ""
  disable-control-panel: false
debug: false
logging-to-file: false
usage-statistics-enabled: true
proxy-url: "socks5://user:pass@127.0.0.1:1080"
request-retry: 3
max-retry-interval: 30
quota-exceeded:
  switch-project: true
  switch-preview-model: true
ws-auth: true
generative-language-api-key:
  - "G1"
claude-api-key:
  - api-key: "C1"
  - api-key: "C2"
    base-url: "https://relay.test"
    proxy-url: "direct"
    models:
      - name: "claude-sonnet-4-20250514"
        alias: "sonnet"
codex-api-key:
  - api-key: "X1"
    base-url: "https://relay.test/v1"
openai-compatibility:
  - name: "openrouter"
    base-url: "https://openrouter.ai/api/v1"
    api-keys:
      - "O1"
      - "O2"
    models:
      - name: "moonshotai/kimi-k2:free"
        alias: "kimi-k2"
oauth-model-alias:
  gemini-cli: [{name: gemini-2.5-pro, alias: g2.5p}]
  gpt4: "gpt-4-turbo-preview"
payload:
  default:
    - models: [{name: "gemini-2.5-pro", protocol: gemini}]
      params: {"generationConfig.thinkingConfig.thinkingBudget": 32768}
ampcode:
  upstream-url: "https://amp.test"
cert: ""
"""

V7 = """\
host: "127.0.0.1"
tls: {enable: false, cert: "", key: ""}
routing: {strategy: weighted-round-robin, session-affinity: true, session-affinity-ttl: "2h"}
force-model-prefix: true
max-retry-interval: 60s
streaming: {keepalive-seconds: 30, bootstrap-retries: 1}
disable-image-generation: chat
gemini-api-key:
  - api-key: G
    prefix: prod
    weight: 3
    headers: {X-Team: "$X-Team"}
    excluded-models: ["gemini-2.5-*", "*-preview"]
    disable-cooling: true
    request-retry: 0
    request-scoped-errors: [{status: 400, match: [quota], action: continue}]
claude-api-key:
  - {api-key: C, cloak: {mode: auto}, rebuild-mid-system-message: true}
openai-compatibility:
  - name: pool
    disabled: false
    base-url: "https://pool.test/v1"
    support-prompt-cache-key: true
    api-key-entries: [{api-key: P, proxy-url: none, weight: 2}]
    models:
      - {name: a, alias: best, force-mapping: true}
      - {name: b, alias: best, image: false, thinking: {levels: [low, high]}}
"""


def test_a_file_of_an_older_generation_loads_whole():
    loaded = read(V6)
    config = loaded.config
    assert config.api_keys == ("k1", "k2")
    assert [e.api_key for e in config.gemini_api_key] == ["G1"]
    assert config.claude_api_key[1].models[0].alias == "sonnet"
    assert [e.api_key for e in config.openai_compatibility[0].api_key_entries] == ["O1", "O2"]
    assert config.oauth_model_alias["gpt4"] == "gpt-4-turbo-preview"
    assert [p.path for p in loaded.problems if "known key" in p.message] == ["cert"]


def test_a_file_of_the_newer_generation_loads_whole():
    loaded = read(V7)
    config = loaded.config
    assert (config.routing.strategy, config.routing.session_affinity_ttl) == (
        "weighted-round-robin",
        7200.0,
    )
    assert config.max_retry_interval == 60.0
    assert config.gemini_api_key[0].request_retry == 0
    assert config.gemini_api_key[0].request_scoped_errors[0]["status"] == 400
    assert config.openai_compatibility[0].models[1].thinking.levels == ("low", "high")
    assert [p for p in loaded.problems if "known key" in p.message] == []
