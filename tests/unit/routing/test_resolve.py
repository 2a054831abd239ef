"""A model's name → the accounts that can serve it, in the order they are tried."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliproxy.base.errors import BadRequest, GatewayError, NotFound
from cliproxy.config.load import load_text
from cliproxy.config.schema import STRATEGIES
from cliproxy.routing.accounts import accounts_from_config
from cliproxy.routing.policy import _NAMES, FillFirst, RoundRobin, WeightedRoundRobin, policy
from cliproxy.routing.pool import Pool
from cliproxy.routing.resolve import Registry


def registry(text: str) -> Registry:
    config = load_text(text, path=Path("config.yaml")).config
    return Registry(accounts_from_config(config), config)


def served(reg: Registry, model: str, **pins) -> list[tuple[str, str]]:
    """Which key serves it, and under which name."""
    return [(c.account.secret.reveal(), c.upstream_model) for c in reg.resolve(model, **pins)]


def host(name: str, models: str, *, keys: str = "", **more: str) -> str:
    rows = ", ".join(f"{{api-key: {key}}}" for key in (keys or name).split())
    extra = "".join(f", {k.replace('_', '-')}: {v}" for k, v in more.items())
    return (
        f"  - {{name: {name}, base-url: 'http://{name}', models: {models},"
        f" api-key-entries: [{rows}]{extra}}}\n"
    )


def hosts(*entries: str, more: str = "") -> Registry:
    return registry(f"{more}openai-compatibility:\n{''.join(entries)}")


# ---- names ------------------------------------------------------------------------------------
POOL = hosts(
    host("one", "[{name: vendor/big, alias: big}, {name: vendor/small}]"),
    host("two", "[{name: big}, {name: 'odd(one)'}]"),
)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("big", [("one", "vendor/big"), ("two", "big")]),
        ("vendor/small", [("one", "vendor/small")]),
        ("one/big", [("one", "vendor/big")]),
        ("two/big", [("two", "big")]),
        ("TWO/big", [("two", "big")]),
        ("openai-compatible-two/big", [("two", "big")]),
        ("one/vendor/small", [("one", "vendor/small")]),
        ("big(high)", [("one", "vendor/big"), ("two", "big")]),
        ("big()", [("one", "vendor/big"), ("two", "big")]),
        ("two/big(8192)", [("two", "big")]),
        ("odd(one)", [("two", "odd(one)")]),
        ("odd(one)(low)", [("two", "odd(one)")]),
    ],
)
def test_a_name_finds_its_accounts(model, expected):
    assert served(POOL, model) == expected


@pytest.mark.parametrize(
    ("model", "client", "suffix"),
    [
        ("big", "big", ""),
        ("big(high)", "big", "(high)"),
        ("big(unheard-of)", "big", "(unheard-of)"),
        ("big()", "big", "()"),
        ("odd(one)", "odd(one)", ""),
        ("odd(one)(low)", "odd(one)", "(low)"),
        ("two/big(0)", "two/big", "(0)"),
    ],
)
def test_the_thinking_suffix_travels_beside_the_name(model, client, suffix):
    candidate = POOL.resolve(model)[0]
    assert (candidate.client_model, candidate.suffix) == (client, suffix)
    assert not candidate.upstream_model.endswith(")") or candidate.upstream_model == "odd(one)"


@pytest.mark.parametrize(
    "model",
    ["vendor/big", "one/odd(one)", "three/big", "Big", "", "/", "one/", "/big", "one/one/big"],
)
def test_a_name_nobody_serves_is_not_found(model):
    with pytest.raises(NotFound) as caught:
        POOL.resolve(model)
    assert (caught.value.status, caught.value.code) == (404, "model_not_found")
    assert caught.value.param == "model"


# ---- what an account serves -------------------------------------------------------------------
def test_without_a_list_an_account_serves_its_provider_s_catalogue():
    reg = registry("claude-api-key: [C]\ngemini-api-key: [G]")
    assert served(reg, "claude-opus-5") == [("C", "claude-opus-5")]
    assert served(reg, "gemini-2.5-pro") == [("G", "gemini-2.5-pro")]


def test_its_own_list_replaces_the_catalogue():
    reg = registry("claude-api-key: [{api-key: C, models: [{name: claude-opus-5, alias: o}, new]}]")
    assert [m.id for m in reg.list_models()] == ["o", "new"]
    assert served(reg, "o") == [("C", "claude-opus-5")]


def test_a_host_without_a_list_serves_nothing():
    assert hosts(host("one", "[]")).list_models() == []


@pytest.mark.parametrize(
    ("patterns", "hidden", "kept"),
    [
        ("gemini-2.5-*", "gemini-2.5-pro", "gemini-3-pro-preview"),
        ("'*-preview'", "gemini-3-pro-preview", "gemini-2.5-pro"),
        ("'*FLASH*'", "gemini-2.5-flash-lite", "gemini-2.5-pro"),
        ("GEMINI-2.5-PRO", "gemini-2.5-pro", "gemini-2.5-flash"),
    ],
)
def test_excluded_models_are_hidden(patterns, hidden, kept):
    reg = registry(f"gemini-api-key: [{{api-key: G, prefix: p, excluded-models: [{patterns}]}}]")
    ids = {m.id for m in reg.list_models()}
    assert {kept, f"p/{kept}"} <= ids
    assert not {hidden, f"p/{hidden}"} & ids
    with pytest.raises(NotFound):
        reg.resolve(hidden)


@pytest.mark.parametrize("pattern", ["nick", "vendor/*"])
def test_a_pattern_may_mean_the_alias_or_the_upstream_name(pattern):
    reg = hosts(
        host("one", "[{name: vendor/a, alias: nick}, {name: b}]", excluded_models=f"[{pattern}]")
    )
    assert [m.id for m in reg.list_models()] == ["b"]


# ---- prefixes ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("forced", "model", "keys"),
    [
        ("false", "prod/gemini-2.5-pro", ["P"]),
        ("false", "gemini-2.5-pro", ["P", "U"]),
        ("true", "prod/gemini-2.5-pro", ["P"]),
        ("true", "gemini-2.5-pro", ["U"]),
        ("true", "gemini/gemini-2.5-pro", ["U"]),
    ],
)
def test_a_prefix_names_its_accounts(forced, model, keys):
    reg = registry(
        f"force-model-prefix: {forced}\ngemini-api-key: [{{api-key: P, prefix: prod}}, U]"
    )
    assert [key for key, _ in served(reg, model)] == keys


def test_a_model_called_like_the_prefix_keeps_its_bare_name():
    reg = hosts(host("one", "[kimi, other]", prefix="kimi"), more="force-model-prefix: true\n")
    assert sorted(m.id for m in reg.list_models()) == ["kimi", "kimi/kimi", "kimi/other"]


# ---- pins -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("provider", "keys"),
    [
        ("claude", ["C"]),
        ("anthropic", ["C"]),
        ("mine", ["C"]),
        ("MINE", ["C"]),
        ("relay", ["R"]),
        ("team", ["R"]),
    ],
)
def test_a_provider_can_be_pinned_by_any_of_its_names(provider, keys):
    reg = registry(
        "claude-api-key: [{api-key: C, name: mine, models: [m]}]\n"
        f"openai-compatibility:\n{host('relay', '[m]', keys='R', prefix='team')}"
    )
    assert [key for key, _ in served(reg, "m", provider=provider)] == keys


def test_a_pin_in_the_name_and_one_beside_it_must_agree():
    assert served(POOL, "one/big", provider="one") == [("one", "vendor/big")]
    with pytest.raises(NotFound):
        POOL.resolve("one/big", provider="two")


def test_an_account_can_be_pinned():
    reg = hosts(host("one", "[m]", keys="a b"))
    second = reg.accounts[1].id
    assert served(reg, "m", account=second) == [("b", "m")]
    with pytest.raises(NotFound):
        reg.resolve("m", account="nobody")


def test_a_pin_that_names_nothing_says_what_there_is():
    with pytest.raises(BadRequest) as caught:
        POOL.resolve("big", provider="nobody")
    assert caught.value.code == "unknown_provider"
    assert caught.value.message == "There is no provider 'nobody'; there are one, two."


def test_auto_is_the_newest_model():
    reg = registry("claude-api-key: [C]\ngemini-api-key: [G]")
    assert served(reg, "auto") == [("C", "claude-opus-5")]
    assert served(reg, "auto", provider="gemini")[0][0] == "G"
    assert served(reg, "google/auto")[0][0] == "G"
    candidate = reg.resolve("auto(high)")[0]
    assert (candidate.client_model, candidate.suffix) == ("auto", "(high)")
    with pytest.raises(NotFound):
        registry("").resolve("auto")


# ---- errors -----------------------------------------------------------------------------------
def test_the_error_names_what_exists_nearest_first():
    reg = registry("claude-api-key: [C]\ngemini-api-key: [G]")
    with pytest.raises(NotFound) as caught:
        reg.resolve("gemini-2.5-por")
    message = caught.value.message
    assert message.startswith(
        "The model 'gemini-2.5-por' does not exist. There are: gemini-2.5-pro"
    )
    assert "more (GET /v1/models)" in message


def test_the_error_names_few_models_whole():
    with pytest.raises(NotFound) as caught:
        POOL.resolve("x")
    assert caught.value.message == (
        "The model 'x' does not exist. There are: big, vendor/small, odd(one)."
    )
    with pytest.raises(NotFound) as caught:
        POOL.resolve("x", provider="two")
    assert caught.value.message == "The model 'x' does not exist. There are: big, odd(one)."


def test_without_any_account_the_error_says_so():
    with pytest.raises(NotFound) as caught:
        registry("").resolve("x")
    assert caught.value.message == "The model 'x' does not exist: no account is configured."


# ---- lists ------------------------------------------------------------------------------------
def test_every_model_is_listed_once_with_what_its_owner_wrote():
    reg = hosts(
        host(
            "one",
            "[{name: up, alias: nick, display-name: Nick, max-context-length: 9,"
            " input-modalities: [text, image], thinking: {levels: [low]}}]",
        ),
        host("two", "[{name: nick}]"),
    )
    (listed,) = reg.list_models()
    assert (listed.id, listed.display_name, listed.context_length) == ("nick", "Nick", 9)
    assert listed.input_modalities == ("text", "image")
    assert listed.thinking.levels == ("low",)
    assert [m.id for m in reg.list_models("two")] == ["nick"]
    assert reg.list_models("one") == [listed]


def test_the_catalogue_fills_what_its_owner_did_not_write():
    (listed,) = registry("claude-api-key: [{api-key: C, models: [claude-opus-5]}]").list_models()
    assert listed.context_length > 0
    assert listed.max_output > 0
    assert listed.created > 0


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("claude-api-key: [{api-key: C, models: [claude-opus-5]}]", "anthropic"),
        ("claude-api-key: [{api-key: C, name: mine, models: [claude-opus-5]}]", "anthropic"),
        ("claude-api-key: [{api-key: C, models: [{name: claude-opus-5, alias: o}]}]", "anthropic"),
        ("claude-api-key: [{api-key: C, models: [unheard-of]}]", "claude"),
        ("gemini-api-key: [{api-key: C, models: [gemini-2.5-pro]}]", "google"),
        ("codex-api-key: [{api-key: C, base-url: 'http://h', models: [my-own]}]", "codex"),
    ],
)
def test_a_model_is_its_vendors_whatever_the_account_is_called(text, owner):
    assert [m.owned_by for m in registry(text).list_models()] == [owner]


def test_a_model_of_a_host_of_other_peoples_models_is_the_hosts():
    reg = hosts(host("router", "[claude-opus-5, unheard-of]", keys="a b"))
    assert [m.owned_by for m in reg.list_models()] == ["router", "router"]


# ---- policies ---------------------------------------------------------------------------------
def plans(reg: Registry, model: str, strategy: str, count: int) -> list[list[tuple[str, str]]]:
    pool = Pool(strategy)
    return [
        [(c.account.secret.reveal(), c.upstream_model) for c in pool.plan(reg.resolve(model))]
        for _ in range(count)
    ]


def firsts(reg: Registry, strategy: str, count: int, model: str = "m") -> str:
    return "".join(plan[0][0] for plan in plans(reg, model, strategy, count))


THREE = hosts(host("h", "[m, n]", keys="a b c"))


def test_round_robin_begins_with_the_next_account_each_time():
    assert firsts(THREE, "round-robin", 6) == "abcabc"
    for plan in plans(THREE, "m", "round-robin", 3):
        assert sorted(key for key, _ in plan) == ["a", "b", "c"]


def test_each_model_has_its_own_turn():
    pool = Pool("rr")
    order = [pool.plan(THREE.resolve(m))[0].account.secret.reveal() for m in "mnmn"]
    assert order == ["a", "a", "b", "b"]


def test_fill_first_keeps_to_the_first_account():
    assert firsts(THREE, "fill-first", 3) == "aaa"


def weighted(**weights: int) -> Registry:
    rows = ", ".join(f"{{api-key: {key}, weight: {weight}}}" for key, weight in weights.items())
    return registry(
        "openai-compatibility: [{name: h, base-url: 'http://h', models: [m],"
        f" api-key-entries: [{rows}]}}]"
    )


def test_weights_share_smoothly():
    assert firsts(weighted(a=3, b=1), "weighted-round-robin", 8) == "aabaaaba"
    assert firsts(weighted(a=1, b=1), "wrr", 4) == "abab"


@pytest.mark.parametrize("weights", [{"a": 1, "b": 0}, {"a": 1, "b": -5}])
def test_weight_0_is_never_used_under_weights(weights):
    assert {key for plan in plans(weighted(**weights), "m", "wrr", 4) for key, _ in plan} == {"a"}
    assert plans(weighted(b=0), "m", "wrr", 1) == [[]]
    assert len(plans(weighted(**weights), "m", "round-robin", 1)[0]) == 2


@given(st.dictionaries(st.sampled_from("abcd"), st.integers(1, 6), min_size=1))
def test_over_one_cycle_everybody_gets_exactly_his_weight(weights):
    picks = Counter(firsts(weighted(**weights), "wrr", sum(weights.values())))
    assert picks == weights


@pytest.mark.parametrize("strategy", ["round-robin", "fill-first", "weighted-round-robin"])
def test_a_higher_priority_is_always_tried_first(strategy):
    reg = hosts(
        host("low", "[m]", keys="x y"), host("high", "[m]", keys="a b", priority="5"),
        host("last", "[m]", keys="z", priority="-1"),
    )  # fmt: skip
    for plan in plans(reg, "m", strategy, 4):
        keys = [key for key, _ in plan]
        assert set(keys[:2]) == {"a", "b"}
        assert set(keys[2:4]) == {"x", "y"}
        assert keys[4:] == ["z"]


RING = hosts(host("h", "[{name: m1, alias: m}, {name: m2, alias: m}]", keys="a b"))


def test_models_behind_one_alias_take_turns_and_stand_in_for_each_other():
    one = hosts(host("h", "[{name: m1, alias: m}, {name: m2, alias: m}, {name: m1, alias: m}]"))
    for strategy in ("round-robin", "fill-first"):
        assert plans(one, "m", strategy, 3) == [
            [("h", "m1"), ("h", "m2")],
            [("h", "m2"), ("h", "m1")],
            [("h", "m1"), ("h", "m2")],
        ]


@pytest.mark.parametrize("strategy", ["round-robin", "fill-first", "weighted-round-robin"])
def test_all_models_of_an_account_are_tried_before_the_next_account(strategy):
    for plan in plans(RING, "m", strategy, 8):
        keys = [key for key, _ in plan]
        assert keys in (["a", "a", "b", "b"], ["b", "b", "a", "a"])
        assert len(set(plan)) == 4


@pytest.mark.parametrize("strategy", ["round-robin", "weighted-round-robin"])
def test_two_accounts_with_two_models_use_all_four(strategy):
    begun = Counter(plan[0] for plan in plans(RING, "m", strategy, 8))
    assert set(begun.values()) == {2}
    assert len(begun) == 4


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("round-robin", RoundRobin), ("roundrobin", RoundRobin), ("RR", RoundRobin),
        ("fill-first", FillFirst), ("fillfirst", FillFirst), (" ff ", FillFirst),
        ("weighted-round-robin", WeightedRoundRobin), ("wrr", WeightedRoundRobin),
        ("weightedroundrobin", WeightedRoundRobin), ("unheard-of", RoundRobin), ("", RoundRobin),
    ],
)  # fmt: skip
def test_policies_have_several_names(name, kind):
    assert type(policy(name)) is kind


def test_the_configuration_knows_every_name_of_a_policy():
    assert set(_NAMES) == STRATEGIES


# ---- pictures and films -----------------------------------------------------------------------
MAKERS = registry(
    "xai-api-key: [{api-key: X, base-url: 'http://x'}]\n"
    "codex-api-key: [{api-key: C, base-url: 'http://c'}]\nvertex-api-key: [V]\n"
    "openai-compatibility:\n"
    + host("own", "[{name: up, alias: pic, image: true}, {name: up, alias: both, image: true}]")
    + host("two", "[{name: talks, alias: both}, {name: imagen-4.0-generate-001}]")
)


@pytest.mark.parametrize(
    ("model", "makes", "keys"),
    [
        ("gpt-image-2", "image", ["C"]),
        ("gpt-image-1.5", "image", ["C"]),
        ("grok-imagine-image", "image", ["X"]),
        ("xai/grok-imagine-image", "image", ["X"]),
        ("grok-imagine-video", "video", ["X"]),
        ("pic", "image", ["own"]),
        ("own/pic", "image", ["own"]),
        ("both", "image", ["own"]),
        ("both", "text", ["two"]),
        ("imagen-4.0-generate-001", "text", ["V", "two"]),
        ("grok-4.5", "text", ["X"]),
    ],
)
def test_a_model_is_asked_on_the_routes_of_what_it_makes(model, makes, keys):
    assert [key for key, _ in served(MAKERS, model, makes=makes)] == keys
    name = model.partition("/")[2] or model
    assert {c.account.secret.reveal() for c in MAKERS.serving(name)} >= set(keys)


@pytest.mark.parametrize(
    ("model", "makes", "status"),
    [
        ("gpt-image-2", "text", 503),
        ("grok-imagine-video", "text", 503),
        ("xai/grok-imagine-video", "text", 503),
        ("pic", "text", 503),
        ("gpt-image-2", "video", 400),
        ("grok-4.5", "image", 400),
        ("nothing", "image", 404),
        ("nothing", "video", 404),
    ],
)
def test_on_other_routes_it_is_said_where(model, makes, status):
    with pytest.raises(GatewayError) as caught:
        MAKERS.resolve(model, makes=makes)
    assert caught.value.status == status


def test_a_listed_name_is_listed_once_and_can_be_looked_up():
    listed = [m.id for m in MAKERS.list_models()]
    assert len(listed) == len(set(listed))
    assert all(MAKERS.serving(name) for name in listed)
    pictures = {m.id: m.output_modalities for m in MAKERS.list_models()}
    assert pictures["pic"] == pictures["gpt-image-2"] == ("image",)
