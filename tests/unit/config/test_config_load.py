"""The configuration file → `Config`, and what its owner is told about it."""

from pathlib import Path

import pytest

from cliproxy.base.errors import ConfigError
from cliproxy.config.load import PLACEHOLDER, load, load_text
from cliproxy.config.schema import Config, KeyEntry, Model, Thinking

FILE = Path("config.yaml")
SECRET = "sk-proj-0123456789abcdefSECRET"


def read(text: str):
    return load_text(text, path=FILE)


def config(text: str) -> Config:
    loaded = read(text)
    assert loaded.problems == []
    return loaded.config


def problems(text: str) -> list[str]:
    return [str(problem) for problem in read(text).problems]


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return str(caught.value)


# ---- files ------------------------------------------------------------------------------------
@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "{}", "~"])
def test_an_empty_file_is_all_defaults(text):
    assert config(text) == Config()


@pytest.mark.parametrize("key", ["host", "tls", "api-keys", "claude-api-key", "payload", "routing"])
def test_a_key_without_value_is_its_default(key):
    assert config(f"{key}:\n") == Config()


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_bom_and_line_ends_make_no_difference(tmp_path, start, end):
    lines = [b"port: 9", b"api-keys:", b"  - one", b'  - "two"', b"debug: maybe", b""]
    path = tmp_path / "config.yaml"
    path.write_bytes(start + end.join(lines[:4]) + end)
    assert load(path).config == Config(port=9, api_keys=("one", "two"))
    path.write_bytes(start + end.join(lines))
    with pytest.raises(ConfigError, match=r":5: debug must be true or false"):
        load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.yaml cannot be read: No such file"):
        load(tmp_path / "gone.yaml")


def test_a_file_that_is_not_utf_8_is_named(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_bytes("host: zürich".encode("utf-16"))
    with pytest.raises(ConfigError, match=r"config\.yaml is not UTF-8 text"):
        load(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\nb: 2\n", "config.yaml:2 is not valid YAML"),
        ("port: 1\nport: 2\n", "config.yaml:2 is not valid YAML: the key 'port' stands twice"),
        ("- a\n", "config.yaml must hold a mapping of keys, not a list."),
        ("just words\n", "config.yaml must hold a mapping of keys, not a single value."),
    ],
)
def test_what_is_no_configuration_is_refused(text, message):
    assert refusal(text).startswith(message)


# ---- values -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("True", True), ("yes", True), ("on", True), ("'true'", True), ("1", True),
        ("false", False), ("no", False), ("off", False), ("N", False), ("0", False),
    ],
)  # fmt: skip
def test_yes_and_no_have_many_spellings(text, value):
    assert config(f"debug: {text}").debug is value


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0), ("30s", 30.0), ("'60s'", 60.0), ("1.5", 1.5), ("500ms", 0.5), ("5m", 300.0),
        ("1h", 3600.0), ("1h30m", 5400.0), ("2d", 172800.0), ("0", 0.0), ("1e1", 10.0), (".5", 0.5),
    ],
)  # fmt: skip
def test_durations_have_units_or_are_seconds(text, seconds):
    assert config(f"timeouts: {{idle: {text}}}").timeouts.idle == seconds


@pytest.mark.parametrize(
    ("text", "value"), [("8317", 8317), ("'8317'", 8317), ("8_317", 8317), ("+1", 1)]
)
def test_whole_numbers(text, value):
    assert config(f"port: {text}").port == value


@pytest.mark.parametrize("text", ["0012345", "1e10", "1.10", "0x1F", "1_000", "true", "12:30"])
def test_an_unquoted_key_or_name_is_taken_letter_by_letter(text):
    found = config(
        f"api-keys: [{text}]\n"
        f"claude-api-key: [{{api-key: {text}, headers: {{X-Team: {text}}}, models: [{text}]}}]\n"
    )
    (entry,) = found.claude_api_key
    assert found.api_keys == (text,)
    assert (entry.api_key, entry.headers, entry.models) == (text, {"X-Team": text}, (Model(text),))
    assert type(entry.api_key) is str


def test_surrounding_space_is_not_part_of_a_value():
    assert config("api-keys: ['  k  ']").api_keys == ("k",)


def test_one_value_where_a_list_is_wanted_is_a_list_of_one():
    assert config("api-keys: one").api_keys == ("one",)


def test_free_sections_keep_their_values_as_yaml_reads_them():
    found = read("payload: {default: [{params: {a.b: 32768, c: yes, d: 1.5, e: true, f: null}}]}")
    (rule,) = found.config.payload["default"]
    assert rule["params"] == {"a.b": 32768, "c": "yes", "d": 1.5, "e": True, "f": None}


@pytest.mark.parametrize("text", ["false", "true", "chat", "passthrough"])
def test_a_switch_may_also_be_a_word(text):
    value = read(f"disable-image-generation: {text}").config.disable_image_generation
    assert value == {"false": False, "true": True}.get(text, text)


def test_every_field_of_an_entry_is_read():
    entry = config(
        "claude-api-key:\n"
        "  - api-key: k\n    priority: 5\n    weight: 0\n    prefix: team-a\n"
        "    base-url: https://claude.test\n    proxy-url: direct\n    headers: {X-A: b}\n"
        "    excluded-models: [claude-3-*]\n    name: mine\n"
        "    models:\n      - name: big\n        alias: b\n        display-name: Big\n"
        "        max-context-length: 9\n        input-modalities: [text, image]\n"
        "        output-modalities: text\n"
        "        thinking: {min: 1, max: 2, zero-allowed: yes, levels: [low, high]}\n"
    ).claude_api_key[0]
    assert (entry.api_key, entry.priority, entry.weight, entry.prefix) == ("k", 5, 0, "team-a")
    assert (entry.base_url, entry.proxy_url) == ("https://claude.test", "direct")
    assert (entry.headers, entry.excluded_models) == ({"X-A": "b"}, ("claude-3-*",))
    assert entry.name == "mine"
    assert entry.models == (
        Model(
            name="big", alias="b", display_name="Big", max_context_length=9,
            input_modalities=("text", "image"), output_modalities=("text",),
            thinking=Thinking(min=1, max=2, zero_allowed=True, levels=("low", "high")),
        ),
    )  # fmt: skip


def test_a_bare_string_is_an_entry():
    assert [e.api_key for e in config("gemini-api-key: [a, {api-key: b}]").gemini_api_key] == [
        "a",
        "b",
    ]


def test_an_entry_without_key_is_fine_when_it_has_a_host():
    (entry,) = config("claude-api-key: [{base-url: http://127.0.0.1:1}]").claude_api_key
    assert entry.api_key == ""


# ---- wrong values -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("port: many", "config.yaml:2: port must be a whole number, not 'many'"),
        ("port: 1.5", "config.yaml:2: port must be a whole number, not '1.5'"),
        ("port: true", "config.yaml:2: port must be a whole number, not 'true'"),
        ("port: 70000", "config.yaml:2: port must be between 0 and 65535"),
        ("port: -1", "config.yaml:2: port must be between 0 and 65535"),
        (f"port: {'9' * 30}", "config.yaml:2: port must be a whole number"),
        ("debug: maybe", "config.yaml:2: debug must be true or false, not 'maybe'"),
        ("debug: [true]", "config.yaml:2: debug must be a single value"),
        ("host: [a]", "config.yaml:2: host must be a single value"),
        ("host: {a: b}", "config.yaml:2: host must be a single value"),
        ("tls: true", "config.yaml:2: tls must be a mapping of keys"),
        ("api-keys: {a: b}", "config.yaml:2: api-keys must be a list (start each item with '-')"),
        ("api-keys: [[a]]", "config.yaml:2: api-keys[0] must be a single value"),
        ("fidelity: best", "config.yaml:2: fidelity must be one of report, strict"),
        ("payload: [a]", "config.yaml:2: payload must be a mapping of keys"),
        ("claude-api-key: k", "config.yaml:2: claude-api-key must be a list"),
        ("timeouts:\n  idle: soon", "config.yaml:3: timeouts.idle must be a number or a duration"),
        ("timeouts:\n  idle: .inf", "config.yaml:3: timeouts.idle must be a number or a duration"),
        ("tls: {enable: true}", "config.yaml:2: tls is enabled and needs both cert and key"),
        ("tls: {enable: true, cert: a}", "config.yaml:2: tls is enabled and needs both cert and"),
        (
            "claude-api-key:\n  - api-key: k\n    weight: 2000000",
            "config.yaml:4: claude-api-key[0].weight is larger than 1000000",
        ),
        (
            "claude-api-key:\n  - api-key: k\n    weight: 1.5",
            "config.yaml:4: claude-api-key[0].weight must be a whole number, not '1.5'",
        ),
        (
            ("openai-compatibility:\n  - name: n\n    base-url: http://h\n    api-key-entries:\n"
            "      - {api-key: k, weight: 1000001}"),
            "config.yaml:6: openai-compatibility[0].api-key-entries[0].weight is larger than",
        ),
    ],
)  # fmt: skip
def test_a_wrong_value_is_an_error_that_names_the_line_and_the_key(text, message):
    assert refusal(f"# first line\n{text}\n").startswith(message)


def test_all_errors_are_told_together():
    assert refusal("port: x\ndebug: ja\nhost: [z]\n").count("config.yaml:") == 3


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{}", "claude-api-key[1] has neither api-key nor base-url; this entry is left out"),
        ("[a]", "claude-api-key[1] must be a mapping of keys; this entry is left out"),
        ("{api-key: [k]}", "claude-api-key[1].api-key must be a single value; this entry is"),
        ("{api-key: k, priority: high}", "claude-api-key[1].priority must be a whole number"),
        ("{api-key: k, models: [{alias: a}]}", "claude-api-key[1].models[0] has no name; this"),
        ("{api-key: k, headers: [a]}", "claude-api-key[1].headers must be a mapping of keys"),
        ("{api-key: k, base-url: host/v1}", "claude-api-key[1].base-url must begin with http://"),
        ("{api-key: a}", "claude-api-key[1] is the same as claude-api-key[0] and is left out"),
    ],
)
def test_a_wrong_entry_is_left_out_and_the_others_serve(entry, message):
    loaded = read(f"claude-api-key:\n  - api-key: a\n  - {entry}\n  - api-key: z\n")
    (problem,) = loaded.problems
    assert str(problem).startswith(f"config.yaml:3: {message}")
    assert [e.api_key for e in loaded.config.claude_api_key] == ["a", "z"]


@pytest.mark.parametrize("kind", ["codex-api-key", "xai-api-key"])
def test_these_kinds_need_a_host(kind):
    loaded = read(f"{kind}: [{{api-key: k}}]")
    assert "has no base-url, which this kind needs" in str(loaded.problems[0])
    assert loaded.config.codex_api_key == loaded.config.xai_api_key == ()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{name: n}", "has no base-url"),
        ("{base-url: http://h}", "has no name"),
        ("{name: '', base-url: http://h}", "has no name"),
        ("{name: n, base-url: '  '}", "has no base-url"),
        ("key", "must be a mapping of keys"),
    ],
)
def test_a_compatible_host_needs_name_and_base_url(entry, message):
    loaded = read(f"openai-compatibility: [{entry}]")
    assert message in loaded.problems[0].message
    assert loaded.config.openai_compatibility == ()


ADDRESS = "base-url: 'http://me:secret-word@h/v1'"


@pytest.mark.parametrize(
    "text",
    [
        f"codex-api-key: [{{api-key: k, {ADDRESS}}}]",
        f"xai-api-key: [{{api-key: k, {ADDRESS}}}]",
        f"claude-api-key: [{{api-key: k, {ADDRESS}}}]",
        f"gemini-api-key: [{{api-key: k, {ADDRESS}, headers: {{Authorization: x}}}}]",
        f"openai-compatibility: [{{name: n, {ADDRESS}, api-key-entries: [{{api-key: k}}]}}]",
    ],
)
def test_a_user_in_the_address_and_a_key_cannot_both_be_sent(text):
    loaded = read(text)
    (problem,) = loaded.problems
    assert "[0].base-url holds a user and a password, which cannot be sent" in str(problem)
    assert "left out" in str(problem)
    assert "secret-word" not in str(problem)


@pytest.mark.parametrize(
    "text",
    [
        f"gemini-api-key: [{{api-key: k, {ADDRESS}}}]",
        f"vertex-api-key: [{{api-key: k, {ADDRESS}}}]",
        f"claude-api-key: [{{{ADDRESS}}}]",
        f"openai-compatibility: [{{name: n, {ADDRESS}}}]",
        "openai-compatibility: [{name: n, base-url: 'http://h/@me', api-key-entries: [k]}]",
    ],
)
def test_a_user_in_the_address_alone_is_sent(text):
    assert "holds a user" not in str(read(text).problems)


def test_a_compatible_host_has_any_number_of_keys():
    (host,) = config(
        "openai-compatibility:\n"
        "  - {name: n, base-url: 'https://h/v1 ', api-key-entries: [{api-key: a}, {api-key: b,"
        " proxy-url: direct, weight: 3}]}\n"
    ).openai_compatibility
    assert host.base_url == "https://h/v1"
    assert host.api_key_entries == (KeyEntry("a"), KeyEntry("b", "direct", 3))


def test_weight_0_is_a_weight():
    assert config("claude-api-key: [{api-key: k, weight: 0}]").claude_api_key[0].weight == 0


def test_a_prefix_with_a_slash_inside_is_reported():
    assert problems("claude-api-key: [{api-key: k, prefix: a/b}]") == [
        "config.yaml:1: claude-api-key[0].prefix holds a slash and is ignored"
    ]
    assert problems("claude-api-key: [{api-key: k, prefix: /a/}]") == []


# ---- unknown, unbuilt -------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot: 1", "config.yaml:1: prot is not a known key (did you mean port?)"),
        ("qqqq: 1", "config.yaml:1: qqqq is not a known key (it is ignored)"),
        ('cert: ""', "config.yaml:1: cert is not a known key"),
        ("routing: {stratgy: ff}", "config.yaml:1: routing.stratgy is not a known key (did you "),
        (
            "claude-api-key:\n- api-key: k\n  wieght: 3",
            "config.yaml:3: claude-api-key[0].wieght is not a known key (did you mean weight?)",
        ),
        (
            "claude-api-key:\n- api-key: k\n  models:\n  - name: m\n    aliass: x",
            "config.yaml:5: claude-api-key[0].models[0].aliass is not a known key (did you mean",
        ),
        (
            "routing: {strategy: random}",
            "config.yaml:1: routing.strategy is 'random', which is not known (round-robin is used)",
        ),
    ],
)
def test_an_unknown_key_warns_and_the_rest_is_served(text, message):
    loaded = read(f"{text}\nhost: h\n")
    assert str(loaded.problems[0]).startswith(message)
    assert loaded.problems[0].severity == "warning"
    assert loaded.config.host == "h"


@pytest.mark.parametrize(
    "text",
    [

        "ws-auth: false",
        "claude-api-key: [{api-key: k, models: [{name: m, is-compat: true}]}]",
        "ampcode: {upstream-url: x}",
    ],
)  # fmt: skip
def test_a_key_that_is_not_built_yet_says_so(text):
    (problem,) = read(text).problems
    assert problem.message == "is understood but not built yet: it has no effect"
    assert problem.line == 1


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True), ("false", False), ("yes", True), ('"true"', True), ('"False"', False),
        ("chat", "chat"), ("Passthrough", "passthrough"),
    ],
)  # fmt: skip
def test_making_images_is_switched_off_in_one_of_three_ways(written, value):
    assert config(f"disable-image-generation: {written}").disable_image_generation == value


def test_an_unknown_way_to_switch_images_off_is_an_error():
    with pytest.raises(ConfigError, match="disable-image-generation"):
        read("disable-image-generation: sometimes")


def test_pictures_are_made_with_models_of_openai_s():
    assert config("gpt-image-2-base-model: gpt-5.5").gpt_image_2_base_model == "gpt-5.5"
    loaded = read("gpt-image-2-base-model: claude-opus-5")
    (problem,) = loaded.problems
    assert problem.path == "gpt-image-2-base-model"
    assert loaded.config.gpt_image_2_base_model == "gpt-5.4-mini"


def test_jobs_are_remembered_for_as_long_as_is_written():
    assert config("debug: no").video_result_auth_cache_ttl == 10800
    assert config("video-result-auth-cache-ttl: 90m").video_result_auth_cache_ttl == 5400


@pytest.mark.parametrize(
    "text",
    [
        "save-cooldown-status: no", "ws-auth: true", "payload: {}", "fallback: []", "commercial-mode: no",
        "quota-exceeded: {switch-project: false}", "request-log: false", "codex: {}",
    ],
)  # fmt: skip
def test_an_unbuilt_key_that_asks_for_nothing_is_silent(text):
    config(text)


def test_an_unknown_key_that_looks_like_a_secret_has_its_line():
    (problem,) = read(f"port: 1\nrouting:\n  {SECRET}: 1\n").problems
    assert (problem.path, problem.line) == ("routing.sk-p…CRET", 3)


def test_it_is_said_once_however_many_entries_have_it():
    rows = "".join(
        f"  - {{api-key: k{n}, models: [{{name: m, is-compat: true}}], base-url: http://h}}\n"
        for n in range(9)
    )
    (problem,) = read(f"codex-api-key:\n{rows}").problems
    assert (problem.path, problem.line) == ("codex-api-key[0].models[0].is-compat", 2)


@pytest.mark.parametrize(
    "text",
    [
        "claude-header-defaults: {user-agent: x}",
        "disable-claude-cloak-mode: true",
        "claude-api-key: [{api-key: k, cloak: {mode: auto, sensitive-words: [API]}}]",
        "claude-api-key: [{api-key: a, fingerprint-profile: x}, {api-key: b, cloak: {mode: x}}]",
    ],
)
def test_disguises_load_and_say_once_that_they_do_nothing(text):
    (problem,) = read(text).problems
    assert problem.message == "has no effect: cliproxy does not imitate other clients"


# ---- client keys ------------------------------------------------------------------------------
def test_the_example_key_is_never_accepted_and_never_opens_the_door():
    loaded = read(f"api-keys: [{PLACEHOLDER}]")
    (problem,) = loaded.problems
    assert "placeholder" in problem.message
    assert len(loaded.config.api_keys) == 1
    assert loaded.config.api_keys != (PLACEHOLDER,)
    assert read(f"api-keys: [{PLACEHOLDER}]").config.api_keys != loaded.config.api_keys


def test_repeated_and_empty_client_keys_are_left_out():
    loaded = read("api-keys: [a, b, a, ' ', ]")
    assert loaded.config.api_keys == ("a", "b")
    assert [p.message for p in loaded.problems] == ["is empty and is left out"]


# ---- secrets ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text",
    [
        f"debug: {SECRET}",
        f"port: {SECRET}",
        f"{SECRET}: 1",
        f"timeouts: {{idle: {SECRET}}}",
        f"api-keys: {{{SECRET}: x}}",
        f"routing: {{strategy: {SECRET}}}",
        f"claude-api-key: [{{api-key: k, priority: {SECRET}}}]",
        f"claude-api-key: [{{{SECRET}: k}}]",
        f"claude-api-key: [{{api-key: {SECRET}}}, {{api-key: {SECRET}}}]",
        f"claude-api-key: [{{api-key: {SECRET}, base-url: no}}]",
        f"claude-api-key: [{{api-key: k, headers: {{{SECRET}: [x]}}}}]",
        f"openai-compatibility: [{{name: n, base-url: 'http://h', api-key-entries: [[{SECRET}]]}}]",
        f"providers: [{{type: {SECRET}, key: k}}]",
        f"providers: [{{type: gemnii, key: {SECRET}}}]",
        f"port: 1\nport: {SECRET}",
        f"api-key: [{SECRET}",
    ],
)
def test_no_message_repeats_a_secret(text):
    try:
        told = problems(text)
    except ConfigError as err:
        told = [str(err), repr(err.__cause__)]
    assert told
    assert not any(SECRET in message for message in told)


@pytest.mark.parametrize(
    "text", ["plugins: {a: {}}", "credential-in-flight: 3", "antigravity: {sensitive-words: [a]}"]
)
def test_a_key_that_will_never_have_an_effect_says_why(text):
    (problem,) = read(text).problems
    assert problem.message.startswith("has no effect: ")


def test_a_number_of_any_size_is_no_reason_to_fail():
    text = f"gemini-api-key: [{{api-key: a, cloak: {{mode: {2**80}}}}}]\n"
    (entry,) = load_text(text, path=Path("config.yaml")).config.gemini_api_key
    assert entry.cloak == {"mode": 2**80}
