"""What is known about models."""

from collections import Counter

import pytest

from cliproxy.account.model import Account, ModelRule, ThinkingRule
from cliproxy.ir.caps import ThinkingCaps
from cliproxy.routing import catalog


def account(provider: str, base_url: str = "") -> Account:
    return Account("id", provider, "label", base_url=base_url)


@pytest.mark.parametrize("provider", ["claude", "gemini", "codex"])
def test_each_provider_has_a_list_without_repeats(provider):
    ids = [m.id for m in catalog.of_provider(provider).values()]
    assert ids
    assert max(Counter(ids).values()) == 1
    assert catalog.of_provider("nobody") == {}


@pytest.mark.parametrize("name", ["claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-1"])
def test_a_name_without_a_date_is_the_newest_version(name):
    info = catalog.by_id(name)
    assert info is not None
    assert info.id.startswith(f"{name}-20")
    assert info.thinking is not None


def test_a_name_that_only_begins_alike_is_nobody():
    assert catalog.by_id("claude-sonnet-4-5-2025") is None


def test_a_model_is_found_wherever_it_is_listed():
    assert catalog.by_id("claude-opus-5").provider == "claude"
    assert catalog.by_id("gemini-2.5-pro").provider == "gemini"
    assert catalog.by_id("nobody-s-model") is None


@pytest.mark.parametrize(
    ("provider", "model", "family"),
    [
        ("claude", "claude-opus-5", "claude"),
        ("gemini", "gemini-2.5-pro", "gemini"),
        ("codex", "gpt-5.4", "gpt"),
        ("codex", "own-deployment", "gpt"),
        ("claude", "own-deployment", "claude"),
        ("openai-compatible-x", "anthropic/Claude-Sonnet-5", "claude"),
        ("openai-compatible-x", "o3-mini", "gpt"),
        ("openai-compatible-x", "x-ai/grok-4.5", "grok"),
        ("openai-compatible-x", "moonshotai/kimi-k2:free", "kimi"),
        ("openai-compatible-x", "qwen3-coder", "qwen"),
        ("openai-compatible-x", "llama-4", "unknown"),
        ("local", "smollm2", "unknown"),
    ],
)
def test_a_name_tells_its_family(provider, model, family):
    assert catalog.caps_of(account(provider, "http://h"), None, model).family == family


@pytest.mark.parametrize(
    ("model", "sampling", "exclusive"),
    [
        ("claude-3-7-sonnet-20250219", True, False),
        ("claude-sonnet-4-20250514", True, True),
        ("claude-opus-4-5-20251101", True, True),
        ("claude-opus-4-8", False, True),
        ("claude-sonnet-5", False, False),
        ("claude-opus-5", False, False),
    ],
)
def test_edge_125_which_claude_models_take_sampling(model, sampling, exclusive):
    caps = catalog.caps_of(account("claude"), None, model)
    assert (caps.sampling, caps.exclusive_temp_top_p) == (sampling, exclusive)
    assert caps.temperature_max == 1.0


@pytest.mark.parametrize(
    ("base", "model", "role", "field"),
    [
        ("https://api.openai.com/v1", "gpt-5.4", "developer", "max_completion_tokens"),
        ("https://api.openai.com/v1", "o3-mini", "developer", "max_completion_tokens"),
        ("https://api.openai.com/v1", "gpt-4o", "system", "max_tokens"),
        ("https://relay.test/v1", "gpt-5.4", "system", "max_tokens"),
        ("https://relay.test/v1", "llama", "system", "max_tokens"),
    ],
)
def test_reasoning_models_of_the_official_host_have_words_of_their_own(base, model, role, field):
    caps = catalog.caps_of(account("openai-compatible-x", base), None, model)
    assert (caps.system_role, caps.max_tokens_field) == (role, field)


def test_a_configured_capability_beats_the_catalogue():
    rule = ModelRule("claude-opus-5", thinking=ThinkingRule(1, 2, levels=("low",)))
    caps = catalog.caps_of(account("claude"), rule, "claude-opus-5")
    assert caps.known
    assert caps.thinking == ThinkingCaps(1, 2, levels=("low",))
    assert caps.efforts == ("low",)


def test_a_model_nobody_knows_is_treated_with_care():
    caps = catalog.caps_of(account("openai-compatible-x", "http://h"), None, "own")
    assert not caps.known
    assert caps.thinking is None
    assert caps.max_output is None
